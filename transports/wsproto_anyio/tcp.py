"""Messages over TCP, without WebSocket's handshake: clients and servers."""

from __future__ import annotations

import os
import socket
import ssl as tls
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Unpack

from anyio import current_time
from anyio.abc import AnyByteStream, TaskGroup

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
    """Connect to a TCP server: ``async with connect_tcp(host, port) as peer``, or
    ``peer = await connect_tcp(host, port, task_group=group)``.

    * ``codec``: how messages stand in the stream, the same on both sides: a :class:`StreamCodec`, or :class:`Frames`
      for WebSocket frames without a handshake, which bring pings and close codes.
    * ``ssl``: an ``SSLContext`` for TLS, ``None`` for none.
    * ``sock``, a connected socket, or ``stream``, an open anyio stream: instead of ``host`` and ``port``.
    * ``task_group``: as in :func:`connect`.
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
        stream: AnyByteStream | None = None,
        task_group: TaskGroup | None = None,
        **options: Unpack[TcpConnectOptions],
    ) -> None:
        if sock is not None and stream is not None:
            raise ValueError("sock and stream exclude one another")
        opened = stream if sock is None else sock
        plan = TcpConnectPlan(
            host,
            port,
            codec,
            entropy=os.urandom,
            environment=os.environ,
            secure=ssl is not None,
            is_open=opened is not None,
            **options,
        )
        super().__init__(plan.timeout, task_group)
        self._plan = plan
        self._ssl = ssl
        self._opened = opened

    async def _open(self, group: TaskGroup) -> TcpPeer:
        stream, rest = await walk(self._plan.steps(), opened=self._opened, ssl=self._ssl)
        peer = TcpPeer(self._plan.engine(current_time()), stream)
        peer.start(group, rest)
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
        task_group: TaskGroup | None = None,
        **options: Unpack[TcpServeOptions],
    ) -> None:
        check_handler(handler)
        super().__init__(
            handler,
            TcpServePlan(host, port, sock, codec, entropy=os.urandom, **options),
            TcpPeer,
            max_connections=max_connections,
            ssl=ssl,
            task_group=task_group,
        )
