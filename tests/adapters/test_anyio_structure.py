"""wsproto_anyio and structured concurrency: cancelled wherever, no message is lost, nothing is left behind, and what an
application raises comes out as it is.
"""

from __future__ import annotations

import anyio
import pytest

from tests.adapters.anyio_kit import Raw, drain, echo, eventually, everywhere, raw_server, url
from wsproto_anyio import WebSocket, connect, serve
from wsproto_core import HandshakeRejected, Request, Response, State

# --- cancellation -----------------------------------------------------------------------------------------------------


@everywhere
async def test_cancelling_the_block_says_1011_and_does_not_wait() -> None:
    codes: list[int] = []
    ended = anyio.Event()

    async def behave(raw: Raw) -> None:
        codes.append(await raw.close_code())  # and it never answers
        ended.set()
        await anyio.sleep_forever()

    async with raw_server(behave) as port:
        seen: list[WebSocket] = []
        began = anyio.current_time()
        with anyio.CancelScope() as scope:
            async with connect(f"ws://127.0.0.1:{port}/") as ws:
                seen.append(ws)
                scope.cancel()
                await ws.recv()
        assert scope.cancelled_caught
        assert anyio.current_time() - began < 2
        assert seen[0].link.is_lost
        report = await seen[0].wait_closed()
        assert (report.sent_code, report.clean) == (1011, False)
        await ended.wait()
    assert codes == [1011]


@everywhere
async def test_cancelling_a_server_says_1001_and_does_not_wait() -> None:
    cancelled = False

    async def stubborn(ws: WebSocket) -> None:
        nonlocal cancelled
        try:
            await anyio.sleep_forever()
        finally:
            cancelled = True

    port = 0
    ready = anyio.Event()

    async def run(scope: anyio.CancelScope) -> None:
        nonlocal port
        with scope:
            async with serve(stubborn, "127.0.0.1", 0) as server:
                port = server.port
                ready.set()
                await server.serve_forever()

    scope = anyio.CancelScope()
    async with anyio.create_task_group() as group:
        group.start_soon(run, scope)
        await ready.wait()
        async with Raw.connect(port) as raw:
            scope.cancel()
            assert await raw.close_code() == 1001
            assert await raw.rest() == b""
    assert cancelled


@everywhere
async def test_a_task_group_that_is_cancelled_takes_its_connections_along() -> None:
    async with serve(drain, "127.0.0.1", 0) as server:
        seen: list[WebSocket] = []
        async with anyio.create_task_group() as group:
            seen.append(await connect(url(server), task_group=group))
            await seen[0].send("x")
            group.cancel_scope.cancel()
        assert seen[0].state is State.CLOSED
        await eventually(lambda: not server.connections)


# --- exceptions -------------------------------------------------------------------------------------------------------


@everywhere
async def test_an_exception_of_the_block_comes_out_as_itself_and_says_1011() -> None:
    codes: list[int] = []

    async def handler(ws: WebSocket) -> None:
        codes.append((await ws.wait_closed()).code)

    error = KeyError("mine")
    async with serve(handler, "127.0.0.1", 0) as server:
        with pytest.raises(KeyError) as caught:
            async with connect(url(server)):
                raise error
        assert caught.value is error
        assert caught.value.__cause__ is None
        await eventually(lambda: codes)
    assert codes == [1011]
    with pytest.raises(KeyError) as caught:
        async with serve(handler, "127.0.0.1", 0):
            raise error
    assert caught.value is error


@everywhere
async def test_an_exception_group_of_the_block_is_not_wrapped_again() -> None:
    group = ExceptionGroup("mine", [ValueError(1)])
    async with serve(echo, "127.0.0.1", 0) as server:
        with pytest.raises(ExceptionGroup) as caught:
            async with connect(url(server)):
                raise group
    assert caught.value is group


@everywhere
async def test_no_connection_is_no_group_either() -> None:
    def refuse(ws: WebSocket, request: Request) -> Response:
        return Response(403)

    async with serve(echo, "127.0.0.1", 0, process_request=refuse) as server:
        with pytest.raises(HandshakeRejected):
            async with connect(url(server)):
                pytest.fail("entered")
    with pytest.raises(OSError, match="in use"):
        async with serve(echo, "127.0.0.1", 0) as server, serve(echo, "127.0.0.1", server.port):
            pytest.fail("entered")


@everywhere
async def test_awaited_without_a_task_group_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(RuntimeError, match="task_group"):
        await connect("ws://127.0.0.1:1/")
    with pytest.raises(RuntimeError, match="task_group"):
        await serve(echo, "127.0.0.1", 0)


@everywhere
async def test_awaited_with_a_task_group() -> None:
    async with anyio.create_task_group() as group:
        server = await serve(echo, "127.0.0.1", 0, task_group=group)
        ws = await connect(url(server), task_group=group)
        await ws.send("x")
        assert await ws.recv() == "x"
        async with connect(url(server), task_group=group) as other:
            await other.send("y")
            assert await other.recv() == "y"
        await ws.close()
        await server.close()


@everywhere
async def test_a_body_that_lives_in_a_task_group_of_its_own() -> None:
    async with serve(echo, "127.0.0.1", 0) as server, connect(url(server)) as ws, anyio.create_task_group() as group:
        group.start_soon(ws.send, "x")
        assert await ws.recv() == "x"
        group.start_soon(ws.wait_closed)
        await ws.close()
