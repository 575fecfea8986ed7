"""Does anything the screen goes through reach the decoder? One core, one screen, the same run.

    python benchmarks/isolation.py [--rounds 4] [--seconds 10] [--channels 306] [--processor auto] [--json]

The real screen, in a process and pseudo-terminal of its own, reads the core's pictures; then it is frozen,
resized without pause, and killed; a stranger is as busy as the screen was, then all the time; at last nobody
reads the core's lines; then from the beginning, for every round. Prints p50 and p99 of what the core adds to
its network in each phase, with the way from the sender and without, and the ratio of the p99 to that of the
same round's phase without a screen. All are medians of the rounds (one stall of the host is a hundredth of a
round), with the least and the most disturbed round.
"""

import argparse
import dataclasses
import fcntl
import json
import os
import pty
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from multiprocessing import resource_tracker
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

from rtdecode.bench.bundle import make_bench_bundle
from rtdecode.bench.measure import stream_name
from rtdecode.bench.probe import ProbedSupervisor, Stopwatch
from rtdecode.bench.push_log import PushLog
from rtdecode.bench.sender import Plan, sending
from rtdecode.live.config import CoreConfig
from rtdecode.live.processor import reserved
from rtdecode.live.signal_memory import SignalMemory
from rtdecode.live.slot import Slot, signal_name
from rtdecode.live.supervisor import Supervisor
from rtdecode.sources.lsl import quiet

START_S, SFREQ = 5.0, 1000.0
SIZES = ((120, 36), (80, 24), (200, 60), (60, 15))
PHASES = ("screen", "frozen", "resized", "killed", "stranger", "busy stranger", "nobody reads")
# as busy as the screen, or always, and ignorant of the core: what it costs, two processors cost each other
STRANGER = """
import sys, time
while True:
    time.sleep(float(sys.argv[1]))
    until = time.thread_time() + 0.006
    while time.thread_time() < until:
        sum(range(1000))
"""
RESTS_S = {"stranger": 1 / 15, "busy stranger": 0.0}
Phases = dict[str, np.ndarray]  # by phase, (decisions, 2)


def view(slot_name: str) -> None:
    """The screen's process: the real app on pictures of another process's core."""
    from rtdecode.live.priority import give_way
    from rtdecode.snapshot import Decoder, Snapshot
    from rtdecode.tui.app import LiveApp

    # attaching must not make this process's tracker the owner: it would unlink what the core still writes
    resource_tracker.register = lambda *_: None
    give_way()  # as the process of a decoder's screen does
    slot, rows, decoder = Slot(name=slot_name), SignalMemory(signal_name(slot_name)), Decoder()

    class Watched:
        def latest(self) -> Snapshot | None:
            data = slot.read()
            return dataclasses.replace(decoder.decode(data), signal=rows.newest()) if data else None

        def stop(self) -> None:
            pass

    LiveApp(Watched()).run()


class Screen:
    """A process in a pseudo-terminal whose output is read and thrown away."""

    def __init__(self, slot_name: str):
        self.terminal, theirs = pty.openpty()
        self.resize(*SIZES[0])
        env = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
        command = [sys.executable, __file__, "--view", slot_name]
        self.process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=env)
        os.close(theirs)
        self.shown = 0
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        try:
            while data := os.read(self.terminal, 1 << 16):
                self.shown += len(data)
        except OSError:
            return

    def resize(self, columns: int, lines: int) -> None:
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def send(self, number: int) -> None:
        self.process.send_signal(number)

    def end(self) -> None:
        self.process.kill()
        self.process.wait()


