from __future__ import annotations

from sys import getsizeof

from wsproto_core import Fragment
from wsproto_core._driver.messages import Inbox


def test_items_leave_in_the_order_they_came() -> None:
    inbox = Inbox(1000)
    inbox.put(["a", b"b"])
    inbox.put([Fragment("c", final=True)])
    assert len(inbox) == 3
    assert [inbox.take() for _ in range(4)] == ["a", b"b", Fragment("c", final=True), None]
    assert inbox.size == 0


def test_the_size_is_memory_so_that_tiny_messages_count() -> None:
    inbox = Inbox(10_000)
    inbox.put([b"", "x"])
    assert inbox.size == getsizeof(b"") + getsizeof("x")
    part = Fragment(b"xyz", final=False)
    inbox.put([part])
    assert inbox.size == getsizeof(b"") + getsizeof("x") + getsizeof(b"xyz") + getsizeof(part)


def test_there_is_room_below_the_high_mark_and_again_at_half_of_it() -> None:
    piece = bytes(100 - getsizeof(b""))
    inbox = Inbox(400)
    room = []
    for _ in range(5):
        inbox.put([piece])
        room.append(inbox.has_room)
    for _ in range(5):
        inbox.take()
        room.append(inbox.has_room)
    assert room == [True, True, True, False, False, False, False, True, True, True]


def test_without_room_an_empty_batch_changes_nothing() -> None:
    inbox = Inbox(10)
    inbox.put([b"large"])
    inbox.put([])
    assert not inbox.has_room


def test_whoever_took_a_message_may_answer_until_it_asks_for_more_than_there_is() -> None:
    inbox = Inbox(1000)
    answering = [inbox.is_answering]
    inbox.put(["a"])
    for _ in range(2):
        inbox.take()
        answering.append(inbox.is_answering)
    assert answering == [False, True, False]


def test_a_sealed_inbox_gives_out_and_takes_nothing_in() -> None:
    inbox = Inbox(1000)
    inbox.put(["kept"])
    inbox.is_sealed = True
    inbox.put(["dropped"])
    assert [inbox.take(), inbox.take()] == ["kept", None]
