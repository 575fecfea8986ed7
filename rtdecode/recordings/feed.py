"""A recording in chunks, and through the decoder: the offline twin of a live stream.

The same `Engine.push` decodes both. A gap in the recording starts a new run, as a gap in a stream does.
"""

from collections.abc import Iterator

from rtdecode.engine import Engine
from rtdecode.recordings.recording import Recording
from rtdecode.types import Chunk, Decision


def pieces(recording: Recording, size: int) -> Iterator[Chunk]:
    """Chunks of at most `size` samples, in order, none across a gap.

    A chunk whose `first` is 0 starts a run: from the second on, the engine must be reset before it.
    """
    if size < 1:
        raise ValueError(f"a piece holds at least 1 sample, got size {size}")
    times = recording.times
    for start, stop in recording.segments:
        for at in range(start, stop, size):
            piece = slice(at, min(at + size, stop))
            yield Chunk(recording.data[piece], times[piece], at - start)


def decode(engine: Engine, recording: Recording, size: int = 4096) -> list[Decision]:
    """All decisions of a freshly made or reset engine for the recording; they do not depend on `size`."""
    decisions: list[Decision] = []
    for number, chunk in enumerate(pieces(recording, size)):
        if number and chunk.first == 0:
            engine.reset()
        decisions += engine.push(chunk)
    return decisions
