"""What this process costs: share of a core and resident memory. Asks the system, decides nothing."""

import time
from pathlib import Path

_STATM = Path("/proc/self/statm")


def rss_mb() -> float:
    """Resident memory of this process in MB; where there is no /proc, the most it ever had."""
    try:
        import resource

        if _STATM.exists():
            return int(_STATM.read_text().split()[1]) * resource.getpagesize() / 1e6
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS
        return peak / 1e6
    except (ImportError, OSError, ValueError, IndexError):
        return 0.0


class Usage:
    """CPU of all threads since the last reading."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.monotonic(), time.process_time()

    def read(self) -> tuple[float, float]:
        """Share of one core since the last call, and resident MB."""
        wall, cpu = time.monotonic(), time.process_time()
        share = (cpu - self._cpu) / max(wall - self._wall, 1e-6)
        self._wall, self._cpu = wall, cpu
        return share, rss_mb()
