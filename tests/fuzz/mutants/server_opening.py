"""The opening handshake of the reference server (RFC 6455 §4.2), step by step."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator
from typing import ClassVar

from tests.fuzz.mutants.deflate import Terms
from tests.fuzz.mutants.head import BadHead, Head, elements, parse_head
from tests.fuzz.mutants.stream import Stream

__all__ = ["Refusal", "ServerOpening"]

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
REASONS = {400: "Bad Request", 405: "Method Not Allowed", 426: "Upgrade Required", 431: "Headers Too Large"}


class Refusal(Exception):
    """A request that does not become a connection."""

    def __init__(self, status: int, *headers: str) -> None:
        super().__init__(status, *headers)
        self.status = status
        self.headers = headers


class ServerOpening:
    """Reads a request and answers it."""

    #: Bytes of a request's head.
    head_size: ClassVar[int] = 16384

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.terms: Terms | None = None

    async def run(self) -> bool:
        """Answer; return whether there is a connection now."""
        try:
            await self.stream.write(self.accept(await self.read_head()))
        except Refusal as refusal:
            await self.stream.write(self.refuse(refusal))
            await self.stream.end()
            return False
        return True

    async def read_head(self) -> Head:
        data = await self.stream.read_until(b"\r\n\r\n", self.head_size)
        if data is None:
            raise Refusal(431)
        return self.parse(data)

    def parse(self, data: bytes) -> Head:
        try:
            return parse_head(data)
        except BadHead:
            raise Refusal(400) from None

    def accept(self, head: Head) -> bytes:
        """The answer that opens the connection. Raises :exc:`Refusal`."""
        self.check_method(head)
        self.check_http_version(head)
        self.check_host(head)
        self.check_upgrade(head)
        self.check_connection(head)
        self.check_version(head)
        self.check_key(head)
        self.terms = self.negotiate(head)
        return self.response("101 Switching Protocols", *self.answers(head))

    # --- rules (RFC 6455 §4.2.1) --------------------------------------------------------------------------------------

    def check_method(self, head: Head) -> None:
        if head.start[0] != "GET":
            raise Refusal(405, "Allow: GET")

    def check_http_version(self, head: Head) -> None:
        match = re.fullmatch(r"HTTP/1\.([1-9])", head.start[2])
        if match is None:
            raise Refusal(400)

    def check_host(self, head: Head) -> None:
        if len(head.values("host")) != 1:
            raise Refusal(400)

    def check_upgrade(self, head: Head) -> None:
        if "websocket" not in head.tokens("upgrade"):
            raise Refusal(426, "Upgrade: websocket")

    def check_connection(self, head: Head) -> None:
        if "upgrade" not in head.tokens("connection"):
            raise Refusal(400)

    def check_version(self, head: Head) -> None:
        if head.values("sec-websocket-version") != ["13"]:
            raise Refusal(426, "Sec-WebSocket-Version: 13", "Upgrade: websocket")

    def check_key(self, head: Head) -> None:
        keys = head.values("sec-websocket-key")
        if len(keys) != 1:
            raise Refusal(400)
        self.check_key_length(keys[0])

    def check_key_length(self, key: str) -> None:
        try:
            size = len(base64.b64decode(key, validate=True))
        except (binascii.Error, ValueError):
            size = -1
        if size != 16:
            raise Refusal(400)

    # --- the answer (RFC 6455 §4.2.2) ---------------------------------------------------------------------------------

    def answers(self, head: Head) -> Iterator[str]:
        """The header lines of the answer."""
        yield "Upgrade: websocket"
        yield "Connection: Upgrade"
        yield f"Sec-WebSocket-Accept: {self.accept_key(head.values('sec-websocket-key')[0])}"
        subprotocol = self.choose_subprotocol(elements(head.values("sec-websocket-protocol")))
        if subprotocol is not None:
            yield f"Sec-WebSocket-Protocol: {subprotocol}"
        extensions = self.extensions()
        if extensions is not None:
            yield f"Sec-WebSocket-Extensions: {extensions}"

    def accept_key(self, key: str) -> str:
        return base64.b64encode(hashlib.sha1(key.encode() + GUID).digest()).decode()

    def choose_subprotocol(self, offered: list[str]) -> str | None:
        """An echo peer speaks none."""
        return None

    def extensions(self) -> str | None:
        return None if self.terms is None else str(self.terms)

    def refuse(self, refusal: Refusal) -> bytes:
        status = f"{refusal.status} {REASONS[refusal.status]}"
        return self.response(status, *refusal.headers, "Content-Length: 0", "Connection: close")

    def response(self, status: str, *lines: str) -> bytes:
        return "\r\n".join([f"HTTP/1.1 {status}", *lines, "", ""]).encode("latin-1")

    # --- permessage-deflate (RFC 7692 §5, §7.1) -----------------------------------------------------------------------

    def negotiate(self, head: Head) -> Terms | None:
        """Agree to the first offer of permessage-deflate that is valid."""
        for offer in elements(head.values("sec-websocket-extensions")):
            name, *parameters = (part.strip(" \t") for part in offer.split(";"))
            if name == "permessage-deflate":
                terms = self.agree(parameters)
                if terms is not None:
                    return terms
        return None

    def agree(self, parameters: list[str]) -> Terms | None:
        """The terms of one offer, or ``None`` for one that is not valid."""
        given: dict[str, bool | int] = {}
        for parameter in parameters:
            name, equals, value = (part.strip(" \t") for part in parameter.partition("="))
            if name in given or (parsed := self.parse_parameter(name, value if equals else None)) is None:
                return None
            given[name] = parsed
        return self.terms_for(given)

    def terms_for(self, given: dict[str, bool | int]) -> Terms:
        client_bits = given.get("client_max_window_bits", 0)
        return Terms(
            server_no_context_takeover="server_no_context_takeover" in given,
            client_no_context_takeover="client_no_context_takeover" in given,
            server_max_window_bits=given.get("server_max_window_bits"),
            client_max_window_bits=client_bits if client_bits > 1 else None,
        )

    def parse_parameter(self, name: str, value: str | None) -> bool | int | None:
        """What a parameter says, ``None`` for one that is not valid (RFC 7692 §7.1)."""
        if name in ("server_no_context_takeover", "client_no_context_takeover"):
            return True if value is None else None
        if name == "client_max_window_bits" and value is None:
            return True
        if name not in ("server_max_window_bits", "client_max_window_bits") or value is None:
            return None
        value = value[1:-1] if value[:1] == value[-1:] == '"' else value
        return int(value) if re.fullmatch(r"[89]|1[0-5]", value) else None
