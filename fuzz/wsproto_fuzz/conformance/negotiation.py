"""Negotiating permessage-deflate (RFC 7692 §5, §7.1), as a case does that is about it: both sides, judged strictly."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, TypeAlias

from wsproto_core import Role

from .heard import Head
from .opening import await_head, begin_deflate, make_key, response_faults
from .requests import ask
from .requests import more as request_with
from .responses import answer
from .responses import more as response_with
from .talk import Finished, Play, Talk, Unimplemented

__all__ = ["Agrees", "Declines", "Negotiates", "Offers", "Parameters", "answer_fault", "extension", "parse_extensions"]

FIELD: Final = "Sec-WebSocket-Extensions"
NAME: Final = "permessage-deflate"
_SERVER_RESTARTS: Final = "server_no_context_takeover"
_CLIENT_RESTARTS: Final = "client_no_context_takeover"
_SERVER_BITS: Final = "server_max_window_bits"
_CLIENT_BITS: Final = "client_max_window_bits"
_BITS: Final = re.compile(r"[89]|1[0-5]")

#: The parameters of one extension in order: name and value, ``None`` without one.
Parameters: TypeAlias = tuple[tuple[str, str | None], ...]


def parse_extensions(values: Iterable[str]) -> list[tuple[str, Parameters]]:
    """The extensions in the values of ``Sec-WebSocket-Extensions``: names with parameters.

    Commas and semicolons in quotes are not understood: nothing that is spoken of here has them.
    """
    return [_parse_extension(element) for value in values for element in value.split(",") if element.strip()]


def answer_fault(answers: list[tuple[str, Parameters]], offers: list[tuple[str, Parameters]]) -> str | None:
    """What is wrong with a server's answer to ``offers``; ``None`` if it fits one of them (RFC 7692 §7.1)."""
    if len(answers) != 1 or answers[0][0] != NAME:
        return "it agrees to something else than permessage-deflate, once"
    parameters = answers[0][1]
    terms = dict(parameters)
    if len(terms) != len(parameters):
        return "it repeats a parameter"
    for name, value in parameters:
        if not _is_valid(name, value):
            return f"it has the parameter {name}{'' if value is None else '=' + value}"
    misfits = [_misfit(terms, dict(offered)) for name, offered in offers if name == NAME and _is_offer(offered)]
    return None if None in misfits else misfits[-1] if misfits else "no offer was valid"


def extension(parameters: Parameters) -> str:
    """permessage-deflate with these parameters, as a value of ``Sec-WebSocket-Extensions``."""
    return "; ".join([NAME, *(name if value is None else f"{name}={value}" for name, value in parameters)])


def _parse_extension(element: str) -> tuple[str, Parameters]:
    name, *parameters = (part.strip() for part in element.split(";"))
    return name, tuple(map(_parse_parameter, parameters))


def _parse_parameter(parameter: str) -> tuple[str, str | None]:
    name, equals, value = (part.strip() for part in parameter.partition("="))
    return name, value.strip('"') if equals else None


def _is_valid(name: str, value: str | None) -> bool:
    if name in (_SERVER_RESTARTS, _CLIENT_RESTARTS):
        return value is None
    return name in (_SERVER_BITS, _CLIENT_BITS) and value is not None and _BITS.fullmatch(value) is not None


def _is_offer(parameters: Parameters) -> bool:
    names = [name for name, _ in parameters]
    return len(names) == len(set(names)) and all(
        _is_valid(name, value) or (name, value) == (_CLIENT_BITS, None) for name, value in parameters
    )


def _misfit(terms: dict[str, str | None], offered: dict[str, str | None]) -> str | None:
    """Why valid terms are no answer to this offer."""
    if _SERVER_RESTARTS in offered and _SERVER_RESTARTS not in terms:
        return f"it lacks {_SERVER_RESTARTS}, which was asked for (RFC 7692 §7.1.1.1)"
    if _CLIENT_BITS in terms and _CLIENT_BITS not in offered:
        return f"it has {_CLIENT_BITS}, which was not offered (RFC 7692 §7.1.2.2)"
    wanted = offered.get(_SERVER_BITS)
    if wanted is None:
        return None
    if _SERVER_BITS not in terms:
        return f"it lacks {_SERVER_BITS}, which was asked for (RFC 7692 §7.1.2.1)"
    if int(terms[_SERVER_BITS] or 15) > int(wanted):
        return f"it has a larger {_SERVER_BITS} than was asked for (RFC 7692 §7.1.2.1)"
    return None


