"""A web server on this machine that does what servers do: ranges, cuts, changes, lies, refusals."""

import hashlib
import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote


@dataclass
class Remote:
    """One file, and how it misbehaves. Lists are used up, one entry a request.

    cuts       close the connection after so many bytes of the body
    statuses   answer these first;  changes  contents that replace the present one before an answer
    """

    content: bytes
    etag: bool = True
    ranges: bool = True
    length: bool = True
    chunked: bool = False
    kind: str = "application/octet-stream"
    location: str = ""
    cuts: list[int] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    changes: list[bytes | None] = field(default_factory=list)


class _Quiet(ThreadingHTTPServer):
    """Clients that hang up are what these tests are about."""

    daemon_threads = True

    def handle_error(self, request, client_address):
        pass


class WebServer:
    """`files`: path -> Remote;  `asked`: (path, Range, Authorization) of every request, in order;  `sent`:
    bytes of bodies
    """

    def __init__(self):
        self.files: dict[str, Remote] = {}
        self.asked: list[tuple[str, str, str]] = []
        self.sent = 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):
                outer._answer(self)

        self._server = _Quiet(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def put(self, path: str, content: bytes, **how) -> str:
        self.files[path] = Remote(content, **how)
        return self.address + path

    def put_json(self, path: str, value) -> str:
        return self.put(path, json.dumps(value).encode(), kind="application/json")

    def ranges_of(self, path: str) -> list[str]:
        return [asked[1] for asked in self.asked if asked[0] == path]

    def _answer(self, handler):
        path, wanted = unquote(handler.path), handler.headers.get("Range", "")
        self.asked.append((path, wanted, handler.headers.get("Authorization", "")))
        remote = self.files.get(path)
        if remote is None:
            return self._status(handler, 404)
        if remote.statuses:
            return self._status(handler, remote.statuses.pop(0))
        if remote.location:
            return self._status(handler, 302, remote.location)
        changed = remote.changes.pop(0) if remote.changes else None
        if changed is not None:
            remote.content = changed
        tag = f'"{hashlib.md5(remote.content, usedforsecurity=False).hexdigest()}"'
        start, body = 0, remote.content
        condition = handler.headers.get("If-Range", tag)
        if wanted and remote.ranges and (condition == tag or not remote.etag):
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            handler.send_response(206)
            handler.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        else:
            handler.send_response(200)
        body = body[start:]
        handler.send_header("Content-Type", remote.kind)
        if remote.etag:
            handler.send_header("ETag", tag)
        if remote.chunked:
            handler.send_header("Transfer-Encoding", "chunked")
        elif remote.length:
            handler.send_header("Content-Length", str(len(body)))
        handler.send_header("Connection", "close")
        handler.end_headers()
        cut = remote.cuts.pop(0) if remote.cuts else None
        piece = body if cut is None else body[:cut]
        if remote.chunked:
            handler.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
            if cut is None:
                handler.wfile.write(b"0\r\n\r\n")
        else:
            handler.wfile.write(piece)
        self.sent += len(piece)
        handler.close_connection = True

    @staticmethod
    def _status(handler, status, location=""):
        handler.send_response(status)
        if location:
            handler.send_header("Location", location)
        handler.send_header("Content-Length", "0")
        handler.end_headers()
