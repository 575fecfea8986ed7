"""A bank whose features stand at their own rate ranks as the one whose timeline was written out.

Why it matters: hours of audio are kept once per feature frame instead of once per model frame, and a hop
multiplies that many fewer. Nothing of what is said may change by it.
"""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from rtdecode.retrieval.bank import at_native_rate, read_rows
from rtdecode.retrieval.interpolate import Interpolation
from rtdecode.retrieval.ranking import top_order
from rtdecode.retrieve import Bank, Candidate, RetrievalSpec, Retriever, map_features

RATE, NATIVE, F = 120.0, 50, 6


def bank(seconds: int, seed: int, align: str = "search") -> Bank:
    """Features of 50 Hz brought to 120 Hz as the recipe does, with a pause in between."""
    rng = np.random.default_rng(seed)
    sound = (rng.normal(size=(NATIVE * seconds, F)) + 0.5).astype(np.float32)
    spoken = Interpolation.nearest(NATIVE * seconds, round(RATE) * seconds).apply(sound)
    timeline = np.concatenate([spoken[:201], np.zeros((40, F), np.float32), spoken[201:]])
    step, length = (25, 25) if align == "search" else (40, 120)
    first = range(120, len(timeline) - length, step)
    spans = tuple(Candidate(f"c{k}", f"w{k}", "s", at, length, 0.0, 0.2) for k, at in enumerate(first))
    return Bank(timeline, spans)


def test_frames_that_repeat_are_kept_once_and_the_timeline_is_the_same() -> None:
    plain = bank(6, 0)
    native = at_native_rate(plain)
    assert len(native.features) == 6 * NATIVE + 2  # the pause, and the frame it cuts in two
    assert native.frames == plain.frames and native.rows is not None and native.rows.dtype == np.int32
    assert native.timeline.tobytes() == np.ascontiguousarray(plain.features).tobytes()
    assert native.candidates is plain.candidates
    assert at_native_rate(native) is native


def test_what_hardly_repeats_is_left_as_it_is() -> None:
    rng = np.random.default_rng(1)
    plain = Bank(rng.normal(size=(100, F)).astype(np.float32), bank(6, 0).candidates)
    assert at_native_rate(plain) is plain
    signed = Bank(np.array([[0.0], [-0.0]] * 50, np.float32), plain.candidates)
    assert at_native_rate(signed) is signed  # equal, but not the same bits


@settings(max_examples=30, deadline=None)
@given(
    align=st.sampled_from(["search", "onset"]),
    hop=st.sampled_from([None, 1, 12, 30]),
    sizes=st.lists(st.integers(1, 40), min_size=3, max_size=12),
    seed=st.integers(0, 5),
)
def test_scores_and_rankings_are_those_of_the_whole_timeline(align, hop, sizes, seed) -> None:
    plain = bank(6, seed, align)
    native, spec = at_native_rate(plain), RetrievalSpec(60, 0, align, 10.0)
    one, other = (Retriever(spec, each, RATE, hop=hop) for each in (plain, native))
    rng, at = np.random.default_rng(seed), 0
    z = plain.features[100:] + rng.normal(size=plain.features[100:].shape).astype(np.float32)
    for size in [60, *sizes]:
        piece = z[at : at + size]
        at += len(piece)
        for retriever in (one, other):
            retriever.push(piece, at)
        if one.ready() and not one.ended():
            expected, found = one.scores(), other.scores()
            np.testing.assert_allclose(found, expected, rtol=0, atol=2e-6)
            assert np.array_equal(top_order(found, 10), top_order(expected, 10))


def test_a_bundles_bank_is_read_back_and_a_wrong_one_refused(tmp_path: Path) -> None:
    from rtdecode.bundle import write_bank

    native = at_native_rate(bank(6, 2))
    write_bank(tmp_path, native)
    file = tmp_path / "bank.safetensors"
    features = map_features(file)
    rows = read_rows(file, len(features))
    assert rows is not None and native.rows is not None
    assert np.array_equal(rows, native.rows) and np.array_equal(features, native.features)
    with pytest.raises(ValueError, match=r"'rows' names rows outside the 300 of the features"):
        read_rows(file, 300)
    save_file({"features": np.ones((4, 2), np.float32)}, file)
    assert read_rows(file, 4) is None
    save_file({"features": np.ones((4, 2), np.float32), "rows": np.zeros((2, 2), np.int32)}, file)
    with pytest.raises(ValueError, match=r"'rows' is I32 of shape \(2, 2\), not \(T,\) int32"):
        read_rows(file, 4)
