"""`rtdecode watch --web` in a real headless Chromium, driven over its debugging socket; and its door.

Why it matters: a second tab must not be a second decoder, and no page of another site may look in.
"""

import asyncio
import re
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.browser import axe_script
from tests.bundles import make_bundle
from tests.processes import Running, left_after, running
from tests.test_watch_process import session

aiohttp = pytest.importorskip("aiohttp", reason="the extra [web] is not installed")
pytest.importorskip("textual_serve", reason="the extra [web] is not installed")

pytestmark = pytest.mark.live
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
DEADLINE_S = 30.0
FLAGS = (
    "--headless --no-sandbox --disable-gpu --no-first-run --disable-dev-shm-usage --remote-debugging-port=0"
)
SHOWN = "document.body.classList.contains('-first-byte')"
CLOSED = "document.body.classList.contains('-closed')"
AXE = (
    "axe.run(document, {resultTypes: ['violations']}).then(r => r.violations.map(v => v.id + ': ' + v.help))"
)
NAMES = "[...performance.getEntriesByType('resource')].map(e => new URL(e.name).host).join(' ')"


@contextmanager
def served(folder: Path, where: str, *web: str) -> Iterator[tuple[Running, str]]:
    """A web view of the session at `where`, and its URL."""
    with running(["-m", "rtdecode", "watch", where, "--web", *(web or ("127.0.0.1:0",))], folder) as server:
        server.wait_for(lambda c: c.said("http://"))
        found = re.search(r"http://\S+", "\n".join(server.err))
        assert found
        yield server, found[0]


class Browser:
    """One Chromium. evaluate(tab, expression): its value in the page."""

    def __init__(self, line: Any):
        self._line, self._count = line, 0

    async def call(self, method: str, tab: str = "", **parameters: Any) -> dict[str, Any]:
        self._count += 1
        call = {"id": self._count, "method": method, "params": parameters}
        await self._line.send_json({**call, "sessionId": tab} if tab else call)
        while True:
            answer = await self._line.receive_json(timeout=DEADLINE_S)
            if answer.get("id") == self._count:
                assert "error" not in answer, answer
                return answer["result"]

    async def open(self, url: str) -> str:
        made = await self.call("Target.createTarget", url=url)
        return (await self.call("Target.attachToTarget", targetId=made["targetId"], flatten=True))[
            "sessionId"
        ]

    async def evaluate(self, tab: str, expression: str) -> Any:
        said = await self.call(
            "Runtime.evaluate", tab, expression=expression, awaitPromise=True, returnByValue=True
        )
        return said["result"].get("value")

    async def click(self, tab: str, x: int = 200, y: int = 200) -> None:
        for kind in ("mousePressed", "mouseReleased"):
            await self.call("Input.dispatchMouseEvent", tab, type=kind, x=x, y=y, button="left", clickCount=1)

    async def until(self, tab: str, expression: str) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while not await self.evaluate(tab, expression):
                await asyncio.sleep(0.05)


@asynccontextmanager
async def browser() -> AsyncIterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no chromium here")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        process = await asyncio.create_subprocess_exec(
            CHROMIUM, *FLAGS.split(), f"--user-data-dir={home}", "about:blank", stderr=asyncio.subprocess.PIPE
        )
        try:
            assert process.stderr
            async with asyncio.timeout(DEADLINE_S):
                while b"ws://" not in (line := await process.stderr.readline()):
                    assert line, "chromium ended"
            url = "ws://" + line.decode().partition("ws://")[2].strip()
            async with aiohttp.ClientSession() as client, client.ws_connect(url, max_msg_size=0) as socket:
                yield Browser(socket)
        finally:
            process.kill()
            await process.wait()


def viewers(server: Running) -> set[int]:
    return {child.pid for child in psutil.Process(server.process.pid).children(recursive=True)}


async def until_viewers(server: Running, count: int) -> set[int]:
    async with asyncio.timeout(DEADLINE_S):
        while len(viewers(server)) != count:
            await asyncio.sleep(0.05)
    return viewers(server)


