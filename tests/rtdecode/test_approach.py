"""What the core waits for before a hop is complete.

Why it matters: a piece of 0 samples would spin, one beyond the hop would delay its decision, and a rehearsal
that takes longer than the samples it waits for costs what it should save.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtdecode.live.approach import TAIL_S, Approach
from rtdecode.live.output import DecisionText
from rtdecode.types import Decision


class Hop:
    """A decoder that needs so many more samples (Decoding, as far as the approach sees it)."""

    def __init__(self, needed: int):
        self.needed, self.rehearsed = needed, 0

    def samples_to_next_hop(self) -> int:
        return self.needed

    def rehearse(self) -> bool:
        self.rehearsed += 1
        return True


def decided(infer_ms: float = 0.5) -> Decision:
    return Decision(0, 1, 20, 1.0, None, None, {"preprocess": 0.1, "infer": infer_ms, "heads": 0.1}, ())


@given(hop=st.integers(1, 5000), sfreq=st.sampled_from([64.0, 250.0, 500.0, 1000.0, 2048.0, 30000.0]))
def test_pieces_make_up_the_hop_and_the_last_is_small(hop: int, sfreq: float) -> None:
    approach, needed, pieces = Approach(sfreq, DecisionText(), True), hop, list[int]()
    while needed:
        piece = approach.to_wait_for(needed)
        assert 1 <= piece <= needed
        pieces.append(piece)
        needed -= piece
    assert len(pieces) <= 3
    assert pieces[-1] <= 2 * max(1, round(TAIL_S * sfreq))


def rehearsals(approach: Approach, hop: int, last: Decision | None) -> int:
    heard = Hop(hop)
    while heard.needed:
        heard.needed -= approach.to_wait_for(heard.needed)
        if heard.needed:  # else it is decided
            approach.rehearse(heard, last)  # type: ignore[arg-type]
    return heard.rehearsed


def test_a_hop_is_rehearsed_once_where_that_is_worth_it() -> None:
    warm, cold = (Approach(1000.0, DecisionText(), warm) for warm in (True, False))
    assert rehearsals(warm, 20, decided()) == 1
    assert rehearsals(warm, 20, None) == 0, "nothing was decided yet"
    assert rehearsals(cold, 20, decided()) == 0


@pytest.mark.parametrize(("infer_ms", "times"), [(1.2, 1), (1.4, 0), (30.0, 0)])
def test_a_rehearsal_never_outlasts_the_wait(infer_ms: float, times: int) -> None:
    assert rehearsals(Approach(1000.0, DecisionText(), True), 20, decided(infer_ms)) == times


@pytest.mark.parametrize("sfreq", [128.0, 250.0, 256.0, 499.0, 500.0, 512.0, 2048.0])
def test_at_low_rates_the_last_sample_leaves_the_time(sfreq: float) -> None:
    assert rehearsals(Approach(sfreq, DecisionText(), True), round(0.04 * sfreq), decided()) == 1


def test_a_hop_that_comes_in_one_piece_is_not_rehearsed() -> None:
    warm, hop = Approach(1000.0, DecisionText(), True), Hop(20)
    warm.rehearse(hop, decided())  # type: ignore[arg-type]
    assert hop.rehearsed == 0
