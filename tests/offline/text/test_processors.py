"""Folders of Hugging Face "with LM" processors: what they say, and what is refused."""

import json
import math
import pickle

import numpy as np
import pytest

from offline.text.processors import read_processor
from rtdecode.errors import ConfigError
from rtdecode.text.arpa import write_arpa
from rtdecode.text.beam import BeamSearch
from rtdecode.text.estimate import estimate
from rtdecode.text.symbols import BLANK, CHARACTERS, W2V_CHARACTERS

LM = estimate(["THE CAT SAT", "A CAT RAN", "THE DOG RAN"], 3)
HUGGING_FACE = ["<pad>", "<s>", "</s>", "<unk>", "|", *"ETAONIHSRDLUMWCFGYPBVK'XJQZ"]
ATTRIBUTES = {"alpha": 0.5, "beta": 1.5, "unk_score_offset": -10.0, "score_boundary": True}


def write_processor(folder, labels, vocabulary=HUGGING_FACE, lm=LM, unigrams=None):
    (folder / "language_model").mkdir(parents=True)
    (folder / "alphabet.json").write_text(json.dumps({"labels": labels, "is_bpe": False}))
    if vocabulary:
        (folder / "vocab.json").write_text(json.dumps({name: i for i, name in enumerate(vocabulary)}))
    (folder / "language_model" / "attrs.json").write_text(json.dumps(ATTRIBUTES))
    words = [word for word in lm.words if word[0] != "<"] if unigrams is None else unigrams
    (folder / "language_model" / "unigrams.txt").write_text("\n".join(words) + "\n")
    write_arpa(lm, folder / "language_model" / "3gram.arpa")
    return folder


@pytest.fixture
def folder(tmp_path):
    return write_processor(tmp_path / "p", ["", "<s>", "</s>", "⁇", " ", *HUGGING_FACE[5:]])


def test_a_folder_gives_symbols_weights_and_model(folder):
    found = read_processor(folder)
    assert found.symbols == W2V_CHARACTERS
    assert found.columns.tolist() == list(range(32))
    spec = found.search
    assert (spec.alpha, spec.beta, spec.boundaries, spec.unknown_log10) == (0.5, 1.5, True, -10.0)
    assert (spec.beam, spec.prune_nats, spec.token_floor) == (100, 10.0, -5.0)
    assert spec.partial_unknown_nats == 10.0
    assert spec.token_nats == math.inf
    assert found.lm is not None and found.lm.order == 3
    assert found.lm.sentence(["THE", "CAT"]) == pytest.approx(LM.sentence(["THE", "CAT"]))
    assert sorted(found.unigrams) == ["A", "CAT", "DOG", "RAN", "SAT", "THE"]
    assert found.notes == ()


def test_the_blank_comes_first_wherever_the_network_has_it(tmp_path):
    names = [*CHARACTERS.names[1:], ""]
    vocabulary = [*("|" if name == " " else name for name in names[:-1]), "[PAD]"]
    found = read_processor(write_processor(tmp_path / "p", names, vocabulary))
    assert found.symbols == CHARACTERS
    assert found.columns.tolist() == [28, *range(28)]
    network = np.full((5, 29), -20.0, np.float32)
    network[range(5), [names.index(name) for name in ("c", "a", "t", "", "")]] = 0.0
    search = BeamSearch(found.symbols)
    search.push(network[:, found.columns])
    assert search.finish(1)[0].text == "cat"


def test_a_folder_without_a_model_or_without_a_vocabulary(tmp_path):
    write_processor(tmp_path / "p", ["", " ", "a"], None)
    for path in (tmp_path / "p" / "language_model").iterdir():
        path.unlink()
    (tmp_path / "p" / "language_model").rmdir()
    found = read_processor(tmp_path / "p")
    assert found.symbols.names == (BLANK, " ", "a") and found.lm is None and found.unigrams is None
    assert len(found.notes) == 1 and "no vocab.json" in found.notes[0]


