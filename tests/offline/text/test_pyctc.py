"""pyctcdecode, live, in its own Python (RTDECODE_PYCTC): our search says what it says, and what goes wrong is
said.

`make test` makes that environment where it can; these tests skip without it.
"""

import json
import math
import os
import struct
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from offline.text import pyctc_worker
from offline.text.processors import read_processor
from offline.text.pyctc import PyctcDecoder
from rtdecode.errors import ConfigError
from rtdecode.text.arpa import read_arpa
from rtdecode.text.beam import BeamSearch, SearchSpec
from rtdecode.text.estimate import estimate
from rtdecode.text.symbols import CHARACTERS, PHONEMES

LIBRARY = SearchSpec(
    beam=100, alpha=0.5, beta=1.5, prune_nats=10.0, token_nats=math.inf, token_floor=-5.0,
    unknown_log10=-10.0, partial_unknown_nats=10.0,
)  # fmt: skip
BARE = replace(LIBRARY, beta=0.0)
FILE_ORDER = (" ", *"abcdefghijklmnopqrstuvwxyz", "'", "<blank>")
SAID = (
    "i have a good deal of will you remember and what i have set my mind upon "
    "no doubt i shall some day achieve"
)


def has(python, module):
    found = subprocess.run([python, "-c", f"import {module}"], capture_output=True, check=False)
    return found.returncode == 0


@pytest.fixture(scope="session")
def python():
    """The other Python."""
    path = os.environ.get("RTDECODE_PYCTC", "")
    if not path or not has(path, "pyctcdecode"):
        pytest.skip("no Python with pyctcdecode (RTDECODE_PYCTC; `make test` makes one)")
    return path


@pytest.fixture(scope="session")
def kenlm_python(python):
    if not has(python, "kenlm"):
        pytest.skip("kenlm did not build in the environment of pyctcdecode (it needs a C++ compiler)")
    return python


@pytest.fixture(scope="module")
def libri(data_dir):
    """(371, 29) natural-log probabilities of real speech, in our order."""
    logits = np.array(json.loads((data_dir / "text-and-lm" / "libri_logits.json").read_text()), np.float32)
    log_probs = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
    return log_probs[:, [FILE_ORDER.index(name) for name in CHARACTERS.names]]


def noisy(log_probs, seed, nats=2.0):
    """Less sure of itself, so that a search has something to find."""
    x = log_probs + np.random.default_rng(seed).normal(0, nats, log_probs.shape)
    return (x - np.logaddexp.reduce(x, axis=1, keepdims=True)).astype(np.float32)


def ours(log_probs, spec, lm=None):
    search = BeamSearch(CHARACTERS, spec, lm)
    search.push(log_probs)
    return search.finish(1)[0]


def test_real_speech_without_a_model(python, libri):
    inputs = [libri, *(noisy(libri, seed, 4.0) for seed in range(3)), libri[:0]]
    theirs = PyctcDecoder(python, CHARACTERS, BARE).nbest(inputs)
    assert theirs[0][0].text == SAID and theirs[-1] == []
    for log_probs, found in zip(inputs[:-1], theirs, strict=False):
        best = ours(log_probs, BARE)
        assert best.text == found[0].text
        # it counts beams otherwise, which is felt only where a hundred of them matter
        assert best.score == pytest.approx(found[0].score, abs=1e-3 if log_probs is libri else 1.0)
    assert len({found[0].text for found in theirs[:-1]}) > 1


