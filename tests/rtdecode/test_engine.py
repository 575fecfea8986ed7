"""The whole path: fed in pieces equals fed whole, and it finds what was planted.

Why it matters: live decoding feeds pieces of any size; offline evaluation feeds whole recordings. If these
differ, no offline score says anything about the live decoder.
"""

import dataclasses
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtdecode.bundle import Bundle, load_bundle
from rtdecode.engine import Engine
from rtdecode.engines import EngineInfo, Frames, open_session
from rtdecode.types import Chunk, Decision, StreamInfo
from tests.bundles import FEATURES, HOP, LABELS, SFREQ, STRIDE, make_bundle, planted

RAW_HOP = 32


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return make_bundle(tmp_path_factory.mktemp("bundles") / "tiny")


def engine(bundle: Bundle, labels: tuple[str, ...] = LABELS) -> Engine:
    info = StreamInfo("EEG", "EEG", labels, ("microvolts",) * len(labels), SFREQ)
    return Engine(bundle, bundle.spec.stream.bind(info), open_session(bundle), timer=lambda: 0.0)


def feed(decoder: Engine, data: np.ndarray, sizes: list[int]) -> list[Decision]:
    decisions, at = [], 0
    for size in [*sizes, len(data)]:
        piece = data[at : at + size]
        decisions += decoder.push(Chunk(piece, (at + np.arange(len(piece))) / SFREQ, at))
        at += len(piece)
    return decisions


def test_it_finds_what_was_planted(bundle: Bundle) -> None:
    assert bundle.bank is not None
    decisions = feed(engine(bundle), planted(), [])
    assert len(decisions) > 40
    right = 0
    for decision in decisions:
        assert decision.retrieved is not None
        frame = decision.sample // 4 - 1  # 128 Hz raw, 32 frames a second
        best = bundle.bank.candidates[decision.retrieved.hits[0].candidate]
        right += best.first <= frame < best.first + best.frames
    assert right / len(decisions) > 0.9
    assert decisions[0].retrieved.chance == 1 / len(bundle.bank.candidates)


def test_another_recording_is_not_found(bundle: Bundle) -> None:
    decisions = feed(engine(bundle), planted(seed=1), [])
    sure = [d for d in decisions if d.retrieved and d.retrieved.hits[0].score > 0.8]
    assert not sure


@settings(max_examples=20, deadline=None)
@given(sizes=st.lists(st.sampled_from([0, 1, 7, RAW_HOP]) | st.integers(0, 400), max_size=25))
def test_pieces_equal_whole(bundle: Bundle, sizes: list[int]) -> None:
    data = planted(8.0)
    whole = feed(engine(bundle), data, [])
    assert whole
    assert feed(engine(bundle), data, sizes) == whole


def test_rehearsing_changes_nothing(bundle: Bundle) -> None:
    data, decoder = planted(4.0), engine(bundle)
    decisions, rehearsed = [], 0
    for at in range(0, len(data), 7):
        rehearsed += decoder.rehearse()
        piece = data[at : at + 7]
        decisions += decoder.push(Chunk(piece, (at + np.arange(len(piece))) / SFREQ, at))
    assert rehearsed > len(decisions)
    assert decisions == feed(engine(bundle), data, [])


@pytest.mark.parametrize("network", [False, True])
def test_rehearsing_steps_and_text_changes_nothing(network: bool) -> None:
    demo = load_bundle(Path(__file__).parents[2] / "recordings" / "demo")
    stream = demo.spec.stream
    data = np.random.default_rng(3).normal(size=(round(9 * stream.sfreq), len(stream.labels)))
    found = []
    for rehearses in (False, True):
        info = StreamInfo("EEG", "EEG", stream.labels, (stream.unit,) * len(stream.labels), stream.sfreq)
        decoder, decisions = Engine(demo, stream.bind(info), open_session(demo), timer=lambda: 0.0), []
        for at in range(0, len(data), 9):
            rehearsed = rehearses and decoder.rehearse(network)
            piece = data[at : at + 9].astype(np.float32)
            decisions += decoder.push(Chunk(piece, (at + np.arange(len(piece))) / stream.sfreq, at))
        assert rehearsed is rehearses
        found.append(decisions)
    assert len(found[0]) > 20 and found[1] == found[0]


