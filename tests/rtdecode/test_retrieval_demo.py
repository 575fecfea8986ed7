"""The shipped decoder on its held-out recording: every way of scoring names the same ten."""

import numpy as np
import pytest

from rtdecode.bundle import Bundle, load_bundle
from rtdecode.engine import Engine
from rtdecode.engines import open_session
from rtdecode.recordings import decode, read
from rtdecode.retrieval.coarse import Coarse, agreement
from rtdecode.retrieval.interpolate import Interpolation
from rtdecode.retrieval.segments import Segments
from rtdecode.retrieve import Retriever
from tests.processes import ROOT


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load_bundle(ROOT / "recordings" / "demo")


@pytest.fixture(scope="module")
def estimate(bundle: Bundle) -> np.ndarray:
    """(T', F): what the decoder made of the whole recording."""
    recording = read(ROOT / "recordings" / "demo.xdf", "EEG")
    session, pieces = open_session(bundle), []
    run = session.run

    def kept(x: np.ndarray):
        frames = run(x)
        pieces.append(frames.estimate.copy())
        return frames

    session.run = kept  # type: ignore[method-assign]
    decode(Engine(bundle, bundle.spec.stream.bind(recording.info), session), recording)
    return np.concatenate(pieces)


def test_progressive_scores_rank_as_whole_windows_do(bundle: Bundle, estimate: np.ndarray) -> None:
    spec, bank = bundle.spec.retrieval, bundle.bank
    assert spec and bank
    hop = bundle.spec.model.hop // bundle.spec.model.stride
    whole = Retriever(spec, bank, bundle.spec.frame_rate)
    progressive = Retriever(spec, bank, bundle.spec.frame_rate, hop=hop)
    asked = 0
    for stop in range(hop, len(estimate) + 1, hop):
        for retriever in (whole, progressive):
            retriever.push(estimate[stop - hop : stop], stop)
        if whole.ready() and stop % (4 * hop) == 0:
            np.testing.assert_allclose(progressive.scores(), whole.scores(), rtol=0, atol=2e-6)
            ours, theirs = progressive.rank().hits, whole.rank().hits
            assert [hit.id for hit in ours] == [hit.id for hit in theirs]
            asked += 1
    assert asked > 80


def test_8_bits_and_a_second_look_name_the_same_ten(bundle: Bundle, estimate: np.ndarray) -> None:
    """Every window of the bank that ends inside a candidate is a segment."""
    spec, bank = bundle.spec.retrieval, bundle.bank
    assert spec and bank
    n = spec.frames
    ends = np.concatenate([np.arange(c.first + 1, c.first + c.frames + 1) for c in bank.candidates])
    segments = Segments(bank.features, ends - n, Interpolation.nearest(n, n), center=True)
    windows = [estimate[stop - n : stop] for stop in range(n, len(estimate) + 1, n // 3)]
    found = agreement(Coarse(segments), windows)
    assert found.queries > 80
    assert found.share == 1.0, str(found)
