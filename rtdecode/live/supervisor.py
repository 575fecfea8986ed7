"""The parent's side of the decoder: start the core process, read what it says, stop it.

Used by the screen and by headless runs alike. Draws and prints nothing.
"""

import contextlib
import dataclasses
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Sequence
from typing import Any

import rtdecode.errors
from rtdecode.errors import ContractError, RtdecodeError
from rtdecode.live.config import CoreConfig
from rtdecode.live.control import (
    Command,
    Commands,
    Drawn,
    Label,
    Mark,
    Reconnect,
    Record,
    RecordingFailed,
    ResetCounters,
    StopRecording,
    one_line,
)
from rtdecode.live.launch import core_main
from rtdecode.live.lines import LineReader
from rtdecode.live.priority import give_way
from rtdecode.live.rescoring_worker import Worker
from rtdecode.live.signal_memory import SIGNAL_BYTES, SignalMemory
from rtdecode.live.slot import Slot, signal_name
from rtdecode.snapshot import Decoder, Snapshot

# Room for the states of 6000 channels. Pages that are never written cost nothing.
PICTURE_BYTES = 4 << 20


class CoreStopped(RtdecodeError):
    """The decoder ended by a fault of its own. `trace`: where, for a bug report."""

    def __init__(self, message: str, trace: str = ""):
        super().__init__(f"the decoder stopped: {message}", hint="a fault of rtdecode, please report it")
        self.trace = trace


