"""A study of files that takes milliseconds: noise for a signal, two sounds, two subjects, no split given."""

import wave
from pathlib import Path

import numpy as np

from offline.study import Event, Study, StudyRecording

SFREQ, AUDIO_HZ, SENTENCE_S, WORDS = 256.0, 8000, 4.0, 4
LABELS = tuple(f"E{i}" for i in range(5))
POSITIONS = tuple((0.1 * i, 0.2 * i) for i in range(5))


def write_sound(path: Path, seconds: float, seed: int) -> Path:
    noise = np.random.default_rng(seed).uniform(-0.5, 0.5, round(seconds * AUDIO_HZ))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(AUDIO_HZ)
        file.writeframes((noise * 32767).astype("<i2").tobytes())
    return path


def events_of(sentences: range, clock: float = 0.0) -> tuple[Event, ...]:
    """One sound of all these sentences, from second 1 on, and their words. clock: how late it is, seconds."""
    first = 1.0 + clock
    name = f"story {sentences.start}/a"
    events = [Event(first, SENTENCE_S * len(sentences), "sound", name, name, 0.0)]
    for number, sentence in enumerate(sentences):
        for index in range(WORDS):
            inside = number * SENTENCE_S + index * SENTENCE_S / WORDS
            word, whole = f"w{sentence}.{index}", f"the sentence {sentence}"
            events.append(
                Event(first + inside, 0.8, "word", word, name, inside, whole, index, "sentence", "en")
            )
    return tuple(events)


def heard_study(folder: Path, subjects: int = 2) -> Study:
    """Each subject hears both stories, a recording each; of the second subject everything is 12 ms late."""
    stories = (range(0, 12), range(12, 20))
    sounds = {}
    for number, story in enumerate(stories):
        name = f"story {story.start}/a"
        sounds[name] = write_sound(folder / f"story{number}.wav", SENTENCE_S * len(story), number)
    recordings = []
    for subject in range(1, subjects + 1):
        for number, story in enumerate(stories):
            events = events_of(story, 0.012 * (subject - 1))
            path = folder / f"sub-{subject:02d}_run-{number}.npy"
            count = round((events[0].stop + 2) * SFREQ)
            rng = np.random.default_rng([subject, number])
            np.save(path, rng.normal(size=(count, len(LABELS))).astype(np.float32))
            recordings.append(
                StudyRecording(
                    f"sub-{subject:02d}", path.stem, "", path, SFREQ, LABELS, "microvolts", events,
                    positions=POSITIONS, session="ses-0", files=(path,), reader=lambda r: np.load(r.path),
                )
            )  # fmt: skip
    return Study("heard", folder, "CC0", tuple(recordings), sounds, None, {"room": "quiet"})
