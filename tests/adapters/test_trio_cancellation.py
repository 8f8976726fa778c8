"""What is cancelled on trio, block by block: who is told, and how long it takes."""

from __future__ import annotations

import pytest
import trio

from tests.adapters.trio_kit import Raw, drain, echo, eventually, raw_server, trio_test, url
from wsproto_core import State
from wsproto_trio import WebSocket, connect, serve


async def turns(count: int) -> None:
    for _ in range(count):
        await trio.lowlevel.checkpoint()


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
async def test_who_is_cancelled_never_learns_of_it_as_a_broken_connection() -> None:
    """The tasks of the connection are cancelled by the same scope, perhaps before those that use it."""
    async with serve(echo, "127.0.0.1", 0) as server:
        for count in (*range(12), 20, 30, 40):  # turns before it is cancelled
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
