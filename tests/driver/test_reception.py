"""The front desk of a server: who gets in, and what becomes of handlers. Coroutines are run by hand."""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, ClassVar, TypeVar

import pytest

from tests.driver.wire import START, make_client, make_server
from wsproto_core import (
    AsyncPeer,
    AsyncReception,
    AsyncWebSocket,
    ClientConnection,
    Closed,
    Delimited,
    Log,
    Reception,
    Response,
    State,
    StreamConnection,
    Timeouts,
)

T = TypeVar("T")


class ListLog:
    """Keeps what is logged."""

    def __init__(self) -> None:
        self.lines: list[tuple[int, str, BaseException | None]] = []

    def error(self, msg: str, *args: object, exc_info: BaseException | None = None) -> None:
        self.lines.append((40, msg % args, exc_info))

    def log(self, level: int, msg: str, *args: object) -> None:
        self.lines.append((level, msg % args, None))


class HandLink:
    """A link whose transport is a list."""

    log: ClassVar[Log] = ListLog()

    def __init__(self, engine: Any) -> None:
        self.engine = engine
        self.written = b""

    def now(self) -> float:
        return START

    def flush(self) -> None:
        while buffers := self.engine.data_to_send():
            self.written += b"".join(buffers)

    flush_soon = flush

    def abort(self) -> None:
        self.engine.transport_lost(None, START)

    async def until(self, attempt: Callable[[], T | None]) -> T:
        result = attempt()
        assert result is not None, "nobody waits here"
        return result

    async def until_lost(self) -> None:
        raise AssertionError("nobody waits here")


class Desk:
    """A reception, its tasks and its log, and visitors."""

    def __init__(self, max_connections: int | None = None, **options: Any) -> None:
        self.tasks: list[Callable[[], Coroutine[Any, Any, None]]] = []
        self.log = ListLog()
        options = {"handler": None, **options}
        self.reception: AsyncReception[Any] = AsyncReception(
            max_connections, spawn=self.tasks.append, log=self.log, **options
        )

    def visitor(self, **options: Any) -> Visitor:
        """Somebody who connects and asks, as far as it gets."""
        visitor = Visitor(self, **options)
        if self.reception.arrive(visitor.ws):
            visitor.ask()
        return visitor

    def run(self) -> None:
        """Run the tasks to their ends."""
        while self.tasks:
            with pytest.raises(StopIteration):
                self.tasks.pop(0)().send(None)


class Visitor:
    """A WebSocket client, and the server's side of it."""

    def __init__(self, desk: Desk, **options: Any) -> None:
        self.engine = make_server(**options)
        self.client: ClientConnection = make_client()
        self.link = HandLink(self.engine)
        self.ws = AsyncWebSocket(self.engine, self.link, watch=desk.reception.watch)

    def ask(self) -> None:
        self.client.connect(now=START)
        self.ws.deliver(self.engine.receive_data(b"".join(self.client.data_to_send()), START))
        self.link.flush()

    @property
    def status(self) -> int | None:
        return None if self.engine.response is None else self.engine.response.status


def bare_peer(desk: Desk) -> AsyncPeer[StreamConnection]:
    """One whose protocol has no handshake."""
    engine = StreamConnection(Delimited(), now=START)
    return AsyncPeer(engine, HandLink(engine), watch=desk.reception.watch)


async def nothing(_: Any) -> None:
    """A handler that has nothing to do."""


# --- who gets in ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [0, -1])
def test_a_maximum_that_cannot_be(number: int) -> None:
    with pytest.raises(ValueError, match="max_connections"):
        Reception[Any](number)


def test_a_visitor_is_let_in_and_counts_until_it_leaves() -> None:
    desk = Desk()
    visitor = desk.visitor()
    assert (visitor.status, desk.reception.open, desk.reception.everyone) == (101, {visitor.ws}, {visitor.ws})
    visitor.ws.deliver(visitor.engine.transport_lost(None, START))
    assert desk.reception.open == set()
    desk.reception.leave(visitor.ws)
    assert desk.reception.everyone == set()


def test_beyond_the_maximum_they_are_told_so_and_beyond_that_they_are_dropped() -> None:
    desk = Desk(1)
    assert desk.visitor().status == 101
    turned_away = [desk.visitor() for _ in range(100)]
    assert {visitor.status for visitor in turned_away} == {503}
    assert not desk.reception.arrive(Visitor(desk).ws)


def test_a_place_that_is_given_back_can_be_taken() -> None:
    desk = Desk(1)
    first = desk.visitor()
    assert desk.visitor().status == 503
    desk.reception.leave(first.ws)
    assert desk.visitor().status == 101


