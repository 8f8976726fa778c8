"""What is measured of an engine, and what it is fed with."""

from __future__ import annotations

import json
import random
from collections import Counter
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

import wire

__all__ = ["CASES", "READ_SIZE", "Case", "DeflateCase", "LifeCase"]

KIB: Final = 1024
#: What a transport hands over at once.
READ_SIZE: Final = 64 * KIB
#: Bytes of one measurement, and how many messages it has at most and at least.
VOLUME: Final = 16 * KIB * KIB
MAX_MESSAGES: Final = 20_000
MIN_MESSAGES: Final = 8
#: How many connections are opened and closed.
LIVES: Final = 2_000
#: How many different documents are compressed one after the other.
DOCUMENTS: Final = 500


@dataclass(frozen=True)
class Case:
    """Text messages of one size, one way, at one side."""

    name: str
    direction: str
    #: The side that is measured: a server hears masked frames and a client sends them.
    role: str
    size: int

    deflate = False

    @property
    def count(self) -> int:
        return max(MIN_MESSAGES, min(MAX_MESSAGES, VOLUME // self.size))

    @property
    def text(self) -> str:
        return "x" * self.size

    def frames(self) -> list[bytes]:
        """The messages as their receiver hears them."""
        return [wire.text(self.size, masked=self.role == "server")] * self.count

    def reads(self) -> list[bytes]:
        """All messages, as a transport would hand them over."""
        stream = b"".join(self.frames())
        return [stream[start : start + READ_SIZE] for start in range(0, len(stream), READ_SIZE)]

    def ends(self) -> list[int]:
        """How many messages end in each read."""
        counts = Counter((end - 1) // READ_SIZE for end in accumulate(map(len, self.frames())))
        return [counts[index] for index in range(max(counts) + 1)]


@dataclass(frozen=True)
class DeflateCase(Case):
    """Different JSON documents, compressed with one context (RFC 7692)."""

    deflate = True

    @property
    def count(self) -> int:
        return DOCUMENTS

    def payloads(self) -> list[bytes]:
        """What is in the frames."""
        chance = random.Random(1)
        return wire.deflated([_document(chance, self.size) for _ in range(self.count)])

    def frames(self) -> list[bytes]:
        return [wire.deflated_frame(payload) for payload in self.payloads()]


@dataclass(frozen=True)
class LifeCase(Case):
    """Connections that a client opens and closes, one after the other."""

    @property
    def count(self) -> int:
        return LIVES


def _document(chance: random.Random, size: int) -> bytes:
    """JSON as services send it: few names, many values."""
    rows: list[dict[str, object]] = []
    while len(document := json.dumps({"type": "trades", "rows": rows})) < size:
        price, amount = round(chance.uniform(1, 1000), 2), chance.randrange(1, 500)
        rows.append(
            {"id": chance.getrandbits(32), "symbol": chance.choice("ABCDEFGH") * 3, "price": price, "amount": amount}
        )
    return document[:size].encode()


CASES: Final = {
    case.name: case
    for case in (
        Case("receive 64 B masked", "receive", "server", 64),
        Case("receive 1 KiB masked", "receive", "server", KIB),
        Case("receive 64 KiB masked", "receive", "server", 64 * KIB),
        Case("receive 1 MiB masked", "receive", "server", KIB * KIB),
        Case("receive 10 MiB masked", "receive", "server", 10 * KIB * KIB),
        Case("receive 64 B plain", "receive", "client", 64),
        DeflateCase("receive 1 KiB JSON deflated", "receive", "server", KIB),
        Case("send 64 B server", "send", "server", 64),
        Case("send 64 B client", "send", "client", 64),
        Case("send 64 KiB client", "send", "client", 64 * KIB),
        LifeCase("open and close", "both", "server", 0),
    )
}
