"""What a connection may cost: :class:`Limits` in size, :class:`Timeouts` in time.

Both are frozen and keyword-only, checked once when built. ``None`` means no limit and is never computed with;
zero is refused, because it never means what its author hoped.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final

__all__ = ["Limits", "Timeouts", "check_count", "check_duration"]

_KIB: Final = 1024
_MIB: Final = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Upper bounds of what one peer can make this side hold or do.

    Raises :exc:`ValueError` (or :exc:`TypeError`), naming the argument, for anything but a positive integer or
    ``None``.
    """

    #: Bytes of a message, after inflation. 1 MiB: enough for almost any JSON, and what a hostile peer can make this
    #: side hold for one message. Larger messages need no more than a word: ``Limits(message_size=10_000_000)``.
    message_size: int | None = _MIB
    #: Bytes of a frame's payload on the wire. What it adds to a message is bounded by ``message_size`` in any case.
    frame_size: int | None = None
    #: Bytes of the request or response head (431 beyond it).
    header_size: int = 16 * _KIB
    #: Header lines (431 beyond it).
    max_headers: int = 100
    #: Frames of one message. They are joined as they come and cost their bytes only, so this is generous.
    max_fragments: int | None = 131_072
    #: Pings, pongs and closes a second, with bursts of as many.
    control_frame_rate: int | None = 1000
    #: Inflated bytes for each compressed one, counted once a message has inflated to more than 16 MiB.
    inflate_ratio: int | None = 100
    #: Memory, in bytes, of received messages that wait for the application: above it ``wants_read`` turns false, and
    #: true again at half of it.
    inbox_size: int = _MIB
    #: Bytes that wait to be sent: from there on ``can_send`` is false and ``send`` raises :exc:`OutboxFull`. Four times
    #: ``message_size``, so that whatever one read brings can be answered before anything is written.
    outbox_size: int = 4 * _MIB

    def __post_init__(self) -> None:
        optional = {"message_size", "frame_size", "max_fragments", "control_frame_rate", "inflate_ratio"}
        for item in fields(self):
            check_count(item.name, getattr(self, item.name), optional=item.name in optional)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Durations in seconds; ``None`` switches a timer off.

    Raises :exc:`ValueError` (or :exc:`TypeError`), naming the argument, for anything but a positive number or ``None``.
    """

    #: From the start until the opening handshake is complete.
    opening_timeout: float | None = 10.0
    #: Silence of the peer after which a ping is sent.
    ping_interval: float | None = 30.0
    #: How long the peer may stay silent after a ping. Any byte from it is a sign of life.
    pong_timeout: float | None = 20.0
    #: Time without a data message in either direction, after which the connection is closed with 1001.
    idle_timeout: float | None = None
    #: From the first close frame until the transport has ended.
    closing_timeout: float | None = 10.0

    def __post_init__(self) -> None:
        for item in fields(self):
            check_duration(item.name, getattr(self, item.name))


def check_count(name: str, value: object, *, optional: bool) -> None:
    """Raise :exc:`TypeError` or :exc:`ValueError`, naming the argument, unless ``value`` is a positive integer, or
    ``None`` where that is an option.
    """
    if value is None and optional:
        return
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{name} must be an integer{' or None' if optional else ''}, not {value!r}")
    if value <= 0:
        raise ValueError(f"{name} must be positive, not {value!r}" + (" (None means no limit)" if optional else ""))


def check_duration(name: str, value: object) -> None:
    """Raise :exc:`TypeError` or :exc:`ValueError`, naming the argument, unless ``value`` is a positive number of
    seconds or ``None``.
    """
    if value is None:
        return
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise TypeError(f"{name} must be a number of seconds or None, not {value!r}")
    if not 0 < value < float("inf"):
        raise ValueError(f"{name} must be positive and finite, not {value!r} (None switches the timer off)")
