"""`rtdecode watch`: a running session's screen in another terminal, or in a browser. Read-only."""

import importlib.util
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from rtdecode.errors import MissingExtra, RtdecodeError
from rtdecode.live.priority import give_way
from rtdecode.remote import address
from rtdecode.remote.address import WEB_PORT, Address
from rtdecode.tui.encoding import need_utf8

WEB_FPS = 5.0  # of the pictures in a tab


def run_watch(where: Sequence[Address], *, fps: float) -> int:
    """Show the decoders at `where` until the user leaves. RtdecodeError for what the user can mend.

    fps  pictures a second of each at most
    """
    _need_terminal()
    from rtdecode.remote.screen import WatchApp, WatchSeveralApp
    from rtdecode.remote.viewer import Viewer

    viewers = [Viewer(each, address.given_token(), fps=fps).start() for each in where]
    try:
        (WatchApp(viewers[0]) if len(viewers) == 1 else WatchSeveralApp(viewers)).run()
    finally:
        for viewer in viewers:
            viewer.stop()
    refused = [viewer.refused for viewer in viewers if viewer.refused]
    if refused and len(refused) == len(viewers):
        raise refused[0]
    return 0


def run_log(directory: Path) -> int:
    """Show the session that is written down in `directory`, by whomever. RecordingError when it is no log."""
    _need_terminal()
    from rtdecode.remote.log_viewer import LogViewer
    from rtdecode.remote.screen import WatchApp

    viewer = LogViewer(directory).start()
    try:
        WatchApp(viewer).run()
    finally:
        viewer.stop()
    return 0


def _need_terminal() -> None:
    """Also: whoever decodes on this machine goes before whoever looks."""
    give_way()
    served = "TEXTUAL_DRIVER" in os.environ  # a browser's tab has no terminal
    if not (served or sys.stdout.isatty()):
        raise RtdecodeError("stdout is not a terminal", hint="--web shows the session in a browser")
    need_utf8()


def run_web(where: Sequence[Address] | Path, web: Address, *, fps: float) -> int:
    """Serve the screen of the decoders at `where`, or of the log, to browsers until Ctrl-C. Raises as the
    others."""
    if importlib.util.find_spec("textual_serve") is None:
        raise MissingExtra("textual-serve", "web")
    from rtdecode.remote.web import Door, Page, serve, url
    from rtdecode.session.manifest import load

    if isinstance(where, Path):
        load(where)  # refused here, not in every tab
    what = ["--log", str(where)] if isinstance(where, Path) else [*map(str, where)]
    named = str(where) if isinstance(where, Path) else " ".join(what)
    argv = [sys.executable, "-m", "rtdecode", "watch", *what, "--fps", str(fps)]
    listener = address.listen(web)
    token = address.token_for(listener)
    print(
        f"rtdecode: the session at {named} is shown at {url(listener, web, token)}",
        file=sys.stderr,
        flush=True,
    )
    if not address.is_loopback(listener):
        print(
            "rtdecode: not encrypted; an SSH tunnel is, where the network is not yours",
            file=sys.stderr,
            flush=True,
        )
    serve(listener, Page(argv, Door(listener, web, token), f"rtdecode watch {named}"))
    return 0


def web_address(text: str) -> Address:
    return address.parse(text, WEB_PORT)
