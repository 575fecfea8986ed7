"""The same stream by others: read by mne-lsl's StreamLSL, where it is installed; decoded by the barest loop.

The bare loop is what a script would be that only pulls, runs the network and writes: no filter, no ranking,
no text, no checks. What the core adds to it is what those cost.
"""

import importlib
import importlib.util
import os
import signal
import time
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from rtdecode.bench.measure import Cell, Times, consumer
from rtdecode.bench.sender import INDEX_MODULO
from rtdecode.live.config import CoreConfig
from rtdecode.live.priority import short_turns
from rtdecode.live.processor import keep_to, reserved

MISSING = "mne-lsl is not installed: `pip install mne mne-lsl` adds its figures"


def available() -> bool:
    """Whether StreamLSL can be measured here."""
    return all(importlib.util.find_spec(name) is not None for name in ("mne_lsl", "mne"))


def buffer_s(sfreq: float) -> float:
    """Its buffer: 10 s as in its examples, 1 s where 10 s would be hundreds of MB."""
    return 10.0 if sfreq < 10_000 else 1.0


def stream_lsl(said: Connection, name: str, log_name: str, cell: Cell) -> None:
    """Runs in a process of its own, see measure.consumer. New samples are asked for without a pause."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        mne_lsl = importlib.import_module("mne_lsl")
        mne_lsl.set_log_level("ERROR")
        stream = importlib.import_module("mne_lsl.stream").StreamLSL(bufsize=buffer_s(cell.sfreq), name=name)
        stream.connect(acquisition_delay=0.001, processing_flags=None, timeout=10)
    except Exception as problem:  # whatever it is, the bench goes on without
        said.send(f"StreamLSL cannot be measured: {type(problem).__name__}: {problem}")
        return
    rows: list[tuple[float, float]] = []
    lost, last = 0, -1
    until = cpu = wall = 0.0
    while not until or time.monotonic() < until:
        if not stream.n_new_samples:
            time.sleep(1e-4)
            continue
        data, _ = stream.get_data()
        now = time.monotonic()
        if not until:
            until, wall, cpu = now + cell.seconds, now, time.process_time()
        index = int(data[0, -1])
        if last >= 0:  # more new samples than the buffer holds are gone for good
            lost += max(0, (index - last) % INDEX_MODULO - data.shape[1])
        last = index
        rows.append((index, now))
    share = (time.process_time() - cpu) / (time.monotonic() - wall)
    said.send((np.array(rows[len(rows) // 10 :]), lost, share))
    os._exit(0)


def bare_loop(cell: Cell, bundle: Path) -> Times:
    """Pushed to written, minus the network: placed and cadenced as the core is."""
    with reserved(CoreConfig(str(bundle), processor="auto")) as config:
        return consumer(cell, _bare_loop, config)


def _bare_loop(said: Connection, name: str, log_name: str, cell: Cell, config: CoreConfig) -> None:
    from rtdecode.bundle import load_bundle
    from rtdecode.engines import open_session
    from rtdecode.sources.lsl import LslSource, Wanted, quiet, resolve, select

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    keep_to(config.processor)
    short_turns()
    quiet()
    bundle = load_bundle(config.bundle)
    session, x = open_session(bundle), np.ascontiguousarray(bundle.golden["x"][0])
    source, hop = LslSource(select(resolve(), Wanted(name))), round(bundle.spec.hop_s * cell.sfreq)
    reader, writer = os.pipe()
    rows: list[tuple[float, float]] = []
    held = read = first = last = 0
    until = cpu = wall = 0.0
    while not until or time.monotonic() < until:
        data, _ = source.pull(hop - held, 0.05)
        if not len(data):
            continue
        if not until:
            wall, cpu, first = time.monotonic(), time.process_time(), int(data[0, 0])
            until = wall + cell.seconds
        last, held, read = int(data[-1, 0]), held + len(data), read + len(data)
        if held < hop:
            continue
        held = 0
        began = time.perf_counter()
        frames = session.run(x)
        took = time.perf_counter() - began
        found = frames.log_probs if frames.estimate is None else frames.estimate
        os.write(writer, b"" if found is None else found[-1].tobytes())
        rows.append((last, time.monotonic() - took))
        os.read(reader, 1 << 16)
    share = (time.process_time() - cpu) / (time.monotonic() - wall)
    lost = (last - first + 1) % INDEX_MODULO - read
    said.send((np.array(rows[len(rows) // 10 :]), lost, share))
    os._exit(0)
