"""Received bytes become events, and at most one conclusion: a close frame, or an offence (RFC 6455 §6.2, §7.1.7).

The rules of single frames are in ``_speedups``; this file reads what ended the stream of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from .._config import Limits
from .._errors import RemoteProtocolError
from .._speedups import FrameDecoder
from .._types import Receive, Role
from .._wire.close_payload import decode_close_payload

if TYPE_CHECKING:
    from .._extensions.base import MessageTransform

__all__ = ["CloseFrame", "conclusion", "make_decoder"]


class CloseFrame(NamedTuple):
    """The peer's close frame: code (1005 if it held none) and reason."""

    code: int
    reason: str


def make_decoder(
    role: Role, *, receive: Receive, limits: Limits, transforms: Sequence[MessageTransform] = ()
) -> FrameDecoder:
    """The decoder of the side ``role``: a server hears masked frames, a client unmasked ones (RFC 6455 §5.1)."""
    return FrameDecoder(masked=role is Role.SERVER, receive=receive, limits=limits, transforms=transforms)


def conclusion(decoder: FrameDecoder) -> CloseFrame | RemoteProtocolError | None:
    """What ended the peer's frames, or ``None`` while they go on."""
    if decoder.failure is not None:
        return decoder.failure
    if decoder.close_payload is not None:
        return CloseFrame(*decode_close_payload(decoder.close_payload))
    return None
