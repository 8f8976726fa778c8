"""Streams: a socket, and TLS over any other stream.

Only :meth:`Stream.wait` blocks, and nothing decides. A stream is not safe for several threads: whoever owns it holds
the lock, but for that one call.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Sequence
from contextlib import suppress
from itertools import islice
from typing import Any, Final, Protocol, TypeAlias

from ._speedups import send
from .waiting import READ, make_selector

__all__ = ["Bytes", "Plain", "Stream", "Tls"]

Bytes: TypeAlias = bytes | memoryview

_READ_SIZE: Final = 64 * 1024
#: Plain text that is encrypted at once, so that what has not been encrypted can still be overtaken.
_ENCRYPT_SIZE: Final = 64 * 1024
#: Makes one call non-blocking, and not the socket, so that one thread may wait in it. Windows has none.
_DONTWAIT: Final = getattr(socket, "MSG_DONTWAIT", 0)
#: Buffers in one vectored write; every system takes at least 16.
_MAX_BUFFERS: Final = 16


class Stream(Protocol):
    """A connected, non-blocking stream of bytes, and what its owner has to watch the socket for."""

    @property
    def blocking_socket(self) -> socket.socket | None:
        """The socket, where bytes are taken from it as they come and a thread may wait in it; else ``None``."""
        ...

    @property
    def socket(self) -> socket.socket:
        """The socket at the bottom."""
        ...

    @property
    def tls(self) -> ssl.SSLObject | None:
        """The TLS of this stream, for its certificates and the like."""
        ...

    @property
    def local_address(self) -> Any: ...

    @property
    def remote_address(self) -> Any: ...

    @property
    def wants_write(self) -> bool:
        """Whether bytes that were taken have not left: call :meth:`flush` once the socket can be written."""
        ...

    @property
    def has_pending(self) -> bool:
        """Whether :meth:`receive` may have something although the socket has not."""
        ...

    @property
    def is_stuck(self) -> bool:
        """Whether :meth:`send` can take nothing before something is received, however writable the socket is."""
        ...

    def receive(self) -> bytes | None:
        """What has come: ``None`` for nothing yet, ``b""`` for the end. Raises :exc:`OSError`."""
        ...

    def wait(self, timeout: float | None) -> bytes | None:
        """Wait until something has come, at most ``timeout`` seconds, while other threads send; return it where that
        saves a call, else ``None``: :meth:`receive` tells. Raises :exc:`OSError`.
        """
        ...

    def send(self, buffers: Sequence[Bytes]) -> int:
        """Take as much as fits; return how many bytes that was. Raises :exc:`OSError`."""
        ...

    def flush(self) -> None:
        """Write what was taken, as far as it fits. Raises :exc:`OSError`."""
        ...

    def end(self) -> None:
        """End the write side, behind what was taken. Raises :exc:`OSError`."""
        ...

    def close(self) -> None:
        """Drop it, at once."""
        ...


class Plain:
    """A stream over a connected ``sock``, which belongs to it from now on."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket: socket.socket = sock
        # Each has its own, where they are found faster than in the class.
        self.wants_write: bool = False
        self.has_pending: bool = False
        self.is_stuck: bool = False
        self.tls: ssl.SSLObject | None = None
        self.blocking_socket: socket.socket | None = sock if _DONTWAIT else None
        sock.setblocking(bool(_DONTWAIT))
        if sock.family in (socket.AF_INET, socket.AF_INET6):
            with suppress(OSError):  # it is gone already, or no TCP: both are told later, if at all
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        #: Asked for now, because a closed socket cannot tell.
        self.local_address: Any = _ask(sock.getsockname)
        self.remote_address: Any = _ask(sock.getpeername)

    def receive(self, size: int = _READ_SIZE) -> bytes | None:
        try:
            return self.socket.recv(size, _DONTWAIT)
        except (BlockingIOError, InterruptedError):
            return None

    def wait(self, timeout: float | None) -> bytes | None:
        if timeout is None and _DONTWAIT:
            return self.socket.recv(_READ_SIZE)
        _wait_readable(self.socket, timeout)
        return None

    def send(self, buffers: Sequence[Bytes]) -> int:
        if len(buffers) == 1 or not hasattr(self.socket, "sendmsg"):  # Windows has none
            return send(self.socket, buffers[0])
        try:
            return self.socket.sendmsg(list(islice(buffers, _MAX_BUFFERS)), (), _DONTWAIT)
        except (BlockingIOError, InterruptedError):
            return 0

    def flush(self) -> None:
        pass

    def end(self) -> None:
        self.socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self.socket.close()


