"""Sound files as samples: one mono signal and its rate.

16-bit PCM wave files need nothing but the standard library, so that studies made of them load without any
extra; everything else (FLAC, 24-bit, float, Ogg) goes through soundfile. Knows nothing of studies.
"""

import wave
from pathlib import Path

import numpy as np

from rtdecode.errors import MissingExtra, StudyError

_HINT = "is the file complete?"


def read_sound(path: Path) -> tuple[np.ndarray, float]:
    """(N,) float32 in [-1, 1], the mean of its channels, and its rate in Hz. Raises StudyError when the file
    is missing or is no sound, MissingExtra when its format needs soundfile.
    """
    _present(path)
    pcm = _read_pcm(path)
    if pcm is not None:
        return pcm
    soundfile = _soundfile()
    try:
        samples, rate = soundfile.read(str(path), dtype="float32", always_2d=True)
    except soundfile.SoundFileError as error:
        raise StudyError(f"cannot read the sound {path}: {error}", hint=_HINT) from error
    return np.ascontiguousarray(samples.mean(axis=1, dtype=np.float32)), float(rate)


def sound_seconds(path: Path) -> float:
    """Length of the file in seconds, from its header. Raises as `read_sound`."""
    _present(path)
    try:
        with wave.open(str(path), "rb") as file:
            # a truncated file announces what it no longer holds: count what is there
            held = (path.stat().st_size - 44) // (file.getnchannels() * file.getsampwidth())
            return min(file.getnframes(), max(held, 0)) / file.getframerate()
    except (wave.Error, EOFError):
        soundfile = _soundfile()
        try:
            return float(soundfile.info(str(path)).duration)
        except soundfile.SoundFileError as error:
            raise StudyError(f"cannot read the sound {path}: {error}", hint=_HINT) from error


def _present(path: Path) -> None:
    if not path.is_file():
        raise StudyError(f"the sound {path} is missing", hint="fetch the study's audio")


def _read_pcm(path: Path) -> tuple[np.ndarray, float] | None:
    """As `read_sound`; None when the file is not 16-bit PCM."""
    try:
        with wave.open(str(path), "rb") as file:
            if file.getsampwidth() != 2:
                return None
            pcm = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")
            channels, rate = file.getnchannels(), float(file.getframerate())
    except (wave.Error, EOFError):
        return None
    samples = pcm[: len(pcm) // channels * channels].astype(np.float32) / 32767
    return samples.reshape(-1, channels).mean(axis=1, dtype=np.float32), rate


def _soundfile():
    try:
        import soundfile
    except (ImportError, OSError) as error:  # OSError: the library it wraps is not there
        raise MissingExtra("soundfile", "offline") from error
    return soundfile
