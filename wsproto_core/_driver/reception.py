"""The front desk of a server: who gets in, and what a request is answered with. The same for every runtime."""

from __future__ import annotations

from typing import Final, Generic, TypeVar

from .._events import CloseReport
from .._handshake.outcome import Response
from .._types import State
from .peer import PeerBase
from .server import ServerConnection

__all__ = ["Reception"]

_P = TypeVar("_P", bound=PeerBase)

#: Connections beyond the maximum that are still told so, rather than dropped.
_MAX_TURNED_AWAY: Final = 100
_SWITCHING_PROTOCOLS: Final = 101


class Reception(Generic[_P]):
    """Counts the connections of one server. For authors of adapters.

    ``max_connections``: beyond it a handshake is answered with 503; ``None`` for no limit. Raises :exc:`ValueError`,
    naming it, for anything but a positive number.
    """

    def __init__(self, max_connections: int | None) -> None:
        if max_connections is not None and max_connections < 1:
            raise ValueError(f"max_connections must be positive or None, not {max_connections!r}")
        self._max_connections = max_connections
        #: Those whose handshake was accepted and whose end has not been told.
        self.open: set[_P] = set()
        #: Set once the server is to take nobody in any more.
        self.is_closing: bool = False
        # From the first moment to the end of the transport; and those beyond the maximum, who only wait to be told so.
        self._admitted: set[_P] = set()
        self._turned_away: set[_P] = set()

    @property
    def everyone(self) -> set[_P]:
        """All who are connected, now."""
        return self._admitted | self._turned_away

    def arrive(self, peer: _P) -> bool:
        """Count ``peer``, before its handshake begins, so that no burst can overshoot the maximum.

        Returns whether to go on with it; otherwise drop its transport.
        """
        if self._max_connections is None or len(self._admitted) < self._max_connections:
            self._admitted.add(peer)
        else:
            self._turned_away.add(peer)
        return not self.is_closing and len(self._turned_away) <= _MAX_TURNED_AWAY

    def leave(self, peer: _P) -> None:
        """The transport of ``peer`` is gone."""
        self._admitted.discard(peer)
        self._turned_away.discard(peer)

    def early_answer(self, peer: _P) -> Response | None:
        """What the request of ``peer`` is answered with before anybody else is asked."""
        if self.is_closing or peer in self._turned_away:
            return Response(503, {"Retry-After": "5"})
        return None

    def answer(self, peer: _P, answer: Response | None) -> bool:
        """Answer the request of ``peer``; ``None`` accepts it, as far as the engine agrees.

        Returns whether the connection has opened. Raises :exc:`LocalProtocolError` for an answer that cannot be given.
        """
        engine = peer.engine
        if engine.state is not State.CONNECTING or not isinstance(engine, ServerConnection):
            return False  # the client did not wait
        if answer is not None:
            engine.reject(answer.status, answer.headers, answer.body)
            return False
        engine.accept()
        # The response tells, and not the state: the client's end may have come in the same read.
        opened = engine.response is not None and engine.response.status == _SWITCHING_PROTOCOLS
        if opened:
            self.open.add(peer)
        return opened

    def ended(self, peer: _P, report: CloseReport) -> bool:
        """The end of ``peer`` is told. Returns whether an operator wants to hear of it."""
        was_open = peer in self.open
        self.open.discard(peer)
        return was_open and (report.violation is not None or report.timer is not None)
