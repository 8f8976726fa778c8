"""The outbox across connections: what is kept, what is given up, and in which order it goes."""

from __future__ import annotations

from typing import Any

import pytest

from tests.driver.test_async_peer import open_peer
from wsproto_core import (
    AsyncWebSocket,
    Drop,
    Limits,
    LocalProtocolError,
    Message,
    OutboxFull,
    OutboxLimits,
    PendingMessages,
)
from wsproto_core.frames import parse_frames


def make(**options: Any) -> PendingMessages[AsyncWebSocket]:
    return PendingMessages(OutboxLimits(**options))


def test_messages_wait_for_a_connection_and_leave_in_their_order() -> None:
    pending = make()
    ws, link = open_peer()
    for message in ("one", b"two", bytearray(b"three")):
        assert pending.put(message) == []
    assert list(pending.messages) == ["one", b"two", b"three"]
    assert pending.push() is None
    pending.attach(ws)
    assert pending.push() is None
    assert not pending.messages
    assert [f.payload for f in parse_frames(b"".join(link.written))] == [b"one", b"two", b"three"]


def test_nothing_goes_to_a_connection_that_has_gone() -> None:
    pending = make()
    ws, link = open_peer()
    pending.attach(ws)
    pending.detach()
    pending.put("kept")
    assert pending.push() is None
    assert list(pending.messages) == ["kept"]
    assert link.written == []


def test_what_is_given_up_is_returned_and_counted_until_a_connection_opens() -> None:
    oldest, newest = make(max_messages=2), make(max_messages=2, drop=Drop.NEWEST)
    for pending in (oldest, newest):
        pending.put("a")
        pending.put("b")
    assert oldest.put("c") == ["a"]
    assert newest.put("c") == ["c"]
    assert (oldest.messages, newest.messages) == (("b", "c"), ("a", "b"))
    assert oldest.dropped == 1
    ws, _ = open_peer()
    oldest.attach(ws)
    assert oldest.dropped == 0


def test_a_mutable_message_is_kept_as_it_is_now() -> None:
    pending = make()
    data = bytearray(b"now")
    pending.put(data)
    data[:] = b"new"
    assert list(pending.messages) == [b"now"]


def test_what_is_no_message_is_refused_at_once() -> None:
    pending = make()
    with pytest.raises(TypeError, match="message"):
        pending.put(5)  # type: ignore[arg-type]  # the caller errs
    with pytest.raises(LocalProtocolError, match="message"):
        pending.put("\ud800")
    assert not pending.messages


def test_a_pump_carries_what_has_no_room_and_nothing_overtakes_it() -> None:
    pending = make()
    ws, link = open_peer(limits=Limits(outbox_size=3))
    link.takes_more = False
    pending.attach(ws)
    for message in ("one", "two", "three"):
        pending.put(message)
    assert pending.push() is ws
    assert list(pending.messages) == ["two", "three"]
    assert pending.take() == "two"
    assert list(pending.messages) == ["two", "three"]  # it is not sent yet
    link.takes_more = True
    link.flush()
    pending.put("four")
    assert pending.push() is None  # though there is room: the pump is at it
    ws.send_nowait("two")
    assert [pending.take(), pending.take(), pending.take()] == ["three", "four", None]
    assert not pending.messages
    pending.put("five")
    assert pending.push() is None
    assert not pending.messages


class Busy:
    """A connection with threads of its own, whose outbox is empty again as soon as it was full."""

    can_send = True

    def send_nowait(self, message: Message) -> None:
        raise OutboxFull("it was")


def test_a_pump_is_needed_even_if_there_is_room_again_by_now() -> None:
    pending, busy = PendingMessages[Busy](OutboxLimits()), Busy()
    pending.attach(busy)
    pending.put("one")
    assert pending.push() is busy
    assert pending.take() == "one"


def test_no_pump_waits_for_a_connection_that_is_closing() -> None:
    pending = make()
    ws, _ = open_peer()
    pending.attach(ws)
    ws.engine.close()
    pending.put("for the next one")
    assert pending.push() is None
    assert list(pending.messages) == ["for the next one"]


def test_what_the_pump_could_not_send_is_the_first_for_the_next_connection() -> None:
    pending = make()
    ws, link = open_peer(limits=Limits(outbox_size=3))
    link.takes_more = False
    pending.attach(ws)
    for message in ("one", "two", "three"):
        pending.put(message)
    pending.push()
    pending.take()
    pending.put_back()
    assert list(pending.messages) == ["two", "three"]
    other, link = open_peer()
    pending.attach(other)
    assert pending.push() is None
    assert [f.payload for f in parse_frames(b"".join(link.written))] == [b"two", b"three"]


def test_a_message_in_parts_is_not_cut_into() -> None:
    pending = make()
    ws, _ = open_peer()
    pending.attach(ws)
    ws.engine.send_fragment("a", final=False)
    pending.put("later")
    assert pending.push() is None
    assert list(pending.messages) == ["later"]
    ws.engine.send_fragment("b", final=True)
    assert pending.push() is None
    assert not pending.messages


@pytest.mark.parametrize(
    ("argument", "options", "error"),
    [
        ("size", {"size": 0}, ValueError),
        ("size", {"size": None}, TypeError),
        ("max_messages", {"max_messages": 0}, ValueError),
        ("max_messages", {"max_messages": 1.5}, TypeError),
        ("drop", {"drop": "oldest"}, TypeError),
    ],
)
def test_a_wrong_argument_is_named(argument: str, options: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error, match=f"^{argument} must"):
        OutboxLimits(**options)


def test_as_many_messages_as_there_is_room_for() -> None:
    pending = make(max_messages=None)
    assert not any(pending.put("") for _ in range(2000))