@pytest.mark.parametrize("beam", [25, 100])
@pytest.mark.parametrize("file", ["bugs_bunny_kenlm.arpa", "mfa_test_lm.arpa"])
def test_real_speech_with_a_model_from_a_file(kenlm_python, libri, data_dir, file, beam):
    lm = read_arpa(data_dir / "text-and-lm" / file)
    spec = replace(LIBRARY, beam=beam)
    known = [word for word in lm.words if word[0] + word[-1] != "<>"]
    inputs = [libri, *(noisy(libri, seed) for seed in range(4))]
    theirs = PyctcDecoder(kenlm_python, CHARACTERS, spec, data_dir / "text-and-lm" / file, known).nbest(
        inputs
    )
    bests = [ours(log_probs, spec, lm) for log_probs in inputs]
    assert bests[0].text == theirs[0][0].text == SAID
    assert bests[0].score == pytest.approx(theirs[0][0].score, abs=1e-3)
    for best, (found,) in zip(bests[1:], theirs[1:], strict=True):
        # what it finds under noise depends on what it prunes: the same, or worse by its own measure
        assert best.text == found.text or best.score > found.score + 1.0


def test_the_weights_of_a_model_arrive(kenlm_python, libri, data_dir):
    lm, scores = read_arpa(data_dir / "text-and-lm" / "mfa_test_lm.arpa"), set()
    for change in ({}, {"alpha": 0.7}, {"beta": 0.5}, {"boundaries": False}):
        spec = replace(LIBRARY, **change)
        found = PyctcDecoder(kenlm_python, CHARACTERS, spec, lm).nbest([libri])[0][0]
        assert found.score == pytest.approx(ours(libri, spec, lm).score, abs=1e-3)
        scores.add(round(found.score, 2))
    assert len(scores) == 4


def test_a_model_of_ours_is_handed_over_and_words_have_their_frames(kenlm_python):
    lm = estimate(["the cat sat", "a cat ran", "the cat ran"], 2)
    text = "the cat ran"
    ids = [i for symbol in CHARACTERS.encode(text) for i in (symbol, 0)]
    log_probs = np.full((len(ids), len(CHARACTERS)), -12.0, np.float32)
    log_probs[np.arange(len(ids)), ids] = -0.0002
    (found,) = PyctcDecoder(kenlm_python, CHARACTERS, LIBRARY, lm).nbest([log_probs], 3)
    assert found[0].text == text
    assert [(w.text, w.start, w.stop) for w in found[0].words] == [
        ("the", 0, 5), ("cat", 8, 13), ("ran", 16, 21),
    ]  # fmt: skip
    assert found[0].score == pytest.approx(ours(log_probs, LIBRARY, lm).score, abs=1e-3)


def test_a_folder_the_library_saved_is_read_here_and_decodes_alike(kenlm_python, libri, data_dir, tmp_path):
    arpa = data_dir / "text-and-lm" / "mfa_test_lm.arpa"
    code = """
import sys
from pyctcdecode import build_ctcdecoder
labels = [*" abcdefghijklmnopqrstuvwxyz'", ""]
words = [w for w in open(sys.argv[3]).read().split("\\n") if w]
build_ctcdecoder(labels, sys.argv[1], words, alpha=0.7, beta=1.0).save_to_dir(sys.argv[2])
"""
    lm = read_arpa(arpa)
    (tmp_path / "words").write_text("\n".join(word for word in lm.words if word[0] + word[-1] != "<>"))
    (tmp_path / "saved").mkdir()
    command = [kenlm_python, "-c", code, str(arpa), str(tmp_path / "saved"), str(tmp_path / "words")]
    subprocess.run(command, check=True, capture_output=True)
    found = read_processor(tmp_path / "saved")
    assert sorted(found.symbols.names) == sorted(CHARACTERS.names)
    assert (found.search.alpha, found.search.beta) == (0.7, 1.0)
    order = found.symbols.permutation(CHARACTERS)
    log_probs = noisy(libri, 11)[:, np.argsort(order)]
    search = BeamSearch(found.symbols, found.search, found.lm)
    search.push(log_probs)
    theirs = PyctcDecoder(kenlm_python, found.symbols, found.search, found.lm, found.unigrams)
    assert search.finish(1)[0].text == theirs.decode(log_probs)


