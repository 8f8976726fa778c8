"""The ten reserved opcodes (RFC 6455 §5.2)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from wsproto_core.frames import Frame

from ...transcript import in_bytes
from ...wire import Part, close, continuation, ping, text
from ..case import Steps, family
from ..expecting import ExpectEarlyFailure, ExpectFailure
from ..samples import echoed, sample_bytes
from ..steps import send

__all__ = ["CASES"]

#: Reserved for further data frames, and for further control frames.
_OPCODES: Final = (3, 4, 5, 6, 7, 0xB, 0xC, 0xD, 0xE, 0xF)


def _sizes() -> Iterator[tuple[str, Steps]]:
    for opcode in _OPCODES:
        for size in (0, 5, 125, 126):
            yield (
                f"opcode {opcode:#x} with {in_bytes(size)}",
                (send(Frame(opcode, sample_bytes(size))), ExpectFailure()),
            )


def _fragments() -> Iterator[tuple[str, Steps]]:
    for opcode in _OPCODES:
        yield (
            f"opcode {opcode:#x} as the first fragment",
            (send(Frame(opcode, b"Hel", final=False), continuation("lo")), ExpectFailure()),
        )
        yield (
            f"opcode {opcode:#x} inside of a fragmented message",
            (send(text("Hel", final=False), Frame(opcode, b"x"), continuation("lo")), ExpectFailure()),
        )


def _around() -> Iterator[tuple[str, Steps]]:
    for opcode in _OPCODES:
        wrong = Frame(opcode, b"wrong")
        yield f"opcode {opcode:#x} after a good message", (*echoed("right"), send(wrong), ExpectFailure())
        yield (
            f"opcode {opcode:#x} between two good messages, in one write",
            (send(text("right"), wrong, text("right")), ExpectFailure(before=("right",))),
        )
        yield (
            f"opcode {opcode:#x} before a ping, byte by byte",
            (send(wrong, ping(b"later"), write_size=1), ExpectFailure()),
        )
        yield f"opcode {opcode:#x} before a close frame", (send(wrong, close(4001)), ExpectFailure())


def _early() -> Iterator[tuple[str, Steps]]:
    for opcode in _OPCODES:
        wrong = Frame(opcode, b"wrong")
        yield (
            f"the header of opcode {opcode:#x}, the payload later",
            (send(Part(wrong, stop=0)), ExpectEarlyFailure(), send(Part(wrong, 0)), ExpectFailure()),
        )


_REQUIREMENT: Final = "An unknown opcode MUST make the receiver fail the connection."

CASES: Final = (
    *family("opcodes.1", "RFC 6455 §5.2", _REQUIREMENT, _sizes()),
    *family("opcodes.2", "RFC 6455 §5.2", _REQUIREMENT, _fragments()),
    *family("opcodes.3", "RFC 6455 §5.2", _REQUIREMENT, _around()),
    *family(
        "opcodes.4",
        "RFC 6455 §5.2",
        "An unknown opcode is wrong as soon as it is seen; to wait for the whole frame is lax.",
        _early(),
    ),
)
