"""What ``--verbose`` tells: every message, ping and close with its direction, time, size and first characters."""

from __future__ import annotations

import functools
import time
from collections.abc import Awaitable, Callable, Iterable
from http import HTTPStatus
from typing import Final

from wsproto_asyncio import WebSocket
from wsproto_core import ClientConnection, CloseCode, CloseReport, Headers, Initiator, Message, Statistics

from .show import excerpt, printable, without_secrets

__all__ = ["Transcript", "milliseconds", "request_lines", "response_lines", "status_words"]

_OUT: Final = "->"
_IN: Final = "<-"
_FACT: Final = "--"


class Transcript:
    """Lines on standard error, by ``note``; with ``None`` nothing is told and nothing costs anything."""

    def __init__(self, note: Callable[[str], None] | None) -> None:
        self._note = note
        self._started_at = time.monotonic()
        self._seen = Statistics()
        self._closing_is_told = False

    def fact(self, words: str) -> None:
        """Something that is no traffic."""
        self._line(_FACT, words)

    def handshake(self, request: Iterable[str], response: Iterable[str] = ()) -> None:
        """The opening handshake, as far as it went."""
        for line in request:
            self._line(_OUT, line)
        for line in response:
            self._line(_IN, line)

    def sent(self, message: Message) -> None:
        """A message that was queued."""
        self._message(_OUT, message)

    def received(self, message: Message) -> None:
        """A message that has come."""
        self._message(_IN, message)

    def closing(self, code: int, reason: str) -> None:
        """A close frame that was queued."""
        self._closing_is_told = True
        self._line(_OUT, f"close   {code}" + (f"  {reason}" if reason else ""))

    def closed(self, report: CloseReport) -> None:
        """The close frames, in their order, and the report."""
        frames = [(_OUT, report.sent_code), (_IN, report.received_code)]
        for arrow, code in frames if report.initiator is Initiator.LOCAL else reversed(frames):
            if code is not None and not (arrow == _OUT and self._closing_is_told):
                self._line(arrow, f"close   {'without a code' if code == CloseCode.NO_STATUS_RECEIVED else code}")
        self.fact(printable(str(report)))

    async def watch(self, ws: WebSocket, room: Callable[[], Awaitable[None]]) -> None:
        """Tell of pings and pongs until cancelled; ``room`` keeps a flood of them from piling up."""
        while self._note is not None:
            await ws.link.until(functools.partial(self._more_control_frames, ws))
            self.control_frames(ws)
            await room()

    def control_frames(self, ws: WebSocket) -> None:
        """Tell of the pings and pongs since the last time, as the statistics count them."""
        before, now = self._seen, ws.statistics
        self._seen = now
        self._count(_IN, "ping", now.pings_received - before.pings_received)
        self._count(_OUT, "pong", now.pongs_sent - before.pongs_sent)
        self._count(_OUT, "ping", now.pings_sent - before.pings_sent)
        after = "" if ws.latency is None else f"  round trip {milliseconds(ws.latency.last)}"
        self._count(_IN, "pong", now.pongs_received - before.pongs_received, after)

    def _more_control_frames(self, ws: WebSocket) -> bool | None:
        return True if _control_frames(ws.statistics) != _control_frames(self._seen) else None

    def _count(self, arrow: str, kind: str, count: int, after: str = "") -> None:
        if count:
            self._line(arrow, kind + (f"  {count} times" if count > 1 else "") + after)

    def _message(self, arrow: str, message: Message) -> None:
        if self._note is not None:
            kind, size = ("text", len(message.encode())) if isinstance(message, str) else ("binary", len(message))
            self._line(arrow, f"{kind:<6}  {size} B  {excerpt(message)}")

    def _line(self, arrow: str, words: str) -> None:
        if self._note is not None:
            self._note(f"{time.monotonic() - self._started_at:9.3f} {arrow} {words}")


def request_lines(twin: ClientConnection) -> list[str]:
    """The head of the request that an engine like ``twin`` sends, without secrets; the key is each connection's own."""
    twin.connect()
    head = b"".join(twin.data_to_send()).decode("latin-1").split("\r\n")
    return [_hide_key(without_secrets(printable(line))) for line in head if line]


def response_lines(status: int, headers: Headers) -> list[str]:
    """The head of a response, without secrets."""
    lines = (f"{name}: {value}" for name, value in headers.lines())
    return [f"HTTP/1.1 {status_words(status)}", *(without_secrets(printable(line)) for line in lines)]


def status_words(status: int) -> str:
    """An HTTP status with its usual words."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def milliseconds(seconds: float) -> str:
    """A round trip, for people."""
    return f"{seconds * 1000:.1f} ms"


def _hide_key(line: str) -> str:
    name, colon, _ = line.partition(": ")
    return f"{name}: <16 random bytes>" if colon and name.lower() == "sec-websocket-key" else line


def _control_frames(counts: Statistics) -> tuple[int, ...]:
    return counts.pings_received, counts.pings_sent, counts.pongs_received, counts.pongs_sent
