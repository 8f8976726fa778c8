"""``reconnect``: clients that come back."""

from __future__ import annotations

import asyncio
import gc
import socket

import pytest

from tests.adapters.kit import Raw, drain, echo, eventually, raw_server, url
from wsproto_asyncio import Server, WebSocket, connect, reconnect, serve
from wsproto_core import Backoff, ConnectionClosed, ConnectionRefused, HandshakeRejected, Request, Response, State

FAST = Backoff(initial=0.001, cap=0.002)


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


class Counting(Backoff):
    """Writes down which attempts it was asked for."""

    __slots__ = ("asked",)

    def delay(self, attempt: int, chance: float) -> float:
        asked.append(attempt)
        assert 0 <= chance < 1
        return 0.0


asked: list[int] = []


async def test_a_server_that_restarts() -> None:
    port = free_port()
    rounds = 0
    server = await serve(echo, "127.0.0.1", port)
    async for ws in reconnect(f"ws://127.0.0.1:{port}/", backoff=FAST):
        await ws.send(str(rounds))
        assert await ws.recv() == str(rounds)
        await server.close(1012)
        rounds += 1
        if rounds == 3:
            break
        server = await serve(echo, "127.0.0.1", port)


async def test_the_end_of_the_body_closes_and_comes_again() -> None:
    codes: list[int] = []

    async def handler(ws: WebSocket) -> None:
        codes.append((await ws.wait_closed()).code)

    async with serve(handler, "127.0.0.1", 0) as server:
        count = 0
        async for ws in reconnect(url(server), backoff=FAST):
            assert ws.state is State.OPEN
            count += 1
            if count < 3:
                continue
            break
        await eventually(lambda: len(codes) == 3)
    assert codes == [1000, 1000, 1000]


async def test_the_backoff_grows_and_starts_anew_with_a_connection() -> None:
    asked.clear()
    port = free_port()
    servers: list[Server] = []
    connections = reconnect(f"ws://127.0.0.1:{port}/", backoff=Counting(max_attempts=1000))

    async def start() -> None:
        await eventually(lambda: len(asked) >= 3)
        servers.append(await serve(drain, "127.0.0.1", port))

    starting = asyncio.create_task(start())
    async for ws in connections:
        await starting
        assert ws.state is State.OPEN
        break
    assert asked[:3] == [0, 1, 2]
    await servers[0].close()
    await connections.aclose()  # type: ignore[attr-defined]  # it is a generator


async def test_max_attempts_in_a_row() -> None:
    asked.clear()
    with pytest.raises(ConnectionRefused):  # noqa: PT012  # the loop is what raises
        async for _ in reconnect(f"ws://127.0.0.1:{free_port()}/", backoff=Counting(max_attempts=3)):
            pytest.fail("there is no server")
    assert asked == [0, 1]


async def test_max_attempts_count_anew_after_a_connection() -> None:
    asked.clear()
    port = free_port()
    server = await serve(drain, "127.0.0.1", port)
    with pytest.raises(ConnectionRefused):  # noqa: PT012  # the loop is what raises
        async for _ in reconnect(f"ws://127.0.0.1:{port}/", backoff=Counting(max_attempts=3)):
            await server.close()
    assert asked == [0, 1, 2]  # before the first attempt, and between the three


async def test_a_refusal_that_time_will_not_mend_is_raised() -> None:
    status = 503
    seen = 0

    def refuse(ws: WebSocket, request: Request) -> Response:
        nonlocal seen, status
        seen += 1
        if seen == 3:
            status = 403
        return Response(status=status)

    async with serve(drain, "127.0.0.1", 0, process_request=refuse) as server:
        with pytest.raises(HandshakeRejected, match="403"):  # noqa: PT012  # the loop is what raises
            async for _ in reconnect(url(server), backoff=FAST):
                pytest.fail("no connection was accepted")
    assert seen == 3


async def test_the_application_says_what_is_worth_another_attempt() -> None:
    async def handler(ws: WebSocket) -> None:
        await ws.close(4001, "banned")

    def not_banned(error: BaseException) -> bool:
        return not (isinstance(error, ConnectionClosed) and error.report.code == 4001)

    async with serve(handler, "127.0.0.1", 0) as server:
        with pytest.raises(ConnectionClosed, match="banned"):  # noqa: PT012  # the loop is what raises
            async for ws in reconnect(url(server), backoff=FAST, retry=not_banned):
                await ws.wait_closed()


async def test_a_policy_violation_is_final() -> None:
    async def handler(ws: WebSocket) -> None:
        await ws.close(1008)

    async with serve(handler, "127.0.0.1", 0) as server:
        with pytest.raises(ConnectionClosed, match="1008"):  # noqa: PT012  # the loop is what raises
            async for ws in reconnect(url(server), backoff=FAST):
                await ws.wait_closed()


async def test_break_stops() -> None:
    opened: list[WebSocket] = []
    count = 0

    async def handler(ws: WebSocket) -> None:
        nonlocal count
        count += 1
        await drain(ws)

    async with serve(handler, "127.0.0.1", 0) as server:
        async for ws in reconnect(url(server), backoff=FAST):
            await ws.send("x")
            opened.append(ws)
            break
        gc.collect()
        await opened[0].wait_closed()
        await eventually(lambda: not server.connections)
    assert count == 1


async def test_an_exception_of_the_body_is_the_bodys() -> None:
    async with serve(drain, "127.0.0.1", 0) as server:
        with pytest.raises(KeyError):  # noqa: PT012  # the loop is what raises
            async for _ in reconnect(url(server), backoff=FAST):
                raise KeyError


async def test_cancelled_while_it_waits_between_attempts() -> None:
    slow = Backoff(initial=1000, cap=1000)
    with pytest.raises(TimeoutError):  # noqa: PT012  # the loop is what raises
        async with asyncio.timeout(0.05):
            async for _ in reconnect(f"ws://127.0.0.1:{free_port()}/", backoff=slow):
                pytest.fail("there is no server")


async def test_a_broken_connection_comes_back() -> None:
    async def vanish(raw: Raw) -> None:
        await raw.frame()
        raw.reset()

    async with raw_server(vanish) as port:
        count = 0
        async for ws in reconnect(f"ws://127.0.0.1:{port}/", backoff=FAST):
            count += 1
            await ws.send("x")
            report = await ws.wait_closed()
            assert report.code == 1006
            if count == 3:
                break


def test_options_are_checked_at_once() -> None:
    with pytest.raises(TypeError, match="max_size"):
        reconnect("ws://localhost/", max_size=1)
    with pytest.raises(ValueError, match="ws"):
        reconnect("localhost")
    assert isinstance(connect("ws://localhost/"), connect)