@pytest.mark.parametrize("name", ["onnx", "torch"])
def test_a_session_forgets_what_it_rehearsed(name: str) -> None:
    demo = load_bundle(Path(__file__).parents[2] / "recordings" / "demo")
    session, steps = open_session(demo, name), demo.golden["x"]
    for x, expected in zip(steps, demo.golden["estimate"].reshape(len(steps), -1), strict=True):
        session.rehearse(x[::-1].copy())
        estimate = session.run(x).estimate
        assert estimate is not None
        np.testing.assert_allclose(estimate.ravel(), expected, atol=1e-4)


@pytest.mark.parametrize("size", [1, 7, RAW_HOP])
def test_a_steady_size_equals_whole(bundle: Bundle, size: int) -> None:
    data = planted(6.0)
    assert feed(engine(bundle), data, [size] * (len(data) // size)) == feed(engine(bundle), data, [])


def test_a_permuted_stream_decides_the_same(bundle: Bundle) -> None:
    order = np.random.default_rng(3).permutation(len(LABELS))
    labels = tuple(np.array(LABELS)[order].tolist())
    assert feed(engine(bundle, labels), planted()[:, order], []) == feed(engine(bundle), planted(), [])


def test_decisions_say_where_they_are(bundle: Bundle) -> None:
    decisions = feed(engine(bundle), planted(6.0), [])
    assert [d.index for d in decisions] == list(range(len(decisions)))
    hops = np.diff([d.sample for d in decisions])
    assert set(hops) == {RAW_HOP}
    assert all(d.t == (d.sample - 1) / SFREQ for d in decisions)


def test_waking_exactly_at_the_hop(bundle: Bundle) -> None:
    decoder, data, at = engine(bundle), planted(6.0), 0
    while at + decoder.samples_to_next_hop() <= len(data):
        size = decoder.samples_to_next_hop()
        before = decoder._windows.start
        decoder.push(Chunk(data[at : at + size], (at + np.arange(size)) / SFREQ, at))
        assert decoder._windows.start == before + 16
        at += size
    assert at > 5 * SFREQ


def test_reset_starts_a_new_run_with_the_same_answers(bundle: Bundle) -> None:
    decoder = engine(bundle)
    first = feed(decoder, planted(), [])
    decoder.reset()
    second = feed(decoder, planted(), [])
    assert [d.run for d in second] == [2] * len(second)
    assert [dataclasses.replace(d, run=1) for d in second] == first


def test_a_gap_cannot_be_fed_by_mistake(bundle: Bundle) -> None:
    decoder = engine(bundle)
    decoder.push(Chunk(planted()[:10], np.arange(10) / SFREQ, 0))
    with pytest.raises(ValueError, match="starts at sample 12, the run goes on at 10"):
        decoder.push(Chunk(planted()[:10], np.arange(10) / SFREQ, 12))


def test_filling_is_counted_in_seconds(bundle: Bundle) -> None:
    decoder = engine(bundle)
    assert decoder.filled_s == (0.0, 1.5)
    decoder.push(Chunk(planted()[:64], np.arange(64) / SFREQ, 0))
    assert decoder.filled_s == (0.5, 1.5)


def test_text_without_retrieval_is_not_lost(tmp_path: Path, bundle: Bundle) -> None:
    decisions = feed(engine(bundle), planted(), [])
    said = "".join(d.text.delta for d in decisions if d.text)
    assert said
    assert decisions[-1].text is not None
    assert decisions[-1].text.committed == said


def test_a_baseline_is_taken_off_every_window(bundle: Bundle) -> None:
    model = replace(bundle.spec.model, mode="window", size=2 * HOP, baseline=5)
    wide = replace(bundle, spec=replace(bundle.spec, model=model, text=None))

    class Seen:
        def __init__(self) -> None:
            self.windows: list[np.ndarray] = []

        def reset(self) -> None: ...

        def run(self, x: np.ndarray) -> Frames:
            self.windows.append(x)
            return Frames(np.zeros((len(x) // STRIDE, FEATURES), np.float32), None)

        def info(self) -> EngineInfo:
            return EngineInfo("seen", "window", HOP, "fp32", 1)

    seen = Seen()
    info = StreamInfo("EEG", "EEG", LABELS, ("microvolts",) * len(LABELS), SFREQ)
    engine = Engine(wide, wide.spec.stream.bind(info), seen)  # type: ignore[arg-type]
    data = planted(3.0)
    engine.push(Chunk(data, np.arange(len(data)) / SFREQ, 0))
    assert len(seen.windows) > 5
    for window in seen.windows:
        np.testing.assert_allclose(window[:5].mean(axis=0), 0, atol=1e-5)
    with pytest.raises(ValueError, match="cannot have a baseline of 5"):
        replace(bundle.spec.model, baseline=5)
