"""`rtdecode replay`: a file becomes a live stream."""

import sys
import time
from pathlib import Path

from rtdecode.commands.interrupted import Interrupted
from rtdecode.recordings import read
from rtdecode.replay import Replayer, parse_speed, stable_id
from rtdecode.sources.lsl import quiet


def run_replay(
    file: Path,
    *,
    name: str,
    select: str | None = None,
    speed: str = "1",
    loop: bool = False,
    wait: bool = True,
) -> int:
    """Play `file` as an LSL stream called `name`. Returns 0; RtdecodeError for a file that cannot be played.

    select  of a file with several streams, the one of this name or type
    speed   a positive number, or "max" (20 times: beyond it readers would lose samples)
    wait    hold the first sample until somebody listens
    """
    factor = parse_speed(speed)
    recording = read(file, select)
    for note in recording.notes:
        _say(f"note: {note}")
    quiet()
    with Interrupted() as interrupted:

        def stopping() -> bool:
            return interrupted.seen

        source_id = stable_id(str(file.resolve()), recording.name)
        player = Replayer(recording, name, source_id=source_id, speed=factor, loop=loop)
        what = f"{len(recording.labels)} channels at {recording.sfreq:g} Hz, {recording.duration_s:.1f} s"
        _say(f"replaying {file.name} as {name!r}: {what}, speed {speed}{', in a loop' if loop else ''}")
        if wait:
            _say("waiting for a listener")
            player.wait_for_consumer(stopping)
        began = time.monotonic()
        sent = player.play(stopping)
        _say(f"{sent} samples sent in {time.monotonic() - began:.1f} s")
        player.linger(stopping)
    return 0


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
