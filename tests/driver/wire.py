"""WebSocket engines on the public wire of ``wsproto_core.testing``, as the tests of the driver need them."""

from __future__ import annotations

from random import Random
from typing import Any, TypeAlias

from wsproto_core import ClientConnection, ServerConnection, State, testing
from wsproto_core.testing import Chunks, VirtualClock

#: When every scenario begins: not zero.
START = VirtualClock().now

Wire: TypeAlias = testing.Wire[ClientConnection, ServerConnection]
Side: TypeAlias = testing.Side[Any]


def make_client(uri: str = "ws://example.com/chat", **options: Any) -> ClientConnection:
    """A client whose randomness repeats itself."""
    return ClientConnection(uri, **{"entropy": Random(0).randbytes, "now": START, **options})


def make_server(**options: Any) -> ServerConnection:
    return ServerConnection(**{"now": START, **options})


def make_wire(
    chunks: Chunks = None, *, client: dict[str, Any] | None = None, server: dict[str, Any] | None = None, **both: Any
) -> Wire:
    """A wire whose client has not yet said anything. ``both`` are options of either engine."""
    return Wire(make_client(**both, **(client or {})), make_server(**both, **(server or {})), chunks=chunks)


def open_wire(
    chunks: Chunks = None, *, client: dict[str, Any] | None = None, server: dict[str, Any] | None = None, **both: Any
) -> Wire:
    """A wire over which the opening handshake is done; its events are forgotten."""
    wire = make_wire(chunks, client=client, server=server, **both)
    connect(wire)
    for side in wire.sides:
        assert side.engine.state is State.OPEN
        side.events.clear()
    return wire


def connect(wire: Wire) -> None:
    """Let the client send its request, and everything happen that follows."""
    wire.client.engine.connect()
    wire.settle()


def shake_hands(client: ClientConnection, server: ServerConnection, now: float = START) -> None:
    """Open both engines without a wire."""
    client.connect()
    server.receive_data(b"".join(client.data_to_send()), now)
    server.accept()
    client.receive_data(b"".join(server.data_to_send()), now)
    assert client.state is server.state is State.OPEN
