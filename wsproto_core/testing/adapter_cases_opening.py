"""Clients: from a URI to an open connection, and every way in which none comes about."""

from __future__ import annotations

from typing import Any, Final

from .._config import Timeouts
from .._errors import (
    ConnectionClosedError,
    ConnectionFailed,
    ConnectionRefused,
    ConnectionTimeout,
    HandshakeFailed,
    HandshakeRejected,
    RedirectFailed,
)
from .._events import BasicCredentials, BearerCredentials, Redirected, Request
from .._extensions.permessage_deflate import PerMessageDeflate
from .._handshake.outcome import Response
from .._headers import Headers
from .._types import Opcode, State
from .._violations import Violation
from .adapter_case import case
from .adapter_ends import FarEnd, address, check_elapsed, drain, echo, listening, pair
from .adapter_expect import check, expect, raises
from .adapter_stage import AdapterStage, StagePeer

# --- what is agreed on ------------------------------------------------------------------------------------------------


@case("RFC 6455 §4.2.2: the server's choice is both sides' subprotocol")
async def a_subprotocol_is_agreed_on(stage: AdapterStage) -> None:
    client, server = {"subprotocols": ["a", "b"]}, {"subprotocols": ["b", "a"]}
    async with pair(stage, client=client, server=server) as (here, there):
        expect("the subprotocols", (here.subprotocol, there.subprotocol), ("b", "b"))


@case("RFC 6455 §4.2.2: a connection without a subprotocol is better than none")
async def no_subprotocol_is_in_common(stage: AdapterStage) -> None:
    client, server = {"subprotocols": ["c"]}, {"subprotocols": ["b", "a"]}
    async with pair(stage, client=client, server=server) as (here, there):
        expect("the subprotocols", (here.subprotocol, there.subprotocol), (None, None))


@case("RFC 7692 §5: an extension is in use where both sides want it")
async def compression_is_agreed_on_or_not(stage: AdapterStage) -> None:
    wanted, none, listed = (
        {"compression": PerMessageDeflate()},
        {"compression": None},
        {"extensions": [PerMessageDeflate()]},
    )
    for client, server in ((wanted, none), (none, wanted), (wanted, wanted), (listed, wanted)):
        async with pair(stage, client=client, server=server) as (here, there):
            both = ("permessage-deflate",) if none not in (client, server) else ()
            expect("the extensions", (here.extensions, there.extensions), (both, both))


@case("both ends know who they are, and where")
async def the_facts_of_a_connection(stage: AdapterStage) -> None:
    async with stage.serve(echo) as server, stage.connect(address(server, "/room?x=1")) as ws:
        await ws.send("1234")
        await ws.recv()
        (there,) = server.connections
        check("the state shows in repr()", "open" in repr(ws))
        expect("the states", (ws.state, there.state), (State.OPEN, State.OPEN))
        expect("the client's address, seen from both ends", there.remote_address, ws.local_address)
        expect("the server's address, seen from both ends", ws.remote_address, there.local_address)
        expect("a client's request", ws.request, None)
        check("a server's connection has a request", there.request)
        expect("its target", there.request and there.request.target, "/room?x=1")
        there.data["mine"] = 1
        (again,) = server.connections
        expect("the data of a connection", again.data, {"mine": 1})
    expect("the state after the end", ws.state, State.CLOSED)


@case("what the application says about the request reaches the server as it is")
async def the_request_says_what_it_was_told(stage: AdapterStage) -> None:
    request = await _seen_by_server(
        stage,
        "/a%20b?c=d&e",
        headers=Headers([("X-A", "1"), ("X-A", "2"), ("Cookie", "a=b")]),
        origin="https://example.com",
        subprotocols=["chat", "superchat"],
        credentials=BearerCredentials("token"),
    )
    expect("the target", request.target, "/a%20b?c=d&e")
    expect("a header given twice", request.headers.all("x-a"), ["1", "2"])
    expect("the cookie", request.headers["cookie"], "a=b")
    expect("the origin", request.origin, "https://example.com")
    expect("the subprotocols", request.subprotocols, ("chat", "superchat"))
    expect("the credentials", request.credentials, BearerCredentials("token"))
    basic = BasicCredentials("ann", "päss:word")
    expect("other credentials", (await _seen_by_server(stage, credentials=basic)).credentials, basic)


async def _seen_by_server(stage: AdapterStage, path: str = "/", **options: Any) -> Request:
    requests: list[Request] = []

    def look(_ws: StagePeer, request: Request) -> None:
        requests.append(request)

    async with stage.serve(drain, process_request=look) as server, stage.connect(address(server, path), **options):
        return requests[0]