@dataclass(frozen=True, slots=True)
class Offers:
    """As a client, make offers of which at least one is valid. What follows in the case are frames.

    A server that declines lacks what the case needs; one whose answer fits no offer has failed.
    """

    #: One value of ``Sec-WebSocket-Extensions`` for each line.
    lines: tuple[str, ...]

    def play(self, talk: Talk) -> Play:
        """Ask, and judge the answer."""
        key = make_key(talk)
        yield from ask(talk, request_with(*((FIELD, line) for line in self.lines)), key)
        head = yield from await_head(talk)
        _judge_opening(talk, head, key)
        values = head.all(FIELD)
        fault = answer_fault(parse_extensions(values), parse_extensions(self.lines)) if values else None
        if fault is not None:
            talk.fail(f"The answer {', '.join(values)!r} does not fit the offer: {fault}.")
        begin_deflate(talk, ", ".join(values))
        talk.begin_frames()


@dataclass(frozen=True, slots=True)
class Declines:
    """As a client, make an offer that a server must decline. What follows in the case are frames, uncompressed.

    To refuse the whole request because of it is lax.
    """

    line: str

    def play(self, talk: Talk) -> Play:
        """Ask, and see that nothing is agreed (RFC 7692 §7.1)."""
        key = make_key(talk)
        yield from ask(talk, request_with((FIELD, self.line)), key)
        head = yield from await_head(talk)
        if head.status in range(400, 500):
            talk.lapse(f"The peer refused the request because of the offer: {head.first_line!r}.")
            raise Finished
        _judge_opening(talk, head, key)
        if values := head.all(FIELD):
            talk.fail(f"The peer agreed to {', '.join(values)!r}, though the offer is not valid.")
        talk.did("The peer declined the offer.")
        talk.begin_frames()


@dataclass(frozen=True, slots=True)
class Agrees:
    """As a server, agree to permessage-deflate with these parameters, and with what the client asks for beyond them.

    A client that has not offered it, or that a parameter must not be sent to, lacks what the case needs.
    """

    parameters: Parameters = ()

    def play(self, talk: Talk) -> Play:
        """Read the offer and answer it."""
        head = yield from await_head(talk)
        offer = next((dict(offered) for name, offered in parse_extensions(head.all(FIELD)) if name == NAME), None)
        if offer is None:
            raise Unimplemented("The peer did not offer permessage-deflate.")
        agreed = extension(self._fit(offer))
        yield from answer(talk, response_with((FIELD, agreed)))
        begin_deflate(talk, agreed)
        talk.begin_frames()

    def _fit(self, offer: dict[str, str | None]) -> Parameters:
        terms = dict(self.parameters)
        if _CLIENT_BITS in terms and _CLIENT_BITS not in offer:
            raise Unimplemented("The peer did not offer to limit its window.")
        if _SERVER_RESTARTS in offer:
            terms[_SERVER_RESTARTS] = None
        if (wanted := offer.get(_SERVER_BITS)) is not None:
            terms[_SERVER_BITS] = str(min(int(wanted), int(terms.get(_SERVER_BITS) or 15)))
        return tuple(terms.items())


@dataclass(frozen=True, slots=True)
class Negotiates:
    """Agree on permessage-deflate with a peer of either side. What follows in the case are frames."""

    #: What a server is offered.
    line: str = f"{NAME}; {_CLIENT_BITS}"
    #: What a client is answered.
    parameters: Parameters = ()

    def play(self, talk: Talk) -> Play:
        """Open the connection."""
        yield from (Offers((self.line,)) if talk.peer is Role.SERVER else Agrees(self.parameters)).play(talk)


def _judge_opening(talk: Talk, head: Head, key: str) -> None:
    for fault in response_faults(head, key):
        talk.fail(f"The opening handshake failed: {fault}.")
