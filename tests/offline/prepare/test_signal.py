"""From raw samples to the model's: the published resampler, the live decoder's boxes, any block size."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offline.prepare.settings import PrepareSettings
from offline.prepare.signal import SincResampler, delay_s, prepared_signal
from rtdecode.errors import ConfigError, StudyError
from rtdecode.preprocess import BandPass, Resampler

WALK = np.cumsum((np.arange(60) * 7919 % 101 - 50) / 50.0)
CAUSAL = PrepareSettings(sfreq=64.0, highpass_hz=0.5, lowpass_hz=25.0, filter="causal")


# What julius 0.2.8 gives for WALK: resample_frac(x, old, 120), elements 0, 1, 2, 5 and the last.
@pytest.mark.parametrize(
    ("sfreq", "count", "values"),
    [
        (500, 14, [-0.938125, -1.195269, -1.768593, -1.857335, -1.224852]),
        (128, 56, [-1.085519, -1.05477, -0.642587, -2.062699, -0.581919]),
    ],
)
def test_the_published_resampler(sfreq, count, values):
    y = SincResampler(sfreq, 120)(WALK)
    assert len(y) == count
    np.testing.assert_allclose(y[[0, 1, 2, 5, -1]], values, atol=3e-6)


def test_the_published_high_pass():
    """What julius.highpass_filter(WALK, 5 / 120) gives."""
    y = prepared_signal(WALK[:, None], 120.0, PrepareSettings(highpass_hz=5.0))
    np.testing.assert_allclose(y[[0, 1, 30, -1], 0], [0.011346, -0.128748, -0.524544, 0.363605], atol=3e-6)


@pytest.mark.parametrize("sfreq", [1000.0, 1200.0, 500.0, 256.0, 128.0, 600.615])
def test_slow_waves_pass_in_place_and_fast_ones_do_not(sfreq):
    """Zero phase: what happened at a time is found at that time. 90 Hz would come back as 30 Hz."""
    t, at = np.arange(round(8 * sfreq)) / sfreq, np.arange(8 * 120) / 120
    y = SincResampler(sfreq, 120)(np.sin(2 * np.pi * 20 * t))
    np.testing.assert_allclose(y[60:-60], np.sin(2 * np.pi * 20 * at)[60 : len(y) - 60], atol=2e-3)
    if sfreq > 200:
        assert np.abs(SincResampler(sfreq, 120)(np.sin(2 * np.pi * 90 * t))[60:-60]).max() < 1e-2


def test_a_rate_that_is_no_whole_number_does_not_drift():
    """Rounded to 601 Hz, an hour would end two seconds off."""
    sfreq = 600.615
    t = np.arange(round(600 * sfreq)) / sfreq
    y = SincResampler(sfreq, 120)(np.exp(-(((t - 590) / 0.05) ** 2)))
    assert np.argmax(y) == 590 * 120


@settings(max_examples=15, deadline=None)
@given(
    sfreq=st.sampled_from([1000.0, 500.0, 256.0, 128.0, 120.0]),
    count=st.integers(16, 500),  # one sample at 64 Hz takes 15.6 at 1000
    channels=st.integers(1, 7),
    block=st.integers(1, 8),
    highpass_hz=st.sampled_from([0.0, 2.0]),
    causal=st.booleans(),
)
def test_block_size_changes_no_bit(sfreq, count, channels, block, highpass_hz, causal):
    x = np.random.default_rng(count).normal(size=(count, channels)).astype(np.float32)
    chosen = CAUSAL if causal else PrepareSettings(highpass_hz=highpass_hz)
    whole = prepared_signal(x, sfreq, chosen, block=10**6)
    assert whole.dtype == np.float32
    np.testing.assert_array_equal(prepared_signal(x, sfreq, chosen, block=block), whole)


def test_causal_pieces_change_no_bit():
    x = np.random.default_rng(0).normal(size=(5300, 3)).astype(np.float32)
    whole = prepared_signal(x, 256.0, CAUSAL, block=100)
    for thousands in (1, 2):
        np.testing.assert_array_equal(prepared_signal(x, 256.0, CAUSAL, block=thousands), whole)


def test_causal_is_the_live_decoders_own():
    x = np.random.default_rng(0).normal(size=(2560, 3)).astype(np.float32)
    live = Resampler(256.0, 64.0).push(BandPass(256.0, 0.5, 25.0, 2).push(x)).astype(np.float32)
    np.testing.assert_array_equal(prepared_signal(x, 256.0, CAUSAL), live)
    assert delay_s(256.0, CAUSAL) > 0 == delay_s(256.0, PrepareSettings())


def test_upsampling_is_an_error_with_both_rates():
    with pytest.raises(StudyError, match=r"recorded at 100 Hz, to be prepared at 120 Hz"):
        prepared_signal(np.zeros((100, 2)), 100.0, PrepareSettings())


@pytest.mark.parametrize(("count", "rate"), [(0, 256.0), (2, 256.0)])
def test_a_recording_of_nothing_is_refused(count, rate):
    with pytest.raises(StudyError, match=f"has {count} samples at 256 Hz, not one at 120 Hz"):
        prepared_signal(np.zeros((count, 2)), rate, PrepareSettings())


@pytest.mark.parametrize("chosen", [PrepareSettings(), CAUSAL])
def test_values_that_are_not_numbers_are_counted(chosen):
    x = np.zeros((1000, 2), np.float32)
    x[3:5, 1] = np.nan
    with pytest.raises(StudyError, match="2 values that are not numbers"):
        prepared_signal(x, 256.0, chosen)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"filter": "refrence"}, "did you mean reference"),
        ({"split_rule": "sentences"}, "did you mean sentence"),
        ({"filter": "causal"}, "band-pass"),
        ({"sfreq": 0.0}, "positive"),
        ({"highpass_hz": 70.0}, "beyond half"),
        ({"highpass_hz": 7.0, "lowpass_hz": 5.0}, "leaves nothing"),
        ({"order": 0}, "at least 1"),
    ],
)
def test_settings_that_cannot_be(wrong, words):
    with pytest.raises(ConfigError, match=words):
        PrepareSettings(**wrong)
