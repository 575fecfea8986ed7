"""The decoding process: one loop that pulls samples, decodes and publishes. Nothing here waits for a reader.

    LslSource -> Decoding -> lines (every decision, at once) and slot (the newest picture, 15 times a second)

Runs in a spawned process of its own (launch.py), so that no screen can hold it up. It connects and
reconnects; it writes no files and draws nothing.
"""

import contextlib
import gc
import time
from collections.abc import Callable
from typing import Any

from rtdecode.bundle import load_bundle
from rtdecode.config import to_json
from rtdecode.contract import ChannelMap, moved
from rtdecode.live.announcer import Announcer
from rtdecode.live.approach import Approach
from rtdecode.live.breaks import Breaks
from rtdecode.live.checks import Checks
from rtdecode.live.clock import Gap
from rtdecode.live.config import CoreConfig
from rtdecode.live.connector import Connector, Opened
from rtdecode.live.control import Orders
from rtdecode.live.decoding import Decoding
from rtdecode.live.desk import Desk, Joined
from rtdecode.live.health import HealthMeter
from rtdecode.live.lines import LineWriter
from rtdecode.live.network import network
from rtdecode.live.output import bundle_card
from rtdecode.live.pressure import Pressure
from rtdecode.live.rescoring import Ends, open_rescoring
from rtdecode.live.signal_memory import SignalMemory
from rtdecode.live.slot import Slot, signal_name
from rtdecode.live.story import Story
from rtdecode.live.tape import Tape
from rtdecode.live.usage import Usage
from rtdecode.live.watch import Watch
from rtdecode.outlets import Outlets
from rtdecode.snapshot import ChannelState, Encoder, Event, Snapshot, State
from rtdecode.sources.lsl import BUFFER_S, Lost, LslSource, Search, Wanted
from rtdecode.sources.markers import Marks
from rtdecode.types import Decision, StreamInfo

LOOK_S = 0.02
PICTURE_S, UNSEEN_S = 1 / 15, 1.0  # between two pictures; while nobody looks at them
QUALITY_S = 0.5
HEALTH_S = 5.0
SPARE_S = 0.004  # pictures and the like are made where the next hop is at least so far away


