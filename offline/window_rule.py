"""Where windows lie in a recording: on a grid (training), or around the words (evaluation).

A window is an anchor t and the samples from t + tmin to t + tmax, both included. It is kept when the
recording has all of it and when it lies in one block (`offline.split`), so it is in one split and hears
nothing of another. Knows neither signals nor features.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from offline.split import UNUSED, Block
from offline.study import Event

GRID_S = 0.5


@dataclass(frozen=True)
class Anchor:
    """Where a window lies. sample: of t, at the rate of the signal; block: index of its block."""

    sample: int
    split: str
    block: int


def offsets(sfreq: float, tmin: float, tmax: float) -> tuple[int, int]:
    """First and last sample of a window, from the sample of t, both included. At 120 Hz, -0.5 s and 2.5 s:
    (-60, 300), 361 samples.
    """
    return round(tmin * sfreq), round(tmax * sfreq)


def grid_windows(
    blocks: Sequence[Block],
    sfreq: float,
    tmin: float,
    tmax: float,
    n_samples: int,
    *,
    step_s: float = GRID_S,
    splits: Iterable[str] = ("train", "valid"),
) -> tuple[Anchor, ...]:
    """The windows at t = 0, step_s, 2 step_s, … of a recording of n_samples, those of `splits` only."""
    count = int(n_samples / sfreq / step_s) + 1
    return _kept((i * step_s for i in range(count)), blocks, sfreq, tmin, tmax, n_samples, set(splits))


def word_windows(
    events: Iterable[Event],
    blocks: Sequence[Block],
    sfreq: float,
    tmin: float,
    tmax: float,
    n_samples: int,
    *,
    splits: Iterable[str] = ("test",),
) -> tuple[Anchor, ...]:
    """The windows at the starts of the words, those of `splits` only. Two words that start at the same sample
    have one window.
    """
    starts = sorted(event.start for event in events if event.kind == "word")
    return _kept(starts, blocks, sfreq, tmin, tmax, n_samples, set(splits))


def _kept(
    times: Iterable[float],
    blocks: Sequence[Block],
    sfreq: float,
    tmin: float,
    tmax: float,
    n_samples: int,
    splits: set[str],
) -> tuple[Anchor, ...]:
    first, last = offsets(sfreq, tmin, tmax)
    half = 0.5 / sfreq
    begins = [block.start for block in blocks]
    anchors: dict[int, Anchor] = {}
    for t in times:
        sample = round(t * sfreq)
        # the rounded window has to be there too: half a sample may lie between the two
        if t + tmin < 0 or sample + first < 0 or sample + last > n_samples - 1:
            continue
        number = bisect_right(begins, t + tmin) - 1
        if number < 0:
            continue
        block = blocks[number]
        if t + tmax - half < block.stop and block.split in splits and block.split != UNUSED:
            anchors.setdefault(sample, Anchor(sample, block.split, number))
    return tuple(anchors.values())
