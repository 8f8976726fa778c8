"""The loop over connections, stepped by hand under virtual time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Iterator
from typing import Any

import pytest

from tests.driver.test_async_peer import HandLink, open_peer, result, step
from tests.driver.wire import START
from wsproto_core import (
    AsyncWebSocket,
    Backoff,
    Comeback,
    ConnectionClosed,
    ConnectionRefused,
    Connections,
    Limits,
    OutboxLimits,
    PendingMessages,
    Reopening,
    State,
)
from wsproto_core.frames import parse_frames

Hook = Callable[[AsyncWebSocket, Reopening], Awaitable[object]]
SCHEDULE = Backoff(initial=1.0, factor=2.0, cap=100.0)


class World:
    """Every attempt has the outcome that the test has laid ready; every wait is written down."""

    def __init__(self, *, opened: Hook | None = None, outbox: OutboxLimits | None = None, **options: Any) -> None:
        self.outcomes: list[AsyncWebSocket | Exception] = []
        self.waits: list[float] = []
        self.pumps: list[Coroutine[Any, Any, None]] = []
        self.options = options
        self.links: list[HandLink] = []
        self.connections = Connections(
            self.dial,
            Comeback(SCHEDULE),
            PendingMessages(outbox or OutboxLimits()),
            opened=opened,
            now=lambda: START,
            chance=lambda: 1.0,
            sleep=self.sleep,
            start=lambda pump: self.pumps.append(pump()),
        )

    async def dial(self) -> AsyncWebSocket:
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)

    def will_open(self) -> HandLink:
        """The next attempt but those laid ready comes to be open."""
        ws, link = open_peer(**self.options)
        self.outcomes.append(ws)
        self.links.append(link)
        return link

    async def coming(self) -> AsyncWebSocket:
        """What the loop gives next."""
        return await anext(aiter(self.connections))

    def next(self) -> AsyncWebSocket:
        """The same, where it has no reason to wait."""
        return result(self.coming())

    def end(self) -> None:
        """Leave nothing suspended."""
        for link in self.links:
            link.abort()
        assert step(self.connections.aclose())
        for pump in self.pumps:
            pump.close()


MakeWorld = Callable[..., World]


@pytest.fixture
def make_world() -> Iterator[MakeWorld]:
    worlds: list[World] = []

    def make(**options: Any) -> World:
        worlds.append(World(**options))
        return worlds[-1]

    yield make
    for world in worlds:
        world.end()


def sent(link: HandLink) -> list[bytes]:
    return [f.payload for f in parse_frames(b"".join(link.written)) if f.opcode < 8]


def test_it_waits_after_failures_and_ends_and_gives_one_connection_after_the_other(make_world: MakeWorld) -> None:
    world = make_world()
    world.outcomes += [ConnectionRefused(), ConnectionRefused()]
    first, second = world.will_open(), world.will_open()
    assert world.next().engine is first.engine
    assert world.waits == [1.0, 2.0]
    first.abort()
    assert world.next().engine is second.engine
    assert world.waits == [1.0, 2.0, 4.0]  # it did not last


def test_the_end_of_the_body_closes_the_connection_first(make_world: MakeWorld) -> None:
    world = make_world()
    first, _ = world.will_open(), world.will_open()
    ws = world.next()
    going_on = world.coming()
    assert not step(going_on)
    assert ws.state is State.CLOSING
    first.abort()
    with pytest.raises(StopIteration):
        going_on.send(None)
    assert world.outcomes == []


def test_what_must_not_be_repeated_is_raised(make_world: MakeWorld) -> None:
    world = make_world()
    link = world.will_open()
    world.next()
    link.engine.receive_data(b"\x88\x82mask" + bytes([0x03 ^ ord("m"), 0xF0 ^ ord("a")]), START)  # 1008
    link.abort()
    with pytest.raises(ConnectionClosed, match="1008"):
        world.next()


def test_the_hook_is_told_what_came_before(make_world: MakeWorld) -> None:
    told: list[Reopening] = []

    async def opened(ws: AsyncWebSocket, reopening: Reopening) -> None:
        assert ws.state is State.OPEN
        await ws.send("subscribe")
        told.append(reopening)

    world = make_world(opened=opened, outbox=OutboxLimits(max_messages=2))
    links = [world.will_open(), world.will_open()]
    world.connections.send_later("a")
    world.next()
    assert sent(links[0]) == [b"subscribe", b"a"]
    links[0].abort()
    world.next()
    assert [(it.number, it.dropped, it.waiting) for it in told] == [(0, 0, 1), (1, 0, 0)]
    assert told[0].last_report is None
    assert told[1].last_report is not None
    assert told[1].last_report.code == 1006


def test_messages_given_up_between_two_connections_are_counted(make_world: MakeWorld) -> None:
    told: list[Reopening] = []

    async def opened(ws: AsyncWebSocket, reopening: Reopening) -> None:
        told.append(reopening)

    world = make_world(opened=opened, outbox=OutboxLimits(max_messages=2))
    link, other = world.will_open(), world.will_open()
    assert [world.connections.send_later(text) for text in "abc"] == [[], [], ["a"]]
    world.next()
    assert sent(link) == [b"b", b"c"]
    link.abort()
    world.next()
    assert [(it.dropped, it.waiting) for it in told] == [(1, 2), (0, 0)]
    assert world.connections.send_later("d") == []
    assert sent(other) == [b"d"]


def test_a_hook_that_fails_is_an_attempt_that_failed(make_world: MakeWorld) -> None:
    async def opened(ws: AsyncWebSocket, reopening: Reopening) -> None:
        numbers.append(reopening.number)
        if len(numbers) == 1:
            await ws.recv()

    numbers: list[int] = []
    world = make_world(opened=opened)
    world.connections.send_later("kept")
    first, second = world.will_open(), world.will_open()
    first.abort()  # before it can answer the hook
    assert world.next().engine is second.engine
    assert world.waits == [1.0]
    assert numbers == [0, 0]
    assert sent(first) == []
    assert sent(second) == [b"kept"]


def test_a_hook_that_is_wrong_ends_it_and_the_server_is_told(make_world: MakeWorld) -> None:
    async def opened(ws: AsyncWebSocket, reopening: Reopening) -> None:
        raise KeyError("mine")

    world = make_world(opened=opened)
    link = world.will_open()
    going_on = world.coming()
    assert not step(going_on)
    assert [f.payload for f in parse_frames(b"".join(link.written))] == [b"\x03\xf3"]  # 1011
    link.abort()
    with pytest.raises(KeyError, match="mine"):
        going_on.send(None)


def test_a_slow_connection_gets_a_pump(make_world: MakeWorld) -> None:
    world = make_world(limits=Limits(outbox_size=3))
    link = world.will_open()
    world.next()
    link.takes_more = False
    for text in ("one", "two", "three"):
        world.connections.send_later(text)
    (pump,) = world.pumps
    assert not step(pump)
    assert list(world.connections.waiting) == ["two", "three"]
    link.takes_more = True
    assert step(pump)
    assert not world.connections.waiting
    assert sent(link) == [b"one", b"two", b"three"]


def test_what_a_pump_could_not_send_goes_to_the_next_connection(make_world: MakeWorld) -> None:
    world = make_world(limits=Limits(outbox_size=3))
    first, second = world.will_open(), world.will_open()
    world.next()
    first.takes_more = False
    for text in ("one", "two", "six"):
        world.connections.send_later(text)
    (pump,) = world.pumps
    assert not step(pump)
    first.abort()
    assert step(pump)
    assert list(world.connections.waiting) == ["two", "six"]
    world.next()
    assert sent(second) == [b"two", b"six"]


def test_a_pump_that_is_cancelled_loses_nothing(make_world: MakeWorld) -> None:
    world = make_world(limits=Limits(outbox_size=3))
    link = world.will_open()
    world.next()
    link.takes_more = False
    world.connections.send_later("one")
    world.connections.send_later("two")
    assert not step(world.pumps[0])
    world.pumps[0].close()
    assert list(world.connections.waiting) == ["two"]


def test_aclose_closes_what_is_open_and_ends_the_loop(make_world: MakeWorld) -> None:
    world = make_world()
    assert step(world.connections.aclose())  # nothing has begun
    link = world.will_open()
    ws = world.next()
    closing = world.connections.aclose()
    assert not step(closing)
    assert ws.state is State.CLOSING
    link.abort()
    assert step(closing)
    with pytest.raises(StopAsyncIteration):
        step(world.coming())