async def test_two_tabs_and_a_reload_are_viewers_of_one_decoder(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "tiny").path
    with session(tmp_path, bundle) as (decoder, where), served(tmp_path, where) as (server, url):
        decoder.wait_for(lambda c: c.out)
        parts = viewers(decoder)
        async with browser() as chromium:
            one, two = await chromium.open(url), await chromium.open(url)
            for tab in (one, two):
                await chromium.until(tab, SHOWN)
            before = await until_viewers(server, 2)
            commands = [" ".join(psutil.Process(pid).cmdline()) for pid in before]
            assert all(f"rtdecode watch {where}" in command for command in commands)
            await chromium.call("Page.reload", one)
            await chromium.until(one, SHOWN)
            async with asyncio.timeout(DEADLINE_S):
                while len(now := viewers(server)) != 2 or now == before:
                    await asyncio.sleep(0.05)
            assert viewers(decoder) == parts  # one core, whatever the tabs
            hosts = set((await chromium.evaluate(two, NAMES)).split())
            assert hosts == {url.split("/")[2]}  # nothing from another server
            assert await chromium.evaluate(two, "document.title") == f"rtdecode watch {where}"
            await chromium.call("Page.bringToFront", two)
            await chromium.click(two)
            await chromium.call("Input.insertText", two, text="q")
            await chromium.until(two, CLOSED)
            await until_viewers(server, 1)
        await until_viewers(server, 0)
        said = len(decoder.out)
        decoder.wait_for(lambda c: len(c.out) >= said + 4)
        server.process.send_signal(signal.SIGINT)
        assert server.end() == 0


async def test_the_page_is_accessible_in_light_and_dark(tmp_path: Path, pytestconfig: pytest.Config) -> None:
    assert pytestconfig.cache
    script = axe_script(Path(pytestconfig.cache.mkdir("axe")))
    with served(tmp_path, "127.0.0.1:1") as (_, url):
        async with browser() as chromium:
            tab = await chromium.open(url)
            await chromium.until(tab, SHOWN)
            await chromium.evaluate(tab, script)
            for closed in (False, True):
                await chromium.evaluate(
                    tab, f"document.body.classList.toggle('-closed', {str(closed).lower()})"
                )
                for scheme in ("light", "dark"):
                    media = [{"name": "prefers-color-scheme", "value": scheme}]
                    await chromium.call("Emulation.setEmulatedMedia", tab, features=media)
                    assert await chromium.evaluate(tab, AXE) == []


async def test_a_killed_server_leaves_no_viewer(tmp_path: Path) -> None:
    with served(tmp_path, "127.0.0.1:1") as (server, url):
        async with aiohttp.ClientSession() as client, client.ws_connect(url + "ws?width=80&height=24") as tab:
            assert (await tab.receive_bytes(timeout=DEADLINE_S)) != b""
            left = [psutil.Process(pid) for pid in viewers(server)]
            assert len(left) == 1
            server.process.kill()
            assert left_after(left) == []


async def test_the_page_says_what_the_screen_says_and_takes_no_nonsense(tmp_path: Path) -> None:
    with served(tmp_path, "127.0.0.1:1") as (server, url):
        async with aiohttp.ClientSession() as client:
            async with client.ws_connect(url + "ws?width=999999999&height=;id") as tab:
                seen = b""
                async with asyncio.timeout(DEADLINE_S):
                    while b"no session at" not in seen:
                        seen += await tab.receive_bytes()
            for nonsense in ("{", '["resize", {"width": []}]'):
                async with client.ws_connect(url + "ws") as tab:
                    await tab.send_str(nonsense)
                    await tab.send_json(["stdin", "q"])
                    async for _ in tab:
                        pass
            await until_viewers(server, 0)
            assert (await client.get(url)).status == 200


async def test_no_other_site_looks_in(tmp_path: Path) -> None:
    with served(tmp_path, "127.0.0.1:1") as (_, url):
        async with aiohttp.ClientSession() as client:
            assert (await client.get(url, headers={"Host": "evil.example"})).status == 403
            with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
                await client.ws_connect(url + "ws", headers={"Origin": "http://evil.example"})
            answer = await client.get(url)
            assert answer.status == 200
            assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]


async def test_opened_wider_it_asks_for_a_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RTDECODE_TOKEN", raising=False)
    with served(tmp_path, "127.0.0.1:1", "0.0.0.0:0") as (_, said):
        port, token = re.search(r":(\d+)/\?token=(\S+)", said).groups()  # type: ignore[union-attr]
        url = f"http://127.0.0.1:{port}/"
        jar = aiohttp.CookieJar(unsafe=True)  # of an IP address too
        async with aiohttp.ClientSession(cookie_jar=jar) as client:
            for wrong in ("", "?token=", "?token=wrong", "static/js/textual.js", "ws"):
                assert (await client.get(url + wrong)).status == 401
            answer = await client.get(f"{url}?token={token}")
            assert answer.status == 200 and "token" not in str(answer.url)
            assert (await client.get(url + "static/js/textual.js")).status == 200
            (cookie,) = jar
            assert cookie["httponly"] and cookie["samesite"] == "Strict"
