"""wsproto_anyio: clients that come back."""

from __future__ import annotations

import anyio
import pytest

from tests.adapters.anyio_kit import drain, echo, eventually, everywhere, free_port, url
from wsproto_anyio import WebSocket, reconnect, serve
from wsproto_core import Backoff, ConnectionClosedError, ConnectionRefused, HandshakeRejected, Request, Response, State

FAST = Backoff(initial=0.001, cap=0.002)


@everywhere
async def test_a_server_that_restarts() -> None:
    port = free_port()
    rounds = 0
    async with anyio.create_task_group() as group:
        server = await serve(echo, "127.0.0.1", port, task_group=group)
        async with reconnect(f"ws://127.0.0.1:{port}/", backoff=FAST) as connections:
            async for ws in connections:
                await ws.send(str(rounds))
                assert await ws.recv() == str(rounds)
                await server.close(1012)
                rounds += 1
                if rounds == 3:
                    break
                server = await serve(echo, "127.0.0.1", port, task_group=group)
    assert rounds == 3


@everywhere
async def test_the_end_of_the_body_closes_and_comes_again_and_break_ends_it() -> None:
    codes: list[int] = []

    async def handler(ws: WebSocket) -> None:
        codes.append((await ws.wait_closed()).code)

    async with serve(handler, "127.0.0.1", 0) as server:
        seen: list[WebSocket] = []
        async with reconnect(url(server), backoff=FAST) as connections:
            async for ws in connections:
                assert ws.state is State.OPEN
                seen.append(ws)
                if len(seen) == 3:
                    break
        assert seen[-1].state is State.CLOSED  # by the end of the block, and not by some garbage collection
        await eventually(lambda: len(codes) == 3)
    assert codes == [1000, 1000, 1000]


async def each_closed(uri: str, backoff: Backoff) -> None:
    """Wait for the end of one connection after the other."""
    async with reconnect(uri, backoff=backoff) as connections:
        async for ws in connections:
            await ws.wait_closed()


@everywhere
async def test_max_attempts_in_a_row_and_the_error_comes_out_as_itself() -> None:
    backoff = Backoff(initial=0.001, cap=0.002, max_attempts=3)
    with pytest.raises(ConnectionRefused):
        await each_closed(f"ws://127.0.0.1:{free_port()}/", backoff)


@everywhere
async def test_what_will_not_get_better_is_raised() -> None:
    def refuse(ws: WebSocket, request: Request) -> Response:
        return Response(403)

    async def offended(ws: WebSocket) -> None:
        await ws.close(1008, "go away")

    async with serve(echo, "127.0.0.1", 0, process_request=refuse) as server:
        with pytest.raises(HandshakeRejected):
            await each_closed(url(server), FAST)
    async with serve(offended, "127.0.0.1", 0) as server:
        with pytest.raises(ConnectionClosedError, match="go away"):
            await each_closed(url(server), FAST)


@everywhere
async def test_an_exception_of_the_body_comes_out_as_itself() -> None:
    error = KeyError("mine")
    async with serve(drain, "127.0.0.1", 0) as server:
        with pytest.raises(KeyError) as caught:  # noqa: PT012  # the block is what raises
            async with reconnect(url(server)) as connections:
                async for _ in connections:
                    raise error
        assert caught.value is error
        await eventually(lambda: not server.connections)


@everywhere
async def test_cancelling_it_leaves_nothing_behind() -> None:
    seen: list[WebSocket] = []
    async with serve(drain, "127.0.0.1", 0) as server:
        with anyio.CancelScope() as scope:
            async with reconnect(url(server)) as connections:
                async for ws in connections:
                    seen.append(ws)
                    scope.cancel()
                    await ws.recv()
        assert scope.cancelled_caught
        assert [ws.state for ws in seen] == [State.CLOSED]
        await eventually(lambda: not server.connections)
    with anyio.move_on_after(0.05) as scope:  # while it waits
        await each_closed(f"ws://127.0.0.1:{free_port()}/", Backoff(initial=3600, cap=3600))
    assert scope.cancelled_caught


def test_an_option_that_cannot_work_is_named_at_once() -> None:
    with pytest.raises(TypeError, match="max_size"):
        reconnect("ws://localhost/", max_size=1)
    with pytest.raises(ValueError, match="ws"):
        reconnect("http://localhost/")
