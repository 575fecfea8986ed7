"""Where a session is published and what guards it."""

import socket

import pytest

from rtdecode.errors import ConfigError
from rtdecode.remote import address
from rtdecode.remote.address import Address, bound, is_loopback, listen, listen_all, parse, token_for


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("", "127.0.0.1", 7700),
        ("8000", "127.0.0.1", 8000),
        (":8000", "127.0.0.1", 8000),
        ("lab-pc", "lab-pc", 7700),
        ("lab-pc.example:1", "lab-pc.example", 1),
        ("[::1]:8000", "::1", 8000),
        ("[::1]", "::1", 7700),
    ],
)
def test_addresses(text: str, host: str, port: int) -> None:
    assert parse(text) == Address(host, port)


@pytest.mark.parametrize(
    "text", ["a:b", "a:70000", "a b", "a;b:1", "$(id):1", "-x:1", "[::1", "[::1]x", "a:"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    if text == "[::1":
        assert str(parse(text)) == "[::1]:7700"
        return
    with pytest.raises(ConfigError, match="is no address"):
        parse(text)


def test_a_token_is_demanded_beyond_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RTDECODE_TOKEN", raising=False)
    with listen(Address("127.0.0.1", 0)) as near, listen(Address("0.0.0.0", 0)) as far:  # noqa: S104
        assert is_loopback(near) and not is_loopback(far)
        assert token_for(near) == ""
        assert len(token_for(far)) >= 20 and token_for(far) != token_for(far)
        assert bound(far, Address("0.0.0.0", 0)).host not in ("0.0.0.0", "")  # noqa: S104
        monkeypatch.setenv("RTDECODE_TOKEN", "given")
        assert token_for(near) == token_for(far) == "given"


def test_a_port_that_is_taken_is_said_so() -> None:
    with (
        listen(Address("127.0.0.1", 0)) as first,
        pytest.raises(ConfigError, match="cannot listen on 127"),
    ):
        listen(Address("127.0.0.1", first.getsockname()[1]))


def test_a_host_nobody_knows_is_not_mended_by_a_port() -> None:
    with pytest.raises(ConfigError) as problem:
        listen(Address("no.such.host.invalid", 7700))
    assert problem.value.hint == "say 127.0.0.1:7700"


def test_several_have_the_ports_from_the_first_on() -> None:
    free = listen_all(Address("127.0.0.1", 0), 3)
    ports = [listener.getsockname()[1] for listener in free]
    for listener in free:
        listener.close()
    assert len(set(ports)) == 3


def test_where_one_port_is_taken_none_stays_open(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, opened = list[Address](), list[socket.socket]()

    def third_is_taken(where: Address) -> socket.socket:
        asked.append(where)
        if len(asked) == 3:
            raise ConfigError(f"cannot listen on {where}")
        opened.append(socket.socket())
        return opened[-1]

    monkeypatch.setattr(address, "listen", third_is_taken)
    with pytest.raises(ConfigError, match="7712"):
        listen_all(Address("lab-pc", 7710), 4)
    assert asked == [Address("lab-pc", port) for port in (7710, 7711, 7712)]
    assert [line.fileno() for line in opened] == [-1, -1]


def test_ports_end() -> None:
    with pytest.raises(ConfigError, match=r"3 decoders need 3 ports, and 127\.0\.0\.1:65534 leaves"):
        listen_all(Address("127.0.0.1", 65534), 3)
