"""The stream of a check that its sender closes: said once, closed once, and taken again when it is back."""

import threading
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from rtdecode.checks import stream as module
from rtdecode.contract import Contract
from rtdecode.sources.lsl import Lost, Wanted
from rtdecode.types import StreamInfo

INFO = StreamInfo("amp", "EEG", ("Fz", "Cz"), ("microvolts",) * 2, 100.0, "i", "u", "lab")


class Source:
    """Ten samples a pull until `gone`; whoever closes it twice is told."""

    offset_s = None
    info = INFO

    def __init__(self) -> None:
        self.gone, self.pulled = threading.Event(), threading.Event()
        self.closed = 0

    def pull(self, least: int, timeout_s: float) -> tuple[np.ndarray, np.ndarray]:
        self.pulled.set()
        if self.gone.wait(0.001):
            raise Lost("gone")
        return np.zeros((10, 2), np.float32), np.arange(10.0)

    def now(self) -> float:
        return 0.0

    def close(self) -> None:
        self.closed += 1


@pytest.mark.parametrize("comes_back", [False, True])
def test_a_lost_stream_is_closed_once(monkeypatch: pytest.MonkeyPatch, comes_back: bool) -> None:
    sources = [Source(), Source()]
    looked = [sources[0], *([sources[1]] if comes_back else [])]
    looked_again = threading.Event()

    class Connector:
        def __init__(self, *_: Any) -> None: ...

        def look(self, _: float) -> Any:
            if not looked:
                looked_again.set()
                return None
            return SimpleNamespace(source=looked.pop(0), channels=None)

    monkeypatch.setattr(module, "Connector", Connector)
    feed = module.LiveFeed(Wanted("amp"), Contract(INFO.labels, "microvolts", 100.0))
    sources[0].gone.set()
    assert (sources[1].pulled if comes_back else looked_again).wait(10.0)
    feed.close()
    assert sources[0].closed == 1 and sources[1].closed == comes_back
    assert feed.connection == 1 + comes_back
    assert bool(feed.lost) != comes_back