def test_words_that_only_the_model_knows_are_told(tmp_path):
    found = read_processor(write_processor(tmp_path / "p", HUGGING_FACE, unigrams=["CAT", "ELEPHANT"]))
    assert found.unigrams == ("CAT",)
    assert found.notes == ("5 words of the model are not in unigrams.txt: pyctcdecode calls them unknown",)


def test_a_binary_is_refused_with_a_way_out_and_an_arpa_file_may_be_given(folder, tmp_path):
    model = folder / "language_model"
    (model / "3gram.arpa").rename(tmp_path / "kept.arpa")
    (model / "3gram.bin").write_bytes(pickle.dumps("not even looked at"))
    with pytest.raises(ConfigError, match=r"3gram\.bin and no ARPA file: .*give the ARPA file"):
        read_processor(folder)
    assert read_processor(folder, tmp_path / "kept.arpa").lm.order == 3


def without(path):
    return lambda folder: (folder / path).unlink()


def wrote(path, **values):
    def change(folder):
        old = json.loads((folder / path).read_text())
        (folder / path).write_text(json.dumps({**old, **values}))

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (without("alphabet.json"), r"has no alphabet\.json, it has language_model, vocab\.json"),
        (without("language_model/attrs.json"), r"has no attrs\.json, it has 3gram\.arpa, unigrams\.txt"),
        (without("language_model/unigrams.txt"), r"has no unigrams\.txt"),
        (without("language_model/3gram.arpa"), r"no language model \(\*\.arpa\), it has attrs"),
        (wrote("alphabet.json", is_bpe=True), "is_bpe true, false is needed"),
        (wrote("alphabet.json", labels="abc"), "no list of texts 'labels'"),
        (wrote("alphabet.json", labels=["a", " "]), "0 symbols for the blank"),
        (wrote("alphabet.json", labels=["", "<pad>", " "]), "2 symbols for the blank"),
        (wrote("alphabet.json", labels=["", "a"]), "0 symbols for the space"),
        (wrote("alphabet.json", labels=["", "</s>", "<s>"], is_bpe=False), "0 symbols for the space"),
        (wrote("alphabet.json", labels=["", "</s>", " "]), "symbol 1 is '</s>' in .* and '<s>' in"),
        (wrote("alphabet.json", labels=HUGGING_FACE[:-1]), r"has 31 symbols, vocab\.json has 32"),
        (wrote("vocab.json", Z=40), "does not number its 32 symbols"),
        (wrote("language_model/attrs.json", alpha="much"), 'alpha in .* is "much", a number belongs there'),
        (wrote("language_model/attrs.json", alpha=True), "alpha in .* is true, a number"),
        (wrote("language_model/attrs.json", beta=math.nan), "beta in .* is NaN, a number"),
        (wrote("language_model/attrs.json", score_boundary=1), "score_boundary in .* is 1, true or false"),
        (wrote("language_model/attrs.json", unk_score_offset=2), "is 2, 0 or less"),
        (lambda folder: (folder / "alphabet.json").write_text("{"), r"cannot read .*alphabet\.json"),
        (lambda folder: (folder / "alphabet.json").write_bytes(pickle.dumps({})), "cannot read"),
        (lambda folder: (folder / "language_model/attrs.json").write_text("{}"), "alpha in .* is not there"),
        (lambda folder: (folder / "language_model" / "b.arpa").write_text(""), "2 ARPA files, one is needed"),
        (lambda folder: (folder / "language_model" / "3gram.arpa").write_text("x"), r"3gram\.arpa line"),
    ],
)
def test_what_is_missing_or_does_not_fit_is_named(folder, change, said):
    change(folder)
    with pytest.raises(ConfigError, match=said):
        read_processor(folder)


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(ConfigError, match="there is no folder"):
        read_processor(tmp_path / "none")