def test_a_server_that_is_closing_lets_nobody_in() -> None:
    desk = Desk()
    late = Visitor(desk)
    desk.reception.arrive(late.ws)
    desk.reception.begin_closing()
    late.ask()
    assert late.status == 503


def test_without_a_handshake_a_peer_is_in_at_once_or_told_to_come_back() -> None:
    desk = Desk(1, handler=nothing)
    first, second = bare_peer(desk), bare_peer(desk)
    assert desk.reception.arrive(first)
    assert desk.reception.arrive(second)
    assert desk.reception.open == {first}
    assert second.state is State.CLOSING
    desk.run()
    assert first.state is State.CLOSING  # its handler has returned


# --- what a request is answered with ----------------------------------------------------------------------------------


async def later(response: Response | None) -> Response | None:
    return response


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (lambda *_: None, 101),
        (lambda *_: Response(200), 200),
        (lambda *_: later(None), 101),
        (lambda *_: later(Response(404)), 404),
    ],
    ids=["none", "response", "later none", "later response"],
)
def test_process_request_answers_at_once_or_later(answer: Callable[..., Any], status: int) -> None:
    desk = Desk(process_request=answer)
    visitor = desk.visitor()
    desk.run()
    assert visitor.status == status


def failing(*_: Any) -> None:
    raise KeyError("a fault of the application's")


async def failing_later(*_: Any) -> None:
    raise KeyError("a fault of the application's")


@pytest.mark.parametrize("process_request", [failing, failing_later, lambda *_: Response(101)])
def test_an_answer_that_cannot_be_given_is_500_and_a_line(process_request: Callable[..., Any]) -> None:
    desk = Desk(process_request=process_request)
    visitor = desk.visitor()
    desk.run()
    assert visitor.status == 500
    ((level, line, error),) = desk.log.lines
    assert (level, line.endswith("the request could not be answered")) == (40, True)
    assert error is not None


def test_who_does_not_wait_for_the_answer_gets_none() -> None:
    desk = Desk(process_request=lambda *_: later(None))
    visitor = desk.visitor()
    visitor.ws.deliver(visitor.engine.transport_lost(None, START))
    desk.run()
    assert visitor.status is None
    assert desk.reception.open == set()


