"""What the two ends of an interop test say to each other, written once for every library and every adapter."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

from wsproto_core import Limits

__all__ = ["HUGE", "LARGE", "SIZES", "Ending", "Over", "Talker", "converse", "messages", "oblige", "read_out"]

#: Sizes of the messages, in characters or bytes: around every border of the frame's length field.
SIZES = (0, 1, 125, 126, 65535, 65536, 1_000_000)
HUGE = (1_000_000, 10_000_000)
#: Room for them, and for how far a pattern inflates.
LARGE = Limits(message_size=20_000_000, inflate_ratio=None)


class Ending(NamedTuple):
    """What the close frame from the other end said; 1006 if there was none."""

    code: int
    reason: str = ""


class Over(Exception):
    """The connection has ended."""

    def __init__(self, code: int | None, reason: str | None = None) -> None:
        self.ending = Ending(1006 if code is None else code, reason or "")
        super().__init__(str(self.ending))


class Talker(ABC):
    """One end of an open connection, whoever wrote it."""

    @abstractmethod
    async def send(self, message: str | bytes) -> None:
        """Send one message."""

    @abstractmethod
    async def send_parts(self, *parts: str) -> None:
        """Send one text message, in fragments if the library can."""

    @abstractmethod
    async def recv(self) -> str | bytes:
        """The next message. Raises :exc:`Over` at the end."""

    @abstractmethod
    async def ping(self) -> None:
        """Send a ping, and wait for its pong if the library can."""

    @abstractmethod
    async def close(self, code: int, reason: str) -> None:
        """Begin the closing handshake."""

    @abstractmethod
    async def abort(self) -> None:
        """End it without a word."""


def messages(sizes: Sequence[int]) -> list[str | bytes]:
    """A text and a binary message of each size, and texts with several bytes a character."""
    texts = ["👋 héllo 👨‍👩‍👧 \x00", "aaa" + "é" * 50_001, *("x" * size for size in sizes)]
    return [*texts, *((bytes(range(256)) * (size // 256 + 1))[:size] for size in sizes)]


async def converse(ws: Talker, sizes: Sequence[int] = SIZES) -> None:
    """The client's part: everything that two ends can do to each other, but for the end."""
    for message in messages(sizes):
        await ws.send(message)
        received = await ws.recv()
        assert type(received) is type(message)
        assert received == message, f"{len(message)} {type(message)} came back as {len(received)}"
    await ws.send_parts("fra", "gme", "nts")
    assert await ws.recv() == "abc"
    await ws.ping()
    await ws.send("ping me")
    assert await ws.recv() == "ponged"


async def read_out(ws: Talker) -> Ending:
    """Read up to the end."""
    try:
        while True:
            await ws.recv()
    except Over as over:
        return over.ending


async def oblige(ws: Talker) -> Ending:
    """The server's part: echo, and do what some messages ask for, up to the end."""
    try:
        while True:
            await _answer(ws, await ws.recv())
    except Over as over:
        return over.ending


async def _answer(ws: Talker, message: str | bytes) -> None:
    if message == "ping me":
        await ws.ping()
        await ws.send("ponged")
    elif message == "fragments":
        await ws.send_parts("a", "b", "c")
    elif message == "abort":
        await ws.abort()
    elif isinstance(message, str) and message.startswith("close "):
        _, code, reason = message.split(" ")
        await ws.close(int(code), reason)
    else:
        await ws.send(message)
