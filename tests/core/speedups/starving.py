"""What the native buffers do when memory runs out.

``test_leaves.py`` runs it in a process of its own, because what fails is the next allocation of anybody.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import import_module
from itertools import product
from typing import Any, Final

from tests.core.twins import Incoming, Outgoing
from wsproto_core._speedups.leaves_c import FrameBuffer, MessageBuffer

_testcapi: Any = import_module("_testcapi")  # has no stubs

KEY: Final = b"1234"
BEFORE: Final = (b"", b"a", b"y" * 100, b"y" * 4096)
MORE: Final[tuple[Callable[[Outgoing], object], ...]] = (
    lambda frames: frames.add_bytes(b"x" * 3),
    lambda frames: frames.add_bytes(b"x" * 70_000),
    lambda frames: frames.add_header(0x82, 70_000),
    lambda frames: frames.add(0x82, b"x" * 9000, 0, 9000, KEY, 0),
    lambda frames: frames.add(0x82, b"x" * 9000, 0, 9000, b"", 0),
    lambda frames: frames.add_text(0x81, "x" * 9000, KEY, 0),
    lambda frames: frames.add_text(0x81, "€" * 9000, KEY, 0),
)
MESSAGES: Final = (
    (True, b"a" * 99, b"b" * 9999),
    (True, b"a" * 99, "é".encode() * 5000),
    (True, "é".encode(), "é".encode() * 5000),
    (False, b"a", b"b" * 9999),
)
#: No call asks for memory as often.
MANY: Final = 30


def main() -> None:
    for before, add in product(BEFORE, MORE):
        adding(before, add)
    taking()
    for is_text, before, data in MESSAGES:
        receiving(is_text, before, data)


def adding(before: bytes, add: Callable[[Outgoing], object]) -> None:
    """All or nothing is appended."""
    whole = FrameBuffer()
    whole.add_bytes(before)
    add(whole)
    expected = before, whole.take()
    for count in range(MANY):
        frames = FrameBuffer()
        frames.add_bytes(before)
        has_failed = fails(count, partial(add, frames))
        size, taken = frames.size, frames.take()
        assert size == len(taken)
        assert taken in expected if has_failed else taken == expected[1], (count, taken[:9])
        is_usable(frames)
        assert not (has_failed and count == MANY - 1)


def taking() -> None:
    """What cannot be taken is gone."""
    for count in range(MANY):
        frames = FrameBuffer()
        for _ in range(9):
            frames.add_bytes(b"y" * 999)
        if fails(count, frames.take):
            assert (frames.size, frames.take()) == (0, b"")
        is_usable(frames)


def is_usable(frames: Outgoing) -> None:
    frames.add_bytes(b"again")
    assert (frames.size, frames.take()) == (5, b"again")


def receiving(is_text: bool, before: bytes, data: bytes) -> None:
    """What is left is some of what has come, and nothing else."""
    for count in range(MANY):
        message = MessageBuffer(is_text)
        message.add(before, 0, len(before), b"", 0, 9999)
        has_failed = fails(count, partial(receive, message, data))
        message.check()
        left = message.take(True)
        left_bytes = left.encode() if isinstance(left, str) else left
        assert left_bytes in ((b"", before, data, before + data) if has_failed else (b"",)), (count, left[:9])
        message.add(b"again", 0, 5, b"", 0, 0)
        assert message.take(True) == ("again" if is_text else b"again")
        assert not (has_failed and count == MANY - 1)


def receive(message: Incoming, data: bytes) -> None:
    message.add(data, 0, len(data), b"", 0, 0)
    message.check()
    message.take(False)


def fails(count: int, work: Callable[[], object]) -> bool:
    """Whether ``work`` raises :exc:`MemoryError` where one allocation fails, ``count`` after the first."""
    try:
        _testcapi.set_nomemory(count, count + 1)
        work()
    except MemoryError:
        return True
    finally:
        _testcapi.remove_mem_hooks()
    return False


if __name__ == "__main__":
    main()
