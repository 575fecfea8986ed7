"""What the eye chose to see of the signals: scale, seconds, page, channels, and a filter of the drawing.

Nothing here reaches the decoder. The signal itself is kept by seen.py.
"""

import copy
from dataclasses import dataclass, field

import numpy as np

from rtdecode.snapshot import ChannelState, Event, Snapshot
from rtdecode.tui.onsets import Found, Read
from rtdecode.tui.seen import Seen, band_at
from rtdecode.tui.signals import View
from rtdecode.tui.traces import GAP, first_scale, step_scale

WINDOWS_S = (1.0, 2.0, 5.0, 10.0)
BANDS = (None, (0.5, 40.0), (1.0, 40.0), (4.0, 30.0))
UNUSED = "▁▲×·"  # glyphs of channels that have no part in the average


@dataclass
class Lens:
    """What the keys have chosen of the signals.

    limit   value at the edge of a trace, None until there is a signal to choose it by
    first   place of the page's first channel among those picked;  picked: channel numbers, None: all
    average  whether the mean of the good channels is taken off
    """

    limit: float | None = None
    seconds: float = 2.0
    first: int = 0
    picked: tuple[int, ...] | None = None
    band: int = 0
    average: bool = False
    now: Seen = field(default_factory=Seen)
    kept: Seen | None = None
    read: Read = field(default_factory=Read)
    labels: tuple[str, ...] = ()

    def add(self, snapshot: Snapshot, heard: Found | None = None) -> None:
        """heard: words that begin in it; None: those that were read."""
        self.now.add(snapshot)
        self.now.hear(self.read.new(snapshot) if heard is None else heard)
        labels = tuple(channel.label for channel in snapshot.channels)
        if labels and labels != self.labels:  # another bundle: numbers mean other channels
            self.picked = None if self.labels else self.picked
            self.labels = labels

    def restart(self) -> None:
        """Forget the signal, keep what was chosen: another decoder is looked at."""
        self.now, self.kept, self.read = Seen(), None, Read()
        self.now.choose(BANDS[self.band])

    def hold(self) -> None:
        self.kept = copy.deepcopy(self.now)

    def release(self) -> None:
        self.kept = None

    @property
    def seen(self) -> Seen:
        return self.kept or self.now

    def settle(self, shown: Snapshot) -> None:
        """Choose the first scale once a second of signal is there."""
        sweep = self.seen.received
        if self.limit is None and sweep.count >= sweep.sfreq > 0:
            self.limit = first_scale(shown.signal)

    def scale(self, steps: int) -> None:
        self.limit = step_scale(self.limit or 50.0, steps)

    def window(self) -> None:
        after = [seconds for seconds in WINDOWS_S if seconds > self.seconds]
        self.seconds = after[0] if after else WINDOWS_S[0]

    def filter(self) -> None:
        self.band = (self.band + 1) % len(BANDS)
        for seen in {id(seen): seen for seen in (self.now, self.seen)}.values():
            seen.choose(BANDS[self.band])

    def order(self, channels: int) -> tuple[int, ...]:
        """Numbers of the channels that may be drawn."""
        if self.picked is None:
            return tuple(range(channels))
        return tuple(i for i in self.picked if i < channels) or tuple(range(channels))

    def page(self, pages: int, size: int, channels: int) -> None:
        """Turn pages; the ends are ends."""
        last = (len(self.order(channels)) - 1) // size
        self.first = min(last, max(0, self.first // size + pages)) * size

    def said(self) -> str:
        """The filter of the drawing in words; "" without one."""
        sweep, band = self.seen.received, BANDS[self.band]
        parts = []
        if band:
            low, high = band_at(band, sweep.sfreq) if sweep.sfreq > 0 else band
            parts.append(f"{low:g}–{high:g} Hz")
        return " · ".join([*parts, *(["CAR"] if self.average else [])])

    def picture(
        self, channels: tuple[int, ...], quality: tuple[ChannelState, ...]
    ) -> tuple[np.ndarray, float]:
        """(C, T) of these channels as the sweep lays them out, and the cursor's place in 0..1."""
        known = self.seen.sweep.data.shape[1]
        picture, cursor = self.seen.sweep.picture(self.seconds, [i for i in channels if i < known])
        if self.average and picture.size:
            mean, _ = self.seen.sweep.picture(self.seconds, self._good(quality))
            picture = picture - _mean(mean)
        return picture, cursor

    def pick(self, channels: tuple[int, ...] | None) -> None:
        self.picked, self.first = channels, 0

    def view(
        self,
        page: int,
        channels: int,
        quality: tuple[ChannelState, ...],
        mark: str,
        events: tuple[Event, ...] = (),
    ) -> View:
        """What to draw: a page of so many channels, out of so many."""
        order = self.order(channels)
        self.first = min(self.first, max(0, len(order) - 1)) // page * page
        shown = order[self.first : self.first + page]
        picture, cursor = self.picture(shown, quality)
        picked = None if self.picked is None or not channels else order
        limit, marks, words = self.limit or 50.0, self.marks(events), self.words()
        return View(
            picture, cursor, limit, self.seconds, self.first, page, mark, picked, self.said(), marks, words
        )

    def words(self) -> tuple[tuple[float, str], ...]:
        """Where the words of the drawn seconds begin in the sweep, 0..1."""
        count = self.seen.received.count
        size = round(self.seconds * self.seen.received.sfreq)
        drawn = size - int(GAP * size)
        return tuple((at % size / size, word) for at, word in self.seen.words if 0 <= count - at < drawn)

    def marks(self, events: tuple[Event, ...]) -> tuple[tuple[float, str], ...]:
        """Where the marks of the drawn seconds stand in the sweep, 0..1."""
        sweep = self.seen.received
        size = round(self.seconds * sweep.sfreq)
        found = []
        for event in events:
            back = round((sweep.elapsed_s - event.t) * sweep.sfreq)
            if event.level == "mark" and 0 <= back < size:
                found.append(((sweep.count - back) % size / size, event.text))
        return tuple(found)

    def recent(self, channels: tuple[int, ...], quality: tuple[ChannelState, ...]) -> np.ndarray:
        """(T,) the drawn seconds of the first of these channels, oldest first, for a spectrum."""
        sweep = self.seen.sweep
        x = sweep.newest(self.seconds)
        if not channels or channels[0] >= x.shape[1]:
            return np.zeros(0, np.float32)
        y = x[:, channels[0]]
        return y - _mean(x[:, self._good(quality)].T) if self.average else y

    def _good(self, quality: tuple[ChannelState, ...]) -> list[int]:
        channels = self.seen.received.data.shape[1]
        return [i for i in range(channels) if i >= len(quality) or quality[i].glyph not in UNUSED]


def _mean(x: np.ndarray) -> np.ndarray | float:
    """(T,) mean over (C, T) of what is there; nothing is taken off with fewer than two channels."""
    if len(x) < 2:
        return 0.0
    there = np.isfinite(x)
    return np.where(there, x, 0).sum(axis=0) / np.maximum(1, there.sum(axis=0))
