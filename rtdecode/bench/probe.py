"""The real core, with a stopwatch at its exit: notes when each decision had left through the pipe."""

import json
import time
from multiprocessing.connection import Connection
from multiprocessing.shared_memory import SharedMemory

import numpy as np

from rtdecode.live.config import CoreConfig
from rtdecode.live.launch import core_main
from rtdecode.live.lines import LineWriter
from rtdecode.live.supervisor import Supervisor

# raw stamp, published (monotonic), infer ms, run, sample, heads ms, readable to decided ms, preprocess ms
COLUMNS = 8
_HEAD = 1


class Stopwatch:
    """Rows of COLUMNS numbers in shared memory; the first value counts them."""

    def __init__(self, rows: int = 0, *, name: str | None = None):
        self._owner = name is None
        self._memory = SharedMemory(name, create=self._owner, size=8 * (_HEAD + rows * COLUMNS))
        values = np.ndarray((self._memory.size // 8,), np.float64, self._memory.buf)
        self._count = values[:_HEAD]
        self._rows = values[_HEAD : _HEAD + (len(values) - _HEAD) // COLUMNS * COLUMNS].reshape(-1, COLUMNS)

    @property
    def name(self) -> str:
        return self._memory.name

    def note(self, *row: float) -> None:
        at = int(self._count[0])
        if at < len(self._rows):
            self._rows[at] = row
            self._count[0] = at + 1

    def rows(self) -> np.ndarray:
        """(decisions, COLUMNS), a copy."""
        return self._rows[: int(self._count[0])].copy()

    def close(self) -> None:
        del self._count, self._rows
        self._memory.close()
        if self._owner:
            self._memory.unlink()


class _TimedLines(LineWriter):
    watch: Stopwatch
    _noted: tuple[bytes, float] | None = None

    def write(self, line: bytes) -> None:
        super().write(line)
        published = time.monotonic()
        if line.startswith(b'{"kind": "decision"'):
            self._note()
            self._noted = line, published

    def flush(self) -> None:
        super().flush()
        if not self._waiting:
            self._note()

    def _note(self) -> None:
        """What the last line said, after the decision it would delay."""
        if self._noted is None:
            return
        (line, published), self._noted = self._noted, None
        said = json.loads(line)
        stage_ms = said["stage_ms"]
        times = (stage_ms["infer"], said["run"], said["sample"], stage_ms["heads"], stage_ms["total"])
        self.watch.note(said["t"], published, *times, stage_ms["preprocess"])


def _probed_main(
    config: CoreConfig,
    slot_name: str,
    pipe: Connection,
    parent: int,
    watch_name: str,
    control: Connection | None = None,
) -> None:
    def writer(fd: int) -> LineWriter:
        lines = _TimedLines(fd)
        lines.watch = Stopwatch(name=watch_name)
        return lines

    core_main(config, slot_name, pipe, parent, writer, control)


class ProbedSupervisor(Supervisor):
    """A Supervisor whose core is timed."""

    _entry = staticmethod(_probed_main)

    def __init__(self, config: CoreConfig, watch: Stopwatch):
        super().__init__(config)
        self._more = (watch.name,)
