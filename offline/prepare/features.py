"""Speech features into the store: one array per sound, in the sound's own time, whatever its recordings.

With the context rule 'block' a sound is cut where a recording that plays it goes from one block of its split
table to the next, so that no frame has heard audio of another split; recordings agree on where that is but
for their clocks. How features are computed is `offline.speech`'s business.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from offline.disk import file_name, write_json
from offline.prepare.recording import Progress, write_array
from offline.prepare.store import SCHEMA, PreparedRecording, open_prepared
from offline.speech import SpeechSpec, compute, load_model
from offline.study import Event, Study
from rtdecode.errors import ConfigError, StudyError

CODE = 1  # one more whenever the same sound would give other features
TOLERANCE_S = 0.1  # by which clocks, and what events tables say of a file's end, may differ
_HINT = "is the sound complete, and the events table of this version of the study?"


@dataclass(frozen=True)
class _Heard:
    """A sound: the last second of it that an event names, that event's recording, and where it is cut."""

    stop: float
    recording: str
    borders: tuple[float, ...]


def features_folder(out: str | Path, speech: SpeechSpec) -> Path:
    """Where the features of such a choice lie: stimuli/KEY. A checkpoint in a local folder counts by its
    content.
    """
    described = {"code": CODE, "spec": asdict(speech), "checkpoint": list(_checkpoint_files(speech))}
    key = hashlib.sha256(json.dumps(described).encode()).hexdigest()[:16]
    return Path(out) / "stimuli" / f"{speech.kind}-{speech.context}-{key}"


def _checkpoint_files(speech: SpeechSpec) -> Iterator[tuple[str, str]]:
    folder = Path(speech.checkpoint)
    if speech.kind == "wav2vec2" and folder.is_dir():
        for path in sorted(inside for inside in folder.rglob("*") if inside.is_file()):
            yield path.relative_to(folder).as_posix(), _sha256(path)


def prepare_features(
    study: Study,
    out: str | Path,
    speech: SpeechSpec,
    *,
    device: str = "cpu",
    progress: Progress | None = None,
) -> Path:
    """Features of every sound that a prepared recording in `out` plays; returns their folder, for
    `FeatureStore`. Sounds whose content, and cuts, are as they were are not computed again.

    device    of the model;  progress: called with ('features', sounds done, all) and, inside a sound, (its
              id, seconds done, all)

    Raises StudyError: no prepared study, a sound that is missing or shorter than its events; ConfigError for
    the context rule 'window', of which nothing can be computed ahead.
    """
    if speech.context == "window":
        raise ConfigError(
            "with the context 'window' features are computed window by window, not ahead",
            hint="nothing to prepare: training and evaluation do it",
        )
    heard = sounds_heard(open_prepared(out).recordings, cut=speech.context == "block")
    if not heard:
        raise StudyError(f"no recording of {study.name} in {out} names a sound", hint="it has no audio")
    folder = features_folder(out, speech)
    made_from = {stimulus: _made_from(study, stimulus, sound) for stimulus, sound in heard.items()}
    index = _Index(folder, speech, made_from)
    model = None
    report = progress or (lambda *_: None)
    for number, (stimulus, sound) in enumerate(heard.items(), start=1):
        if stimulus not in index:
            audio, sfreq = study.audio(stimulus)
            seconds = len(audio) / sfreq
            if seconds + TOLERANCE_S < sound.stop:
                raise StudyError(
                    f"the sound {stimulus!r} lasts {seconds:.3f} s, {sound.recording} hears it until "
                    f"{sound.stop:.3f} s",
                    hint=_HINT,
                )
            model = model or load_model(speech, device)
            borders = tuple(b for b in sound.borders if TOLERANCE_S < b < seconds - TOLERANCE_S)
            inside = _inside(progress, stimulus)
            features, rate_hz = compute(audio, sfreq, speech, model, borders_s=borders, progress=inside)
            write_array(folder / f"{file_name(stimulus)}.npy", features)
            index.add(stimulus, features.shape, rate_hz)
        report("features", number, len(heard))
    return folder


