"""Whether a terminal can be drawn on: the screens need UTF-8, and Textual writes as Python encodes stderr.

Asked before anything starts. Knows no screen.
"""

import codecs
import os
import sys

from rtdecode.errors import RtdecodeError


def need_utf8() -> None:
    """RtdecodeError, in ASCII so that it can be read there, where the screens would be gibberish."""
    if "TEXTUAL_DRIVER" in os.environ:  # a browser's tab has no terminal
        return
    # where Textual's drivers write, which is not stdout everywhere
    terminal = sys.__stdout__ if sys.platform == "win32" else sys.__stderr__
    named = getattr(terminal, "encoding", None) or "utf-8"
    try:
        name = codecs.lookup(named).name
    except LookupError:
        name = named
    if name == "utf-8":
        return
    forced = "unset PYTHONIOENCODING" if os.environ.get("PYTHONIOENCODING") else "export LC_ALL=C.UTF-8"
    raise RtdecodeError(f"the terminal's encoding is {name}, the screens need utf-8", hint=f"`{forced}`")
