"""The opening handshake of the reference client (RFC 6455 §4.1), step by step."""

from __future__ import annotations

import base64
import hashlib
import os
import re
from typing import ClassVar

from tests.fuzz.mutants.deflate import Terms
from tests.fuzz.mutants.head import BadHead, Head, elements, parse_head
from tests.fuzz.mutants.server_opening import GUID
from tests.fuzz.mutants.stream import Stream

__all__ = ["ClientOpening", "Refused"]


class Refused(Exception):
    """An answer that opens nothing, or that the RFC does not allow."""


class ClientOpening:
    """Sends a request and judges the answer."""

    #: Bytes of an answer's head.
    head_size: ClassVar[int] = 16384
    #: What is offered.
    subprotocols: ClassVar[str] = ""
    extensions: ClassVar[str] = "permessage-deflate; client_max_window_bits"

    def __init__(self, stream: Stream, host: str, target: str) -> None:
        self.stream = stream
        self.host = host
        self.target = target
        self.key = self.new_key()
        self.terms: Terms | None = None

    async def run(self) -> None:
        """Open the connection. Raises :exc:`Refused`."""
        await self.stream.write(self.request())
        data = await self.stream.read_until(b"\r\n\r\n", self.head_size)
        if data is None:
            raise Refused
        self.check(self.parse(data))

    # --- the request --------------------------------------------------------------------------------------------------

    def new_key(self) -> str:
        return base64.b64encode(os.urandom(16)).decode()

    def request(self) -> bytes:
        return "\r\n".join([f"GET {self.target} HTTP/1.1", *self.lines(), "", ""]).encode()

    def lines(self) -> list[str]:
        lines = [f"Host: {self.host}", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"]
        lines.append(f"Sec-WebSocket-Key: {self.key}")
        if self.subprotocols:
            lines.append(f"Sec-WebSocket-Protocol: {self.subprotocols}")
        if self.extensions:
            lines.append(f"Sec-WebSocket-Extensions: {self.extensions}")
        return lines

    # --- the answer (RFC 6455 §4.1) -----------------------------------------------------------------------------------

    def parse(self, data: bytes) -> Head:
        try:
            return parse_head(data)
        except BadHead:
            raise Refused from None

    def check(self, head: Head) -> None:
        self.check_status(head)
        self.check_upgrade(head)
        self.check_connection(head)
        self.check_accept(head)
        self.check_subprotocol(head)
        self.check_extensions(head)

    def check_status(self, head: Head) -> None:
        if head.start[:2] != ("HTTP/1.1", "101"):
            raise Refused

    def check_upgrade(self, head: Head) -> None:
        if head.tokens("upgrade") != ["websocket"]:
            raise Refused

    def check_connection(self, head: Head) -> None:
        if "upgrade" not in head.tokens("connection"):
            raise Refused

    def check_accept(self, head: Head) -> None:
        expected = base64.b64encode(hashlib.sha1(self.key.encode() + GUID).digest()).decode()
        if head.values("sec-websocket-accept") != [expected]:
            raise Refused

    def check_subprotocol(self, head: Head) -> None:
        chosen = head.values("sec-websocket-protocol")
        if chosen and (len(chosen) > 1 or chosen[0] not in elements([self.subprotocols])):
            raise Refused

    def check_extensions(self, head: Head) -> None:
        answered = elements(head.values("sec-websocket-extensions"))
        if len(answered) > 1:
            raise Refused
        for answer in answered:
            name, *parameters = (part.strip(" \t") for part in answer.split(";"))
            if name != "permessage-deflate" or not self.extensions:
                raise Refused
            self.terms = self.agree(parameters)

    def agree(self, parameters: list[str]) -> Terms:
        """The terms of the answer (RFC 7692 §7.1). Raises :exc:`Refused`."""
        given: dict[str, str | None] = {}
        for parameter in parameters:
            name, equals, value = (part.strip(" \t") for part in parameter.partition("="))
            if name in given:
                raise Refused
            given[name] = value if equals else None
        terms = Terms(
            server_no_context_takeover=self.take_flag(given, "server_no_context_takeover"),
            client_no_context_takeover=self.take_flag(given, "client_no_context_takeover"),
            server_max_window_bits=self.take_bits(given, "server_max_window_bits"),
            client_max_window_bits=self.take_bits(given, "client_max_window_bits"),
        )
        if given:
            raise Refused
        return terms

    def take_flag(self, given: dict[str, str | None], name: str) -> bool:
        if given.get(name) is not None:
            raise Refused
        return given.pop(name, "absent") is None

    def take_bits(self, given: dict[str, str | None], name: str) -> int | None:
        if name not in given:
            return None
        value = given.pop(name)
        if value is None or not re.fullmatch(r"[89]|1[0-5]", value):
            raise Refused
        return int(value)
