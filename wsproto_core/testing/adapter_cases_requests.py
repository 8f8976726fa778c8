"""Servers: who gets in, and what everybody else is told."""

from __future__ import annotations

from typing import Any, Final

from .._config import Limits, Timeouts
from .._errors import ConnectionFailed, HandshakeRejected
from .._events import BasicCredentials, Request
from .._handshake.outcome import Response
from .._types import Opcode
from .adapter_case import case
from .adapter_ends import HANDSHAKE, address, check_elapsed, drain, echo, http, visiting
from .adapter_expect import check, expect, raises
from .adapter_stage import AdapterStage, StagePeer, StageServer

# --- plain HTTP -------------------------------------------------------------------------------------------------------

_REQUESTS: Final = (
    (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 426),
    (b"GET / HTTP/1.0\r\n\r\n", 505),
    (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", 405),
    (b"GET / HTTP/1.1\r\n\r\n", 400),
    (b"nonsense\r\n\r\n", 400),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
    (HANDSHAKE.replace(b"Version: 13", b"Version: 8"), 426),
    (HANDSHAKE[:-2] + b"X: x\r\n" * 101 + b"\r\n", 431),
    (HANDSHAKE[:-2] + b"X: " + b"x" * 20_000 + b"\r\n\r\n", 431),
)


@case("RFC 6455 §4.2.1: whoever is no WebSocket client is told so in HTTP, and the log stays silent")
async def requests_that_are_no_handshake(stage: AdapterStage) -> None:
    async with stage.serve(drain) as server:
        for request, status in _REQUESTS:
            answer = await http(stage, server.port, request)
            expect(f"the status for {request[:60]!r}", answer[:13], b"HTTP/1.1 %d " % status)
        versions = await http(stage, server.port, HANDSHAKE.replace(b"Version: 13", b"Version: 8"))
        check("the version spoken here is named", b"Sec-WebSocket-Version: 13" in versions)


@case("RFC 9110 §7.8: the letter case of names and options means nothing")
async def a_handshake_in_other_letters(stage: AdapterStage) -> None:
    shouted = HANDSHAKE.replace(b"Upgrade: websocket", b"UPGRADE: WebSocket")
    shouted = shouted.replace(b"Connection: Upgrade", b"connection: keep-alive\r\nConnection: foo, UPGRADE")
    async with stage.serve(drain) as server, visiting(stage, server.port) as far:
        await far.request(shouted)


@case("visitors that come and go are nobody's business, and never an error in the log")
async def stray_visitors(stage: AdapterStage) -> None:
    async with stage.serve(echo) as server:
        for visit in (b"", b"GET / HTTP/1.1\r\nHo", b"\x00\xff\xfe\r\n\r\n", HANDSHAKE, HANDSHAKE + b"\xff\xff"):
            for leave in ("end", "reset", "close"):
                async with visiting(stage, server.port) as far:
                    await far.send(visit)
                    getattr(far.stream, leave)()
        async with stage.connect(address(server)) as ws:
            await ws.send("still served")
            expect("the echo", await ws.recv(), "still served")


@case("bytes behind the handshake of a client are its first message")
async def the_client_speaks_in_the_packet_of_its_handshake(stage: AdapterStage) -> None:
    async with stage.serve(echo) as server, visiting(stage, server.port) as far:
        await far.request(HANDSHAKE + far.frame(Opcode.TEXT, b"early"))
        expect("the echo", (await far.receive()).payload, b"early")


# --- process_request --------------------------------------------------------------------------------------------------


def _page(_ws: StagePeer, request: Request) -> Response | None:
    pages = {"/health": Response(200, {"Content-Type": "text/plain"}, b"OK\n"), "/nothing": Response(204)}
    return pages.get(request.path)


async def _page_later(ws: StagePeer, request: Request) -> Response | None:
    return _page(ws, request)


@case("a health check needs no second port; what process_request leaves alone is a handshake")
async def process_request_answers(stage: AdapterStage) -> None:
    for process_request in (_page, _page_later):
        async with stage.serve(echo, process_request=process_request) as server:
            head, _, body = (await http(stage, server.port, "GET /health HTTP/1.1\r\nHost: x\r\n\r\n")).partition(
                b"\r\n\r\n"
            )
            check(f"the answer is a page, not {head!r}", head.startswith(b"HTTP/1.1 200 OK\r\n"))
            check("the page tells its length", b"Content-Length: 3" in head)
            expect("the page", body, b"OK\n")
            old = await http(stage, server.port, "GET /health HTTP/1.0\r\n\r\n")
            check("HTTP/1.0 gets the page as well", old.endswith(b"\r\n\r\nOK\n"))
            head = await http(stage, server.port, "HEAD /health HTTP/1.1\r\nHost: x\r\n\r\n")
            check("HEAD gets no page", b"Content-Length: 3" in head and head.endswith(b"\r\n\r\n"))
            nothing = await http(stage, server.port, "GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n")
            expect("an answer without a body", nothing[:13], b"HTTP/1.1 204 ")
            expect("the status of a handshake", await _status(stage, server), 101)


@case("what the server says when it refuses is what the client's error holds")
async def process_request_refuses(stage: AdapterStage) -> None:
    def check_password(ws: StagePeer, request: Request) -> Response | None:
        if request.credentials == BasicCredentials("ann", "secret"):
            ws.data["user"] = "ann"
            return None
        return Response(401, {"WWW-Authenticate": 'Basic realm="x"'}, "schade ☹".encode())

    async def handler(ws: StagePeer) -> None:
        await ws.send(ws.data["user"])

    async with stage.serve(handler, process_request=check_password) as server:
        async with stage.connect(address(server), credentials=BasicCredentials("ann", "secret")) as ws:
            expect("what process_request told the handler", await ws.recv(), "ann")
        with raises(HandshakeRejected, "connect() without the password") as caught:
            async with stage.connect(address(server)):
                pass  # pragma: no cover  (it never gets here)
    expect("the status", caught.error.status, 401)
    expect("a header", caught.error.headers["www-authenticate"], 'Basic realm="x"')
    expect("the body", caught.error.body.decode(), "schade ☹")


@case("an application that fails is a 500 for the client, and one line with a traceback for the operator", log_lines=5)
async def process_request_fails(stage: AdapterStage) -> None:
    def raises_at_once(_ws: StagePeer, _request: Request) -> Any:
        raise RuntimeError("the database is gone")

    async def raises_later(_ws: StagePeer, _request: Request) -> Any:
        raise RuntimeError("the database is gone")

    def answers_a_bad_status(_ws: StagePeer, _request: Request) -> Any:
        return Response(99)

    async def answers_a_bad_status_later(_ws: StagePeer, _request: Request) -> Any:
        return Response(99)

    def answers_nonsense(_ws: StagePeer, _request: Request) -> Any:
        return ("200", "OK")

    bad = (raises_at_once, raises_later, answers_nonsense, answers_a_bad_status, answers_a_bad_status_later)
    for process_request in bad:
        async with stage.serve(drain, process_request=process_request) as server:
            expect(f"the status when it {process_request.__name__}", await _status(stage, server), 500)


@case("Timeouts.opening_timeout bounds the application's decision as well", is_timed=True)
async def process_request_takes_too_long(stage: AdapterStage) -> None:
    is_over = stage.event()

    async def never(_ws: StagePeer, _request: Request) -> None:
        await is_over.wait()

    timeouts = Timeouts(opening_timeout=5 * stage.second)
    async with stage.serve(drain, process_request=never, timeouts=timeouts) as server:
        began_at = stage.now()
        answer = await http(stage, server.port, HANDSHAKE)
        expect("the status", answer[:13], b"HTTP/1.1 503 ")
        check_elapsed(stage, began_at, 5)
        is_over.set()


@case("a client that does not wait for the application's decision is nobody's loss")
async def the_client_leaves_during_process_request(stage: AdapterStage) -> None:
    is_asked, has_ended = stage.event(), stage.event()

    async def slow(ws: StagePeer, _request: Request) -> Response:
        is_asked.set()
        await ws.wait_closed()
        has_ended.set()
        return Response(200)

    async with stage.serve(drain, process_request=slow) as server, visiting(stage, server.port) as far:
        await far.send(HANDSHAKE)
        await is_asked.wait()
        far.stream.reset()
        await has_ended.wait()


@case("RFC 9110 §15.5.9: who does not finish the request is told 408", is_timed=True)
async def the_request_never_ends(stage: AdapterStage) -> None:
    async with stage.serve(drain, timeouts=Timeouts(opening_timeout=5 * stage.second)) as server:
        began_at = stage.now()
        answer = await http(stage, server.port, HANDSHAKE[:-2])
        expect("the status", answer[:13], b"HTTP/1.1 408 ")
        check_elapsed(stage, began_at, 5)


# --- who gets in ------------------------------------------------------------------------------------------------------


async def _status(stage: AdapterStage, server: StageServer, **options: Any) -> int:
    """The status that a client of the adapter gets."""
    try:
        async with stage.connect(address(server), **options):
            return 101
    except HandshakeRejected as error:
        return error.status


@case("RFC 6455 §10.2: a browser of another site gets 403")
async def origins(stage: AdapterStage) -> None:
    async with stage.serve(drain, origins=["https://example.com", None]) as server:
        for origin, status in (("https://example.com", 101), (None, 101), ("https://evil.example", 403)):
            expect(f"the status for {origin}", await _status(stage, server, origin=origin), status)


@case("RFC 9110 §15.5.20: who asks for another host gets 421")
async def hosts(stage: AdapterStage) -> None:
    async with stage.serve(drain, hosts=["chat.example"]) as server:
        expect("the status for another host", await _status(stage, server), 421)
        answer = await http(stage, server.port, HANDSHAKE.replace(b"localhost", b"chat.example") + b"\xff\xff")
        expect("the status for this one", answer[:13], b"HTTP/1.1 101 ")


@case("a choice that fails is a 500, and one line with a traceback", log_lines=1)
async def a_function_chooses_the_subprotocol(stage: AdapterStage) -> None:
    def choose(offered: tuple[str, ...]) -> str | None:
        if "boom" in offered:
            raise ValueError("boom")
        return offered[-1] if offered else None

    async with stage.serve(drain, subprotocols=choose) as server:
        async with stage.connect(address(server), subprotocols=["a", "b"]) as ws:
            expect("the subprotocol", ws.subprotocol, "b")
        expect("the status of the choice that fails", await _status(stage, server, subprotocols=["boom"]), 500)
        expect("the status without an offer", await _status(stage, server), 101)


@case("beyond max_connections it is 503 with Retry-After, and a slot is free again when its connection has ended")
async def beyond_max_connections(stage: AdapterStage) -> None:
    async with stage.serve(echo, max_connections=2) as server:
        async with stage.connect(address(server)), stage.connect(address(server)):
            with raises(HandshakeRejected, "connect() beyond the maximum") as caught:
                async with stage.connect(address(server)):
                    pass  # pragma: no cover  (it never gets here)
            expect("the status", caught.error.status, 503)
            check("Retry-After is a time", int(caught.error.headers["retry-after"]) > 0)
        await _is_free_again(stage, server)


@case("a handshake that came to nothing frees its slot")
async def failed_handshakes_free_their_slots(stage: AdapterStage) -> None:
    async with stage.serve(echo, max_connections=1) as server:
        for _ in range(5):
            await http(stage, server.port, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            async with visiting(stage, server.port) as far:
                await far.send(b"GET ")
        await _is_free_again(stage, server)


@case("a burst of clients never overshoots the maximum")
async def racing_clients(stage: AdapterStage) -> None:
    counts: list[int] = []
    is_over = stage.event()

    async def handler(ws: StagePeer) -> None:
        counts.append(len(server.connections))
        await ws.wait_closed()

    async def attempt() -> bool:
        try:
            async with stage.connect(address(server)):
                results.append(True)
                await is_over.wait()
        except ConnectionFailed:  # told, or beyond those who are told
            results.append(False)
        return True

    results: list[bool] = []
    async with stage.serve(handler, max_connections=5) as server:
        attempts = [stage.spawn(attempt) for _ in range(20)]
        await stage.until(lambda: len(results) == 20)
        await stage.until(lambda: len(counts) == 5)
        is_over.set()
        for task in attempts:
            await task.outcome()
        await _is_free_again(stage, server)
    expect("how many came in", results.count(True), 5)
    check(f"never more than 5 connections, not {max(counts)}", max(counts) <= 5)


async def _is_free_again(stage: AdapterStage, server: StageServer) -> None:
    """Slots are free again, some moments after their clients have left."""
    while await _status(stage, server) == 503:
        await stage.sleep(0)


# --- options ----------------------------------------------------------------------------------------------------------

_BAD_OPTIONS: Final = (
    ({"max_size": 1}, TypeError, "max_size"),
    ({"max_connections": 0}, ValueError, "max_connections"),
    ({"subprotocols": "chat"}, TypeError, "subprotocols"),
    ({"origins": "https://example.com"}, TypeError, "origins"),
)


@case("an option that cannot work is named, and not told to every client")
async def bad_options_of_a_server_are_named(stage: AdapterStage) -> None:
    for options, kind, name in _BAD_OPTIONS:
        with raises(kind, f"serve() with {options}") as caught:
            async with stage.serve(drain, **options):
                pass  # pragma: no cover  (it never gets here)
        check(f"{name!r} is named in {str(caught.error)!r}", name in str(caught.error))


@case("Limits are the caller's, on both sides", log_lines=0)
async def limits_of_the_handshake(stage: AdapterStage) -> None:
    async with stage.serve(drain, limits=Limits(max_headers=3)) as server:
        expect("the status for more headers than allowed", await _status(stage, server), 431)
