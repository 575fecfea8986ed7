"""Scores at the features' own rate, with the last layer folded in, or by 8 bits: those of the definition."""

from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from rtdecode.retrieval.bank import map_features
from rtdecode.retrieval.coarse import Coarse, agreement
from rtdecode.retrieval.graph import integer_product
from rtdecode.retrieval.interpolate import Interpolation
from rtdecode.retrieval.ranking import top_order
from rtdecode.retrieval.segments import Filling, Segments

NATIVE, FRAMES, F, H, T = 15, 36, 6, 4, 400
REGULAR, FAR, ANYWHERE = range(0, 380, 5), range(0, 380, 20), (0, 3, 3, 200, 77, 385)


def interpolation(kind: str, native: int = NATIVE, frames: int = FRAMES) -> Interpolation:
    return Interpolation.linear(native, frames) if kind == "linear" else Interpolation.nearest(native, frames)


def stream(seed: int = 0, frames: int = T, width: int = F) -> np.ndarray:
    return (np.random.default_rng(seed).normal(size=(frames, width)) + 0.3).astype(np.float32)


def plain(e: np.ndarray, s: np.ndarray, firsts, u: Interpolation, center: bool = False) -> np.ndarray:
    """The definition in float64, with every candidate brought to the window's rate."""
    e, found = e.astype(np.float64), []
    for first in firsts:
        c = u.matrix.toarray().astype(np.float64) @ s[first : first + u.native]
        c, x = (c - c.mean(axis=0), e - e.mean(axis=0)) if center else (c, e)
        norm = np.linalg.norm(c)
        found.append((x * c).sum() / norm if norm > 1e-6 else 0.0)
    return np.array(found)


@pytest.mark.parametrize("kind", ["nearest", "linear"])
@pytest.mark.parametrize(("native", "frames"), [(150, 360), (149, 360), (7, 7), (5, 3), (1, 4)])
def test_interpolation_is_that_of_torch(kind: str, native: int, frames: int) -> None:
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(0).normal(size=(native, 3)).astype(np.float32)
    inner = torch.from_numpy(x.T[None].copy())
    expected = torch.nn.functional.interpolate(inner, size=frames, mode=kind)[0].T.numpy()
    np.testing.assert_allclose(interpolation(kind, native, frames).apply(x), expected, rtol=0, atol=1e-5)


def test_rows_of_a_recipe_are_taken_as_they_are() -> None:
    rows = np.array([-1, -1, 0, 0, 1, 3, 3, -1])
    x = np.arange(8, dtype=np.float32).reshape(4, 2)
    found = Interpolation.from_rows(rows).apply(x)
    assert np.array_equal(found, np.where(rows[:, None] >= 0, x[np.maximum(rows, 0)], 0))


@given(kind=st.sampled_from(["nearest", "linear"]), begin=st.integers(0, 35), n=st.integers(1, 36))
def test_the_product_may_be_taken_at_either_rate(kind: str, begin: int, n: int) -> None:
    u, rng = interpolation(kind), np.random.default_rng(begin)
    e, c = rng.normal(size=(FRAMES, F)), rng.normal(size=(NATIVE, F))
    assert (u.adjoint(e) * c).sum() == pytest.approx((e * u.apply(c)).sum(), abs=1e-4)
    first, part = u.part(begin, min(begin + n, FRAMES))
    some = np.zeros_like(e)
    some[begin : begin + n] = e[begin : begin + n]
    whole = np.zeros((NATIVE, F))
    whole[first : first + len(part)] = part @ e[begin : begin + n]
    np.testing.assert_allclose(whole, u.adjoint(some), atol=1e-5)


