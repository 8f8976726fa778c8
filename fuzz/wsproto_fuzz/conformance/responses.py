"""Opening handshakes that a case makes itself, as a server: the response, and what the client must make of it.

A response is a template: ``{accept}`` stands for what ``Sec-WebSocket-Accept`` must say, ``{key}`` for what it answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from ..wire import text
from .heard import Head
from .opening import accept_token, await_head, request_faults
from .steps import send
from .talk import Finished, Item, Play, Talk
from .verdict import Verdict

__all__ = ["RESPONSE", "Accepts", "AsksFor", "GivesUp", "answer", "answering", "more", "response", "without"]

#: The fields of a response that must be accepted (RFC 6455 §4.2.2).
RESPONSE: Final = (
    ("Upgrade", "websocket"),
    ("Connection", "Upgrade"),
    ("Sec-WebSocket-Accept", "{accept}"),
)


def response(fields: Iterable[tuple[str, str]] = RESPONSE, first_line: str = "HTTP/1.1 101 Switching Protocols") -> str:
    """The template of a response."""
    return "".join([f"{first_line}\r\n", *(f"{name}: {value}\r\n" for name, value in fields), "\r\n"])


def answering(name: str, *values: str) -> str:
    """The response with other values for one of its fields, one line for each."""
    at = next(number for number, field in enumerate(RESPONSE) if field[0] == name)
    return response((*RESPONSE[:at], *((name, value) for value in values), *RESPONSE[at + 1 :]))


def without(name: str) -> str:
    """The response without one of its fields."""
    return answering(name)


def more(*fields: tuple[str, str]) -> str:
    """The response with further fields."""
    return response((*RESPONSE, *fields))


@dataclass(frozen=True, slots=True)
class AsksFor:
    """What the client's request says is right. The connection is then opened as by :class:`Accepts`."""

    #: What is wrong with the request, in words; ``None`` if nothing is.
    fault: Callable[[Head], str | None]

    def play(self, talk: Talk) -> Play:
        """Read the request and judge it (RFC 6455 §4.1)."""
        request = yield from await_head(talk)
        if (words := self.fault(request)) is not None:
            talk.fail(f"The client's request is wrong: {words}.")
        talk.did("The client's request is right.")
        yield from Accepts().play(talk)


@dataclass(frozen=True, slots=True)
class Accepts:
    """Answer the client's request in a way that opens the connection. What follows in the case are frames."""

    head: str = response()
    #: Sent in the same write as the response.
    behind: tuple[Item, ...] = ()
    #: As in :class:`Send`.
    write_size: int | None = None
    gap: float = 0.0

    def play(self, talk: Talk) -> Play:
        """Answer."""
        yield from answer(talk, self.head, self.behind, self.write_size, self.gap)
        talk.begin_frames()


@dataclass(frozen=True, slots=True)
class GivesUp:
    """Answer the client's request in a way that must not open a connection, and send a message. The case ends here.

    Passed if the client ends the stream; lax if it only says nothing more.
    """

    head: str
    #: What it is to open the connection nevertheless, as in :class:`Refuses`.
    if_opened: Verdict = Verdict.FAIL

    def play(self, talk: Talk) -> Play:
        """Answer, and see that the client fails the connection (RFC 6455 §4.1)."""
        yield from answer(talk, self.head, (text("Hello"),))
        talk.begin_frames()
        heard = talk.heard
        yield from talk.until(lambda: heard.end is not None or heard.messages, talk.patience)
        if heard.messages:
            heard.messages.clear()
            talk.rule(self.if_opened, "The client took the connection for open: it echoed a message.")
            raise Finished
        if heard.end is None:
            talk.lapse(f"The client did not open the connection, and let TCP open for {talk.patience:g} s.")
        talk.did("The client gave up.")
        raise Finished


def answer(
    talk: Talk, head: str, behind: tuple[Item, ...] = (), write_size: int | None = None, gap: float = 0.0
) -> Play:
    """Read the request, which has to be right, and send the response that ``head`` is the template of."""
    request = yield from await_head(talk)
    for fault in request_faults(request):
        talk.fail(f"The opening handshake failed: {fault}.")
    key = request.all("Sec-WebSocket-Key")[0]
    filled = head.format(key=key, accept=accept_token(key)).encode("latin-1")
    if write_size is None and not behind:
        talk.send_head(filled)
    else:
        yield from send(filled, *behind, write_size=write_size, gap=gap).play(talk)