class Core:
    """One session: a bundle, a stream by name, and what became of them."""

    def __init__(
        self,
        config: CoreConfig,
        slot: Slot,
        lines: LineWriter,
        search: Search | None = None,
        tape: Tape | None = None,
        orders: Orders | None = None,
        rescorer: Ends | None = None,
    ):
        self._slot, self._lines, self._tape = slot, lines, tape or Tape(None)
        self._signal, self._encoder, self._usage = SignalMemory(signal_name(slot.name)), Encoder(), Usage()
        self._bundle = load_bundle(config.bundle)
        spec = self._bundle.spec
        self._sfreq = spec.stream.sfreq
        self._session = network(self._bundle, config)
        _ = self._bundle.language  # read now: a large model takes seconds
        self._card = card = bundle_card(self._bundle)
        self._began = now = time.monotonic()
        until = None if config.wait_s is None else now + config.wait_s
        wanted = Wanted(config.stream, config.stype, config.source_id, config.where)
        self._connector = Connector(wanted, spec.stream, config.assume_unit, until, search)
        self._watch = Watch(spec.hop_s, now)
        self._pressure = Pressure(spec.hop_s, config.policy)
        self._marks = Marks(config.markers) if config.markers else None
        self._bad = config.bad
        self._breaks = Breaks(config.played)
        self._approach = Approach(self._sfreq, spec.hop_s)
        self._network_too = config.realtime  # rehearsed with the rest
        self._story = Story()
        self._health = HealthMeter(1e3 * spec.hop_s, self._sfreq)
        outlets: Outlets | None = None
        if config.outlets:
            outlets = Outlets(config.outlets, has_retrieval=card.has_retrieval, has_text=card.has_text)
        self._announcer = Announcer(lines, self._health, outlets)
        self._checks = Checks(self._health, self._sfreq, self.say)
        self._desk = Desk(orders, self, self._tape)
        self._rescoring = open_rescoring(config, spec.text, rescorer, self.say)
        self._source: LslSource | None = None
        self._decoding: Decoding | None = None
        self._info: StreamInfo | None = None
        self._map: ChannelMap | None = None
        self._channels: tuple[ChannelState, ...] = ()
        self._said: State | None = None
        self._readable = 0.0  # timer seconds at which the samples under way could be read
        self._heard = self._asked = now  # when samples last came, and were last asked for
        self._stall_s = 0.0  # for how long they were not
        self._pulled = self._decided = False  # in this turn
        self._failure = self._refusal = ""
        self._picture_at = self._unseen_at = self._quality_at = 0.0
        self._health_at = now + HEALTH_S

    def run(self, stopping: Callable[[], bool]) -> None:
        """Until told to stop. RtdecodeError when the first connection cannot be made."""
        gc.collect()
        gc.freeze()
        gc.disable()  # collected by hand where it delays nothing
        if chosen := self._session.info().reason:
            self.say("info", chosen)
        while not stopping():
            self._pulled = self._decided = False
            if self._source is None or self._decoding is None:
                self._connect()
            else:
                self._turn(self._source, self._decoding)
            self._publish(time.monotonic())
        if self._rescoring:
            self._rescoring.finish()
        self._lines.send({"kind": "telemetry", "histograms": self._health.export() | self._desk.finish()})
        if self._source:
            self._source.close()

    def _turn(self, source: LslSource, decoding: Decoding) -> None:
        asked, self._asked = self._asked, time.monotonic()
        self._stall_s = self._asked - asked
        try:
            missing = decoding.samples_to_next_hop()
            data, stamps = self._approach.pull(source, missing, self._rehearse)
        except Lost:
            self._lost("its sender closed it")
            return
        self._readable, now = self._approach.came, time.monotonic()
        if self._approach.waited:
            self._pressure.idle(self._readable)
        if len(stamps):
            self._pulled = True
            if self._watch.state is State.LOST:  # silent for long, now speaking again
                self.say(*self._breaks.resumed(now - self._heard))
                self._health.forget_rate()
                self._connector.rest()
            self._heard = now
            self._tape.samples(data, stamps)
            arrived, newest = source.now(), float(stamps[-1])
            decoding.push(data, stamps, arrived, source.waiting)
            # what follows may wait for a decision, not the other way round
            self._watch.samples(now)
            self._health.arrived(len(stamps), now)
            self._checks.stamped(newest, arrived)
        elif self._watch.tick(now) is State.LOST and not self._breaks.played:
            opened = self._connector.look_elsewhere()
            if opened:
                self._lost("its sender was started anew")
                self._use(opened)

    def _rehearse(self) -> bool:
        """All that the last samples of a hop will pass through, with no samples and the decision before: it
        finds the caches cold instead of them. False where there is nothing to rehearse."""
        source, decoding, last = self._source, self._decoding, self._story.decision
        if source is None or decoding is None or last is None:
            return False
        source.pull(0, 0.0)
        source.now()
        if not decoding.rehearse(self._network_too):
            return False
        self._announcer.rehearse(last, source.offset_s)
        return True

    # --- connection

    def _connect(self) -> None:
        opened = self._connector.look(time.monotonic())
        if opened:
            self._use(opened)
            return
        refusal = self._connector.refusal
        if refusal and refusal != self._refusal:
            self.say("warn", f"the stream is there but cannot be used: {refusal}")
        self._refusal = refusal
        time.sleep(LOOK_S)

    def _use(self, opened: Opened) -> None:
        now, info, before = time.monotonic(), opened.source.info, self._info
        self._source, self._info, self._map = opened.source, info, opened.channels
        if self._decoding is None:
            sink, pressure, channels = self._signal, self._pressure, opened.channels
            self._decoding = Decoding(
                self._bundle, self._session, channels, info, self, sink=sink, pressure=pressure, bad=self._bad
            )
            note = ", reordered by name" if opened.channels.reordered else ""
            where = f"{info.name} on {info.hostname or 'this host'}"
            self.say("info", f"connected to {where}: {len(info.labels)} channels{note}, {info.sfreq:g} Hz")
        else:
            self._decoding.rebind(opened.channels, info)
            self._health.restarts += not self._breaks.played
            note = ", its channels in another order" if before and before.labels != info.labels else ""
            self.say(*self._breaks.back(now - self._heard, self._run, note))
            if before and (mapping := moved(before.labels, info.labels)):
                self.say("info", f"channels are matched by name: {mapping}")
        self._tape.connected(info, opened.channels, self._run)
        if opened.by_name_only:
            self.say("warn", opened.by_name_only)
        self._checks.forget_stamp()
        self._health.forget_rate()
        self._story.new_run()
        self._watch.opened(now)
        self._heard = self._asked = now

    def _lost(self, why: str) -> None:
        self._drop()
        self.say(*self._breaks.lost(why))

    def _drop(self) -> None:
        if self._source:
            self._source.close()
            self._watch.lost(time.monotonic())
        self._source = None
        self._health.forget_rate()

    # --- what decoding brings forth (decoding.Listener)

    def decided(self, decision: Decision, began: float) -> None:
        source, decoding = self._source, self._decoding
        offset_s = source.offset_s if source else None
        if decoding and decoding.by_arrival:
            offset_s = 0.0
        clock = source.now if source else None
        self._announcer.decided(decision, self._readable, began, offset_s, clock)
        self._decided, now = True, time.monotonic()
        self._story.decided(decision, now - self._began)
        self._watch.decided(now)
        if self._rescoring and decoding:
            self._rescoring.ask(decision.run, decoding.sentences())

    def broke(self, gap: Gap, lost: int) -> None:
        self._health.gaps += 1
        self._health.lost += lost
        self._new_run()
        if gap.seconds > 0:
            text = f"{lost} samples ({gap.seconds:.3f} s) are missing by their stamps"
            if self._stall_s > BUFFER_S:
                text += f", nobody fetched them for {self._stall_s:.0f} s"
        else:
            text = f"stamps went back by {-gap.seconds:.3f} s after {gap.silence_s:.1f} s without samples"
        self.say("warn", f"{text}: run {self._run} begins")

    def stepped(self, seconds: float) -> None:
        self._health.clock_steps += 1
        self.say("warn", f"the sender's clock stepped by {seconds:+.3f} s: no sample is missing")
        self._checks.forget_stamp()
        if self._source:
            self._source.clock.ask_again()

    def restarted(self, why: str) -> None:
        self._new_run()
        self.say("error", f"{why}: run {self._run} begins")

    def _new_run(self) -> None:
        if self._decoding:
            self._tape.run(self._run, self._decoding.total)
        self._health.forget_rate()
        self._story.new_run()
        self._watch.new_run(time.monotonic())

    def noted(self, level: str, text: str) -> None:
        self.say(level, text)

    # --- publishing

    @property
    def _run(self) -> int:
        return self._decoding.run if self._decoding else 0

    def failed(self, message: str) -> None:
        """The last picture: the decoder stopped."""
        self._failure = message
        self._watch.fail(time.monotonic())
        self.say("error", f"the decoder stopped: {message}")
        with contextlib.suppress(Exception):
            self._picture(time.monotonic())

    # --- what the screen may ask for (desk.Session)

    def say(self, level: str, text: str, at: float | None = None, **more: Any) -> Event:
        elapsed = self.elapsed()
        event = self._story.event(elapsed if at is None else at, level, text)
        self._lines.send({"kind": "event", **to_json(event), "t": elapsed, **more})
        return event

    def amend(self, before: Event, after: Event, **more: Any) -> None:
        self._story.amend(before, after)
        self._lines.send({"kind": "event", **to_json(after), "t": self.elapsed(), **more})

    def elapsed(self) -> float:
        return round(time.monotonic() - self._began, 3)

    def joined(self) -> Joined | None:
        if not (self._source and self._decoding):
            return None
        self._said = None  # a log that begins now should hold the state, too
        return Joined(self._source.info, self._map, self._run, self._decoding.in_run, self._decoding.total)

    def reconnect(self) -> None:
        self.say("warn", "reconnecting, as asked" if self._source else "looking for the stream anew")
        self._drop()
        self._connector.rest()

    def reset_counters(self) -> dict[str, int]:
        return self._checks.reset_counters(self._decoding)

    def _publish(self, now: float) -> None:
        self._lines.flush()
        elapsed = self.elapsed()
        for level, text in self._tape.alarms(now):
            self.say(level, text)
        for level, text, times in self._marks.news() if self._marks else ():
            self.say(level, text, **times)
        state = self._watch.tick(now)
        if state is not self._said:
            self._said, self._picture_at, self._unseen_at = state, 0.0, 0.0
            self._lines.send({"kind": "state", "state": state.value, "run": self._run, "t": elapsed})
        if now < self._picture_at or not self._has_time():
            return
        self._desk.poll()
        if self._rescoring:
            self._rescoring.poll()
        if now >= self._quality_at and self._decoding and self._source:
            self._quality_at = now + QUALITY_S
            self._channels = self._decoding.states
            self._checks.look(self._source, self._decoding)
            self._tape.clock(self._source.now(), self._source.offset_s)
            self._health.cpu, self._health.rss_mb = self._usage.read()
            return  # its picture is made between the next two hops: one gap may not hold both
        self._picture_at = now + PICTURE_S
        if self._slot.wanted or now >= self._unseen_at:
            self._unseen_at = now + UNSEEN_S
            self._picture(now)
        if now >= self._health_at:
            self._health_at = now + HEALTH_S
            health = to_json(self._health.read(now))
            self._lines.send({"kind": "health", "state": state.value, "t": elapsed, **health})
            gc.collect(1)

    def _has_time(self) -> bool:
        """Whether the next decision is far enough away for what may take a millisecond."""
        if self._decided or not self._pulled or self._decoding is None:
            return True
        return self._decoding.samples_to_next_hop() > SPARE_S * self._sfreq

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
            retry=self._connector.retry,
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
            recording=self._tape.recording,
            signal_sfreq=display.sfreq if display else 0.0,
        )
        self._slot.write(self._encoder.encode(snapshot))
