"""What one connection costs an engine, from its making to its end: a request, the answer, a close frame, the answer.

Each is what a library's own adapters ask of it for a client that sends nothing else.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, cast

from pair import live_and_end
from wire import CLOSE, request

from wsproto_core import ServePlan

if TYPE_CHECKING:
    from engine_cases import Case
    from engine_subjects import Work

__all__ = ["lives"]

#: One life of a connection.
Life = Callable[[], object]


def ours() -> Life:
    """Our engine, as a server's plan makes it."""
    plan, opening = ServePlan(None, 0, None, entropy=os.urandom), request()
    return lambda: live_and_end(plan, opening)


def picows() -> Life:
    """Its asyncio protocol, on one transport for all."""
    from engine_peers import Nowhere, fed, picows_protocol
    from picows import WSFrame, WSListener, WSTransport

    class Polite(WSListener):
        def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
            transport.send_close(frame.get_close_code())

    nowhere, opening = Nowhere(), request()

    def life() -> None:
        protocol = picows_protocol(Polite(), nowhere, is_client=False)
        fed(protocol, opening)
        fed(protocol, CLOSE)
        protocol.eof_received()
        protocol.connection_lost(None)

    return life


def websockets() -> Life:
    """Its server's protocol."""
    from websockets.http11 import Request
    from websockets.server import ServerProtocol

    opening = request()

    def life() -> None:
        protocol = ServerProtocol()
        protocol.receive_data(opening)
        (asked,) = protocol.events_received()
        protocol.send_response(protocol.accept(cast(Request, asked)))
        protocol.data_to_send()
        protocol.receive_data(CLOSE)
        protocol.events_received()
        protocol.data_to_send()
        protocol.receive_eof()

    return life


def wsproto() -> Life:
    """Its connection with a handshake."""
    from wsproto import ConnectionType, WSConnection
    from wsproto.events import AcceptConnection, CloseConnection

    opening = request()

    def life() -> None:
        connection = WSConnection(ConnectionType.SERVER)
        connection.receive_data(opening)
        list(connection.events())
        connection.send(AcceptConnection())
        connection.receive_data(CLOSE)
        (goodbye,) = connection.events()
        connection.send(cast(CloseConnection, goodbye).response())
        connection.receive_data(None)

    return life


#: What makes a life, for each subject that has one.
_LIVES: Final = MappingProxyType(
    {"compiled": ours, "pure": ours, "picows": picows, "websockets": websockets, "wsproto": wsproto}
)


def lives(subject: str, case: Case) -> Work | None:
    """As many lives, one after the other, as ``case`` wants of ``subject``; None if it has none."""
    make = _LIVES.get(subject)
    if make is None:
        return None
    life = make()

    def work() -> int:
        for _ in range(case.count):
            life()
        return case.count

    return work
