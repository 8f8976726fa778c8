"""Who gets a message, and what its author is told."""

from __future__ import annotations

from tests.hub.kit import assert_refused, hub_with
from wsproto_core.hub import Broadcast, Connect, Deliver, Publish, Published, Reason, Send


def test_a_message_goes_to_every_member_and_to_nobody_else() -> None:
    hub = hub_with("ada", "bob", room="lobby")
    hub.handle(Connect("cyd"), 0)
    assert hub.handle(Publish("ada", "lobby", "hi"), 0) == [Deliver(("ada", "bob"), "ada", "hi", "lobby", 1)]
    assert hub.handle(Publish("bob", "lobby", b"ho"), 0) == [Deliver(("ada", "bob"), "bob", b"ho", "lobby", 2)]
    assert (hub.statistics.published, hub.statistics.delivered) == (2, 4)


def test_without_echo_its_author_is_told_the_offset() -> None:
    hub = hub_with("ada", "bob", room="lobby")
    assert hub.handle(Publish("ada", "lobby", "hi", echo=False), 0) == [
        Deliver(("bob",), "ada", "hi", "lobby", 1),
        Published(("ada",), "lobby", 1),
    ]
    alone = hub_with("ada", room="lobby")
    assert alone.handle(Publish("ada", "lobby", "hi", echo=False), 0) == [Published(("ada",), "lobby", 1)]


def test_offsets_count_for_each_room() -> None:
    hub = hub_with("ada", room="one")
    other = hub_with("ada", room="two")
    for expected in (1, 2):
        assert hub.handle(Publish("ada", "one", "hi"), 0) == [Deliver(("ada",), "ada", "hi", "one", expected)]
    assert other.handle(Publish("ada", "two", "hi"), 0) == [Deliver(("ada",), "ada", "hi", "two", 1)]


def test_a_message_to_one_session() -> None:
    hub = hub_with("ada", "bob", "cyd")
    assert hub.handle(Send("ada", "cyd", "psst"), 0) == [Deliver(("cyd",), "ada", "psst")]
    assert_refused(hub, Send("ada", "dan", "psst"), Reason.SESSION_NOT_FOUND, "to")
    assert_refused(hub, Send("dan", "ada", "psst"), Reason.SESSION_NOT_FOUND, "session")


def test_a_message_to_all() -> None:
    hub = hub_with("ada", "bob", "cyd")
    assert hub.handle(Broadcast("bob", "news"), 0) == [Deliver(("ada", "bob", "cyd"), "bob", "news")]
    assert hub.handle(Broadcast("bob", "news", echo=False), 0) == [Deliver(("ada", "cyd"), "bob", "news")]
    assert hub_with("bob").handle(Broadcast("bob", "news", echo=False), 0) == []
    assert hub.statistics.delivered == 5
    assert_refused(hub, Broadcast("dan", "news"), Reason.SESSION_NOT_FOUND, "session")
