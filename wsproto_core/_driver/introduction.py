"""From an accepted connection to a stream that speaks WebSocket: the steps of every runtime's servers, written once.

:func:`introduce` is a conversation, as :func:`dial` is for clients. An adapter's part is this loop::

    steps = plan.introduction(sock.getpeername(), secure=ssl is not None)
    try:
        step = next(steps)
        while True:
            match step:
                case ReadUpTo(size):  answer = ...   # what comes, at most so many bytes; b"" at the end
                case BeginTls():      answer = ...   # TLS over the connection, as its server: b""
            step = steps.send(answer)
    except StopIteration as done:
        proxied = done.value

Time is the adapter's: one limit, ``Timeouts.opening_timeout``, around all of it and the handshake. A connection counts
from its first moment: see :meth:`AsyncReception.approach`.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, TypeAlias

from .._handshake.proxy_protocol import ProxiedFrom, TrustedProxies, read_proxy_header

__all__ = ["BeginTls", "IntroductionStep", "ReadUpTo", "introduce"]


@dataclass(frozen=True, slots=True)
class ReadUpTo:
    """Answer with what comes, ``b""`` at the end. What is behind ``size`` bytes stays in the socket."""

    size: int


@dataclass(frozen=True, slots=True)
class BeginTls:
    """Begin TLS, as the server. Answer with ``b""``."""


IntroductionStep: TypeAlias = ReadUpTo | BeginTls


def introduce(
    trusted: TrustedProxies, address: Any, *, secure: bool
) -> Generator[IntroductionStep, bytes, ProxiedFrom | None]:
    """The steps with whoever connects from ``address``: a PROXY header from those who are ``trusted``, then TLS if the
    server is ``secure``. The generator returns what the proxy tells; ``None`` for who is no proxy.

    It raises :exc:`RemoteProtocolError` for anything but a valid header, and :exc:`ConnectionResetError` if the address
    is ``None``, as ``getpeername`` cannot tell it of who has left: drop the connection.
    """
    if address is None:
        raise ConnectionResetError("it has left already")
    proxied = (yield from _read_header()) if trusted.trusts(address) else None
    if secure:
        yield BeginTls()
    return proxied


def _read_header() -> Generator[IntroductionStep, bytes, ProxiedFrom]:
    """Turn what the conversation with a proxy yields into steps."""
    conversation = read_proxy_header()
    try:
        size = next(conversation)
        while True:
            size = conversation.send((yield ReadUpTo(size)))
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]  # typeshed does not know what it carries