@pytest.mark.parametrize("kind", ["nearest", "linear"])
@pytest.mark.parametrize("center", [False, True])
@pytest.mark.parametrize("firsts", [REGULAR, FAR, ANYWHERE], ids=["overlapping", "apart", "anywhere"])
def test_scores_are_those_of_the_definition(kind: str, center: bool, firsts) -> None:
    u, s = interpolation(kind), stream()
    e = np.random.default_rng(1).normal(size=(FRAMES, F)).astype(np.float32) + 0.5
    segments = Segments(s, firsts, u, center=center)
    expected = plain(e, s, firsts, u, center)
    np.testing.assert_allclose(segments.scores(e), expected, rtol=0, atol=1e-5 * expected.std())
    which = np.array([3, 0, 5])
    np.testing.assert_allclose(segments.some(segments.query(e), which), expected[which], rtol=0, atol=1e-4)


@pytest.mark.parametrize("kind", ["nearest", "linear"])
@pytest.mark.parametrize("center", [False, True])
@pytest.mark.parametrize("biased", [False, True])
def test_a_folded_layer_changes_no_score(kind: str, center: bool, biased: bool) -> None:
    u, s, rng = interpolation(kind), stream(), np.random.default_rng(2)
    weight = rng.normal(size=(F, H)).astype(np.float32)
    bias = rng.normal(size=F).astype(np.float32) if biased else None
    h = rng.normal(size=(FRAMES, H)).astype(np.float32)
    e = h @ weight.T + (0 if bias is None else bias)
    expected = plain(e, s, ANYWHERE, u, center)
    found = Segments(s, ANYWHERE, u, center=center).folded(weight, bias).scores(h)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * expected.std())


@settings(max_examples=40, deadline=None)
@given(
    kind=st.sampled_from(["nearest", "linear"]),
    folded=st.booleans(),
    block=st.integers(1, 40),
    sizes=st.lists(st.integers(0, 20), max_size=10),
    firsts=st.sampled_from([tuple(REGULAR), ANYWHERE]),
)
def test_a_filling_window_has_the_scores_of_what_it_holds(kind, folded, block, sizes, firsts) -> None:
    u, s, rng = interpolation(kind), stream(), np.random.default_rng(3)
    segments, width, weight, bias = Segments(s, firsts, u), F, np.eye(F), np.zeros(F)
    if folded:
        weight, bias, width = rng.normal(size=(F, H)), rng.normal(size=F), H
        segments = segments.folded(weight, bias)
    h = rng.normal(size=(FRAMES, width)).astype(np.float32)
    e = h @ weight.T + bias
    pieces, single = Filling(segments, block), Filling(segments, block)
    at = 0
    for size in [*sizes, FRAMES]:
        piece = h[at : at + size]
        pieces.push(piece)
        for frame in piece:
            single.push(frame[None])
        at += len(piece)
        part = np.zeros_like(e)
        part[:at] = e[:at]
        shorter = Interpolation(
            u.low, u.high, u.weight, np.where(np.arange(FRAMES) < at, u.gain, 0), u.native
        )
        expected = plain(part, s, firsts, shorter)
        np.testing.assert_allclose(pieces.scores(), expected, rtol=0, atol=1e-5 * max(1, expected.std()))
        assert np.array_equal(pieces.scores(), single.scores())
    np.testing.assert_allclose(pieces.scores(), segments.scores(h), rtol=0, atol=1e-4)
    with pytest.raises(ValueError, match="36 frames, not more"):
        pieces.push(h[:1])
    pieces.reset()
    assert not pieces.scores().any()


def test_a_mean_is_not_known_while_a_window_fills() -> None:
    with pytest.raises(ValueError, match="mean"):
        Filling(Segments(stream(), FAR, interpolation("nearest"), center=True), 4)


def test_segments_and_estimates_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="outside the stream's 400 frames"):
        Segments(stream(), (0, 386), interpolation("nearest"))
    with pytest.raises(ValueError, match=r"shape \(36, 6\), it has \(35, 6\)"):
        Segments(stream(), FAR, interpolation("nearest")).scores(np.zeros((35, F), np.float32))


