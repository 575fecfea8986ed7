"""Loads the simulated study that `offline.simulate.build` writes. Nothing is made or downloaded here."""

import csv
import json
from bisect import bisect_right
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

from offline.study import Event, Study, StudyRecording, assert_disjoint
from rtdecode.errors import StudyError

_KEYS = ("schema", "name", "licence", "gain", "sfreq", "labels", "unit", "positions", "stimuli", "recordings")
_HINT = "make it with `offline simulate`"


def load(root: str | Path) -> Study:
    """The study under `root`. Raises StudyError naming the first thing that is missing, wrong or leaks
    between splits.
    """
    root = Path(root)
    facts = _facts(root / "study.json")
    sounds = {stimulus: _present(root / "stimuli" / f"{stimulus}.wav") for stimulus in facts["stimuli"]}
    recordings = []
    for entry in facts["recordings"]:
        path = _present(root / entry["path"])
        events = _events(_present(root / entry["events"]))
        unknown = {event.stimulus for event in events} - sounds.keys()
        if unknown:
            raise StudyError(
                f"{entry['events']} names the stimulus {min(unknown)!r}, which study.json does not list",
                hint=_HINT,
            )
        recordings.append(
            StudyRecording(
                f"sub-{entry['subject']:02d}",
                entry["name"],
                entry["split"],
                path,
                facts["sfreq"],
                tuple(facts["labels"]),
                facts["unit"],
                events,
            )
        )
    study = Study(facts["name"], root, facts["licence"], tuple(recordings), sounds, facts["gain"], facts)
    assert_disjoint(study)
    return study


def _facts(path: Path) -> dict[str, Any]:
    try:
        facts = json.loads(_present(path).read_text("utf-8"))
    except ValueError as error:
        raise StudyError(f"{path} is not JSON: {error}", hint=_HINT) from error
    for key in _KEYS:
        if key not in facts:
            raise StudyError(f"{path} has no {key!r}", hint=_HINT)
    if facts["schema"] != 1 or facts["name"] != "simulated":
        raise StudyError(
            f"{path} is of {facts['name']!r}, schema {facts['schema']}: expected 'simulated', schema 1",
            hint=_HINT,
        )
    return facts


def _present(path: Path) -> Path:
    if not path.is_file():
        raise StudyError(f"the simulated study is incomplete: {path} is missing", hint=_HINT)
    return path


def _events(path: Path) -> tuple[Event, ...]:
    with path.open(encoding="utf-8", newline="") as file:
        try:
            events = [
                Event(
                    float(row["onset"]),
                    float(row["duration"]),
                    row["trial_type"],
                    row["value"],
                    row["stimulus"],
                    float(row["offset"]),
                )
                for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
            ]
        except (KeyError, TypeError, ValueError) as error:
            raise StudyError(f"{path} is not an events table: {error!r}", hint=_HINT) from error
    return _placed(events)


def _placed(events: list[Event]) -> tuple[Event, ...]:
    """The same events, each with its sentence, words with their place in it."""
    sentences = sorted((e for e in events if e.kind == "sentence"), key=lambda event: event.start)
    starts = [sentence.start for sentence in sentences]
    words: Counter[int] = Counter()
    placed = []
    for event in events:
        number = bisect_right(starts, event.start + 1e-3) - 1  # times are rounded
        text = sentences[number].text if number >= 0 else ""
        index = -1
        if event.kind == "word" and text:
            index, words[number] = words[number], words[number] + 1
        placed.append(replace(event, sequence=text, index=index, condition="sentence", language="en"))
    return tuple(placed)
