"""The decoding process: one loop that pulls samples, decodes and publishes. Nothing here waits for a reader.

    LslSource -> Decoding -> lines (every decision, at once) and slot (the newest picture, 15 times a second)

Runs in a spawned process of its own (launch.py), so that no screen can hold it up. It connects and
reconnects; it writes no files and draws nothing.
"""

import contextlib
import gc
import time
from collections.abc import Callable

import numpy as np

from rtdecode.bundle import load_bundle
from rtdecode.config import to_json
from rtdecode.engines import open_session
from rtdecode.live.config import CoreConfig
from rtdecode.live.connector import Connector, Opened
from rtdecode.live.decoding import Decoding
from rtdecode.live.health import HealthMeter
from rtdecode.live.lines import LineWriter
from rtdecode.live.output import bundle_card, decision_line
from rtdecode.live.slot import Slot
from rtdecode.live.story import Story
from rtdecode.live.watch import Gap, Watch
from rtdecode.snapshot import ChannelState, Snapshot, State, encode
from rtdecode.sources.lsl import Lost, LslSource, Search, Wanted
from rtdecode.types import Decision, StreamInfo

PULL_S = 0.05  # longest wait for samples: how soon the loop sees a stop, silence, or a lost parent
LOOK_S = 0.02
PICTURE_S = 1 / 15
QUALITY_S = 0.5
HEALTH_S = 5.0
BEHIND_S = 1.0  # undecoded samples beyond this are worth a word


