"""A marker stream as words: strings or numbers, as they come, from a stream that may be absent.

Listens on a thread of its own, for a marker may be a megabyte and the stream may never appear. What it hands
out is bounded in length and number and safe to print. It does not know who shows it.
"""

import math
import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import Any

import pylsl

from rtdecode.errors import StreamError
from rtdecode.sources.lsl import Found, Search, Wanted, recognisable, select
from rtdecode.sources.offset_watch import OffsetWatch

LONGEST = 1000  # characters of one marker; the longest sentence with its times, as JSON, has half of that
HELD = 256  # markers that wait to be taken; beyond it the oldest are dropped and counted
PULL_S = 0.2
LOOK_S = 0.1


@dataclass(frozen=True)
class Mark:
    """t: seconds on the sender's clock;  t_local: on ours, None while the offset is unknown."""

    t: float
    text: str
    t_local: float | None = None

    @property
    def times(self) -> dict[str, float]:
        """What a log says of its time."""
        return {"stamp": self.t} | ({} if self.t_local is None else {"t_local": self.t_local})


def words(values: list[Any]) -> str:
    """One sample of a marker stream as a short line: bytes are UTF-8 or what can be read of it."""
    parts = []
    for value in values[:16]:
        if isinstance(value, bytes):
            # four bytes a character at most: what is cut off here is not read at all
            text = value[: 4 * LONGEST].decode("utf-8", errors="replace")
            whole = len(value) <= 4 * LONGEST and len(text) <= LONGEST
            parts.append(text[:LONGEST] if whole else f"{text[:LONGEST]}… ({len(value)} bytes)")
        else:
            parts.append(f"{value:g}" if isinstance(value, float) else str(value))
    line = " ".join(parts)
    line = "".join(c if c.isprintable() else "�" if c == "�" else " " for c in line).strip()
    return line if len(line) <= LONGEST + 24 else line[:LONGEST] + "…"


class Marks:
    """The markers of the stream called `name`. dropped: how many nobody took in time."""

    def __init__(self, name: str, search: Search | None = None):
        self._wanted, self._search = Wanted(name), search
        self._queue: deque[Mark] = deque(maxlen=HELD)
        self._came = self._taken = 0
        self._stop = threading.Event()
        self.state = self._said = ""  # what there is to say of the stream itself
        self._thread = threading.Thread(target=self._work, name="markers", daemon=True)
        self._thread.start()

    def take(self, most: int = 32) -> tuple[list[Mark], int]:
        """At most `most` new markers, oldest first, and how many were dropped before them."""
        found: list[Mark] = []
        while self._queue and len(found) < most:
            found.append(self._queue.popleft())
        waiting = len(self._queue)
        dropped = max(0, self._came - waiting - self._taken - len(found))
        self._taken += len(found) + dropped
        return found, dropped

    def news(self) -> list[tuple[str, str, dict[str, float]]]:
        """(level, text, times) of what happened since the last call: to the stream, and its new markers."""
        lines: list[tuple[str, str, dict[str, float]]] = []
        if (state := self.state) != self._said:
            self._said = state
            lines.append(("info", state, {}))
        found, dropped = self.take()
        if dropped:
            lines.append(("warn", f"{dropped} markers came too fast to be shown", {}))
        return lines + [("mark", mark.text, mark.times) for mark in found]

    def close(self) -> None:
        self._stop.set()

    def put(self, t: float, values: list[Any], offset_s: float | None = None) -> None:
        """offset_s: from the sender's clock to ours."""
        self._came += 1
        known = math.isfinite(t)
        local = t + offset_s if known and offset_s is not None else None
        self._queue.append(Mark(t if known else 0.0, words(values), local))

    def _work(self) -> None:
        source_id = ""
        while not self._stop.is_set():
            found = self._look(source_id)
            if found is None:
                continue
            source_id = found.info.source_id if recognisable(found.info.source_id) else ""
            try:
                inlet = pylsl.StreamInlet(found.handle, max_buflen=60, recover=False)
                inlet.as_numpy = True  # strings as the bytes that were sent
                inlet.open_stream(3.0)
                self.state = f"markers from {found.info.name}"
                self._listen(inlet)
            except RuntimeError:  # gone, or never answered
                self.state = f"the marker stream {found.info.name} is gone"
                continue

    def _listen(self, inlet: pylsl.StreamInlet) -> None:
        clock = OffsetWatch(lambda wait_s: inlet.time_correction(timeout=wait_s))
        try:
            while not self._stop.is_set():
                values, t = inlet.pull_sample(PULL_S)
                if values is not None:
                    self.put(float(t), list(values.tolist()), clock.offset.value)
        finally:
            clock.close()

    def _look(self, source_id: str) -> Found | None:
        if self._search is None:
            self._search = Search()
        found = self._search.take()
        if found is None:
            time.sleep(LOOK_S)
            return None
        try:
            chosen = select(found, self._wanted, source_id)
        except StreamError as problem:
            self.state = f"no markers: {problem.message}"
            return None
        self._search.stop()
        self._search = None
        return chosen
