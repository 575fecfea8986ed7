"""Lines and samples of a session log become the picture that the decoder itself would have drawn then.

Pure: knows neither files nor threads. Session seconds come from the lines; between lines the session's clock
runs on from the line that came soonest after it was written.
"""

from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from rtdecode.bundle import Bundle, load_bundle
from rtdecode.config import from_json
from rtdecode.contract import ChannelMap
from rtdecode.errors import RtdecodeError
from rtdecode.live.display import Display
from rtdecode.live.output import bundle_card
from rtdecode.live.story import Story
from rtdecode.preprocess import PreprocessSpec
from rtdecode.session.manifest import Manifest, bundle_hash
from rtdecode.snapshot import BundleCard, ChannelState, Health, Snapshot, State
from rtdecode.types import Decision, Hit, Hypothesis, Retrieved, StreamInfo

QUALITY_S = 0.5  # between two looks at the channels
NEAR_S = 10.0  # a stamp further from the lines around it is of another clock
_HEALTH = frozenset(field.name for field in fields(Health))
_HYPOTHESIS = frozenset(field.name for field in fields(Hypothesis))
_HIT = ("id", "text", "source", "start", "score", "prob")


class LogPicture:
    """What the screen shows of a log so far.

    stream  number of the newest connection, 0 before the first
    begun   whether anything was said;  closed  whether the log was closed in order
    """

    def __init__(self, about: Manifest):
        self.stream, self.begun, self.closed = 0, False, False
        self._bundle = _same_bundle(about)
        self._card = bundle_card(self._bundle) if self._bundle else None
        self._named = about.bundle.name if about.bundle else ""
        self._clock_s, self._config = about.clock_s, about.config
        self._story = Story()
        self._info: StreamInfo | None = None
        self._health = Health()
        self._state, self._since, self._detail = State.CONNECTING, 0.0, ""
        self._t = 0.0  # session seconds of the newest line
        self._ahead = float("-inf")  # session seconds less our clock
        self._run = 0
        self._heads = [False, False]  # rankings and texts seen
        self._display: Display | None = None
        self._channels: ChannelMap | None = None
        self._next = 0  # the sample the display waits for
        self._states: tuple[ChannelState, ...] = ()
        self._looked = float("-inf")

    # --- what is read

    def line(self, line: dict[str, Any]) -> None:
        """Take in one line that the reader holds for whole."""
        self.begun = True
        kind, t = line["kind"], line.get("t")
        if kind in ("event", "state", "health") and isinstance(t, int | float):
            self._t = max(self._t, float(t))
        try:
            if kind == "connection":
                self._connect(int(line["stream"]), from_json(StreamInfo, line["info"], "the log"))
            elif kind == "run":
                self._run = line["run"]
                self._story.new_run()
            elif kind == "state":
                self._state, self._since = State(line["state"]), float(line["t"])
                self._run = line.get("run", self._run)
            elif kind == "event":
                self._story.event(float(line["t"]), line["level"], line["text"])
            elif kind == "health":
                known = {key: value for key, value in line.items() if key in _HEALTH}
                self._health = from_json(Health, known, "the log")
            elif kind == "decision":
                self._decided(line)
            elif kind == "error":
                self._state, self._since = State.FAILED, self._t
                self._detail = str(line.get("message", "the decoder stopped"))
        except (RtdecodeError, ValueError, TypeError, KeyError):
            pass  # of another version: what cannot be shown is left out
        self.closed = kind == "end"

    def written(self, at: float) -> None:
        """The newest line was written at `at` on our clock, or before."""
        self._ahead = max(self._ahead, self._t - at)

    def signal(self, info: StreamInfo, data: np.ndarray, start: int) -> None:
        """Samples (T, C) of the newest connection as the stream sent them, the first being number `start`."""
        if self._display is None and not self._open(info):
            return
        assert self._display is not None
        if start != self._next:
            self._display.reset()
        self._next = start + len(data)
        if self._state is State.CONNECTING and not self._named:  # a recording alone says nothing of states
            self._state, self._since = State.LIVE, self._t
        data = np.where(np.isfinite(data), data, 0.0)
        if self._channels is None:
            self._display.push(data.astype(np.float32), data)
        else:
            self._display.push(self._channels.apply(data), self._channels.pick(data))

    # --- what is shown

    def snapshot(self, now: float) -> Snapshot:
        """now: seconds on our clock. The signal is a copy."""
        elapsed = max(self._t, now + self._ahead) if not self.closed else self._t
        display, story = self._display, self._story
        if display is not None and now - self._looked >= QUALITY_S:
            self._looked, self._states = now, display.channels()
        return Snapshot(
            state=self._state,
            state_s=max(0.0, elapsed - self._since),
            detail=self._detail,
            stream=self._info,
            bundle=self._said_bundle(),
            run=self._run,
            elapsed_s=elapsed,
            published=now,
            decision=story.decision,
            decided_s=story.decided_s,
            held_s=story.held_s(elapsed),
            agrees=story.agrees,
            text=tuple(story.text),
            tentative=story.tentative,
            channels=self._states,
            health=self._health,
            events=tuple(story.events),
            event_count=story.event_count,
            signal_sfreq=display.sfreq if display else 0.0,
            signal=display.signal().copy() if display else np.zeros((0, 0), np.float32),
        )

    def _connect(self, ident: int, info: StreamInfo) -> None:
        self.stream, self._info = ident, info
        self._display, self._channels, self._next, self._states = None, None, 0, ()

    def _open(self, info: StreamInfo) -> bool:
        """Make the display of a connection: as the bundle sees the stream, or the stream as it is."""
        if not info.sfreq:
            return False
        spec, unit = self._bundle and self._bundle.spec, str(self._config.get("assume_unit", ""))
        if spec and not spec.stream.problems(info, unit):
            self._channels = ChannelMap(spec.stream, info, unit)
            self._display = Display(spec.preprocess, spec.stream.labels)
        else:
            count, rate = len(info.labels), info.sfreq
            plain = PreprocessSpec(rate, rate, 0.0, 0.0, 2, (0.0,) * count, (1.0,) * count)
            self._display = Display(plain, info.labels)
        return True

    def _decided(self, line: dict[str, Any]) -> None:
        said, text = line.get("retrieved"), line.get("text")
        hits = tuple(Hit(-1, *(hit.get(key, 0.0) for key in _HIT)) for hit in said["hits"]) if said else ()
        retrieved = Retrieved(hits, said["candidates"], float(said.get("window_s", 0.0))) if said else None
        told = {key: value for key, value in text.items() if key in _HYPOTHESIS} if text else None
        hypothesis = from_json(Hypothesis, told, "the log") if told is not None else None
        self._heads = [self._heads[0] or said is not None, self._heads[1] or text is not None]
        local = line.get("t_local")
        second = local - self._clock_s if isinstance(local, int | float) else self._t
        if not -1.0 <= second - self._t <= NEAR_S:
            second = self._t
        self._t = max(self._t, second)
        stages = {str(k): float(v) for k, v in line.get("stage_ms", {}).items()}
        decision = Decision(
            line["index"], line["run"], line["sample"], float(line["t"]), retrieved, hypothesis, stages,
            tuple(map(str, line.get("warnings", ()))),
        )  # fmt: skip
        self._run = decision.run
        self._story.decided(decision, second)

    def _said_bundle(self) -> BundleCard | None:
        """Of a bundle that is no longer where it was, what the log itself shows of it."""
        if self._card is not None or not self._named:
            return self._card
        last = self._story.decision.retrieved if self._story.decision else None
        window_s, candidates = (last.window_s, last.candidates) if last else (0.0, 0)
        return BundleCard(self._named, "", (), (), 0.0, window_s, candidates, 0.0, *self._heads)


def _same_bundle(about: Manifest) -> Bundle | None:
    """The bundle of the session, where it still is and still is the same."""
    if about.bundle is None:
        return None
    path = Path(about.bundle.path)
    try:
        return load_bundle(path) if bundle_hash(path) == about.bundle.sha256 else None
    except (OSError, RtdecodeError):
        return None
