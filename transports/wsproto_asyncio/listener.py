"""The fast path: plain methods instead of a coroutine, and no task for each connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsproto_core import CloseReport, Fragment

if TYPE_CHECKING:
    from .peer import WebSocket

__all__ = ["Listener"]


class Listener:
    """Subclass it and hand the class to :func:`serve` or :func:`connect`: each connection gets an instance of its own.

    The methods are plain functions and run in the event loop: they must not block. Send with
    ``ws.send_nowait(message)``. An exception that leaves a method is logged and closes the connection with 1011.
    """

    def opened(self, ws: WebSocket) -> None:
        """The connection is open."""

    def received(self, ws: WebSocket, message: str | bytes | Fragment) -> None:
        """A message has come: ``str`` is text, ``bytes`` is binary (a :class:`Fragment` where ``receive`` asks for
        parts).
        """

    def closed(self, ws: WebSocket, report: CloseReport) -> None:
        """The connection is over, after it had been opened; ``report`` says how and why."""
