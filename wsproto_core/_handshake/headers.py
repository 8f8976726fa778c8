"""The grammar of the handshake's headers: lists, tokens, extensions, credentials (RFC 9110 §5.6, RFC 6455 §9.1).

What lives here turns header values into data and back, in linear time and with :exc:`ValueError` for whatever is
malformed; those errors give positions, never the sender's bytes, because they may end up in a refusal's body.
What the values mean is decided in ``negotiation``, ``server`` and ``client``.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, TypeAlias

from .._events import BasicCredentials, BearerCredentials
from .._extensions.base import Parameters

__all__ = [
    "Credentials",
    "ExtensionHeader",
    "authorization",
    "credentials_from",
    "format_extensions",
    "has_option",
    "is_token",
    "options",
    "parse_extensions",
    "parse_subprotocols",
]

Credentials: TypeAlias = BasicCredentials | BearerCredentials

#: One element of ``Sec-WebSocket-Extensions``: its name and its parameters.
ExtensionHeader: TypeAlias = tuple[str, Parameters]

_TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
# The two alternatives never match the same character, so no input makes this backtrack.
_QUOTED: Final = re.compile(r'"((?:[^"\\]|\\.)*)"')
_QUOTED_PAIR: Final = re.compile(r"\\(.)")
_TOKEN68: Final = re.compile(r"[A-Za-z0-9\-._~+/]+=*")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_BLANK: Final = " \t"


def is_token(text: str) -> bool:
    """Whether ``text`` is a token (RFC 9110 §5.6.2)."""
    return _TOKEN.fullmatch(text) is not None


def options(lines: Iterable[str]) -> list[str]:
    """The elements of a list whose elements are compared without regard to case, like ``Connection``; in lower case."""
    return _elements_of(",".join(lines).lower())


def has_option(lines: Iterable[str], option: str) -> bool:
    """Whether the list spread over ``lines`` names ``option`` (given in lower case)."""
    value = ",".join(lines).lower()
    return value == option or option in _elements_of(value)  # nearly always it is alone


def parse_subprotocols(lines: Sequence[str]) -> tuple[str, ...]:
    """The values of ``Sec-WebSocket-Protocol``, in order; no lines, no values.

    Raises :exc:`ValueError` for a header without an element, an element that is not a token, or one that comes twice
    (RFC 6455 §4.1, item 10).
    """
    if not lines:
        return ()
    elements = [element.strip(_BLANK) for line in lines for element in line.split(",")]
    names = tuple(element for element in elements if element)
    if not names:
        raise ValueError("the list is empty")
    if not all(map(is_token, names)):
        raise ValueError("a subprotocol is not a token")
    if len(set(names)) != len(names):
        raise ValueError("a subprotocol is named twice")
    return names


def parse_extensions(lines: Sequence[str]) -> tuple[ExtensionHeader, ...]:
    """The elements of ``Sec-WebSocket-Extensions``, in order, unquoted; no lines, no elements.

    Raises :exc:`ValueError` for a header without an element and for everything that RFC 6455 §9.1 does not allow.
    """
    if not lines:
        return ()
    found = tuple(element for line in lines for element in _elements(_Scanner(line)))
    if not found:
        raise ValueError("the list is empty")
    return found


def format_extensions(elements: Iterable[ExtensionHeader]) -> str:
    """The value of ``Sec-WebSocket-Extensions`` that lists ``elements``.

    Raises :exc:`ValueError` where a name or a value is not a token.
    """
    return ", ".join("; ".join([_token(name), *map(_parameter, parameters)]) for name, parameters in elements)


def credentials_from(lines: Sequence[str]) -> Credentials | None:
    """The credentials of the one ``Authorization`` header, if they are well-formed ``Basic`` or ``Bearer`` ones."""
    if len(lines) != 1:
        return None
    scheme, _, value = lines[0].partition(" ")
    parse = {"basic": _basic, "bearer": _bearer}.get(scheme.lower())  # RFC 9110 §11.1: in any letter case
    return parse(value.strip(_BLANK)) if parse else None


def authorization(credentials: Credentials) -> str:
    """The ``Authorization`` value that carries ``credentials``.

    Raises :exc:`ValueError`, which never shows them, for what the scheme cannot express.
    """
    if isinstance(credentials, BearerCredentials):
        if not _TOKEN68.fullmatch(credentials.token):
            raise ValueError("credentials: a bearer token holds letters, digits and -._~+/= only (RFC 6750 §2.1)")
        return f"Bearer {credentials.token}"
    return f"Basic {_encode_basic(credentials)}"


class _Scanner:
    """A position in one header line that only moves forward."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def ended(self) -> bool:
        return self._at == len(self._text)

    def skip(self, characters: str) -> None:
        text, at = self._text, self._at
        while at < len(text) and text[at] in characters:
            at += 1
        self._at = at

    def take(self, character: str) -> bool:
        """Step over ``character`` and the blanks around it, if it comes next."""
        self.skip(_BLANK)
        if not self._text.startswith(character, self._at):
            return False
        self._at += 1
        self.skip(_BLANK)
        return True

    def token(self) -> str:
        match = _TOKEN.match(self._text, self._at)
        if match is None:
            raise ValueError(f"expected a token at position {self._at}")
        self._at = match.end()
        return match.group()

    def value(self) -> str:
        """A token, or a quoted string that is a token once unquoted (RFC 6455 §9.1)."""
        start = self._at
        match = _QUOTED.match(self._text, start)
        if match is None:
            return self.token()
        value = _QUOTED_PAIR.sub(r"\1", match.group(1))
        if not is_token(value):
            raise ValueError(f"expected a token between the quotes at position {start}")
        self._at = match.end()
        return value


