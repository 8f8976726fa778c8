"""The coroutines of a connection, stepped by hand: no event loop is needed to see when they wait."""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine, Generator
from typing import Any, ClassVar, TypeVar

import pytest

from tests.driver.wire import START, make_client, make_server, shake_hands
from wsproto_core import (
    AsyncPeer,
    AsyncWebSocket,
    ConnectionClosedOK,
    Fragment,
    Limits,
    LocalProtocolError,
    Log,
    OutboxFull,
    Receive,
    ServerConnection,
)
from wsproto_core.frames import Frame, parse_frames

T = TypeVar("T")


class Pause:
    """Awaiting it suspends the coroutine until it is stepped on."""

    def __await__(self) -> Generator[None, None, None]:
        yield


class HandLink:
    """A link whose transport is a list."""

    log: ClassVar[Log] = logging.getLogger("test")

    def __init__(self, engine: ServerConnection) -> None:
        self.engine = engine
        self.written: list[bytes | memoryview] = []
        self.takes_more = True
        self.is_lost = False

    def now(self) -> float:
        return START

    def flush(self) -> None:
        while self.takes_more and (buffers := self.engine.data_to_send()):
            self.written += buffers

    flush_soon = flush

    def abort(self) -> None:
        self.is_lost = True
        self.engine.transport_lost(None, START)

    async def until(self, attempt: Callable[[], T | None]) -> T:
        while (result := attempt()) is None:
            await Pause()
        return result

    async def until_lost(self) -> None:
        await self.until(lambda: self.is_lost or None)


def open_peer(**options: Any) -> tuple[AsyncWebSocket, HandLink]:
    server = make_server(**options)
    shake_hands(make_client(), server)
    link = HandLink(server)
    return AsyncWebSocket(server, link), link


def step(coroutine: Coroutine[Any, Any, Any]) -> bool:
    """Run until it waits; return whether it is done."""
    try:
        coroutine.send(None)
    except StopIteration:
        return True
    return False


def result(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that has no reason to wait."""
    with pytest.raises(StopIteration) as done:
        coroutine.send(None)
    value: T = done.value.value
    return value


def frame(opcode: int, payload: bytes) -> bytes:
    return bytes(Frame(opcode, payload, mask=b"mask"))


@pytest.mark.parametrize(
    "verb",
    [
        lambda ws: ws.send("late"),
        lambda ws: ws.send_fragment("late", final=True),
        lambda ws: ws.ping(b"late"),
    ],
    ids=["send", "send_fragment", "ping"],
)
def test_without_room_it_waits_until_the_transport_takes_more(
    verb: Callable[[AsyncWebSocket], Coroutine[Any, Any, Any]],
) -> None:
    ws, link = open_peer(limits=Limits(outbox_size=10))
    link.takes_more = False
    ws.send_nowait("0123456789")
    waiting = verb(ws)
    assert not step(waiting)
    assert link.written == []
    link.takes_more = True
    step(waiting)
    link.flush()
    assert {f.payload for f in parse_frames(b"".join(link.written))} == {b"0123456789", b"late"}
    waiting.close()


class PolitePeer(AsyncPeer[ServerConnection]):
    """A peer of a runtime where nothing is done at once, with what every engine has and nothing more."""

    is_eager = False


def test_what_is_no_websocket_sends_in_the_same_way() -> None:
    _, link = open_peer(limits=Limits(outbox_size=10))
    peer = PolitePeer(link.engine, link)
    link.takes_more = False
    result(peer.send("0123456789"))
    waiting = peer.send("late")
    assert not step(waiting)
    with pytest.raises(OutboxFull):
        peer.send_nowait("no room")
    link.takes_more = True
    assert step(waiting)
    peer.send_nowait("now")
    assert [f.payload for f in parse_frames(b"".join(link.written))] == [b"0123456789", b"late", b"now"]


def test_a_message_at_hand_is_taken_without_waiting() -> None:
    ws, link = open_peer()
    assert ws.engine.gather(link.engine.receive_data(frame(1, b"one"), START)) == []
    assert result(ws.recv()) == "one"
    waiting = ws.recv()
    assert not step(waiting)
    ws.engine.gather(link.engine.receive_data(frame(2, b"two"), START))
    assert step(waiting)


def test_parts_are_taken_one_by_one() -> None:
    ws, link = open_peer(receive=Receive.FRAGMENTS)
    ws.engine.gather(link.engine.receive_data(frame(1, b"one"), START))
    assert result(ws.recv_fragment()) == Fragment("one", True)


@pytest.mark.parametrize("take", [AsyncWebSocket.recv, AsyncWebSocket.__anext__], ids=["recv", "a loop"])
def test_who_gets_parts_cannot_ask_for_whole_messages(
    take: Callable[[AsyncWebSocket], Coroutine[Any, Any, Any]],
) -> None:
    ws, link = open_peer(receive=Receive.FRAGMENTS)
    ws.engine.gather(link.engine.receive_data(frame(1, b"part"), START))
    with pytest.raises(LocalProtocolError, match="whole messages"):
        take(ws).send(None)
    assert result(ws.recv_fragment()) == Fragment("part", True)


def test_a_loop_over_messages_ends_with_an_ordinary_close() -> None:
    ws, link = open_peer()
    ws.engine.gather(link.engine.receive_data(frame(1, b"one") + frame(8, b"\x03\xe8"), START))
    assert aiter(ws) is ws
    assert result(anext(ws)) == "one"
    with pytest.raises(StopAsyncIteration):
        step(ws.__anext__())
    with pytest.raises(ConnectionClosedOK):
        step(ws.recv())


def test_a_ping_is_answered() -> None:
    ws, link = open_peer()
    waiting = ws.ping(b"here")
    assert not step(waiting)
    link.engine.receive_data(frame(10, b"here"), START)
    with pytest.raises(StopIteration) as done:
        waiting.send(None)
    assert done.value.value == 0.0


def test_close_waits_for_the_end_of_the_transport() -> None:
    ws, link = open_peer()
    waiting = ws.close(4000, "bye")
    assert not step(waiting)
    link.engine.receive_data(frame(8, b"\x0f\xa0"), START)
    assert not step(waiting)
    link.abort()
    assert step(waiting)
    assert result(ws.wait_closed()).code == 4000


def test_abort() -> None:
    ws, link = open_peer()
    ws.abort()
    assert link.is_lost
    assert result(ws.wait_closed()).code == 1006
