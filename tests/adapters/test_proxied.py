"""The PROXY protocol in front of the servers of every runtime, and who is on the way in when a server closes."""

from __future__ import annotations

import logging
import os
import socket
from pathlib import Path
from typing import Any

import pytest

from tests.adapters.peers_kit import PACKAGES, connecting, echo, far_socket, log_lines, on_every_stage, serving
from tests.adapters.stages.base import Stage, Stream
from tests.adapters.stages.sockets_stage import SocketsStage
from wsproto_core import (
    ConnectionClosedOK,
    ConnectionFailed,
    DatagramCodec,
    DatagramPeer,
    ProxiedFrom,
    Raw,
    Role,
    Timeouts,
)
from wsproto_core._driver import reception as reception_module
from wsproto_core.testing.adapter_ends import HANDSHAKE, FarEnd

LOOPBACK = ["127.0.0.0/8"]
SOURCE = ("192.0.2.7", 56324)
VERSION_1 = b"PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n"
MAGIC = b"\r\n\r\n\x00\r\nQUIT\n"
VERSION_2 = (
    MAGIC + b"\x21\x11\x00\x0f" + bytes([192, 0, 2, 7, 198, 51, 100, 1, 0xDC, 0x04, 0x01, 0xBB]) + b"\xe0\x00\x00"
)
LOCAL = MAGIC + b"\x20\x00\x00\x00"
GARBAGE = {
    "an HTTP request": HANDSHAKE,
    "a TLS client": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "a line that does not end": b"PROXY TCP4 " + b"1" * 200,
    "a bad address": b"PROXY TCP4 192.0.2.700 198.51.100.1 56324 443\r\n",
    "a bad version": MAGIC + b"\x31\x11\x00\x0c" + bytes(12),
    "a huge header": MAGIC + b"\x21\x11\xff\xff",
}


def seen_by(log: list[Any]) -> Any:
    """A handler that notes whom it serves, and sends back what comes."""

    async def handler(peer: Any) -> None:
        log.append((peer.remote_address, peer.proxied))
        await echo(peer)

    return handler


async def converse(stage: Stage, stream: Stream, *, secure: bool = False) -> None:
    """The opening handshake and a message, behind whatever has been sent."""
    if secure:
        await stream.secure(stage.client_tls, server_side=False)
    far = FarEnd(stream, Role.CLIENT)
    await far.request()
    await far.send(far.frame(1, b"hello"))
    assert (await far.receive()).payload == b"hello"
    stream.close()


async def rest(stream: Stream) -> bytes:
    return await FarEnd(stream, Role.CLIENT).rest()


def reception(server: Any) -> Any:
    return getattr(server, "server", server).reception


def visitors(server: Any) -> int:
    """How many are there, of whatever kind."""
    places = reception(server)._places
    return len(places._seated) + len(places._standing)


