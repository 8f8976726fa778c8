"""Ends of connections and of attempts, for the tests of what comes after them."""

from __future__ import annotations

from typing import Any

from wsproto_core import CloseReport, ConnectionClosed, HandshakeRejected, Headers, HeadersLike, Initiator, Rejected

__all__ = ["closed", "rejected", "report"]


def report(code: int = 1006, *, initiator: Initiator = Initiator.PEER, **facts: Any) -> CloseReport:
    """The report of a connection that the peer has closed."""
    return CloseReport(initiator=initiator, code=code, **facts)


def closed(code: int, **facts: Any) -> ConnectionClosed:
    """The same as the exception."""
    return ConnectionClosed.from_report(report(code, **facts))


def rejected(status: int, headers: HeadersLike = ()) -> HandshakeRejected:
    """A handshake that the server has refused."""
    return HandshakeRejected(Rejected(status, Headers(headers)))
