"""What a sitting found, as check.json and check.txt. Only ever added: no file that is there is written over.

Into a new directory, or beside the files of a session log, whose own files are left alone: a recorder may be
appending to them.
"""

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rtdecode import __version__
from rtdecode.bundle import Bundle
from rtdecode.checks.result import KEYS, PLANS, Outcome, summary, text_lines
from rtdecode.config import to_json
from rtdecode.errors import RecordingError
from rtdecode.session.manifest import NAME as LOG
from rtdecode.session.manifest import bundle_hash
from rtdecode.types import StreamInfo

SCHEMA = 1


def prepare(out: Path) -> None:
    """RecordingError when nothing may be written there: something else is in the directory."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        held = {entry.name for entry in out.iterdir()}
    except OSError as problem:
        raise RecordingError(f"cannot write into {out}: {problem.strerror}") from problem
    foreign = [name for name in held if not name.startswith("check")]
    if foreign and LOG not in held:
        raise RecordingError(
            f"{out} holds {sorted(foreign)[0]} and is no session log",
            hint="give a new directory, or the folder of a session log",
        )


def report(bundle: Bundle, info: StreamInfo, outcomes: Mapping[str, Outcome]) -> tuple[dict[str, Any], str]:
    """(the JSON, the text) of a sitting."""
    done = [outcomes[key] for key in KEYS if key in outcomes]
    data = {
        "schema": SCHEMA,
        "rtdecode": __version__,
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "bundle": {"name": bundle.name, "sha256": bundle_hash(bundle.path), "path": str(bundle.path)},
        "stream": to_json(info),
        "times_real": bundle.spec.training.times_real,
        "summary": summary(outcomes),
        "steps": [to_json(outcome) for outcome in done],
    }
    return data, "\n".join(lines(bundle, info, outcomes)) + "\n"


def lines(bundle: Bundle, info: StreamInfo, outcomes: Mapping[str, Outcome]) -> list[str]:
    """The text of a sitting, step by step."""
    simulated = bundle.spec.training.times_real
    note = f" (simulated, {simulated:g} x real EEG)" if simulated else ""
    found = [
        f"check of {info.name}: {len(info.labels)} channels, {info.sfreq:g} Hz; bundle {bundle.name}{note}"
    ]
    for number, plan in enumerate(PLANS, 1):
        if plan.key in outcomes:
            found += text_lines(number, plan, outcomes[plan.key])
        else:
            found.append(f"· not run  {number} {plan.title}")
    return [*found, summary(outcomes)]


def write(out: Path, data: dict[str, Any], text: str) -> tuple[Path, Path]:
    """check.json and check.txt, or check-2.json … where those are there. Their paths."""
    try:
        for number in range(1, 10_000):
            stem = "check" if number == 1 else f"check-{number}"
            pair = out / f"{stem}.json", out / f"{stem}.txt"
            if any(path.exists() for path in pair):
                continue
            _new(pair[0], json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False) + "\n")
            _new(pair[1], text)
            return pair
    except OSError as problem:
        raise RecordingError(f"cannot write into {out}: {problem.strerror}") from problem
    raise RecordingError(f"{out} holds {number} checks already", hint="give a new directory")


def _new(path: Path, content: str) -> None:
    """Whole or not at all, and never over another."""
    temporary = path.with_name(path.name + ".part")
    with temporary.open("w", encoding="utf-8") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.link(temporary, path)  # unlike a rename, it refuses where the name is taken
    temporary.unlink()
