"""Whatever is given up, and whenever: no message is lost, nothing breaks, nothing is left behind.

*At every await* is meant literally: the work is run again and again, and cancelled as it waits for the first time, the
second time, and so on until it comes to its end.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator, Sequence
from functools import partial
from itertools import cycle
from typing import Any, Final, TypeAlias

from .._config import Limits, Timeouts
from .._errors import ConnectionClosedError
from .._types import Message, Opcode, State
from .adapter_case import case, case_of_both_sides
from .adapter_ends import FarEnd, address, drain, listening, pair
from .adapter_expect import check, expect, raises
from .adapter_stage import Ability, AdapterStage, StagePeer, StageTask, TaskCancelled

_CANCEL: Final = (Ability.CANCEL,)
_Work: TypeAlias = Callable[[], Coroutine[Any, Any, object]]


class _Interrupted:
    """Awaits ``work``, and calls ``cancel`` as it waits for the ``nth`` time."""

    def __init__(self, work: Coroutine[Any, Any, object], nth: int, cancel: Callable[[], None]) -> None:
        self._work = work
        self._left = nth
        self._cancel = cancel

    def __await__(self) -> Generator[Any, Any, None]:
        resume: Callable[[], Any] = partial(self._work.send, None)
        while True:
            try:
                trap = resume()
            except StopIteration:
                return
            self._left -= 1
            if not self._left:
                self._cancel()
            try:
                resume = partial(self._work.send, (yield trap))
            except BaseException as error:
                resume = partial(self._work.throw, error)


async def _cancelled_at(stage: AdapterStage, nth: int, work: _Work) -> bool:
    """Cancel ``work`` as it waits for the ``nth`` time; whether it was stopped by that."""

    async def interrupted() -> None:
        await _Interrupted(work(), nth, task.cancel)

    task: StageTask[None] = stage.spawn(interrupted)
    try:
        await task.outcome()
    except TaskCancelled:
        return True
    return False


async def _at_every_await(stage: AdapterStage, work: _Work, then: Callable[[], Coroutine[Any, Any, None]]) -> int:
    """Cancel ``work`` at every await it has, and look ``then`` whether all is well; how many awaits there were."""
    nth = 1
    while await _cancelled_at(stage, nth, work):
        await then()
        nth += 1
    return nth - 1


# --- the verbs --------------------------------------------------------------------------------------------------------


@case_of_both_sides("send(), send_fragment(), recv(), ping(), iteration and wait_closed() break nothing", needs=_CANCEL)
async def verbs_cancelled_at_every_await(stage: AdapterStage, far: FarEnd, ws: StagePeer) -> None:
    async def answer() -> None:
        while (frame := await far.receive()).opcode != Opcode.TEXT:
            if frame.opcode == Opcode.PING:
                await far.send(far.frame(Opcode.PONG, frame.payload))

    async def still_works() -> None:
        await ws.ping()

    answering = stage.spawn(answer)
    for verb in _verbs_that_end(ws):
        await _at_every_await(stage, verb, still_works)
    for verb in _verbs_that_wait(ws):
        check("it was stopped", await _cancelled_at(stage, 1, verb))
        await still_works()
    await far.send(far.frame(Opcode.TEXT, b"in the end"))
    expect("what came in the end", await ws.recv(), "in the end")
    await ws.send("done")
    await answering.outcome()


def _verbs_that_end(ws: StagePeer) -> Sequence[_Work]:
    return [lambda: ws.send(b"x"), ws.ping, lambda: ws.send_fragment(b"x", final=True)]


def _verbs_that_wait(ws: StagePeer) -> Sequence[_Work]:
    return [ws.recv, ws.wait_closed, lambda: drain(ws)]


@case_of_both_sides("a message that arrives while recv() is cancelled is the next one's", needs=_CANCEL)
async def recv_cancelled_as_the_message_arrives(stage: AdapterStage, far: FarEnd, ws: StagePeer) -> None:
    for number in range(60):
        receiving = stage.spawn(ws.recv)
        await stage.sleep(0)
        await far.send(far.frame(Opcode.TEXT, b"%d" % number))
        for _ in range(number % 12):
            await stage.sleep(0)
        receiving.cancel()
        expect("the message", await _outcome_or(receiving, ws.recv), str(number))


async def _outcome_or(task: StageTask[Message], otherwise: Callable[[], Coroutine[Any, Any, Message]]) -> Message:
    try:
        return await task.outcome()
    except TaskCancelled:
        return await otherwise()


@case_of_both_sides("a receiver that is cancelled leaves the message to the other one", needs=_CANCEL)
async def one_of_two_receivers_is_cancelled(stage: AdapterStage, far: FarEnd, ws: StagePeer) -> None:
    for number in range(30):
        first, second = stage.spawn(ws.recv), stage.spawn(ws.recv)
        await stage.sleep(0)
        await far.send(far.frame(Opcode.TEXT, b"1"), far.frame(Opcode.TEXT, b"2"))
        for _ in range(number % 9):
            await stage.sleep(0)
        first.cancel()
        expect("the messages", {await _outcome_or(first, ws.recv), await second.outcome()}, {"1", "2"})


@case("recv() with a time limit that is mostly too short loses nothing")
async def recv_with_tiny_time_limits(stage: AdapterStage) -> None:
    count = 300

    async def numbers(ws: StagePeer) -> None:
        for number in range(count):
            await ws.send(str(number))
            if number % 20 == 0:
                await ws.ping()

    received: list[Message] = []
    limits = cycle(turn * 0.00001 for turn in range(200))  # whatever the machine, some are too short and some are not
    async with stage.serve(numbers) as server, stage.connect(address(server)) as ws:
        while len(received) < count:
            message = await stage.recv_within(ws, next(limits))
            received += [] if message is None else [message]
    expect("the messages", received, [str(number) for number in range(count)])


@case_of_both_sides(
    "a send() that waits for room sends nothing when it is cancelled", needs=_CANCEL, limits=Limits(outbox_size=200_000)
)
async def send_cancelled_while_it_waits_for_room(stage: AdapterStage, far: FarEnd, ws: StagePeer) -> None:
    sent = 0

    async def flood() -> None:
        nonlocal sent
        while True:
            await ws.send(bytes(50_000))
            sent += 1

    flooding = stage.spawn(flood)
    await stage.until(lambda: not ws.can_send)
    flooding.cancel()
    with raises(TaskCancelled, "a flood that is cancelled"):
        await flooding.outcome()
    last = stage.spawn(ws.send, "last")
    received = 0
    while (frame := await far.receive()).opcode != Opcode.TEXT:
        received += frame.final
    await last.outcome()
    expect("the messages that have left", received, sent)


# --- beginning and end ------------------------------------------------------------------------------------------------


@case("a connect() that is cancelled leaves no connection behind", needs=_CANCEL)
async def connect_cancelled_at_every_await(stage: AdapterStage) -> None:
    async with stage.serve(drain) as server:

        async def connect() -> None:
            async with stage.connect(address(server)):
                pass

        async def nobody_is_left() -> None:
            await stage.until(lambda: not server.connections)

        awaits = await _at_every_await(stage, connect, nobody_is_left)
        check(f"connecting waits more than twice, not {awaits} times", awaits > 2)


@case("a connect() that is cancelled while the server is silent drops the transport at once", needs=_CANCEL)
async def connect_cancelled_while_it_waits_for_the_answer(stage: AdapterStage) -> None:
    is_asked, has_ended = stage.event(), stage.event()

    async def silent(far: FarEnd) -> None:
        await far.head()
        await far.send(b"HTTP/1.1 101 X\r\n")
        is_asked.set()
        await far.rest()
        has_ended.set()

    async def connect() -> None:
        async with stage.connect(address(port), timeouts=Timeouts(opening_timeout=None)):
            pass  # pragma: no cover  (it never gets here)

    async with listening(stage, silent) as port:
        connecting = stage.spawn(connect)
        await is_asked.wait()
        connecting.cancel()
        with raises(TaskCancelled, "connect() that is cancelled"):
            await connecting.outcome()
        await has_ended.wait()


@case("a close() that is cancelled closes all the same", needs=_CANCEL)
async def close_cancelled_at_every_await(stage: AdapterStage) -> None:
    nth, was_cancelled = 1, True
    while was_cancelled:
        async with pair(stage) as (here, there):
            was_cancelled = await _cancelled_at(stage, nth, partial(here.close, 4000))
            expect(f"the code seen when it is cancelled at await {nth}", (await there.wait_closed()).code, 4000)
        nth += 1
    check("closing waits", nth > 2)


@case("a block that is cancelled does not leave its connection open", needs=_CANCEL)
async def a_block_is_cancelled(stage: AdapterStage) -> None:
    reports: list[int] = []

    async def handler(ws: StagePeer) -> None:
        try:
            await drain(ws)
        finally:
            reports.append((await ws.wait_closed()).code)

    async def block() -> None:
        async with stage.connect(address(server)) as ws:
            is_open.set()
            await ws.recv()

    is_open = stage.event()
    async with stage.serve(handler) as server:
        blocking = stage.spawn(block)
        await is_open.wait()
        blocking.cancel()
        with raises(TaskCancelled, "a block that is cancelled"):
            await blocking.outcome()
        await stage.until(lambda: reports)
    expect("the code that the server sees", reports, [1011])


# --- servers ----------------------------------------------------------------------------------------------------------


@case("serve_forever() that is cancelled leaves the server serving", needs=_CANCEL)
async def serve_forever_is_cancelled(stage: AdapterStage) -> None:
    async with stage.serve(drain) as server:
        check("it was stopped", await _cancelled_at(stage, 1, server.serve_forever))
        async with stage.connect(address(server)) as ws:
            expect("the state", ws.state, State.OPEN)


@case("handlers are cancelled when the grace period ends", needs=_CANCEL)
async def handlers_cancelled_by_the_end_of_the_server(stage: AdapterStage) -> None:
    cancelled: list[StagePeer] = []

    async def stubborn(ws: StagePeer) -> None:
        try:
            await stage.event().wait()
        finally:
            cancelled.append(ws)

    async with stage.serve(stubborn) as server, stage.connect(address(server)) as ws:
        await stage.until(lambda: server.connections)
        await server.close(grace_period=0.01)
        expect("the handlers cancelled", len(cancelled), 1)
        expect("the state", (await ws.wait_closed(), ws.state)[1], State.CLOSED)


@case("Server.close() that is cancelled can be called again", needs=_CANCEL)
async def the_servers_close_is_cancelled(stage: AdapterStage) -> None:
    async def stubborn(_ws: StagePeer) -> None:
        await stage.event().wait()

    async with stage.serve(stubborn) as server, stage.connect(address(server)):
        await stage.until(lambda: server.connections)
        check("it was stopped", await _cancelled_at(stage, 1, lambda: server.close(grace_period=60)))
        await server.close(grace_period=0.01)
        await server.serve_forever()


@case_of_both_sides("move_on_after() ends a recv() on time, and the connection lives", needs=_CANCEL)
async def a_time_limit_ends_recv(stage: AdapterStage, far: FarEnd, ws: StagePeer) -> None:
    expect("what comes in time", await stage.move_on_after(stage.second, ws.recv), None)
    await far.send(far.frame(Opcode.TEXT, b"late"))
    expect("what comes later", await ws.recv(), "late")
    far.stream.reset()
    with raises(ConnectionClosedError, "recv() within a time limit"):
        await stage.move_on_after(1000.0, ws.recv)
