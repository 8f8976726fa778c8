"""The receive queue of datagrams: bounded, by one of two policies."""

from __future__ import annotations

import pytest

from wsproto_core._packets.packet import Drop
from wsproto_core._packets.waiting import WaitingMessages

MESSAGES = [bytes([number]) * 67 for number in range(6)]  # 100 bytes of memory each


def drain(waiting: WaitingMessages) -> list[str | bytes]:
    taken = []
    while (message := waiting.take()) is not None:
        taken.append(message)
    return taken


@pytest.mark.parametrize(
    ("drop", "size", "kept"),
    [
        (Drop.OLDEST, 1000, MESSAGES),
        (Drop.NEWEST, 1000, MESSAGES),
        (Drop.OLDEST, 300, MESSAGES[3:]),
        (Drop.NEWEST, 300, MESSAGES[:3]),
        (Drop.OLDEST, 1, MESSAGES[5:]),
        (Drop.NEWEST, 1, MESSAGES[:1]),
    ],
)
def test_policies(drop: Drop, size: int, kept: list[bytes]) -> None:
    waiting = WaitingMessages(size, drop)
    waiting.put(MESSAGES)
    assert waiting.dropped == 6 - len(kept)
    assert drain(waiting) == kept
    waiting.put(["again"])
    assert drain(waiting) == ["again"]
