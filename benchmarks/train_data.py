"""Made-up prepared data for the training benchmark: the sizes of a study, and nothing to be learned."""

import dataclasses
import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np

from offline.checkpoint import new_model
from offline.config import load_config
from offline.contrastive.config import load_contrastive_config
from offline.contrastive.train import assemble
from offline.data import Fitted, Prepared, Source
from offline.features import SYMBOLS, FeatureScaler
from offline.loop import LoopConfig, Task, World
from offline.prepare.features import prepare_features
from offline.prepare.run import prepare_study
from offline.prepare.settings import PrepareSettings
from offline.prepare.store import FeatureStore, open_prepared
from offline.segments import Sentence, Track
from offline.study import Event, Study, StudyRecording
from offline.train import CropTask, Trained, loop_config

RECORDINGS, SUBJECTS, AUDIO_HZ = 4, 2, 16000
WORDS = ("the", "old", "man", "went", "down", "to", "a", "river", "with", "his", "long", "red", "boat")


def crops_task(
    folder: Path, preset: str | None, channels: int, minutes: float, world: World
) -> tuple[Callable[[], Task], LoopConfig]:
    """The streaming recipe: recordings of noise with a sentence every four seconds, in memory."""
    config = load_config(preset or "demo")
    rng = np.random.default_rng(0)
    frames = round(minutes * 60 / RECORDINGS * config.frame_rate)
    every, bands = round(4 * config.frame_rate), config.speech.bands
    tracks = []
    for number in range(RECORDINGS):
        x = rng.normal(size=(frames * config.model.stride, channels)).astype(np.float32)
        y = rng.normal(size=(frames, bands)).astype(np.float32)
        sentences = tuple(
            Sentence(first, first + every - 20, " ".join(rng.choice(WORDS, 8)))
            for first in range(every, frames - every, every)
        )
        tracks.append(Track(f"r{number}", number % SUBJECTS, x, y, np.ones(frames, bool), sentences))
    flat = Fitted((0.0,) * channels, (1.0,) * channels)
    source = Source(
        "noise", "CC0", None, tuple(f"E{k}" for k in range(channels)), "microvolts", config.signal.sfreq,
        tuple(f"sub-{k}" for k in range(SUBJECTS)), _places(channels), (flat,) * SUBJECTS,
        FeatureScaler((0.0,) * bands, (1.0,) * bands), SYMBOLS, minutes / 60, 100,
    )  # fmt: skip
    prepared = Prepared(source, tuple(tracks), ())

    def make() -> Task:
        model = Trained(new_model(config, source, config.optim.seed)).to(world.device)
        return CropTask(config, model, prepared, world)

    return make, loop_config(config)


def windows_task(
    folder: Path, preset: str | None, channels: int, minutes: float, world: World
) -> tuple[Callable[[], Task], LoopConfig]:
    """The contrastive recipe: noise heard by noise, prepared on disk as studies are."""
    config = load_contrastive_config(preset or "windows-small")
    study = _study(folder / "source", config.signal.sfreq, channels, minutes * 60 / RECORDINGS)
    prepare_study(study, folder / "prepared", PrepareSettings(sfreq=config.signal.sfreq))
    features = FeatureStore(prepare_features(study, folder / "prepared", config.speech))
    prepared = open_prepared(folder / "prepared")
    # The sampler looks for sounds that are far apart; a few minutes hold only so many.
    config = dataclasses.replace(config, loop=dataclasses.replace(config.loop, watch="", patience=0))

    def make() -> Task:
        return assemble(config, prepared, features, world=world, ridge=False).task

    return make, config.loop


def _study(folder: Path, sfreq: float, channels: int, seconds: float) -> Study:
    folder.mkdir()
    rng = np.random.default_rng(0)
    sounds, recordings = {}, []
    for number in range(RECORDINGS):
        name = f"sound{number}.wav"
        sounds[name] = folder / name
        with wave.open(str(sounds[name]), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(AUDIO_HZ)
            file.writeframes((3000 * rng.normal(size=round(seconds * AUDIO_HZ))).astype("<i2").tobytes())
        events = [Event(0.0, seconds, "sound", name, name, 0.0)]
        for index, start in enumerate(np.arange(1.0, seconds - 1, 0.4)):
            sentence, place = divmod(index, 10)
            uid = f"sentence {number} {sentence}"
            events.append(Event(start, 0.3, "word", f"word{index}", name, start, uid, place, "sentence"))
        path = folder / f"r{number}.npy"
        np.save(path, rng.normal(size=(round((seconds + 1) * sfreq), channels)).astype(np.float32))
        recordings.append(
            StudyRecording(
                f"sub-{number % SUBJECTS}", f"r{number}", "", path, sfreq,
                tuple(f"E{k}" for k in range(channels)), "microvolts", tuple(events),
                positions=_places(channels), files=(path,), reader=lambda r: np.load(r.path),
            )
        )  # fmt: skip
    return Study("noise", folder, "CC0", tuple(recordings), sounds, None, {})


def _places(channels: int) -> tuple[tuple[float, float], ...]:
    angle = np.linspace(0, 2 * np.pi, channels, endpoint=False)
    return tuple((float(0.5 + 0.5 * np.cos(a)), float(0.5 + 0.5 * np.sin(a))) for a in angle)