def _elements_of(value: str) -> list[str]:
    parts = value.split(",")
    return [element for part in parts if (element := part.strip(_BLANK))]  # RFC 9110 §5.6.1.2: empty ones do not count


def _elements(scanner: _Scanner) -> Iterator[ExtensionHeader]:
    scanner.skip(_BLANK + ",")
    while not scanner.ended():
        yield scanner.token(), tuple(_parameters(scanner))
        if not scanner.take(",") and not scanner.ended():
            raise ValueError("expected a comma or a semicolon after an element")
        scanner.skip(_BLANK + ",")


def _parameters(scanner: _Scanner) -> Iterator[tuple[str, str | None]]:
    while scanner.take(";"):
        name = scanner.token()
        yield name, scanner.value() if scanner.take("=") else None


def _token(text: str) -> str:
    if not is_token(text):
        raise ValueError(f"{text!r} is not a token (RFC 6455 §9.1)")
    return text


def _parameter(parameter: tuple[str, str | None]) -> str:
    name, value = parameter
    return _token(name) if value is None else f"{_token(name)}={_token(value)}"


def _basic(value: str) -> BasicCredentials | None:
    try:
        text = base64.b64decode(value, validate=True).decode()
    except ValueError:
        return None
    username, colon, password = text.partition(":")
    if not colon or _CONTROL.search(text):  # RFC 7617 §2 forbids control characters
        return None
    return BasicCredentials(username, password)


def _bearer(value: str) -> BearerCredentials | None:
    return BearerCredentials(value) if _TOKEN68.fullmatch(value) else None


def _encode_basic(credentials: BasicCredentials) -> str:
    text = f"{credentials.username}:{credentials.password}"
    if ":" in credentials.username or _CONTROL.search(text):
        raise ValueError("credentials: no colon in the username and no control character at all (RFC 7617 §2)")
    try:
        return base64.b64encode(text.encode()).decode()
    except UnicodeEncodeError:
        raise ValueError("credentials: lone surrogates cannot be encoded as UTF-8") from None
