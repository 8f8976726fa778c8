"""A recorder on one engine: in the place of its methods stand others, which note what they are called with.

So a recorded engine is still of its own class, and one without a recorder pays nothing.
"""

from __future__ import annotations

import re
from binascii import crc32
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Final

from .._driver.peer import WebSocketEngine
from .._driver.work import Work
from .._events import Event, Fragment
from .._types import Buffer, Message, Opcode, Role, State
from ..frames import parse_frames
from .calls import CALLS, INPUTS, Noted, outline, outline_of_frame
from .entries import Entry, Facts, Flight
from .exporting import export
from .inbound import frame_heads
from .tape import Tape

__all__ = ["Attachment", "attachment_of"]

#: Methods of which only some calls are noted.
_QUIET_CALLS: Final = ("data_to_send", "next_work", "next_message", "send_at_once", "pass_frame", "message_at_hand")
_KEY: Final = re.compile(rb"\r\nSec-WebSocket-Key: *([^\r]*)\r\n", re.IGNORECASE)
_OFFERED: Final = re.compile(rb"\r\nSec-WebSocket-Protocol: *([^\r]*)\r\n", re.IGNORECASE)


def attachment_of(engine: WebSocketEngine) -> Attachment | None:
    """What is attached to ``engine``, if anything is."""
    method = vars(engine).get("receive_data")
    return method.attachment if isinstance(method, _Recorded) else None


class _Recorded:
    """One method of an engine, and what notes its calls."""

    __slots__ = ("_method", "_name", "_note", "_returns_events", "attachment")

    def __init__(self, attachment: Attachment, name: str, method: Callable[..., Any]) -> None:
        self.attachment = attachment
        self._name = name
        self._note = CALLS[name].note
        self._returns_events = name in INPUTS
        self._method = method

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        attachment = self.attachment
        if attachment.is_busy:
            return self._method(*arguments, **options)
        try:
            noted = self._note(*arguments, **options)
        except (TypeError, ValueError):
            return self._method(*arguments, **options)  # which will not take them either
        entry = attachment.begin(self._name, noted)
        try:
            result = self._method(*arguments, **options)
        except Exception as error:
            attachment.raised(entry, error)
            raise
        finally:
            attachment.is_busy = False
        attachment.came_of(entry, result if self._returns_events else ())
        return result


