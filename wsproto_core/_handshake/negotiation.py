"""Choices that two sides make together: the subprotocol and the extensions (RFC 6455 §4.2.2, §9.1).

What lives here compares what was offered with what is supported. Reading it out of headers is for ``headers``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from sys import intern
from typing import Final, NamedTuple, TypeAlias

from .._config import Limits
from .._errors import LocalProtocolError, RemoteProtocolError
from .._extensions.base import Extension, MessageTransform, Parameters
from .._violations import Violation
from .headers import ExtensionHeader, format_extensions, is_token, parse_extensions

__all__ = [
    "NO_EXTENSIONS",
    "Negotiated",
    "Subprotocols",
    "accept_extensions",
    "check_extensions",
    "check_subprotocols",
    "choose_subprotocol",
    "confirm_extensions",
    "offer_extensions",
]

#: What a server supports, the preferred one first; or a function of what is offered.
Subprotocols: TypeAlias = Sequence[str] | Callable[[tuple[str, ...]], str | None]


class Negotiated(NamedTuple):
    """The extensions that both sides agreed on, in their order."""

    #: The value of ``Sec-WebSocket-Extensions`` in the response; ``None`` if there are no extensions.
    header: str | None
    transforms: tuple[MessageTransform, ...]
    names: tuple[str, ...]


#: What both sides agree on where there is nothing to negotiate.
NO_EXTENSIONS: Final = Negotiated(None, (), ())


def choose_subprotocol(offered: tuple[str, ...], supported: Subprotocols) -> str | None:
    """The subprotocol to speak, ``None`` without a common one (RFC 6455 §4.2.2, item 5.5).

    Raises :exc:`LocalProtocolError` if a callable answers what was not offered.
    """
    if not callable(supported):
        for name in supported:
            if name in offered:
                return name
        return None
    chosen = supported(offered)
    if chosen is not None and chosen not in offered:
        raise LocalProtocolError(f"subprotocols: the function chose {chosen!r}, which the client does not offer")
    return chosen


def offer_extensions(extensions: Iterable[Extension]) -> str | None:
    """What a client's ``Sec-WebSocket-Extensions`` says; ``None`` to send none.

    Raises :exc:`ValueError` where an extension offers what is not a token.
    """
    offers = [(extension.name, parameters) for extension in extensions for parameters in extension.offer()]
    return format_extensions(offers) or None


def accept_extensions(offers: Sequence[ExtensionHeader], extensions: Iterable[Extension], limits: Limits) -> Negotiated:
    """A server's answer to a client's offers, taken in the client's order.

    Of the alternatives for one extension the first acceptable is taken. An extension that claims a reserved bit which
    an earlier one has already is declined (RFC 6455 §9.1).
    """
    if not offers:
        return NO_EXTENSIONS
    waiting = {extension.name: extension for extension in extensions}
    answers: list[ExtensionHeader] = []
    transforms: list[MessageTransform] = []
    for name, offered in offers:
        extension = waiting.get(name)
        answer = None if extension is None else extension.accept(offered, limits)
        if extension is None or answer is None or _clashes(answer[1], transforms):
            continue
        del waiting[name]
        answers.append((extension.name, answer[0]))  # not the equal name that came: it would be kept
        transforms.append(answer[1])
    return _negotiated(answers, transforms)


def confirm_extensions(lines: Sequence[str], extensions: Iterable[Extension], limits: Limits) -> Negotiated:
    """A client's reading of the answer: the lines of ``Sec-WebSocket-Extensions`` in the response.

    Raises :exc:`RemoteProtocolError` with ``EXTENSION_NOT_OFFERED`` or ``EXTENSION_PARAMETERS``.
    """
    answers = _parse_answers(lines)
    if not answers:
        return NO_EXTENSIONS
    waiting = {extension.name: extension for extension in extensions}
    transforms: list[MessageTransform] = []
    for name, answered in answers:
        if name not in waiting:
            raise RemoteProtocolError(Violation.EXTENSION_NOT_OFFERED, f"the server chose {name[:60]!r}")
        transform = _confirm(waiting.pop(name), answered, limits)
        if _clashes(transform, transforms):
            raise RemoteProtocolError(Violation.EXTENSION_PARAMETERS, "two extensions claim the same reserved bit")
        transforms.append(transform)
    return _negotiated(answers, transforms)


def check_subprotocols(subprotocols: Iterable[object]) -> tuple[str, ...]:
    """``subprotocols`` as a tuple; :exc:`ValueError` or :exc:`TypeError` unless they are distinct tokens."""
    if isinstance(subprotocols, str):
        raise TypeError("subprotocols must be a sequence of strings, not one string")
    names = tuple(map(_subprotocol, subprotocols))
    if len(set(names)) != len(names):
        raise ValueError("subprotocols must all be different (RFC 6455 §4.1)")
    return names


def check_extensions(extensions: Iterable[object]) -> tuple[Extension, ...]:
    """``extensions`` as a tuple; :exc:`ValueError` or :exc:`TypeError` unless they have distinct names."""
    found = tuple(map(_extension, extensions))
    if len({extension.name for extension in found}) != len(found):
        raise ValueError("extensions must have different names; alternatives belong into one extension's offer()")
    return found


def _subprotocol(name: object) -> str:
    if not isinstance(name, str):
        raise TypeError(f"subprotocols must be strings, unlike {name!r}")
    if not is_token(name):
        raise ValueError(f"subprotocols must be tokens, unlike {name!r} (RFC 6455 §4.1)")
    return name


def _extension(extension: object) -> Extension:
    if not isinstance(extension, Extension):
        raise TypeError(f"extensions must be instances of Extension, unlike {extension!r}")
    return extension


def _parse_answers(lines: Sequence[str]) -> tuple[ExtensionHeader, ...]:
    try:
        return parse_extensions(lines)
    except ValueError as error:
        raise RemoteProtocolError(Violation.EXTENSION_PARAMETERS, str(error)) from None


def _negotiated(answers: Sequence[ExtensionHeader], transforms: Iterable[MessageTransform]) -> Negotiated:
    header = intern(format_extensions(answers))  # nearly all connections agree on the same
    return Negotiated(header or None, tuple(transforms), tuple(name for name, _ in answers))


def _confirm(extension: Extension, answered: Parameters, limits: Limits) -> MessageTransform:
    try:
        return extension.confirm(answered, limits)
    except ValueError as error:
        raise RemoteProtocolError(Violation.EXTENSION_PARAMETERS, str(error)) from error


def _clashes(transform: MessageTransform, others: Iterable[MessageTransform]) -> bool:
    return any(transform.reserved_bits & other.reserved_bits for other in others)