def test_a_mapped_stream_is_scored_where_it_lies(tmp_path: Path) -> None:
    save_file({"features": stream()}, tmp_path / "stream")
    mapped = map_features(tmp_path / "stream")
    e = np.random.default_rng(1).normal(size=(FRAMES, F)).astype(np.float32)
    for firsts in (REGULAR, FAR, ANYWHERE):
        segments = Segments(mapped, firsts, interpolation("nearest"))
        assert np.shares_memory(segments.slices.features, mapped)
        assert np.array_equal(
            segments.scores(e), Segments(stream(), firsts, interpolation("nearest")).scores(e)
        )


def test_the_integer_graph_is_exact() -> None:
    rng = np.random.default_rng(4)
    bank = rng.integers(-63, 64, size=(301, 7)).astype(np.int8)
    query = rng.integers(1, 256, size=(1, 301)).astype(np.uint8)
    session = ort.InferenceSession(integer_product(bank, 128), providers=["CPUExecutionProvider"])
    expected = (query.astype(np.int64) - 128) @ bank.astype(np.int64)
    assert np.array_equal(session.run(None, {"query": query})[0], expected)


@pytest.fixture(scope="module")
def coarse_case() -> tuple[Segments, list[np.ndarray]]:
    """300 slices of one stream, and held-out queries that are noisy candidates."""
    rng, u = np.random.default_rng(5), interpolation("nearest")
    s = stream(6, 3200)
    segments = Segments(s, rng.integers(0, 3180, size=300), u)
    owners = rng.integers(300, size=40)
    queries = [
        (u.apply(s[segments.firsts[k] : segments.firsts[k] + NATIVE]) + rng.normal(size=(FRAMES, F))).astype(
            np.float32
        )
        for k in owners
    ]
    return segments, queries


def test_a_first_choice_in_8_bits_ends_in_exact_scores(coarse_case) -> None:
    segments, queries = coarse_case
    coarse = Coarse(segments)
    for query in queries:
        exact = segments.scores(query)
        which, scores = coarse.top(query)
        assert np.array_equal(which, top_order(exact, 10))
        np.testing.assert_allclose(scores, exact[which], rtol=1e-5)
        rough = coarse.coarse(segments.query(query))
        assert np.abs(rough - exact).max() < 0.1 * exact.std()
    found = agreement(coarse, queries)
    assert (found.queries, found.identical, found.share) == (40, 40, 1.0)
    assert 9 <= found.worst < 50
    assert "top-10 identical for 40 of 40 held-out queries (100.0%)" in str(found)


def test_disagreement_is_counted(coarse_case) -> None:
    segments, queries = coarse_case
    coarse = Coarse(segments, rerank=10)  # nothing to choose from: the coarse ten are the ten
    assert agreement(coarse, queries).identical < 40


def test_a_folded_bank_may_be_searched_in_8_bits(coarse_case) -> None:
    segments, _ = coarse_case
    rng = np.random.default_rng(7)
    folded = segments.folded(rng.normal(size=(F, H)), rng.normal(size=F))
    h = rng.normal(size=(FRAMES, H)).astype(np.float32)
    assert np.array_equal(Coarse(folded).top(h)[0], top_order(folded.scores(h), 10))


def test_more_values_than_32_bits_hold_are_refused() -> None:
    u = Interpolation.nearest(1000, 1000)
    with pytest.raises(ValueError, match="do not fit 32 bits"):
        Coarse(Segments(stream(0, 1000, 300), (0,), u))


def test_wide_segments_are_scored_a_few_rows_at_a_time() -> None:
    u, s = interpolation("nearest"), stream(8, 150, 2400)
    e = np.random.default_rng(9).normal(size=(FRAMES, 2400)).astype(np.float32)
    firsts = range(0, 7 * NATIVE, NATIVE)  # no multiple of those few
    expected = plain(e, s, firsts, u)
    np.testing.assert_allclose(Segments(s, firsts, u).scores(e), expected, rtol=0, atol=1e-5 * expected.std())
