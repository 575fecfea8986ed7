"""The search in C++ says what ours says where both are exact, and keeps its own past."""

import builtins
import math

import numpy as np
import pytest

from offline.text.flashlight import FlashlightSearch
from rtdecode.errors import ConfigError, MissingExtra
from rtdecode.text.arpa import write_arpa
from rtdecode.text.beam import BeamSearch, SearchSpec
from rtdecode.text.estimate import estimate
from rtdecode.text.lexicon import Lexicon, spelled_lexicon
from rtdecode.text.symbols import BLANK, CHARACTERS, SILENCE, Symbols

pytest.importorskip("flashlight.lib.text", reason="flashlight-text is not installed")

TOY = Symbols((BLANK, "A", "B", SILENCE))
WORDS = [("a", (1,)), ("ah", (1,)), ("ab", (1, 2)), ("abba", (1, 2, 2, 1)), ("b", (2,)), ("bb", (2, 2))]
LM = estimate(["a b", "ab a", "abba b ab", "ah bb", "b ab ah", "a bb b"], 2)
WIDE = SearchSpec(beam=5000, alpha=0.8, beta=0.4, prune_nats=300.0, token_nats=300.0)


def random_log_probs(seed, frames, width, sharp=2.0):
    x = np.random.default_rng(seed).normal(0, sharp, (frames, width))
    return (x - np.logaddexp.reduce(x, axis=1, keepdims=True)).astype(np.float32)


