"""On trio, whatever may wait is a checkpoint. What leaves together leaves in one write."""

from __future__ import annotations

import socket
from typing import Any

import pytest
import trio
import trio.testing

from tests.adapters.kit import TEXT, frame
from tests.adapters.trio_kit import Raw, drain, echo, eventually, trio_test, url
from tests.adapters.writes import writes
from wsproto_core import ConnectionClosedError
from wsproto_trio import WebSocket, connect, serve, waiting


class HandClock:
    """Stands for the clock by which turns are measured."""

    def __init__(self, step: float) -> None:
        self.now = 0.0
        self.step = step

    def __call__(self) -> float:
        self.now += self.step
        return self.now


@trio_test
async def test_every_verb_gives_way_when_the_turn_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "perf_counter", HandClock(step=1.0))
    async with serve(echo, "127.0.0.1", 0) as server, connect(url(server)) as ws:
        with trio.testing.assert_checkpoints():
            await ws.send("x")
        await eventually(lambda: ws.statistics.messages_received)
        with trio.testing.assert_checkpoints():
            assert await ws.recv() == "x"
        with trio.testing.assert_checkpoints():
            await ws.ping()
        with trio.testing.assert_checkpoints():
            await ws.close()
        with trio.testing.assert_checkpoints():
            await ws.close()


@trio_test
async def test_every_verb_can_be_cancelled_and_has_done_nothing_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "perf_counter", HandClock(step=0.0))  # the turn is never over
    async with serve(echo, "127.0.0.1", 0) as server, connect(url(server)) as ws:
        await ws.send("first")
        await eventually(lambda: ws.statistics.messages_received)
        before = ws.statistics
        with trio.CancelScope() as scope:
            scope.cancel()
            for verb in (lambda: ws.send("lost"), ws.recv, ws.ping, lambda: ws.send_fragment("lost", final=True)):
                with pytest.raises(trio.Cancelled):
                    await verb()
        assert ws.statistics == before
        assert await ws.recv() == "first"


@trio_test
async def test_a_task_with_messages_at_hand_goes_on_until_its_turn_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = HandClock(step=0.0)
    monkeypatch.setattr(waiting, "perf_counter", clock)
    turns_of_others = 0

    async def others() -> None:
        nonlocal turns_of_others
        while True:
            turns_of_others += 1
            await trio.lowlevel.checkpoint()

    async with serve(echo, "127.0.0.1", 0) as server, connect(url(server)) as ws, trio.open_nursery() as nursery:
        for _ in range(200):
            ws.send_nowait("x")
        await eventually(lambda: ws.statistics.messages_received == 200)
        await ws.recv()
        nursery.start_soon(others)
        before = turns_of_others
        for _ in range(99):
            await ws.recv()
        assert turns_of_others == before
        clock.step = 0.0001  # seconds a verb: about ten of them are a turn
        for _ in range(100):
            await ws.recv()
        assert before + 5 <= turns_of_others <= before + 15
        nursery.cancel_scope.cancel()


@trio_test
async def test_a_single_answer_has_left_when_send_returns(monkeypatch: pytest.MonkeyPatch) -> None:
    left: list[bytes] = []

    async def answer(ws: WebSocket) -> None:
        message = await ws.recv()
        with writes(monkeypatch) as written:
            await ws.send(message)
            left.extend(written)
        await drain(ws)

    async with serve(answer, "127.0.0.1", 0) as server, Raw.connect(server.port) as raw:
        await raw.send(frame(TEXT, b"hello"))
        assert (await raw.frame()).payload == b"hello"
    assert left == [b"\x81\x05hello"]


@trio_test
async def test_the_answers_to_one_read_leave_in_one_write(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "perf_counter", HandClock(step=0.0))
    async with serve(echo, "127.0.0.1", 0) as server, Raw.connect(server.port) as raw:
        await eventually(lambda: server.connections)
        with writes(monkeypatch) as written:
            await raw.send(frame(TEXT, b"x") * 100)
            for _ in range(100):
                await raw.frame()
    assert b"\x81\x01x" * 100 in written


@trio_test
async def test_what_one_task_sends_without_waiting_leaves_in_two_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "perf_counter", HandClock(step=0.0))

    async def speak(ws: WebSocket) -> None:
        await ws.recv()
        for _ in range(100):
            await ws.send("x")
        await drain(ws)

    async with serve(speak, "127.0.0.1", 0) as server, Raw.connect(server.port) as raw:
        await eventually(lambda: server.connections)
        with writes(monkeypatch) as written:
            await raw.send(frame(TEXT, b"go"))
            for _ in range(100):
                assert (await raw.frame()).payload == b"x"
    assert [len(data) for data in written] == [3, 297]


@trio_test
async def test_what_a_socket_does_not_take_at_once_follows_in_order() -> None:
    messages = [bytes([index]) * 700_000 for index in range(4)]

    async def speak(ws: WebSocket) -> None:
        await ws.recv()
        for message in messages:
            await ws.send(message)
        await ws.send("end")
        await drain(ws)

    async with serve(speak, "127.0.0.1", 0) as server, connect(url(server)) as ws:
        await ws.send("go")
        for message in messages:
            assert await ws.recv() == message
        assert await ws.recv() == "end"


@trio_test
async def test_a_socket_that_breaks_under_a_send_ends_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    ends: list[BaseException] = []
    broken = ConnectionResetError(104, "broken")

    async def answer(ws: WebSocket) -> None:
        message = await ws.recv()
        with monkeypatch.context() as patch:
            patch.setattr(socket.socket, "send", refuse)
            await ws.send(message)
        with pytest.raises(ConnectionClosedError) as caught:
            await ws.recv()
        ends.append(caught.value)

    def refuse(self: socket.socket, data: bytes) -> int:
        raise broken

    async with serve(answer, "127.0.0.1", 0) as server, Raw.connect(server.port) as raw:
        await raw.send(frame(TEXT, b"hello"))
        await raw.rest()
        await eventually(lambda: ends)
    (end,) = ends
    assert isinstance(end, ConnectionClosedError)
    assert end.report.error is broken


@trio_test
async def test_a_socket_that_was_not_readable_after_all_is_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    original = socket.socket.recv_into
    refusals = [BlockingIOError()]

    def recv_into(self: socket.socket, *args: Any) -> int:
        if refusals:
            raise refusals.pop()
        return original(self, *args)

    async with serve(echo, "127.0.0.1", 0) as server, connect(url(server)) as ws:
        monkeypatch.setattr(socket.socket, "recv_into", recv_into)
        await ws.send("x")
        assert await ws.recv() == "x"
    assert not refusals
