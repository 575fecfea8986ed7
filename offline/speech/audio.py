"""Audio as the feature models want it: checked, mono, at their rate. Knows no features."""

from fractions import Fraction

import numpy as np
from scipy import signal

from rtdecode.errors import StudyError


def at_rate(audio: np.ndarray, sfreq: float, rate: int) -> np.ndarray:
    """(N,) at sfreq Hz -> (N',) float32 at `rate` Hz, N' = N x rate / sfreq rounded up; polyphase.

    Raises StudyError when the audio is empty, not mono, or holds values that are no numbers.
    """
    audio = np.asarray(audio, np.float32)
    if audio.ndim != 1 or not len(audio):
        raise StudyError(f"audio must be (samples,) and not empty, got {audio.shape}", hint="mix it to mono")
    if not np.isfinite(audio).all():
        bad = int(np.flatnonzero(~np.isfinite(audio))[0])
        raise StudyError(
            f"audio has {audio[bad]} at {bad / sfreq:.3f} s", hint="is the file read in its format?"
        )
    if sfreq <= 0:
        raise StudyError(f"audio has a rate of {sfreq:g} Hz")
    ratio = Fraction(rate / sfreq).limit_denominator(48000)
    if ratio == 1:
        return audio
    return signal.resample_poly(audio, ratio.numerator, ratio.denominator).astype(np.float32)
