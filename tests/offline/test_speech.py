"""Speech: the planted relation hangs on word and phoneme times, so they must be ordered, inside the sound,
and repeatable.
"""

import sys

import numpy as np
import pytest

from offline.simulate.speech import synthesize
from rtdecode.errors import MissingExtra

TEXT = "the dog of the farm didn't see the fox in a well"


def test_words_are_those_of_the_text_in_order_and_inside_the_sound():
    speech = synthesize(TEXT)
    assert [word for word, *_ in speech.words] == TEXT.split()
    starts = np.array([start for _, start, _ in speech.words])
    ends = starts + [duration for *_, duration in speech.words]
    assert (np.diff(starts) > 0).all() and (starts[1:] >= ends[:-1] - 1e-9).all()
    assert starts[0] >= 0 and ends[-1] <= speech.duration
    assert all(duration > 0.02 for *_, duration in speech.words)


def test_phonemes_tile_the_words():
    speech = synthesize(TEXT)
    starts = np.array([start for _, start, _ in speech.phonemes])
    assert (np.diff(starts) > 0).all() and len(starts) > 25
    assert "f" in [name for name, *_ in speech.phonemes]
    for _, start, duration in speech.words:
        inside = (starts >= start - 1e-9) & (starts < start + duration - 1e-9)
        assert inside.any() and abs(starts[inside][0] - start) < 1e-9


def test_sound_is_where_the_words_are():
    speech = synthesize("the fox ran")
    _, start, duration = speech.words[1]
    word = speech.samples[int(start * 16000) : int((start + duration) * 16000)]
    tail = speech.samples[-80:]
    assert np.sqrt(np.mean(word**2)) > 20 * np.sqrt(np.mean(tail**2)) and np.abs(speech.samples).max() <= 1


def test_same_words_same_samples_whatever_was_said_before():
    first = synthesize(TEXT)
    synthesize("something else", pitch=20)
    again = synthesize(TEXT)
    assert np.array_equal(first.samples, again.samples) and first.words == again.words


def test_rate_pitch_voice_and_sampling_rate_are_heard():
    slow, fast = synthesize(TEXT, rate_wpm=120), synthesize(TEXT, rate_wpm=240)
    assert slow.duration > 1.5 * fast.duration
    assert not np.array_equal(synthesize(TEXT, pitch=20).samples, synthesize(TEXT, pitch=80).samples)
    assert synthesize(TEXT, sfreq=22050).sfreq == 22050
    assert abs(synthesize(TEXT, sfreq=22050).duration - synthesize(TEXT).duration) < 1e-3


@pytest.mark.parametrize("text", ["a", "the", "ox"])
def test_short_texts(text):
    (word,) = synthesize(text).words
    assert word[0] == text and word[2] > 0


def test_refusals():
    with pytest.raises(ValueError, match="voice"):
        synthesize("hello", voice="no-such-voice")
    with pytest.raises(ValueError, match="at least one word"):
        synthesize(" ... ")
    with pytest.raises(ValueError, match=r"80\.\.450"):
        synthesize("hello", rate_wpm=10)


def test_without_the_wheel_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    with pytest.raises(MissingExtra, match=r"rtdecode\[speech\]"):
        synthesize("hello")
