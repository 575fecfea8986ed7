"""The events of a FieldTrip buffer: each once, in order, as a sample index and a line of text.

They are counted like the samples, and what is counted is asked for in pieces that cannot grow large. What was
there before the first look is not read.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rtdecode.sources.fieldtrip_frames import Buffer
from rtdecode.sources.markers import words

AT_ONCE = 64  # events of one request
HELD = 4096  # behind by more than that, the older ones are given up


@dataclass(frozen=True)
class BufferEvent:
    """sample: its index in the measurement;  text: type and value, "trigger 5"."""

    sample: int
    text: str


class EventTail:
    """What comes after the `count` events that are there."""

    def __init__(self, count: int):
        self._next = count

    def start(self, count: int) -> None:
        """Another measurement, in which `count` events are of no interest."""
        self._next = count

    def read(self, buffer: Buffer, note: Callable[[str], None]) -> list[BufferEvent]:
        """New events; `note` is told of those that the buffer no longer gives. Raises as Buffer does."""
        if buffer.events < self._next:  # they were thrown away, and counting began anew
            self._next = 0
        if buffer.events - self._next > HELD:
            note(f"{buffer.events - self._next - HELD} events came faster than they can be read")
            self._next = buffer.events - HELD
        found: list[BufferEvent] = []
        while self._next < buffer.events:
            last = min(self._next + AT_ONCE, buffer.events) - 1
            asked = last - self._next + 1
            got = buffer.event_block(self._next, last)
            if len(got) != asked:
                note(f"{asked - len(got)} of {asked} events are no longer in the buffer")
            found += [
                BufferEvent(int(raw.sample), words([_plain(raw.type), *_values(raw.value)])) for raw in got
            ]
            self._next = last + 1
        return found


def _plain(value: Any) -> Any:
    return value if isinstance(value, bytes) else " ".join(map(str, _values(value)))


def _values(value: Any) -> list[Any]:
    return [value] if isinstance(value, bytes) else list(value[:16].tolist())
