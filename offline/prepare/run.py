"""Prepares a study, one recording at a time: signal, events and split table into the store.

`begin` describes the study, then every recording is a job of its own (`prepare_recording`), here one after
another (`prepare_study`) or wherever a caller runs them. Interrupted anywhere, the next call goes on
(`offline.prepare.recording`).
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path

from offline.disk import write_json
from offline.prepare.recording import Progress, prepare_one
from offline.prepare.settings import PrepareSettings
from offline.prepare.store import SCHEMA
from offline.split import Block, divide, without_leaks
from offline.studies import load_study
from offline.study import Study, check_alike, check_order
from rtdecode.errors import StudyError, closest


@dataclass(frozen=True)
class Prepared:
    """done: names prepared now;  unchanged: names that were"""

    done: tuple[str, ...]
    unchanged: tuple[str, ...]


def prepare_study(
    study: Study,
    out: str | Path,
    settings: PrepareSettings,
    *,
    only: Sequence[str] = (),
    progress: Progress | None = None,
) -> Prepared:
    """All recordings of `study` into `out`, those excepted whose files, events and settings are unchanged.

    only      shell patterns of recording names ('sub-01*'); none: all
    progress  called with ('recordings', done, all) and, inside each, (its name, done, all)

    Raises StudyError, nothing half-written: recordings that differ in rate, channels or unit; a file that is
    missing or cannot be read; events out of order or outside; a rate below settings.sfreq; a full disk.
    """
    names = begin(study, out, settings, only=only)
    tables = split_tables(study, settings)
    report = progress or (lambda *_: None)
    done: list[str] = []
    unchanged: list[str] = []
    for number, recording in enumerate((r for r in study.recordings if r.name in set(names)), start=1):
        fresh = prepare_one(study, recording, tables[recording.name], Path(out), settings, progress)
        (done if fresh else unchanged).append(recording.name)
        report("recordings", number, len(names))
    return Prepared(tuple(done), tuple(unchanged))


def prepare_recording(
    study_name: str,
    root: str | Path,
    recording_name: str,
    out: str | Path,
    settings: PrepareSettings,
    *,
    selection: str = "",
    progress: Progress | None = None,
) -> bool:
    """One recording of the study `study_name` below `root`; False when it was prepared already. A job:
    all its arguments can be sent to another process, and jobs of different recordings do not meet.

    Raises as `prepare_study`; StudyError with the closest when there is no such recording.
    """
    study = load_study(study_name, root, selection)
    by_name = {recording.name: recording for recording in study.recordings}
    if recording_name not in by_name:
        raise StudyError(
            f"{study_name} has no recording {recording_name!r}", hint=closest(recording_name, by_name)
        )
    table = split_tables(study, settings, None if settings.drop_leaks else recording_name)[recording_name]
    return prepare_one(study, by_name[recording_name], table, Path(out), settings, progress)


def begin(
    study: Study, out: str | Path, settings: PrepareSettings, *, only: Sequence[str] = ()
) -> tuple[str, ...]:
    """Checks what can be checked without reading samples, writes study.json, and returns the names of the
    recordings to prepare. Raises as `prepare_study`.
    """
    chosen = [r for r in study.recordings if not only or any(fnmatchcase(r.name, p) for p in only)]
    if not chosen:
        raise StudyError(
            f"no recording of {study.name} is named {' or '.join(only) or 'anything'}",
            hint=closest(only[0] if only else "", [r.name for r in study.recordings]),
        )
    _check_alike(study)
    for recording in chosen:
        check_order(recording.name, recording.events)
    names = tuple(recording.name for recording in chosen)
    facts = json.loads(json.dumps(dict(study.facts), default=str))
    described = {
        "schema": SCHEMA,
        "study": study.name,
        "licence": study.licence,
        "sfreq": settings.sfreq,
        "unit": chosen[0].unit,
        "subjects": sorted({recording.subject for recording in chosen}),
        "recordings": list(names),
        "settings": asdict(settings),
        "facts": facts if study.gain is None else {**facts, "gain": study.gain},
    }
    _check_same_study(Path(out), study.name)
    write_json(Path(out) / "study.json", described)
    return names


def _check_alike(study: Study) -> None:
    """Rate, channels and unit agree over the study, but for what it declares as varying."""
    first, varies = study.recordings[0], study.facts.get("varies", ())
    alike = [
        replace(
            recording,
            sfreq=first.sfreq if "sfreq" in varies else recording.sfreq,
            labels=first.labels if "channels" in varies else recording.labels,
        )
        for recording in study.recordings
    ]
    check_alike(tuple(alike))
    for recording in study.recordings:
        if recording.unit != first.unit:
            raise StudyError(
                f"{recording.name} is in {recording.unit}, {first.name} in {first.unit}",
                hint="a study has one unit",
            )


def _check_same_study(out: Path, name: str) -> None:
    try:
        there = json.loads((out / "study.json").read_text("utf-8"))["study"]
    except (OSError, ValueError, KeyError, TypeError):
        return  # nothing yet, or nothing that could be kept
    if there != name:
        raise StudyError(f"{out} holds the study {there!r}, not {name!r}", hint="give another directory")


def split_tables(
    study: Study, settings: PrepareSettings, only: str | None = None
) -> dict[str, tuple[Block, ...]]:
    """The blocks of every recording (of one, with `only`), by its name. Raises as `offline.split`."""
    tables = {
        r.name: divide(study, r, rule=settings.split_rule, min_block_s=settings.min_block_s)
        for r in study.recordings
        if only in (None, r.name)
    }
    if not settings.drop_leaks:
        return tables
    return without_leaks([(r.name, r.events, tables[r.name]) for r in study.recordings if r.name in tables])
