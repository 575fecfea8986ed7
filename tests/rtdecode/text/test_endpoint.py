"""Endpoint rules: one flag per frame, the same in pieces."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtdecode.text.endpoint import Endpointer, EndpointSpec
from rtdecode.text.symbols import Symbols

SYMBOLS = Symbols(("<blank>", "R", "EH", "SIL"))
ROWS = {
    "_": [0.95, 0.02, 0.02, 0.01],
    "|": [0.4, 0.05, 0.05, 0.5],
    "r": [0.1, 0.8, 0.05, 0.05],
    "?": [0.7, 0.2, 0.05, 0.05],
}


def frames(said: str) -> np.ndarray:
    return np.log(np.array([ROWS[c] for c in said], np.float32).reshape(-1, 4))


def make(**spec: float) -> Endpointer:
    return Endpointer(EndpointSpec(**spec), SYMBOLS, 0.1)


@pytest.mark.parametrize(
    ("said", "at", "rule"),
    [
        ("r" + "_|" * 10, [10], "silence"),  # blank and separator are both silence
        ("r" + "_" * 9 + "r" + "_" * 9, [], ""),  # never a whole second
        ("r" + "_" * 9 + "?" + "_" * 10, [20], "silence"),  # 0.8 is needed
        ("_" * 50, [49], "nothing"),
        ("r" * 200, [199], "long"),
        ("r" + "_" * 10 + "_" * 50, [10, 60], "nothing"),  # after an endpoint everything starts again
    ],
)
def test_rules(said: str, at: list[int], rule: str) -> None:
    endpointer = make()
    assert np.flatnonzero(endpointer.push(frames(said))).tolist() == at
    assert endpointer.rule == rule


@given(st.lists(st.text(alphabet="_|r?", max_size=9), max_size=20))
def test_pieces_equal_the_whole(pieces: list[str]) -> None:
    spec = {"after_text_s": 0.3, "no_text_s": 0.6, "longest_s": 1.0}
    one, other = make(**spec), make(**spec)
    found = np.concatenate([np.zeros(0, bool), *(one.push(frames(piece)) for piece in pieces)])
    assert found.tolist() == other.push(frames("".join(pieces))).tolist()


def test_a_broken_frame_is_neither_silence_nor_text() -> None:
    endpointer = make()
    lp = frames("r" + "_" * 10)
    lp[5] = np.nan
    assert not endpointer.push(lp).any()
    assert endpointer.push(frames("_" * 5)).tolist() == [False] * 4 + [True]


@pytest.mark.parametrize(
    "wrong", [{"blank_prob": 0}, {"blank_prob": 1.5}, {"after_text_s": 0}, {"longest_s": -1}]
)
def test_settings_without_sense_are_refused(wrong: dict) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        EndpointSpec(**wrong)
