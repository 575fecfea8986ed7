"""Raw samples -> samples at the model's rate, a whole recording at a time.

'reference' is the published recipe: one zero-phase windowed-sinc filter that resamples, of the shape of
julius (ResampleFrac: sinc under a squared cosine, 24 zero crossings, roll-off 0.945, edges held, each phase
summing to 1). It looks ahead and cannot run live. 'causal' is the live decoder's own band-pass and resampler.
Knows no study and no file.

Channels are treated alike and alone, so they are taken a few at a time ('reference'), time a piece at a time
('causal'): how many makes no difference to a single bit, only to memory.
"""

from collections.abc import Callable
from fractions import Fraction

import numpy as np
from scipy import signal

from offline.prepare.settings import PrepareSettings
from rtdecode.errors import StudyError
from rtdecode.preprocess import BandPass, Resampler

ZEROS, ROLLOFF = 24, 0.945  # of the resampler
FILTER_ZEROS = 8  # of the high-pass and the low-pass
BLOCK_BYTES = 1 << 28  # of float64 at a time
Report = Callable[[int, int], None]


def prepared_signal(
    data: np.ndarray,
    sfreq: float,
    settings: PrepareSettings,
    *,
    block: int = 0,
    report: Report | None = None,
) -> np.ndarray:
    """(T, C) at sfreq Hz -> (T', C) float32 at settings.sfreq, T' = floor(T x ratio) ('reference') or
    ceil ('causal').

    block   channels ('reference') or thousands of samples ('causal') at a time; 0: what fits in memory
    report  called with how much is done and of how much

    Raises StudyError for a recording slower than settings.sfreq, a band beyond half its rate, samples that
    are no numbers.
    """
    if sfreq < settings.sfreq:
        raise StudyError(
            f"recorded at {sfreq:g} Hz, to be prepared at {settings.sfreq:g} Hz: what is not there cannot be "
            f"resampled",
            hint=f"prepare at {sfreq:g} Hz or less",
        )
    if len(data) * settings.sfreq < sfreq:
        raise StudyError(
            f"the recording has {len(data)} samples at {sfreq:g} Hz, not one at {settings.sfreq:g} Hz",
            hint="is the file complete?",
        )
    report = report or (lambda _done, _all: None)
    if settings.filter == "causal":
        return _causal(data, sfreq, settings, block, report)
    return _reference(data, sfreq, settings, block, report)


def _causal(
    data: np.ndarray, sfreq: float, settings: PrepareSettings, block: int, report: Report
) -> np.ndarray:
    if settings.lowpass_hz >= sfreq / 2:
        raise StudyError(
            f"the low-pass at {settings.lowpass_hz:g} Hz is beyond half of the recording's {sfreq:g} Hz"
        )
    band_pass = BandPass(sfreq, settings.highpass_hz, settings.lowpass_hz, settings.order)
    resampler = Resampler(sfreq, settings.sfreq)
    step = 1000 * block or max(1000, BLOCK_BYTES // (8 * data.shape[1]))
    out = np.empty((resampler.outputs_after(len(data)), data.shape[1]), np.float32)
    made = 0
    for start in range(0, len(data), step):
        piece = data[start : start + step]
        _finite(piece)
        y = resampler.push(band_pass.push(piece))
        out[made : made + len(y)] = y
        made += len(y)
        report(min(start + step, len(data)), len(data))
    return out


def _reference(
    data: np.ndarray, sfreq: float, settings: PrepareSettings, block: int, report: Report
) -> np.ndarray:
    count, channels = data.shape
    resample = SincResampler(sfreq, settings.sfreq)
    out = np.empty((resample.outputs_after(count), channels), np.float32)
    block = block or max(1, BLOCK_BYTES // (8 * count))
    for start in range(0, channels, block):
        stop = min(start + block, channels)
        columns = np.ascontiguousarray(data[:, start:stop].T, dtype=np.float64)
        _finite(columns)
        for channel, x in enumerate(columns, start=start):
            y = resample(x)
            if settings.lowpass_hz:
                y = sinc_lowpass(y, settings.lowpass_hz, settings.sfreq)
            if settings.highpass_hz:
                y = y - sinc_lowpass(y, settings.highpass_hz, settings.sfreq)
            out[:, channel] = y
        report(stop, channels)
    return out


def _finite(x: np.ndarray) -> None:
    if not np.isfinite(x).all():
        raise StudyError(
            f"the recording holds {np.sum(~np.isfinite(x))} values that are not numbers",
            hint="leave the recording out, or mend it",
        )


class SincResampler:
    """Zero-phase resampling by a rational ratio. (T,) -> (T',) float64, T' = floor(T x ratio).

    The rate is taken as the nearest fraction with a denominator up to 200, which is off by less than 10 ms in
    an hour at 1000 Hz. (julius takes the nearest whole number: at 600.61 Hz that is 2 s.)
    """

    def __init__(self, sfreq_in: float, sfreq: float):
        ratio = Fraction(sfreq).limit_denominator(200) / Fraction(sfreq_in).limit_denominator(200)
        if ratio > 1:
            raise ValueError(f"cannot resample from {sfreq_in:g} to the higher {sfreq:g} Hz")
        self.up, self.down = ratio.numerator, ratio.denominator
        half = int(ZEROS * self.down / ROLLOFF)  # in steps of 1 / up input samples
        self._pad = half // self.up + 1  # input samples
        # The first output is to fall on the first sample: pad x up + lead must be a multiple of down.
        lead = half + -(self._pad * self.up + half) % self.down
        steps = np.arange(-lead, half + 1)
        t = np.clip(steps * ROLLOFF / self.down, -ZEROS, ZEROS)
        taps = np.sinc(t) * np.cos(np.pi * t / ZEROS / 2) ** 2
        for phase in range(self.up):
            taps[phase :: self.up] /= taps[phase :: self.up].sum()
        self._taps, self._skip = taps, (self._pad * self.up + lead) // self.down

    def outputs_after(self, inputs: int) -> int:
        return inputs * self.up // self.down

    def __call__(self, x: np.ndarray) -> np.ndarray:
        if self.up == self.down:
            return x
        held = np.pad(x, self._pad, mode="edge")
        y = signal.upfirdn(self._taps, held, self.up, self.down)
        return y[self._skip : self._skip + self.outputs_after(len(x))]


def sinc_lowpass(x: np.ndarray, cutoff_hz: float, sfreq: float) -> np.ndarray:
    """(T,) -> (T,): zero-phase low-pass, a sinc of 8 zero crossings under a Hann window, edges held; the
    shape of julius' LowPassFilter.
    """
    cutoff = cutoff_hz / sfreq
    half = int(FILTER_ZEROS / cutoff / 2)
    taps = np.sinc(2 * cutoff * np.arange(-half, half + 1)) * np.hanning(2 * half + 1)
    return signal.oaconvolve(np.pad(x, half, mode="edge"), taps / taps.sum(), mode="valid")


def delay_s(sfreq: float, settings: PrepareSettings) -> float:
    """Seconds by which the prepared signal lags the recorded one: 0 for 'reference', the group delay for
    'causal'.
    """
    if settings.filter == "reference":
        return 0.0
    band_pass = BandPass(sfreq, settings.highpass_hz, settings.lowpass_hz, settings.order)
    return band_pass.delay_s + Resampler(sfreq, settings.sfreq).delay_s