class Supervisor:
    """One core process.

        with Supervisor(CoreConfig(bundle, "EEG")) as core:
            while core.alive:
                for message in core.messages(0.1): ...
                snapshot = core.latest()

    telemetry  after `stop`: the session's histograms by stage (histogram.py)
    rescored   after `stop`: what a language model's opinions came to, in words; "" where none was asked
    error  why the core ended, once `messages` has met it; None while all is well or after `stop`
    """

    _entry: Callable[..., None] = staticmethod(core_main)
    _more: tuple[Any, ...] = ()  # further arguments of `_entry`, for whoever measures the core

    def __init__(self, config: CoreConfig):
        self.config = config
        self.error: RtdecodeError | None = None
        self.telemetry: dict[str, Any] = {}
        self.rescored = ""
        self._process: Any = None
        self._slot: Slot | None = None
        self._signal: SignalMemory | None = None
        self._decoder = Decoder()
        self._reader: LineReader | None = None
        self._commands: Commands | None = None
        self._rescorer: Worker | None = None
        self._seen = b""
        self._snapshot: Snapshot | None = None

    def start(self) -> None:
        """Spawn the core; returns at once. What goes wrong there comes as `error`.

        MissingExtra or ConfigError for a language model that cannot be asked.
        """
        ends: dict[str, Any] = {}
        if self.config.rescore:
            self._rescorer = Worker(self.config.rescore)
            ends["rescorer"] = self._rescorer.start()
        self._slot = Slot(PICTURE_BYTES)
        self._signal = SignalMemory(signal_name(self._slot.name), SIGNAL_BYTES)
        context = multiprocessing.get_context("spawn")
        self._receiving, sending = context.Pipe(duplex=False)
        control, self._control = context.Pipe(duplex=False)
        arguments = (self.config, self._slot.name, sending, os.getpid(), *self._more)
        self._process = context.Process(
            target=self._entry,
            args=arguments,
            kwargs={"control": control, **ends},
            name="rtdecode-core",
            daemon=True,
        )
        # Inherited, and read when NumPy loads there. Waking a second BLAS thread at every hop costs more than
        # it brings: the demo took p50 4.8 and p99 10 ms with two threads, 2.5 and 3.3 with one.
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
        # Ctrl-C while the child imports would end it with a traceback: it inherits this, then ignores it.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            self._process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        for end in (sending, control, *ends.get("rescorer", ())):  # it sees the end of what only it holds
            end.close()
        give_way()
        self._reader = LineReader(self._receiving.fileno())
        self._commands = Commands(self._control.fileno())

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.is_alive()

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    @property
    def slot_name(self) -> str:
        """Where its pictures are, for another reader of the same machine (live/slot.py)."""
        assert self._slot is not None
        return self._slot.name

    def fileno(self) -> int:
        """Readable when `messages` has something to say, for whoever waits for several cores."""
        return self._receiving.fileno()

    @property
    def ended(self) -> bool:
        """Whether nothing more will come from `messages`."""
        return self._reader is None or self._reader.closed

    def messages(self, timeout_s: float = 0.0) -> list[dict[str, Any]]:
        """What the core said since the last call, waiting up to `timeout_s` for the first.

        Each has a "kind": decision, event, state, health or error. Fetch them also when only the pictures
        matter: an error ends up in `error` here.
        """
        if self._reader is None:
            return []
        lines = self._reader.read(timeout_s)
        for line in lines:
            if line.get("kind") == "error":
                self.error = _rebuilt(line)
        if self._reader.closed and self.error is None and self._process:
            self._process.join(1.0)
            if self._process.exitcode not in (0, None):
                self.error = CoreStopped(f"its process ended with exit code {self._process.exitcode}")
        return lines

    def latest(self) -> Snapshot | None:
        """The newest picture; None before the first."""
        data = self._slot.read() if self._slot else None
        if data is not None and data is not self._seen:
            self._seen, snapshot = data, self._decoder.decode(data)
            signal = self._signal.newest() if self._signal else snapshot.signal
            self._snapshot = dataclasses.replace(snapshot, signal=signal)
        return self._snapshot

    # --- what the screen asks of it; each says whether it is on its way (control.py)

    def mark(self, text: str = "", lsl_time: float = 0.0) -> bool:
        """A mark at `lsl_time`, in seconds on this machine's LSL clock, with a label of one line."""
        return self._ask(Mark(lsl_time, one_line(text)))

    def label(self, text: str) -> bool:
        """Another label for the newest mark."""
        return self._ask(Label(one_line(text)))

    def record(self, feed: str, into: str = "") -> bool:
        """From now on into the ring of this name, whose recorder writes into the directory `into`."""
        return self._ask(Record(feed, one_line(into, 1000)))

    def stop_recording(self) -> bool:
        return self._ask(StopRecording())

    def recording_failed(self, why: str) -> bool:
        """A recording could not begin: for the events and the header, also those elsewhere."""
        return self._ask(RecordingFailed(one_line(why)))

    def reconnect(self) -> bool:
        """Drop the stream and look for it anew."""
        return self._ask(Reconnect())

    def reset_counters(self) -> bool:
        return self._ask(ResetCounters())

    def drawn(self, ms: Sequence[float]) -> bool:
        """How long decisions took to be on the screen, at most control.TIMES of them. For the log."""
        return self._ask(Drawn(tuple(ms)))

    def _ask(self, command: Command) -> bool:
        return self._commands is not None and self._commands.send(command)

    def stop(self, timeout_s: float = 1.5) -> None:
        """End the core, politely then firmly, and free what was shared. May be called twice."""
        if self._process is not None:
            if self._process.is_alive():
                self._process.terminate()
                self._hear_last_words(timeout_s)
                self._process.join(timeout_s)
            if self._process.is_alive():
                self._process.kill()
                self._process.join()
            self._process.close()
            self._process = None
            self._receiving.close()
            self._control.close()
            self._reader = self._commands = None
        if self._rescorer is not None:
            self._rescorer.stop()
            self._rescorer = None
        if self._signal is not None:
            self._signal.close()
            self._signal = None
        if self._slot is not None:
            self._slot.close()
            self._slot = None

    def _hear_last_words(self, timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while self._reader and not self._reader.closed and (left := deadline - time.monotonic()) > 0:
            for line in self._reader.read(left):
                if line.get("kind") == "telemetry":
                    self.telemetry = line["histograms"]
                elif "rescored" in line:
                    self.rescored = line["text"]

    def __enter__(self) -> "Supervisor":
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def _rebuilt(line: dict[str, Any]) -> RtdecodeError:
    """The error the core met, as the class it was there."""
    kind = getattr(rtdecode.errors, str(line.get("type")), None) if line.get("type") else None
    if kind is ContractError:
        return ContractError(
            line["message"], problems=tuple(line.get("problems", ())), hint=line.get("hint", "")
        )
    if isinstance(kind, type) and issubclass(kind, RtdecodeError):
        with contextlib.suppress(TypeError):
            return kind(line["message"], hint=line.get("hint", ""))
    if line.get("type"):
        return RtdecodeError(line["message"], hint=line.get("hint", ""))
    return CoreStopped(line["message"], line.get("trace", ""))
