"""Samples as a stream sends them, through the engine: repaired, broken into runs at gaps, decoded by hops.

    raw samples, stamps -> Repair -> GapCheck -> Engine -> decisions and events

Pure: no stream, no clock of its own, so that gaps and NaN are tested without LSL. What to do with decisions
and events is the listener's business.
"""

import dataclasses
import time
from collections.abc import Callable
from typing import Protocol

import numpy as np

from rtdecode.bundle import Bundle
from rtdecode.contract import ChannelMap
from rtdecode.engine import Engine
from rtdecode.engines import Session
from rtdecode.live.display import Display
from rtdecode.live.watch import Gap, GapCheck
from rtdecode.quality import Repair
from rtdecode.types import Chunk, Decision, StreamInfo


class Listener(Protocol):
    """Hears what decoding brings forth, as it happens."""

    def decided(self, decision: Decision, began: float) -> None:
        """began: timer seconds at which the work on this decision's last samples began."""
        ...

    def broke(self, gap: Gap, lost: int) -> None:
        """The run ended at a gap and a new one began; lost: samples missing by their stamps."""
        ...

    def noted(self, level: str, text: str) -> None: ...


class Decoding:
    """One stream's samples. run: counts contiguous runs, from 1.

    display  the newest signal, for eyes
    """

    def __init__(
        self,
        bundle: Bundle,
        session: Session,
        channels: ChannelMap,
        info: StreamInfo,
        listener: Listener,
        timer: Callable[[], float] = time.perf_counter,
    ):
        spec = bundle.spec
        self._sfreq = spec.stream.sfreq
        self._listener, self._timer = listener, timer
        self._engine = Engine(bundle, channels, session, timer)
        self.display = Display(spec.preprocess, spec.stream.labels)
        self._gaps = GapCheck(self._sfreq)
        self._window = round(decision_window_s(bundle) * self._sfreq)
        self._bad: dict[str, int] = {}  # channel -> samples seen when it last held no number
        self._bind(channels, info)

    @property
    def run(self) -> int:
        return self._engine.run

    @property
    def filled_s(self) -> tuple[float, float]:
        return self._engine.filled_s

    def samples_to_next_hop(self) -> int:
        return self._engine.samples_to_next_hop()

    def rebind(self, channels: ChannelMap, info: StreamInfo) -> None:
        """Go on with a stream that was opened anew, perhaps with its channels in another order: a new run."""
        self._engine.channels = channels
        self._engine.reset()
        self._bind(channels, info)

    def _bind(self, channels: ChannelMap, info: StreamInfo) -> None:
        self._labels = info.labels
        self._repair = Repair(len(info.labels), np.append(channels.picks, channels.reference))
        self._forget()

    def _forget(self) -> None:
        self._sample = 0
        self._bad.clear()
        self._gaps.reset()
        self.display.reset()

    def push(self, data: np.ndarray, stamps: np.ndarray) -> None:
        """Take (T, C) samples in the stream's own order and unit, and their (T,) raw stamps in seconds."""
        data, bad = self._repair.push(data)
        start = 0
        while start < len(stamps):
            gap = self._gaps.check(stamps[start:])
            stop = start + gap.at if gap else len(stamps)
            self._decode(data[start:stop], stamps[start:stop], None if bad is None else bad[start:stop])
            if gap:
                self._engine.reset()
                self._forget()
                self._listener.broke(gap, max(0, round(gap.seconds * self._sfreq)))
            start = stop

    def _decode(self, data: np.ndarray, stamps: np.ndarray, bad: np.ndarray | None) -> None:
        engine, done = self._engine, 0
        while done < len(data):
            # one hop at a time, so that every decision gets its own times and its own warnings
            piece = slice(done, min(done + engine.samples_to_next_hop(), len(data)))
            began = self._timer()
            decisions = engine.push(Chunk(data[piece], stamps[piece], self._sample))
            done = piece.stop
            self._sample += piece.stop - piece.start
            if bad is not None:
                self._mark(bad[piece])
            for decision in decisions:
                self._listener.decided(self._warned(decision), began)
            # after the decision: the display may never delay it
            self.display.push(engine.channels.apply(data[piece]), data[piece][:, engine.channels.picks])

    def _mark(self, bad: np.ndarray) -> None:
        names = [self._labels[c] for c in self._repair.used[bad.any(axis=0)]]
        fresh = [name for name in names if not self._in_window(name, self._sample)]
        self._bad.update(dict.fromkeys(names, self._sample))
        if fresh:
            self._listener.noted("warn", f"not a number in {some(fresh)}: the last good value is used")

    def _warned(self, decision: Decision) -> Decision:
        held = [name for name in self._bad if self._in_window(name, decision.sample)]
        if not held:
            return decision
        warning = f"not a number in {some(held)} within this window: the last good value was used"
        return dataclasses.replace(decision, warnings=(*decision.warnings, warning))

    def _in_window(self, name: str, sample: int) -> bool:
        return name in self._bad and sample - self._bad[name] < self._window


def decision_window_s(bundle: Bundle) -> float:
    """Seconds of signal that one decision looks back on."""
    spec = bundle.spec
    if spec.retrieval:
        return spec.retrieval.frames / spec.frame_rate
    return spec.model.size / spec.preprocess.sfreq


def some(names: list[str]) -> str:
    """At most four names, and how many more there are."""
    shown = ", ".join(names[:4])
    return shown if len(names) <= 4 else f"{shown} and {len(names) - 4} more"
