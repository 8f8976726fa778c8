"""Bytes and text made fit for human eyes: nothing here reads, writes or decides."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

__all__ = ["excerpt", "hexdump", "is_secret", "printable", "without_secrets"]

_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_CONTROLS_IN_TEXT: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")  # all but tab and line feed
_SECRET: Final = re.compile(
    r"auth|cookie|token|secret|passw|credential|session|signature|bearer|api[-_]?key", re.IGNORECASE
)
_PARAMETER: Final = re.compile(r"([?&;])([^=&;]*)=([^&;\s]*)")
_HIDDEN: Final = "<hidden>"
_PER_LINE: Final = 16


def printable(text: str, *, multiline: bool = False) -> str:
    """``text`` with control characters shown as escapes, so that no peer commands the terminal."""
    return (_CONTROLS_IN_TEXT if multiline else _CONTROLS).sub(lambda found: ascii(found[0])[1:-1], text)


def excerpt(message: str | bytes, *, length: int = 60) -> str:
    """The beginning of a message, on one line."""
    if isinstance(message, bytes):
        shown = message[: length // 3].hex(" ")
        return shown + (" ..." if len(message) > length // 3 else "")
    return printable(message[:length]) + (" ..." if len(message) > length else "")


def hexdump(data: bytes) -> Iterator[str]:
    """``data`` as ``hexdump -C`` shows it: offset, sixteen bytes, the same as text; at last the size."""
    for offset in range(0, len(data), _PER_LINE):
        row = data[offset : offset + _PER_LINE]
        halves = f"{row[:8].hex(' '):<23}  {row[8:].hex(' '):<23}"
        text = "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in row)
        yield f"{offset:08x}  {halves}  |{text}|"
    yield f"{len(data):08x}"


def is_secret(name: str) -> bool:
    """Whether what is called so should not be shown: a header, a query parameter."""
    return _SECRET.search(name) is not None


def without_secrets(line: str) -> str:
    """A line of an HTTP head with credentials, cookies and tokens hidden, in headers, queries and subprotocols."""
    name, colon, value = line.partition(": ")
    if not colon or " " in name:
        return _PARAMETER.sub(_hide_parameter, line)  # the request line
    if is_secret(name):
        return f"{name}: {_HIDDEN}"
    if name.lower() == "sec-websocket-protocol":  # some servers take their token there
        value = ", ".join(_HIDDEN if is_secret(item) else item for item in value.split(", "))
    return f"{name}: {_PARAMETER.sub(_hide_parameter, value)}"


def _hide_parameter(found: re.Match[str]) -> str:
    separator, name, value = found.groups()
    return f"{separator}{name}={_HIDDEN if is_secret(name) else value}"
