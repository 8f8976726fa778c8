"""What must not be in a file: secrets of the handshake, ever, and the contents of messages, unless asked for.

Of a head only those fields are kept that the handshake is about, or that tell the software: any other may hold a
secret. What is hidden keeps its size, so that it costs the engine the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Final

from .._types import Opcode
from .entries import Hidden, HiddenText, Value
from .inbound import Kind, Part

__all__ = ["hidden_frames", "hidden_head", "hidden_headers", "hidden_message", "hidden_offers"]

#: The fields whose values are kept.
_KEPT: Final = frozenset({"connection", "content-length", "content-type", "date", "host", "location", "origin"}) | {
    "sec-websocket-accept",
    "sec-websocket-extensions",
    "sec-websocket-key",
    "sec-websocket-version",
    "server",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "via",
}
_FIRST_LINE: Final = re.compile(rb"[!-~]{1,20} [^ ]* HTTP/\d\.\d|HTTP/\d\.\d \d\d\d[^\r]*")
_QUERY: Final = re.compile(rb"\?[^ #]*")
_CLOSE_CODE_SIZE: Final = 2


def hidden_headers(headers: Iterable[tuple[str, str]], subprotocol: str | None) -> tuple[tuple[str, str], ...]:
    """Fields with the values of those hidden that are not kept."""
    return tuple((name, _hidden_value(name, value, subprotocol)) for name, value in headers)


def hidden_head(head: bytes, subprotocol: str | None) -> bytes:
    """The heads of requests or responses, or their beginning, with secrets hidden: of the same size."""
    return b"\n".join(_hidden_line(line, subprotocol) for line in head.split(b"\n"))


def hidden_offers(subprotocols: Iterable[str], subprotocol: str | None) -> tuple[str, ...]:
    """What a client offered; none that was hidden is what :func:`hidden_head` makes of an answer."""
    return tuple(_hidden_names(subprotocols, subprotocol, "o"))


def hidden_message(data: Value) -> Value:
    """Only the size of a message, or of what else the application says."""
    if isinstance(data, str):
        return HiddenText(len(data.encode(errors="surrogatepass")))
    return Hidden((len(data),)) if isinstance(data, bytes) else data


def hidden_frames(data: bytes, parts: Iterable[Part]) -> Hidden:
    """Frames, or some of their bytes, with headers and close codes kept. What is hidden counts as masked with zeros."""
    return Hidden(tuple(_joined(_pieces(data, parts))))


def _pieces(data: bytes, parts: Iterable[Part]) -> Iterator[bytes | int]:
    for kind, start, stop, frame, offset, key in parts:
        if kind is Kind.HEADER:
            yield data[start:stop]
        elif kind is Kind.PAYLOAD and frame is not None and frame.opcode == Opcode.CLOSE and offset < _CLOSE_CODE_SIZE:
            code = data[start : min(stop, start + _CLOSE_CODE_SIZE - offset)]
            yield bytes(byte ^ key[offset + index] if key else byte for index, byte in enumerate(code))
            yield stop - start - len(code)
        else:
            yield stop - start


def _joined(pieces: Iterable[bytes | int]) -> Iterator[bytes | int]:
    """Neighbours of one kind as one piece, and none that is empty."""
    for is_hidden, group in groupby(filter(None, pieces), lambda piece: isinstance(piece, int)):
        several = list(group)
        yield (
            sum(piece for piece in several if isinstance(piece, int))
            if is_hidden
            else b"".join(piece for piece in several if isinstance(piece, bytes))
        )


def _hidden_line(line: bytes, subprotocol: str | None) -> bytes:
    """The first line of a head, or a field; what is neither is hidden as a whole."""
    content = line.removesuffix(b"\r")
    if _FIRST_LINE.fullmatch(content):
        return _without_query(line)
    name, colon, value = content.partition(b":")
    if not colon:
        return b"x" * len(content) + line[len(content) :]
    blank = value[: len(value) - len(value.lstrip(b" \t"))]
    shown = _hidden_value(name.decode("latin-1"), value[len(blank) :].decode("latin-1"), subprotocol)
    return name + colon + blank + shown.encode("latin-1") + line[len(content) :]


def _without_query(text: bytes) -> bytes:
    return _QUERY.sub(lambda found: b"?" + b"x" * (len(found[0]) - 1), text)


def _hidden_value(name: str, value: str, subprotocol: str | None) -> str:
    if name.lower() in _KEPT:
        return _without_query(value.encode("latin-1")).decode("latin-1")
    if name.lower() != "sec-websocket-protocol":
        return "x" * len(value)
    return ",".join(_hidden_names(value.split(","), subprotocol, ""))


def _hidden_names(items: Iterable[str], subprotocol: str | None, prefix: str) -> Iterator[str]:
    """Subprotocols without the names of those that were not chosen, which can be tokens; each stays different."""
    for number, item in enumerate(items):
        name = item.strip(" \t")
        is_hidden = name and name != subprotocol
        yield item.replace(name, f"{prefix}{number}{'x' * len(name)}"[: len(name)]) if is_hidden else item