def dropped(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The operator's lines about those who never became a connection."""
    return [line for line in log_lines(caplog, logging.DEBUG) if "no connection yet" in line]


# --- who the client is ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "TLS"])
@pytest.mark.parametrize("header", [VERSION_1, VERSION_2], ids=["version 1", "version 2"])
@on_every_stage()
async def test_the_client_is_who_the_proxy_says(stage: Stage, header: bytes, secure: bool) -> None:
    seen: list[Any] = []
    ssl = stage.server_tls if secure else None
    async with serving(stage, "serve", seen_by(seen), proxied_by=LOOPBACK, ssl=ssl) as server:
        stream = await stage.dial(server.port)
        await stream.send(header)
        await converse(stage, stream, secure=secure)
    ((address, proxied),) = seen
    assert address == SOURCE
    assert proxied == ProxiedFrom(SOURCE, ("198.51.100.1", 443), ((0xE0, b""),) if header is VERSION_2 else ())


@pytest.mark.parametrize("header", [VERSION_1, VERSION_2], ids=["version 1", "version 2"])
@on_every_stage()
async def test_a_header_and_a_handshake_in_one_piece_or_byte_by_byte(stage: Stage, header: bytes) -> None:
    seen: list[Any] = []
    async with serving(stage, "serve", seen_by(seen), proxied_by=LOOPBACK) as server:
        for size in (1000, 1):
            stream = await stage.dial(server.port)
            data = header + HANDSHAKE
            for start in range(0, len(data), size):
                await stream.send(data[start : start + size])
                await stage.sleep(0)
            assert (await FarEnd(stream, Role.CLIENT).head()).startswith(b"HTTP/1.1 101 ")
            stream.close()
        await stage.until(lambda: len(seen) == 2)
    assert {address for address, _ in seen} == {SOURCE}


@pytest.mark.parametrize("header", [LOCAL, b"PROXY UNKNOWN\r\n"], ids=["LOCAL", "UNKNOWN"])
@on_every_stage()
async def test_a_proxy_may_speak_for_itself(stage: Stage, header: bytes) -> None:
    seen: list[Any] = []
    async with serving(stage, "serve", seen_by(seen), proxied_by=LOOPBACK) as server:
        stream = await stage.dial(server.port)
        own = stream.socket.getsockname()
        await stream.send(header)
        await converse(stage, stream)
    assert seen == [(own, ProxiedFrom())]


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "TLS"])
@on_every_stage()
async def test_messages_over_tcp(stage: Stage, secure: bool) -> None:
    """The handler begins when it is known who is there, and not before."""
    seen: list[Any] = []
    options: dict[str, Any] = {"codec": Raw(), "proxied_by": LOOPBACK, "ssl": stage.server_tls if secure else None}
    async with serving(stage, "serve_tcp", seen_by(seen), **options) as server:
        stream = await stage.dial(server.port)
        await stream.send(VERSION_1[:20])
        await stage.until(lambda: visitors(server) == 1)
        await stage.sleep(0)
        assert not seen
        await stream.send(VERSION_1[20:])
        if secure:
            await stream.secure(stage.client_tls, server_side=False)
        await stream.send(b"hello")
        assert await stream.receive() == b"hello"
        stream.close()
    assert [address for address, _ in seen] == [SOURCE]


@on_every_stage()
async def test_a_unix_socket(stage: Stage, tmp_path: Path) -> None:
    seen: list[Any] = []
    path = str(tmp_path / "socket")
    async with serving(stage, "serve", seen_by(seen), unix_path=path, proxied_by=["unix:"]):
        stream = Stream(stage, unix_socket(path))
        await stream.send(VERSION_2)
        await converse(stage, stream)
    assert [address for address, _ in seen] == [SOURCE]


def unix_socket(path: str) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(path)
    sock.setblocking(False)
    return sock


