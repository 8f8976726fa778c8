"""Whatever is cancelled on trio, and whenever: no message is lost, nothing is left behind."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable

import pytest
import trio

from tests.adapters.kit import QUICK
from tests.adapters.trio_kit import Raw, deaf_socket, drain, echo, eventually, raw_server, trio_test, url
from wsproto_core import Limits, State
from wsproto_trio import WebSocket, connect, serve


async def turns(count: int) -> None:
    for _ in range(count):
        await trio.lowlevel.checkpoint()


async def cancel_after(count: int, work: Callable[[], Awaitable[object]]) -> bool:
    """Cancel ``work`` after so many turns of the loop; whether it was still running."""
    async with trio.open_nursery() as nursery:
        done = trio.Event()

        async def run() -> None:
            await work()
            done.set()

        nursery.start_soon(run)
        await turns(count)
        nursery.cancel_scope.cancel()
    return not done.is_set()


@trio_test
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
            with trio.move_on_after(0.00001 * (timeouts % 100)) as scope:
                got.append(await ws.recv())
            timeouts += scope.cancelled_caught
        assert timeouts > 0
        assert got == [str(number) for number in range(count)]


@trio_test
async def test_no_message_is_lost_when_recv_is_cancelled_as_it_arrives() -> None:
    async with serve(echo, "127.0.0.1", 0) as server, connect(url(server)) as ws:
        for number in range(200):
            await ws.send(str(number))
            got: list[object] = []

            async def receive(got: list[object] = got) -> None:
                got.append(await ws.recv())

            await cancel_after(number % 14, receive)
            assert [*got, *([] if got else [await ws.recv()])] == [str(number)]
        assert len(ws.link._waiters) == 0


@trio_test
async def test_one_of_two_receivers_cancelled_leaves_the_message_to_the_other() -> None:
    async with serve(echo, "127.0.0.1", 0) as server, connect(url(server)) as ws:
        for number in range(50):
            got: list[object] = []

            async def receive(got: list[object] = got) -> None:
                got.append(await ws.recv())

            async with trio.open_nursery() as nursery:
                nursery.start_soon(cancel_after, number % 9, receive)
                nursery.start_soon(receive)
                await ws.send(str(number))
                await eventually(functools.partial(bool, got))
                nursery.cancel_scope.cancel()
            assert got == [str(number)]


@trio_test
async def test_connect_cancelled_at_every_await() -> None:
    async with serve(echo, "127.0.0.1", 0) as server:
        count, running = 0, True
        while running:

            async def open_and_close() -> None:
                async with connect(url(server)):
                    pass

            running = await cancel_after(count, open_and_close)
            count += 1
        assert count > 3
        await eventually(lambda: not server._reception.everyone)


@trio_test
async def test_connect_cancelled_while_the_server_is_silent() -> None:
    ended = trio.Event()

    async def silent(raw: Raw) -> None:
        await raw.head()
        await raw.rest()
        ended.set()

    async with raw_server(silent, handshake=False) as port:
        with trio.move_on_after(0.05) as scope:
            async with connect(f"ws://127.0.0.1:{port}/"):
                pytest.fail("there is no answer")
        assert scope.cancelled_caught
        await ended.wait()


@trio_test
async def test_send_cancelled_while_it_waits_sends_nothing_and_breaks_nothing() -> None:
    total = 0

    async def handler(ws: WebSocket) -> None:
        nonlocal total
        await proceed.wait()
        async for message in ws:
            total += 1
            assert len(message) == 50_000

    sent = 0
    proceed = trio.Event()
    limits = Limits(outbox_size=100_000, inbox_size=100_000)
    async with serve(handler, "127.0.0.1", 0, limits=limits) as server:
        async with connect(url(server), limits=limits) as ws:
            before = -1
            while before != sent:  # until nothing leaves any more
                before = sent
                with trio.move_on_after(0.3):
                    while True:
                        await ws.send(bytes(50_000))
                        sent += 1
            assert not ws.can_send
            assert len(ws.link._waiters) == 0
            proceed.set()
            await ws.send(bytes(50_000))
        await eventually(lambda: not server.connections)
    assert total == sent + 1


@trio_test
async def test_a_block_that_is_cancelled_says_1011_and_is_gone() -> None:
    """The scope of the caller is what ends it, and nobody waits for the peer."""
    codes: list[int] = []

    async def never_answers(raw: Raw) -> None:
        codes.append(await raw.close_code())
        await trio.sleep_forever()

    opened: list[WebSocket] = []
    async with raw_server(never_answers) as port:
        with trio.CancelScope() as scope:
            async with connect(f"ws://127.0.0.1:{port}/") as ws:
                opened.append(ws)
                scope.deadline = trio.current_time() + 0.05
                await ws.recv()
        (ws,) = opened
        assert scope.cancelled_caught
        assert ws.state is State.CLOSED
        report = ws.close_report
        assert report is not None
        assert (report.sent_code, report.code) == (1011, 1006)
        await eventually(lambda: codes)
    assert codes == [1011]


@trio_test
async def test_cancelled_while_the_block_closes() -> None:
    async def never_answers(raw: Raw) -> None:
        await raw.close_code()
        await trio.sleep_forever()

    async with raw_server(never_answers) as port:
        with trio.CancelScope() as scope:
            async with connect(f"ws://127.0.0.1:{port}/"):
                scope.deadline = trio.current_time() + 0.05
        assert scope.cancelled_caught
        with pytest.raises(KeyError), trio.CancelScope() as scope:  # noqa: PT012  # the block is what raises
            async with connect(f"ws://127.0.0.1:{port}/"):
                scope.deadline = trio.current_time() + 0.05
                raise KeyError


@trio_test
async def test_a_cancelled_block_with_a_deaf_peer_takes_a_moment() -> None:
    async def deaf(raw: Raw) -> None:
        await trio.sleep_forever()

    opened: list[WebSocket] = []
    async with raw_server(deaf) as port:
        with trio.CancelScope() as scope:
            async with connect(f"ws://127.0.0.1:{port}/") as ws:
                opened.append(ws)
                scope.deadline = trio.current_time() + 0.05
                while True:
                    await ws.send(bytes(500_000))
        report = opened[0].close_report
        assert report is not None
        assert report.code == 1006


@trio_test
async def test_closing_a_deaf_peer_is_bounded_by_the_closing_timeout() -> None:
    async with serve(drain, "127.0.0.1", 0, timeouts=QUICK) as server:
        with await deaf_socket(server.port):
            await eventually(lambda: server.connections)
            (ws,) = server.connections
            assert await cancel_after(3, ws.close)
            report = await ws.wait_closed()
            assert report.timer is not None


@trio_test
async def test_who_is_cancelled_never_learns_of_it_as_a_broken_connection() -> None:
    """The tasks of the connection are cancelled by the same scope, perhaps before those that use it."""
    async with serve(echo, "127.0.0.1", 0) as server:
        for count in range(40):
            ends: list[BaseException] = []
            with trio.CancelScope() as scope:
                async with connect(url(server)) as ws, trio.open_nursery() as nursery:
                    nursery.start_soon(flood, ws, ends)
                    nursery.start_soon(use, ws, ends)
                    await turns(count)
                    scope.cancel()
            assert {type(end) for end in ends} == {trio.Cancelled}
            with trio.CancelScope() as scope:
                async with trio.open_nursery() as nursery:
                    ws = await connect(url(server), nursery=nursery)
                    nursery.start_soon(use, ws, ends)
                    await turns(count)
                    scope.cancel()
            assert {type(end) for end in ends} == {trio.Cancelled}


async def flood(ws: WebSocket, ends: list[BaseException]) -> None:
    try:
        while True:
            await ws.send("x")
    except BaseException as error:
        ends.append(error)
        raise


async def use(ws: WebSocket, ends: list[BaseException]) -> None:
    try:
        await drain(ws)
    except BaseException as error:
        ends.append(error)
        raise
