"""Opening handshakes that a case makes itself, as a client: the request, and what the server must make of it.

A request is a template: ``{authority}``, ``{target}`` and ``{key}`` stand for what they are in the conversation.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from .heard import Head
from .opening import await_head, make_key, response_faults
from .steps import send
from .talk import Finished, Play, Talk
from .verdict import Verdict

__all__ = ["REQUEST", "Asks", "Opens", "Refuses", "ask", "more", "request", "swapped", "without"]

Fields = tuple[tuple[str, str], ...]

#: The fields of a request that must be accepted (RFC 6455 §4.1).
REQUEST: Final[Fields] = (
    ("Host", "{authority}"),
    ("Upgrade", "websocket"),
    ("Connection", "Upgrade"),
    ("Sec-WebSocket-Key", "{key}"),
    ("Sec-WebSocket-Version", "13"),
)


def request(fields: Iterable[tuple[str, str]] = REQUEST, first_line: str = "GET {target} HTTP/1.1") -> str:
    """The template of a request."""
    return "".join([f"{first_line}\r\n", *(f"{name}: {value}\r\n" for name, value in fields), "\r\n"])


def swapped(name: str, *values: str) -> str:
    """The request with other values for one of its fields, one line for each."""
    return request(
        field for old in REQUEST for field in ([(name, value) for value in values] if old[0] == name else [old])
    )


def without(name: str) -> str:
    """The request without one of its fields."""
    return swapped(name)


def more(*fields: tuple[str, str]) -> str:
    """The request with further fields."""
    return request((*REQUEST, *fields))


@dataclass(frozen=True, slots=True)
class Opens:
    """Send a request that opens the connection. What follows in the case are frames."""

    head: str = request()
    #: The key; a new one if left out.
    key: str | None = None
    #: What is offered in ``Sec-WebSocket-Protocol``.
    subprotocols: tuple[str, ...] = ()
    #: Whether it is only lax to refuse.
    may_refuse: bool = False
    #: As in :class:`Send`.
    write_size: int | None = None
    gap: float = 0.0

    def play(self, talk: Talk) -> Play:
        """Ask, and judge the response (RFC 6455 §4.1)."""
        key = self.key or make_key(talk)
        yield from ask(talk, self.head, key, self.write_size, self.gap)
        if self.may_refuse:
            yield from _excuse_refusal(talk)
        response = yield from await_head(talk)
        for fault in response_faults(response, key, self.subprotocols):
            talk.fail(f"The opening handshake failed: {fault}.")
        if extensions := response.all("Sec-WebSocket-Extensions"):
            talk.fail(f"The opening handshake failed: it agrees to {', '.join(extensions)!r}, which nobody offered.")
        talk.did("The peer opened the connection.")
        talk.begin_frames()


@dataclass(frozen=True, slots=True)
class Refuses:
    """Send a request that must not open a connection. The case ends here.

    Passed by a response with one of ``statuses`` and all ``fields``. Lax are other responses but 101, one that lacks a
    field, and an end of the stream without response.
    """

    head: str
    statuses: range = range(400, 500)
    fields: tuple[tuple[str, str], ...] = ()
    #: What it is to open the connection nevertheless: lax where the fault may be repaired, a pass where the RFC leaves
    #: the choice. Unless it is a failure, it is lax to wait for more.
    if_opened: Verdict = Verdict.FAIL

    def play(self, talk: Talk) -> Play:
        """Ask, and judge the response (RFC 6455 §4.2.1, §4.2.2)."""
        yield from ask(talk, self.head, make_key(talk))
        if not (yield from talk.until(lambda: _is_answered(talk), talk.patience)):
            is_failure = self.if_opened is Verdict.FAIL
            words = f"The peer did not answer within {talk.patience:g} s."
            talk.rule(Verdict.FAIL if is_failure else Verdict.LAX, words)
            raise Finished
        response = talk.heard.head
        if response is None:
            talk.lapse("The peer closed without an answer.")
        elif response.status == 101:
            talk.rule(self.if_opened, "The peer opened the connection.")
        else:
            self._judge(talk, response)
        raise Finished

    def _judge(self, talk: Talk, response: Head) -> None:
        talk.did(f"The peer answered {response.first_line!r}.")
        if response.status not in self.statuses:
            wanted = f"{self.statuses.start} to {self.statuses.stop - 1}"
            talk.lapse(f"The peer answered {response.first_line!r}, not with a status from {wanted}.")
        for name, value in self.fields:
            if value not in response.tokens(name):
                talk.lapse(f"The response lacks {name}: {value}.")


@dataclass(frozen=True, slots=True)
class Asks:
    """Send a request, or some of one, and do not care for the answer."""

    head: str

    def play(self, talk: Talk) -> Play:
        """Ask."""
        yield from ask(talk, self.head, make_key(talk))


def ask(talk: Talk, head: str, key: str, write_size: int | None = None, gap: float = 0.0) -> Play:
    """Send the request that ``head`` is the template of, with this key."""
    filled = head.format(authority=talk.authority, target=talk.target, key=key)
    if write_size is None:
        talk.send_head(filled)
    else:
        yield from send(filled.encode("latin-1"), write_size=write_size, gap=gap).play(talk)


def _is_answered(talk: Talk) -> bool:
    return talk.heard.head is not None or talk.heard.end is not None


def _excuse_refusal(talk: Talk) -> Play:
    """End the case, as lax, if the server refuses."""
    yield from talk.until(lambda: _is_answered(talk), talk.patience)
    response = talk.heard.head
    if response is None and talk.heard.end is not None:
        talk.lapse("The peer closed without an answer.")
        raise Finished
    if response is not None and response.status in range(400, 600):
        talk.lapse(f"The peer refused: {response.first_line!r}.")
        raise Finished
