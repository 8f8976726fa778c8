"""TLS on trio, both ways, with a throw-away authority."""

from __future__ import annotations

import ssl

import pytest
import trio

from tests.adapters.kit import Authority
from tests.adapters.trio_kit import Raw, echo, raw_server, trio_test, url
from wsproto_core import ConnectionFailed, Limits
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
