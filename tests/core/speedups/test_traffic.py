"""The way of a message through an engine: what is done at once, what is left to the engine; the same on both twins."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any, Protocol

import pytest

from tests.core.kit import BINARY, FIN, PING, TEXT, frame
from tests.core.twins import Twin
from wsproto_core import Limits, Ping, Receive
from wsproto_core._types import Buffer

HELLO = frame(FIN | TEXT, b"hello", masked=True)
QUESTION = frame(FIN | PING, b"?", masked=True)


class Engine(Protocol):
    """A :class:`Traffic`, and what the engine around it was asked for."""

    asked: list[object]
    batch_is_due: bool
    _backlog: Any
    _bytes_received: int
    _decoder: Any
    _inbox: Any
    _is_plain: bool
    _last_activity: float
    _last_life: float
    _messages_received: int
    _now: float
    _standing: Any
    _undelivered: list[Any]
    _control_rate: Any
    _frames: Any
    _outbox: Any
    _timers: Any

    @property
    def is_flowing(self) -> bool: ...
    def flows(self) -> bool: ...
    def receive_data(self, data: Buffer, now: float) -> list[Any]: ...
    def send_at_once(self, message: str | Buffer, /) -> bool: ...
    def pass_frame(self, frame: bytes) -> bool: ...
    def gather(self, events: Sequence[Any]) -> list[Any]: ...
    def message_at_hand(self) -> object: ...
    def data_to_send(self) -> list[bytes | memoryview]: ...
    def next_deadline(self) -> float | None: ...


@pytest.fixture
def new(twin: Twin) -> Callable[[], Engine]:
    """Makes engines that are open, whose handshake was at 1.0 and whose idle timer is for 61.0."""

    class Rate(twin.allowing):  # type: ignore[name-defined,misc]  # one of two
        allowance = int

    class Made(twin.traffic):  # type: ignore[name-defined,misc]  # one of two
        def __init__(self) -> None:
            frames = twin.frames(max_size=100, max_payload=100)
            frames.is_open = frames.is_direct = True
            standing = twin.standing()
            standing.is_open = standing.may_receive = standing.may_send = True
            standing.owes_close_frame = False
            super().__init__(standing, frames, 1.0)
            self.asked: list[object] = []
            self.batch_is_due = False
            self._decoder = twin.codec(masked=True, receive=Receive.MESSAGES, limits=Limits())
            self._is_plain = True
            self._control_rate = Rate()
            self._control_rate.is_spent = False
            self._outbox = SimpleNamespace(take=lambda: [b"what waits"], encoding=None)
            self._timers = twin.timing()
            self._timers.next_deadline = 61.0

        def _receive_otherwise(self, data: Buffer) -> list[Any]:
            self.asked.append(data)
            return ["otherwise"]

        def _react_to_decoded(self, events: list[Any], controls: int) -> list[Any]:
            self.asked.append(controls)
            return [*events, "reacted"]

        def _gather_otherwise(self, events: Sequence[Any]) -> list[Any]:
            self.asked.append(events)
            return ["gathered"]

        def _answer_close(self) -> None:
            self.asked.append("answer close")
            self._frames.put_bytes(b"goodbye")

        def _batch_is_due(self) -> bool:
            return self.batch_is_due

    return Made


@pytest.fixture
def engine(new: Callable[[], Engine]) -> Engine:
    return new()


# --- in -----------------------------------------------------------------------------------------------------------


def test_messages_are_counted_and_are_activity(engine: Engine) -> None:
    assert engine.receive_data(HELLO + frame(FIN | BINARY, b"\x00", masked=True), 2.0) == ["hello", b"\x00"]
    assert (engine._bytes_received, engine._messages_received) == (len(HELLO) + 7, 2)
    assert (engine._now, engine._last_activity, engine._last_life) == (2.0, 2.0, 2.0)
    assert engine.asked == []


@pytest.mark.parametrize(("size", "activity"), [(1, 1.0), (5, 1.0), (6, 2.0), (8, 2.0)])
def test_any_byte_is_life_and_a_message_that_has_begun_is_activity(engine: Engine, size: int, activity: float) -> None:
    assert engine.receive_data(HELLO[:size], 2.0) == []
    assert (engine._last_life, engine._last_activity, engine._messages_received) == (2.0, activity, 0)
    assert engine.receive_data(HELLO[size:], 3.0) == ["hello"]
    assert (engine._bytes_received, engine._messages_received, engine._last_activity) == (len(HELLO), 1, 3.0)


@pytest.mark.parametrize("data", [bytearray(HELLO), memoryview(HELLO), memoryview(b"-" + HELLO + b"-")[1:-1]])
def test_any_buffer_will_do(engine: Engine, data: Buffer) -> None:
    assert engine.receive_data(data, 2.0) == ["hello"]


def test_control_frames_are_for_the_engine(engine: Engine) -> None:
    assert engine.receive_data(HELLO + QUESTION + QUESTION, 2.0) == ["hello", Ping(b"?"), Ping(b"?"), "reacted"]
    assert engine.asked == [2]
    assert (engine._messages_received, engine._last_activity) == (0, 1.0)


def test_messages_that_are_not_taken_as_they_are_as_well(engine: Engine) -> None:
    engine._is_plain = False
    assert engine.receive_data(HELLO, 2.0) == ["hello", "reacted"]
    assert (engine.asked, engine._messages_received) == ([0], 0)


def test_while_the_control_rate_is_spent_it_is_asked(engine: Engine) -> None:
    engine.receive_data(HELLO, 2.0)
    assert engine._decoder.control_allowance is None
    engine._control_rate.is_spent = True
    engine.receive_data(HELLO, 3.0)
    assert engine._decoder.control_allowance == 3


@pytest.mark.parametrize("lacks", ["decoder", "reception", "free way"])
def test_everything_else_is_for_the_engine(engine: Engine, lacks: str) -> None:
    if lacks == "decoder":
        engine._decoder = None
    elif lacks == "reception":
        engine._standing.may_receive = False
    else:
        engine._backlog = SimpleNamespace()
    assert engine.receive_data(HELLO, 2.0) == ["otherwise"]
    assert engine.asked == [HELLO]
    assert (engine._now, engine._last_life, engine._last_activity) == (2.0, 2.0, 1.0)
    assert (engine._bytes_received, engine._messages_received) == (len(HELLO), 0)


def test_what_a_verb_has_caused_comes_first_and_once(engine: Engine) -> None:
    engine._undelivered = ["caused"]
    assert engine.receive_data(HELLO, 2.0) == ["caused", "hello"]
    assert engine.receive_data(HELLO, 2.0) == ["hello"]


def test_a_message_is_at_hand_once_it_waits(engine: Engine, twin: Twin) -> None:
    assert engine.message_at_hand() is None
    engine._inbox = twin.inbox(1000)
    engine._inbox.gather(["hello"])
    assert [engine.message_at_hand(), engine.message_at_hand()] == ["hello", None]


def test_messages_go_into_an_inbox_that_has_room_and_all_else_is_for_the_engine(engine: Engine, twin: Twin) -> None:
    engine._inbox = twin.inbox(60)
    assert engine.gather(["hello", Ping(b"?")]) == [Ping(b"?")]
    assert (engine.asked, len(engine._inbox)) == ([], 1)
    assert engine.gather(["no room is left behind it"]) == []
    assert engine.gather(["more"]) == ["gathered"]
    assert (engine.asked, len(engine._inbox)) == ([["more"]], 2)


def test_without_an_inbox_the_engine_gathers(engine: Engine) -> None:
    assert engine.gather(["hello"]) == ["gathered"]
    assert (engine.asked, engine._inbox) == ([["hello"]], None)


# --- out ----------------------------------------------------------------------------------------------------------


def test_what_is_ready_leaves_at_once(engine: Engine) -> None:
    assert engine.send_at_once("hello") is True
    assert engine.data_to_send() == [b"\x81\x05hello"]
    assert engine.data_to_send() == []


def test_what_has_to_wait_does_not(engine: Engine) -> None:
    engine._frames.is_direct = False
    assert engine.send_at_once("hello") is False
    assert engine.pass_frame(b"\x81\x00") is False
    assert engine.data_to_send() == [b"what waits"]


def test_a_frame_passes_an_empty_queue_and_is_counted(engine: Engine) -> None:
    assert engine.pass_frame(b"\x81\x00") is True
    assert (engine._frames.messages, engine._frames.bytes_taken, engine.data_to_send()) == (1, 2, [])


@pytest.mark.parametrize(
    ("pulls", "undelivered", "sent"), [(False, [], [b"goodbye"]), (True, [], []), (False, ["caused"], [])]
)
def test_an_owed_goodbye_leaves_when_the_batch_is_dealt_with(
    engine: Engine, twin: Twin, pulls: bool, undelivered: list[str], sent: list[bytes]
) -> None:
    engine._standing.owes_close_frame = True
    engine._undelivered = undelivered
    if pulls:
        engine._inbox = twin.inbox(1000)
    assert engine.data_to_send() == sent
    assert engine.asked == ["answer close"] * len(sent)


# --- what is to be done -------------------------------------------------------------------------------------------


def test_the_next_deadline_is_that_of_the_timers(engine: Engine) -> None:
    assert engine.next_deadline() == 61.0
    engine._timers.next_deadline = None
    assert engine.next_deadline() is None


def test_what_is_due_is_due_at_once(engine: Engine) -> None:
    engine.receive_data(HELLO, 2.0)
    engine.batch_is_due = True
    assert engine.next_deadline() == 61.0  # of what? nothing can be expanded
    engine._backlog = SimpleNamespace()
    assert engine.next_deadline() == 2.0
    engine.batch_is_due = False
    assert engine.next_deadline() == 61.0
    engine._undelivered = ["caused"]
    assert engine.next_deadline() == 2.0


@pytest.mark.parametrize(
    ("obstacle", "flows"),
    [
        ("none", True),
        ("closing", False),
        ("inbox", True),
        ("full inbox", False),
        ("empty backlog", True),
        ("backlog", False),
        ("work", False),
    ],
)
def test_it_flows_while_nothing_is_to_be_done_but_to_read_and_write(
    engine: Engine, twin: Twin, obstacle: str, flows: bool
) -> None:
    engine._standing.is_open = obstacle != "closing"
    if "inbox" in obstacle:
        engine._inbox = twin.inbox(100 if "full" in obstacle else 1000)
        engine._inbox.gather(["x" * 100])
    if obstacle in ("empty backlog", "backlog", "work"):
        engine._backlog = ["what waits"] if obstacle == "backlog" else []
        engine._outbox.encoding = "some" if obstacle == "work" else None
    assert engine.is_flowing is engine.flows() is flows


# --- the object ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "ask",
    [
        lambda made: made.receive_data(b"", 0.0),
        lambda made: made.send_at_once(""),
        lambda made: made.pass_frame(b""),
        lambda made: made.data_to_send(),
        lambda made: made.next_deadline(),
        lambda made: made.is_flowing,
        lambda made: made.flows(),
    ],
)
def test_one_that_was_not_initialized_raises(new: Any, ask: Callable[[Any], object]) -> None:
    with pytest.raises(AttributeError):
        ask(new.__new__(new))


def test_it_is_free_as_soon_as_nobody_has_it(new: Callable[[], Engine]) -> None:
    engine = new()
    engine.receive_data(HELLO, 2.0)
    end = weakref.ref(engine)
    del engine
    assert end() is None
