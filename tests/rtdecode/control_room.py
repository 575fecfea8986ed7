"""What the desk of a core asks of its session, without the session."""

from pathlib import Path
from typing import Any

from rtdecode.live.desk import Joined
from rtdecode.live.feed import Feed
from rtdecode.live.story import Story
from rtdecode.live.tape import apply
from rtdecode.session.manifest import create, manifest
from rtdecode.session.reader import SessionLog
from rtdecode.session.writer import LogWriter
from rtdecode.snapshot import Event


def logged(feed: Feed, path: Path) -> SessionLog:
    """What is in the ring, as the recorder would write it."""
    create(path, manifest(None, {}))
    writer = LogWriter(path)
    while record := feed.take():
        apply(*record, writer)
    writer.close()
    return SessionLog(path)


class Room:
    """A session whose clocks stand where the test puts them."""

    def __init__(self) -> None:
        self.story = Story()
        self.lines: list[dict[str, Any]] = []
        self.seconds = 100.0
        self.where: Joined | None = None
        self.asked: list[str] = []

    def say(self, level: str, text: str, at: float | None = None, **more: Any) -> Event:
        event = self.story.event(self.seconds if at is None else at, level, text)
        self.lines.append({"level": level, "text": text, **more})
        return event

    def amend(self, before: Event, after: Event, **more: Any) -> None:
        self.story.amend(before, after)
        self.lines.append({"level": after.level, "text": after.text, **more})

    def elapsed(self) -> float:
        return self.seconds

    def joined(self) -> Joined | None:
        return self.where

    def reconnect(self) -> None:
        self.asked.append("reconnect")

    def reset_counters(self) -> dict[str, int]:
        return {"late": 3, "lost": 0, "gaps": 1}
