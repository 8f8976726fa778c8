"""HTTP header fields as an immutable multi-dictionary.

What lives here: storage, look-up and the check that a field cannot break out of its line. The grammar of the single
WebSocket headers is in ``_handshake/headers.py``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, TypeAlias, cast

__all__ = ["Headers", "HeadersLike", "checked_headers", "common_word", "received_headers", "values_by_name"]

HeadersLike: TypeAlias = "Headers | Mapping[str, str] | Iterable[tuple[str, str]]"

_TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VALUE: Final = re.compile(r"[\t\x20-\x7e\x80-\xff]*")


class Headers(Mapping[str, str]):
    """Header fields in their order, looked up without regard to case (RFC 9110 §5).

    ``headers["name"]`` joins repeated fields with ``", "`` as RFC 9110 §5.3 allows; :meth:`all` keeps them apart.
    ``items()`` and :meth:`lines` differ in the same way. Building one raises :exc:`ValueError` for a name that is
    not a token, or a value with a line break, another control character, or a character beyond Latin-1.
    """

    __slots__ = ("_lines",)

    def __init__(self, fields: HeadersLike = ()) -> None:
        if isinstance(fields, Headers):
            self._lines: tuple[tuple[str, str], ...] = fields._lines
            return
        if not fields:
            self._lines = ()
            return
        pairs = cast("Iterable[tuple[str, str]]", fields.items() if isinstance(fields, Mapping) else fields)
        self._lines = tuple(_checked(name, value) for name, value in pairs)

    def lines(self) -> tuple[tuple[str, str], ...]:
        """The fields as they stand on the wire, one pair for each line."""
        return self._lines

    def all(self, name: str) -> list[str]:
        """The values of every line called ``name``, in order; empty if there is none."""
        wanted, size = name.lower(), len(name)
        return [value for key, value in self._lines if len(key) == size and key.lower() == wanted]

    def __getitem__(self, name: str) -> str:
        values = self.all(name)
        if not values:
            raise KeyError(name)
        return ", ".join(values)

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(key.lower() for key, _ in self._lines))

    def __len__(self) -> int:
        return len({key.lower() for key, _ in self._lines})

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Headers) and self._folded() == other._folded()

    def __hash__(self) -> int:
        return hash(self._folded())

    def __repr__(self) -> str:
        return f"Headers({[(name, _redacted(name, value)) for name, value in self._lines]!r})"

    def _folded(self) -> tuple[tuple[str, str], ...]:
        return tuple((key.lower(), value) for key, value in self._lines)


def checked_headers(lines: Iterable[tuple[str, str]]) -> Headers:
    """Headers whose names and values somebody has checked already."""
    headers = Headers.__new__(Headers)
    headers._lines = tuple(lines)  # pyright: ignore[reportPrivateUsage]  # a second constructor, in the same file
    return headers


def received_headers(lines: Iterable[Sequence[str]]) -> Headers:
    """The same, of a head that has come: names and values that nearly every head holds are shared."""
    return checked_headers([(common_word(name, name), common_word(value, value)) for name, value in lines])


def values_by_name(headers: Headers) -> dict[str, list[str]]:
    """The values of every line, in order, by name in lower case: for whoever looks up many."""
    values: dict[str, list[str]] = {}
    for name, value in headers.lines():
        values.setdefault(name.lower(), []).append(value)
    return values


#: ``common_word(text, text)`` is what nearly every head holds, one string for all connections; ``text`` for other text.
common_word: Final[Callable[[str, str], str]] = {
    word: word
    for word in (
        "Host", "Upgrade", "Connection", "Origin", "Cookie", "User-Agent", "Pragma", "Cache-Control",
        "Accept-Encoding", "Accept-Language", "Sec-WebSocket-Accept", "Sec-WebSocket-Extensions",
        "Sec-WebSocket-Key", "Sec-WebSocket-Protocol", "Sec-WebSocket-Version", "websocket", "keep-alive, Upgrade",
        "no-cache", "13", "permessage-deflate", "permessage-deflate; client_max_window_bits",
    )
}.get  # fmt: skip
#: Fields whose value is a secret: shown by name only, so that no log line gives one away.
_SECRET: Final = frozenset({"authorization", "proxy-authorization", "cookie", "set-cookie"})


def _redacted(name: str, value: str) -> str:
    return "<hidden>" if name.lower() in _SECRET else value


def _checked(name: str, value: str) -> tuple[str, str]:
    if not _TOKEN.fullmatch(name):
        raise ValueError(f"header name {name!r} is not a token (RFC 9110 §5.6.2)")
    if not _VALUE.fullmatch(value):
        raise ValueError(f"the value of header {name!r} holds a character that no field may carry (RFC 9110 §5.5)")
    return name, value.strip(" \t")
