"""Filters designed here are scipy's: section by section, tap by tap; their states are settled.

Why it matters: bundles were trained through scipy's coefficients and run with these.
"""

from fractions import Fraction

import numpy as np
import pytest
from scipy import signal

from rtdecode.filters import (
    butterworth_band_pass,
    group_delay_s,
    low_pass_fir,
    minimum_phase,
    settled,
)

RATES_HZ = (64.0, 100.0, 250.0, 256.0, 512.0, 1000.0, 1024.0, 2048.0)
LOW_HZ = (0.1, 0.5, 1.0, 4.0, 8.0)
HIGH_HZ = (12.0, 20.0, 30.0, 45.0, 100.0, 240.0)
BANDS = [(sfreq, low, high) for sfreq in RATES_HZ for low in LOW_HZ for high in HIGH_HZ]
BANDS = [(sfreq, low, high) for sfreq, low, high in BANDS if high < 0.49 * sfreq]


@pytest.mark.parametrize("order", range(1, 9))
def test_sections_are_scipys(order: int) -> None:
    for sfreq, low, high in BANDS:
        expected = signal.butter(order, (low, high), btype="bandpass", fs=sfreq, output="sos")
        found = butterworth_band_pass(order, low, high, sfreq)
        np.testing.assert_allclose(found, expected, rtol=1e-10, err_msg=f"{low}-{high} Hz at {sfreq} Hz")


def test_the_edges_are_half_the_power_and_the_middle_passes() -> None:
    for sfreq, low, high in BANDS:
        turned = np.tan(np.pi * np.array([low, high]) / sfreq)
        middle = np.arctan(np.sqrt(turned.prod())) * sfreq / np.pi
        sos = butterworth_band_pass(4, low, high, sfreq)
        z = np.exp(-2j * np.pi * np.array([low, middle, high])[:, None] / sfreq * np.arange(3))
        gain = np.abs(np.prod((z @ sos[:, :3].T) / (z @ sos[:, 3:].T), axis=1))
        np.testing.assert_allclose(gain, [0.5**0.5, 1.0, 0.5**0.5], rtol=1e-6)


@pytest.mark.parametrize("band", [(0.0, 20.0), (20.0, 20.0), (30.0, 20.0), (1.0, 128.0), (1.0, 200.0)])
def test_a_band_that_does_not_fit_is_refused(band: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="need order >= 1"):
        butterworth_band_pass(4, *band, 256.0)


def exactly_settled(sos: np.ndarray) -> np.ndarray:
    """The steady state in rational arithmetic: far below 1 Hz scipy's own has few digits left."""
    states, x = [], Fraction(1)
    for b0, b1, b2, a0, a1, a2 in (map(Fraction, section) for section in sos.tolist()):
        y = x * (b0 + b1 + b2) / (a0 + a1 + a2)
        states.append((float(y - b0 * x), float(b2 * x - a2 * y)))
        x = y
    return np.array(states)


@pytest.mark.parametrize("order", [1, 2, 3, 4, 8])
def test_the_settled_state_is_exact_and_scipys(order: int) -> None:
    for sfreq, low, high in BANDS:
        sos = butterworth_band_pass(order, low, high, sfreq)
        size = np.abs(settled(sos)).max()
        digits = 1e-15 / min(1e-5, sos[:, 3:].sum(axis=1).min())  # 1 + a1 + a2 cancels near 0 Hz
        np.testing.assert_allclose(settled(sos), exactly_settled(sos), rtol=0, atol=digits * size)
        np.testing.assert_allclose(settled(sos), signal.sosfilt_zi(sos), rtol=0, atol=100 * digits * size)


def test_a_settled_low_pass_stays_settled() -> None:
    sos = signal.butter(5, 20.0, fs=256.0, output="sos")  # gain 1 at 0 Hz: later sections see something
    y, after = signal.sosfilt(sos, np.ones(50), zi=settled(sos))
    np.testing.assert_allclose(y, 1.0, rtol=1e-12)
    np.testing.assert_allclose(after, settled(sos), rtol=1e-12)


@pytest.mark.parametrize("order", [1, 2, 4, 7])
def test_group_delay_is_scipys_and_the_slope_of_the_phase(order: int) -> None:
    for sfreq, low, high in BANDS:
        sos, at = butterworth_band_pass(order, low, high, sfreq), np.sqrt(low * high)
        if at > 0.02 * sfreq:  # below, scipy's has few digits left, or is 0
            by_section = [signal.group_delay((s[:3], s[3:]), w=[at], fs=sfreq)[1][0] for s in sos]
            assert group_delay_s(sos, at, sfreq) == pytest.approx(sum(by_section) / sfreq, rel=1e-9)
        z = np.exp(-2j * np.pi * np.array([at * 0.9999, at * 1.0001])[:, None] / sfreq * np.arange(3))
        h = np.prod((z @ sos[:, :3].T) / (z @ sos[:, 3:].T), axis=1)
        slope = -np.angle(h[1] / h[0]) / (2 * np.pi * 2e-4 * at)
        assert group_delay_s(sos, at, sfreq) == pytest.approx(slope, rel=1e-4)


@pytest.mark.parametrize("widest", [2, 3, 4, 8, 16, 25, 64, 125])
def test_low_passes_are_scipys_in_both_phases(widest: int) -> None:
    taps, cutoff = 20 * widest + 1, 0.9 / widest
    linear = low_pass_fir(taps, cutoff, 5.0)
    expected = signal.firwin(taps, cutoff, window=("kaiser", 5.0))
    np.testing.assert_allclose(linear, expected, rtol=1e-10, atol=1e-10 * expected.max())
    early = minimum_phase(linear)
    if "half" in signal.minimum_phase.__code__.co_varnames:  # not in the oldest scipy
        theirs = signal.minimum_phase(expected, half=False)
        np.testing.assert_allclose(early, theirs, rtol=0, atol=1e-10 * np.abs(theirs).max())
    assert len(early) == taps


def test_minimum_phase_keeps_magnitudes_and_comes_early() -> None:
    linear = low_pass_fir(81, 0.225, 5.0)
    early = minimum_phase(linear)
    passed = np.abs(np.fft.rfft(linear, 4096)) > 0.01
    magnitudes = [np.abs(np.fft.rfft(h, 4096))[passed] for h in (linear, early)]
    np.testing.assert_allclose(*magnitudes, rtol=1e-3)
    energy = np.cumsum(early**2) / (early**2).sum()
    assert np.searchsorted(energy, 0.9) < 20  # the linear one's lies around its middle, 40
