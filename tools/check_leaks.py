"""Move messages through the compiled twin and see whether memory comes back: `tools/check_leaks.py [COUNT]`.

Every path of both loops is taken in turn: whole messages, fragments, messages in many reads, text in and outside ASCII,
control frames, every way to end; on the way out also what is refused, overtaken and dropped. What the asyncio adapter
asks the system has its turn too, down to its errors. Without COUNT it is ten million messages each way.
"""

from __future__ import annotations

import argparse
import gc
import socket
import sys
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import pairwise
from typing import Final

from wsproto_core._config import Limits
from wsproto_core._extensions.permessage_deflate import PerMessageDeflate
from wsproto_core._speedups import FrameDecoder, FrameQueue
from wsproto_core._types import Message, Receive

KEY: Final = b"\x37\xfa\x21\x3d"
MODES: Final = tuple(Receive)
#: What a round may leave behind, in bytes: tables and caches of the interpreter that grow once.
TOLERATED: Final = 4096
ROUNDS: Final = 4


def main() -> int:
    """Check; return the exit status."""
    parser = argparse.ArgumentParser(description="Look for leaks in the compiled twin.")
    parser.add_argument("count", type=int, nargs="?", default=10_000_000, metavar="COUNT")
    count = parser.parse_args().count
    from wsproto_asyncio._speedups import leaves_c
    from wsproto_core._speedups import codec_c, frames_c

    received = left_behind(lambda: receive_messages(codec_c.FrameDecoder, frames_c.FrameQueue, count // ROUNDS))
    print(f"{count} messages received: {received} bytes left behind")
    sent = left_behind(lambda: send_messages(frames_c.FrameQueue, count // ROUNDS))
    print(f"{count} messages sent: {sent} bytes left behind")
    carried = left_behind(lambda: carry_messages(leaves_c.receive, leaves_c.send, count // ROUNDS))
    print(f"{count} messages carried: {carried} bytes left behind")
    return int(max(received, sent, carried) > TOLERATED)


def left_behind(work: Callable[[], object]) -> int:
    """How many bytes each of the last rounds of ``work`` leaves allocated, at most."""
    work()
    tracemalloc.start()
    try:
        sizes = [measured(work) for _ in range(ROUNDS - 1)]
    finally:
        tracemalloc.stop()
    return max(later - earlier for earlier, later in pairwise(sizes))


def measured(work: Callable[[], object]) -> int:
    work()
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


# --- in ---------------------------------------------------------------------------------------------------------------


def receive_messages(codec: type[FrameDecoder], queue: type[FrameQueue], count: int) -> None:
    """Decode at least ``count`` messages in every way there is."""
    seen = 0
    while seen < count:
        for masked in (True, False):
            for mode in MODES:
                for wire in wires(queue, masked):
                    seen += decode(
                        codec(
                            masked=masked,
                            receive=mode,
                            limits=Limits(),
                            transforms=[PerMessageDeflate().confirm((), Limits())],
                        ),
                        wire,
                    )


def decode(decoder: FrameDecoder, wire: bytes) -> int:
    """Whole, and in pieces that end anywhere; the number of events."""
    half = len(wire) // 2
    return sum(len(decoder.decode(piece)) for piece in (wire[:half], wire[half : half + 3], wire[half + 3 :], b""))


def wires(queue: type[FrameQueue], masked: bool) -> Iterator[bytes]:
    """One conversation for each way to end."""
    legal = encoded(queue, LEGAL, masked) * 20
    for end in ENDS:
        yield legal + encoded(queue, [end], masked)
    yield legal + encoded(queue, [(0x81, b"the wrong way to mask")], not masked)


def encoded(queue: type[FrameQueue], parts: Sequence[tuple[int, bytes]], masked: bool) -> bytes:
    frames = new_queue(queue, masked)
    for first, payload in parts:
        frames.put_frame(first, payload, 0, len(payload))
    return b"".join(frames.take())


# --- out --------------------------------------------------------------------------------------------------------------


def send_messages(queue: type[FrameQueue], count: int) -> None:
    """Encode at least ``count`` messages in every way there is."""
    sent = 0
    while sent < count:
        for masked in (True, False):
            frames = new_queue(queue, masked)
            frames.put_bytes(b"HTTP/1.1 101")
            frames.keep_ahead()
            for _ in range(20):
                talk(frames)
            sent += frames.messages


def talk(frames: FrameQueue) -> None:
    """Many messages in one batch, one in each, and a batch that nobody takes."""
    for message in MESSAGES:
        frames.put_message(message)
    frames.put_frame(0x02, LONG, 3, len(LONG) - 3)
    frames.put_ahead(0x89, b"ping")
    frames.put_bytes(b"as it is")
    frames.take()
    for message in MESSAGES:
        frames.put_message(message)
        frames.take()
    for message in MESSAGES:
        frames.put_message(message)
    frames.put_ahead(0x8A, b"pong")
    frames.discard()


def new_queue(queue: type[FrameQueue], masked: bool) -> FrameQueue:
    frames = queue(max_size=1 << 20, max_payload=1 << 19)
    frames.is_open = frames.is_direct = True
    if masked:
        frames.mask(lambda size: KEY * (size // len(KEY)))
    return frames


# --- between ----------------------------------------------------------------------------------------------------------


def carry_messages(
    receive: Callable[[socket.socket, memoryview], object],
    send: Callable[[socket.socket, bytes | memoryview], int],
    count: int,
) -> None:
    """Carry at least ``count`` messages through sockets, to the end of each, and beyond."""
    memory, carried = memoryview(bytearray(2 * len(LONG))), 0
    while carried < count:
        here, there = socket.socketpair()
        with here, there:
            here.setblocking(False)
            there.setblocking(False)
            for data in (b"short", memoryview(b"short"), LONG) * 20:
                carried += send(here, data) == len(data)
                while receive(there, memory) is not None:
                    pass
            while send(here, LONG):
                pass
        with suppress(OSError):
            receive(there, memory)
        with suppress(OSError):
            send(here, LONG)


# --- what they say ----------------------------------------------------------------------------------------------------

LONG: Final = "größer ".encode() * 10_000
LEGAL: Final[Sequence[tuple[int, bytes]]] = (
    *((0x81, b"x" * size) for size in (0, 1, 64, 125, 126, 1000)),
    *((0x82, b"\xff" * size) for size in (0, 1, 64, 125, 126, 1000)),
    (0x81, "größer €😀".encode()),
    (0x81, LONG),
    (0x82, LONG),
    *((0x01, b"a\xc3"), (0x00, b"\xa4b"), (0x89, b"ping"), (0x00, b""), (0x80, b"c")),
    *((0x02, b"a\xc3"), (0x00, b"\xa4b"), (0x8A, b"pong"), (0x80, LONG)),
)
ENDS: Final[Sequence[tuple[int, bytes]]] = (
    (0x88, b"\x03\xe8bye"),
    (0x88, b"\x03\xe8\xff"),
    (0x88, b"\x00\x00"),
    (0x81, b"\xff" * 30),
    (0x01, b"\xe2\x82"),
    (0x81, b"\xe2\x82"),
    (0x81, LONG + b"\xff" + LONG),
    (0x01, LONG + b"\xed\xa0" + LONG),
    (0x83, b""),
    (0x80, b""),
    (0xC1, b"not deflated"),
    (0xA1, b"not deflated"),
)
#: The lone surrogate is refused.
MESSAGES: Final[Sequence[Message]] = (
    *("x" * size for size in (0, 1, 64, 125, 126, 1000)),
    *(b"\xff" * size for size in (0, 1, 64, 125, 126, 1000)),
    *("größer €😀", "é" * 9, LONG.decode(), LONG, "a\ud800"),
)


if __name__ == "__main__":
    sys.exit(main())
