"""How a loop asks for the messages of a connection; the same on both twins."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable
from itertools import count
from typing import Any, cast

import pytest

from tests.core.twins import Twin


class Peer:
    """What comes next where the engine cannot tell."""

    def __init__(self, *to_come: str | Exception | None) -> None:
        self.to_come = list(to_come)

    def take_next(self) -> str | None:
        outcome = self.to_come.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


def numbered_pauses(twin: Twin) -> Any:
    """Somewhere to wait."""
    numbers = count(1)

    class Waiters(twin.waiters):  # type: ignore[name-defined,misc]  # one of two
        def pause(self) -> str:
            return f"pause {next(numbers)}"

    return Waiters()


@pytest.fixture(params=["alone", "followed"])
def engine(twin: Twin, request: pytest.FixtureRequest) -> Any:
    """One through which nothing flows any more."""
    engine = twin.open_engine(is_followed=request.param == "followed")
    engine._standing.is_open = False
    return engine


async def listed(messages: AsyncIterator[str]) -> list[str]:
    return [message async for message in messages]


def looping_over(twin: Twin, engine: Any, peer: Peer) -> Any:
    return listed(cast("AsyncIterator[str]", twin.messages(engine, peer, numbered_pauses(twin))))


def test_a_loop_takes_what_is_at_hand_and_what_comes_and_waits_in_between(twin: Twin, engine: Any) -> None:
    engine.gather(["a", "b"])
    looping = looping_over(twin, engine, Peer(None, None, "c", None, StopAsyncIteration()))
    assert looping.send(None) == "pause 1"
    assert looping.send(None) == "pause 2"
    engine.gather(["at hand"])
    assert looping.send(None) == "pause 3"
    with pytest.raises(StopIteration) as ending:
        looping.send(None)
    assert ending.value.value == ["a", "b", "at hand", "c"]


def test_while_it_flows_only_what_is_at_hand_is_asked_for(twin: Twin, engine: Any) -> None:
    engine.gather(["a"])
    engine._standing.is_open = True
    looping = looping_over(twin, engine, Peer(StopAsyncIteration()))
    assert [looping.send(None), looping.send(None)] == ["pause 1", "pause 2"]
    engine._standing.is_open = False
    with pytest.raises(StopIteration) as ending:
        looping.send(None)
    assert ending.value.value == ["a"]


def test_who_follows_an_engine_is_asked_instead(twin: Twin, engine: Any) -> None:
    engine.is_followed = True
    engine.message_at_hand = iter(["mine", None]).__next__
    looping = looping_over(twin, engine, Peer(StopAsyncIteration()))
    with pytest.raises(StopIteration) as ending:
        looping.send(None)
    assert ending.value.value == ["mine"]


def test_an_error_in_place_of_a_message_leaves_the_loop(twin: Twin, engine: Any) -> None:
    looping = looping_over(twin, engine, Peer(None, ValueError("over")))
    looping.send(None)
    with pytest.raises(ValueError, match="over"):
        looping.send(None)


def test_what_is_thrown_into_a_wait_leaves_the_loop(twin: Twin, engine: Any) -> None:
    looping = looping_over(twin, engine, Peer(None))
    looping.send(None)
    with pytest.raises(TimeoutError):
        looping.throw(TimeoutError())


def test_a_message_is_awaited_like_anything_else(twin: Twin, engine: Any) -> None:
    engine.gather(["a"])
    messages = twin.messages(engine, Peer(), numbered_pauses(twin))
    assert isinstance(messages.__anext__(), Awaitable)
    with pytest.raises(StopIteration) as ending:
        next(iter(messages.__anext__().__await__()))
    assert ending.value.value == "a"
