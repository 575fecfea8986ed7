"""The process that rescores: a causal language model, texts in and their log-probabilities out.

Spawned beside the core by whoever starts it, so that torch, its threads and its memory are none of the core's
business; the two talk in JSON lines through two pipes, whose end is read as an end however the other process
died. It yields to everybody (nice), writes to no terminal and fetches nothing. Knows no sentences and no
deadline but the one it is told.

    -> {"id": 3, "until": 81.2, "texts": ["a b", "a c"]}       until: monotonic seconds, null: none
    <- {"ready": 2.1} once, or {"refused": "why"} and the end
    <- {"id": 3, "scores": [-9.1, -8.4], "done": 80.9}, or "problem" for "scores"; neither: not begun
"""

import contextlib
import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from rtdecode.errors import RtdecodeError
from rtdecode.live.lines import LineReader, LineWriter
from rtdecode.text.rescore_lm import FolderLM, model_folder

NICE = 10
LOOK_S = 0.5  # how soon it sees that nobody is there any more
LAST_S = 0.5  # for the core to fetch the last words
_QUIET = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "TRANSFORMERS_VERBOSITY": "error",
    "TOKENIZERS_PARALLELISM": "false",
}


class Worker:
    """The parent's side. model: a folder, or an id that the Hugging Face cache of this machine has"""

    def __init__(self, model: str):
        self._model = model
        self._process: Any = None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def start(self) -> tuple[Connection, Connection]:
        """Spawn it; returns the core's ends (rescoring.Ends), which the caller closes once the core has them.

        MissingExtra or ConfigError, before anything is started, as `model_folder`.
        """
        folder = model_folder(self._model)
        context = multiprocessing.get_context("spawn")
        (answers, answering), (asked, asking) = context.Pipe(duplex=False), context.Pipe(duplex=False)
        self._process = context.Process(
            target=worker_main,
            args=(str(folder), asked, answering, os.getpid()),
            name="rtdecode-rescorer",
            daemon=True,
        )
        # Ctrl-C while the child imports would end it with a traceback: it inherits this, then ignores it.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            self._process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            asked.close()
            answering.close()
        return answers, asking

    def stop(self) -> None:
        """It holds nothing that could be lost. May be called twice."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._process.close()
            self._process = None


def worker_main(folder: str, asked: Connection, answering: Connection, parent: int) -> None:
    """Entry point of the spawned process: until the core or the parent ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal's Ctrl-C is the parent's to answer
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    with contextlib.suppress(OSError):
        os.nice(NICE)
    nowhere = os.open(os.devnull, os.O_WRONLY)  # libraries print, and the terminal is the screen's
    for stream in (1, 2):
        os.dup2(nowhere, stream)
    os.environ.update(_QUIET)
    # Libraries make locks between processes that they never use. Of this kind they have no name that a killed
    # process would leave behind, about which the parent's interpreter would complain at its end.
    multiprocessing.set_start_method("fork", force=True)
    reader, writer = LineReader(asked.fileno()), LineWriter(answering.fileno())
    began = time.monotonic()
    try:
        score = _loaded(Path(folder))
    except Exception as problem:  # whatever torch and transformers raise: said, and the core goes on
        known = "" if isinstance(problem, RtdecodeError) else f"{type(problem).__name__}: "
        writer.send({"refused": f"{known}{problem}"})
    else:
        writer.send({"ready": time.monotonic() - began})
        serve(reader, writer, score, lambda: os.getppid() == parent)
    writer.drain(LAST_S)
    os._exit(0)


def _loaded(folder: Path) -> Callable[[list[str]], list[float]]:
    import torch

    torch.set_num_threads(max(1, (os.cpu_count() or 2) // 2))
    lm = FolderLM(folder, name=folder.name)
    lm.score(["once"])  # the first pass of a model takes several times as long as the next
    return lm.score


def serve(
    reader: LineReader,
    writer: LineWriter,
    score: Callable[[list[str]], list[float]],
    alive: Callable[[], bool],
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Answer until the other end is closed or `alive` says no."""
    while not reader.closed and not writer.closed and alive():
        for asked in reader.read(LOOK_S):
            answer: dict[str, Any] = {"id": asked["id"]}
            if asked["until"] is None or clock() <= asked["until"]:
                try:
                    answer["scores"] = score(asked["texts"])
                except Exception as problem:  # a text that is too long, no memory: the next may be well
                    answer["problem"] = f"{type(problem).__name__}: {problem}"
            writer.send({**answer, "done": clock()})
