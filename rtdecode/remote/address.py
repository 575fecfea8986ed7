"""Where a session is published, and who may look: HOST:PORT, and the token that guards what is not loopback.

Knows sockets, not what travels over them.
"""

import ipaddress
import os
import secrets
import socket
from dataclasses import dataclass

from rtdecode.errors import ConfigError

LOOPBACK = "127.0.0.1"
SESSION_PORT, WEB_PORT = 7700, 7701
SEVERAL_PORT = 7710  # and those after it, where several decoders are published
TOKEN = "RTDECODE_TOKEN"  # noqa: S105 the name of the variable


@dataclass(frozen=True)
class Address:
    """host: a name or an IP address, without brackets;  port: 0 takes a free one."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse(text: str, port: int = SESSION_PORT) -> Address:
    """HOST:PORT, HOST, PORT or nothing; what is missing is loopback and `port`. ConfigError for the rest."""
    host, number = text.strip(), str(port)
    if host.isdecimal():
        host, number = "", host
    elif host.startswith("["):
        host, _, rest = host[1:].partition("]")
        number = rest.removeprefix(":") or number
    elif host.count(":") == 1:
        host, _, number = host.partition(":")
    name = host or LOOPBACK
    plain = all(c.isascii() and (c.isalnum() or c in ".:_-%") for c in name) and not name.startswith("-")
    if not plain or not number.isdecimal() or int(number) > 65535:
        raise ConfigError(f"{text!r} is no address", hint=f"HOST:PORT, say {LOOPBACK}:{port}")
    return Address(name, int(number))


def listen(address: Address) -> socket.socket:
    """A listening socket there. ConfigError when it is taken or not ours."""
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        try:
            if os.name == "posix":  # elsewhere this would let two programs listen at once
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(place)
            listener.listen()
        except BaseException:
            listener.close()
            raise
    except OSError as problem:
        reason = problem.strerror or str(problem)
        unknown = isinstance(problem, socket.gaierror)  # then another port is no remedy
        hint = f"say {LOOPBACK}:{address.port}" if unknown else f"{address.host}:0 takes a free port"
        raise ConfigError(f"cannot listen on {address}: {reason}", hint=hint) from problem
    return listener


def listen_all(first: Address, count: int) -> list[socket.socket]:
    """Listening sockets on so many ports from that one on; where it is 0, on free ones.

    ConfigError when one of them cannot be had; then none stays open.
    """
    if first.port and first.port + count - 1 > 65535:
        raise ConfigError(
            f"{count} decoders need {count} ports, and {first} leaves fewer",
            hint=f"a port below {65537 - count}",
        )
    found: list[socket.socket] = []
    try:
        for k in range(count):
            found.append(listen(Address(first.host, first.port + k if first.port else 0)))
    except BaseException:
        for listener in found:
            listener.close()
        raise
    return found


def bound(listener: socket.socket, asked: Address) -> Address:
    """What others must ask for: `asked` with the port it got; this machine's name where it listens to all."""
    host, port = listener.getsockname()[:2]
    return Address(socket.gethostname() if ipaddress.ip_address(host).is_unspecified else asked.host, port)


def is_loopback(listener: socket.socket) -> bool:
    """Whether only this machine can reach it, by what it is bound to, not by what it was called."""
    return ipaddress.ip_address(listener.getsockname()[0].partition("%")[0]).is_loopback


def given_token() -> str:
    """The token in the environment; empty without one."""
    return os.environ.get(TOKEN, "")


def token_for(listener: socket.socket) -> str:
    """The token to demand: the environment's wherever there is one, else a fresh one beyond loopback."""
    return given_token() or ("" if is_loopback(listener) else secrets.token_urlsafe(16))
