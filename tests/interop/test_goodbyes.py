"""A raw socket that goes on behind its own close frame (RFC 6455 §5.5.1), with every adapter's server.

docs/decisions/0038-clean-ends.md: it may see a reset then, but never instead of what it was told before.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from tests.adapters.kit import HANDSHAKE, TEXT, close_frame, frame
from tests.interop.kit import Ending, oblige
from tests.interop.runtimes import Ours, Runtime

MESSAGE = frame(TEXT, b"a")
ANSWER = frame(TEXT, b"a", mask=None) + close_frame(mask=None)


@pytest.mark.parametrize(
    "writes",
    [[MESSAGE + close_frame() + 5 * MESSAGE], [MESSAGE + close_frame(), 5 * MESSAGE]],
    ids=["in one write", "in the next write"],
)
async def test_messages_behind_a_close_frame_cost_their_sender_nothing_of_the_answer(
    runtime: Runtime, writes: Sequence[bytes]
) -> None:
    endings: list[Ending] = []
    async with _serve(runtime, endings) as server:
        assert await runtime.in_thread(_say, server.port, writes) == ANSWER
    assert endings == [(1000, "")]


async def test_messages_behind_the_whole_goodbye_disturb_nobody(runtime: Runtime) -> None:
    def say_more() -> None:
        with _open(server.port) as sock:
            sock.sendall(MESSAGE + close_frame())
            assert b"".join(sock.recv(1) for _ in ANSWER) == ANSWER
            with contextlib.suppress(OSError):  # it may be gone already
                sock.sendall(5 * MESSAGE)
            assert _rest(sock) == b""

    async with _serve(runtime, []) as server:
        await runtime.in_thread(say_more)
        assert await runtime.in_thread(_say, server.port, [MESSAGE + close_frame()]) == ANSWER


def _serve(runtime: Runtime, endings: list[Ending]) -> AbstractAsyncContextManager[Any]:
    """An echo, which adds to ``endings``."""

    async def handler(ws: Any) -> None:
        endings.append(await oblige(Ours(ws)))

    return runtime.serve(handler, "127.0.0.1", 0)


def _say(port: int, writes: Sequence[bytes]) -> bytes:
    """Everything that comes back, to the end of the connection, be it orderly or not."""
    with _open(port) as sock:
        for data in writes:
            with contextlib.suppress(OSError):  # what came before is to be read all the same
                sock.sendall(data)
        return _rest(sock)


def _open(port: int) -> socket.socket:
    """A connection behind its handshake."""
    sock = socket.create_connection(("127.0.0.1", port), timeout=30)
    sock.sendall(HANDSHAKE)
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += sock.recv(1)
    assert head.startswith(b"HTTP/1.1 101 ")
    return sock


def _rest(sock: socket.socket) -> bytes:
    data = b""
    with contextlib.suppress(ConnectionError):
        while piece := sock.recv(65536):
            data += piece
    return data
