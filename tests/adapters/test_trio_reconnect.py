"""``reconnect`` on trio: clients that come back."""

from __future__ import annotations

import socket
from typing import Any

import pytest
import trio

from tests.adapters.trio_kit import Raw, drain, echo, eventually, raw_server, trio_test, url
from wsproto_core import (
    Backoff,
    ConnectionClosed,
    ConnectionRefused,
    HandshakeRejected,
    Request,
    Response,
    State,
    Timeouts,
)
from wsproto_trio import Server, WebSocket, reconnect, serve

FAST = Backoff(initial=0.001, cap=0.002)


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@trio_test
async def test_a_server_that_restarts() -> None:
    port = free_port()
    rounds = 0
    async with trio.open_nursery() as nursery:
        server: Server = await nursery.start(serve(echo, "127.0.0.1", port))
        async with reconnect(f"ws://127.0.0.1:{port}/", backoff=FAST) as connections:
            async for ws in connections:
                await ws.send(str(rounds))
                assert await ws.recv() == str(rounds)
                await server.close()
                rounds += 1
                if rounds == 3:
                    break
                server = await nursery.start(serve(echo, "127.0.0.1", port))


@trio_test
async def test_the_end_of_the_body_closes_and_comes_again() -> None:
    codes: list[int] = []

    async def handler(ws: WebSocket) -> None:
        codes.append((await ws.wait_closed()).code)

    async with serve(handler, "127.0.0.1", 0) as server:
        opened: list[WebSocket] = []
        async with reconnect(url(server), backoff=FAST) as connections:
            async for ws in connections:
                assert ws.state is State.OPEN
                opened.append(ws)
                if len(opened) < 3:
                    continue
                break
        assert opened[-1].state is State.CLOSED
        await eventually(lambda: len(codes) == 3)
    assert codes == [1000, 1000, 1000]


@trio_test
async def test_max_attempts_in_a_row() -> None:
    with pytest.raises(ConnectionRefused):  # noqa: PT012  # the loop is what raises
        async with reconnect(f"ws://127.0.0.1:{free_port()}/", backoff=Backoff(initial=0.001, max_attempts=3)) as them:
            async for _ in them:
                pytest.fail("there is no server")


@trio_test
async def test_a_refusal_that_time_will_not_mend_is_raised() -> None:
    statuses = [503, 503, 403]

    def refuse(ws: WebSocket, request: Request) -> Response:
        return Response(status=statuses.pop(0))

    async with serve(drain, "127.0.0.1", 0, process_request=refuse) as server:
        with pytest.raises(HandshakeRejected, match="403"):  # noqa: PT012  # the loop is what raises
            async with reconnect(url(server), backoff=FAST) as connections:
                async for _ in connections:
                    pytest.fail("no connection was accepted")
    assert statuses == []


@pytest.mark.parametrize(("code", "options"), [(1008, {}), (4001, {"retry": lambda error: False})])
@trio_test
async def test_an_end_that_is_final(code: int, options: dict[str, Any]) -> None:
    async def handler(ws: WebSocket) -> None:
        await ws.close(code)

    async with serve(handler, "127.0.0.1", 0) as server:
        with pytest.raises(ConnectionClosed, match=str(code)):  # noqa: PT012  # the loop is what raises
            async with reconnect(url(server), backoff=FAST, **options) as connections:
                async for ws in connections:
                    await ws.wait_closed()


@trio_test
async def test_an_exception_of_the_body_is_the_bodys() -> None:
    async with serve(drain, "127.0.0.1", 0) as server:
        with pytest.raises(KeyError) as caught:  # noqa: PT012  # the loop is what raises
            async with reconnect(url(server), backoff=FAST) as connections:
                async for _ in connections:
                    raise KeyError("mine")
        assert caught.value.__context__ is None
        await eventually(lambda: not server.connections)


@trio_test
async def test_cancelled_between_attempts_and_within_a_connection() -> None:
    with trio.move_on_after(0.05) as scope:
        async with reconnect(f"ws://127.0.0.1:{free_port()}/", backoff=Backoff(initial=1000, cap=1000)) as connections:
            async for _ in connections:
                pytest.fail("there is no server")
    assert scope.cancelled_caught
    opened: list[WebSocket] = []
    async with serve(drain, "127.0.0.1", 0) as server:
        with trio.CancelScope() as scope:
            async with reconnect(url(server), backoff=FAST) as connections:
                async for ws in connections:
                    opened.append(ws)
                    scope.deadline = trio.current_time() + 0.05
                    await ws.recv()
        assert scope.cancelled_caught
        assert opened[0].state is State.CLOSED
        await eventually(lambda: not server.connections)


@trio_test
async def test_a_broken_connection_comes_back() -> None:
    async def vanish(raw: Raw) -> None:
        await raw.frame()
        raw.reset()

    async with raw_server(vanish) as port, reconnect(f"ws://127.0.0.1:{port}/", backoff=FAST) as connections:
        count = 0
        async for ws in connections:
            count += 1
            await ws.send("x")
            assert (await ws.wait_closed()).code == 1006
            if count == 3:
                break


@trio_test
async def test_it_takes_a_block() -> None:
    with pytest.raises(TypeError, match="async with"):  # noqa: PT012  # the loop is what raises
        async for _ in reconnect("ws://localhost/"):
            pytest.fail("there is no block")


def test_options_are_checked_at_once() -> None:
    with pytest.raises(TypeError, match="max_size"):
        reconnect("ws://localhost/", max_size=1)
    with pytest.raises(TypeError, match="nursery"):
        reconnect("ws://localhost/", nursery=None)
    with pytest.raises(ValueError, match="ws"):
        reconnect("localhost")


@trio_test
async def test_cancelled_while_it_closes_one_to_make_the_next() -> None:
    async def never_answers(raw: Raw) -> None:
        await raw.close_code()
        await trio.sleep_forever()

    timeouts = Timeouts(closing_timeout=None)
    async with raw_server(never_answers) as port:
        with trio.CancelScope() as scope:
            async with reconnect(f"ws://127.0.0.1:{port}/", backoff=FAST, timeouts=timeouts) as connections:
                async for _ in connections:
                    scope.deadline = trio.current_time() + 0.05
        assert scope.cancelled_caught
