"""``AsyncPeer`` over an engine that is no WebSocket, and on a runtime whose rule is to give way each time."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from tests.driver.test_async_peer import HandLink, open_peer, result, step
from tests.driver.wire import START
from wsproto_core import (
    AsyncPeer,
    AsyncWebSocket,
    Delimited,
    Limits,
    LocalProtocolError,
    StreamConnection,
)


class PoliteWebSocket(AsyncWebSocket):
    is_eager: ClassVar[bool] = False


def line_peer(**options: Any) -> tuple[AsyncPeer[StreamConnection], HandLink]:
    engine = StreamConnection(Delimited(), now=START, **options)
    link = HandLink(engine)  # type: ignore[arg-type]  # what it drives has the same face
    return AsyncPeer(engine, link), link


def test_messages_go_both_ways() -> None:
    peer, link = line_peer()
    result(peer.send("hello"))
    peer.send_nowait(b"again")
    assert link.written == [b"hello\n", b"again\n"]
    peer.deliver(peer.engine.receive_data(b"answer\n", START))
    assert result(peer.recv()) == b"answer"
    with pytest.raises(LocalProtocolError, match="knows no pings"):
        result(peer.ping())


def test_without_room_it_waits() -> None:
    peer, link = line_peer(limits=Limits(outbox_size=1))
    link.takes_more = False
    peer.send_nowait("first")
    waiting = peer.send("second")
    assert not step(waiting)
    link.takes_more = True
    assert step(waiting)
    assert b"".join(link.written) == b"first\nsecond\n"


def test_who_gives_way_asks_for_room_each_time() -> None:
    ws, link = open_peer()
    polite = PoliteWebSocket(ws.engine, link)
    result(polite.send("one"))
    result(polite.send_fragment("two", final=True))
    assert len(link.written) == 2


def test_a_fragment_is_sent_at_once_where_there_is_room() -> None:
    ws, link = open_peer()
    result(ws.send("one"))
    result(ws.send_fragment("two", final=True))
    assert len(link.written) == 2
