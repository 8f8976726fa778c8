"""What the tests of ``wsproto_sockets`` share: handlers, raw sockets, threads with a result, bounded waiting."""

from __future__ import annotations

import contextlib
import gc
import itertools
import os
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from typing import Any, TypeVar

import pytest

from tests.adapters.kit import CLOSE, HANDSHAKE, Frame, answer_to, frame
from wsproto_sockets import Server, WebSocket

__all__ = [
    "PATIENCE",
    "Raw",
    "deaf_socket",
    "drain",
    "echo",
    "eventually",
    "free_port",
    "http",
    "proxy_server",
    "raw_server",
    "run",
    "send_all",
    "tidy",
    "url",
]

_T = TypeVar("_T")
#: No wait of a test is longer than this, in seconds.
PATIENCE = 20.0


# --- handlers, addresses, threads -------------------------------------------------------------------------------------


def echo(ws: WebSocket) -> None:
    """Send back what comes."""
    for message in ws:
        ws.send(message)


def drain(ws: WebSocket) -> None:
    """Read until the end, and say nothing."""
    for _ in ws:
        pass


def send_all(ws: WebSocket | Raw, messages: Iterable[Any]) -> None:
    """Send one message after the other."""
    for message in messages:
        ws.send(message)


def url(server: Server[Any], path: str = "/", *, secure: bool = False) -> str:
    """Where ``server`` listens."""
    return f"{'wss' if secure else 'ws'}://127.0.0.1:{server.port}{path}"


def free_port() -> int:
    """Where nobody listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def eventually(condition: Callable[[], object]) -> None:
    """Wait until ``condition`` holds, and fail if it does not in time."""
    deadline = time.monotonic() + PATIENCE
    for pause in itertools.chain([0.0] * 20, itertools.repeat(0.002)):
        if condition():
            return
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(pause)


def run(work: Callable[..., _T], *arguments: object, **options: Any) -> Future[_T]:
    """Run ``work`` in a thread of its own."""
    future: Future[_T] = Future()

    def body() -> None:
        try:
            future.set_result(work(*arguments, **options))
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=body, daemon=True).start()
    return future


def descriptors() -> int:
    """How many files this process has open."""
    return len(os.listdir("/proc/self/fd"))


@pytest.fixture
def tidy() -> Iterator[None]:
    """No thread and no file descriptor outlives the test."""
    threads, files = set(threading.enumerate()), descriptors()
    yield
    eventually(lambda: set(threading.enumerate()) <= threads)
    gc.collect()
    eventually(lambda: descriptors() <= files)


# --- peers without any library ----------------------------------------------------------------------------------------


class Raw:
    """One end of a connection, blocking, with a time limit on everything."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        sock.settimeout(PATIENCE)

    @classmethod
    @contextlib.contextmanager
    def connect(cls, port: int, *, handshake: bool = True, context: ssl.SSLContext | None = None) -> Iterator[Raw]:
        """A client; with ``handshake`` its connection is open."""
        sock = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        if context is not None:
            sock = context.wrap_socket(sock, server_hostname="127.0.0.1")
        raw = cls(sock)
        try:
            if handshake:
                raw.send(HANDSHAKE)
                assert raw.head().startswith(b"HTTP/1.1 101 ")
            yield raw
        finally:
            sock.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            piece = self.socket.recv(size - len(data))
            if not piece:
                raise EOFError
            data += piece
        return data

    def head(self) -> bytes:
        """An HTTP head."""
        data = b""
        while not data.endswith(b"\r\n\r\n"):
            data += self.exactly(1)
        return data

    def rest(self) -> bytes:
        """Everything up to the end, be it orderly or not."""
        data = b""
        with contextlib.suppress(ConnectionError):
            while piece := self.socket.recv(65536):
                data += piece
        return data

    def frame(self) -> Frame:
        """The next frame; masks are taken off."""
        first, second = self.exactly(2)
        size = second & 0x7F
        if size == 126:
            size = int.from_bytes(self.exactly(2), "big")
        elif size == 127:
            size = int.from_bytes(self.exactly(8), "big")
        mask = self.exactly(4) if second & 0x80 else None
        payload = self.exactly(size)
        if mask is not None:
            payload = frame(0, payload, mask=mask)[-size:] if size else b""
        return Frame(first & 0x0F, payload, bool(first & 0x80))

    def close_code(self) -> int:
        """Read up to a close frame; its code."""
        while (received := self.frame()).opcode != CLOSE:
            pass
        return int.from_bytes(received.payload[:2], "big")

    def reset(self) -> None:
        """End it with a RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


def http(port: int, request: str | bytes) -> bytes:
    """Send ``request`` as it is; the whole answer, up to the end of the connection."""
    with Raw.connect(port, handshake=False) as raw:
        raw.send(request.encode() if isinstance(request, str) else request)
        return raw.rest()


def deaf_socket(port: int) -> socket.socket:
    """An open connection with a small receive buffer, whose owner reads only what it wants to."""
    sock = socket.socket()
    sock.settimeout(PATIENCE)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.connect(("127.0.0.1", port))
    sock.sendall(HANDSHAKE)
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += sock.recv(1)
    return sock


@contextlib.contextmanager
def raw_server(behave: Callable[[Raw], object], *, handshake: bool = True) -> Iterator[int]:
    """A server whose connections are in the hands of ``behave``; yields its port. Errors of sockets are no news."""
    open_sockets: set[socket.socket] = set()

    def connected(sock: socket.socket) -> None:
        raw = Raw(sock)
        with sock, contextlib.suppress(OSError, EOFError):
            if handshake:
                raw.send(answer_to(raw.head()))
            behave(raw)
        open_sockets.discard(sock)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = listening.accept()
                open_sockets.add(sock)
                run(connected, sock)

    listening = socket.create_server(("127.0.0.1", 0))
    accepting = run(accept)
    try:
        yield listening.getsockname()[1]
    finally:
        for sock in (listening, *tuple(open_sockets)):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        listening.close()
        accepting.result(PATIENCE)


@contextlib.contextmanager
def proxy_server(context: ssl.SSLContext | None = None) -> Iterator[int]:
    """A proxy for CONNECT and SOCKS5 alike, behind TLS if there is a ``context``; yields its port."""

    def copy(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    def behave(raw: Raw) -> None:
        if context is not None:
            raw.socket = context.wrap_socket(raw.socket, server_side=True)
            raw.socket.settimeout(PATIENCE)
        with raw.socket:
            host, port, answer = where_to(raw)
            with socket.create_connection((host, port), timeout=PATIENCE) as onward:
                raw.send(answer)
                back = run(copy, onward, raw.socket)
                copy(raw.socket, onward)
                if context is not None:  # an SSLSocket is not for two threads at its end
                    onward.shutdown(socket.SHUT_RDWR)
                back.result(PATIENCE)

    with raw_server(behave, handshake=False) as port:
        yield port


def where_to(raw: Raw) -> tuple[str, int, bytes]:
    """What a client of the proxy asks for, and what it is to be told."""
    first = raw.exactly(1)
    if first != b"\x05":
        host, _, port = (first + raw.head()).split()[1].decode().rpartition(":")
        return host, int(port), b"HTTP/1.1 200 OK\r\n\r\n"
    raw.exactly(raw.exactly(1)[0])
    raw.send(b"\x05\x00")
    kind = raw.exactly(4)[3]
    host = socket.inet_ntoa(raw.exactly(4)) if kind == 1 else raw.exactly(raw.exactly(1)[0]).decode()
    return host, int.from_bytes(raw.exactly(2), "big"), b"\x05\x00\x00\x01" + bytes(6)
