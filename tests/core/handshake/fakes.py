"""Extensions that agree to what their test wants, and the example handshake of RFC 6455 §1.3."""

from __future__ import annotations

from collections.abc import Sequence

from wsproto_core._config import Limits
from wsproto_core._events import Request
from wsproto_core._extensions.base import Extension, MessageTransform, Parameters
from wsproto_core._headers import Headers
from wsproto_core._types import Buffer

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
TOKEN = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

Fields = list[tuple[str, str]]


class FakeTransform(MessageTransform):
    def encode(self, data: Buffer, final: bool) -> bytes:
        return bytes(data)

    decode = encode


class TransformOnBit1(FakeTransform):
    reserved_bits = 0x40


class FakeExtension(Extension):
    """Offers ``on`` and then no parameters; accepts and confirms exactly those two, never ``off``."""

    name = "x-fake"

    def offer(self) -> Sequence[Parameters]:
        return [(("on", None), ("level", "9")), ()]

    def accept(self, offered: Parameters, limits: Limits) -> tuple[Parameters, MessageTransform] | None:
        return None if ("off", None) in offered else (offered, self.transform())

    def confirm(self, answered: Parameters, limits: Limits) -> MessageTransform:
        if ("off", None) in answered:
            raise ValueError("off was not offered")
        return self.transform()

    def transform(self) -> MessageTransform:
        return FakeTransform()


class ExtensionOnBit1(FakeExtension):
    name = "x-first"

    def transform(self) -> MessageTransform:
        return TransformOnBit1()


class RivalOnBit1(ExtensionOnBit1):
    name = "x-rival"


def request_fields(**changes: str | list[str] | None) -> Fields:
    """The example of RFC 6455 §1.3; a change replaces a header, ``None`` leaves it out, a list repeats it."""
    fields: dict[str, str | list[str] | None] = {
        "Host": "server.example.com",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": KEY,
        "Sec-WebSocket-Version": "13",
    }
    return _lines(fields | {name.replace("_", "-"): value for name, value in changes.items()})


def response_fields(**changes: str | list[str] | None) -> Fields:
    """The answer to the example, changed in the same way."""
    fields: dict[str, str | list[str] | None] = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Accept": TOKEN,
    }
    return _lines(fields | {name.replace("_", "-"): value for name, value in changes.items()})


def http1(**changes: str | list[str] | None) -> Request:
    return Request(method="GET", target="/chat", headers=Headers(request_fields(**changes)))


def extended_connect(
    *,
    method: str = "CONNECT",
    http_version: str = "2",
    protocol: str | None = "websocket",
    fields: Fields | None = None,
) -> Request:
    """The example of RFC 8441 §5.1."""
    own = [("Host", "server.example.com"), ("Sec-WebSocket-Version", "13"), *(fields or [])]
    return Request(method=method, target="/chat", headers=Headers(own), http_version=http_version, protocol=protocol)


def _lines(fields: dict[str, str | list[str] | None]) -> Fields:
    lines: Fields = []
    for name, value in fields.items():
        values = [] if value is None else [value] if isinstance(value, str) else value
        lines += [(name, single) for single in values]
    return lines
