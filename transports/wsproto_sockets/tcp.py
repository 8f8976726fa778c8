"""Messages over TCP, without WebSocket's handshake: clients and servers."""

from __future__ import annotations

import os
import socket
import ssl as tls
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Final, Unpack

from wsproto_core import (
    LengthPrefixed,
    TcpCodec,
    TcpConnectOptions,
    TcpConnectPlan,
    TcpServeOptions,
    TcpServePlan,
)

from .client import opened_within
from .dialing import walk
from .door import stream_doors
from .peer import TcpPeer
from .server import check_function
from .serving import Server

__all__ = ["connect_tcp", "serve_tcp"]

_DEFAULT_CODEC: Final = LengthPrefixed()


def connect_tcp(
    host: str | None = None,
    port: int | None = None,
    codec: TcpCodec = _DEFAULT_CODEC,
    *,
    ssl: tls.SSLContext | None = None,
    sock: socket.socket | None = None,
    **options: Unpack[TcpConnectOptions],
) -> TcpPeer:
    """Connect to a TCP server: ``with connect_tcp(host, port) as peer`` or ``peer = connect_tcp(host, port)``.

    * ``codec``: how messages stand in the stream, the same on both sides: a :class:`StreamCodec`, or :class:`Frames`
      for WebSocket frames without a handshake, which bring pings and close codes.
    * ``ssl``: an ``SSLContext`` for TLS, ``None`` for none.
    * ``sock``: a connected socket, instead of ``host`` and ``port``.
    * ``options``: those of :class:`TcpConnectOptions`.

    Raises :exc:`ValueError` or :exc:`TypeError`, naming the option, and :exc:`ConnectionRefused`,
    :exc:`ConnectionTimeout` or another :exc:`ConnectionFailed` if no connection came about.
    """

    plan = TcpConnectPlan(
        host,
        port,
        codec,
        entropy=os.urandom,
        environment=os.environ,
        secure=ssl is not None,
        is_open=sock is not None,
        **options,
    )

    def attempt(deadline: float | None) -> TcpPeer:
        stream, rest = walk(plan.steps(), sock=sock, ssl=ssl, deadline=deadline)
        peer = TcpPeer(plan.engine(monotonic()))
        peer.opened()
        peer.link.start(stream, rest)
        return peer

    return opened_within(plan.timeout, attempt)


def serve_tcp(
    handler: Callable[[TcpPeer], object],
    host: str | Sequence[str] | None = None,
    port: int | None = None,
    codec: TcpCodec = _DEFAULT_CODEC,
    *,
    sock: socket.socket | Sequence[socket.socket] | None = None,
    ssl: tls.SSLContext | None = None,
    max_connections: int | None = 1000,
    **options: Unpack[TcpServeOptions],
) -> Server[TcpPeer]:
    """Serve messages over TCP: ``with serve_tcp(handler, host, port) as server``. It runs at once, in threads of its
    own.

    * ``handler``: a function, called in a thread with each :class:`TcpPeer`, which is closed when it returns.
    * ``codec``: as in :func:`connect_tcp`.
    * ``host``, ``port``, ``sock``, ``ssl``: as in :func:`serve`; ``options``: those of :class:`TcpServeOptions`.
    * ``max_connections``: beyond it a connection is closed at once, with 1013 where there are close codes.

    Raises :exc:`ValueError` or :exc:`TypeError`, naming the option, and :exc:`BindFailed` where it cannot listen.
    """

    check_function("handler", handler)
    return Server(
        stream_doors(TcpServePlan(host, port, sock, codec, entropy=os.urandom, **options), TcpPeer, ssl),
        handler=handler,
        max_connections=max_connections,
    )
