"""wsproto_anyio: ``connect``, and every way in which no connection comes about."""

from __future__ import annotations

import errno
import socket
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.streams.stapled import StapledObjectStream

from tests.adapters.anyio_kit import Raw, echo, eventually, everywhere, free_port, raw_server, url
from tests.adapters.kit import QUICK, TEXT, answer_to, close_frame, frame
from wsproto_anyio import WebSocket, connect, serve
from wsproto_core import (
    BearerCredentials,
    ConnectionFailed,
    ConnectionRefused,
    ConnectionTimeout,
    HandshakeFailed,
    HandshakeRejected,
    Headers,
    PerMessageDeflate,
    ProxyFailed,
    Redirected,
    RedirectFailed,
    Request,
    Response,
    Timeouts,
    Violation,
)


async def fail_to_connect(uri: str, **options: Any) -> None:
    async with connect(uri, **options):
        pytest.fail("connected")


@everywhere
async def test_the_request_says_what_it_was_told() -> None:
    requests: list[Request] = []

    def look(ws: WebSocket, request: Request) -> None:
        requests.append(request)

    async with (
        serve(echo, "127.0.0.1", 0, process_request=look, subprotocols=["superchat"]) as server,
        connect(
            url(server, "/a%20b?c=d"),
            headers={"X-Trace": "1"},
            origin="https://example.com",
            subprotocols=["chat", "superchat"],
            credentials=BearerCredentials("token"),
        ) as ws,
    ):
        assert ws.subprotocol == "superchat"
        assert ws.remote_address == ("127.0.0.1", server.port)
        (there,) = server.connections
        assert there.remote_address == ws.local_address
        assert there.request is requests[0]
    (request,) = requests
    assert (request.target, request.headers["x-trace"]) == ("/a%20b?c=d", "1")
    assert (request.origin, request.credentials) == ("https://example.com", BearerCredentials("token"))


@everywhere
async def test_over_a_unix_socket(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    for _ in range(2):  # what the first one leaves behind does not stop the second
        async with serve(echo, unix_path=path), connect("ws://localhost/x", unix_path=str(path)) as ws:
            await ws.send("x")
            assert await ws.recv() == "x"
    with pytest.raises(ConnectionFailed):
        await fail_to_connect("ws://localhost/x", unix_path=tmp_path / "nobody")


@everywhere
async def test_over_a_socket_and_over_a_stream_that_are_open_already() -> None:
    async with serve(echo, "127.0.0.1", 0) as server:
        sock = socket.create_connection(("127.0.0.1", server.port))
        async with connect("ws://somewhere.example/", sock=sock) as ws:
            await ws.send("x")
            assert await ws.recv() == "x"
        stream = await anyio.connect_tcp("127.0.0.1", server.port)
        async with connect("ws://somewhere.example/", stream=stream) as ws:
            assert ws.stream is stream
            await ws.send("x")
            assert await ws.recv() == "x"


@everywhere
async def test_over_a_stream_that_is_no_socket() -> None:
    outward, there = anyio.create_memory_object_stream[bytes](10)
    back, inward = anyio.create_memory_object_stream[bytes](10)

    async def behave() -> None:
        await back.send(answer_to(await there.receive()) + frame(TEXT, b"hello", mask=None))
        assert (await there.receive())[0] == 0x88
        await back.send(close_frame(mask=None))
        await back.aclose()

    async with anyio.create_task_group() as group, there:
        group.start_soon(behave)
        async with connect("ws://memory/", stream=StapledObjectStream(outward, inward)) as ws:
            assert (ws.local_address, ws.remote_address) == (None, None)
            assert await ws.recv() == "hello"
        assert ws.close_report is not None
        assert ws.close_report.clean


@everywhere
async def test_over_a_socket_pair() -> None:
    left, right = socket.socketpair()

    async def behave() -> None:
        right.setblocking(False)
        raw = Raw(await anyio.abc.UNIXSocketStream.from_socket(right))
        await raw.send(answer_to(await raw.head()))
        assert await raw.close_code() == 1000
        await anyio.aclose_forcefully(raw.stream)

    async with anyio.create_task_group() as group:
        group.start_soon(behave)
        async with connect("ws://pair/", sock=left):
            pass


@pytest.mark.parametrize("name", ["extra_headers", "max_size", "listener"])
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
        ({"stream": object(), "sock": socket.socket}, "exclude"),
        ({"ssl": "context"}, "wss"),
    ],
)
def test_an_option_that_cannot_work_is_named_at_once(options: dict[str, Any], words: str) -> None:
    with pytest.raises((ValueError, TypeError), match=words):
        connect(**{"uri": "ws://localhost/", **options})


# --- no connection ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
@everywhere
async def test_refused(host: str) -> None:
    with pytest.raises(ConnectionRefused, match=r"[Cc]onnect"):
        await fail_to_connect(f"ws://{host}:{free_port()}/")


@everywhere
async def test_refused_by_every_address_of_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    async def connect_tcp(host: str, port: int) -> None:
        tries = [ConnectionRefusedError(errno.ECONNREFUSED, "no", address) for address in ("::1", "127.0.0.1")]
        raise OSError("All connection attempts failed") from ExceptionGroup("tried", tries)

    monkeypatch.setattr("wsproto_anyio.dialing.connect_tcp", connect_tcp)
    with pytest.raises(ConnectionRefused, match=r"::1.*127\.0\.0\.1"):
        await fail_to_connect("ws://both.example/")


@everywhere
async def test_a_name_that_does_not_exist() -> None:
    with pytest.raises(ConnectionFailed):
        await fail_to_connect("ws://does-not-exist.invalid/", timeouts=Timeouts(opening_timeout=5))


