"""The core process from its first line to its last: signals, errors, the end.

Imports the decoder only once it runs in the spawned process: whoever starts it needs neither scipy nor
ONNX Runtime. Knows how a core ends, not what it does.
"""

import os
import signal
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection

from rtdecode.errors import ContractError, RtdecodeError
from rtdecode.live.config import CoreConfig
from rtdecode.live.control import Orders
from rtdecode.live.lines import LineWriter
from rtdecode.live.priority import realtime, short_turns
from rtdecode.live.processor import keep_to
from rtdecode.live.slot import Slot

DRAIN_S = 0.5  # at the end, for the parent to fetch the last words


def core_main(
    config: CoreConfig,
    slot_name: str,
    pipe: Connection,
    parent: int,
    writer: Callable[[int], LineWriter] = LineWriter,
    control: Connection | None = None,
    rescorer: tuple[Connection, Connection] | None = None,
) -> None:
    """Entry point of the spawned process: runs until SIGTERM, an error, or the end of `parent`.

    control  what the screen asks for comes through it (control.py);  rescorer: rescoring.Ends
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal's Ctrl-C is the parent's to answer
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    stopping: list[int] = []
    signal.signal(signal.SIGTERM, lambda *_: stopping.append(1))
    lines = writer(pipe.fileno())
    core = tape = None
    try:
        # before any thread is there: they inherit it
        keep_to(config.processor)
        if config.realtime:
            realtime()
        else:
            short_turns()
        from rtdecode.sources.lsl import Search, quiet

        quiet()
        search = Search()  # listens to the network while the decoder is loaded
        from rtdecode.live.core import Core
        from rtdecode.live.feed import Feed
        from rtdecode.live.tape import Tape

        tape = Tape(Feed(name=config.feed) if config.feed else None)
        lines.also = tape.line

        orders = Orders(control.fileno()) if control else None
        core = Core(config, Slot(name=slot_name), lines, search, tape, orders, rescorer)
        core.run(lambda: bool(stopping) or lines.closed or os.getppid() != parent)
    except RtdecodeError as problem:
        problems = list(problem.problems) if isinstance(problem, ContractError) else []
        error = {"type": type(problem).__name__, "message": problem.message, "hint": problem.hint}
        lines.send({"kind": "error", **error, "problems": problems})
    except Exception as problem:  # a fault of ours: the screen stays up and says so
        message = f"{type(problem).__name__}: {problem}"
        if core:
            core.failed(message)
        lines.send({"kind": "error", "type": "", "message": message, "trace": traceback.format_exc()})
    lines.drain(DRAIN_S)
    if tape:
        tape.finish()
    os._exit(0)  # liblsl's destructors may abort
