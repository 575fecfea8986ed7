"""What to leave out when decoding falls behind, so that an answer is never old. Pure: time is given.

Two rules. *Latest wins*: once the loop is behind by a hop, hops that a newer one already follows are not
ranked; the network still takes every step, for its state and the text depend on all of them. *Jump*: when
even that has not caught up for seconds, what waits is dropped and a new run begins at the present.
"""

from typing import Literal

Policy = Literal["latest", "every"]
JUMP_S = 5.0  # busy for so long without catching up, with as much waiting


class Pressure:
    """hop_s: seconds between decisions; policy "every" leaves nothing out, however late it is."""

    def __init__(self, hop_s: float, policy: Policy = "latest"):
        self._hop_s, self._keeps = hop_s, policy == "every"
        self._free = 0.0

    def idle(self, now: float) -> None:
        """The loop had to wait for samples: all that came before is decoded."""
        self._free = now

    def suspect(self, now: float) -> bool:
        """Whether the loop has been busy for longer than a hop: only then it matters how much is waiting."""
        return not self._keeps and now - self._free > self._hop_s

    def late(self, waiting_s: float, now: float) -> bool:
        """Whether the hop at hand need not be ranked. waiting_s: stream seconds that came after it."""
        return self.suspect(now) and waiting_s >= self._hop_s

    def hopeless(self, waiting_s: float, now: float) -> bool:
        """Whether what waits should be dropped."""
        return not self._keeps and now - self._free > JUMP_S and waiting_s >= JUMP_S