class Tls:
    """TLS over the stream ``below``, which may be TLS itself. The handshake happens by itself with the first use."""

    def __init__(
        self, below: Stream, context: ssl.SSLContext, *, server_hostname: str | None = None, server_side: bool = False
    ) -> None:
        self._below = below
        self.blocking_socket: socket.socket | None = None
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self.tls: ssl.SSLObject = context.wrap_bio(
            self._incoming, self._outgoing, server_side=server_side, server_hostname=server_hostname
        )
        self.has_pending: bool = False
        self.is_stuck: bool = False
        self._unsent = memoryview(b"")
        self._has_ended = False
        self._has_ended_below = False

    @property
    def socket(self) -> socket.socket:
        return self._below.socket

    @property
    def local_address(self) -> Any:
        return self._below.local_address

    @property
    def remote_address(self) -> Any:
        return self._below.remote_address

    @property
    def wants_write(self) -> bool:
        return bool(self._unsent) or self._outgoing.pending > 0 or self._below.wants_write

    def handshake(self) -> bool:
        """Carry the handshake on, as far as it goes; return whether it is done. Raises :exc:`OSError`."""
        while True:
            try:
                self.tls.do_handshake()
            except ssl.SSLWantReadError:
                self.flush()
                if not self._feed():
                    return False
            except ssl.SSLError:
                self._try_to_flush()  # the alert that says why
                raise
            else:
                self.flush()
                self.has_pending = True  # the other side's first words may have come with the last of it
                return True

    def receive(self) -> bytes | None:
        if self._has_ended:
            return self._discard()
        while True:
            try:
                data = self.tls.read(_READ_SIZE)
            except ssl.SSLWantReadError:
                self.flush()
                if not self._feed():
                    self.has_pending = False
                    return None
            except (ssl.SSLEOFError, ssl.SSLZeroReturnError):
                return self._end_of_input()
            except ssl.SSLError:
                self._try_to_flush()
                raise
            else:
                if not data:
                    return self._end_of_input()
                self.has_pending = True
                return data

    def wait(self, timeout: float | None) -> bytes | None:
        if not self.has_pending:
            _wait_readable(self.socket, timeout)
        return None

    def send(self, buffers: Sequence[Bytes]) -> int:
        taken = 0
        try:
            for buffer in buffers:
                view = memoryview(buffer)
                for start in range(0, len(view), _ENCRYPT_SIZE):
                    self.flush()
                    if self.wants_write:
                        return taken
                    taken += self.tls.write(view[start : start + _ENCRYPT_SIZE])
        except ssl.SSLWantReadError:
            self.is_stuck = True
        self.flush()
        return taken

    def flush(self) -> None:
        while self._unsent or self._outgoing.pending:
            if not self._unsent:
                self._unsent = memoryview(self._outgoing.read())
            sent = self._below.send([self._unsent])
            self._unsent = self._unsent[sent:]
            if not sent:
                break
        self._below.flush()
        if self._has_ended and not self._has_ended_below and not self.wants_write:
            self._has_ended_below = True
            self._below.end()

    def end(self) -> None:
        self._has_ended = True
        self.has_pending = False
        try:
            self.tls.unwrap()  # which only says goodbye: the other side's comes later, if ever
        except (ssl.SSLError, ValueError):
            pass
        self.flush()

    def close(self) -> None:
        self._below.close()

    def _feed(self) -> bool:
        """Hand on what has come below; return whether there was anything, be it the end."""
        data = self._below.receive()
        if data is None:
            return False
        self.is_stuck = False
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()
        return True

    def _end_of_input(self) -> bytes:
        self.has_pending = False
        self._try_to_flush()
        return b""

    def _discard(self) -> bytes | None:
        """Everything has been said both ways, and only the end still matters."""
        return b"" if self._below.receive() == b"" else None

    def _try_to_flush(self) -> None:
        try:
            self.flush()
        except OSError:
            pass


def _wait_readable(sock: socket.socket, timeout: float | None) -> None:
    with make_selector() as selector:
        selector.register(sock, READ)
        selector.select(timeout)


def _ask(question: Any) -> Any:
    try:
        return question()
    except OSError:
        return None
