"""Features of one sound, in its own time, by any kind of `SpeechSpec`.

Frame n starts at n / rate_hz seconds of the sound (of logmel and envelope it is centred on n + 1/2). The
context rule is the caller's to apply, because only the caller knows the split: with "block" it passes the
borders of the blocks, and each piece is computed as if nothing else existed; with "window" it passes the
window's audio alone; with "file" the whole sound.
"""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise

import numpy as np

from offline.features import speech_features
from offline.speech import mel
from offline.speech.audio import at_rate
from offline.speech.spec import SpeechSpec
from offline.speech.wav2vec2 import Wav2Vec2
from rtdecode.errors import ConfigError


def load_model(spec: SpeechSpec, device: str = "cpu") -> Wav2Vec2 | None:
    """What `compute` can be given to load a checkpoint once for many sounds; None where none is needed."""
    return Wav2Vec2(spec.checkpoint, spec.layers, spec.revision, device) if spec.kind == "wav2vec2" else None


def compute(
    audio: np.ndarray,
    sfreq: float,
    spec: SpeechSpec,
    model: Wav2Vec2 | None = None,
    *,
    borders_s: Sequence[float] = (),
    progress: Callable[[float, float], None] | None = None,
) -> tuple[np.ndarray, float]:
    """(T', F) float32 and its rate in Hz: the same rate for every sound, T' = duration x rate rounded up.

    audio      (N,) mono at sfreq Hz
    model      from `load_model`; None loads the checkpoint for this call
    borders_s  seconds of the sound where it is cut; only with context "block"
    progress   called with (seconds done, seconds in all) after every piece

    The published recipe stretches the frames of a piece over its duration, 49.9 per second or so; here they
    keep the 50 Hz (125 Hz for mel) at which the model made them, and the last one is held. The two differ by
    less than a frame. Raises StudyError (audio, checkpoint), ConfigError (borders without blocks),
    MissingExtra.
    """
    if len(borders_s) and spec.context != "block":
        raise ConfigError(
            f"a sound is cut only with context 'block', this one is {spec.context!r}", hint="pass no borders"
        )
    if spec.kind in ("logmel", "envelope"):
        audio = at_rate(audio, sfreq, mel.RATE_HZ)  # checked, and one meaning of bands for every file
        return speech_features(audio, mel.RATE_HZ, spec.frame_rate, spec.kind, spec.bands), spec.frame_rate
    frames_of: Callable[[np.ndarray], np.ndarray]
    if spec.kind == "mel":
        rate, frame_rate, frames_of = mel.RATE_HZ, mel.FRAME_RATE_HZ, partial(mel.log_mel, bands=spec.bands)
    else:
        model = model or load_model(spec)
        assert model is not None
        rate, frame_rate, frames_of = model.rate, model.frame_rate_hz, model.frames
    return _pieces(at_rate(audio, sfreq, rate), rate, frame_rate, borders_s, frames_of, progress), frame_rate


def _pieces(
    audio: np.ndarray,
    rate: int,
    frame_rate: float,
    borders_s: Sequence[float],
    frames_of: Callable[[np.ndarray], np.ndarray],
    progress: Callable[[float, float], None] | None,
) -> np.ndarray:
    """Every frame from the piece that its start lies in; a piece too short for a frame of its own holds
    none's.
    """
    total = len(audio)
    cuts = sorted({0, total} | {cut for cut in (round(b * rate) for b in borders_s) if 0 < cut < total})
    hop = rate / frame_rate
    count = int(np.ceil(total / hop - 1e-9))
    out: np.ndarray | None = None
    for start, stop in pairwise(cuts):
        first, last = (int(np.ceil(edge / hop - 1e-9)) for edge in (start, stop))
        if last > first:
            frames = frames_of(audio[start:stop])
            at = ((np.arange(first, last) * hop - start) / hop + 1e-9).astype(int)
            if out is None:
                out = np.zeros((count, frames.shape[1]), np.float32)
            out[first:last] = frames[np.minimum(at, len(frames) - 1)]
        if progress:
            progress(stop / rate, total / rate)
    assert out is not None  # frame 0 lies in the first piece
    return out