def said(words, symbols, lexicon, rng, hold=3):
    """Log-probabilities that spell `words`, each symbol for some frames, then a blank; with some noise."""
    ids = []
    spelling = dict(lexicon)
    for word in words:
        for symbol in (*spelling[word], symbols.separator):
            ids += [symbol] * int(rng.integers(1, hold + 1)) + [0]
    x = rng.normal(0, 1.0, (len(ids), len(symbols)))
    x[np.arange(len(ids)), ids] += 5.0
    return (x - np.logaddexp.reduce(x, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("scored", [False, True])
def test_sentences_and_their_scores_are_ours_where_both_are_exact(scored):
    lexicon, spec, lm = Lexicon(TOY, WORDS), WIDE, LM if scored else None
    theirs = FlashlightSearch(TOY, lexicon, spec, lm)
    ours = BeamSearch(TOY, spec, lm, lexicon)
    several = 0
    for seed in range(20):
        log_probs = random_log_probs(seed, 6, len(TOY))
        theirs.reset()
        ours.reset()
        theirs.push(log_probs)
        ours.push(log_probs)
        found = {path.text: path for path in theirs.finish()}
        expected = ours.finish()
        several += len(expected) > 5
        if scored:  # without a model two homophones are a tie
            assert next(iter(found)) == expected[0].text
        for path in expected[:5]:
            assert found[path.text].score == pytest.approx(path.score, abs=2e-3)
            assert found[path.text].log10 == pytest.approx(path.log10, abs=1e-4)
    assert several == 20


def test_pieces_do_not_matter_and_words_have_their_frames():
    rng = np.random.default_rng(5)
    words = ["ab", "a", "abba", "b", "ab"]
    log_probs = said(words, TOY, WORDS, rng)
    lexicon = Lexicon(TOY, [entry for entry in WORDS if entry[0] != "ah"])
    spec = SearchSpec(alpha=0.8, beta=0.4)
    ours = BeamSearch(TOY, spec, LM, lexicon)
    ours.push(log_probs)
    expected = ours.finish()[0]
    search = FlashlightSearch(TOY, lexicon, spec, LM)
    for size in (len(log_probs), 1, 7, 0):
        search.reset()
        for start in range(0, len(log_probs), size or 3):
            search.push(log_probs[start : start + (size or 3)])
            search.push(log_probs[:0])
            search.best()
        path = search.finish()[0]
        assert path.text == expected.text == "ab a abba b ab"
        frames = [(word.start, word.stop) for word in path.words]
        assert frames == [(0, 7), (10, 13), (17, 28), (31, 32), (36, 41)]
        assert [log_probs[a:b].argmax(1).max() < 3 for a, b in frames] == [True] * 5


def test_characters_and_a_weighed_blank():
    words = ["the", "then", "hen", "tin", "it"]
    lexicon = spelled_lexicon(words, CHARACTERS)
    spec = SearchSpec(beam=2000, blank_penalty=1.5, acoustic_scale=0.6, prune_nats=300, token_nats=300)
    spelling = [(word, CHARACTERS.encode(word)) for word in words]
    log_probs = said(["then", "it", "tin"], CHARACTERS, spelling, np.random.default_rng(2))
    theirs, ours = FlashlightSearch(CHARACTERS, lexicon, spec), BeamSearch(CHARACTERS, spec, None, lexicon)
    theirs.push(log_probs)
    ours.push(log_probs)
    assert theirs.finish(1)[0].text == ours.finish(1)[0].text == "then it tin"


def test_the_past_is_forgotten_and_its_words_are_kept():
    rng = np.random.default_rng(1)
    names = [name for name, _ in WORDS if name != "ah"]
    words = [names[i] for i in rng.integers(0, len(names), 400)]
    log_probs = said(words, TOY, WORDS, rng)
    lexicon = Lexicon(TOY, WORDS[:1] + WORDS[2:])
    search = FlashlightSearch(TOY, lexicon, SearchSpec(beam=25), keep=40)
    most, shown = 0, ""
    for start in range(0, len(log_probs), 4):
        search.push(log_probs[start : start + 4])
        most = max(most, search.held)
    done = [word.text for word in search._done]
    assert most < 160 < len(log_probs) and len(done) > 300
    path = search.finish(1)[0]
    shown = path.text.split()
    assert shown[: len(done)] == done
    ours = BeamSearch(TOY, SearchSpec(beam=25), None, lexicon)
    ours.push(log_probs)
    assert shown == ours.finish(1)[0].text.split()
    times = [(word.start, word.stop) for word in path.words]
    assert times == sorted(times) and times[-1][1] <= len(log_probs)
    assert all(log_probs[start - 1].argmax() != log_probs[start].argmax() for start, _ in times[1:])


@pytest.mark.parametrize("symbol", [0, 3])
def test_a_lasting_silence_is_not_held_and_changes_nothing(symbol):
    rng = np.random.default_rng(8)
    first, second = said(["ab", "b"], TOY, WORDS, rng), said(["abba"], TOY, WORDS, rng)
    silence = np.full((5000, len(TOY)), -20.0, np.float32)
    silence[:, symbol] = -0.01
    spec = SearchSpec(alpha=0.8)
    found = []
    for gap in (silence[:2], silence):
        search = FlashlightSearch(TOY, Lexicon(TOY, WORDS), spec, LM)
        for rows in (first, *np.array_split(gap, 50 if len(gap) > 50 else 1), second):
            search.push(rows)
        assert search.held < 200 and search.frame == len(first) + len(gap) + len(second)
        found.append(search.finish(1)[0])
    assert found[0].text == found[1].text == "ab b abba"
    assert found[1].words[-1].start - found[0].words[-1].start == 4998
    assert found[1].score - found[0].score == pytest.approx(4998 * -0.01, abs=1e-2)


def test_more_than_six_homophones_are_told_and_the_unlikeliest_left_out():
    names = ["to", "too", "two", "tu", "tew", "tue", "thew", "tooh"]
    lm = estimate([name for i, name in enumerate(names) for _ in range(i + 1)], 2, "witten-bell")
    lexicon = Lexicon(TOY, [(name, (1, 2)) for name in names])
    search = FlashlightSearch(TOY, lexicon, SearchSpec(), lm)
    assert search.notes == ["8 words sound as 'A B', flashlight takes 6: without too to"]
    search.push(said(["tooh"], TOY, [("tooh", (1, 2))], np.random.default_rng(0)))
    assert search.finish()[0].text == "tooh"


def test_columns_in_another_memory_order_are_read_right():
    log_probs = said(["ab", "b"], TOY, WORDS, np.random.default_rng(3))
    for rows in (
        np.asfortranarray(log_probs),
        log_probs.astype(np.float64),
        np.repeat(log_probs, 2, 1)[:, ::2],
    ):
        search = FlashlightSearch(TOY, Lexicon(TOY, WORDS), SearchSpec(), LM)
        search.push(rows)
        assert search.finish(1)[0].text == "ab b"


def test_what_cannot_be_searched_is_refused(tmp_path):
    lexicon = Lexicon(TOY, WORDS)
    search = FlashlightSearch(TOY, lexicon)
    bad = random_log_probs(0, 3, 4)
    bad[1, 2] = math.nan
    with pytest.raises(ValueError, match="frame 1 cannot be searched"):
        search.push(bad)
    with pytest.raises(ValueError, match=r"shape \(3, 5\)"):
        search.push(np.zeros((3, 5), np.float32))
    assert search.frame == 0 and search.finish()[0].text == ""
    with pytest.raises(ValueError, match="finished"):
        search.push(bad[:1])
    with pytest.raises(ConfigError, match="the lexicon"):
        FlashlightSearch(Symbols((BLANK, "B", "A", SILENCE)), lexicon)
    with pytest.raises(ConfigError, match="no boundaries: it is False"):
        FlashlightSearch(TOY, lexicon, SearchSpec(boundaries=False), LM)
    with pytest.raises(ConfigError, match="no such file"):
        FlashlightSearch(TOY, lexicon, lm=tmp_path / "none.arpa")
    with pytest.raises(ConfigError, match="order 2 or more, this one has order 1"):
        FlashlightSearch(TOY, lexicon, lm=estimate(["a b"], 1))
    (tmp_path / "bad.arpa").write_text("\\data\\\nngram 1=9\n")
    with pytest.raises(ConfigError, match=r"bad\.arpa"):
        FlashlightSearch(TOY, lexicon, lm=tmp_path / "bad.arpa")


def test_files_are_read_compressed_or_not(tmp_path):
    log_probs = said(["ab", "b", "a"], TOY, WORDS, np.random.default_rng(4))
    found = set()
    for name in ("lm.arpa", "lm.arpa.gz"):
        write_arpa(LM, tmp_path / name)
        search = FlashlightSearch(TOY, Lexicon(TOY, WORDS), SearchSpec(), tmp_path / name)
        search.push(log_probs)
        path = search.finish(1)[0]
        found.add((path.text, round(path.score, 3)))
    assert len(found) == 1


def test_without_the_library_the_extra_is_named(monkeypatch):
    honest = builtins.__import__

    def without(name, *args, **kwargs):
        if name.startswith("flashlight"):
            raise ImportError(name)
        return honest(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtra, match=r"pip install 'rtdecode\[flashlight\]'"):
        FlashlightSearch(TOY, Lexicon(TOY, WORDS))
