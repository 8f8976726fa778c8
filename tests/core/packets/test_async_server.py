"""A running server and its end. Tasks are a list, and time is what the test is told to wait."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import pytest

from tests.core.packets.test_binding import HandBinding, ListLog
from tests.driver.wire import START
from wsproto_core import AsyncPeer, AsyncServer, DatagramServer, Delimited, LocalProtocolError, StreamConnection


class Place:
    """A listening socket."""

    def __init__(self, told: list[object]) -> None:
        self._told = told
        self.sockets: Sequence[socket.socket] = [socket.create_server(("127.0.0.1", 0))]

    async def stop_accepting(self) -> None:
        self._told.append("stop accepting")

    async def close(self) -> None:
        self._told.append("close")
        self.sockets[0].close()


class HandServer(AsyncServer[AsyncPeer[StreamConnection], Any]):
    """A server whose runtime writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[object] = []
        super().__init__(handler=None, max_connections=None, is_closed=asyncio.Event(), log=ListLog())
        self.place = Place(self.told)
        self.listening.append(self.place)

    def spawn(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        raise AssertionError("there is no handler")

    async def finish(self, timeout: float | None) -> None:
        self.told.append(timeout)

    def drop(self, peer: AsyncPeer[StreamConnection]) -> None:
        self.told.append(peer)

    def cancel_tasks(self) -> None:
        self.told.append("cancel")


class Visitor(AsyncPeer[StreamConnection]):
    """Somebody who is open, and does not go."""

    def __init__(self, server: HandServer) -> None:
        link: Any = HandLink()
        super().__init__(StreamConnection(Delimited(), now=START), link, watch=server.reception.watch)
        server.reception.arrive(self)


class HandLink:
    """A link to nowhere."""

    log = ListLog()

    def now(self) -> float:
        return START

    def flush(self) -> None:
        """There is nobody to write to."""

    flush_soon = flush


def test_it_tells_where_it_listens_and_who_is_there() -> None:
    server = HandServer()
    visitor = Visitor(server)
    (sock,) = server.sockets
    assert server.port == sock.getsockname()[1]
    assert server.datagram_statistics == []
    assert set(server.connections) == {visitor}
    assert (server.tally.accepted, server.tally.active) == (1, 1)
    asyncio.run(server.place.close())


def test_what_was_counted_of_datagrams() -> None:
    server = HandServer()
    binding = HandBinding(DatagramServer(entropy=bytes, now=START))
    server.listening[:] = [binding]
    server.place.sockets[0].close()
    assert server.datagram_statistics == [binding.statistics]


def test_its_end_in_order() -> None:
    server = HandServer()
    visitor = Visitor(server)
    asyncio.run(server.close(grace_period=3))
    assert server.told == [
        "stop accepting",
        "close",
        pytest.approx(0.1),
        pytest.approx(0.9),
        pytest.approx(2.0),
        visitor,
        "cancel",
        None,
    ]
    asyncio.run(server.serve_forever())


def test_a_code_that_cannot_be_sent_changes_nothing() -> None:
    server = HandServer()
    visitor = Visitor(server)
    with pytest.raises(LocalProtocolError, match="code"):
        asyncio.run(server.close(1006))
    assert server.told == []
    assert not server.reception.is_closing
    assert visitor.can_send
    asyncio.run(server.place.close())
