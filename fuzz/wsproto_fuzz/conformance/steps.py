"""What the tester does in a case: send, wait, end the stream. What it expects is in ``expecting.py``.

Steps are data. Each knows how it is played on a :class:`Talk`, and nothing of the others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from .talk import Item, Play, Talk

__all__ = ["EndOutput", "Pause", "Send", "Step", "send"]


class Step(Protocol):
    """One thing that is done, or expected, in a case."""

    def play(self, talk: Talk) -> Play:
        """Do it. Raises :exc:`Failed`, :exc:`Unimplemented` or :exc:`Finished`."""
        ...


@dataclass(frozen=True, slots=True)
class Send:
    """Send frames, or bytes as they are. Frames are masked if the tester plays the client."""

    items: tuple[Item, ...]
    #: Bytes in each write, or the places where the whole is cut; by default it is one write.
    write_size: int | None = None
    cuts: tuple[int, ...] = ()
    #: Seconds between the writes.
    gap: float = 0.0
    #: Mask as the other side has to: not as a client, masked as a server.
    swap_masking: bool = False

    def play(self, talk: Talk) -> Play:
        """Queue it; with a gap, one write after another as long as the peer is there."""
        writes = talk.writes(self.items, write_size=self.write_size, cuts=self.cuts, swap_masking=self.swap_masking)
        for number, write in enumerate(writes):
            if number and self.gap and (yield from talk.until(lambda: talk.heard.is_over, self.gap)):
                return
            talk.output.append(write)


def send(
    *items: Item,
    write_size: int | None = None,
    cuts: tuple[int, ...] = (),
    gap: float = 0.0,
    swap_masking: bool = False,
) -> Send:
    """A :class:`Send` of ``items``."""
    return Send(items, write_size, cuts, gap, swap_masking)


@dataclass(frozen=True, slots=True)
class Pause:
    """Do nothing for some seconds, less if the stream ends."""

    seconds: float

    def play(self, talk: Talk) -> Play:
        """Wait."""
        yield from talk.until(lambda: talk.heard.end is not None, self.seconds)


@dataclass(frozen=True, slots=True)
class EndOutput:
    """End the stream in the tester's direction: TCP's FIN. What the peer says is still heard."""

    def play(self, talk: Talk) -> Play:
        """End it."""
        talk.end_output()
        yield from ()
