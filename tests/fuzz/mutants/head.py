"""The head of a request or of a response: how the reference peer reads it (RFC 9112)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["BadHead", "Head", "elements", "parse_head"]

TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


class BadHead(Exception):
    """Not what RFC 9112 describes."""


@dataclass(frozen=True, slots=True)
class Head:
    """The three parts of the first line, and the header lines with names in lower case."""

    start: tuple[str, str, str]
    lines: tuple[tuple[str, str], ...]

    def values(self, name: str) -> list[str]:
        """What the lines with this name say."""
        return [value for key, value in self.lines if key == name]

    def tokens(self, name: str) -> list[str]:
        """The elements of a list, in lower case."""
        return [element.lower() for element in elements(self.values(name))]


def elements(values: Sequence[str]) -> list[str]:
    """The elements of a list that may be spread over several lines."""
    return [element.strip(" \t") for element in ",".join(values).split(",") if element.strip(" \t")]


def parse_head(data: bytes) -> Head:
    """Raises :exc:`BadHead`."""
    first, *rest = data.removesuffix(b"\r\n\r\n").split(b"\r\n")
    start = first.split(b" ", 2)
    if len(start) != 3 or re.search(rb"[\r\n\0]", data.replace(b"\r\n", b"")):
        raise BadHead
    return Head((_text(start[0]), _text(start[1]), _text(start[2])), tuple(_parse_line(line) for line in rest))


def _parse_line(line: bytes) -> tuple[str, str]:
    name, colon, value = line.partition(b":")
    if not colon or not TOKEN.fullmatch(name):
        raise BadHead
    return _text(name).lower(), _text(value.strip(b" \t"))


def _text(data: bytes) -> str:
    return data.decode("latin-1")
