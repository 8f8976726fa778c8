"""Whatever is cancelled, and whenever: no message is lost, nothing is left behind."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from tests.adapters.kit import QUICK, Raw, answer_to, deaf_socket, drain, echo, eventually, raw_server, url
from wsproto_asyncio import WebSocket, connect, serve
from wsproto_core import Limits, State


async def cancel_after(turns: int, work: Coroutine[Any, Any, Any]) -> bool:
    """Cancel ``work`` after so many turns of the loop; whether it was still running."""
    task = asyncio.create_task(work)
    for _ in range(turns):
        await asyncio.sleep(0)
    running = not task.done()
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        pass
    return running


async def test_no_message_is_lost_to_tiny_timeouts() -> None:
    count = 3000

    async def numbers(ws: WebSocket) -> None:
        for number in range(count):
            await ws.send(str(number))
            if number % 50 == 0:
                await ws.ping()

    async with serve(numbers, "127.0.0.1", 0) as server, connect(url(server)) as ws:
        got: list[str] = []
        timeouts = 0
        while len(got) < count:
            try:
                message = await asyncio.wait_for(ws.recv(), timeout=0.00001)
            except TimeoutError:
                timeouts += 1
            else:
                assert isinstance(message, str)
                got.append(message)
        assert timeouts > 0
        assert got == [str(number) for number in range(count)]


async def test_no_message_is_lost_when_recv_is_cancelled_as_it_arrives() -> None:
    async with serve(echo, "127.0.0.1", 0) as server, connect(url(server)) as ws:
        for number in range(200):
            await ws.send(str(number))
            task = asyncio.create_task(ws.recv())
            for _ in range(number % 12):
                await asyncio.sleep(0)
            task.cancel()
            try:
                message = await task
            except asyncio.CancelledError:
                message = await ws.recv()
            assert message == str(number)


async def test_one_of_two_receivers_cancelled_leaves_the_message_to_the_other() -> None:
    async with serve(echo, "127.0.0.1", 0) as server, connect(url(server)) as ws:
        for number in range(50):
            first, second = asyncio.create_task(ws.recv()), asyncio.create_task(ws.recv())
            await asyncio.sleep(0)
            await ws.send(str(number))
            for _ in range(number % 9):
                await asyncio.sleep(0)
            first.cancel()
            results = [result for result in [*await asyncio.gather(first, return_exceptions=True)] if result]
            if isinstance(results[0], str):
                second.cancel()
                await asyncio.gather(second, return_exceptions=True)
                assert results == [str(number)]
            else:
                assert await second == str(number)


async def test_connect_cancelled_at_every_await() -> None:
    async with serve(echo, "127.0.0.1", 0) as server:
        turns, running = 0, True
        while running:

            async def open_and_close() -> None:
                async with connect(url(server)):
                    pass

            running = await cancel_after(turns, open_and_close())
            turns += 1
        assert turns > 3
        await eventually(lambda: not server.connections)


@pytest.mark.parametrize("handshake", [b"", b"HTTP/1.1 101 X\r\n"])
async def test_connect_cancelled_while_the_server_is_silent(handshake: bytes) -> None:
    ended = asyncio.Event()

    async def silent(raw: Raw) -> None:
        await raw.head()
        raw.send(handshake)
        await raw.rest()
        ended.set()

    async with raw_server(silent, handshake=False) as port:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await connect(f"ws://127.0.0.1:{port}/")
        await ended.wait()


VERBS: dict[str, Callable[[WebSocket], Coroutine[Any, Any, object]]] = {
    "send": lambda ws: ws.send(bytes(100_000)),
    "send_fragment": lambda ws: ws.send_fragment(b"x", final=True),
    "ping": lambda ws: ws.ping(),
    "recv": lambda ws: ws.recv(),
    "wait_closed": lambda ws: ws.wait_closed(),
}


@pytest.mark.parametrize("verb", VERBS)
async def test_a_verb_cancelled_at_any_moment_breaks_nothing(verb: str) -> None:
    async def handler(ws: WebSocket) -> None:
        async for message in ws:
            if message == "done?":
                await ws.send("done!")

    async with serve(handler, "127.0.0.1", 0, limits=Limits(inbox_size=1000)) as server:
        async with connect(url(server), limits=Limits(outbox_size=1000)) as ws:
            for turns in range(20):
                await cancel_after(turns, VERBS[verb](ws))
                assert await ws.ping() >= 0
            await ws.send("done?")
            assert await ws.recv() == "done!"
        assert ws.close_report is not None
        assert ws.close_report.ok


async def test_close_cancelled_at_every_await_still_closes() -> None:
    async with serve(drain, "127.0.0.1", 0) as server:
        turns, running = 0, True
        while running:
            ws = await connect(url(server))
            running = await cancel_after(turns, ws.close(4000))
            report = await ws.wait_closed() if turns or not running else None
            if report is None:
                await ws.close()
            else:
                assert report.code == 4000
            turns += 1
        assert turns > 2


async def test_a_send_that_waits_for_room_is_cancelled() -> None:
    limits = Limits(outbox_size=100_000)
    async with serve(drain, "127.0.0.1", 0) as server:
        ws = await connect(url(server), limits=limits)
        (there,) = server.connections
        there.link.transport.pause_reading()  # type: ignore[union-attr]  # it has one
        while True:
            try:
                await asyncio.wait_for(ws.send(bytes(50_000)), 0.05)
            except TimeoutError:
                break
        sent = ws.statistics.messages_sent
        there.link.transport.resume_reading()  # type: ignore[union-attr]  # it has one
        await ws.send("last")
        await ws.close()
        assert (await there.wait_closed()).ok
        assert there.statistics.messages_received == sent + 1


async def test_a_handler_cancelled_by_the_end_of_the_server() -> None:
    cancelled = 0

    async def handler(ws: WebSocket) -> None:
        nonlocal cancelled
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled += 1
            raise

    async with serve(handler, "127.0.0.1", 0) as server:
        clients = [await connect(url(server)) for _ in range(5)]
        await eventually(lambda: len(server.connections) == 5)
        await server.close(grace_period=0.01)
        assert cancelled == 5
        assert all(ws.state is State.CLOSED for ws in clients)


async def test_leaving_connect_by_cancellation_closes_the_connection() -> None:
    opened: list[WebSocket] = []
    async with serve(drain, "127.0.0.1", 0) as server:
        with pytest.raises(TimeoutError):  # noqa: PT012  # the block is what is cancelled
            async with asyncio.timeout(0.05), connect(url(server)) as ws:
                opened.append(ws)
                await ws.recv()
        report = await opened[0].wait_closed()
        assert report.sent_code == 1011


async def test_closing_a_deaf_peer_is_bounded_by_the_closing_timeout() -> None:
    async with serve(drain, "127.0.0.1", 0, timeouts=QUICK) as server:
        with await deaf_socket(server.port):
            await eventually(lambda: server.connections)
            (ws,) = server.connections
            assert await cancel_after(3, ws.close())
            report = await ws.wait_closed()
            assert report.timer is not None


async def test_an_answer_that_comes_as_connect_gives_up() -> None:
    """Whatever the race between the timeout and the answer: a connection, or an error and none."""
    for delay in range(8):

        async def behave(raw: Raw, delay: int = delay) -> None:
            head = await raw.head()
            for _ in range(delay):
                await asyncio.sleep(0)
            raw.send(answer_to(head))
            await raw.rest()

        async with raw_server(behave, handshake=False) as port:
            task = asyncio.create_task(connect_and_abort(f"ws://127.0.0.1:{port}/"))
            for _ in range(delay * 2):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def connect_and_abort(uri: str) -> None:
    ws = await connect(uri)
    ws.abort()
