"""TLS on trio, both ways, with a throw-away authority."""

from __future__ import annotations

import logging
import ssl

import pytest
import trio

from tests.adapters.kit import QUICK, Authority
from tests.adapters.trio_kit import Raw, deaf_socket, echo, eventually, raw_server, trio_test, url
from wsproto_core import ConnectionFailed, ConnectionTimeout, Limits
from wsproto_trio import WebSocket, connect, serve


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@trio_test
async def test_echo_and_close_over_each_version(authority: Authority, version: ssl.TLSVersion) -> None:
    limits = Limits(message_size=3_000_000)
    context = authority.client(version=version)
    async with serve(echo, "127.0.0.1", 0, ssl=authority.server(version=version), limits=limits) as server:
        async with connect(url(server, secure=True), ssl=context, limits=limits) as ws:
            assert isinstance(ws.stream, trio.SSLStream)
            assert ws.remote_address == ("127.0.0.1", server.port)
            for message in ("x", bytes(2_500_000)):
                await ws.send(message)
                assert await ws.recv() == message
        assert ws.close_report is not None
        assert ws.close_report.clean


@trio_test
async def test_the_server_closes_over_tls(authority: Authority) -> None:
    async with (
        serve(echo, "127.0.0.1", 0, ssl=authority.server()) as server,
        connect(url(server, secure=True), ssl=authority.client()) as ws,
    ):
        await server.close()
        report = await ws.wait_closed()
        assert (report.code, report.clean) == (1001, True)


@trio_test
async def test_names_and_certificates(authority: Authority) -> None:
    names: list[str | None] = []
    context = authority.server()
    context.sni_callback = lambda _socket, name, _context: names.append(name)
    async with serve(echo, "127.0.0.1", 0, ssl=context) as server:
        async with connect(f"wss://localhost:{server.port}/", ssl=authority.client()):
            pass
        async with connect(url(server, secure=True), ssl=authority.client(), server_hostname="chat.example"):
            pass
        with pytest.raises(ConnectionFailed, match="certificate"):
            async with connect(url(server, secure=True), ssl=authority.client(), server_hostname="other.example"):
                pytest.fail("the name is another")
        with pytest.raises(ConnectionFailed, match="certificate verify failed"):
            async with connect(url(server, secure=True)):
                pytest.fail("nobody knows this authority")
    assert names[:3] == ["localhost", "chat.example", "other.example"]


@trio_test
async def test_client_certificates(authority: Authority) -> None:
    subjects: list[object] = []

    async def handler(ws: WebSocket) -> None:
        assert isinstance(ws.stream, trio.SSLStream)
        subjects.append(ws.stream.getpeercert()["subjectAltName"])
        await echo(ws)

    context = authority.server(client_certificate=True)
    async with serve(handler, "127.0.0.1", 0, ssl=context) as server:
        async with connect(url(server, secure=True), ssl=authority.client(certificate=True)) as ws:
            await ws.send("x")
            assert await ws.recv() == "x"
        with pytest.raises(ConnectionFailed):
            async with connect(url(server, secure=True), ssl=authority.client()):
                pytest.fail("there is no certificate")
    assert subjects == [(("email", "client@example.org"),)]


def test_failed_handshakes_of_tls_take_no_slot(authority: Authority, caplog: pytest.LogCaptureFixture) -> None:
    @trio_test
    async def scenario() -> None:
        async with serve(echo, "127.0.0.1", 0, ssl=authority.server(), max_connections=2) as server:
            for attempt in range(10):
                async with Raw.connect(server.port, handshake=False) as raw:
                    await raw.send(b"GET / HTTP/1.1\r\n\r\n" if attempt % 2 else b"")
                    await raw.send_eof()
                    await raw.rest()
            async with connect(url(server, secure=True), ssl=authority.client()) as ws:
                await ws.send("x")
                assert await ws.recv() == "x"

    scenario()
    assert [record for record in caplog.records if record.levelno > logging.DEBUG] == []


@trio_test
async def test_a_tls_handshake_that_never_comes(authority: Authority) -> None:
    """It ends with the opening timeout, or with the server."""
    async with serve(echo, "127.0.0.1", 0, ssl=authority.server(), timeouts=QUICK) as server:
        with await deaf_socket(server.port, handshake=False) as sock:
            assert await sock.recv(100) == b""
    async with serve(echo, "127.0.0.1", 0, ssl=authority.server()) as server:
        with await deaf_socket(server.port, handshake=False) as sock:
            await eventually(lambda: len(server._nursery.child_tasks))
            await server.close()
            assert await ended(sock)


async def ended(sock: trio.socket.SocketType) -> bool:
    try:
        return await sock.recv(100) == b""
    except OSError:
        return True


@trio_test
async def test_a_server_that_never_answers_the_tls_handshake(authority: Authority) -> None:
    async def silent(raw: Raw) -> None:
        await raw.rest()

    async with raw_server(silent, handshake=False) as port:
        with pytest.raises(ConnectionTimeout):
            async with connect(f"wss://127.0.0.1:{port}/", ssl=authority.client(), timeouts=QUICK):
                pytest.fail("there is no answer")


@trio_test
async def test_wss_to_a_server_without_tls(authority: Authority) -> None:
    async with serve(echo, "127.0.0.1", 0) as server:
        with pytest.raises(ConnectionFailed, match=r"SSL|TLS|ssl"):
            async with connect(url(server, secure=True), ssl=authority.client()):
                pytest.fail("it does not speak TLS")


@trio_test
async def test_a_peer_that_ends_without_a_close_notify(authority: Authority) -> None:
    """That is an end as any other: WebSocket has its own goodbye."""
    async with serve(echo, "127.0.0.1", 0, ssl=authority.server(), timeouts=QUICK) as server:
        async with Raw.connect(server.port, context=authority.client()):
            await eventually(lambda: server.connections)
            (ws,) = server.connections
        report = await ws.wait_closed()
        assert (report.code, report.error) == (1006, None)


@trio_test
async def test_tls_in_tls_through_a_proxy(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    async def proxy(raw: Raw) -> None:
        assert isinstance(raw.stream, trio.SocketStream)
        secured = trio.SSLStream(raw.stream, authority.server(), server_side=True, https_compatible=True)
        inside = Raw(secured)
        port = int((await inside.head()).split()[1].rpartition(b":")[2])
        await inside.send(b"HTTP/1.1 200 OK\r\n\r\n")
        async with await trio.open_tcp_stream("127.0.0.1", port) as there, trio.open_nursery() as nursery:
            nursery.start_soon(pump, secured, there)
            await pump(there, secured)
            nursery.cancel_scope.cancel()

    monkeypatch.setattr(ssl, "create_default_context", trusting(authority))
    async with (
        serve(echo, "127.0.0.1", 0, ssl=authority.server()) as server,
        raw_server(proxy, handshake=False) as port,
        connect(url(server, secure=True), proxy=f"https://127.0.0.1:{port}") as ws,
    ):
        for message in ("through", bytes(500_000)):
            await ws.send(message)
            assert await ws.recv() == message


def trusting(authority: Authority) -> object:
    """``create_default_context`` on a machine that knows the authority."""
    original, client = ssl.create_default_context, authority.client()

    def create(purpose: ssl.Purpose = ssl.Purpose.SERVER_AUTH) -> ssl.SSLContext:
        return client if purpose is ssl.Purpose.SERVER_AUTH else original(purpose)

    return create


async def pump(source: trio.abc.Stream, sink: trio.abc.Stream) -> None:
    while data := await source.receive_some():
        await sink.send_all(data)


@trio_test
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
