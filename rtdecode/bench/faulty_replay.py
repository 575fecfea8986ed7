"""A replay with planted faults, in a process of its own: gaps, NaN, flat channels, an outlet that goes away.

Knows nothing of who listens; it goes on after a disconnection when it is told to.
"""

import os
import signal
import time
from multiprocessing.connection import Connection

import numpy as np

from rtdecode.bench.sender import Plan
from rtdecode.recordings import Recording
from rtdecode.replay import Replayer
from rtdecode.sources.lsl import quiet

AWAY_S = 0.7  # by our clock, whatever the speed: the decoder must notice
LINGER_S = 120.0
NAN, FLAT = 1, 2  # channels that are spoilt


def stretches(plan: Plan) -> list[np.ndarray]:
    """The samples that are sent, from disconnection to disconnection."""
    begins = [0, *(first + count for first, count in plan.away)]
    ends = [*(first for first, _ in plan.away), round(plan.seconds * plan.sfreq)]
    found = []
    for begin, end in zip(begins, ends, strict=True):
        index = np.arange(begin, end)
        kept = np.ones(len(index), bool)
        for first, count in plan.skip:
            kept &= (index < first) | (index >= first + count)
        found.append(index[kept])
    return found


def play(
    plan: Plan, signal_file: str, stream: tuple[tuple[str, ...], str], speed: float, said: Connection
) -> None:
    """Entry point of the sending process: one Replayer from disconnection to disconnection."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    quiet()
    labels, unit = stream
    block = np.load(signal_file)
    middle = float(np.median(block[:, FLAT]))  # held at an extreme it would be a rail
    total = round(plan.seconds * plan.sfreq)
    said.send("ready")
    for index in stretches(plan):
        data = block[index % len(block)]
        for spans, channel, value in ((plan.nan, NAN, np.nan), (plan.flat, FLAT, middle)):
            for first, count in spans:
                data[(index >= first) & (index < first + count), channel] = value
        about = (labels, (unit,) * len(labels), "EEG", plan.name, index / plan.sfreq)
        recording = Recording(data, plan.sfreq, *about)
        player = Replayer(recording, plan.name, source_id=f"{plan.name}-source", speed=speed)
        player.wait_for_consumer(lambda: False)
        player.play(lambda: False)
        last = index[-1] == total - 1
        said.send(bool(last))
        said.recv()
        if not last:
            del player
            time.sleep(AWAY_S)
    time.sleep(LINGER_S)  # stays visible until it is killed
    os._exit(0)