class Attachment:
    """One engine and its tape, until the engine's transport is gone; then ``on_end`` is told."""

    def __init__(
        self, engine: WebSocketEngine, facts: Facts, on_end: Callable[[Attachment], None], tape: Tape, *, payloads: bool
    ) -> None:
        self.engine = engine
        self._facts = facts
        self._on_end = on_end
        self._tape = tape
        self._payloads = payloads
        #: Whether a recorded call is being made. What it leads to is not recorded: a replay leads to it again.
        self.is_busy: bool = False
        self._head_has_left = facts.is_parsed
        # Messages in the inbox, and whether one is being sent in parts.
        self._waiting = 0
        self._is_in_parts = False
        # What a client says in its request.
        self._key = ""
        self._offered: tuple[str, ...] = ()
        self._begin()

    def flight(self) -> Flight:
        """What has been recorded so far."""
        offer = (self._key, self._offered)
        return export(self._facts, self.engine, self._tape, offer, payloads=self._payloads)

    def begin(self, name: str, noted: Noted) -> Entry:
        """A call is about to be made."""
        is_quiet = name == "receive_data" and self._is_quiet(noted[0])
        entry = self._tape.put(name, *noted)
        entry.is_quiet = is_quiet
        self.is_busy = True
        return entry

    def came_of(self, entry: Entry, events: Sequence[Event]) -> None:
        """The call of ``entry`` has been made, and ``events`` were told."""
        if events:
            self._tape.tell(entry, map(outline, events))
        if entry.do == "gather":
            self._gathered(entry)
        elif entry.do == "send_fragment":
            self._is_in_parts = not entry.arguments[1]
        elif entry.do == "transport_lost":
            self._end()
            self._on_end(self)

    def raised(self, entry: Entry, error: Exception) -> None:
        """The call of ``entry`` has raised."""
        self._tape.tell(entry, iter([f"raised {type(error).__name__}"]))

    # --- coming and going ---------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        self.engine.is_followed = True
        for name in CALLS:
            method = getattr(self.engine, name, None)
            if method is not None:
                setattr(self.engine, name, _Recorded(self, name, method))
        vars(self.engine).update(
            data_to_send=partial(self._data_to_send, self.engine.data_to_send),
            next_work=partial(self._next_work, self.engine.next_work),
            next_message=partial(self._next_message, self.engine.next_message),
            send_at_once=partial(self._send_at_once, self.engine.send_at_once),
            pass_frame=_goes_the_long_way,
            message_at_hand=partial(self._message_at_hand, self.engine.message_at_hand),
        )

    def _end(self) -> None:
        """Leave the engine as it was, and free of a cycle of references."""
        for name in (*CALLS, *_QUIET_CALLS):
            vars(self.engine).pop(name, None)

    # --- what came of it ----------------------------------------------------------------------------------------------

    def _gathered(self, entry: Entry) -> None:
        (count,) = entry.arguments
        assert isinstance(count, int), "it is counted"
        self._waiting += count

    def _is_quiet(self, now: float | None) -> bool:
        """Whether nothing waits anywhere, and nothing is due."""
        engine = self.engine
        if engine.state is not State.OPEN or engine.bytes_queued or self._waiting or self._is_in_parts:
            return False
        deadline = engine.next_deadline()
        return deadline is None or now is None or deadline > now

    # --- calls that are noted only if something came of them ----------------------------------------------------------

    def _data_to_send(self, take: Callable[[], list[bytes | memoryview]]) -> list[bytes | memoryview]:
        before = self.engine.bytes_queued
        buffers = take()
        if buffers or self.engine.bytes_queued != before:  # an extension may keep what it was given
            self._tape.tell(self._tape.put("data_to_send", None), self._outline_of_output(b"".join(buffers)))
        return buffers

    def _next_work(self, take: Callable[[], Work | None]) -> Work | None:
        work = take()
        if work is not None and work.is_outgoing:
            self._tape.put("data_to_send", None)  # of which this came, and perhaps nothing else
        return work

    def _next_message(self, take: Callable[[], Message | Fragment | None]) -> Message | Fragment | None:
        message = take()
        self._waiting -= message is not None
        self._tape.take()
        return message

    def _message_at_hand(self, take: Callable[[], Message | Fragment | None]) -> Message | Fragment | None:
        message = take() if self._waiting else None  # asking for more than there is would not be noted
        if message is not None:
            self._waiting -= 1
            self._tape.take()
        return message

    def _send_at_once(self, send: Callable[[Message | Buffer], bool], message: Message | Buffer) -> bool:
        is_sent = send(message)
        if is_sent:
            self._tape.put("send", *CALLS["send"].note(message))
        return is_sent

    def _outline_of_output(self, data: bytes) -> Iterator[str]:
        if self._head_has_left:
            yield f"{len(data)} bytes"
        else:
            self._head_has_left = True
            head, _, data = data.partition(b"\r\n\r\n")
            yield f"HTTP {head.split(b' ', 2)[self._facts.role is Role.SERVER].decode('latin-1')}"
            self._note_offer(head + b"\r\n")
        response = self.engine.response
        if self._facts.is_parsed or (response is not None and response.status == 101):
            yield from map(outline_of_frame, frame_heads(data))
            if self._payloads:
                yield f"sum {_sum_of(data):08x}"

    def _note_offer(self, head: bytes) -> None:
        if self._facts.role is Role.CLIENT and (key := _KEY.search(head)) is not None:
            self._key = key[1].decode("latin-1")
            offered = _OFFERED.search(head)
            names = "" if offered is None else offered[1].decode("latin-1")
            self._offered = tuple(name.strip() for name in names.split(",") if name.strip())


def _goes_the_long_way(frame: bytes) -> bool:  # noqa: ARG001  # as the engine has it
    """No frame passes a recorded engine: what is sent to many is noted like any message."""
    return False


def _sum_of(data: bytes) -> int:
    """A checksum of what frames say, without their masks. Pings are left out: an engine numbers them."""
    total = 0
    for frame in parse_frames(data):
        if frame.opcode not in (Opcode.PING, Opcode.PONG):
            total = crc32(frame.payload, total)
    return total
