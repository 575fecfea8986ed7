"""From a simulated brain to words, by the commands a person types: train, evaluate, a new day, a bundle."""

import json
import re

import numpy as np
import pytest

from offline.cli import main
from offline.intracortical.prepare import TrialSettings, prepare_trials
from offline.intracortical.simulate import Simulation, simulate_trials
from offline.intracortical.store import open_trials
from offline.intracortical.trials import plain_text
from offline.studies import load_trials
from offline.text.checkpoint import load_checkpoint
from offline.text.decode import open_lexicon, read_beam, spoken
from offline.text.evaluate import Asked, evaluate_run
from offline.text.examples import examples_of, reader
from offline.text.language import load_search, open_lm
from rtdecode.bundle import load_bundle
from rtdecode.engine import Engine
from rtdecode.engines import open_session
from rtdecode.errors import ConfigError, StudyError
from rtdecode.recordings import decode, read
from rtdecode.score import wer
from rtdecode.text.arpa import read_arpa
from rtdecode.text.lexicon import read_lexicon
from rtdecode.text.symbols import PHONEMES, Symbols
from tests.processes import live, running, unique_name


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """(prepared study, lexicon, run): two days trained on, a third never seen."""
    root = tmp_path_factory.mktemp("text")
    made = Simulation(days=2, heldout_days=1, blocks=3, trials=24, test=14)
    simulate_trials(root / "raw", "willett2023", made)
    lexicon = root / "raw" / "lexicon.txt"
    study = load_trials("willett2023", root / "raw")
    prepare_trials(study, root / "prepared", TrialSettings(split="dev", lexicon=str(lexicon)))
    settings = ["loop.updates_per_epoch=50", "loop.max_epochs=1", "loop.threads=1", "model.gru.hidden=64"]
    chosen = [word for setting in settings for word in ("--set", setting)]
    code = main(
        ["train", "--data", str(root / "prepared"), "--config", "text-small", "--out", str(root / "run"),
         "--device", "cpu", *chosen]
    )  # fmt: skip
    assert code == 0
    return root / "prepared", str(lexicon), root / "run"


def test_seconds_of_training_are_enough_and_a_language_model_helps(trained):
    prepared, lexicon, run = trained
    found = evaluate_run(run, open_trials(prepared), Asked(lexicon=lexicon, lm="train"))
    by_name = {row.name: row for row in found.known}
    greedy, words = by_name["greedy"], by_name["beam + LM"]
    assert greedy.symbols.value < 0.10, greedy.symbols
    assert words.words.value < greedy.words.value
    assert found.repeated == 0 and not found.broken and found.n == 28
    assert by_name["streamed, final"].words.errors.units == words.words.errors.units
    assert set(greedy.by_day) == {"t12.2022.04.28", "t12.2022.05.05"}


def test_the_command_prints_the_decoders_side_by_side(trained, capsys):
    prepared, lexicon, run = trained
    command = ["evaluate", "--run", str(run), "--data", str(prepared), "--lexicon", lexicon, "--lm", "train"]
    assert main([*command, "--beam", "20"]) == 0
    out = capsys.readouterr().out
    for name in ("greedy", "beam ", "beam + LM", "committed before end", "streamed, final"):
        assert re.search(rf"^{re.escape(name)}.*WER \d", out, re.M), name
    assert re.search(
        r"greedy +PER \d+\.\d% \[\d+\.\d%, \d+\.\d%\].*S/D/I \d+/\d+/\d+ of \d+ words, n = 28", out
    )
    assert "t12.2022.05.17" not in out


def test_other_decoders_stand_beside(trained, tmp_path):
    pytest.importorskip("flashlight", reason="flashlight-text is not installed")
    from tests.offline.text.test_causal_lm import save

    prepared, lexicon, run = trained
    model = str(save(tmp_path / "llm"))
    asked = Asked(lexicon=lexicon, lm="train", flashlight=True, llm=model, deadline_s=60.0)
    by_name = {row.name: row for row in evaluate_run(run, open_trials(prepared), asked).known}
    assert by_name["flashlight-text"].words.value < by_name["greedy"].words.value
    assert by_name["rescored"].words.errors.units == by_name["greedy"].words.errors.units
    with pytest.raises(ConfigError, match="letter by letter"):
        evaluate_run(run, open_trials(prepared), Asked(pyctcdecode="python"))


def test_a_day_never_seen_is_refused_or_started_and_adapted(trained, capsys):
    prepared, lexicon, run = trained
    day = "t12.2022.05.17"
    command = ["evaluate", "--run", str(run), "--data", str(prepared), "--day", day]
    assert main(command) == 2
    said = capsys.readouterr().err
    assert f"was not trained on the day {day}" in said and said.count("\n") == 1
    asked = Asked(days=(day,), lexicon=lexicon, new_day="last", minutes=0.8)
    found = evaluate_run(run, open_trials(prepared), asked)
    assert [how.partition(",")[0] for _, how, _ in found.unseen] == ["starting as last"] * 2
    (_, _, start), (_, how, adapted) = found.unseen
    assert "day layer adapted on" in how and not found.known
    # both were judged on the same sentences, which nobody learned from
    assert start[0].symbols.errors.units == adapted[0].symbols.errors.units
    assert start[0].symbols.n == 42 - int(re.search(r"on (\d+) sentences", how)[1])
    assert adapted[0].symbols.value < start[0].symbols.value + 0.03
    with pytest.raises(StudyError, match="has no valid sentence of a day"):
        evaluate_run(run, open_trials(prepared), Asked(split="valid", days=(day,), new_day="mean"))


