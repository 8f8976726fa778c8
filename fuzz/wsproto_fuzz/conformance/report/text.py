"""Words that came from a peer, made fit for a page, a terminal or an XML file: a peer under test is a stranger."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["amount", "plural", "shortened", "slug", "visible"]

_NOT_IN_A_NAME: Final = re.compile(r"[^a-z0-9.]+")


def visible(text: str) -> str:
    """``text`` with everything that is not printable as an escape; line feeds stay.

    So no control character reaches a terminal, no direction mark turns a line around, and no character is left that
    XML 1.0 forbids.
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char == "\n" else ascii(char)[1:-1] for char in text)


def shortened(text: str, length: int) -> str:
    """``text`` with its middle left out where it is longer than ``length`` characters."""
    if len(text) <= length:
        return text
    head = (length - 1) * 2 // 3
    return f"{text[:head]}…{text[len(text) - (length - 1 - head) :]}"


def slug(text: str) -> str:
    """``text`` as the name of a file: letters, digits, dots and hyphens."""
    return _NOT_IN_A_NAME.sub("-", text.lower()).strip("-.") or "peer"


def plural(count: int, noun: str) -> str:
    """``1 case``, ``2 cases``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def amount(seconds: float) -> str:
    """A duration, for people."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 100:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s"
