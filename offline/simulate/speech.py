"""Speech with exact word and phoneme times, synthesized by espeak-ng.

Knows only espeak-ng's C interface (`espeak/speak_lib.h`), reached through ctypes in the library that the
`espeakng-loader` wheel carries. Knows nothing of brains, sentences or files. First step of the simulated
study: text -> speech.

espeak-ng is GPL-3, so it is imported only here, only when speech is asked for, and is an extra of its own
(`[speech]`).
"""

import _ctypes
import ctypes
import re
import threading
from dataclasses import dataclass
from itertools import pairwise
from math import gcd
from typing import Any

import numpy as np
from scipy.signal import resample_poly

from rtdecode.errors import MissingExtra

# espeak/speak_lib.h
_SYNCHRONOUS = 2  # espeak_AUDIO_OUTPUT: espeak_Synth returns when all the audio has been handed over
_PHONEME_EVENTS, _DONT_EXIT = 0x1, 0x8000  # espeak_Initialize options
_POS_CHARACTER, _CHARS_UTF8 = 1, 1
_RATE, _PITCH = 1, 3  # espeak_PARAMETER
_END, _PHONEME = 0, 7  # espeak_EVENT_TYPE

_LOCK = threading.Lock()  # the library is one global object
_WORD = re.compile(r"[A-Za-z0-9]+(?:'[A-Za-z]+)*'?")

Span = tuple[str, float, float]


@dataclass(frozen=True)
class Speech:
    """One synthesized utterance.

    samples   (N,) float32 mono in [-1, 1]
    sfreq     Hz
    words     (text, start s, duration s), in order, the words of the text
    phonemes  (espeak mnemonic without stress, start s, duration s), in order, pauses left out
    """

    samples: np.ndarray
    sfreq: float
    words: tuple[Span, ...]
    phonemes: tuple[Span, ...]

    @property
    def duration(self) -> float:
        return len(self.samples) / self.sfreq


class _Id(ctypes.Union):
    _fields_ = [("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8)]


class _Event(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _Id),
    ]


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.POINTER(_Event))


