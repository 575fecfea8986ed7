"""A session made by hand for the review: 100 s with a gap, marks, words and ranks at known seconds."""

from pathlib import Path

import numpy as np

from rtdecode.tui.lines import plain
from rtdecode.tui.review.data import BEYOND, Decided, Event, Hit, Signal, Story, Stretch, Word
from rtdecode.tui.review.sessions import Listed
from rtdecode.tui.review.summary import Counted, summary

NASTY = "a [/b] [laughs] \x1b[31m日本語の長い文\n\u202eabc"
LENGTH = 100.0
GAP = (40.0, 44.0)


def story(**changes: object) -> Story:
    t = np.array([x for x in np.arange(5.0, LENGTH, 0.5) if not GAP[0] <= x < GAP[1] + 2])
    counted = Counted(
        LENGTH, len(t), (0.5, 0.02), (0.75, 0.2), np.full(8, 0.4), 0.02, 7, np.array([0.9]), np.array([0.5]),
        3, None, [4.0], 12.0, None, 0.25, 2, 3,
    )  # fmt: skip
    values = {
        "name": "monday", "started": "2026-01-02 10:00 UTC", "stream": "amp", "channels": 16, "sfreq": 250.0,
        "bundle": "lpp", "length_s": LENGTH,
        "states": (Stretch(0.0, 2.0, "connecting"), Stretch(2.0, 5.0, "filling"), Stretch(5.0, 40.2, "live"),
                   Stretch(40.2, 44.0, "lost"), Stretch(44.0, LENGTH, "live")),
        "events": (Event(3.0, "heard", "sentence"), Event(10.0, "mark", "block 1"),
                   Event(40.0, "gap", "4.0 s"),
                   Event(44.0, "warn", "samples are missing"), Event(80.0, "mark", "block 2")),
        "gaps": (GAP,), "t": t, "prob": np.where(t < 50, 0.9, 0.1), "second": np.full(len(t), 0.05),
        "chance": np.full(len(t), 0.02), "rank": np.where(t < 50, 1, BEYOND),
        "words": (Word(10.0, 9.0, 9.4, "he", 0.99, 0.4), Word(11.0, 10.0, 10.4, "said", 0.42, 1.25, True),
                  Word(12.0, 11.0, 11.5, "draw", 0.7, None)),
        "summary": summary(counted),
    }  # fmt: skip
    return Story(**{**values, **changes})  # type: ignore[arg-type]


class Still:
    """A log that remembers what it was asked."""

    def __init__(self, story: Story):
        self.story = story
        self.read: list[int] = []

    def decision(self, k: int) -> Decided:
        self.read.append(k)
        rank = int(self.story.rank[k])
        hits = tuple(Hit(f"c{i}", f"segment {i} [b]", "book", 60.0, 0.2, 0.5 / i) for i in range(1, 11))
        heard = ("c1", "segment 1 [b]") if rank == 1 else ("c40", "another")
        return Decided(
            float(self.story.t[k]), 1, k, hits, 0.02, 50, 3.0, "shee", 12.5, ("late",), heard, rank
        )

    def signal(self, t: float, seconds: float) -> Signal | None:
        if GAP[0] <= t < GAP[1]:
            return None
        x = np.sin(np.arange(int(100 * seconds)) / 5) * np.arange(1, 17)[:, None] * 10
        return Signal(x, t - seconds / 2, seconds, tuple(f"E{c}" for c in range(16)), "uV")

    def trouble(self, second: int) -> str | None:
        return None if GAP[0] <= second < GAP[1] else "▁" if 20 <= second < 25 else " "


class Doing:
    def __init__(self) -> None:
        self.done: list[str] = []
        self.problem: Exception | None = None

    def _do(self, what: str) -> Path:
        if self.problem:
            raise self.problem
        self.done.append(what)
        return Path(f"/logs/monday.{what}")

    def export(self, kind: str) -> Path:
        return self._do(kind)

    def report(self) -> Path:
        return self._do("html")


def said(lines) -> str:
    return "\n".join(plain(line) for line in lines)


LISTED = (
    Listed(Path("/l/c"), "2026-03-03 09:00", "amp", "lpp", True, 3725.0, 36000, 12, 2, 7, "lost", True),
    Listed(Path("/l/b"), "2026-02-02 09:00", "amp", "", True, 61.0, 0, 0, 0, 0, "live", False),
    Listed(Path("/l/a"), "2026-01-01 09:00"),
    Listed(Path("/l/[x]"), "", problem="it [has] no samples.xdf"),
)
