"""The process of the batch that several cores share (engines/shared.py): there before them and after them."""

import contextlib
import json
import multiprocessing
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import rtdecode.errors
from rtdecode.engines.select import driver
from rtdecode.engines.shared import serve
from rtdecode.errors import ConfigError, MissingExtra, RtdecodeError

START_S = 120.0  # torch and a GPU take seconds to begin
END_S = 1.0


@contextlib.contextmanager
def shared_batch(bundle: Path, seats: int, threads: int) -> Iterator[str]:
    """Where cores find a batch of this bundle with so many seats: on the GPU, where there is one.

    MissingExtra without torch; what else keeps it from starting is raised as the process said it.
    """
    if find_spec("torch") is None:
        raise MissingExtra("torch (engine batched)", "offline")
    folder = tempfile.mkdtemp(prefix="rtdecode-batch-")  # only its user may enter
    path, context = str(Path(folder) / "batch"), multiprocessing.get_context("spawn")
    heard, said = context.Pipe(duplex=False)
    device = "cuda" if driver() else "cpu"
    process = context.Process(
        target=serve,
        args=(path, str(bundle), seats, threads, device, os.getpid(), said),
        name="rtdecode-batch",
        daemon=True,
    )
    try:
        # Ctrl-C while the child imports would end it with a traceback: it inherits this, then ignores it.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        said.close()
        _wait(heard)
        yield path
    finally:
        if process.pid is not None:
            process.terminate()
            process.join(END_S)
            if process.is_alive():
                process.kill()
                process.join()
        heard.close()
        shutil.rmtree(folder, ignore_errors=True)


def _wait(heard: "multiprocessing.connection.Connection") -> None:
    try:
        if not heard.poll(START_S):
            raise ConfigError(f"the batch did not start within {START_S:g} s")
        problem = json.loads(heard.recv_bytes())
    except EOFError:
        raise ConfigError(
            "the batch's process ended at its start", hint="leave --engine batched out"
        ) from None
    if problem:
        name, message, hint = problem
        kind = getattr(rtdecode.errors, name, RtdecodeError)
        if kind in (ConfigError, rtdecode.errors.BundleError):
            raise kind(message, hint=hint)
        raise RtdecodeError(message, hint=hint)