def synthesize(
    text: str, voice: str = "en-us", rate_wpm: int = 170, pitch: int = 50, sfreq: int = 16000
) -> Speech:
    """Speak `text`: samples at `sfreq` Hz with word and phoneme times. The same arguments give the same
    samples.

    rate_wpm  words a minute, espeak's 80 to 450;  pitch  0 to 99
    Raises MissingExtra without the espeakng-loader wheel, ValueError for an unknown voice, silence or values
    out of range.
    """
    if not (80 <= rate_wpm <= 450 and 0 <= pitch <= 99):
        raise ValueError(f"rate_wpm {rate_wpm} and pitch {pitch}: espeak takes 80..450 and 0..99")
    spoken = [(m.group(), m.start() + 1) for m in _WORD.finditer(text)]  # espeak counts characters from 1
    if not spoken:
        raise ValueError(f"nothing to say in {text!r}: give at least one word")
    with _LOCK:
        rate, pcm, events = _speak(text, voice, rate_wpm, pitch)
    phonemes = _phoneme_spans(events, rate)
    words = _word_spans(spoken, phonemes)
    samples = pcm.astype(np.float32) / 32768
    if sfreq != rate:
        common = gcd(sfreq, rate)
        samples = np.clip(resample_poly(samples, sfreq // common, rate // common), -1, 1).astype(np.float32)
    return Speech(
        samples, float(sfreq), words, tuple((name, start, duration) for name, start, duration, _ in phonemes)
    )


def _speak(
    text: str, voice: str, rate_wpm: int, pitch: int
) -> tuple[int, np.ndarray, list[tuple[str, int, int]]]:
    """Sampling rate, (N,) int16 samples, and phoneme events (mnemonic, first sample, text position)."""
    try:
        import espeakng_loader
    except ImportError as error:
        raise MissingExtra("speech synthesis (espeak-ng)", "speech") from error
    pieces: list[bytes] = []
    events: list[tuple[str, int, int]] = []

    def collect(pcm: int | None, count: int, event: Any) -> int:
        index = 0
        while event and event[index].type != _END:
            if event[index].type == _PHONEME:
                name = event[index].id.string.decode("utf-8", "replace")
                events.append((name, event[index].sample, event[index].text_position))
            index += 1
        if pcm and count > 0:
            pieces.append(ctypes.string_at(pcm, 2 * count))
        return 0

    # espeak-ng keeps flutter and wave phase in static variables that nothing resets (1.52: the same text
    # spoken twice differs by some samples), so every utterance gets a freshly loaded library: 6 ms, against 3
    # ms for the synthesis itself.
    library = ctypes.CDLL(espeakng_loader.get_library_path())
    callback = _Callback(
        collect
    )  # this reference keeps the C function pointer alive until the library is unloaded
    try:
        rate = library.espeak_Initialize(
            _SYNCHRONOUS, 0, str(espeakng_loader.get_data_path()).encode(), _PHONEME_EVENTS | _DONT_EXIT
        )
        if rate <= 0:
            raise OSError(
                f"espeak_Initialize answered {rate} for the data at {espeakng_loader.get_data_path()}: "
                "reinstall espeakng-loader"
            )
        library.espeak_SetSynthCallback(callback)
        if library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise ValueError(
                f"espeak-ng has no voice {voice!r}: use one such as 'en-us', 'en-gb' or 'en-gb-scotland'"
            )
        library.espeak_ng_SetRandSeed(ctypes.c_long(1))
        library.espeak_SetParameter(_RATE, rate_wpm, 0)
        library.espeak_SetParameter(_PITCH, pitch, 0)
        data = text.encode() + b"\0"
        status = library.espeak_Synth(
            data, ctypes.c_size_t(len(data)), 0, _POS_CHARACTER, 0, _CHARS_UTF8, None, None
        )
        if status != 0:
            raise OSError(f"espeak_Synth answered {status} for {text!r}")
        library.espeak_Terminate()
    finally:
        _unload(library)
    pcm = np.frombuffer(b"".join(pieces), dtype="<i2")
    if not events or not len(pcm):
        raise ValueError(f"espeak-ng made no speech of {text!r}")
    return rate, pcm, [*events, ("_", len(pcm), 0)]


def _unload(library: ctypes.CDLL) -> None:
    close = getattr(_ctypes, "dlclose", None) or _ctypes.FreeLibrary  # type: ignore[attr-defined]
    close(library._handle)


def _phoneme_spans(events: list[tuple[str, int, int]], rate: int) -> list[tuple[str, float, float, int]]:
    """(name, start s, duration s, text position): each phoneme lasts until the next event; pauses ('_') only
    end one.
    """
    spans = []
    for (name, sample, position), (_, end, _) in pairwise(events):
        name = name.lstrip("',%=|")  # stress marks
        if name and not name.startswith("_") and end > sample:
            spans.append((name, sample / rate, (end - sample) / rate, position))
    return spans


def _word_spans(
    spoken: list[tuple[str, int]], phonemes: list[tuple[str, float, float, int]]
) -> tuple[Span, ...]:
    """Word times from phoneme times.

    espeak marks every phoneme with the text position of its word, but speaks some neighbours as one ("of the"
    is one entry of its dictionary): such a group is cut at the phoneme nearest to each word's share of the
    letters.
    """
    starts = [position for _, position in spoken]
    owner = [
        max((i for i, first in enumerate(starts) if first <= position), default=0)
        for *_, position in phonemes
    ]
    spans: list[Span] = []
    index = 0
    while index < len(spoken):
        stop = index + 1
        while stop < len(spoken) and stop not in owner:
            stop += 1
        group = [p for p, o in zip(phonemes, owner, strict=True) if o == index]
        if group:
            letters = np.cumsum([0] + [len(word) for word, _ in spoken[index:stop]])
            cuts = np.rint(letters / letters[-1] * len(group)).astype(int)
            for word, first, last in zip(spoken[index:stop], cuts, cuts[1:], strict=False):
                first = min(first, len(group) - 1)
                end = group[max(last - 1, first)]
                spans.append((word[0], group[first][1], end[1] + end[2] - group[first][1]))
        index = stop
    return tuple(spans)
