"""From "RFC 6455 §5.2" to the text of that section."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

__all__ = ["linked"]

_RFC: Final = re.compile(r"RFC ?(\d{3,5})")
_SECTION: Final = re.compile(r"§ ?(\d+(?:\.\d+)*)")
_REFERENCE: Final = re.compile(rf"{_RFC.pattern}(?: ?{_SECTION.pattern})?|{_SECTION.pattern}")


def linked(reference: str) -> Iterator[tuple[str, str | None]]:
    """The parts of a reference to sections of RFCs, each with its address, or ``None`` for words in between.

    A section without an RFC before it belongs to the one named last: "RFC 6455 §5.2, §7.4".
    """
    rfc = end = 0
    for found in _REFERENCE.finditer(reference):
        number, section = found[1], found[2] or found[3]
        rfc = int(number or rfc)
        yield reference[end : found.start()], None
        yield found[0], _address(rfc, section) if rfc else None
        end = found.end()
    yield reference[end:], None


def _address(rfc: int, section: str | None) -> str:
    address = f"https://www.rfc-editor.org/rfc/rfc{rfc}.html"
    return f"{address}#section-{section}" if section else address
