"""Messages that cases send: of any size, and such that a lost, doubled or exchanged part of them shows."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Final

from wsproto_core.frames import Frame, Opcode

from ..wire import binary, text
from .expecting import ExpectMessage
from .steps import Step, send

__all__ = ["echoed", "fragments", "message_frame", "sample", "sample_bytes", "sample_text"]

# Their lengths have no factor in common with a masking key's or a buffer's, so that no shift goes unseen.
_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz0123456789-"
_OCTETS: Final = bytes(range(256)) + b"\x00\xff\x80"


def sample_text(size: int) -> str:
    """ASCII text of ``size`` characters."""
    return (_LETTERS * (size // len(_LETTERS) + 1))[:size]


def sample_bytes(size: int) -> bytes:
    """``size`` bytes; all values occur if there is room."""
    return (_OCTETS * (size // len(_OCTETS) + 1))[:size]


def sample(kind: Opcode, size: int) -> str | bytes:
    """A message of ``size`` bytes, text or binary."""
    return sample_text(size) if kind is Opcode.TEXT else sample_bytes(size)


def message_frame(message: str | bytes) -> Frame:
    """A message as one frame."""
    return text(message) if isinstance(message, str) else binary(message)


def fragments(message: str | bytes, cuts: Iterable[int]) -> tuple[Frame, ...]:
    """A message as frames, cut at these places of its bytes; equal places give an empty frame."""
    whole = message_frame(message)
    places = list(pairwise((0, *cuts, len(whole.payload))))
    return tuple(
        Frame(
            Opcode.CONTINUATION if number else whole.opcode,
            whole.payload[start:stop],
            final=number == len(places) - 1,
        )
        for number, (start, stop) in enumerate(places)
    )


def echoed(*messages: str | bytes) -> tuple[Step, ...]:
    """Each message is sent as one frame and comes back, one after the other."""
    return tuple(step for message in messages for step in (send(message_frame(message)), ExpectMessage(message)))