class Core:
    """One session: a bundle, a stream by name, and what became of them."""

    def __init__(self, config: CoreConfig, slot: Slot, lines: LineWriter, search: Search | None = None):
        self._slot, self._lines = slot, lines
        self._bundle = load_bundle(config.bundle)
        spec = self._bundle.spec
        self._sfreq = spec.stream.sfreq
        self._session = open_session(self._bundle, config.engine, config.threads)
        self._card = bundle_card(self._bundle)
        self._began = now = time.monotonic()
        until = None if config.wait_s is None else now + config.wait_s
        wanted = Wanted(config.stream, config.stype)
        self._connector = Connector(wanted, spec.stream, config.assume_unit, until, search)
        self._watch = Watch(spec.hop_s, now)
        self._story = Story()
        self._health = HealthMeter(1e3 * spec.hop_s, self._sfreq)
        self._source: LslSource | None = None
        self._decoding: Decoding | None = None
        self._info: StreamInfo | None = None
        self._channels: tuple[ChannelState, ...] = ()
        self._said: State | None = None
        self._readable = 0.0  # timer seconds at which the samples under way could be read
        self._heard = now  # when samples last came
        self._behind = False
        self._failure = self._refusal = ""
        self._picture_at = self._quality_at = 0.0
        self._health_at = now + HEALTH_S

    def run(self, stopping: Callable[[], bool]) -> None:
        """Until told to stop. RtdecodeError when the first connection cannot be made."""
        gc.collect()
        gc.freeze()
        gc.disable()  # collected by hand where it delays nothing
        while not stopping():
            if self._source is None or self._decoding is None:
                self._connect()
            else:
                self._turn(self._source, self._decoding)
            self._publish(time.monotonic())
        if self._source:
            self._source.close()

    def _turn(self, source: LslSource, decoding: Decoding) -> None:
        try:
            data, stamps = source.pull(decoding.samples_to_next_hop(), PULL_S)
        except Lost:
            self._lost("its sender closed it")
            return
        self._readable, now = time.perf_counter(), time.monotonic()
        if len(stamps):
            if self._watch.state is State.LOST:  # silent for long, now speaking again
                self._event("warn", f"samples again after {now - self._heard:.1f} s of silence")
                self._health.forget_rate()
                self._connector.rest()
            self._heard = now
            self._watch.samples(now)
            self._health.arrived(len(stamps), now)
            decoding.push(data, stamps)
        elif self._watch.tick(now) is State.LOST:
            opened = self._connector.look_elsewhere()
            if opened:
                self._lost("its sender was started anew")
                self._use(opened)

    # --- connection

    def _connect(self) -> None:
        opened = self._connector.look(time.monotonic())
        if opened:
            self._use(opened)
            return
        refusal = self._connector.refusal
        if refusal and refusal != self._refusal:
            self._event("warn", f"the stream is there but cannot be used: {refusal}")
        self._refusal = refusal
        time.sleep(LOOK_S)

    def _use(self, opened: Opened) -> None:
        now, info, before = time.monotonic(), opened.source.info, self._info
        self._source, self._info = opened.source, info
        if self._decoding is None:
            self._decoding = Decoding(self._bundle, self._session, opened.channels, info, self)
            note = ", reordered by name" if opened.channels.reordered else ""
            where = info.hostname or "this host"
            text = (
                f"connected to {info.name} on {where}: {len(info.labels)} channels{note}, {info.sfreq:g} Hz"
            )
            self._event("info", text)
        else:
            self._decoding.rebind(opened.channels, info)
            self._health.restarts += 1
            note = ", its channels in another order" if before and before.labels != info.labels else ""
            self._event("warn", f"the stream is back after {now - self._heard:.1f} s{note}: {self._run_text}")
        self._health.forget_rate()
        self._story.new_run()
        self._watch.opened(now)
        self._heard = now

    def _lost(self, why: str) -> None:
        if self._source:
            self._source.close()
        self._source = None
        self._health.forget_rate()
        self._watch.lost(time.monotonic())
        self._event("error", f"stream lost: {why}; looking for it again")

    # --- what decoding brings forth (decoding.Listener)

    def decided(self, decision: Decision, began: float) -> None:
        start = time.perf_counter()
        stage_ms = {**decision.stage_ms, "total": 1e3 * (start - self._readable)}
        offset_s = self._source.offset_s if self._source else None
        self._lines.send({"kind": "decision", **decision_line(decision, stage_ms, offset_s)})
        end, now = time.perf_counter(), time.monotonic()
        stage_ms |= {"publish": 1e3 * (end - start), "total": 1e3 * (end - self._readable)}
        self._health.hop(stage_ms, 1e3 * (end - began), now)
        self._story.decided(decision, now - self._began)
        self._watch.decided(now)

    def broke(self, gap: Gap, lost: int) -> None:
        now = time.monotonic()
        self._health.gaps += 1
        self._health.lost += lost
        self._health.forget_rate()
        self._story.new_run()
        self._watch.new_run(now)
        if lost:
            text = f"{lost} samples ({gap.seconds:.3f} s) are missing by their stamps: {self._run_text}"
        else:
            text = f"the stream's stamps went back by {-gap.seconds:.3f} s: {self._run_text}"
        self._event("warn", text)

    def noted(self, level: str, text: str) -> None:
        self._event(level, text)

    # --- publishing

    @property
    def _run(self) -> int:
        return self._decoding.run if self._decoding else 0

    @property
    def _run_text(self) -> str:
        return f"run {self._run} begins"

    def failed(self, message: str) -> None:
        """The last picture: the decoder stopped."""
        self._failure = message
        self._watch.fail(time.monotonic())
        self._event("error", f"the decoder stopped: {message}")
        with contextlib.suppress(Exception):
            self._picture(time.monotonic())

    def _event(self, level: str, text: str) -> None:
        event = self._story.event(time.monotonic() - self._began, level, text)
        self._lines.send({"kind": "event", **to_json(event)})

    def _publish(self, now: float) -> None:
        self._lines.flush()
        elapsed = round(now - self._began, 3)
        state = self._watch.tick(now)
        if state is not self._said:
            self._said, self._picture_at = state, 0.0
            self._lines.send({"kind": "state", "state": state.value, "run": self._run, "t": elapsed})
        if now < self._picture_at:
            return
        self._picture_at = now + PICTURE_S
        if now >= self._quality_at and self._decoding and self._source:
            self._quality_at = now + QUALITY_S
            self._channels = self._decoding.display.channels()
            self._check_backlog(self._source.waiting() / self._sfreq)
        self._picture(now)
        if now >= self._health_at:
            self._health_at = now + HEALTH_S
            health = to_json(self._health.read(now))
            self._lines.send({"kind": "health", "state": state.value, "t": elapsed, **health})
            gc.collect(1)

    def _check_backlog(self, behind_s: float) -> None:
        if behind_s > BEHIND_S and not self._behind:
            self._event("warn", f"decoding is {behind_s:.1f} s behind the stream")
        self._behind = behind_s > (0.5 * BEHIND_S if self._behind else BEHIND_S)

    def _detail(self) -> str:
        if self._watch.state is State.FILLING and self._decoding:
            have, need = self._decoding.filled_s
            return f"{have:.1f} / {need:.1f} s"
        return self._failure or self._connector.detail

    def _picture(self, now: float) -> None:
        story, elapsed = self._story, now - self._began
        display = self._decoding.display if self._decoding else None
        self._health.offset_s = self._source.offset_s if self._source else None
        snapshot = Snapshot(
            state=self._watch.state,
            state_s=now - self._watch.since,
            detail=self._detail(),
            found=self._connector.found,
            stream=self._info,
            bundle=self._card,
            run=self._run,
            elapsed_s=elapsed,
            published=now,
            decision=story.decision,
            decided_s=story.decided_s,
            held_s=story.held_s(elapsed),
            agrees=story.agrees,
            text=tuple(story.text),
            tentative=story.tentative,
            channels=self._channels,
            health=self._health.read(now),
            events=tuple(story.events),
            event_count=story.event_count,
            signal_sfreq=display.sfreq if display else 0.0,
            signal=display.signal() if display else np.zeros((0, 0), np.float32),
        )
        self._slot.write(encode(snapshot))
