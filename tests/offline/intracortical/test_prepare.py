"""From files to a prepared study of trials: scales, splits, phonemes, what is refused, what is resumed."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offline.cli import main
from offline.intracortical import prepare
from offline.intracortical.normalise import CausalScale, block_zscore
from offline.intracortical.phonemes import phonemes_of, read_dictionary, unlisted
from offline.intracortical.prepare import TrialSettings, prepare_trials
from offline.intracortical.store import open_trials
from offline.intracortical.trials import Trial, plain_text, resplit
from offline.studies import load_trials
from rtdecode.errors import ConfigError, StudyError
from tests.offline.intracortical import files


@pytest.fixture
def tree(tmp_path):
    return files.t12(tmp_path / "tree")


@pytest.fixture
def lexicon(tmp_path):
    (tmp_path / "words.txt").write_text(files.DICTIONARY)
    return str(tmp_path / "words.txt")


def prepared(root, out, study="willett2023", **settings):
    prepare_trials(load_trials(study, root), out, TrialSettings(**settings))
    return open_trials(out)


def test_blocks_have_mean_0_and_deviation_1(tree, tmp_path):
    study = prepared(tree, tmp_path / "out")
    assert (study.unit, study.bin_s, len(study.trials)) == ("zscore", 0.02, 14)
    for day in study.days:
        for block in range(1, 7):
            x = np.concatenate(
                [study.features(t) for t in study.trials if (t.day, t.block) == (day.name, block)]
            )
            assert np.abs(x.mean(0)).max() < 1e-5 and np.abs(x.std(0) - 1).max() < 1e-4
    blocks = [trial.block for trial in study.trials[:7]]
    assert blocks == sorted(blocks)  # in the order they were recorded
    with pytest.raises(ValueError, match="read-only"):
        study.features(study.trials[0])[0] = 1


def test_a_block_that_does_not_vary_or_is_empty():
    x = np.full((1, 3), 7.3, np.float32)
    assert (block_zscore(x) == 0).all()
    x = np.tile(np.float32([0.1, 5, 1e7]), (50, 1))
    x[:, 1] += np.arange(50)
    z = block_zscore(x)
    assert np.isfinite(z).all() and (z[:, [0, 2]] == 0).all() and abs(z[:, 1].std() - 1) < 1e-5
    assert block_zscore(np.zeros((0, 3))).shape == (0, 3)
    assert np.isfinite(CausalScale().block("a", x)).all()


def test_the_causal_scale_never_looks_ahead():
    rng = np.random.default_rng(0)
    blocks = [("a", rng.normal(k, 2, (60, 4))) for k in range(3)] + [("b", rng.normal(9, 2, (60, 4)))]

    def scaled(changed=None, at=0):
        scale = CausalScale()
        out = []
        for k, (day, x) in enumerate(blocks):
            x = x.copy()
            if changed == k:
                x[at:] += 100
            out.append(scale.block(day, x))
        return out

    whole = scaled()
    for k in range(4):
        other = scaled(k, 30)
        for before in range(k):
            assert np.array_equal(whole[before], other[before])
        assert np.array_equal(whole[k][:30], other[k][:30]) and not np.allclose(whole[k][30:], other[k][30:])
    first = np.concatenate([x for _, x in blocks[:3]])
    assert np.allclose(whole[3], (blocks[3][1] - first.mean(0)) / first.std(0), atol=1e-4)


def test_causal_days_resumed_are_as_in_one_go(tree, tmp_path):
    whole = prepared(tree, tmp_path / "whole", norm="causal")
    study = load_trials("willett2023", tree)
    settings = TrialSettings(norm="causal")
    prepare_trials(study, tmp_path / "out", settings, only=["*04.28"])
    done = prepare_trials(study, tmp_path / "out", settings)
    assert (done.done, done.unchanged) == (("t12.2022.05.17",), ("t12.2022.04.28",))
    other = open_trials(tmp_path / "out")
    assert all(np.array_equal(whole.features(t), other.features(t)) for t in whole.trials)


def test_splits(tree, tmp_path):
    counts = {}
    for rule in ("official", "dev", "hpi"):
        study = prepared(tree, tmp_path / rule, split=rule)
        counts[rule] = [len(study.of(s, ("t12.2022.04.28",))) for s in ("train", "valid", "test", "holdout")]
    assert counts == {"official": [4, 0, 1, 2], "dev": [3, 1, 1, 2], "hpi": [2, 1, 2, 2]}
    assert {t.block for t in study.of("test")} == {3} and {t.block for t in study.of("valid")} == {6}
    assert not any(t.text or t.phonemes for t in study.of("holdout"))
    with pytest.raises(StudyError, match=r"no split 'devv' \(did you mean dev"):
        prepared(tree, tmp_path / "none", split="devv")
    with pytest.raises(StudyError, match="1 training block"):
        resplit([Trial("a", 1, 0, "train", "", 0)], "dev")


def test_phonemes(tree, tmp_path, lexicon):
    study = prepared(tree, tmp_path / "out", lexicon=lexicon)
    said = study.of("test")[0]
    assert plain_text(said.text) == "the ox's home well"
    assert " ".join(said.phonemes) == "DH AH SIL AA K S IH Z SIL HH OW M SIL W EH L SIL"


@given(st.text(max_size=40))
def test_plain_text_is_stable_and_of_the_alphabet(text):
    plain = plain_text(text)
    assert plain_text(plain) == plain and set(plain) <= set("abcdefghijklmnopqrstuvwxyz-' ")
    assert plain == " ".join(plain.split())


def test_words_without_a_pronunciation(tree, tmp_path, lexicon):
    files.mat(
        tree / "competitionData/train/t12.2022.05.17.mat", ["The yak", "Gnu home", "Home", "Ox"], [3, 3, 4, 5]
    )
    with pytest.raises(StudyError, match=r"no pronunciation of 2 words of the study: gnu, yak"):
        prepared(tree, tmp_path / "out", lexicon=lexicon)
    assert not (tmp_path / "out").exists()
    study = prepared(tree, tmp_path / "out", lexicon=lexicon, unknown_words="drop")
    assert len(study.of("train", ("t12.2022.05.17",))) == 2 and study.facts["dropped"] == {"train": 2}
    with pytest.raises(ConfigError, match="unknown words are 'dropp'"):
        prepared(tree, tmp_path / "out", unknown_words="dropp")


@pytest.mark.parametrize(
    ("line", "said"), [("ox", "line 2: 'ox' has no pronunciation"), ("ox AA1 QQ", "the phoneme 'QQ'")]
)
def test_a_dictionary_that_is_wrong(tmp_path, line, said):
    path = tmp_path / "words.txt"
    path.write_text(f"the DH AH0\n{line}\n")
    with pytest.raises(StudyError, match=said):
        read_dictionary(path)


def test_the_real_dictionary_and_sentences(data_dir):
    dictionary = read_dictionary(data_dir / "text-and-lm" / "cmudict.dict")
    lines = (data_dir / "t12-sentences" / "sentences.txt").read_text().splitlines()
    assert len(dictionary) == 126052 and len(lines) == 4400
    assert len(unlisted(lines, dictionary)) < 40  # of some 6000 words
    assert phonemes_of(lines[0], dictionary)[:7] == ("N", "UW", "K", "L", "IY", "ER", "SIL")


def test_nothing_half_written_and_gone_on_with(tree, tmp_path):
    study, out = load_trials("willett2023", tree), tmp_path / "out"
    path = tree / "competitionData/test/t12.2022.05.17.mat"
    whole = path.read_bytes()
    cells = np.empty((1, 1), object)
    cells[0, 0] = files.features(20, 256)
    cells[0, 0][7, 5] = np.nan
    files.mat(path, ["Ox"], [6], tx1=cells)
    with pytest.raises(StudyError, match=r"t12.2022.05.17/test-06-000: tx1-6 is nan in bin 7 of 20"):
        prepare_trials(study, out, TrialSettings())
    assert sorted(p.name for p in out.rglob("*") if p.is_file()) == [
        "day.json",
        "features.npy",
        "trials.jsonl",
    ]
    with pytest.raises(StudyError, match=r"study\.json is missing"):
        open_trials(out)
    path.write_bytes(whole)
    done = prepare_trials(study, out, TrialSettings())
    assert (done.done, done.unchanged) == (("t12.2022.05.17",), ("t12.2022.04.28",))
    assert prepare_trials(study, out, TrialSettings()).done == ()
    assert len(prepare_trials(study, out, TrialSettings(norm="none")).done) == 2


def test_interrupted_before_the_description(tree, tmp_path, monkeypatch):
    study, out = load_trials("willett2023", tree), tmp_path / "out"
    prepare_trials(study, out, TrialSettings())

    def stop(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(prepare, "write_json", stop)
        with pytest.raises(KeyboardInterrupt):
            prepare_trials(study, out, TrialSettings(norm="none"))
    with pytest.raises(StudyError, match=r"incomplete: .*day\.json is missing"):
        open_trials(out)
    assert not list(out.rglob("*.part"))
    assert prepare_trials(study, out, TrialSettings(norm="none")).done == tuple(d.name for d in study.days)
    assert open_trials(out).unit == "arbitrary"


def test_a_store_that_is_damaged(tree, tmp_path):
    out = tmp_path / "out"
    study = prepared(tree, out)
    day = out / "days" / study.days[0].name
    rows = (day / "trials.jsonl").read_text().splitlines()
    (day / "trials.jsonl").write_text("\n".join(rows[:-1]))
    with pytest.raises(StudyError, match="ends at bin"):
        open_trials(out)
    (day / "trials.jsonl").write_text("\n".join([rows[0], *rows]))
    with pytest.raises(StudyError, match="line 2: the trial starts at bin 0"):
        open_trials(out)
    (day / "trials.jsonl").write_text("\n".join(rows))
    np.save(day / "features.npy", np.zeros((3, 256), np.float32))
    study = open_trials(out)
    with pytest.raises(StudyError, match=r"holds float32 \(3, 256\)"):
        study.features(study.trials[0])
    facts = json.loads((out / "study.json").read_text())
    (out / "study.json").write_text(json.dumps({**facts, "kind": "recordings"}))
    with pytest.raises(StudyError, match="no prepared study of trials"):
        open_trials(out)
    (out / "study.json").write_text(json.dumps({**facts, "study": "other"}))
    with pytest.raises(StudyError, match="holds the study 'other'"):
        prepared(tree, out)


def test_hdf5_is_kept_as_it_ships(tmp_path):
    study = prepared(files.t15(tmp_path / "tree"), tmp_path / "out", "card2024")
    first = study.of("train")[0]
    assert np.array_equal(study.features(first), files.features(15, 512, 20).astype(np.float32))
    assert first.phonemes == ("DH", "AH", "SIL") and len(study.of("test")) == 2
    with pytest.raises(StudyError, match="makes validation trials"):
        prepared(tmp_path / "tree", tmp_path / "dev", "card2024", split="dev")


def test_the_real_trial(data_dir, tmp_path):
    path = data_dir / "t12-intracortical-trial" / "t12_day0_trial10_variantA.npy"
    study = prepared(path, tmp_path / "out")
    (trial,) = study.trials
    x = study.features(trial)
    assert x.shape == (591, 256) and np.array_equal(x, np.load(path).T)
    assert (trial.n_bins - 32) // 4 + 1 == 140 and (trial.n_bins - 14) // 4 + 1 == 145  # published patches
    assert len(np.unique(x[:, 0])) <= 7 < 500 < len(np.unique(x[:, 64]))  # crossings, then power


def test_commands(tmp_path, capsys):
    out, data = tmp_path / "out", tmp_path / "tree"
    sizes = ["--days=1", "--blocks=1", "--trials=2", "--test-trials=1"]
    assert main(["simulate", str(data), "--layout", "willett2023", *sizes]) == 0
    lexicon = ["--lexicon", str(data / "lexicon.txt")]
    prepare = ["prepare", "--study", "willett2023", "--data", str(data), "--out", str(out)]
    assert main([*prepare, *lexicon, "--normalise", "causal"]) == 0
    study = open_trials(out)
    assert study.name == "willett2023-simulated" and all(t.phonemes for t in study.trials)
    capsys.readouterr()
    assert main([*prepare, "--normalise", "blocks"]) == 2
    assert capsys.readouterr().err == "error: there is no normalisation 'blocks' (did you mean block?)\n"