@case("bytes behind the answer of a server are its first message")
async def the_server_speaks_in_the_packet_of_its_answer(stage: AdapterStage) -> None:
    async def behave(far: FarEnd) -> None:
        await far.answer(then=far.frame(Opcode.TEXT, b"early") + far.close_frame())
        await far.receive_close()

    async with listening(stage, behave) as port, stage.connect(address(port)) as ws:
        expect("the messages", [message async for message in ws], ["early"])


@case("RFC 9110 §15.2: interim answers are no answers")
async def the_answer_comes_after_103(stage: AdapterStage) -> None:
    async def behave(far: FarEnd) -> None:
        await far.send(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")
        await far.answer(then=far.close_frame())
        await far.receive_close()

    async with listening(stage, behave) as port, stage.connect(address(port)) as ws:
        expect("the code of the end", (await ws.wait_closed()).code, 1000)


# --- options ----------------------------------------------------------------------------------------------------------

_URI: Final = "ws://127.0.0.1:1/"
_BAD_OPTIONS: Final[tuple[tuple[str, dict[str, Any], type[Exception], str], ...]] = (
    (_URI, {"max_size": 1}, TypeError, "max_size"),
    (_URI, {"subprotocols": "chat"}, TypeError, "subprotocols"),
    (_URI, {"subprotocols": ["a b"]}, ValueError, "subprotocols"),
    (_URI, {"headers": {"Sec-WebSocket-Key": "x"}}, ValueError, "Sec-WebSocket-Key"),
    (_URI, {"headers": {"X-A": "a\r\nB: c"}}, ValueError, "header"),
    ("http://localhost/", {}, ValueError, "ws"),
    ("ws://localhost/#fragment", {}, ValueError, "fragment"),
)


@case("an option that cannot work is named, instead of being found out later")
async def bad_options_of_a_client_are_named(stage: AdapterStage) -> None:
    for uri, options, kind, name in _BAD_OPTIONS:
        with raises(kind, f"connect({uri!r}) with {options}") as caught:
            async with stage.connect(uri, **options):
                pass  # pragma: no cover  (it never gets here)
        check(f"{name!r} is named in {str(caught.error)!r}", name in str(caught.error))


# --- no connection ----------------------------------------------------------------------------------------------------


async def _fails(stage: AdapterStage, port: int, kind: type[ConnectionFailed], **options: Any) -> ConnectionFailed:
    """Connect in vain; the error."""
    with raises(kind, "connect()") as caught:
        async with stage.connect(address(port), **options):
            pass  # pragma: no cover  (it never gets here)
    return caught.error


@case("nobody there is another error than somebody who refuses")
async def nobody_listens(stage: AdapterStage) -> None:
    async with stage.serve(drain) as server:
        port = server.port
    await _fails(stage, port, ConnectionRefused)


@case("a server that hangs up is no server that refuses, and no timeout")
async def the_server_hangs_up(stage: AdapterStage) -> None:
    async def leave(far: FarEnd) -> None:
        await far.head()

    async with listening(stage, leave) as port:
        error = await _fails(stage, port, ConnectionFailed)
    check(f"no more special error than ConnectionFailed, not {error!r}", type(error) is ConnectionFailed)


@case("a broken connection is told as ConnectionFailed, not as an OSError")
async def the_server_resets_the_handshake(stage: AdapterStage) -> None:
    async def reset(far: FarEnd) -> None:
        await far.head()
        far.stream.reset()

    async with listening(stage, reset) as port:
        await _fails(stage, port, ConnectionFailed)


_BAD_ANSWERS: Final = (
    (b"HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n", Violation.BAD_ACCEPT),
    (b"HTTP/1.1 101 X\r\nConnection: upgrade\r\n\r\n", Violation.RESPONSE_UPGRADE),
    (b"HTTP/1.1 101 X\r\nUpgrade: websocket\r\n\r\n", Violation.RESPONSE_CONNECTION),
    (b"SSH-2.0-OpenSSH_9\r\n", Violation.BAD_RESPONSE),
    (b"\x00\x01\x02\r\n", Violation.BAD_RESPONSE),
    (b"HTTP/1.1 101 X\r\nX: " + b"x" * 70_000, Violation.RESPONSE_TOO_BIG),
    (b"HTTP/1.1 101 X\r\n" + b"X: x\r\n" * 101, Violation.RESPONSE_TOO_BIG),
)


@case("RFC 6455 §4.1: a client fails the connection, and says which rule was broken")
async def the_servers_answer_is_garbage(stage: AdapterStage) -> None:
    for answer, violation in _BAD_ANSWERS:

        async def behave(far: FarEnd, answer: bytes = answer) -> None:
            await far.head()
            await far.send(answer)
            await far.rest()

        async with listening(stage, behave) as port:
            error = await _fails(stage, port, HandshakeFailed)
        expect(f"the violation of {answer[:40]!r}", getattr(error, "violation", None), violation)


_UNASKED: Final = (
    ("Sec-WebSocket-Protocol: other", Violation.SUBPROTOCOL_NOT_OFFERED),
    ("Sec-WebSocket-Extensions: x-other", Violation.EXTENSION_NOT_OFFERED),
    ("Sec-WebSocket-Extensions: permessage-deflate; nonsense", Violation.EXTENSION_PARAMETERS),
)


@case("RFC 6455 §4.1: a server chooses from what the client has offered")
async def the_server_chooses_what_was_not_offered(stage: AdapterStage) -> None:
    for header, violation in _UNASKED:

        async def behave(far: FarEnd, header: str = header) -> None:
            await far.answer(header)
            await far.rest()

        async with listening(stage, behave) as port:
            offered = {"subprotocols": ["mine"], "compression": PerMessageDeflate()}
            error = await _fails(stage, port, HandshakeFailed, **offered)
        expect(f"the violation of {header}", getattr(error, "violation", None), violation)


@case("a failed connection is dropped at once, and not when some timer fires")
async def a_failed_connection_leaves_nothing_behind(stage: AdapterStage) -> None:
    has_ended = stage.event()

    async def behave(far: FarEnd) -> None:
        await far.head()
        await far.send(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
        await far.rest()
        has_ended.set()

    async with listening(stage, behave) as port:
        await _fails(stage, port, HandshakeRejected, timeouts=Timeouts(closing_timeout=None))
        await has_ended.wait()


@case("what a server that refuses has to say is the caller's, but not without bound")
async def a_refusal_with_a_large_body(stage: AdapterStage) -> None:
    async def behave(far: FarEnd) -> None:
        await far.head()
        await far.send(b"HTTP/1.1 503 No\r\n\r\n" + b"x" * 200_000)

    async with listening(stage, behave) as port:
        error = await _fails(stage, port, HandshakeRejected)
    expect("the body", getattr(error, "body", None), b"x" * 65_536)


@case("RFC 6455 §4.1: redirects are followed, told, or found to be a circle")
async def redirects(stage: AdapterStage) -> None:
    def elsewhere(_ws: StagePeer, request: Request) -> Response | None:
        if request.path == "/circle":
            return Response(302, {"Location": request.target})
        return None if request.path == "/there" else Response(307, {"Location": "/there?x=1"})

    async with stage.serve(echo, process_request=elsewhere) as server:
        async with stage.connect(address(server)) as ws:
            await ws.send("here")
            expect("the echo behind the redirect", await ws.recv(), "here")
        refusal = await _fails(stage, server.port, HandshakeRejected, max_redirects=0)
        event = getattr(refusal, "event", None)
        check(f"the error's event is a Redirected, not {event!r}", isinstance(event, Redirected))
        with raises(RedirectFailed, "connect() into a circle of redirects"):
            async with stage.connect(address(server, "/circle")):
                pass  # pragma: no cover  (it never gets here)


# --- blocks -----------------------------------------------------------------------------------------------------------


@case("RFC 6455 §7.4.1: the block's end is the connection's, and its exception is the server's 1011")
async def the_end_of_the_block_closes(stage: AdapterStage) -> None:
    async with pair(stage) as (_, there):
        pass
    expect("the code after the block", (await there.wait_closed()).code, 1000)
    with raises(KeyError, "a block that raises"):
        async with pair(stage) as (_, there):
            raise KeyError
    expect("the code after an exception", (await there.wait_closed()).code, 1011)


@case("abort() says nothing, and the verbs behind it say what has happened")
async def a_connection_is_aborted(stage: AdapterStage) -> None:
    async with pair(stage) as (here, there):
        here.abort()
        with raises(ConnectionClosedError, "recv() behind abort()"):
            await here.recv()
        expect("the code seen by the other side", (await there.wait_closed()).code, 1006)


# --- in time ----------------------------------------------------------------------------------------------------------


@case("Timeouts.opening_timeout bounds a server that says nothing", is_timed=True)
async def the_server_never_answers(stage: AdapterStage) -> None:
    async def silent(far: FarEnd) -> None:
        await far.rest()

    await _times_out(stage, silent)


@case("Timeouts.opening_timeout bounds a server that never comes to the end of its answer", is_timed=True)
async def the_server_answers_byte_by_byte_for_ever(stage: AdapterStage) -> None:
    async def trickle(far: FarEnd) -> None:
        await far.send(b"HTTP/1.1 101 Switching Protocols\r\n")
        while True:
            await far.send(b"x")
            await stage.sleep(stage.second)

    await _times_out(stage, trickle)


async def _times_out(stage: AdapterStage, behave: Any) -> None:
    timeout = 5 * stage.second
    async with listening(stage, behave) as port:
        began_at = stage.now()
        error = await _fails(stage, port, ConnectionTimeout, timeouts=Timeouts(opening_timeout=timeout))
        check_elapsed(stage, began_at, 5)
    check(f"the timeout of {timeout} is named in {str(error)!r}", f"{timeout} seconds" in str(error))