@everywhere
async def test_a_server_that_never_answers() -> None:
    async def silent(raw: Raw) -> None:
        await raw.rest()

    async with raw_server(silent, handshake=False) as port:
        with pytest.raises(ConnectionTimeout, match=r"0\.3 seconds"):
            await fail_to_connect(f"ws://127.0.0.1:{port}/", timeouts=QUICK)


@pytest.mark.parametrize("reset", [False, True])
@everywhere
async def test_a_server_that_hangs_up(reset: bool) -> None:
    async def leave(raw: Raw) -> None:
        await raw.head()
        if reset:
            await raw.reset()

    async with raw_server(leave, handshake=False) as port:
        with pytest.raises(ConnectionFailed) as caught:
            await fail_to_connect(f"ws://127.0.0.1:{port}/")
        assert not isinstance(caught.value, HandshakeRejected | ConnectionTimeout)


@everywhere
async def test_rejected_with_status_headers_and_body() -> None:
    def refuse(ws: WebSocket, request: Request) -> Response:
        return Response(status=401, headers=Headers({"WWW-Authenticate": "Basic"}), body="schade ☹".encode())

    async with serve(echo, "127.0.0.1", 0, process_request=refuse) as server:
        with pytest.raises(HandshakeRejected, match="401") as caught:
            await fail_to_connect(url(server))
        assert caught.value.status == 401
        assert caught.value.headers["www-authenticate"] == "Basic"
        assert caught.value.body.decode() == "schade ☹"


@everywhere
async def test_a_redirect_is_followed_or_told() -> None:
    def elsewhere(ws: WebSocket, request: Request) -> Response | None:
        return None if request.path == "/there" else Response(307, {"Location": "/there?x=1"})

    async with serve(echo, "127.0.0.1", 0, process_request=elsewhere) as server:
        async with connect(url(server)) as ws:
            await ws.send("here")
            assert await ws.recv() == "here"
        with pytest.raises(HandshakeRejected) as caught:
            await fail_to_connect(url(server), max_redirects=0)
        assert isinstance(caught.value.event, Redirected)


@everywhere
async def test_a_circle_of_redirects_ends() -> None:
    def circle(ws: WebSocket, request: Request) -> Response:
        return Response(302, {"Location": request.target})

    async with serve(echo, "127.0.0.1", 0, process_request=circle) as server:
        with pytest.raises(RedirectFailed):
            await fail_to_connect(url(server))


@pytest.mark.parametrize(
    ("answer", "violation"),
    [
        (b"HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n", Violation.BAD_ACCEPT),
        (b"SSH-2.0-OpenSSH_9\r\n", Violation.BAD_RESPONSE),
        (b"HTTP/1.1 101 X\r\nX: " + b"x" * 70_000, Violation.RESPONSE_TOO_BIG),
    ],
)
@everywhere
async def test_a_bad_answer(answer: bytes, violation: Violation) -> None:
    async def behave(raw: Raw) -> None:
        await raw.head()
        await raw.send(answer)
        await raw.rest()

    async with raw_server(behave, handshake=False) as port:
        with pytest.raises(HandshakeFailed) as caught:
            await fail_to_connect(f"ws://127.0.0.1:{port}/", compression=PerMessageDeflate())
        assert caught.value.violation is violation


@everywhere
async def test_a_failed_connection_leaves_no_stream_behind() -> None:
    ended = anyio.Event()

    async def behave(raw: Raw) -> None:
        await raw.head()
        await raw.send(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
        await raw.rest()
        ended.set()

    async with raw_server(behave, handshake=False) as port, anyio.create_task_group() as group:
        with pytest.raises(HandshakeRejected):
            await connect(f"ws://127.0.0.1:{port}/", timeouts=Timeouts(closing_timeout=None), task_group=group)
        await ended.wait()


# --- proxies ----------------------------------------------------------------------------------------------------------


@everywhere
async def test_through_an_http_proxy() -> None:
    heads: list[bytes] = []

    async with serve(echo, "127.0.0.1", 0) as server:

        async def proxy(raw: Raw) -> None:
            heads.append(await raw.head())
            async with await anyio.connect_tcp("127.0.0.1", server.port) as onward, anyio.create_task_group() as group:
                await raw.send(b"HTTP/1.1 200 OK\r\n\r\n")

                async def back() -> None:
                    async for data in onward:
                        await raw.send(data)
                    group.cancel_scope.cancel()

                group.start_soon(back)
                async for data in raw.stream:
                    await onward.send(data)
                await onward.send_eof()

        async with (
            raw_server(proxy, handshake=False) as port,
            connect("ws://chat.example:1234/", proxy=f"http://ann:secret@127.0.0.1:{port}") as ws,
        ):
            await ws.send("x")
            assert await ws.recv() == "x"
    assert heads[0].startswith(b"CONNECT chat.example:1234 HTTP/1.1\r\n")
    assert b"roxy-" in heads[0]


@pytest.mark.parametrize("kind", ["refuses", "leaves", "is not there"])
@everywhere
async def test_a_proxy_that_cannot_be_used(kind: str) -> None:
    async def proxy(raw: Raw) -> None:
        await raw.head()
        if kind == "refuses":
            await raw.send(b"HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n")
            await raw.rest()

    async with raw_server(proxy, handshake=False) as port:
        where = free_port() if kind == "is not there" else port
        with pytest.raises(ProxyFailed):
            await fail_to_connect("ws://chat.example/", proxy=f"http://127.0.0.1:{where}")


@everywhere
async def test_a_connection_says_who_it_is() -> None:
    async with serve(echo, "127.0.0.1", 0) as server, connect(url(server)) as ws:
        await eventually(lambda: server.connections)
        assert repr(ws) == f"<WebSocket open {ws.remote_address}>"
