"""Exceptions: by whose fault, and with a number that stays."""

from __future__ import annotations

from errno import EADDRINUSE

import pytest

from wsproto_core import _errors
from wsproto_core._errors import (
    BindFailed,
    ConnectionClosed,
    ConnectionClosedError,
    ConnectionClosedOK,
    ConnectionFailed,
    ConnectionRefused,
    ConnectionTimeout,
    HandshakeFailed,
    HandshakeRejected,
    LocalProtocolError,
    MessageTooLarge,
    OutboxFull,
    PoolClosed,
    PoolTimeout,
    ProxyFailed,
    RedirectFailed,
    RemoteProtocolError,
    ServerAlreadyRunning,
    ServerNotStarted,
    WebSocketError,
)
from wsproto_core._events import CloseReport, Redirected, Rejected
from wsproto_core._headers import Headers
from wsproto_core._types import Initiator
from wsproto_core._violations import Violation

TREE: list[tuple[type[WebSocketError], type[Exception], int]] = [
    (WebSocketError, Exception, -600),
    (LocalProtocolError, WebSocketError, -640),
    (OutboxFull, LocalProtocolError, -640),
    (MessageTooLarge, LocalProtocolError, -642),
    (PoolClosed, LocalProtocolError, -640),
    (ServerAlreadyRunning, LocalProtocolError, -661),
    (ServerNotStarted, LocalProtocolError, -660),
    (RemoteProtocolError, WebSocketError, -641),
    (ConnectionClosed, WebSocketError, -603),
    (ConnectionClosedOK, ConnectionClosed, -603),
    (ConnectionClosedError, ConnectionClosed, -603),
    (ConnectionFailed, WebSocketError, -600),
    (ConnectionRefused, ConnectionFailed, -601),
    (ConnectionTimeout, ConnectionFailed, -602),
    (PoolTimeout, ConnectionTimeout, -602),
    (HandshakeRejected, ConnectionFailed, -600),
    (RedirectFailed, HandshakeRejected, -600),
    (ProxyFailed, ConnectionFailed, -600),
    (HandshakeFailed, ConnectionFailed, -600),
    (BindFailed, WebSocketError, -662),
]


@pytest.mark.parametrize(("error", "parent", "code"), TREE, ids=[row[0].__name__ for row in TREE])
def test_the_tree_and_the_numbers(error: type[WebSocketError], parent: type[Exception], code: int) -> None:
    assert error.__bases__[0] is parent
    assert error.code == code


def test_the_tree_is_complete_and_in_the_docstring() -> None:
    assert {error.__name__ for error, _, _ in TREE} == set(_errors.__all__)
    assert _errors.__doc__ is not None
    for name in _errors.__all__:
        ancestry = next(error for error, _, _ in TREE if error.__name__ == name).__mro__
        depth = sum(issubclass(ancestor, WebSocketError) for ancestor in ancestry) - 1
        assert f"\n{'  ' * depth}* :exc:`{name}`" in _errors.__doc__


@pytest.mark.parametrize("error", [RemoteProtocolError, HandshakeFailed])
def test_an_offence_of_the_peer(error: type[RemoteProtocolError | HandshakeFailed]) -> None:
    bare, detailed = error(Violation.BAD_ACCEPT), error(Violation.BAD_ACCEPT, "seen")
    assert (bare.violation, bare.detail, str(bare)) == (Violation.BAD_ACCEPT, "", str(Violation.BAD_ACCEPT))
    assert (detailed.detail, str(detailed)) == ("seen", f"{Violation.BAD_ACCEPT}: seen")


@pytest.mark.parametrize(
    ("received", "error"), [(1000, ConnectionClosedOK), (1011, ConnectionClosedError), (None, ConnectionClosedError)]
)
def test_the_end_of_a_connection(received: int | None, error: type[ConnectionClosed]) -> None:
    report = CloseReport(initiator=Initiator.PEER, code=received or 1006, received_code=received)
    raised = ConnectionClosed.from_report(report)
    assert type(raised) is error
    assert raised.report is report
    assert str(raised) == str(report)


@pytest.mark.parametrize(
    "event", [Rejected(403, Headers({"A": "b"}), b"no"), Redirected(302, "/other", Headers({"A": "b"}), b"no")]
)
def test_a_refusal(event: Rejected | Redirected) -> None:
    error = HandshakeRejected(event)
    assert error.event is event
    assert (error.status, error.headers, error.body) == (event.status, event.headers, b"no")
    assert str(event.status) in str(error)


def test_who_cannot_listen_gets_what_the_system_said() -> None:
    error = BindFailed.from_error(OSError(EADDRINUSE, "Address already in use"))
    assert isinstance(error, OSError)
    assert (error.errno, error.strerror) == (EADDRINUSE, "Address already in use")
    assert "Address already in use" in str(error)


@pytest.mark.parametrize("words", ["no address to listen on", "the host has no address"])
def test_who_cannot_listen_gets_the_words_where_there_is_no_number(words: str) -> None:
    assert str(BindFailed.from_error(OSError(words))) == words
