"""One recording into the store: signal, events, split table, and last its description.

Interrupted anywhere, the next call goes on: a recording counts as prepared when its description is there,
which is written last and holds the key of what it was made from (`offline.prepare.key`). Knows nothing of the
other recordings; their common rules are `offline.prepare.run`'s.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np

from offline.disk import file_name, whole, write_json
from offline.prepare.key import FileContent, contents, recording_key
from offline.prepare.settings import PrepareSettings
from offline.prepare.signal import delay_s, prepared_signal
from offline.prepare.store import SCHEMA
from offline.split import Block
from offline.study import UNKNOWN_POSITION, Study, StudyRecording, check_inside, check_order
from rtdecode.errors import StudyError

Progress = Callable[[str, int, int], None]  # what, done, of how many


def prepare_one(
    study: Study,
    recording: StudyRecording,
    blocks: tuple[Block, ...],
    out: Path,
    settings: PrepareSettings,
    progress: Progress | None = None,
) -> bool:
    """One recording into out/recordings; False when it is there, unchanged. Raises as
    `offline.prepare.run.prepare_study`."""
    folder = out / "recordings" / file_name(recording.name)
    description = folder / "recording.json"
    before = _described(description)
    check_order(recording.name, recording.events)
    _check_offsets(recording)
    positions = _positions(study, recording)
    files = contents(recording, study.root, before.known)
    key = recording_key(recording, files, blocks, positions, settings)
    if key == before.key and _whole(folder, before.n_samples, len(recording.labels)):
        return False
    description.unlink(missing_ok=True)
    for left in folder.glob(".*.part"):  # by a run that was killed
        left.unlink(missing_ok=True)

    signal = _signal(recording, settings, progress)
    write_array(folder / "signal.npy", signal)
    _write_lines(folder / "events.jsonl", (asdict(event) for event in recording.events))
    _write_lines(folder / "blocks.jsonl", (_block_row(block) for block in blocks))
    facts: dict[str, Any] = {
        "schema": SCHEMA,
        "name": recording.name,
        "subject": recording.subject,
        "session": recording.session,
        "labels": recording.labels,
        "positions": positions,
        "unit": recording.unit,
        "sfreq": settings.sfreq,
        "raw_sfreq": recording.sfreq,
        "n_samples": len(signal),
        "delay_s": delay_s(recording.sfreq, settings),
        "key": key,
        "preprocessing": asdict(settings),
        "files": [asdict(file) for file in files],
    }
    write_json(description, facts)
    return True


def _check_offsets(recording: StudyRecording) -> None:
    for event in recording.events:
        if not all(map(isfinite, (event.start, event.duration, event.offset))):
            raise StudyError(
                f"{recording.name}: the {event.kind} {event.text!r} at {event.start} s lasts "
                f"{event.duration} s and is {event.offset} s into its sound",
                hint="all three are numbers: is the events table complete?",
            )


def _signal(recording: StudyRecording, settings: PrepareSettings, progress: Progress | None) -> np.ndarray:
    data = recording.read()
    check_inside(recording, len(data))
    report = None if progress is None else (lambda done, of: progress(recording.name, done, of))
    try:
        return prepared_signal(data, recording.sfreq, settings, report=report)
    except StudyError as error:
        raise StudyError(f"{recording.name}: {error.message}", hint=error.hint) from error


@dataclass(frozen=True)
class _Before:
    """What a former run left: nothing, when it cannot be read."""

    key: str = ""
    n_samples: int = -1
    known: tuple[FileContent, ...] = ()


def _described(path: Path) -> _Before:
    try:
        facts = json.loads(path.read_text("utf-8"))
        known = tuple(FileContent(**file) for file in facts["files"])
        return _Before(str(facts["key"]), int(facts["n_samples"]), known)
    except (OSError, ValueError, KeyError, TypeError):
        return _Before()


def _whole(folder: Path, n_samples: int, n_channels: int) -> bool:
    """Whether the files a description stands for are there, the array with all its bytes."""
    signal = folder / "signal.npy"
    tables = (folder / "events.jsonl").is_file() and (folder / "blocks.jsonl").is_file()
    return tables and signal.is_file() and signal.stat().st_size > 4 * n_samples * n_channels


def _positions(study: Study, recording: StudyRecording) -> tuple[tuple[float, float], ...]:
    if recording.positions:
        return recording.positions
    if "positions" in study.facts:
        from offline.data import flat_positions  # loads torch: four seconds that few studies need

        return flat_positions(study, recording.labels)
    return (UNKNOWN_POSITION,) * len(recording.labels)


def _block_row(block: Block) -> dict[str, Any]:
    return {**asdict(block), "stop": None if block.stop == float("inf") else block.stop}


def write_array(path: Path, array: np.ndarray) -> None:
    """(T, C) float32 as .npy. Not by np.save, which forgets why a write failed."""
    with whole(path) as beside, beside.open("wb") as file:
        array = np.ascontiguousarray(array, dtype=np.float32)
        np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(array))
        file.write(array.data)


def _write_lines(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    with whole(path) as beside, beside.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n")