# --- who is not believed ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "TLS"])
@on_every_stage()
async def test_who_is_not_trusted_is_asked_for_nothing(stage: Stage, secure: bool) -> None:
    seen: list[Any] = []
    ssl = stage.server_tls if secure else None
    async with serving(stage, "serve", seen_by(seen), proxied_by=["192.0.2.0/24", "unix:"], ssl=ssl) as server:
        stream = await stage.dial(server.port)
        own = stream.socket.getsockname()
        await converse(stage, stream, secure=secure)
        stream = await stage.dial(server.port)
        await stream.send(VERSION_1 + HANDSHAKE)
        answer = await rest(stream)
        assert b" 101 " not in answer
        assert secure or answer.startswith(b"HTTP/1.1 400 ")
        stream.close()
    assert seen == [(own, None)]


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE.keys())
@on_every_stage()
async def test_who_is_trusted_must_begin_with_a_header(
    stage: Stage, garbage: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    seen: list[Any] = []
    async with serving(stage, "serve", seen_by(seen), proxied_by=LOOPBACK) as server:
        stream = await stage.dial(server.port)
        await stream.send(garbage)
        assert await rest(stream) == b""
        stream.close()
        stream = await stage.dial(server.port)  # nobody else suffers from it
        await stream.send(VERSION_1)
        await converse(stage, stream)
    assert len(seen) == 1
    (line,) = dropped(caplog)
    assert "127.0.0.1" in line
    assert not log_lines(caplog, logging.WARNING)


@pytest.mark.parametrize("how", ["end", "reset"])
@on_every_stage()
async def test_a_connection_that_ends_within_the_header(
    stage: Stage, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with serving(stage, "serve", echo, proxied_by=LOOPBACK) as server:
        stream = await stage.dial(server.port)
        await stream.send(VERSION_2[:20])
        await stage.until(lambda: visitors(server) == 1)
        getattr(stream, how)()
        await stage.until(lambda: visitors(server) == 0)
        stream.close()
    assert len(log_lines(caplog, logging.DEBUG)) == 1
    assert not log_lines(caplog, logging.WARNING)


@pytest.mark.parametrize(
    "said", [b"", VERSION_1[:10], VERSION_2[:20], VERSION_1], ids=lambda said: f"{len(said)} bytes"
)
@pytest.mark.parametrize("secure", [False, True], ids=["plain", "TLS"])
@on_every_stage()
async def test_one_time_limit_for_everything(stage: Stage, said: bytes, secure: bool) -> None:
    options: dict[str, Any] = {"timeouts": Timeouts(opening_timeout=0.05), "ssl": stage.server_tls if secure else None}
    async with serving(stage, "serve", echo, proxied_by=LOOPBACK, **options) as server:
        stream = await stage.dial(server.port)
        await stream.send(said)
        answer = await rest(stream)
        assert answer.startswith(b"HTTP/1.1 408 " if said is VERSION_1 and not secure else b"")
        stream.close()


@on_every_stage()
async def test_no_tls_behind_the_header(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with serving(stage, "serve", echo, proxied_by=LOOPBACK, ssl=stage.server_tls) as server:
        stream = await stage.dial(server.port)
        await stream.send(VERSION_1 + HANDSHAKE)
        assert b"HTTP/1.1" not in await rest(stream)
        stream.close()
        await stage.until(lambda: dropped(caplog))
    assert not log_lines(caplog, logging.WARNING)


@on_every_stage()
async def test_a_visitor_takes_a_place_from_the_first_moment(stage: Stage) -> None:
    seen: list[Any] = []
    async with serving(stage, "serve", seen_by(seen), proxied_by=LOOPBACK, max_connections=2) as server:
        silent = [await stage.dial(server.port) for _ in range(2)]
        await stage.until(lambda: visitors(server) == 2)
        late = await stage.dial(server.port)
        await late.send(VERSION_1 + HANDSHAKE)
        assert (await FarEnd(late, Role.CLIENT).head()).startswith(b"HTTP/1.1 503 ")
        await silent[0].send(VERSION_1)
        await converse(stage, silent[0])
        for stream in (late, silent[1]):
            stream.close()
        await stage.until(lambda: visitors(server) == 0)
        again = await stage.dial(server.port)
        await again.send(VERSION_1)
        await converse(stage, again)
    assert len(seen) == 2


@on_every_stage()
async def test_many_at_once(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    seen: list[Any] = []

    async def visit(number: int) -> None:
        stream = await stage.dial(server.port)
        if number % 2:
            await stream.send(VERSION_2)
            await converse(stage, stream, secure=True)
        else:
            await stream.send(b"GET / HTTP/1.1\r\n\r\n")
            assert await rest(stream) == b""
            stream.close()

    async with serving(stage, "serve", seen_by(seen), proxied_by=LOOPBACK, ssl=stage.server_tls) as server:
        for task in [stage.spawn(visit, number) for number in range(40)]:
            await task.outcome()
    assert [address for address, _ in seen] == [SOURCE] * 20
    assert len(dropped(caplog)) == 20


@pytest.mark.parametrize("door", ["serve", "serve_tcp"])
@pytest.mark.parametrize(
    ("option", "kind"),
    [
        ("10.0.0.1", TypeError),
        (None, TypeError),
        ([10], TypeError),
        (["localhost"], ValueError),
        (["::1/12"], ValueError),
    ],
)
@pytest.mark.parametrize("package", sorted(PACKAGES))
def test_an_option_that_cannot_work(package: str, door: str, option: Any, kind: type[Exception]) -> None:
    with pytest.raises(kind, match="proxied_by"):
        getattr(PACKAGES[package], door)(print, "127.0.0.1", 0, proxied_by=option)


# --- on the way in when the server closes -----------------------------------------------------------------------------


async def stop_accepting(stage: Stage, server: Any) -> None:
    if isinstance(stage, SocketsStage):
        server.server.stop_accepting()
    else:
        await server.stop_accepting()


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "TLS"])
@on_every_stage()
async def test_an_introduction_that_has_begun_is_brought_to_its_end(
    stage: Stage, secure: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reception_module, "_MOMENT", 0.0)  # however long it takes
    ssl = stage.server_tls if secure else None
    async with serving(stage, "serve", echo, proxied_by=LOOPBACK, ssl=ssl) as server:
        stream = await stage.dial(server.port)
        await stream.send(VERSION_1[:20])
        await stage.until(lambda: visitors(server) == 1)
        closing = stage.spawn(server.close)
        await stage.until(lambda: reception(server).is_closing)
        await stream.send(VERSION_1[20:])
        if secure:
            await stream.secure(stage.client_tls, server_side=False)
        far = FarEnd(stream, Role.CLIENT)
        await far.send(HANDSHAKE)
        assert (await far.head()).startswith(b"HTTP/1.1 503 ")
        await far.rest()
        stream.close()
        await closing.outcome()


@pytest.mark.parametrize("said", [b"", VERSION_1[:20]], ids=["nothing", "half a header"])
@pytest.mark.parametrize("grace_period", [0.0, 0.02])
@on_every_stage()
async def test_an_introduction_lasts_no_longer_than_the_grace_period(
    stage: Stage, said: bytes, grace_period: float
) -> None:
    async with serving(stage, "serve", echo, proxied_by=LOOPBACK) as server:
        stream = await stage.dial(server.port)
        await stream.send(said)
        await stage.until(lambda: visitors(server) == 1)
        await server.close(grace_period=grace_period)
        assert await rest(stream) == b""
        stream.close()


@on_every_stage()
async def test_messages_over_tcp_that_come_too_late(stage: Stage) -> None:
    seen: list[Any] = []
    async with serving(stage, "serve_tcp", seen_by(seen), codec=Raw(), proxied_by=LOOPBACK) as server:
        stream = await stage.dial(server.port)
        await stream.send(VERSION_1[:20])
        await stage.until(lambda: visitors(server) == 1)
        closing = stage.spawn(server.close)
        await stage.until(lambda: reception(server).is_closing)
        await stream.send(VERSION_1[20:] + b"hello")
        assert await rest(stream) == b""
        stream.close()
        await closing.outcome()
    assert not seen


@on_every_stage()
async def test_stop_accepting_keeps_who_is_there(stage: Stage) -> None:
    async with serving(stage, "serve", echo) as server:
        port = server.port
        async with connecting(stage, "connect", f"ws://127.0.0.1:{port}/") as ws:
            stream = await stage.dial(port)
            await stream.send(HANDSHAKE[:20])
            await stage.until(lambda: len(reception(server).everyone) == 2)
            for _ in range(2):
                await stop_accepting(stage, server)
            with pytest.raises(ConnectionFailed):
                async with connecting(stage, "connect", f"ws://127.0.0.1:{port}/"):
                    pass
            await ws.send("still here")
            assert await ws.recv() == "still here"
            await stream.send(HANDSHAKE[20:])
            assert (await FarEnd(stream, Role.CLIENT).head()).startswith(b"HTTP/1.1 101 ")
            stream.close()
            closing = stage.spawn(server.close)
            with pytest.raises(ConnectionClosedOK):
                await ws.recv()
            assert (await ws.wait_closed()).code == 1001
            await closing.outcome()


@pytest.mark.parametrize("codec", [DatagramCodec(), DatagramCodec(header=False, verify=False)], ids=["header", "bare"])
@on_every_stage()
async def test_stop_accepting_datagrams(stage: Stage, codec: DatagramCodec) -> None:
    async with (
        serving(stage, "serve_udp", echo, codec=codec) as server,
        connecting(stage, "connect_udp", "127.0.0.1", server.port, codec) as peer,
    ):
        await peer.send(b"hello")
        assert await peer.recv() == b"hello"
        await stop_accepting(stage, server)
        with far_socket(stage) as stranger:
            stranger.send(opening(codec), server.port)
            await peer.send(b"still here")
            assert await peer.recv() == b"still here"
            assert len(server.connections) == 1
            assert not stranger.at_hand()
        await server.close()


def opening(codec: DatagramCodec) -> bytes:
    """What makes a peer of a stranger, where strangers are let in."""
    if not codec.header:
        return b"hello"
    client = DatagramPeer(codec, entropy=os.urandom, now=0.0)
    return client.data_to_send(0.0)[0]
