"""Faults of clients in the opening handshake (RFC 6455 §4.1)."""

from __future__ import annotations

import base64

from tests.fuzz.mutants.client_opening import ClientOpening
from tests.fuzz.mutants.fault import CLIENT, caught_by
from tests.fuzz.mutants.head import Head


class Sends(ClientOpening):
    """Not a fault yet: sends one header otherwise, or not at all."""

    name: str
    line: str | None = None

    def lines(self) -> list[str]:
        kept = [line for line in super().lines() if not line.startswith(f"{self.name}:")]
        return kept if self.line is None else [*kept, f"{self.name}: {self.line}"]


@caught_by("handshake.21.6", sides=(CLIENT,))
class SendsVersion8(Sends):
    """Asks for version 8."""

    name = "Sec-WebSocket-Version"
    line = "8"


@caught_by("handshake.21.3", sides=(CLIENT,))
class SendsNoHost(Sends):
    """Sends no Host."""

    name = "Host"


@caught_by("handshake.21.7", sides=(CLIENT,))
class SendsNoKey(Sends):
    """Sends no key."""

    name = "Sec-WebSocket-Key"


@caught_by("handshake.21.5", sides=(CLIENT,))
class SendsNoConnection(Sends):
    """Sends no Connection."""

    name = "Connection"


@caught_by("handshake.21.4", sides=(CLIENT,))
class SendsNoUpgrade(Sends):
    """Sends no Upgrade."""

    name = "Upgrade"


@caught_by("handshake.21.7", sides=(CLIENT,))
class SendsShortKey(ClientOpening):
    """Sends a key of 15 bytes."""

    def new_key(self) -> str:
        return base64.b64encode(b"x" * 15).decode()


@caught_by("handshake.21.1", sides=(CLIENT,))
class SendsHttp10(ClientOpening):
    """Asks in HTTP/1.0."""

    def request(self) -> bytes:
        return super().request().replace(b"HTTP/1.1", b"HTTP/1.0", 1)


@caught_by("handshake.24.1", "handshake.24.3", "handshake.24.9", "handshake.24.11", sides=(CLIENT,))
class AcceptsAnyStatus(ClientOpening):
    """Does not look at the status."""

    def check_status(self, head: Head) -> None:
        pass


@caught_by("handshake.25.1", "handshake.25.2", sides=(CLIENT,))
class AcceptsAnyUpgrade(ClientOpening):
    """Does not look at Upgrade."""

    def check_upgrade(self, head: Head) -> None:
        pass


@caught_by("handshake.25.4", "handshake.25.5", sides=(CLIENT,))
class AcceptsAnyConnection(ClientOpening):
    """Does not look at Connection."""

    def check_connection(self, head: Head) -> None:
        pass


@caught_by("handshake.25.7", "handshake.25.9", sides=(CLIENT,))
class AcceptsAnyAccept(ClientOpening):
    """Does not look at Sec-WebSocket-Accept."""

    def check_accept(self, head: Head) -> None:
        pass


@caught_by("handshake.25.14", sides=(CLIENT,))
class AcceptsAnySubprotocol(ClientOpening):
    """Takes a subprotocol that it has not offered."""

    def check_subprotocol(self, head: Head) -> None:
        pass


@caught_by("handshake.25.16", sides=(CLIENT,))
class AcceptsAnyExtension(ClientOpening):
    """Takes extensions that it has not offered."""

    def check_extensions(self, head: Head) -> None:
        if "permessage-deflate" in ",".join(head.values("sec-websocket-extensions")):
            super().check_extensions(head)


@caught_by("handshake.22.7", sides=(CLIENT,))
class WantsUsualCapitals(ClientOpening):
    """Knows "websocket" and "Upgrade" only in their usual capitals."""

    def check(self, head: Head) -> None:
        super().check(
            Head(head.start, tuple((name, "?" if value == "WEBSOCKET" else value) for name, value in head.lines))
        )


@caught_by("handshake.23.3", sides=(CLIENT,))
class LosesBytesAfterHead(ClientOpening):
    """Forgets what comes in the same read as the end of the answer."""

    async def run(self) -> None:
        await super().run()
        self.stream.buffer.clear()
