"""What a stream can do to a decoder, without a stream: gaps, NaN, any chunk size."""

import dataclasses

import numpy as np
import pytest

from rtdecode.bundle import Bundle
from rtdecode.engine import Engine
from rtdecode.engines import open_session
from rtdecode.live.channels import Policy
from rtdecode.live.decoding import Decoding, some
from rtdecode.live.watch import Gap
from rtdecode.types import Chunk, Decision, StreamInfo
from tests.bundles import LABELS, SFREQ, make_bundle, planted

INFO = StreamInfo("EEG", "EEG", LABELS, ("microvolts",) * len(LABELS), SFREQ)


class Heard:
    """A listener that writes everything down."""

    def __init__(self) -> None:
        self.decisions: list[Decision] = []
        self.gaps: list[tuple[float, int]] = []
        self.notes: list[str] = []
        self.steps: list[float] = []

    def decided(self, decision: Decision, began: float) -> None:
        self.decisions.append(dataclasses.replace(decision, stage_ms={}))

    def broke(self, gap: Gap, lost: int) -> None:
        self.gaps.append((round(gap.seconds, 3), lost))

    def stepped(self, seconds: float) -> None:
        self.steps.append(round(seconds, 3))

    def restarted(self, why: str) -> None:
        self.notes.append(why)

    def failed(self, why: str) -> None:
        self.notes.append(why)

    def noted(self, level: str, text: str) -> None:
        self.notes.append(text)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return make_bundle(tmp_path_factory.mktemp("decoding") / "tiny")


def decode(bundle: Bundle, data: np.ndarray, stamps: np.ndarray, size: int = 10) -> Heard:
    heard = Heard()
    decoding = Decoding(bundle, open_session(bundle), bundle.spec.stream.bind(INFO), INFO, heard)
    for at in range(0, len(data), size):
        decoding.push(data[at : at + size], stamps[at : at + size])
    return heard


def offline(bundle: Bundle, data: np.ndarray, stamps: np.ndarray) -> list[Decision]:
    engine = Engine(bundle, bundle.spec.stream.bind(INFO), open_session(bundle))
    return [dataclasses.replace(d, stage_ms={}) for d in engine.push(Chunk(data, stamps, 0))]


def stamped(seconds: float = 10.0) -> tuple[np.ndarray, np.ndarray]:
    data = planted(seconds)
    return data, 100 + np.arange(len(data)) / SFREQ


@pytest.mark.parametrize("size", [1, 7, 32, 1000, 10_000])
def test_any_chunk_size_decides_as_offline(bundle: Bundle, size: int) -> None:
    data, stamps = stamped()
    heard = decode(bundle, data, stamps, size)
    assert heard.decisions == offline(bundle, data, stamps)
    assert heard.gaps == []
    assert heard.notes == []


@pytest.mark.parametrize("bad", ["mask", "interpolate"])
@pytest.mark.parametrize("by_arrival", [False, True])
def test_a_rehearsal_changes_nothing_whatever_happens(bundle: Bundle, by_arrival: bool, bad: Policy) -> None:
    data, stamps = stamped(14.0)
    data[300:500, 1] = data[300, 1]  # flat for long enough to be masked
    data[900:920, 2] = np.nan
    stamps[1000:] += 0.5  # lost
    stamps[1300:] += 1.0  # a clock that was set: arrivals go on
    late = np.where(np.arange(len(data)) < 1000, 0.0, 0.5)
    heard, rehearsed = [], 0
    for rehearses in (False, True):
        heard.append(Heard())
        channels = bundle.spec.stream.bind(INFO)
        decoding = Decoding(bundle, open_session(bundle), channels, INFO, heard[-1], bad=bad)
        if by_arrival:
            decoding.use_arrival("as asked")
        for at in range(0, len(data), 3):
            rehearsed += rehearses and decoding.rehearse()
            piece = slice(at, min(at + 3, len(data)))
            decoding.push(data[piece], stamps[piece], 50 + piece.stop / SFREQ + float(late[piece.stop - 1]))
    assert rehearsed > len(heard[0].decisions) > 20
    assert vars(heard[1]) == vars(heard[0])
    if not by_arrival:
        assert heard[0].gaps and heard[0].steps and len(heard[0].notes) > 2


@pytest.mark.parametrize("size", [10, 10_000])
def test_no_window_spans_a_gap(bundle: Bundle, size: int) -> None:
    data, stamps = stamped()
    stamps[600:] += 1.0
    heard = decode(bundle, data, stamps, size)
    assert heard.gaps == [(1.0, round(SFREQ))]
    expected = offline(bundle, data[:600], stamps[:600])
    expected += [dataclasses.replace(d, run=2) for d in offline(bundle, data[600:], stamps[600:])]
    assert heard.decisions == expected


def test_stamps_that_go_back_lose_nothing(bundle: Bundle) -> None:
    data, stamps = stamped()
    stamps[600:] -= 2.0
    heard = decode(bundle, data, stamps)
    assert (heard.gaps, heard.steps) == ([], [-2.0])
    assert heard.decisions == offline(bundle, data, stamps)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_burst_of_nan_is_survived_and_said(bundle: Bundle, value: float) -> None:
    data, stamps = stamped()
    clean = offline(bundle, data, stamps)
    data[500:520, 2] = value
    heard = decode(bundle, data, stamps)
    assert len(heard.decisions) == len(clean)
    for decision in heard.decisions:
        assert decision.retrieved is not None
        assert np.isfinite([hit.score for hit in decision.retrieved.hits]).all()
        spoilt = 500 < decision.sample < 520 + 1.5 * SFREQ
        assert bool(decision.warnings) == spoilt, decision.sample
        if decision.sample <= 500:
            assert decision == clean[decision.index]
    assert heard.notes == ["not a number in Pz: the last good value is used"]
    assert heard.decisions[-1].retrieved is not None
    assert clean[-1].retrieved is not None
    assert heard.decisions[-1].retrieved.hits[0].id == clean[-1].retrieved.hits[0].id


def test_many_channels_are_summed_up() -> None:
    assert some(["a", "b"]) == "a, b"
    assert some(list("abcdef")) == "a, b, c, d and 2 more"