def test_a_flawed_request_gets_the_refusal_of_the_engine() -> None:
    desk = Desk(handler=nothing)
    visitor = Visitor(desk)
    desk.reception.arrive(visitor.ws)
    visitor.ws.deliver(visitor.engine.receive_data(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", START))
    assert visitor.status == 426
    assert (desk.tasks, desk.reception.open) == ([], set())


# --- handlers ---------------------------------------------------------------------------------------------------------


def opened_with(handler: Callable[[Any], Awaitable[None]]) -> tuple[Desk, Visitor]:
    desk = Desk(handler=handler)
    visitor = desk.visitor()
    assert visitor.engine.state is State.OPEN
    return desk, visitor


def test_what_a_handler_leaves_open_is_closed_behind_it() -> None:
    desk, visitor = opened_with(nothing)
    desk.run()
    assert visitor.link.written.endswith(b"\x88\x02" + (1000).to_bytes(2, "big"))


@pytest.mark.parametrize("error", [KeyError("x"), ExceptionGroup("two", [KeyError("x"), ValueError("y")])])
def test_a_handler_that_raises_closes_with_1011(error: Exception) -> None:
    async def handler(_: Any) -> None:
        raise error

    desk, visitor = opened_with(handler)
    desk.run()
    assert visitor.link.written.endswith(b"\x88\x02" + (1011).to_bytes(2, "big"))


def test_a_handler_that_fails_because_its_peer_has_left_is_no_news() -> None:
    async def handler(ws: AsyncWebSocket) -> None:
        await ws.send("nobody hears it")

    desk, visitor = opened_with(handler)
    visitor.ws.deliver(visitor.engine.transport_lost(None, START))
    log = visitor.link.log
    assert isinstance(log, ListLog)
    log.lines.clear()
    desk.run()
    assert log.lines == []


class Odd(BaseExceptionGroup[BaseException]):
    """A group that is no ``Exception``, whatever is in it."""


def test_a_group_of_another_kind_is_taken_apart_all_the_same() -> None:
    async def handler(_: Any) -> None:
        raise Odd("odd", [KeyError("x")])

    desk, visitor = opened_with(handler)
    desk.run()
    assert visitor.link.written.endswith(b"\x88\x02" + (1011).to_bytes(2, "big"))


def test_of_a_mixed_group_the_cancellation_goes_on() -> None:
    async def handler(_: Any) -> None:
        raise BaseExceptionGroup("both", [KeyError("x"), CancelledError()])

    desk, visitor = opened_with(handler)
    with pytest.raises(BaseExceptionGroup) as raised:
        desk.tasks.pop()().send(None)
    assert [type(error) for error in raised.value.exceptions] == [CancelledError]
    assert visitor.link.written.endswith(b"\x88\x02" + (1011).to_bytes(2, "big"))


def test_a_cancellation_says_nothing_about_the_handler() -> None:
    async def handler(_: Any) -> None:
        raise CancelledError

    desk, visitor = opened_with(handler)
    before = visitor.link.written
    with pytest.raises(CancelledError):
        desk.tasks.pop()().send(None)
    assert visitor.link.written == before


def test_a_group_of_cancellations_says_nothing_about_the_handler() -> None:
    async def handler(_: Any) -> None:
        raise BaseExceptionGroup("one", [CancelledError()])

    desk, visitor = opened_with(handler)
    before = visitor.link.written
    with pytest.raises(BaseExceptionGroup):
        desk.tasks.pop()().send(None)
    assert visitor.link.written == before


# --- ends -------------------------------------------------------------------------------------------------------------


def test_an_ordinary_end_is_for_the_curious_and_a_timer_is_news() -> None:
    desk = Desk()
    ordinary, idle = desk.visitor(), desk.visitor(timeouts=Timeouts(closing_timeout=5))
    ordinary.ws.deliver(ordinary.engine.transport_lost(None, START))
    idle.engine.close(now=START)
    idle.ws.deliver(idle.engine.handle_timeout(START + 5))
    stranger = Visitor(desk)
    stranger.ws.deliver(stranger.engine.transport_lost(None, START))
    assert [level for level, _, _ in desk.log.lines] == [10, 20, 10]


def test_a_visitor_that_leaves_before_it_has_asked_has_failed() -> None:
    desk = Desk()
    silent = Visitor(desk)
    desk.reception.arrive(silent.ws)
    desk.reception.leave(silent.ws)
    assert (desk.reception.counted().failed, desk.reception.everyone) == (1, set())


def test_other_events_are_no_business_of_the_reception() -> None:
    desk = Desk()
    visitor = desk.visitor()
    events = visitor.engine.receive_data(b"\x89\x80mask", START)  # a ping
    assert not any(isinstance(event, Closed) for event in events)
    visitor.ws.deliver(events)
    assert desk.log.lines == []


def test_the_last_calls_drop_the_silent_first() -> None:
    desk = Desk()
    silent, opened = Visitor(desk), desk.visitor()
    desk.reception.arrive(silent.ws)
    desk.reception.begin_closing()
    (moment, first), (second, after), (rest, then) = desk.reception.last_calls(10.0)
    assert moment + second + rest == 10.0
    assert first() == after() == {silent.ws}
    assert then() == {silent.ws, opened.ws}
    assert not desk.reception.arrive(Visitor(desk).ws)  # nobody waits for anybody any more


# --- introductions ----------------------------------------------------------------------------------------------------


def test_who_has_to_be_introduced_takes_a_place() -> None:
    desk = Desk(1)
    connection = object()
    assert desk.reception.approach(connection)
    assert desk.visitor().status == 503
    visitor = Visitor(desk)
    assert desk.reception.arrive(visitor.ws, connection)
    visitor.ask()
    assert visitor.status == 101


def test_an_introduction_that_fails_gives_its_place_back() -> None:
    desk = Desk(1)
    connection = object()
    assert desk.reception.approach(connection)
    desk.reception.retreat(connection, ("10.0.0.1", 1), ValueError("no header"))
    assert desk.visitor().status == 101
    assert desk.log.lines[0][0] == 10
    assert desk.reception.counted().failed == 1


def test_nobody_is_introduced_to_a_server_that_is_closed() -> None:
    desk = Desk()
    desk.reception.is_closed = True
    assert not desk.reception.approach(object())


def test_everything_is_counted() -> None:
    desk = Desk()
    visitor = desk.visitor()
    seen = desk.reception.counted()
    assert (seen.opened, seen.active, seen.is_final) == (1, 1, False)
    assert seen.traffic.bytes_received > 0
    visitor.ws.deliver(visitor.engine.transport_lost(None, START))
    desk.reception.leave(visitor.ws)
    desk.reception.is_closed = True
    seen = desk.reception.counted()
    assert (seen.opened, seen.active, seen.is_final) == (1, 0, True)
