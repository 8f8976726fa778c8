"""TLS both ways, with a throw-away authority."""

from __future__ import annotations

import ssl

import pytest

from tests.adapters.kit import Authority, echo, url
from wsproto_asyncio import WebSocket, connect, serve
from wsproto_core import ConnectionFailed, Limits


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
