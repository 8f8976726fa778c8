"""wsproto_anyio and structured concurrency: cancelled wherever, no message is lost, nothing is left behind, and what an
application raises comes out as it is.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

import anyio
import pytest

from tests.adapters.anyio_kit import Raw, drain, echo, eventually, everywhere, raw_server, url
from tests.adapters.kit import answer_to
from wsproto_anyio import WebSocket, connect, serve
from wsproto_core import HandshakeRejected, Limits, Request, Response, State


async def cancel_after(turns: int, work: Callable[[], Awaitable[object]]) -> bool:
    """Cancel ``work`` after so many turns of the loop; whether it was still running."""
    is_done: list[bool] = []

    async def run() -> None:
        await work()
        is_done.append(True)

    running = True
    async with anyio.create_task_group() as group:
        group.start_soon(run)
        for _ in range(turns):
            await anyio.sleep(0)
        running = not is_done
        group.cancel_scope.cancel()
    return running


# --- cancellation -----------------------------------------------------------------------------------------------------


@everywhere
async def test_no_message_is_lost_to_tiny_timeouts() -> None:
    count = 2000

    async def numbers(ws: WebSocket) -> None:
        for number in range(count):
            await ws.send(str(number))
            if number % 50 == 0:
                await ws.ping()

    async with serve(numbers, "127.0.0.1", 0) as server, connect(url(server)) as ws:
        got: list[object] = []
        timeouts = 0
        while len(got) < count:
            with anyio.move_on_after(0.00001) as scope:
                got.append(await ws.recv())
            timeouts += scope.cancelled_caught
        assert timeouts > 0
        assert got == [str(number) for number in range(count)]


@everywhere
async def test_no_message_is_lost_when_recv_is_cancelled_as_it_arrives() -> None:
    async with serve(echo, "127.0.0.1", 0) as server, connect(url(server)) as ws:
        for number in range(200):
            await ws.send(str(number))
            got: list[object] = []

            async def receive(got: list[object] = got) -> None:
                got.append(await ws.recv())

            await cancel_after(number % 15, receive)
            if not got:
                await receive()
            assert got == [str(number)]


@everywhere
async def test_connect_cancelled_at_every_await() -> None:
    async with serve(echo, "127.0.0.1", 0) as server:
        turns, running = 0, True

        async def open_and_close() -> None:
            async with connect(url(server)):
                pass

        while running:
            running = await cancel_after(turns, open_and_close)
            turns += 1
        assert turns > 3
        await eventually(lambda: not server.connections)


VERBS: dict[str, Callable[[WebSocket], Awaitable[object]]] = {
    "send": lambda ws: ws.send(bytes(100_000)),
    "send_fragment": lambda ws: ws.send_fragment(b"x", final=True),
    "ping": lambda ws: ws.ping(),
    "recv": lambda ws: ws.recv(),
    "wait_closed": lambda ws: ws.wait_closed(),
}


@pytest.mark.parametrize("verb", VERBS)
@everywhere
async def test_a_verb_cancelled_at_any_moment_breaks_nothing(verb: str) -> None:
    async def handler(ws: WebSocket) -> None:
        async for message in ws:
            if message == "done?":
                await ws.send("done!")

    async with serve(handler, "127.0.0.1", 0, limits=Limits(inbox_size=1000)) as server:
        async with connect(url(server), limits=Limits(outbox_size=1000)) as ws:
            for turns in range(20):
                await cancel_after(turns, lambda: VERBS[verb](ws))
                assert await ws.ping() >= 0
            await ws.send("done?")
            assert await ws.recv() == "done!"
        assert ws.close_report is not None
        assert ws.close_report.ok


@everywhere
async def test_close_cancelled_at_every_await_still_closes() -> None:
    async with serve(drain, "127.0.0.1", 0) as server, anyio.create_task_group() as group:
        turns, running = 0, True
        while running:
            ws = await connect(url(server), task_group=group)
            running = await cancel_after(turns + 1, lambda ws=ws: ws.close(4000))  # type: ignore[misc]  # mypy cannot infer it
            assert (await ws.wait_closed()).code == 4000
            turns += 1
        assert turns > 1


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


@everywhere
async def test_an_answer_that_comes_as_connect_gives_up() -> None:
    for delay in range(8):

        async def behave(raw: Raw, delay: int = delay) -> None:
            head = await raw.head()
            for _ in range(delay):
                await anyio.sleep(0)
            await raw.send(answer_to(head))
            await raw.rest()

        async with raw_server(behave, handshake=False) as port:

            async def open_and_abort(port: int = port) -> None:
                async with connect(f"ws://127.0.0.1:{port}/") as ws:
                    ws.abort()

            await cancel_after(delay * 2, open_and_abort)


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


@pytest.mark.parametrize("error", [ValueError("mine"), ExceptionGroup("mine", [KeyError()])], ids=["one", "group"])
@everywhere
async def test_a_handler_that_raises_is_one_log_line_and_a_1011(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(ws: WebSocket) -> None:
        if await ws.recv() == "fail":
            raise error
        await echo(ws)

    async with serve(fail, "127.0.0.1", 0) as server:
        async with connect(url(server)) as ws:
            await ws.send("fail")
            assert (await ws.wait_closed()).code == 1011
        async with connect(url(server)) as ws:
            await ws.send("work")
            await ws.send("x")
            assert await ws.recv() == "x"
    (line,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert line.name == "wsproto_anyio"
    assert line.exc_info is not None
    assert line.exc_info[1] is error


@everywhere
async def test_a_handler_that_learns_of_the_end_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    async def handler(ws: WebSocket) -> None:
        while True:
            await ws.recv()

    async with serve(handler, "127.0.0.1", 0) as server:
        async with connect(url(server)):
            pass
        async with Raw.connect(server.port) as raw:
            await raw.reset()
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


@everywhere
async def test_a_body_that_lives_in_a_task_group_of_its_own() -> None:
    async with serve(echo, "127.0.0.1", 0) as server, connect(url(server)) as ws, anyio.create_task_group() as group:
        group.start_soon(ws.send, "x")
        assert await ws.recv() == "x"
        group.start_soon(ws.wait_closed)
        await ws.close()
