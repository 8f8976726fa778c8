"""wsproto_anyio: TLS both ways, with a throw-away authority."""

from __future__ import annotations

import ssl

import anyio
import pytest
from anyio.streams.tls import TLSAttribute, TLSStream

from tests.adapters.anyio_kit import Raw, echo, eventually, everywhere, raw_server, url
from tests.adapters.kit import TEXT, Authority, frame
from wsproto_anyio import WebSocket, connect, serve
from wsproto_core import ConnectionFailed, Limits


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@everywhere
async def test_echo_and_close_over_each_version(authority: Authority, version: ssl.TLSVersion) -> None:
    limits = Limits(message_size=3_000_000)
    context = authority.client(version=version)
    async with serve(echo, "127.0.0.1", 0, ssl=authority.server(version=version), limits=limits) as server:
        async with connect(url(server, secure=True), ssl=context, limits=limits) as ws:
            assert ws.stream.extra(TLSAttribute.tls_version) == version.name.replace("v1_", "v1.")
            assert ws.remote_address == ("127.0.0.1", server.port)
            for message in ("x", bytes(2_500_000)):
                await ws.send(message)
                assert await ws.recv() == message
        assert ws.close_report is not None
        assert ws.close_report.clean


@everywhere
async def test_an_offence_is_told_although_more_is_on_its_way(authority: Authority) -> None:
    async with (
        serve(echo, "127.0.0.1", 0, ssl=authority.server()) as server,
        Raw.connect(server.port, context=authority.client()) as raw,
    ):
        await raw.send(frame(TEXT, b"x", mask=None) + bytes(300_000))
        assert await raw.close_code() == 1002


@everywhere
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
            async with connect(url(server, secure=True), ssl=authority.client(), server_hostname="other.example"):
                pytest.fail("connected")
    assert names == ["localhost", "chat.example", "other.example"]


@everywhere
async def test_client_certificates(authority: Authority) -> None:
    subjects: list[object] = []

    async def handler(ws: WebSocket) -> None:
        certificate = ws.stream.extra(TLSAttribute.peer_certificate)
        assert certificate is not None
        subjects.append(certificate["subjectAltName"])
        await echo(ws)

    context = authority.server(client_certificate=True)
    async with serve(handler, "127.0.0.1", 0, ssl=context) as server:
        async with connect(url(server, secure=True), ssl=authority.client(certificate=True)) as ws:
            await ws.send("x")
            assert await ws.recv() == "x"
        with pytest.raises(ConnectionFailed):
            async with connect(url(server, secure=True), ssl=authority.client()):
                pytest.fail("connected")
    assert subjects == [(("email", "client@example.org"),)]


@everywhere
async def test_cancelling_the_block_over_tls_says_1011(authority: Authority) -> None:
    codes: list[int] = []

    async def handler(ws: WebSocket) -> None:
        codes.append((await ws.wait_closed()).code)

    async with serve(handler, "127.0.0.1", 0, ssl=authority.server()) as server:
        with anyio.CancelScope() as scope:
            async with connect(url(server, secure=True), ssl=authority.client()) as ws:
                scope.cancel()
                await ws.recv()
        await eventually(lambda: codes)
    assert codes == [1011]


@everywhere
async def test_tls_in_tls_through_a_proxy(authority: Authority) -> None:
    context, proxy_context = authority.client(), authority.server()
    async with serve(echo, "127.0.0.1", 0, ssl=authority.server()) as server:

        async def proxy(raw: Raw) -> None:
            tls = await TLSStream.wrap(
                raw.stream, server_side=True, ssl_context=proxy_context, standard_compatible=False
            )
            inside = Raw(tls)
            assert (await inside.head()).startswith(b"CONNECT localhost:")
            async with await anyio.connect_tcp("127.0.0.1", server.port) as onward, anyio.create_task_group() as group:
                await inside.send(b"HTTP/1.1 200 OK\r\n\r\n")

                async def back() -> None:
                    async for data in onward:
                        await inside.send(data)
                    group.cancel_scope.cancel()

                group.start_soon(back)
                async for data in tls:
                    await onward.send(data)
                await onward.send_eof()

        async with raw_server(proxy, handshake=False) as port:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(ssl, "create_default_context", lambda: context)  # a proxy is verified with the system's
                uri, through = f"wss://localhost:{server.port}/", f"https://127.0.0.1:{port}"
                async with connect(uri, proxy=through, ssl=context) as ws:
                    for message in ("x", bytes(500_000)):
                        await ws.send(message)
                        assert await ws.recv() == message
