"""``_driver/dialing.py``: every way to a stream, walked through a world that is made up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from errno import ECONNREFUSED, ETIMEDOUT
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsproto_core import Limits, parse_uri
from wsproto_core._driver.dialing import OpenTcp, OpenUnix, Read, StartTls, Step, Write, dial
from wsproto_core._errors import ProxyFailed
from wsproto_core._handshake.proxy import Proxy, parse_proxy

WS = parse_uri("ws://example.com/chat")
WSS = parse_uri("wss://example.com/chat")
HTTP = parse_proxy("http://user:secret@proxy:3128")
HTTPS = parse_proxy("https://proxy")
SOCKS = parse_proxy("socks5://[::1]")

TUNNEL = b"HTTP/1.1 200 OK\r\n\r\n"
GRANTED = b"\x05\x00" + b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00"


class World:
    """Does what an adapter does, by the loop that the module documents, and remembers it."""

    def __init__(
        self, received: Iterable[bytes] = (), failure: Callable[[Step], OSError | None] = lambda _: None
    ) -> None:
        self.done: list[str] = []
        self.sent = b""
        self._received: Iterator[bytes] = iter(received)
        self._failure = failure

    def walk(self, *arguments: Any, **options: Any) -> bytes:
        steps = dial(*arguments, **options)
        try:
            step = next(steps)
            while True:
                try:
                    answer = self._do(step)
                except OSError as error:
                    step = steps.throw(error)
                else:
                    step = steps.send(answer)
        except StopIteration as done:
            return bytes(done.value)

    def unread(self) -> bytes:
        return b"".join(self._received)

    def _do(self, step: Step) -> bytes:
        failure = self._failure(step)
        if failure is not None:
            raise failure
        match step:
            case OpenTcp(host, port):
                self.done.append(f"tcp {host} {port}")
            case OpenUnix(path):
                self.done.append(f"unix {path}")
            case StartTls(hostname, to_proxy):
                self.done.append(f"tls {hostname}{' (proxy)' if to_proxy else ''}")
            case Write(data):
                self.sent += data
            case Read():
                return next(self._received, b"")
        return b""


def pieces(data: bytes, size: int | None) -> list[bytes]:
    size = size or len(data)
    return [data[at : at + size] for at in range(0, len(data), size)]


@pytest.mark.parametrize(
    ("uri", "options", "done"),
    [
        (WS, {}, ["tcp example.com 80"]),
        (WSS, {}, ["tcp example.com 443", "tls example.com"]),
        (WSS, {"server_hostname": "inside"}, ["tcp example.com 443", "tls inside"]),
        (WS, {"unix_path": "/run/ws"}, ["unix /run/ws"]),
        (WSS, {"unix_path": "/run/ws"}, ["unix /run/ws", "tls example.com"]),
        (WS, {"is_open": True}, []),
        (WSS, {"is_open": True, "server_hostname": "inside"}, ["tls inside"]),
    ],
)
def test_without_a_proxy(uri: Any, options: dict[str, Any], done: list[str]) -> None:
    world = World()
    assert world.walk(uri, **options) == b""
    assert (world.done, world.sent) == (done, b"")


@pytest.mark.parametrize(
    ("proxy", "answer", "opened"),
    [
        (HTTP, TUNNEL, ["tcp proxy 3128"]),
        (HTTPS, TUNNEL, ["tcp proxy 443", "tls proxy (proxy)"]),
        (SOCKS, GRANTED, ["tcp ::1 1080"]),
    ],
)
@pytest.mark.parametrize("size", [None, 1], ids=["whole", "bytewise"])
def test_through_a_proxy(proxy: Proxy, answer: bytes, opened: list[str], size: int | None) -> None:
    plain = World(pieces(answer + b"rest", size))
    assert plain.walk(WS, proxy=proxy) + plain.unread() == b"rest"
    assert plain.done == opened
    assert b"example.com" in plain.sent
    secure = World(pieces(answer, size))
    assert secure.walk(WSS, proxy=proxy, server_hostname="inside") == b""
    assert secure.done == [*opened, "tls inside"]


@pytest.mark.parametrize(("proxy", "answer"), [(HTTP, TUNNEL), (SOCKS, GRANTED)])
def test_nothing_said_in_the_clear_is_taken_for_the_server_under_tls(proxy: Proxy, answer: bytes) -> None:
    world = World([answer + b"forged"])
    with pytest.raises(ProxyFailed, match="sent something before TLS began"):
        world.walk(WSS, proxy=proxy)
    assert "tls example.com" not in world.done


@pytest.mark.parametrize(
    ("proxy", "answer", "status"), [(HTTP, b"HTTP/1.1 502 x\r\n\r\n", 502), (SOCKS, b"\x05\xff", None)]
)
def test_a_proxy_that_refuses(proxy: Proxy, answer: bytes, status: int | None) -> None:
    with pytest.raises(ProxyFailed) as caught:
        World([answer]).walk(WSS, proxy=proxy)
    assert caught.value.status == status


def test_the_answer_is_bounded_by_the_limits() -> None:
    with pytest.raises(ProxyFailed, match="larger than the limits allow"):
        World([TUNNEL]).walk(WS, proxy=HTTP, limits=Limits(header_size=10))


@pytest.mark.parametrize(
    "options",
    [
        {"proxy": HTTP, "unix_path": "/run/ws"},
        {"proxy": HTTP, "is_open": True},
        {"unix_path": "/run/ws", "is_open": True},
    ],
)
def test_only_one_way_at_a_time(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="exclude one another"):
        dial(WS, **options)


def failing(kind: type[Step], error: OSError, hostname: str = "") -> Callable[[Step], OSError | None]:
    """A world in which one kind of step fails; of TLS only that to ``hostname``."""

    def failure(step: Step) -> OSError | None:
        right = not isinstance(step, StartTls) or step.hostname == hostname
        return error if isinstance(step, kind) and right else None

    return failure


@pytest.mark.parametrize("kind", [OpenTcp, StartTls, Write, Read])
@pytest.mark.parametrize("error", [OSError(ECONNREFUSED, "refused"), OSError(ETIMEDOUT, "too late"), OSError("other")])
def test_an_error_on_the_way_to_the_proxy_is_the_proxys(kind: type[Step], error: OSError) -> None:
    with pytest.raises(
        ProxyFailed, match=rf"the proxy proxy:443 cannot be used: .*{error.strerror or error}"
    ) as caught:
        World(failure=failing(kind, error, "proxy")).walk(WSS, proxy=HTTPS)
    assert caught.value.__cause__ is error


def test_other_errors_come_back_as_they_are() -> None:
    refused = OSError(ECONNREFUSED, "refused")
    late = TimeoutError()
    cases: list[tuple[World, dict[str, Any]]] = [
        (World(failure=failing(OpenTcp, refused)), {}),
        (World(failure=failing(OpenUnix, refused)), {"unix_path": "/run/ws"}),
        (World([TUNNEL], failing(StartTls, refused, "example.com")), {"proxy": HTTPS}),
        (World(failure=failing(OpenTcp, late)), {"proxy": HTTP}),
    ]
    for world, options in cases:
        with pytest.raises(OSError) as caught:  # noqa: PT011  (which one is asserted below)
            world.walk(WSS, **options)
        assert caught.value in (refused, late)


def test_the_credentials_do_not_show() -> None:
    steps = dial(WS, proxy=HTTP)
    shown = [repr(next(steps)), repr(steps.send(b"")), repr(steps.send(b""))]
    assert shown == ["OpenTcp(host='proxy', port=3128)", "Write()", "Read()"]


@given(data=st.binary(max_size=40) | st.sampled_from([TUNNEL, GRANTED]), proxy=st.sampled_from([HTTP, HTTPS, SOCKS]))
def test_whatever_a_proxy_says(data: bytes, proxy: Proxy) -> None:
    for uri in (WS, WSS):
        try:
            World([data]).walk(uri, proxy=proxy)
        except ProxyFailed as failure:
            words = str(failure)
        else:
            words = ""
        assert "secret" not in words
