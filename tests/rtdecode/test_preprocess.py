"""Fed in pieces equals fed whole, bit for bit; the future never reaches the past; the band is the band."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal

from rtdecode.preprocess import (
    BandPass,
    FollowingScaler,
    Preprocess,
    PreprocessSpec,
    Resampler,
    Scaler,
    robust_scale,
)

HOP = 64


def spec(sfreq_in: float = 256.0, sfreq: float = 64.0, channels: int = 3) -> PreprocessSpec:
    ones = (1.0,) * channels
    return PreprocessSpec(sfreq_in, sfreq, 1.0, 20.0, 4, (0.5,) * channels, ones, clamp=3.0)


def raw(samples: int, channels: int = 3, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    offset = np.array([4000.0, -20_000.0, 0.0])[:channels]  # amplifiers sit at thousands of µV
    return (offset + 10 * rng.normal(size=(samples, channels))).astype(np.float32)


def in_pieces(box, x: np.ndarray, sizes: list[int]) -> np.ndarray:
    outputs, at = [], 0
    for size in [*sizes, len(x)]:
        outputs.append(box.push(x[at : at + size]))
        at += size
    return np.concatenate(outputs)


BOXES = {
    "band_pass": lambda: BandPass(256.0, 1.0, 20.0, 4),
    "decimate": lambda: Resampler(256.0, 64.0),
    "rational": lambda: Resampler(250.0, 64.0),
    "same_rate": lambda: Resampler(64.0, 64.0),
    "scaler": lambda: Scaler((0.0, 1.0, 2.0), (1.0, 2.0, 3.0), 2.0),
    "following": lambda: FollowingScaler((4000.0, -20_000.0, 0.0), (10.0, 5.0, 20.0), 4.0, 50.0),
    "unfiltered": lambda: Preprocess(replace(spec(64.0), highpass_hz=0.0, lowpass_hz=0.0, adapt_s=2.0)),
    "chain": lambda: Preprocess(spec()),
    "chain_rational": lambda: Preprocess(spec(1000.0, 64.0)),
}
sizes_of_pieces = st.lists(st.sampled_from([0, 1, 7, HOP]) | st.integers(0, 300), max_size=30)


@pytest.mark.parametrize("name", BOXES)
@settings(max_examples=25, deadline=None)
@given(sizes=sizes_of_pieces)
def test_pieces_equal_whole(name: str, sizes: list[int]) -> None:
    x = raw(700)
    whole = BOXES[name]().push(x)
    assert np.array_equal(in_pieces(BOXES[name](), x, sizes), whole)


@pytest.mark.parametrize("name", BOXES)
def test_reset_forgets_everything(name: str) -> None:
    box = BOXES[name]()
    first = box.push(raw(500))
    box.push(raw(123, seed=1))
    box.reset()
    assert np.array_equal(box.push(raw(500)), first)


@pytest.mark.parametrize("name", BOXES)
def test_the_future_never_reaches_the_past(name: str) -> None:
    x, other = raw(600), raw(600)
    other[400:] += 1e3
    a, b = BOXES[name]().push(x), BOXES[name]().push(other)
    untouched = int(np.flatnonzero((a != b).any(axis=1))[0])
    assert np.array_equal(a[:untouched], b[:untouched])
    assert untouched >= 400 * len(a) // 600  # output n uses nothing after its own time


@pytest.mark.parametrize(
    ("sfreq_in", "sfreq"), [(256.0, 64.0), (250.0, 64.0), (1000.0, 120.0), (500.0, 500.0)]
)
def test_resampler_counts_outputs_and_newest_inputs(sfreq_in: float, sfreq: float) -> None:
    box = Resampler(sfreq_in, sfreq)
    for total in range(1, 60):
        box.reset()
        made = len(box.push(np.ones((total, 1))))
        assert made == box.outputs_after(total)
        assert box.newest_input(made - 1) < total <= box.newest_input(made)


def test_resampler_keeps_the_band_and_stops_aliases() -> None:
    sfreq, seconds = 1000.0, 20
    t = np.arange(int(sfreq * seconds)) / sfreq
    for hz, low, high in [(5, 0.99, 1.01), (20, 0.95, 1.05), (50, 0.0, 0.01), (59, 0.0, 0.01)]:
        y = Resampler(sfreq, 64.0).push(np.sin(2 * np.pi * hz * t)[:, None])[320:]
        assert low <= np.sqrt(2) * y.std() <= high, hz


def test_declared_delay_is_the_measured_one() -> None:
    box = Preprocess(spec(channels=1))
    t = np.arange(256 * 30) / 256
    centre = np.sqrt(1.0 * 20.0)
    burst = (np.sin(2 * np.pi * centre * t) * np.exp(-(((t - 15) / 1.0) ** 2)))[:, None]
    y = box.push(burst.astype(np.float32))[:, 0].astype(float) + 0.5
    envelope = np.abs(signal.hilbert(y))
    peak_s = (np.arange(len(y)) / 64 * envelope**4).sum() / (envelope**4).sum()
    assert peak_s - 15 == pytest.approx(box.delay_s, abs=0.01)


def test_an_offset_of_thousands_does_not_ring() -> None:
    constant = np.full((512, 3), 20_000.0, np.float32)
    assert np.abs(Preprocess(spec()).push(constant) + 0.5).max() < 1e-3  # (0 - center) / scale


def test_clamp_bounds_an_artefact() -> None:
    x = raw(1000)
    x[500:520] += 1e6
    assert np.abs(Preprocess(spec()).push(x)).max() == 3.0


def test_robust_scale_ignores_blinks_and_survives_flat_channels() -> None:
    x = np.random.default_rng(0).normal(3.0, 2.0, (10_000, 2))
    x[:200, 0] += 1000.0
    x[:, 1] = 7.0
    center, scale = robust_scale(x)
    assert center == pytest.approx([3.0, 7.0], abs=0.1)
    assert scale == pytest.approx([2.0, 1.0], abs=0.1)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"lowpass_hz": 200.0}, "sfreq_in / 2"),
        ({"sfreq": 512.0}, "512"),
        ({"scale": (1.0, 1.0)}, "3 values and scale 2"),
        ({"scale": (1.0, 0.0, 1.0)}, "positive"),
    ],
)
def test_nonsense_is_refused(change: dict, words: str) -> None:
    values = {f: getattr(spec(), f) for f in PreprocessSpec.__dataclass_fields__}
    with pytest.raises(ValueError, match=words):
        PreprocessSpec(**{**values, **change})


def test_a_following_scaler_follows_and_is_not_moved_by_one_artefact() -> None:
    rng = np.random.default_rng(0)
    x = 7.0 + 3.0 * rng.normal(size=(4000, 2))
    x[3000, 0] = 1e9
    y = FollowingScaler((0.0, 0.0), (1.0, 1.0), 5.0, 100.0).push(x)
    settled = y[1000:3000]
    assert np.abs(settled.mean(axis=0)).max() < 0.1 and np.abs(settled.std(axis=0) - 1).max() < 0.1
    assert y[3000, 0] == 5.0 and np.abs(y[3001:, 0] - y[3001:, 1]).mean() < 3.0
    assert abs(float(y[3200:, 0].mean())) < 0.3


def test_no_band_pass_leaves_constants_alone() -> None:
    plain = Preprocess(replace(spec(64.0), highpass_hz=0.0, lowpass_hz=0.0))
    assert np.allclose(plain.push(np.full((10, 3), 2.5, np.float32)), 2.0)
    assert plain.delay_s == 0.0


@pytest.mark.parametrize(
    "change", [{"highpass_hz": 0.0}, {"lowpass_hz": 0.0}, {"adapt_s": 0.001}, {"adapt_s": -1.0}]
)
def test_half_a_filter_or_no_time_is_refused(change: dict) -> None:
    with pytest.raises(ValueError, match=r"need 0 < highpass_hz|adapt_s"):
        replace(spec(), **change)
