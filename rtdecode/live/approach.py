"""How the core goes towards the end of a hop: what it waits for, and what it warms up while the rest comes.

    most of a hop -> filtered while it comes -> rehearsed -> its last samples, as few as can be -> decided

Knows the loop's turns, not its streams.
"""

from rtdecode.live.decoding import Decoding
from rtdecode.live.output import DecisionText
from rtdecode.types import Decision

AHEAD_S, TAIL_S = 0.003, 0.001  # before a hop is complete: when it is rehearsed; what is left to filter then
REHEARSAL_SHARE = 0.7  # of the time between the two, which the rehearsal may take


class Approach:
    """sfreq: of the stream, Hz;  text: what encodes a decision;  warm: whether hops are rehearsed"""

    def __init__(self, sfreq: float, text: DecisionText, warm: bool):
        self._ahead, self._tail = (max(1, round(s * sfreq)) for s in (AHEAD_S, TAIL_S))
        self._least = self._tail if self._tail < self._ahead else 0  # at low rates both are the last sample
        self._text, self._warm = text, warm

    def to_wait_for(self, needed: int) -> int:
        """Samples to ask for, where `needed` complete a hop: nearly all, then nearly all of the rest."""
        for left in (self._ahead, self._tail) if self._warm else (self._tail,):
            if needed > 2 * left:
                return needed - left
        return needed

    def rehearse(self, decoding: Decoding, last: Decision | None) -> None:
        """Once per hop while its last samples come, if it takes less time than they do.

        A core that sleeps between hops finds its caches cold: this is what pays for it. last: the decision
        before
        """
        if not self._warm or last is None or not self._least < decoding.samples_to_next_hop() <= self._ahead:
            return
        cost_ms = last.stage_ms["infer"] + last.stage_ms["heads"]
        if cost_ms < REHEARSAL_SHARE * 1e3 * (AHEAD_S - TAIL_S) and decoding.rehearse():
            self._text.encode(last, {**last.stage_ms, "total": 0.0}, None)
