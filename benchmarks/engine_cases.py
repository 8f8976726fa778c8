"""What is measured of an engine, and what it is fed with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from wsproto_core.frames import Frame, Opcode

__all__ = ["CASES", "KEY", "Case"]

KEY: Final = b"\x37\xfa\x21\x3d"
KIB: Final = 1024
#: What a transport hands over at once.
READ_SIZE: Final = 64 * KIB
#: Bytes of one measurement, and how many messages it has at most and at least.
VOLUME: Final = 16 * KIB * KIB
MAX_MESSAGES: Final = 20_000
MIN_MESSAGES: Final = 8


@dataclass(frozen=True)
class Case:
    """Text messages of one size, one way, at one side."""

    name: str
    direction: str
    #: The side that is measured: a server hears masked frames and a client sends them.
    role: str
    size: int
    #: CPU nanoseconds a message that the compiled engine, and the one in Python, may take, or how often the limit's.
    goal: str = ""

    @property
    def count(self) -> int:
        return max(MIN_MESSAGES, min(MAX_MESSAGES, VOLUME // self.size))

    @property
    def text(self) -> str:
        return "x" * self.size

    @property
    def frame(self) -> bytes:
        """One message as its receiver hears it."""
        return bytes(Frame(Opcode.TEXT, self.text.encode(), mask=KEY if self.role == "server" else None))

    def reads(self) -> list[bytes]:
        """All messages, as a transport would hand them over."""
        wire = self.frame * self.count
        return [wire[start : start + READ_SIZE] for start in range(0, len(wire), READ_SIZE)]

    def whole_reads(self) -> list[bytes]:
        """The same in reads that end where frames end: for who cannot remember."""
        size = len(self.frame) * max(1, READ_SIZE // len(self.frame))
        wire = self.frame * self.count
        return [wire[start : start + size] for start in range(0, len(wire), size)]


def _received(size: int, label: str, goal: str) -> Case:
    return Case(f"receive {label} masked", "receive", "server", size, goal)


CASES: Final = {
    case.name: case
    for case in (
        _received(64, "64 B", "60 ns; Python 1600 ns"),
        _received(KIB, "1 KiB", "1.5 limits"),
        _received(64 * KIB, "64 KiB", "1.5 limits"),
        _received(KIB * KIB, "1 MiB", "1.5 limits"),
        Case("receive 64 B plain", "receive", "client", 64),
        Case("send 64 B server", "send", "server", 64, "200 ns; Python 850 ns"),
        Case("send 64 B client", "send", "client", 64, "300 ns; Python 1500 ns"),
        Case("send 64 KiB client", "send", "client", 64 * KIB, "2 limits"),
    )
}