def test_what_it_cannot_do_is_refused_before_anything_runs():
    for spec, name in (
        (SearchSpec(blank_penalty=1.0), "blank_penalty 1"),
        (SearchSpec(acoustic_scale=0.5), "acoustic_scale 0.5"),
        (SearchSpec(beta=1.5), "beta without a language model 1.5"),
    ):
        with pytest.raises(ConfigError, match=f"cannot have {name}"):
            PyctcDecoder("python", CHARACTERS, spec)
    with pytest.raises(ConfigError, match="letter by letter"):
        PyctcDecoder("python", PHONEMES)
    with pytest.raises(ConfigError, match="partial_unknown_nats 0, here it is 10"):
        PyctcDecoder("python", CHARACTERS, SearchSpec(unknown_log10=-10.0), estimate(["a b"], 2))
    decoder = PyctcDecoder("python", CHARACTERS)
    with pytest.raises(ValueError, match=r"shape \(2, 3\)"):
        decoder.nbest([np.zeros((2, 3))])
    with pytest.raises(ValueError, match="NaN"):
        decoder.decode(np.full((2, 29), math.nan))
    with pytest.raises(ConfigError, match="no such file"):
        PyctcDecoder("python", CHARACTERS, lm="/nowhere.arpa").decode(np.zeros((2, 29)))


def test_a_python_that_is_none_or_lacks_the_library_is_named(tmp_path):
    frames = np.zeros((2, 29), np.float32)
    with pytest.raises(ConfigError, match=r"cannot run .*none: No such file.*pip install 'numpy<2'"):
        PyctcDecoder(tmp_path / "none", CHARACTERS).decode(frames)
    if has(sys.executable, "pyctcdecode"):
        pytest.skip("this Python has pyctcdecode")
    with pytest.raises(ConfigError, match=r"pyctcdecode is not installed there"):
        PyctcDecoder(sys.executable, CHARACTERS).decode(frames)


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("exit 3", "ended with 3 and without an answer, it said: nothing"),
        ("echo oh dear >&2; echo no json", "it said: oh dear"),
        ("echo '[]'", "without an answer"),
        ('echo \'{"utterances": [[{"text": 1}]]}\'', "something else than texts"),
        ("exec head -c 3000000 /dev/zero", "answered 3000000 bytes, 1000 at most"),
        ("exec tail -f /dev/null", "longer than 0.3 s"),
    ],
)
def test_a_stranger_in_its_place_is_found_out(tmp_path, monkeypatch, script, said):
    stranger = tmp_path / "python"
    stranger.write_text(f"#!/bin/sh\n{script}\n")
    stranger.chmod(0o755)
    monkeypatch.setattr("offline.text.pyctc.ANSWER_BYTES", 1000)
    timeout_s = 0.3 if "0.3" in said else 60.0
    with pytest.raises(ConfigError, match=said):
        PyctcDecoder(stranger, CHARACTERS, timeout_s=timeout_s).decode(np.zeros((2, 29)))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "the input ends after 0 of 4 bytes"),
        (struct.pack("<I", 1 << 31), "the header has 2147483648 bytes"),
        (struct.pack("<I", 9) + b"{}", "ends after 2 of 9 bytes"),
        (b'{"labels": ["", "a"], "frames": [3]}', "ends after 0 of 24 bytes"),
        (b'{"labels": ["", "a"], "frames": [1000000000]}', "2000000000 log-probabilities"),
        (b'{"labels": ["", "a"], "frames": [-1]}', "-2 log-probabilities"),
        (b'{"labels": ["", "a"], "frames": []} ', "more than the 0 bytes"),
    ],
)
def test_the_worker_takes_no_more_than_was_announced(data, said):
    if data[:1] == b"{":
        size = len(data.rstrip())
        data = struct.pack("<I", size) + data
    command = [sys.executable, "-I", str(Path(pyctc_worker.__file__))]
    found = subprocess.run(command, input=data, capture_output=True, check=True)
    assert said in json.loads(found.stdout)["error"]
