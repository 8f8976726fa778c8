"""The frame loop in Python against the compiled one: for any bytes, down to the byte that is refused."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from wsproto_core import Event, RemoteProtocolError

from .disagreement import Disagreement

__all__ = ["Decoding", "agree"]


class Decoding(Protocol):
    """A frame loop, as far as anybody can see it: see :func:`wsproto_core.testing.frame_decoders`."""

    def decode(self, data: bytes) -> list[Event]:
        """The events that ``data`` completes."""
        ...

    @property
    def controls(self) -> int:
        """Control frames in the latest batch."""
        ...

    @property
    def in_message(self) -> bool:
        """Whether a message has begun and not ended."""
        ...

    @property
    def close_payload(self) -> bytes | None:
        """Of the close frame, once one has come."""
        ...

    @property
    def failure(self) -> RemoteProtocolError | None:
        """The offence, once there was one."""
        ...


def agree(decoders: Sequence[Decoding], pieces: Iterable[bytes]) -> None:
    """Feed ``decoders``, all made alike and with the same past, and compare all that can be seen after each piece.

    Raises :exc:`Disagreement`.
    """
    for number, piece in enumerate(pieces):
        first, *others = (_facts(decoder, piece) for decoder in decoders)
        for other in others:
            if other != first:
                raise Disagreement(f"read {number} ({len(piece)} bytes): one sees\n{first}\nand the other\n{other}")


def _facts(decoder: Decoding, piece: bytes) -> tuple[object, ...]:
    events = decoder.decode(piece)
    kinds = [type(event) for event in events]  # 1 == True, and an event that is equal may be of another class
    return kinds, events, decoder.controls, decoder.in_message, decoder.close_payload, _told(decoder.failure)


def _told(failure: RemoteProtocolError | None) -> object:
    return None if failure is None else (failure.violation, failure.detail, str(failure), failure.__context__)
