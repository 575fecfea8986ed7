"""What the screen costs: the live app in a real pseudo-terminal, 120x36, true colour, new snapshots at 15 Hz.

    python benchmarks/screen.py [--seconds 10] [--channels 32 64] [--keys fFz]

The watcher plays a made-up session and decodes each snapshot from its bytes, as the real one does, so the
figure is the whole of what the screen's process does. CPU is that process's own time over wall time, after
two seconds of start-up. --keys are pressed before that: fF adds the filters of the drawing, z one channel and
its spectrum. Exit code 1 above 12 % of a core or below 14 frames a second.
"""

import argparse
import fcntl
import json
import os
import pty
import select
import struct
import sys
import termios
import time
from itertools import cycle
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from rtdecode.snapshot import Snapshot, decode, encode
from rtdecode.tui.app import FPS, LiveApp
from rtdecode.tui.picture import Session

COLUMNS, LINES = 120, 36
WARM_UP_S = 2.0
MOST_CPU, LEAST_FPS = 0.12, 14.0


class Player:
    """A watcher that plays ten seconds of a session round and round, from bytes each time."""

    def __init__(self, channels: int):
        session = Session(channels)
        self.reading_s = 0.0
        moments = [session.at(700 + i / FPS, published=1e9, window_s=5.0) for i in range(10 * FPS)]
        self.ready = cycle([encode(moment) for moment in moments])

    def latest(self) -> Snapshot:
        data = next(self.ready)
        began = time.process_time()
        snapshot = decode(data)
        self.reading_s += time.process_time() - began
        return snapshot

    def stop(self) -> None:
        pass


class Measured(LiveApp):
    """Counts what reaches the terminal and measures itself."""

    def __init__(self, player: Player, seconds: float, result: Path, keys: str):
        super().__init__(player)
        self.player, self.measured_s, self.result, self.pressed = player, seconds, result, keys
        self.painted = 0

    def post_display_hook(self) -> None:
        self.painted += 1

    def on_mount(self) -> None:
        for key in self.pressed:
            self.simulate_key(key)
        self.set_timer(WARM_UP_S, self.begin)

    def begin(self) -> None:
        self.mark = (time.perf_counter(), time.process_time(), self.painted, self.player.reading_s)
        self.set_timer(self.measured_s, self.finish)

    def finish(self) -> None:
        wall, cpu, painted, reading = self.mark
        wall = time.perf_counter() - wall
        cpu, reading = time.process_time() - cpu, self.player.reading_s - reading
        values = {"cpu": cpu / wall, "reading": reading / wall, "fps": (self.painted - painted) / wall}
        self.result.write_text(json.dumps(values))
        self.exit()


def in_terminal(channels: int, seconds: float, result: Path, keys: str) -> tuple[dict[str, float], float]:
    """Run the app in a child on a pseudo-terminal; its figures, and bytes a second it wrote."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ |= {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
        os.environ.pop("NO_COLOR", None)
        Measured(Player(channels), seconds, result, keys).run()
        os._exit(0)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    total, first, tail = 0, time.perf_counter(), b""
    while True:
        select.select([terminal], [], [], 1.0)
        try:
            data = os.read(terminal, 1 << 16)
        except OSError:  # the child's end is closed
            break
        if not data:
            break
        total, tail = total + len(data), (tail + data)[-3000:]
    os.waitpid(pid, 0)
    if not result.exists():
        raise SystemExit(f"the screen ended early:\n{tail.decode(errors='replace')}")
    rate = total / (time.perf_counter() - first)
    return json.loads(result.read_text()), rate


def main() -> int:
    parser = argparse.ArgumentParser(description="CPU and frame rate of the screen in a pseudo-terminal.")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--channels", type=int, nargs="+", default=[32, 64])
    parser.add_argument("--keys", default="", help="pressed before measuring, e.g. fF")
    parser.add_argument("--result", type=Path, default=Path("/tmp") / f"screen-{os.getpid()}.json")  # noqa: S108
    options = parser.parse_args()
    good = True
    bar = f"CPU < {MOST_CPU:.0%}, >= {LEAST_FPS:g} fps"
    print(f"{COLUMNS}x{LINES}, {FPS} Hz, {options.seconds:g} s each; bar: {bar}", flush=True)
    for channels in options.channels:
        values, rate = in_terminal(channels, options.seconds, options.result, options.keys)
        holds = values["cpu"] < MOST_CPU and values["fps"] >= LEAST_FPS
        good = good and holds
        print(
            f"{channels:4d} channels  CPU {values['cpu']:.1%} (reading snapshots {values['reading']:.1%})  "
            f"{values['fps']:.1f} fps  {rate / 1000:.0f} kB/s  {'holds' if holds else 'FAILS'}"
        )
    options.result.unlink(missing_ok=True)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
