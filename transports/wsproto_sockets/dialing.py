"""The steps of the way to a server, done with blocking sockets. Which steps those are is the core's business."""

from __future__ import annotations

import errno
import ipaddress
import socket
import ssl as tls
import threading
from collections import deque
from collections.abc import Generator, Sequence
from itertools import chain, zip_longest
from queue import Empty, SimpleQueue
from selectors import EVENT_WRITE, BaseSelector
from time import monotonic
from typing import Any, Final

from wsproto_core import OpenTcp, OpenUnix, Read, StartTls, Step, Write

from .stream import Plain, Stream, Tls
from .waiting import make_selector, remaining, wait_for

__all__ = ["walk"]

#: Seconds after which another address of the same host is tried as well (RFC 8305 §5).
_HAPPY_EYEBALLS_DELAY: Final = 0.25
#: What a system says of a connection that is under way.
_IN_PROGRESS: Final = (errno.EINPROGRESS, getattr(errno, "WSAEWOULDBLOCK", errno.EINPROGRESS))

#: A family, and an address of it.
_Address = tuple[Any, ...]


def walk(
    steps: Generator[Step, bytes, bytes],
    *,
    sock: socket.socket | None,
    ssl: tls.SSLContext | None,
    deadline: float | None,
) -> tuple[Stream, bytes]:
    """Do ``steps``, over ``sock`` if there is one; return the open stream and what the engine must be given first.

    ``ssl`` is for the server, not for a proxy; ``None`` verifies against the system's authorities. Raises
    :exc:`TimeoutError` when ``deadline`` is reached.
    """
    way = _Way(sock, ssl, deadline)
    try:
        step = next(steps)
        while True:
            try:
                answer = way.do(step)
            except OSError as error:
                step = steps.throw(error)
            else:
                step = steps.send(answer)
    except StopIteration as done:
        return way.open_stream(), done.value
    except BaseException:
        if way.stream is not None:
            way.stream.close()
        raise


class _Way:
    """The stream while it comes to be, and one deadline for all that is done to it."""

    def __init__(self, sock: socket.socket | None, ssl: tls.SSLContext | None, deadline: float | None) -> None:
        self.stream: Stream | None = None if sock is None else Plain(sock)
        self._ssl = ssl
        self._deadline = deadline

    def open_stream(self) -> Stream:
        assert self.stream is not None, "the steps begin with one that opens it, or there is a socket"
        return self.stream

    def do(self, step: Step) -> bytes:
        match step:
            case OpenTcp(host, port):
                self.stream = Plain(_Race(_resolve(host, port, self._deadline)).run(self._deadline))
            case OpenUnix(path):
                self.stream = Plain(_Race([(socket.AF_UNIX, path)]).run(self._deadline))
            case StartTls(hostname, to_proxy):
                self._start_tls(hostname, (None if to_proxy else self._ssl) or tls.create_default_context())
            case Write(data):
                self._write(data)
            case Read():
                return self._read()
        return b""

    def _start_tls(self, hostname: str, context: tls.SSLContext) -> None:
        self.stream = stream = Tls(self.open_stream(), context, server_hostname=hostname)
        while not stream.handshake():
            wait_for(stream, self._deadline)

    def _write(self, data: bytes) -> None:
        stream, left = self.open_stream(), memoryview(data)
        while left or stream.wants_write:
            stream.flush()
            if left:
                left = left[stream.send([left]) :]
            if left or stream.wants_write:
                wait_for(stream, self._deadline, writing=True)

    def _read(self) -> bytes:
        stream = self.open_stream()
        while (data := stream.receive()) is None:
            wait_for(stream, self._deadline)
        return data


def _resolve(host: str, port: int, deadline: float | None) -> list[_Address]:
    """Where ``host`` may be, the families by turns (RFC 8305 §4). The system's resolver knows no time limit, so that it
    gets a thread, which ends when the resolver does.
    """
    answers: SimpleQueue[list[_Address] | OSError] = SimpleQueue()

    def ask() -> None:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except UnicodeError as error:
            answers.put(OSError(f"{host!r} is no name of a host: {error}"))
        except OSError as error:
            answers.put(error)
        else:
            answers.put([(family, address) for family, _, _, _, address in found])

    if deadline is None or _is_address(host):
        ask()
    else:
        threading.Thread(target=ask, name="wsproto_sockets resolver", daemon=True).start()
    try:
        answer = answers.get(timeout=remaining(deadline))
    except Empty:
        raise TimeoutError from None
    if isinstance(answer, OSError):
        raise answer
    return _by_turns(answer)


def _by_turns(addresses: Sequence[_Address]) -> list[_Address]:
    first = [one for one in addresses if one[0] == addresses[0][0]]
    others = [one for one in addresses if one[0] != addresses[0][0]]
    return [one for one in chain.from_iterable(zip_longest(first, others)) if one is not None]


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


class _Race:
    """Several addresses of one host: each gets a head start over the next, and the first to answer wins."""

    def __init__(self, addresses: Sequence[_Address]) -> None:
        self._waiting = deque(addresses)
        self._errors: list[OSError] = []
        self._next_start = 0.0

    def run(self, deadline: float | None) -> socket.socket:
        """The connected socket. Raises :exc:`OSError`, :exc:`TimeoutError` without a number at ``deadline``."""
        winner: socket.socket | None = None
        with make_selector() as selector:
            try:
                while winner is None and (self._waiting or selector.get_map()):
                    winner = self._round(selector, deadline)
            finally:
                for key in tuple(selector.get_map().values()):
                    if isinstance(key.fileobj, socket.socket) and key.fileobj is not winner:
                        key.fileobj.close()
        if winner is None:
            raise _combined(self._errors)
        return winner

    def _round(self, selector: BaseSelector, deadline: float | None) -> socket.socket | None:
        """Start one, or wait for one of those that run; return one that is connected."""
        if self._waiting and (not selector.get_map() or monotonic() >= self._next_start):
            self._next_start = monotonic() + _HAPPY_EYEBALLS_DELAY
            return self._start(selector, *self._waiting.popleft())
        pauses = [remaining(deadline), remaining(self._next_start) if self._waiting else None]
        ready = selector.select(min((pause for pause in pauses if pause is not None), default=None))
        if not ready and remaining(deadline) == 0:
            raise TimeoutError
        for key, _ in ready:
            sock, address = key.fileobj, key.data
            assert isinstance(sock, socket.socket), "nothing else is registered"
            failure = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if not failure:
                return sock
            selector.unregister(sock)
            self._failed(sock, failure, address)
            self._next_start = 0.0
        return None

    def _start(self, selector: BaseSelector, family: int, address: Any) -> socket.socket | None:
        try:
            sock = socket.socket(family, socket.SOCK_STREAM)
        except OSError as error:  # a family that this system does not speak
            self._errors.append(error)
            return None
        try:
            sock.setblocking(False)
            failure = sock.connect_ex(address)
        except BaseException:
            sock.close()
            raise
        if not failure:
            return sock
        if failure in _IN_PROGRESS:
            selector.register(sock, EVENT_WRITE, address)
        else:
            self._failed(sock, failure, address)
        return None

    def _failed(self, sock: socket.socket, failure: int, address: Any) -> None:
        sock.close()
        self._errors.append(OSError(failure, f"Connect call failed {address}"))


def _combined(errors: Sequence[OSError]) -> OSError:
    if len(errors) == 1:
        return errors[0]
    return OSError(f"Multiple exceptions: {'; '.join(map(str, errors))}")
