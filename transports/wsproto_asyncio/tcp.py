"""Messages over TCP, without WebSocket's handshake: clients and servers."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl as tls
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Unpack

from wsproto_core import (
    LengthPrefixed,
    TcpCodec,
    TcpConnectOptions,
    TcpConnectPlan,
    TcpServeOptions,
    TcpServePlan,
    check_handler,
)

from .dialing import walk
from .door import StreamServing
from .opening import Opening
from .peer import TcpPeer

__all__ = ["connect_tcp", "serve_tcp"]

_DEFAULT_CODEC: Final = LengthPrefixed()


class connect_tcp(Opening[TcpPeer]):  # noqa: N801  (it is used like a function)
    """Connect to a TCP server: ``async with connect_tcp(host, port) as peer`` or ``peer = await connect_tcp(...)``.

    * ``codec``: how messages stand in the stream, the same on both sides: a :class:`StreamCodec`, or :class:`Frames`
      for WebSocket frames without a handshake, which bring pings and close codes.
    * ``ssl``: an ``SSLContext`` for TLS, ``None`` for none.
    * ``sock``: a connected socket, instead of ``host`` and ``port``.
    * ``options``: those of :class:`TcpConnectOptions`.

    Raises :exc:`ValueError` or :exc:`TypeError`, naming the option, and :exc:`ConnectionRefused`,
    :exc:`ConnectionTimeout` or another :exc:`ConnectionFailed` if no connection came about.
    """

    def __init__(
        self,
        host: str | None = None,
        port: int | None = None,
        codec: TcpCodec = _DEFAULT_CODEC,
        *,
        ssl: tls.SSLContext | None = None,
        sock: socket.socket | None = None,
        **options: Unpack[TcpConnectOptions],
    ) -> None:
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
        super().__init__(plan.timeout)
        self._plan = plan
        self._ssl = ssl
        self._sock = sock

    async def _open(self) -> TcpPeer:
        transport, rest, has_ended = await walk(self._plan.steps(), sock=self._sock, ssl=self._ssl)
        peer = TcpPeer(self._plan.engine(asyncio.get_running_loop().time()))
        peer.link.take_over(transport)
        peer.start(rest, has_ended=has_ended)
        return peer


class serve_tcp(StreamServing[TcpPeer]):  # noqa: N801  (it is used like a function)
    """Serve messages over TCP: ``async with serve_tcp(handler, host, port) as server``.

    * ``handler``: a coroutine function, called with each :class:`TcpPeer`, which is closed when it returns.
    * ``codec``: as in :func:`connect_tcp`.
    * ``host``, ``port``, ``sock``, ``ssl``: as in :func:`serve`; ``options``: those of :class:`TcpServeOptions`.
    * ``max_connections``: beyond it a connection is closed at once, with 1013 where there are close codes.

    Raises :exc:`ValueError` or :exc:`TypeError`, naming the option, and :exc:`BindFailed` where it cannot listen.
    """

    def __init__(
        self,
        handler: Callable[[TcpPeer], Awaitable[None]],
        host: str | Sequence[str] | None = None,
        port: int | None = None,
        codec: TcpCodec = _DEFAULT_CODEC,
        *,
        sock: socket.socket | Sequence[socket.socket] | None = None,
        ssl: tls.SSLContext | None = None,
        max_connections: int | None = 1000,
        **options: Unpack[TcpServeOptions],
    ) -> None:
        check_handler(handler)
        super().__init__(
            handler,
            TcpServePlan(host, port, sock, codec, entropy=os.urandom, **options),
            TcpPeer,
            max_connections=max_connections,
            ssl=ssl,
        )
