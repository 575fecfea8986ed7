"""`rtdecode watch --web`: the read-only screen in a browser. One viewer process per tab, never a decoder.

textual-serve brings the terminal in the page and the pipe to the viewer; what it lacks is here: who may look
(token, Host and Origin), no shell, no file from another server, a limit on tabs.
"""

import asyncio
import contextlib
import hmac
import logging
import socket
from asyncio.subprocess import PIPE, Process
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp_jinja2
import jinja2
from aiohttp import WSMsgType, web
from textual_serve.app_service import AppService
from textual_serve.server import Server

from rtdecode.remote import address
from rtdecode.remote.address import Address

TABS = 16
FPS = "15"  # of the terminal; the viewer asks for fewer pictures
QUIT_S = 2.0  # for a viewer to end by itself
MESSAGE_BYTES = 1 << 16
PAGE = Path(__file__).with_name("page")
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def url(listener: socket.socket, asked: Address, token: str) -> str:
    """What to open in a browser."""
    return f"http://{address.bound(listener, asked)}/" + (f"?token={token}" if token else "")


class Door:
    """Who may look: same machine or a token; and no page of another site, by whatever name."""

    def __init__(self, listener: socket.socket, asked: Address, token: str):
        port = listener.getsockname()[1]
        names = ("127.0.0.1", "localhost", "[::1]", str(Address(asked.host, 0)).rpartition(":")[0])
        self._hosts = {f"{name}:{port}" for name in names} if address.is_loopback(listener) else None
        self._token, self._cookie = token.encode(), f"rtdecode_{port}"

    @web.middleware
    async def check(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        origin = request.headers.get("Origin")
        # a name that somebody else points here, or a page of another site that opens our socket
        if self._hosts is not None and request.host not in self._hosts:
            raise web.HTTPForbidden(text=f"not served as {request.host!r}; open the address rtdecode said\n")
        if origin is not None and origin.partition("://")[2] != request.host:
            raise web.HTTPForbidden(text="not for pages of other sites\n")
        if not self._token:
            return await handler(request)
        if self._right(request.query.get("token")):
            answer = web.HTTPFound(request.path)  # without the token, which would stay in the history
            answer.set_cookie(self._cookie, request.query["token"], httponly=True, samesite="Strict")
            return answer
        if self._right(request.cookies.get(self._cookie)):
            return await handler(request)
        raise web.HTTPUnauthorized(text="open the whole address that rtdecode said, with its token\n")

    def _right(self, said: str | None) -> bool:
        return said is not None and hmac.compare_digest(said.encode(), self._token)


async def harden(request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(HEADERS)


class Tab(AppService):
    """The viewer process of one tab."""

    def __init__(self, argv: list[str], **service: Any):
        super().__init__("", **service)
        self._argv = argv

    def _build_environment(self, width: int = 80, height: int = 24) -> dict[str, str]:
        return {**super()._build_environment(width, height), "TEXTUAL_FPS": FPS}

    async def _open_app_process(self, width: int = 80, height: int = 24) -> Process:
        environment = self._build_environment(width, height)
        process = await asyncio.create_subprocess_exec(
            *self._argv, stdin=PIPE, stdout=PIPE, stderr=PIPE, env=environment
        )
        self._process, self._stdin = process, process.stdin
        return process

    async def stop(self) -> None:
        process, task = self._process, self._task
        with contextlib.suppress(TimeoutError, asyncio.CancelledError, ConnectionError):
            await asyncio.wait_for(super().stop(), QUIT_S)
        if task is not None:
            task.cancel()
        self._task = None
        if process is not None and process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


class Page(Server):
    """Serves one page, whose every tab runs `argv`."""

    def __init__(self, argv: list[str], door: Door, title: str):
        super().__init__("", title=title, templates_path=PAGE)
        self._argv, self._door = argv, door
        self._tabs = 0

    def app(self) -> web.Application:
        app = web.Application(middlewares=[self._door.check])
        aiohttp_jinja2.setup(app, loader=jinja2.FileSystemLoader(self.templates_path))
        app.router.add_get("/", self.handle_index)
        app.router.add_get("/ws", self.handle_websocket)
        app.router.add_get("/download/{key}", self.handle_download)
        app.router.add_static("/static", self.statics_path)
        app.router.add_static("/page", PAGE)
        app.on_response_prepare.append(harden)
        return app

    @aiohttp_jinja2.template("index.html")
    async def handle_index(self, request: web.Request) -> dict[str, Any]:
        scheme = "wss" if request.secure else "ws"
        return {"title": self.title, "socket": f"{scheme}://{request.host}/ws"}

    async def handle_websocket(self, request: web.Request) -> web.WebSocketResponse:
        if self._tabs >= TABS:
            raise web.HTTPServiceUnavailable(text=f"{TABS} tabs are open already\n")
        self._tabs += 1
        try:
            return await self._tab(request)
        finally:
            self._tabs -= 1

    async def _tab(self, request: web.Request) -> web.WebSocketResponse:
        line = web.WebSocketResponse(heartbeat=15, max_msg_size=MESSAGE_BYTES)
        await line.prepare(request)
        tab = Tab(
            self._argv,
            write_bytes=line.send_bytes,
            write_str=line.send_str,
            close=line.close,
            download_manager=self.download_manager,
        )
        try:
            await tab.start(_cells(request, "width", 80), _cells(request, "height", 24))
            async for message in line:
                if message.type is WSMsgType.TEXT:
                    await _obey(line, tab, message)
        except (ValueError, TypeError, KeyError, IndexError, ConnectionError):
            pass  # not what our page says
        finally:
            await tab.stop()
            await line.close()
        return line


def _cells(request: web.Request, name: str, usual: int) -> int:
    said = request.query.get(name, "")
    return _size(int(said)) if said.isdecimal() and len(said) < 6 else usual


def _size(cells: object) -> int:
    return min(max(int(cells), 1), 1000) if isinstance(cells, int) else 80


async def _obey(line: web.WebSocketResponse, tab: Tab, message: Any) -> None:
    """What a tab says: keys, its size, whether it is looked at."""
    kind, *more = message.json()
    if kind == "stdin":
        await tab.send_bytes(more[0].encode())
    elif kind == "resize":
        await tab.set_terminal_size(_size(more[0]["width"]), _size(more[0]["height"]))
    elif kind == "ping":
        await line.send_json(["pong", more[0]])
    elif kind == "blur":
        await tab.blur()
    elif kind == "focus":
        await tab.focus()


def serve(listener: socket.socket, page: Page) -> None:
    """Serve until Ctrl-C or SIGTERM."""
    logging.getLogger("textual-serve").setLevel(logging.ERROR)
    web.run_app(page.app(), sock=listener, print=None, access_log=None, shutdown_timeout=QUIT_S)
