"""`rtdecode review` on a terminal: the list of sessions, one session, or two side by side.

Each is a screen of its own; this walks from one to the next and does what they ask for.
"""

import json
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from rtdecode.commands.review_story import OpenLog
from rtdecode.errors import ConfigError, RecordingError, RtdecodeError
from rtdecode.report.clock import number
from rtdecode.report.times import length_s
from rtdecode.score import heard
from rtdecode.session.manifest import NAME, load
from rtdecode.session.reader import SessionLog
from rtdecode.tui.encoding import need_utf8
from rtdecode.tui.review.app import ReviewApp
from rtdecode.tui.review.pair import PairApp
from rtdecode.tui.review.sessions import Listed, SessionsApp

MOST = 2000  # sessions of a list


def is_log(path: Path) -> bool:
    return (path / NAME).is_file()


def run_review_screen(logs: Sequence[Path], *, bundle: Path | None = None, at_s: float = 0.0) -> int:
    """One log, two logs, or a folder that holds logs; until the user quits. RtdecodeError for none.

    bundle  the bundle that decoded, when it is no longer where it was
    """
    need_utf8()
    if len(logs) > 2:
        raise ConfigError(f"{len(logs)} sessions are given, two fit side by side", hint="give one or two")
    if len(logs) == 2:
        return _pair(logs[0], logs[1])
    path = logs[0]
    if is_log(path) or not path.is_dir() or not _logs_in(path):
        return _review(path, bundle, at_s)  # which says what is wrong with a folder that is no log
    return _list(path, bundle)


def _list(folder: Path, bundle: Path | None) -> int:
    at: Path | None = None
    notice = ""
    while True:
        looking = Looking(folder)
        try:
            chosen = SessionsApp(folder, looking.latest, at, notice).run()
        finally:
            looking.stop()
        if chosen is None:
            return 0
        at, notice = chosen[-1], ""
        try:
            if len(chosen) == 2:
                _pair(*chosen)
            else:
                _review(chosen[0], bundle, 0.0)
        except RtdecodeError as problem:
            notice = str(problem)


def _pair(first: Path, second: Path) -> int:
    PairApp((_open(first, None), _open(second, None))).run()
    return 0


def _open(path: Path, bundle: Path | None) -> OpenLog:
    print(f"rtdecode: reading {path}", file=sys.stderr, flush=True)
    return OpenLog(path, bundle)


class _Deeds:
    """What the screen of one log can have written. Each beside the log, as the commands do without --out."""

    def __init__(self, log: Path, bundle: Path | None):
        self._log, self._bundle = log, bundle

    def export(self, kind: str) -> Path:
        from rtdecode.report.export import ENDINGS, export

        target = self._log.resolve().with_name(self._log.resolve().name + ENDINGS[kind])
        export(self._log, kind, target)
        return target

    def report(self) -> Path:
        from rtdecode.report.material import collect
        from rtdecode.report.page import page
        from rtdecode.report.write import write_whole

        target = self._log.resolve().with_name(self._log.resolve().name + ".html")
        write_whole(target, page(collect(self._log, self._bundle)))
        return target


def _review(path: Path, bundle: Path | None, at_s: float) -> int:
    opened = _open(path, bundle)
    notice = ""
    while True:
        chosen = ReviewApp(opened, _Deeds(path, bundle), at_s, notice).run()
        if chosen is None:
            return 0
        at_s, notice = chosen, ""
        try:
            _replay(opened, bundle, chosen)
        except RtdecodeError as problem:
            notice = str(problem)


def _replay(opened: OpenLog, bundle: Path | None, t: float) -> None:
    """Decode again from session second t on, in the live screen: `rtdecode replay LOG --bundle B --at S`."""
    from rtdecode.commands.replay_screen import run_replay_decoded

    about = opened.log.manifest
    path = bundle or (Path(about.bundle.path) if about.bundle else None)
    if path is None:
        raise RecordingError(f"{opened.path} was recorded without a bundle", hint="give one with --bundle")
    at_s = round(opened.recording_second(t), 3)
    print(
        f"rtdecode: rtdecode replay {opened.path} --bundle {path} --at {at_s:g}", file=sys.stderr, flush=True
    )
    unit = about.config.get("assume_unit")
    run_replay_decoded(
        opened.path, path, headless=False, at_s=at_s, assume_unit=unit if isinstance(unit, str) else ""
    )


# -- the list ----------------------------------------------------------------------------------------------


def _logs_in(folder: Path) -> list[Path]:
    """Logs in a folder and in the folders in it; no link is followed twice, none deeper."""
    try:
        found = [file.parent for pattern in (f"*/{NAME}", f"*/*/{NAME}") for file in folder.glob(pattern)]
    except OSError as problem:
        raise RecordingError(f"cannot read {folder}: {problem.strerror}") from problem
    return sorted(found)[:MOST]


class Looking:
    """Reads the logs of a folder in a thread, newest first; `latest` is what is known by now."""

    def __init__(self, folder: Path):
        self._found = {path: first_look(path) for path in _logs_in(folder)}
        order = sorted(self._found.values(), key=lambda item: item.started, reverse=True)
        self._order = [item.path for item in order]
        self._over = False
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def latest(self) -> tuple[Listed, ...]:
        return tuple(self._found[path] for path in self._order)

    def stop(self) -> None:
        self._over = True
        self._thread.join()

    def wait(self) -> None:
        self._thread.join()

    def _look(self) -> None:
        for path in self._order:
            if self._over:
                return
            if not self._found[path].problem:
                self._found[path] = facts_of(path)


def first_look(path: Path) -> Listed:
    """What session.json says."""
    try:
        about = load(path)
    except RtdecodeError as problem:
        return Listed(path, "", problem=problem.message)
    bundle = about.bundle.name if about.bundle else ""
    return Listed(path, about.started[:16].replace("T", " "), bundle=bundle)


def facts_of(path: Path) -> Listed:
    """All that the list says of a log; one that cannot be read has its sentence."""
    known = first_look(path)
    try:
        log = SessionLog(path, hurry=True)
        states = [line["state"] for line in log.lines("state")]
        events = list(log.lines("event"))
        health = list(log.lines("health"))
        runs = log.runs()
        length = length_s(log)
    except RtdecodeError as problem:
        return Listed(path, known.started, bundle=known.bundle, problem=problem.message)
    except (OSError, ValueError, KeyError, json.JSONDecodeError) as problem:  # it changed under our hands
        return Listed(path, known.started, bundle=known.bundle, problem=f"cannot be read: {problem}")
    stream = next(iter(log.streams.values()), None)
    lost = number(health[-1].get("lost")) if health else None
    return Listed(
        path,
        known.started,
        stream.info.name if stream else "",
        known.bundle,
        read=True,
        length_s=length,
        decisions=log.count("decision"),
        lost=int(lost or 0) + log.unrecorded(),
        gaps=max(0, len(runs) - 1),
        marks=sum(line["level"] == "mark" and not heard([(0.0, line["text"])]) for line in events),
        ended=states[-1] if states else "",
        closed=log.closed,
        problem=log.cut[0] if log.cut else "",
    )
