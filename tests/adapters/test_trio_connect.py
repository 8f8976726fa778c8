"""``connect`` on trio: every option, and every way in which no connection comes about."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest
import trio

from tests.adapters.kit import QUICK, answer_to
from tests.adapters.trio_kit import Raw, echo, raw_server, trio_test, url
from wsproto_core import (
    BasicCredentials,
    BearerCredentials,
    ConnectionFailed,
    ConnectionRefused,
    ConnectionTimeout,
    HandshakeFailed,
    HandshakeRejected,
    Headers,
    PerMessageDeflate,
    ProxyFailed,
    RedirectFailed,
    Request,
    Response,
    Timeouts,
    Violation,
)
from wsproto_trio import WebSocket, connect, serve


async def fails(uri: str, kind: type[ConnectionFailed], **options: Any) -> ConnectionFailed:
    """Connect in vain; the exception, which is in no group."""
    with pytest.raises(kind) as caught:
        async with connect(uri, **options):
            pytest.fail("there is a connection")
    return caught.value


@trio_test
async def test_the_request_says_what_it_was_told() -> None:
    requests: list[Request] = []

    def look(ws: WebSocket, request: Request) -> None:
        requests.append(request)

    async with serve(echo, "127.0.0.1", 0, process_request=look, subprotocols=["superchat"]) as server:
        async with connect(
            url(server, "/a%20b?c=d&e"),
            headers={"X-Trace": "1", "Cookie": "a=b"},
            origin="https://example.com",
            subprotocols=["chat", "superchat"],
            credentials=BearerCredentials("token"),
        ) as ws:
            assert ws.subprotocol == "superchat"
        async with connect(f"ws://ann:p%40ss@127.0.0.1:{server.port}/"):
            pass
    first, second = requests
    assert first.target == "/a%20b?c=d&e"
    assert (first.headers["x-trace"], first.headers["cookie"]) == ("1", "a=b")
    assert first.origin == "https://example.com"
    assert first.subprotocols == ("chat", "superchat")
    assert first.credentials == BearerCredentials("token")
    assert second.credentials == BasicCredentials("ann", "p@ss")


@trio_test
async def test_awaited_with_a_nursery_of_the_caller() -> None:
    clients: list[WebSocket] = []
    async with serve(echo, "127.0.0.1", 0) as server, trio.open_nursery() as nursery:
        ws = await connect(url(server), nursery=nursery)
        await ws.send("x")
        assert await ws.recv() == "x"
        await ws.close()
        clients.append(await connect(url(server), nursery=nursery))
        nursery.cancel_scope.cancel()
    report = clients[0].close_report
    assert report is not None
    assert (report.code, report.sent_code) == (1006, 1011)


@trio_test
async def test_without_a_nursery_it_cannot_be_awaited() -> None:
    with pytest.raises(TypeError, match="nursery"):
        await connect("ws://localhost/")
    with pytest.raises(TypeError, match="nursery"):
        await serve(echo, "127.0.0.1", 0)


@trio_test
async def test_leaving_the_block_closes_with_1000_and_with_1011_after_an_exception() -> None:
    codes: list[int] = []

    async def handler(ws: WebSocket) -> None:
        codes.append((await ws.wait_closed()).code)

    async with serve(handler, "127.0.0.1", 0) as server:
        async with connect(url(server)):
            pass
        with pytest.raises(KeyError) as caught:
            async with connect(url(server)):
                raise KeyError("mine")
        assert caught.value.__context__ is None
    assert codes == [1000, 1011]


@trio_test
async def test_a_group_of_the_body_comes_out_whole() -> None:
    group = ExceptionGroup("mine", [ExceptionGroup("inner", [KeyError("a")])])
    async with serve(echo, "127.0.0.1", 0) as server:
        with pytest.raises(ExceptionGroup) as caught:
            async with connect(url(server)):
                raise group
        assert caught.value is group
        assert isinstance(group.exceptions[0], ExceptionGroup)
    with pytest.raises(ExceptionGroup) as caught:
        async with serve(echo, "127.0.0.1", 0):
            raise group
    assert caught.value is group


@trio_test
async def test_compression_only_where_both_want_it() -> None:
    async with serve(echo, "127.0.0.1", 0) as server, connect(url(server), compression=PerMessageDeflate()) as ws:
        assert ws.extensions == ()
    async with serve(echo, "127.0.0.1", 0, compression=PerMessageDeflate()) as server:
        async with connect(url(server)) as ws:
            assert ws.extensions == ()
        async with connect(url(server), extensions=[PerMessageDeflate()]) as ws:
            assert ws.extensions == ("permessage-deflate",)


@trio_test
async def test_over_a_unix_socket_again_and_again(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    for _ in range(2):  # what the first one leaves behind does not stop the second
        async with serve(echo, unix_path=path), connect("ws://localhost/x", unix_path=str(path)) as ws:
            await ws.send("x")
            assert await ws.recv() == "x"
    await fails("ws://localhost/x", ConnectionRefused, unix_path=path)
    await fails("ws://localhost/x", ConnectionFailed, unix_path=tmp_path / "nobody")


@trio_test
async def test_over_a_socket_that_is_already_connected() -> None:
    async with serve(echo, "127.0.0.1", 0) as server:
        sock = socket.create_connection(("127.0.0.1", server.port))
        async with connect("ws://somewhere.example/", sock=sock) as ws:
            await ws.send("x")
            assert await ws.recv() == "x"
            (there,) = server.connections
            assert there.request is not None
            assert there.request.headers["host"] == "somewhere.example"


@pytest.mark.parametrize("name", ["extra_headers", "max_size", "ping_interval", "timeout", "listener"])
def test_an_unknown_keyword_is_a_type_error_at_once(name: str) -> None:
    with pytest.raises(TypeError, match=name):
        connect("ws://localhost/", **{name: 1})  # type: ignore[arg-type]  # that is the point


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"uri": "http://localhost/"}, "ws"),
        ({"headers": {"Sec-WebSocket-Key": "x"}}, "Sec-WebSocket-Key"),
        ({"subprotocols": "chat"}, "subprotocols"),
        ({"unix_path": "/x", "sock": socket.socket}, "exclude"),
        ({"extensions": ["permessage-deflate"]}, "extensions"),
        ({"ssl": "context"}, "wss"),
    ],
)
def test_an_option_that_cannot_work_is_named_at_once(options: dict[str, Any], words: str) -> None:
    with pytest.raises((ValueError, TypeError), match=words):
        connect(**{"uri": "ws://localhost/", **options})


# --- no connection ----------------------------------------------------------------------------------------------------


def closed_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@trio_test
async def test_refused() -> None:
    await fails(f"ws://127.0.0.1:{closed_port()}/", ConnectionRefused)
    await fails(f"ws://localhost:{closed_port()}/", ConnectionRefused)
    error = await fails("ws://x/", ProxyFailed, proxy=f"http://127.0.0.1:{closed_port()}")
    assert "refused" in str(error)


@trio_test
async def test_a_name_that_does_not_exist() -> None:
    await fails("ws://does-not-exist.invalid/", ConnectionFailed, timeouts=Timeouts(opening_timeout=5))


@trio_test
async def test_a_server_that_never_answers() -> None:
    async def silent(raw: Raw) -> None:
        await raw.rest()

    async with raw_server(silent, handshake=False) as port:
        error = await fails(f"ws://127.0.0.1:{port}/", ConnectionTimeout, timeouts=QUICK)
        assert "0.3 seconds" in str(error)


@trio_test
async def test_a_server_that_answers_byte_by_byte_for_ever() -> None:
    async def trickle(raw: Raw) -> None:
        await raw.send(b"HTTP/1.1 101 Switching Protocols\r\n")
        while True:
            await raw.send(b"x")
            await trio.sleep(0.02)

    async with raw_server(trickle, handshake=False) as port:
        await fails(f"ws://127.0.0.1:{port}/", ConnectionTimeout, timeouts=QUICK)


@pytest.mark.parametrize("how", ["eof", "reset"])
@trio_test
async def test_a_server_that_hangs_up(how: str) -> None:
    async def leave(raw: Raw) -> None:
        await raw.head()
        if how == "reset":
            raw.reset()

    async with raw_server(leave, handshake=False) as port:
        error = await fails(f"ws://127.0.0.1:{port}/", ConnectionFailed)
        assert not isinstance(error, HandshakeRejected | ConnectionTimeout)


@trio_test
async def test_rejected_with_status_headers_and_body() -> None:
    def refuse(ws: WebSocket, request: Request) -> Response:
        return Response(status=401, headers=Headers({"WWW-Authenticate": "Basic"}), body="schade ☹".encode())

    async with serve(echo, "127.0.0.1", 0, process_request=refuse) as server:
        error = await fails(url(server), HandshakeRejected)
        assert isinstance(error, HandshakeRejected)
        assert (error.status, error.headers["www-authenticate"]) == (401, "Basic")
        assert error.body.decode() == "schade ☹"


@trio_test
async def test_redirects() -> None:
    def elsewhere(ws: WebSocket, request: Request) -> Response | None:
        if request.path == "/circle":
            return Response(302, {"Location": "/circle"})
        return None if request.path == "/there" else Response(307, {"Location": "/there?x=1"})

    async with serve(echo, "127.0.0.1", 0, process_request=elsewhere) as server:
        async with connect(url(server)) as ws:
            await ws.send("here")
            assert await ws.recv() == "here"
        error = await fails(url(server), HandshakeRejected, max_redirects=0)
        assert isinstance(error, HandshakeRejected)
        assert error.status == 307
        await fails(url(server, "/circle"), RedirectFailed)


@pytest.mark.parametrize(
    ("answer", "violation"),
    [
        (b"HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n", Violation.BAD_ACCEPT),
        (b"SSH-2.0-OpenSSH_9\r\n", Violation.BAD_RESPONSE),
        (b"HTTP/1.1 101 X\r\nX: " + b"x" * 70_000, Violation.RESPONSE_TOO_BIG),
    ],
)
@trio_test
async def test_a_bad_answer(answer: bytes, violation: Violation) -> None:
    async def behave(raw: Raw) -> None:
        await raw.head()
        await raw.send(answer)
        await raw.rest()

    async with raw_server(behave, handshake=False) as port:
        error = await fails(f"ws://127.0.0.1:{port}/", HandshakeFailed)
        assert isinstance(error, HandshakeFailed)
        assert error.violation is violation


@trio_test
async def test_a_failed_connection_leaves_no_stream_behind() -> None:
    """The server sees the end at once, not when some timer fires."""
    ended = trio.Event()

    async def behave(raw: Raw) -> None:
        await raw.head()
        await raw.send(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
        await raw.rest()
        ended.set()

    async with raw_server(behave, handshake=False) as port:
        await fails(f"ws://127.0.0.1:{port}/", HandshakeRejected, timeouts=Timeouts(closing_timeout=None))
        await ended.wait()


@pytest.mark.parametrize("scheme", ["http", "socks5"])
@trio_test
async def test_through_a_proxy(scheme: str) -> None:
    async def proxy(raw: Raw) -> None:
        if scheme == "http":
            target = (await raw.head()).split()[1].decode()
            await raw.send(b"HTTP/1.1 200 OK\r\n\r\n")
        else:
            methods = await raw.exactly(2)
            await raw.exactly(methods[1])
            await raw.send(b"\x05\x00")
            await raw.exactly(3)
            kind = (await raw.exactly(1))[0]
            size = 4 if kind == 1 else (await raw.exactly(1))[0]
            await raw.exactly(size)
            target = f"x:{int.from_bytes(await raw.exactly(2), 'big')}"
            await raw.send(b"\x05\x00\x00\x01" + bytes(6))
        there = await trio.open_tcp_stream("127.0.0.1", int(target.rpartition(":")[2]))
        async with there, trio.open_nursery() as nursery:
            nursery.start_soon(pump, raw.stream, there)
            await pump(there, raw.stream)
            nursery.cancel_scope.cancel()

    async with (
        serve(echo, "127.0.0.1", 0) as server,
        raw_server(proxy, handshake=False) as port,
        connect(url(server), proxy=f"{scheme}://127.0.0.1:{port}") as ws,
    ):
        await ws.send("through")
        assert await ws.recv() == "through"


async def pump(source: trio.abc.Stream, sink: trio.abc.Stream) -> None:
    while data := await source.receive_some():
        await sink.send_all(data)


@trio_test
async def test_an_answer_after_100_and_103() -> None:
    async def behave(raw: Raw) -> None:
        head = await raw.head()
        await raw.send(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + answer_to(head))
        await raw.rest()

    async with raw_server(behave, handshake=False) as port, connect(f"ws://127.0.0.1:{port}/") as ws:
        ws.abort()
        assert (await ws.wait_closed()).code == 1006
