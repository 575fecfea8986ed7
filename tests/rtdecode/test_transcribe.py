"""Greedy CTC: collapse, drop blanks, commit whole words, never change a committed one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtdecode.transcribe import BLANK, TextSpec, Transcriber

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
    assert (transcriber.take().committed, transcriber._word) == (committed, tentative)


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
