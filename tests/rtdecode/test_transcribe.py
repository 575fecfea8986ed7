"""Text from frames: collapse, drop blanks, commit whole words, never take one back; greedy or searched."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtdecode.text.commit import CommitSpec
from rtdecode.text.endpoint import EndpointSpec
from rtdecode.text.estimate import estimate
from rtdecode.text.lexicon import Lexicon
from rtdecode.text.search import SearchSpec
from rtdecode.text.symbols import Symbols
from rtdecode.transcribe import BLANK, NARROW, TextSpec, Transcriber
from rtdecode.types import Hypothesis

SPEC = TextSpec((BLANK, " ", "a", "b"))


def frames(symbols: list[int]) -> np.ndarray:
    return np.eye(4, dtype=np.float32)[symbols] - 1.0 if symbols else np.zeros((0, 4), np.float32)


@pytest.mark.parametrize(
    ("symbols", "committed", "tentative"),
    [
        ([], "", ""),
        ([2, 0, 2, 2, 0, 3], "", "aab"),  # a blank separates equal symbols, a repeat does not
        ([2, 2, 1, 1, 3], "a ", "b"),
        ([1, 0, 1, 2, 1, 0, 1, 3, 1], "a b ", ""),  # leading and doubled spaces say nothing
    ],
)
def test_collapse(symbols: list[int], committed: str, tentative: str) -> None:
    transcriber = Transcriber(SPEC)
    transcriber.push(frames(symbols))
    assert ((said := transcriber.take()).committed, said.tentative) == (committed, tentative)


@given(st.lists(st.lists(st.integers(0, 3), max_size=9), max_size=12))
def test_append_only_and_pieces_equal_whole(pieces: list[list[int]]) -> None:
    transcriber, whole = Transcriber(SPEC), Transcriber(SPEC)
    before, deltas = "", ""
    for piece in pieces:
        transcriber.push(frames(piece))
        said = transcriber.take()
        assert said.committed.startswith(before)
        before, deltas = said.committed, deltas + said.delta
    whole.push(frames([symbol for piece in pieces for symbol in piece]))
    last = whole.take()
    assert (before, deltas, transcriber.take().tentative) == (last.committed, last.committed, last.tentative)


@pytest.mark.parametrize("symbols", [(), (" ", BLANK), (BLANK, "a", "a")])
def test_alphabets_out_of_order_are_refused(symbols: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=r"symbol 0|twice"):
        TextSpec(symbols)


RATE = 50.0
LM = estimate([["ab", "ba", "ab"], ["b", "ab"], ["ba", "ba"]], 2, "witten-bell")
TABLE = Symbols(SPEC.symbols)
WORDS = Lexicon(TABLE, [(word, TABLE.encode(word)) for word in ("ab", "ba", "b", "abba")])
SEARCHED = replace(
    SPEC,
    search=SearchSpec(beam=8, alpha=0.5, beta=0.5),
    commit=CommitSpec(agree_nats=3.0, age_s=0.3),
    endpoint=EndpointSpec(after_text_s=0.2, no_text_s=1.0, longest_s=2.0),
    delay=2,
)


def noisy(seed: int, length: int = 240) -> np.ndarray:
    """Log-probabilities of something like speech: words, pauses, doubt."""
    rng = np.random.default_rng(seed)
    logits = 2.0 * rng.normal(size=(length, 4))
    for first in range(0, length, 20):  # a symbol now and then, else blank; a long pause in the middle
        logits[first : first + 20, 0] += 8.0
        if not length // 3 < first < length // 2:
            for place in (3, 8, 13):
                logits[first + place, 0] -= 9.0
                logits[first + place, int(rng.integers(1, 4))] += 5.0
    return (logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))).astype(np.float32)


def told(spec: TextSpec, log_probs: np.ndarray, sizes: list[int], **kinds) -> list[Hypothesis]:
    transcriber, said, at = Transcriber(spec, RATE, **kinds), [], 0
    for size in [*sizes, len(log_probs)]:
        transcriber.push(log_probs[at : at + size])
        at = min(at + size, len(log_probs))
        said.append(transcriber.take())
    return said


@pytest.mark.parametrize(
    "kinds", [{}, {"lm": LM}, {"lm": LM, "lexicon": WORDS}], ids=["free", "lm", "lexicon"]
)
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 99), sizes=st.lists(st.integers(0, 40), max_size=12))
def test_searched_text_in_pieces_equals_whole(kinds: dict, seed: int, sizes: list[int]) -> None:
    pieces, whole = (told(SEARCHED, noisy(seed), cut, **kinds) for cut in (sizes, []))
    committed = [said.committed for said in pieces]
    assert all(later.startswith(sooner) for sooner, later in itertools.pairwise(committed))
    assert "".join(said.delta for said in pieces) == committed[-1] == whole[-1].committed
    told_of = [
        [replace(word, start=0.0, stop=0.0) for said in run for word in said.words] for run in (pieces, whole)
    ]
    assert told_of[0] == told_of[1]
    assert (pieces[-1].tentative, pieces[-1].pace) == (whole[-1].tentative, whole[-1].pace)


def test_words_have_their_times() -> None:
    log_probs = frames([0] * 10 + [2, 3, 1] + [0] * 37)  # "ab", frames 10 to 12, then a pause
    said = told(replace(SEARCHED, search=SearchSpec(beam=4)), 20.0 * log_probs, [13] * 3, lexicon=WORDS)
    newest = [
        (one, min(13 * (i + 1), len(log_probs)) if i < 3 else len(log_probs)) for i, one in enumerate(said)
    ]
    words = [(word, stop) for one, stop in newest for word in one.words]
    assert [word.text for word, _ in words] == ["ab"]
    word, stop = words[0]
    # the newest frame speaks of 2 frames before the newest sample
    assert word.start == pytest.approx((10 - 2 - stop) / RATE) and word.start < word.stop < 0
    assert 0.9 < word.confidence <= 1.0
    assert [one.ended for one in said if one.ended] == ["silence"]


def test_a_late_stream_is_searched_narrowly_and_loses_no_frame() -> None:
    transcriber = Transcriber(SEARCHED, RATE, LM)
    log_probs = noisy(3)
    transcriber.push(log_probs[:60], late=True)
    assert transcriber._search is not None and len(transcriber._search.beams()) <= 8 // NARROW
    transcriber.push(log_probs[60:])
    assert len(transcriber._search.beams()) > 8 // NARROW
    assert transcriber._frames == len(log_probs)


def test_a_language_model_without_a_search_is_refused() -> None:
    with pytest.raises(ValueError, match=r"lm\.arpa is for a search"):
        replace(SPEC, lm="lm.arpa")
