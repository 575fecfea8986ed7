"""`rtdecode watch`: a running session's screen in another terminal, or in a browser. Read-only."""

import importlib.util
import os
import sys
from pathlib import Path

from rtdecode.errors import MissingExtra, RtdecodeError
from rtdecode.live.priority import give_way
from rtdecode.remote import address
from rtdecode.remote.address import WEB_PORT, Address

WEB_FPS = 5.0  # of the pictures in a tab


def run_watch(where: Address, *, fps: float) -> int:
    """Show the session at `where` until the user leaves. RtdecodeError for what the user can mend.

    fps  pictures a second at most
    """
    _need_terminal()
    from rtdecode.remote.screen import WatchApp
    from rtdecode.remote.viewer import Viewer

    viewer = Viewer(where, address.given_token(), fps=fps).start()
    try:
        WatchApp(viewer).run()
    finally:
        viewer.stop()
    if viewer.refused:
        raise viewer.refused
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


def run_web(where: Address | Path, web: Address, *, fps: float) -> int:
    """Serve the screen of the session at `where`, or of the log, to browsers until Ctrl-C. Raises as the
    others."""
    if importlib.util.find_spec("textual_serve") is None:
        raise MissingExtra("textual-serve", "web")
    from rtdecode.remote.web import Door, Page, serve, url
    from rtdecode.session.manifest import load

    if isinstance(where, Path):
        load(where)  # refused here, not in every tab
    what = ["--log", str(where)] if isinstance(where, Path) else [str(where)]
    argv = [sys.executable, "-m", "rtdecode", "watch", *what, "--fps", str(fps)]
    listener = address.listen(web)
    token = address.token_for(listener)
    print(
        f"rtdecode: the session at {where} is shown at {url(listener, web, token)}",
        file=sys.stderr,
        flush=True,
    )
    if not address.is_loopback(listener):
        print(
            "rtdecode: not encrypted; an SSH tunnel is, where the network is not yours",
            file=sys.stderr,
            flush=True,
        )
    serve(listener, Page(argv, Door(listener, web, token), f"rtdecode watch {where}"))
    return 0


def web_address(text: str) -> Address:
    return address.parse(text, WEB_PORT)
