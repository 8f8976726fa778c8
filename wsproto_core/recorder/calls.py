"""The calls of an engine that are recorded, and how their arguments are noted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple, TypeAlias

from .._codes import CloseCode
from .._driver.work import Work
from .._events import Closed, Event, Fragment, Ping, Pong, Redirected, Rejected, Request
from .._handshake.server import BY_POLICY, ByPolicy
from .._headers import Headers, HeadersLike
from .._protocol.sending import PreparedMessage
from .._types import Buffer, Message, Opcode
from .._wire.frames import reserved_words
from .entries import Value
from .inbound import FrameHead

__all__ = ["ARGUMENTS", "CALLS", "INPUTS", "Call", "Noted", "outline", "outline_of_frame"]

#: The ``now`` of a call, and its arguments.
Noted: TypeAlias = tuple[float | None, tuple[Value, ...]]


class Call(NamedTuple):
    """One method of an engine."""

    #: Takes its arguments and tells what to note. Raises :exc:`TypeError` for those that it does not take.
    note: Callable[..., Noted]
    #: What is noted, by name.
    names: tuple[str, ...] = ()
    #: Whether it takes ``now``.
    has_time: bool = False


_OPCODES: Final = MappingProxyType({int(opcode): opcode.name for opcode in Opcode})
#: The calls that bring something from the world: they return events.
INPUTS: Final = frozenset({"receive_data", "receive_eof", "transport_lost", "handle_timeout", "work_done"})


def outline(event: Event) -> str:
    """An event in a word or two, without its contents: ``text 5``, sizes being bytes."""
    match event:
        case str():
            return f"text {_size(event)}"
        case bytes():
            return f"binary {len(event)}"
        case Fragment():
            return "last part" if event.final else "part"  # where it was cut, characters decide
        case Ping() | Pong():
            return f"{type(event).__name__.lower()} {len(event.payload)}"
        case Rejected() | Redirected():
            return f"{type(event).__name__.lower()} {event.status}"
        case Request():
            return "request" if event.violation is None else f"request {event.violation.name}"
        case Closed():
            return f"closed {int(event.report.code)}"
        case _:
            return "accepted"


def outline_of_frame(frame: FrameHead) -> str:
    """A frame in a word or two, without its contents: ``TEXT 5``, ``TEXT more rsv1 100``."""
    more = [] if frame.final else ["more"]
    return " ".join([_OPCODES[frame.opcode], *more, *reserved_words(frame.reserved), str(frame.length)])


def _size(data: Message) -> int:
    return len(data) if isinstance(data, bytes) or data.isascii() else len(data.encode())


# --- what is noted ----------------------------------------------------------------------------------------------------


def _kept(data: Message | Buffer) -> Message:
    """``data`` as it is now, if it may change."""
    if isinstance(data, str | bytes):
        return data
    if isinstance(data, bytearray | memoryview):  # pyright: ignore[reportUnnecessaryIsInstance]  # not all callers check types
        return bytes(data)
    raise TypeError("this is no message")


def _lines(headers: HeadersLike) -> tuple[tuple[str, str], ...]:
    return Headers(headers).lines()


def _receive_data(data: Buffer, now: float) -> Noted:
    return now, (_kept(data),)


def _at(now: float) -> Noted:
    return now, ()


def _transport_lost(error: BaseException | None, now: float) -> Noted:
    return now, ((None, None) if error is None else (type(error).__name__, str(error)))


def _transmitted(n_bytes: int, now: float) -> Noted:
    return now, (n_bytes,)


def _work_done(work: Work, now: float) -> Noted:
    return now, (work.is_outgoing,)


def _whenever(*, now: float | None = None) -> Noted:
    return now, ()


def _accept(subprotocol: str | ByPolicy | None = BY_POLICY, headers: HeadersLike = ()) -> Noted:
    by_policy = isinstance(subprotocol, ByPolicy)
    return None, (None if isinstance(subprotocol, ByPolicy) else subprotocol, by_policy, _lines(headers))


def _reject(status: int, headers: HeadersLike = (), body: Buffer | None = b"") -> Noted:
    return None, (status, _lines(headers), None if body is None else _kept(body))


def _reject_data(data: Buffer, *, final: bool) -> Noted:
    return None, (_kept(data), final)


def _send(message: Message | Buffer, *, compress: bool | None = None, urgent: bool = False) -> Noted:
    return None, (_kept(message), compress, urgent)


def _send_fragment(data: Message | Buffer, *, final: bool, compress: bool | None = None) -> Noted:
    return None, (_kept(data), final, compress)


def _send_prepared(message: PreparedMessage) -> Noted:
    return None, (message.original,)


def _ping(payload: Buffer | None = None, *, now: float | None = None) -> Noted:
    return now, (None if payload is None else _kept(payload),)


def _pong(payload: Buffer = b"") -> Noted:
    return None, (_kept(payload),)


def _close(code: int = CloseCode.NORMAL_CLOSURE, reason: str = "", *, now: float | None = None) -> Noted:
    return now, (int(code), reason)


def _gather(events: Any) -> Noted:
    return None, (sum(isinstance(event, str | bytes | Fragment) for event in events),)


CALLS: Final[Mapping[str, Call]] = MappingProxyType(
    {
        "receive_data": Call(_receive_data, ("data",), has_time=True),
        "receive_eof": Call(_at, has_time=True),
        "transport_lost": Call(_transport_lost, ("error", "words"), has_time=True),
        "handle_timeout": Call(_at, has_time=True),
        "transmitted": Call(_transmitted, ("n_bytes",), has_time=True),
        "work_done": Call(_work_done, ("is_outgoing",), has_time=True),
        "connect": Call(_whenever, has_time=True),
        "accept": Call(_accept, ("subprotocol", "by_policy", "headers")),
        "reject": Call(_reject, ("status", "headers", "body")),
        "reject_data": Call(_reject_data, ("data", "final")),
        "send": Call(_send, ("message", "compress", "urgent")),
        "send_fragment": Call(_send_fragment, ("data", "final", "compress")),
        "send_prepared": Call(_send_prepared, ("message",)),
        "ping": Call(_ping, ("payload",), has_time=True),
        "pong": Call(_pong, ("payload",)),
        "close": Call(_close, ("code", "reason"), has_time=True),
        "abort": Call(_whenever, has_time=True),
        "gather": Call(_gather, ("count",)),
    }
)

#: The names of the arguments that an entry notes, for calls and for what is noted without being one.
ARGUMENTS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {**{name: call.names for name, call in CALLS.items()}, "take": ("count",), "data_to_send": ()}
)
