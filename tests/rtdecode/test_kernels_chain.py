"""The compiled filters give what those in Python give, in any pieces.

Why it matters: which of the two runs depends on whether there was a compiler at installation; a decision may
not depend on that.
"""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from rtdecode.preprocess import BandPass, CompiledChain, Preprocess, PreprocessSpec, Resampler, Scaler
from tests.kernels_here import (
    compiled_only,
    kernels_used,
    twins,
)

__all__ = ["kernels_used"]

RATES = [64.0, 100.0, 128.0, 250.0, 256.0, 500.0, 512.0, 1000.0]


@st.composite
def specs(draw: st.DrawFn) -> PreprocessSpec:
    sfreq_in = draw(st.sampled_from(RATES))
    sfreq = draw(st.sampled_from([rate for rate in (30.0, 62.5, 64.0, 96.0, *RATES) if rate <= sfreq_in]))
    low, high = draw(st.sampled_from([(0.0, 0.0), (0.1, 30.0), (1.0, 20.0), (8.0, 31.0)]))
    channels, rng = draw(st.integers(1, 70)), np.random.default_rng(draw(st.integers(0, 99)))
    centre, scale = rng.normal(size=channels), rng.uniform(0.1, 30, channels)
    clamp, order = draw(st.sampled_from([0.5, 3.0, 20.0])), draw(st.integers(1, 6))
    return PreprocessSpec(
        sfreq_in, sfreq, low, high, order, tuple(centre.tolist()), tuple(scale.tolist()), clamp
    )


def laid_out(x: np.ndarray, layout: str) -> np.ndarray:
    """The same values, elsewhere in memory."""
    if layout == "columns":
        return np.asfortranarray(x)
    if layout == "strided":
        wide = np.zeros((2 * len(x), 3 * x.shape[1]), x.dtype)
        wide[::2, ::-3] = x
        return wide[::2, ::-3]
    if layout == "unaligned":
        store = np.zeros(x.nbytes + 1, np.uint8)
        view = store[1:].view(x.dtype).reshape(x.shape)
        view[:] = x
        return view
    if layout == "other bytes first":
        return x.astype(x.dtype.newbyteorder())
    x.flags.writeable = False
    return x


LAYOUTS = ["rows, read-only", "columns", "strided", "unaligned", "other bytes first"]


@st.composite
def signals(draw: st.DrawFn, channels: int) -> np.ndarray:
    """(T, C), far from 0 as an amplifier's, with an artefact that reaches the clamp."""
    rng, samples = np.random.default_rng(draw(st.integers(0, 99))), draw(st.integers(0, 500))
    offset = draw(st.sampled_from([0.0, 4000.0, 2e5]))
    x = offset * rng.choice([-1.0, 0.0, 1.0], channels) + 10 * rng.normal(size=(samples, channels))
    x[samples // 2 : samples // 2 + 3] += draw(st.sampled_from([0.0, -1e6]))
    dtype = draw(st.sampled_from([np.float32, np.float64, np.int32, np.float16]))
    return x.clip(-6e4, 6e4).astype(np.float16) if dtype is np.float16 else x.astype(dtype)


def in_pieces(box: Preprocess, x: np.ndarray, sizes: list[int]) -> np.ndarray:
    outputs, at = [], 0
    for size in [*sizes, len(x)]:
        outputs.append(box.push(x[at : at + size]))
        at += size
    return np.concatenate(outputs)


def one_by_one(spec: PreprocessSpec, x: np.ndarray) -> np.ndarray:
    """The boxes in numpy, the products of a resampled value added oldest first, as the compiled loop does."""
    y = x.astype(np.float64)
    if spec.lowpass_hz:
        y = BandPass(spec.sfreq_in, spec.highpass_hz, spec.lowpass_hz, spec.order).push(y)
    box = Resampler(spec.sfreq_in, spec.sfreq)
    taps, made = box.phases.shape[1], np.arange(box.outputs_after(len(x)))
    held = np.concatenate([np.zeros((taps - 1, y.shape[1])), y])
    sums, phases, newest = np.zeros((len(made), y.shape[1])), made * box.down % box.up, box.newest_input(made)
    for k in range(taps):
        sums += box.phases[phases, k][:, None] * held[newest + k]
    return Scaler(spec.center, spec.scale, spec.clamp).push(sums)


sizes_of_pieces = st.lists(st.sampled_from([0, 1, 7, 64]) | st.integers(0, 200), max_size=20)


@compiled_only
@settings(max_examples=40, deadline=None)
@given(st.data(), specs(), st.sampled_from(LAYOUTS), sizes_of_pieces)
def test_a_chain_in_any_pieces_has_the_bits_of_its_boxes(
    data: st.DataObject, spec: PreprocessSpec, layout: str, sizes: list[int]
) -> None:
    x, box = data.draw(signals(len(spec.center))), Preprocess(spec)
    assert isinstance(box._chain, CompiledChain)
    expected = one_by_one(spec, x)
    for _ in range(2):  # and again after a reset
        y = in_pieces(box, laid_out(x, layout), sizes)
        assert y.dtype == np.float32 and np.array_equal(y, expected)
        box.reset()


@compiled_only
@settings(max_examples=30, deadline=None)
@given(st.data(), specs(), sizes_of_pieces)
def test_a_chain_gives_what_it_gives_in_python(
    data: st.DataObject, spec: PreprocessSpec, sizes: list[int]
) -> None:
    """A resampled value is a product of the library there, which may add in another order: its last bit of
    float64 may differ, and once in a long while float32 then rounds the other way."""
    x = data.draw(signals(len(spec.center)))
    box, twin = twins(lambda: Preprocess(spec))
    assert twin._chain is None
    y, expected = in_pieces(box, x, sizes), in_pieces(twin, x, sizes[::-1])
    assert y.shape == expected.shape and y.dtype == expected.dtype == np.float32
    if spec.sfreq == spec.sfreq_in:
        assert np.array_equal(y, expected)
    else:
        rounding = 1e-12 * float(np.abs(x).max(initial=1.0)) / min(spec.scale)
        np.testing.assert_allclose(y, expected, rtol=2**-23, atol=rounding)
        assert (y != expected).mean() < 0.01 if y.size > 100 else True


@compiled_only
def test_a_chain_reaches_its_clamp_and_no_further() -> None:
    spec = PreprocessSpec(256.0, 64.0, 0.0, 0.0, 4, (0.0, 0.0), (1.0, 1.0), clamp=0.1)
    x = np.repeat([[1e9, -1e9]], 500, axis=0)
    for box in twins(lambda: Preprocess(spec)):
        assert np.array_equal(box.push(x)[-1], np.array([0.1, -0.1], np.float32))


@compiled_only
def test_what_is_not_a_number_stays_none() -> None:
    spec = PreprocessSpec(64.0, 64.0, 0.0, 0.0, 4, (0.0, 0.0), (1.0, 1.0))
    x = np.array([[np.nan, np.inf], [1.0, -np.inf]])
    for box in twins(lambda: Preprocess(spec)):
        assert np.array_equal(box.push(x), np.array([[np.nan, 20], [1, -20]], np.float32), equal_nan=True)
