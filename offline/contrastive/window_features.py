"""Speech features with the context rule "window": a frame has seen the audio of its window and nothing else.

Nothing can be computed ahead, so this stands where a `FeatureStore` stands and computes when it is asked,
keeping what it made on disk. The honest setting for arbitrary candidate audio, and a slow one to train with.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from offline.disk import file_name, whole
from offline.prepare.features import features_folder
from offline.prepare.store import FeatureStore
from offline.speech import SpeechSpec, compute, load_model
from offline.study import Study
from rtdecode.config import to_json
from rtdecode.errors import ConfigError, StudyError

CHUNK_S = 3.0  # of a whole sound, where only statistics are wanted
PROBE_S = 1.0  # of sound that tells rate and width

Compute = Callable[[np.ndarray, float], tuple[np.ndarray, float]]


class WindowFeatures:
    """Features of windows of a study's sounds, computed when needed, from `study`'s audio.

    path    where they are kept;  rate_hz, n_features, spec, stimuli  as of a FeatureStore
    """

    def __init__(self, study: Study, path: str | Path, spec: SpeechSpec, *, device: str = "cpu"):
        """Raises ConfigError for another context rule, StudyError for a study without sounds."""
        if spec.context != "window":
            raise ConfigError(f"these features are of windows, the context asked for is {spec.context!r}")
        if not study.sounds:
            raise StudyError(f"study {study.name} has no sounds")
        self.path, self.spec, self.stimuli = Path(path), to_json(spec), tuple(study.sounds)
        self._study, self._spec = study, spec
        self._model = load_model(spec, device)
        self._audio: dict[str, tuple[np.ndarray, float]] = {}
        audio, sfreq = self._sound(self.stimuli[0])
        probe, self.rate_hz = compute(audio[: round(PROBE_S * sfreq)], sfreq, spec, self._model)
        self.n_features = probe.shape[1]

    def window(self, stimulus: str, start_s: float, duration_s: float) -> np.ndarray:
        """(T', F) float32 of that stretch of a sound alone, as long as the sound lasts."""
        milliseconds = f"{round(1000 * start_s)}+{round(1000 * duration_s)}"
        kept = self.path / file_name(stimulus) / f"{milliseconds}.npy"
        if kept.is_file():
            return np.load(kept, allow_pickle=False)
        audio, sfreq = self._sound(stimulus)
        cut = audio[max(0, round(start_s * sfreq)) : max(0, round((start_s + duration_s) * sfreq))]
        if len(cut) < sfreq / self.rate_hz:
            return np.zeros((0, self.n_features), np.float32)
        frames, _ = compute(cut, sfreq, self._spec, self._model)
        with whole(kept) as beside, beside.open("wb") as file:
            np.save(file, frames, allow_pickle=False)
        return frames

    def features(self, stimulus: str) -> np.ndarray:
        """(T', F) of a whole sound, in stretches of a window's length that do not know each other."""
        audio, sfreq = self._sound(stimulus)
        count = max(1, int(len(audio) / sfreq / CHUNK_S))
        stretches = [self.window(stimulus, k * CHUNK_S, CHUNK_S) for k in range(count)]
        return np.concatenate(stretches)

    def _sound(self, stimulus: str) -> tuple[np.ndarray, float]:
        if stimulus not in self._audio:
            self._audio[stimulus] = self._study.audio(stimulus)
        return self._audio[stimulus]


Features = FeatureStore | WindowFeatures


def open_features(
    prepared: str | Path, spec: SpeechSpec, study: Study | None = None, *, device: str = "cpu"
) -> Features:
    """The features of a prepared study for this choice: stored ones, or with the context "window" ones that
    are computed from the audio of `study` when they are needed.

    Raises StudyError when they are not prepared; ConfigError when the audio is needed and not given.
    """
    folder = features_folder(prepared, spec)
    if spec.context != "window":
        return FeatureStore(folder)
    if study is None:
        raise ConfigError(
            "features with the context 'window' are computed from the sounds", hint="name the study's source"
        )
    return WindowFeatures(study, folder, spec, device=device)
