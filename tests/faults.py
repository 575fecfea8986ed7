"""What the fault tests share: the planted recording with stamps, decoded live-like and offline. No LSL."""

import dataclasses
from typing import Any

import numpy as np

from rtdecode.bundle import Bundle
from rtdecode.engine import Engine
from rtdecode.engines import Session, open_session
from rtdecode.live.decoding import Decoding
from rtdecode.sources.lsl import Found, Search
from rtdecode.types import Chunk, Decision, StreamInfo
from tests.bundles import LABELS, SFREQ, planted
from tests.rtdecode.test_decoding import Heard

UNITS = ("microvolts",) * len(LABELS)
INFO = StreamInfo("EEG", "EEG", LABELS, UNITS, SFREQ, "amp-7", "uid-1", "here")
WINDOW = round(1.5 * SFREQ)
HOP_S = 0.25


def offline(bundle: Bundle, data: np.ndarray, stamps: np.ndarray) -> list[Decision]:
    engine = Engine(bundle, bundle.spec.stream.bind(INFO), open_session(bundle))
    return [dataclasses.replace(d, stage_ms={}) for d in engine.push(Chunk(data, stamps, 0))]


def stamped(seconds: float = 12.0) -> tuple[np.ndarray, np.ndarray]:
    data = planted(seconds)
    return data, 100 + np.arange(len(data)) / SFREQ


def decode(
    bundle: Bundle,
    data: np.ndarray,
    stamps: np.ndarray,
    size: int = 16,
    arrivals: np.ndarray | None = None,
    session: Session | None = None,
    **options: Any,
) -> tuple[Heard, Decoding]:
    """arrivals: seconds on our clock at which each sample could be read."""
    heard = Heard()
    channels = bundle.spec.stream.bind(INFO)
    decoding = Decoding(bundle, session or open_session(bundle), channels, INFO, heard, **options)
    for at in range(0, len(data), size):
        piece = slice(at, min(at + size, len(data)))
        decoding.push(data[piece], stamps[piece], None if arrivals is None else float(arrivals[piece][-1]))
    return heard, decoding


def finite(decision: Decision) -> bool:
    assert decision.retrieved is not None
    return bool(np.isfinite([hit.score for hit in decision.retrieved.hits]).all())


class FoundAtOnce(Search):
    """A search whose results are given."""

    def __init__(self, *results: list[StreamInfo]):
        self.results = [[Found(info, None) for info in result] for result in results]

    def take(self) -> list[Found] | None:
        return self.results.pop(0) if self.results else []

    def stop(self) -> None: ...
