"""The process that plays a recording, as its parent sees it: where it is, and how right the decoder is.

It steers `rtdecode replay --control` and is told the decoder's words; it shows and prints nothing.
"""

import contextlib
import json
import os
import subprocess
import sys
import time
from collections import deque
from pathlib import Path
from typing import Any

from rtdecode.bundle import load_bundle
from rtdecode.errors import RecordingError
from rtdecode.live.lines import LineReader
from rtdecode.score import heard
from rtdecode.tracking import Figures, Tracking
from rtdecode.tui.bar import Landmarks, Play

READ_S = 120.0  # for a large file to be read
HELD = 4096  # decisions of a run of which the stream is not known yet


class Player:
    """The process that plays the file, and what is known of the recording. Never waits once it is entered.

    Creating it starts the process; entering waits for the file to be read: RecordingError says what is wrong.
    broken  why nothing is played any more
    """

    def __init__(
        self, file: Path, name: str, *, select: str | None, speed: str, loop: bool, at_s: float
    ) -> None:
        command = [sys.executable, "-m", "rtdecode", "replay", str(file), "--stream", name, "--control"]
        command += ["--speed", speed, "--at", str(at_s)]
        command += ["--loop"] * loop + (["--select", select] if select is not None else [])
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        assert self._process.stdin and self._process.stdout
        self._commands = self._process.stdin.fileno()
        os.set_blocking(self._commands, False)
        self._answers = LineReader(self._process.stdout.fileno())
        self._file = file
        self._about: dict[str, Any] = {}
        self._tracking: Tracking | None = None
        self._anchors: dict[str, float] = {}  # by stream
        self._streams: dict[int, str] = {}  # by run
        self._held: deque[dict[str, Any]] = deque(maxlen=HELD)
        self._play = Play()
        self.broken = ""
        self.landmarks = Landmarks()
        self.notes: list[str] = []

    def __enter__(self) -> "Player":
        try:
            self._await()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _await(self) -> None:
        deadline = time.monotonic() + READ_S
        while not self._about:
            self.read(0.1)
            if self.broken:
                raise RecordingError(self.broken)
            if time.monotonic() > deadline:
                raise RecordingError(f"{self._file} was not read within {READ_S:.0f} s")

    def compare(self, bundle: Path) -> None:
        """From now on decisions are compared with what was heard, if the recording says that."""
        events = heard((t, text) for t, text in self._about["markers"])
        if events:
            loaded = load_bundle(bundle)
            candidates = loaded.bank.candidates if loaded.bank else ()
            self._tracking = Tracking(events, candidates, loaded.spec.delay_s)

    def close(self) -> None:
        """End the process, politely then firmly."""
        self.tell("stop")
        with contextlib.suppress(OSError):
            self._process.stdin.close()  # type: ignore[union-attr]
        try:
            self._process.wait(1.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()  # type: ignore[union-attr]

    # --- what the screen asks

    def play(self) -> Play:
        return self._play

    def second_of(self, stream: str, t: float) -> float | None:
        """Second of the recording of a sample with the stamp `t` of this stream (its uid)."""
        anchor = self._anchors.get(stream)
        return None if anchor is None else t - anchor

    def figures(self, fresh: bool) -> Figures | None:
        return self._tracking.figures(fresh) if self._tracking else None

    def tell(self, do: str, **values: float | bool) -> None:
        line = json.dumps({"do": do, **values}).encode() + b"\n"
        with contextlib.suppress(OSError):  # it is gone, or so far behind that a key more changes nothing
            os.write(self._commands, line)

    # --- what comes from the two processes

    def read(self, timeout_s: float = 0.0) -> None:
        """Take in what the playing process said."""
        if self._answers.closed:
            return
        for line in self._answers.read(timeout_s):
            kind = line.pop("kind", "")
            if kind == "position":
                self._placed(line)
            elif kind == "recording":
                self._described(line)
            elif kind == "error":
                self.broken = f"{line['message']} ({line['hint']})" if line["hint"] else line["message"]
        if self._answers.closed and not self.broken:
            self.broken = f"replaying {self._file.name} ended unexpectedly"
        if self.broken:
            self._play = Play(self._play.at_s, self._play.length_s, broken=self.broken)

    def _described(self, about: dict[str, Any]) -> None:
        self._about = about
        self.notes = about["notes"]
        events = heard((t, text) for t, text in about["markers"])
        said = {event.start for event in events}
        starts = tuple(event.start for event in events if event.kind == "sentence")
        marks = tuple(t for t, _ in about["markers"] if t not in said)
        words = tuple((event.start, event.text) for event in events if event.kind == "word")
        self.landmarks = Landmarks(marks, starts, words)
        self._play = Play(0.0, about["length_s"])

    def _placed(self, place: dict[str, Any]) -> None:
        stream, anchor = place.pop("uid"), place.pop("anchor")
        if anchor is not None:
            self._anchors[stream] = anchor
        self._play = Play(length_s=self._about["length_s"], **place)

    def connected(self, run: int, stream: str) -> None:
        """The decoder's run is of this stream (its uid)."""
        if self._streams.get(run) != stream:
            self._streams[run] = stream

    def decided(self, line: dict[str, Any]) -> None:
        """A decision; it is compared as soon as it is known which stream it was of."""
        if self._tracking:
            self._held.append(line)
            self.settle()

    def settle(self) -> None:
        while self._tracking and self._held:
            line = self._held[0]
            stream = self._streams.get(line["run"])
            if stream in self._anchors:
                self._compared(line, stream)
            elif not self._streams or max(self._streams) <= line["run"]:
                return  # not known yet; a run that was over before anybody saw it is left out
            self._held.popleft()

    def _compared(self, line: dict[str, Any], stream: str) -> None:
        assert self._tracking
        sfreq = self._about["sfreq"]
        at_s = line["t"] - self._anchors[stream] + 1 / sfreq
        if -1 / sfreq <= at_s <= self._about["length_s"] + 1:  # else its time is of another clock
            self._tracking.take(line, stream, at_s, sfreq)