def _inside(progress: Progress | None, stimulus: str) -> Any:
    if progress is None:
        return None
    return lambda done, of: progress(stimulus, round(done), round(of))


def sounds_heard(recordings: Iterable[PreparedRecording], *, cut: bool) -> dict[str, _Heard]:
    """Every sound that is heard, by id, in alphabetical order. cut: with the borders of the split tables."""
    last: dict[str, tuple[float, str]] = {}
    borders: dict[str, list[float]] = {}
    for recording in recordings:
        for event in recording.events:
            if event.stimulus:
                stop = event.offset + event.duration
                last[event.stimulus] = max(last.get(event.stimulus, (0.0, "")), (stop, recording.name))
        if cut:
            edges = [block.start for block in recording.blocks]
            for event in _played(recording.events):
                crossed = (edge for edge in edges if event.start < edge < event.stop)
                borders.setdefault(event.stimulus, []).extend(e - event.start + event.offset for e in crossed)
    return {name: _Heard(*last[name], _joined(borders.get(name, ()))) for name in sorted(last)}


def _played(events: Sequence[Event]) -> list[Event]:
    """The events that place sounds: its sounds, or its sentences and words where a study places none."""
    sounds = [event for event in events if event.kind == "sound" and event.stimulus]
    return sounds or [event for event in events if event.kind in ("sentence", "word") and event.stimulus]


def _joined(borders: Sequence[float]) -> tuple[float, ...]:
    """One border for those that clocks put apart: their median, in milliseconds."""
    groups: list[list[float]] = []
    for border in sorted(borders):
        if groups and border - groups[-1][0] <= TOLERANCE_S:
            groups[-1].append(border)
        else:
            groups.append([border])
    return tuple(round(median(group), 3) for group in groups)


def _made_from(study: Study, stimulus: str, heard: _Heard) -> dict[str, Any]:
    """What the features of a sound depend on, beside the spec."""
    path = study.sounds.get(stimulus)
    if path is None or not path.is_file():
        raise StudyError(
            f"{heard.recording} hears the sound {stimulus!r}, "
            + (f"{study.name} has none of that name" if path is None else f"{path} is missing"),
            hint="fetch the study again: its audio may be a download of its own",
        )
    return {"sha256": _sha256(path), "borders": list(heard.borders)}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class _Index:
    """features.json, written after every sound: what is there, from what. Entries of sounds that changed are
    dropped first, so that old features are never taken for new ones.
    """

    def __init__(self, folder: Path, speech: SpeechSpec, made_from: Mapping[str, dict[str, Any]]):
        self._folder, self._path, self._made_from = folder, folder / "features.json", made_from
        self._facts: dict[str, Any] = {
            "schema": SCHEMA,
            "kind": speech.kind,
            "rate_hz": 0.0,
            "n_features": 0,
            "spec": asdict(speech),
            "wanted": list(made_from),
            "stimuli": {},
        }
        try:
            there = json.loads(self._path.read_text("utf-8"))
            if there["schema"] == SCHEMA:
                self._facts |= {key: there[key] for key in ("rate_hz", "n_features")}
                self._facts["stimuli"] = {
                    name: entry for name, entry in there["stimuli"].items() if self._holds(name, entry)
                }
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            pass  # nothing yet, or nothing that can be used
        write_json(self._path, self._facts)

    def _holds(self, stimulus: str, entry: dict[str, Any]) -> bool:
        file = self._folder / f"{file_name(stimulus)}.npy"
        size = 4 * entry["frames"] * self._facts["n_features"]
        same = {**entry, **self._made_from.get(stimulus, {})} == entry
        return same and file.is_file() and file.stat().st_size > size

    def __contains__(self, stimulus: str) -> bool:
        return stimulus in self._facts["stimuli"]

    def add(self, stimulus: str, shape: tuple[int, ...], rate_hz: float) -> None:
        self._facts["stimuli"][stimulus] = {**self._made_from[stimulus], "frames": shape[0]}
        self._facts |= {"rate_hz": rate_hz, "n_features": shape[1]}
        write_json(self._path, self._facts)
