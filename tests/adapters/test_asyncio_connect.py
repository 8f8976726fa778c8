"""``connect``: every option, and every way in which no connection comes about."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Any

import pytest

from tests.adapters.kit import QUICK, Raw, answer_to, echo, raw_server, url
from wsproto_asyncio import WebSocket, connect, serve
from wsproto_core import (
    BasicCredentials,
    BearerCredentials,
    ConnectionClosedError,
    ConnectionFailed,
    ConnectionRefused,
    ConnectionTimeout,
    HandshakeFailed,
    HandshakeRejected,
    Headers,
    PerMessageDeflate,
    Redirected,
    RedirectFailed,
    Request,
    Response,
    Timeouts,
    Violation,
)


async def seen_by_server(uri_path: str = "/", **options: Any) -> Request:
    """The request that a server sees."""
    requests: list[Request] = []

    def look(ws: WebSocket, request: Request) -> None:
        requests.append(request)

    async with (
        serve(echo, "127.0.0.1", 0, process_request=look) as server,
        connect(options.pop("uri", url(server, uri_path)).replace("PORT", str(server.port)), **options),
    ):
        pass
    (request,) = requests
    return request


async def test_the_request_says_what_it_was_told() -> None:
    request = await seen_by_server(
        "/a%20b?c=d&e",
        headers={"X-Trace": "1", "Cookie": "a=b"},
        origin="https://example.com",
        subprotocols=["chat", "superchat"],
        credentials=BearerCredentials("token"),
    )
    assert request.target == "/a%20b?c=d&e"
    assert request.headers["x-trace"] == "1"
    assert request.headers["cookie"] == "a=b"
    assert request.origin == "https://example.com"
    assert request.subprotocols == ("chat", "superchat")
    assert request.credentials == BearerCredentials("token")


async def test_credentials_basic_and_from_the_uri() -> None:
    given = await seen_by_server(credentials=BasicCredentials("ann", "päss:word"))
    assert given.credentials == BasicCredentials("ann", "päss:word")
    from_uri = await seen_by_server(uri="ws://ann:p%40ss@127.0.0.1:PORT/")
    assert from_uri.credentials == BasicCredentials("ann", "p@ss")


async def test_a_header_may_come_more_than_once() -> None:
    request = await seen_by_server(headers=Headers([("X-A", "1"), ("X-A", "2")]))
    assert request.headers.all("x-a") == ["1", "2"]


async def test_awaited_instead_of_entered() -> None:
    async with serve(echo, "127.0.0.1", 0) as server:
        ws = await connect(url(server))
        await ws.send("x")
        assert await ws.recv() == "x"
        await ws.close()


async def test_leaving_the_block_closes_with_1000_and_with_1011_after_an_exception() -> None:
    codes: list[int] = []

    async def handler(ws: WebSocket) -> None:
        codes.append((await ws.wait_closed()).code)

    async with serve(handler, "127.0.0.1", 0) as server:
        async with connect(url(server)):
            pass
        with pytest.raises(KeyError):
            async with connect(url(server)):
                raise KeyError
    assert codes == [1000, 1011]


async def test_subprotocol_chosen_and_none_in_common() -> None:
    async with serve(echo, "127.0.0.1", 0, subprotocols=["b", "a"]) as server:
        async with connect(url(server), subprotocols=["a", "b"]) as ws:
            assert ws.subprotocol == "b"
            assert next(iter(server.connections)).subprotocol == "b"
        async with connect(url(server), subprotocols=["c"]) as ws:
            assert ws.subprotocol is None


async def test_compression_only_where_both_want_it() -> None:
    async with serve(echo, "127.0.0.1", 0) as server, connect(url(server), compression=PerMessageDeflate()) as ws:
        assert ws.extensions == ()
    async with serve(echo, "127.0.0.1", 0, compression=PerMessageDeflate()) as server:
        async with connect(url(server)) as ws:
            assert ws.extensions == ()
        async with connect(url(server), extensions=[PerMessageDeflate()]) as ws:
            assert ws.extensions == ("permessage-deflate",)


async def test_over_a_unix_socket(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    async with serve(echo, unix_path=path) as server, connect("ws://localhost/x", unix_path=str(path)) as ws:
        await ws.send("x")
        assert await ws.recv() == "x"
        (there,) = server.connections
        assert there.request is not None
        assert there.request.headers["host"] == "localhost"
    with pytest.raises(ConnectionFailed):
        await connect("ws://localhost/x", unix_path=tmp_path / "nobody")


async def test_over_a_socket_that_is_already_connected() -> None:
    async with serve(echo, "127.0.0.1", 0) as server:
        sock = socket.create_connection(("127.0.0.1", server.port))
        async with connect("ws://somewhere.example/", sock=sock) as ws:
            await ws.send("x")
            assert await ws.recv() == "x"
            (there,) = server.connections
            assert there.request is not None
            assert there.request.headers["host"] == "somewhere.example"


async def test_over_a_socket_pair() -> None:
    left, right = socket.socketpair()
    with left:

        async def behave() -> None:
            reader, writer = await asyncio.open_connection(sock=right)
            raw = Raw(reader, writer)
            raw.send(answer_to(await raw.head()))
            assert await raw.close_code() == 1000
            writer.transport.abort()

        async with asyncio.TaskGroup() as group:
            group.create_task(behave())
            async with connect("ws://pair/", sock=left.dup()):
                pass


# --- options that cannot work -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["extra_headers", "additional_headers", "max_size", "ping_interval", "timeout"])
def test_an_unknown_keyword_is_a_type_error_at_once(name: str) -> None:
    with pytest.raises(TypeError, match=name):
        connect("ws://localhost/", **{name: 1})  # type: ignore[arg-type]  # that is the point


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"uri": "http://localhost/"}, "ws"),
        ({"uri": "localhost"}, "ws"),
        ({"uri": "ws://localhost/#fragment"}, "fragment"),
        ({"uri": "ws://localhost:99999/"}, "port"),
        ({"headers": {"Sec-WebSocket-Key": "x"}}, "Sec-WebSocket-Key"),
        ({"headers": {"X-A": "a\r\nB: c"}}, "header"),
        ({"headers": {"Host": "other"}}, "Host"),
        ({"subprotocols": "chat"}, "subprotocols"),
        ({"subprotocols": ["a b"]}, "subprotocols"),
        ({"subprotocols": ["a", "a"]}, "subprotocols"),
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


async def test_refused() -> None:
    with pytest.raises(ConnectionRefused, match=r"[Cc]onnect"):
        await connect(f"ws://127.0.0.1:{closed_port()}/")


async def test_refused_by_every_address_of_a_name() -> None:
    with pytest.raises(ConnectionRefused):
        await connect(f"ws://localhost:{closed_port()}/")


async def test_a_name_that_does_not_exist() -> None:
    with pytest.raises(ConnectionFailed):
        await connect("ws://does-not-exist.invalid/", timeouts=Timeouts(opening_timeout=5))


async def test_a_server_that_never_answers() -> None:
    async def silent(raw: Raw) -> None:
        await raw.rest()

    async with raw_server(silent, handshake=False) as port:
        with pytest.raises(ConnectionTimeout, match=r"0\.3 seconds"):
            await connect(f"ws://127.0.0.1:{port}/", timeouts=QUICK)


async def test_a_server_that_answers_byte_by_byte_for_ever() -> None:
    async def trickle(raw: Raw) -> None:
        raw.send(b"HTTP/1.1 101 Switching Protocols\r\n")
        while True:
            raw.send(b"x")
            await raw.writer.drain()
            await asyncio.sleep(0.02)

    async with raw_server(trickle, handshake=False) as port:
        with pytest.raises(ConnectionTimeout):
            await connect(f"ws://127.0.0.1:{port}/", timeouts=QUICK)


async def test_a_server_that_hangs_up() -> None:
    async def leave(raw: Raw) -> None:
        await raw.head()

    async with raw_server(leave, handshake=False) as port:
        with pytest.raises(ConnectionFailed) as caught:
            await connect(f"ws://127.0.0.1:{port}/")
        assert not isinstance(caught.value, HandshakeRejected | ConnectionTimeout)


async def test_a_server_that_resets() -> None:
    async def reset(raw: Raw) -> None:
        await raw.head()
        raw.reset()

    async with raw_server(reset, handshake=False) as port:
        with pytest.raises(ConnectionFailed):
            await connect(f"ws://127.0.0.1:{port}/")


async def test_rejected_with_status_headers_and_body() -> None:
    def refuse(ws: WebSocket, request: Request) -> Response:
        return Response(status=401, headers=Headers({"WWW-Authenticate": "Basic"}), body="schade ☹".encode())

    async with serve(echo, "127.0.0.1", 0, process_request=refuse) as server:
        with pytest.raises(HandshakeRejected, match="401") as caught:
            await connect(url(server))
        assert caught.value.status == 401
        assert caught.value.headers["www-authenticate"] == "Basic"
        assert caught.value.body.decode() == "schade ☹"


async def test_a_redirect_is_followed_or_told() -> None:
    def elsewhere(ws: WebSocket, request: Request) -> Response | None:
        return None if request.path == "/there" else Response(307, {"Location": "/there?x=1"})

    async with serve(echo, "127.0.0.1", 0, process_request=elsewhere) as server:
        async with connect(url(server)) as ws:
            await ws.send("here")
            assert await ws.recv() == "here"
        with pytest.raises(HandshakeRejected) as caught:
            await connect(url(server), max_redirects=0)
        assert isinstance(caught.value.event, Redirected)
        assert caught.value.event.location == "/there?x=1"


async def test_a_circle_of_redirects_ends() -> None:
    async with serve(
        echo, "127.0.0.1", 0, process_request=lambda ws, request: Response(302, {"Location": request.target})
    ) as server:
        with pytest.raises(RedirectFailed):
            await connect(url(server))


async def test_rejected_with_a_large_body_and_with_one_that_ends_with_the_connection() -> None:
    async def behave(raw: Raw) -> None:
        await raw.head()
        raw.send(b"HTTP/1.1 503 No\r\n\r\n" + b"x" * 200_000)
        await raw.writer.drain()

    async with raw_server(behave, handshake=False) as port:
        with pytest.raises(HandshakeRejected) as caught:
            await connect(f"ws://127.0.0.1:{port}/")
        assert caught.value.body == b"x" * 65536


@pytest.mark.parametrize(
    ("answer", "violation"),
    [
        (b"HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n", Violation.BAD_ACCEPT),
        (b"HTTP/1.1 101 X\r\nConnection: upgrade\r\n\r\n", Violation.RESPONSE_UPGRADE),
        (b"HTTP/1.1 101 X\r\nUpgrade: websocket\r\n\r\n", Violation.RESPONSE_CONNECTION),
        (b"SSH-2.0-OpenSSH_9\r\n", Violation.BAD_RESPONSE),
        (b"HTTP/1.1 101 X\r\nX: " + b"x" * 70_000, Violation.RESPONSE_TOO_BIG),
        (b"HTTP/1.1 101 X\r\n" + b"X: x\r\n" * 101, Violation.RESPONSE_TOO_BIG),
        (b"\x00\x01\x02\r\n", Violation.BAD_RESPONSE),
    ],
)
async def test_a_bad_answer(answer: bytes, violation: Violation) -> None:
    async def behave(raw: Raw) -> None:
        await raw.head()
        raw.send(answer)
        await raw.rest()

    async with raw_server(behave, handshake=False) as port:
        with pytest.raises(HandshakeFailed) as caught:
            await connect(f"ws://127.0.0.1:{port}/")
        assert caught.value.violation is violation


@pytest.mark.parametrize(
    ("header", "violation"),
    [
        ("Sec-WebSocket-Protocol: other", Violation.SUBPROTOCOL_NOT_OFFERED),
        ("Sec-WebSocket-Extensions: x-other", Violation.EXTENSION_NOT_OFFERED),
        ("Sec-WebSocket-Extensions: permessage-deflate; nonsense", Violation.EXTENSION_PARAMETERS),
    ],
)
async def test_an_answer_that_was_not_asked_for(header: str, violation: Violation) -> None:
    async def behave(raw: Raw) -> None:
        raw.send(answer_to(await raw.head(), header))
        await raw.rest()

    async with raw_server(behave, handshake=False) as port:
        with pytest.raises(HandshakeFailed) as caught:
            await connect(f"ws://127.0.0.1:{port}/", subprotocols=["mine"], compression=PerMessageDeflate())
        assert caught.value.violation is violation


async def test_a_failed_connection_leaves_no_transport_behind() -> None:
    """The server sees the end at once, not when some timer fires."""
    ended = asyncio.Event()

    async def behave(raw: Raw) -> None:
        await raw.head()
        raw.send(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
        await raw.rest()
        ended.set()

    async with raw_server(behave, handshake=False) as port:
        with pytest.raises(HandshakeRejected):
            await connect(f"ws://127.0.0.1:{port}/", timeouts=Timeouts(closing_timeout=None))
        await ended.wait()


async def test_a_proxy_that_answers_after_100_and_103() -> None:
    async def behave(raw: Raw) -> None:
        head = await raw.head()
        raw.send(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + answer_to(head))
        await raw.rest()

    async with raw_server(behave, handshake=False) as port:
        ws = await connect(f"ws://127.0.0.1:{port}/")
        ws.abort()
        report = await ws.wait_closed()
        assert report.code == 1006
        with pytest.raises(ConnectionClosedError):
            await ws.recv()