def measure(rounds: int, seconds: float, base: CoreConfig, channels: int) -> tuple[list[Phases], int]:
    """By round and phase, milliseconds over inference of each decision (pushed, readable); bytes drawn."""
    total_s = START_S + rounds * (len(PHASES) * seconds + START_S) + 2.0
    name, log = stream_name(), PushLog(1, round(total_s * SFREQ) + 1)
    watch = Stopwatch(round(100 * total_s))
    edges, drawn = list[float](), 0
    with tempfile.TemporaryDirectory(prefix="rtdecode-isolation-") as folder:
        bundle = Path(folder) / "bundle"
        make_bench_bundle(bundle, channels, SFREQ)
        plan = Plan(name, log.name, channels, SFREQ, total_s, index=False)
        config = dataclasses.replace(base, bundle=str(bundle), stream=name)
        # the sender keeps off the core's processor, as in `rtdecode bench`
        with reserved(config) as placed, sending(plan), ProbedSupervisor(placed, watch) as core:
            assert core._slot is not None
            for _ in range(rounds):
                screen, stranger = Screen(core._slot.name), None
                try:
                    _until(core, time.monotonic() + START_S)  # it starts: not measured
                    for phase in PHASES:
                        edges.append(time.monotonic())
                        if phase == "frozen":
                            screen.send(signal.SIGSTOP)
                        elif phase == "resized":
                            screen.send(signal.SIGCONT)
                        elif phase == "killed":
                            screen.end()
                        if stranger:
                            stranger.kill()
                            stranger.wait()
                            stranger = None
                        if phase in RESTS_S:
                            command = [sys.executable, "-c", STRANGER, str(RESTS_S[phase])]
                            stranger = subprocess.Popen(command)
                        _until(core, edges[-1] + seconds, phase, screen)
                    edges.append(time.monotonic())
                finally:
                    screen.end()
                    if stranger:
                        stranger.kill()
                    drawn += screen.shown
            rows, start = watch.rows(), log.start
        index = np.rint((rows[:, 0] - start) * SFREQ).astype(int)
        pushed = 1e3 * (rows[:, 1] - log.times(index)) - rows[:, 2]
        extra = np.stack([pushed, rows[:, 6] - rows[:, 2]], axis=1)
        log.stop()
        log.close()
        watch.close()
    span = np.searchsorted(edges, rows[:, 1]) - 1
    each = len(PHASES) + 1  # edges of a round
    return [{p: extra[span == each * r + k] for k, p in enumerate(PHASES)} for r in range(rounds)], drawn


def _until(core: Supervisor, end: float, phase: str = "", screen: Screen | None = None) -> None:
    k = 0
    while time.monotonic() < end:
        if phase == "nobody reads":
            time.sleep(0.05)
            continue
        core.messages(0.05)
        if phase == "resized" and screen:
            screen.resize(*SIZES[k % len(SIZES)])
            k += 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--channels", type=int, default=306)
    parser.add_argument("--processor", default="auto", help="auto, any or a number, as of `rtdecode live`")
    parser.add_argument("--realtime", action="store_true", help="the core asks for real-time priority")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--view", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.view:
        view(options.view)
        return 0
    quiet()
    config = CoreConfig("", wait_s=15.0, realtime=options.realtime, processor=options.processor)
    rounds, drawn = measure(options.rounds, options.seconds, config, options.channels)
    if not drawn or not all(len(ms) for found in rounds for ms in found.values()):
        print("a phase holds no decision, or the screen drew nothing", file=sys.stderr)
        return 1
    each = {
        phase: np.stack([np.quantile(one[phase], [0.5, 0.99], axis=0) for one in rounds]) for phase in PHASES
    }  # (rounds, [p50, p99], [pushed, readable])
    beside = {phase: each[phase][:, 1] / each["killed"][:, 1] for phase in PHASES}
    p50, p99 = ({phase: np.median(each[phase][:, k], axis=0).tolist() for phase in PHASES} for k in (0, 1))
    ratio = {phase: np.median(beside[phase], axis=0).tolist() for phase in PHASES}
    if options.json:
        print(json.dumps({"p50_ms": p50, "p99_ms": p99, "ratio": ratio, "drawn_bytes": drawn}))
        return 0
    for phase in PHASES:
        said = [
            f"{what} p50 {p50[phase][k]:5.2f} p99 {p99[phase][k]:5.2f} ms, {ratio[phase][k]:.2f} x "
            f"({beside[phase][:, k].min():.2f} to {beside[phase][:, k].max():.2f})"
            for k, what in enumerate(("pushed to published", "readable to decided"))
        ]
        print(f"{phase:<13} " + "   ".join(said))
    print(f"load {os.getloadavg()[0]:.1f}, the screen drew {drawn / 1e6:.1f} MB; minus inference;")
    print(f"medians of {len(rounds)} rounds; x: p99 beside that of that round without a screen (least, most)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