def test_a_bundle_says_what_the_run_says(trained, tmp_path):
    prepared, lexicon, run = trained
    out = tmp_path / "bundle"
    command = ["export", "--run", str(run), "--data", str(prepared), "--lexicon", lexicon, "--lm", "train"]
    assert main([*command, "--out", str(out)]) == 0
    bundle, ready, study = load_bundle(out), load_checkpoint(run), open_trials(prepared)
    spec = bundle.spec
    assert spec.stream.labels == study.labels and spec.stream.sfreq == 50.0
    assert spec.text.symbols == PHONEMES.names and spec.text.delay == ready.net.lag
    assert (spec.text.lm, spec.text.lexicon) == ("lm.arpa", "lexicon.txt")
    assert spec.training.subject == "t12.2022.05.05"
    # the same words, from the files of the bundle, stepped through ONNX
    symbols = Symbols(spec.text.symbols)
    words, lm = read_lexicon(out / "lexicon.txt", symbols), read_arpa(out / "lm.arpa")
    assert sorted(words.words) == sorted(open_lexicon(lexicon, PHONEMES).words)
    examples = examples_of(study, "test", ("t12.2022.05.05",), PHONEMES, rows=ready.days)[:4]
    said = spoken(ready.net, examples, reader(study), days=True)
    session = open_session(bundle)
    for one in said:
        session.reset()
        x = reader(study)(one.example)
        hop = spec.model.hop
        x = np.concatenate([x, np.zeros((ready.net.tail(len(x)), x.shape[1]), np.float32)])
        steps = [session.run(x[i : i + hop]).log_probs for i in range(0, len(x), hop)]
        live = np.concatenate(steps)[ready.net.lag :][: len(one.log_probs)]
        assert np.allclose(live, one.log_probs, atol=1e-3)
    own = read_beam(said, PHONEMES, load_search(run), open_lm("train", study, ready.days, words), words)
    assert read_beam(said, PHONEMES, load_search(run), lm, words).texts == own.texts
    assert main([*command, "--out", str(out)]) == 2  # never over another one


@pytest.mark.live
def test_a_replayed_day_is_read_live_as_offline(trained, tmp_path):
    prepared, lexicon, run = trained
    out, file = tmp_path / "bundle", tmp_path / "day.xdf"
    command = ["export", "--run", str(run), "--data", str(prepared), "--lexicon", lexicon, "--lm", "train"]
    assert main([*command, "--out", str(out)]) == 0
    day = "t12.2022.05.05"
    assert main(["cut", str(prepared), "--day", day, "--trials", "6", "--out", str(file)]) == 0
    bundle, recording = load_bundle(out), read(file)
    expected = decode(
        Engine(bundle, bundle.spec.stream.bind(recording.info), open_session(bundle)), recording
    )
    name = unique_name()
    play = ["-m", "rtdecode", "replay", str(file), "--stream", name, "--speed", "max"]
    wanted = ("--decisions", str(len(expected)), "--wait", "20", "--policy", "every")
    with running(play, tmp_path), live(tmp_path, out, name, *wanted) as decoder:
        assert decoder.end(120) == 0, decoder.err
    texts = [json.loads(line)["text"] for line in decoder.out]
    assert [(t["delta"], t["tentative"]) for t in texts] == [
        (d.text.delta, d.text.tentative) for d in expected
    ]
    said, chars = "", 0
    for text in texts:  # what was said is never taken back
        said += text["delta"]
        assert said.endswith(text["committed"]) and text["committed_chars"] == len(said) >= chars
        chars = len(said)
    ended = [text["ended"] for text in texts if text["ended"]]
    assert ended.count("silence") >= 5 and sum(len(t["words"]) for t in texts) == len(said.split())
    study = open_trials(prepared)
    heard = [trial.text for trial in study.of("test", (day,))[:6]]
    assert wer(said, " ".join(plain_text(text) for text in heard)) < 0.15


def test_a_study_of_trials_and_a_recipe_for_recordings_do_not_meet(trained, tmp_path, capsys):
    prepared, _, run = trained
    assert main(["train", "--data", str(prepared), "--config", "demo", "--out", str(tmp_path / "x")]) == 2
    assert "is a study of trials, and demo is a recipe for recordings" in capsys.readouterr().err
    (tmp_path / "study.json").write_text(json.dumps({"schema": 1, "study": "x"}))
    assert (
        main(["train", "--data", str(tmp_path), "--config", "text-small", "--out", str(tmp_path / "y")]) == 2
    )
    assert "is no prepared study of trials" in capsys.readouterr().err
    assert load_checkpoint(run).config.recipe == "text"
