"""The same stream read by mne-lsl's StreamLSL, where it is installed: get_data() of the whole buffer."""

import importlib
import importlib.util
import os
import signal
import time
from multiprocessing.connection import Connection

import numpy as np

from rtdecode.bench.measure import Cell
from rtdecode.bench.sender import INDEX_MODULO

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
