"""TLS both ways, with a throw-away authority."""

from __future__ import annotations

import asyncio
import logging
import ssl
from typing import cast

import pytest

from tests.adapters.kit import QUICK, Authority, Raw, deaf_socket, echo, eventually, raw_server, url
from wsproto_asyncio import WebSocket, connect, serve
from wsproto_core import ConnectionFailed, ConnectionTimeout, Limits


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_echo_and_close_over_each_version(authority: Authority, version: ssl.TLSVersion) -> None:
    limits = Limits(message_size=3_000_000)
    context = authority.client(version=version)
    async with serve(echo, "127.0.0.1", 0, ssl=authority.server(version=version), limits=limits) as server:
        async with connect(url(server, secure=True), ssl=context, limits=limits) as ws:
            assert ws.transport is not None
            assert ws.transport.get_extra_info("ssl_object").version() == version.name.replace("v1_", "v1.")
            for message in ("x", bytes(2_500_000)):
                await ws.send(message)
                assert await ws.recv() == message
        assert ws.close_report is not None
        assert ws.close_report.clean


async def test_the_server_closes_over_tls(authority: Authority) -> None:
    async with serve(echo, "127.0.0.1", 0, ssl=authority.server()) as server:
        ws = await connect(url(server, secure=True), ssl=authority.client())
        await server.close()
        report = await ws.wait_closed()
        assert (report.code, report.clean) == (1001, True)


async def test_sni_and_the_name_to_verify(authority: Authority) -> None:
    names: list[str | None] = []
    context = authority.server()
    context.sni_callback = lambda _socket, name, _context: names.append(name)
    async with serve(echo, "127.0.0.1", 0, ssl=context) as server:
        async with connect(f"wss://localhost:{server.port}/", ssl=authority.client()):
            pass
        async with connect(url(server, secure=True), ssl=authority.client(), server_hostname="chat.example"):
            pass
        with pytest.raises(ConnectionFailed, match="certificate"):
            await connect(url(server, secure=True), ssl=authority.client(), server_hostname="other.example")
    assert names == ["localhost", "chat.example", "other.example"]


async def test_certificates_are_verified_unless_somebody_says_otherwise(authority: Authority) -> None:
    async with serve(echo, "127.0.0.1", 0, ssl=authority.server()) as server:
        with pytest.raises(ConnectionFailed, match="certificate verify failed"):
            await connect(url(server, secure=True))
        with pytest.raises(ConnectionFailed, match="certificate verify failed"):
            await connect(url(server, secure=True), ssl=Authority().client())


async def test_client_certificates(authority: Authority) -> None:
    subjects: list[object] = []

    async def handler(ws: WebSocket) -> None:
        assert ws.transport is not None
        subjects.append(ws.transport.get_extra_info("peercert")["subjectAltName"])
        await echo(ws)

    context = authority.server(client_certificate=True)
    async with serve(handler, "127.0.0.1", 0, ssl=context) as server:
        async with connect(url(server, secure=True), ssl=authority.client(certificate=True)) as ws:
            await ws.send("x")
            assert await ws.recv() == "x"
        with pytest.raises(ConnectionFailed):
            await connect(url(server, secure=True), ssl=authority.client())
    assert subjects == [(("email", "client@example.org"),)]


async def test_failed_handshakes_of_tls_take_no_slot(authority: Authority, caplog: pytest.LogCaptureFixture) -> None:
    context = authority.server()
    async with serve(echo, "127.0.0.1", 0, ssl=context, max_connections=2) as server:
        for attempt in range(10):
            async with Raw.connect(server.port, handshake=False) as raw:
                raw.send(b"GET / HTTP/1.1\r\n\r\n" if attempt % 2 else b"")
                raw.writer.write_eof()
                await raw.rest()
        async with connect(url(server, secure=True), ssl=authority.client()) as ws:
            await ws.send("x")
            assert await ws.recv() == "x"
    assert [record for record in caplog.records if record.levelno > logging.DEBUG] == []


async def test_a_tls_handshake_that_never_comes_ends_with_the_opening_timeout(authority: Authority) -> None:
    async with serve(echo, "127.0.0.1", 0, ssl=authority.server(), timeouts=QUICK) as server:
        with await deaf_socket(server.port, handshake=False) as sock:
            assert await asyncio.get_running_loop().sock_recv(sock, 100) == b""


async def test_a_server_that_never_answers_the_tls_handshake(authority: Authority) -> None:
    async def silent(raw: Raw) -> None:
        await raw.rest()

    async with raw_server(silent, handshake=False) as port:
        with pytest.raises(ConnectionTimeout):
            await connect(f"wss://127.0.0.1:{port}/", ssl=authority.client(), timeouts=QUICK)


async def test_wss_to_a_server_without_tls(authority: Authority) -> None:
    async with serve(echo, "127.0.0.1", 0) as server:
        with pytest.raises(ConnectionFailed, match=r"SSL|TLS|ssl"):
            await connect(url(server, secure=True), ssl=authority.client())


async def test_a_peer_that_does_not_close_its_tls(authority: Authority) -> None:
    """The closing timeout bounds what TLS has to say as well."""
    async with (
        serve(echo, "127.0.0.1", 0, ssl=authority.server(), timeouts=QUICK) as server,
        Raw.connect(server.port, context=authority.client()) as raw,
    ):
        await eventually(lambda: server.connections)
        cast(asyncio.Transport, raw.writer.transport).pause_reading()
        await server.close()
        assert not server.connections


async def test_backpressure_over_tls(authority: Authority) -> None:
    limits = Limits(outbox_size=200_000, inbox_size=200_000)
    count = 60

    async def handler(ws: WebSocket) -> None:
        for _ in range(count):
            await ws.send(bytes(100_000))

    async with (
        serve(handler, "127.0.0.1", 0, ssl=authority.server(), limits=limits) as server,
        connect(url(server, secure=True), ssl=authority.client(), limits=limits) as ws,
    ):
        (there,) = server.connections
        await eventually(lambda: not there.can_send)
        assert [len(message) async for message in ws if isinstance(message, bytes)] == [100_000] * count
