"""Faults of servers in the opening handshake (RFC 6455 §4.2)."""

from __future__ import annotations

from collections.abc import Iterator

from tests.fuzz.mutants.fault import LAX, SERVER, caught_by
from tests.fuzz.mutants.head import Head, elements
from tests.fuzz.mutants.server_opening import Refusal, ServerOpening


@caught_by("handshake.2.1", sides=(SERVER,))
class WrongAccept(ServerOpening):
    """Sends the key back, and not what is computed of it."""

    def accept_key(self, key: str) -> str:
        return key


@caught_by("handshake.9.2", sides=(SERVER,))
class AcceptsAnyVersion(ServerOpening):
    """Does not look at Sec-WebSocket-Version."""

    def check_version(self, head: Head) -> None:
        pass


@caught_by("handshake.10.1", sides=(SERVER,))
class AcceptsMissingVersion(ServerOpening):
    """Takes a request without Sec-WebSocket-Version."""

    def check_version(self, head: Head) -> None:
        if head.values("sec-websocket-version"):
            super().check_version(head)


@caught_by("handshake.9.2", verdict=LAX, sides=(SERVER,))
class ForgetsVersion(ServerOpening):
    """Refuses a version without a word about the one it speaks."""

    def check_version(self, head: Head) -> None:
        try:
            super().check_version(head)
        except Refusal:
            raise Refusal(400) from None


@caught_by("handshake.7.3", sides=(SERVER,))
class AcceptsMissingKey(ServerOpening):
    """Takes a request without Sec-WebSocket-Key."""

    def check_key(self, head: Head) -> None:
        if head.values("sec-websocket-key"):
            super().check_key(head)

    def accept_key(self, key: str) -> str:
        return super().accept_key(key)

    def answers(self, head: Head) -> Iterator[str]:
        return super().answers(Head(head.start, (*head.lines, ("sec-websocket-key", ""))))


@caught_by("handshake.7.5", "handshake.7.7", sides=(SERVER,))
class AcceptsAnyKey(ServerOpening):
    """Takes any word for a key."""

    def check_key_length(self, key: str) -> None:
        pass


@caught_by("handshake.7.9", sides=(SERVER,))
class AcceptsTwoKeys(ServerOpening):
    """Takes the first of several keys."""

    def check_key(self, head: Head) -> None:
        self.check_key_length((head.values("sec-websocket-key") or [""])[0])


@caught_by("handshake.5.1", sides=(SERVER,))
class AcceptsAnyMethod(ServerOpening):
    """Does not look at the method."""

    def check_method(self, head: Head) -> None:
        pass


@caught_by("handshake.6.1", sides=(SERVER,))
class AcceptsHttp10(ServerOpening):
    """Takes any version of HTTP."""

    def check_http_version(self, head: Head) -> None:
        pass


@caught_by("handshake.7.1", "handshake.7.2", sides=(SERVER,))
class AcceptsMissingHost(ServerOpening):
    """Does not look at Host."""

    def check_host(self, head: Head) -> None:
        pass


@caught_by("handshake.8.1", "handshake.8.2", sides=(SERVER,))
class AcceptsMissingUpgrade(ServerOpening):
    """Does not look at Upgrade."""

    def check_upgrade(self, head: Head) -> None:
        pass


@caught_by("handshake.8.5", "handshake.8.6", sides=(SERVER,))
class AcceptsMissingConnection(ServerOpening):
    """Does not look at Connection."""

    def check_connection(self, head: Head) -> None:
        pass


@caught_by("handshake.1.4", sides=(SERVER,))
class WantsUpgradeInLowerCase(ServerOpening):
    """Does not know "WebSocket" with capitals."""

    def check_upgrade(self, head: Head) -> None:
        if "websocket" not in elements(head.values("upgrade")):
            raise Refusal(426, "Upgrade: websocket")


@caught_by("handshake.1.8", sides=(SERVER,))
class WantsConnectionAlone(ServerOpening):
    """Does not see "Upgrade" in a list."""

    def check_connection(self, head: Head) -> None:
        if head.tokens("connection") != ["upgrade"]:
            raise Refusal(400)


@caught_by("handshake.1.12", sides=(SERVER,))
class WantsHostFirst(ServerOpening):
    """Wants Host to be the first header."""

    def check_host(self, head: Head) -> None:
        if not head.lines or head.lines[0][0] != "host":
            raise Refusal(400)


@caught_by("handshake.1.2", sides=(SERVER,))
class WantsUsualNames(ServerOpening):
    """Knows the names of headers only in their usual capitals."""

    def parse(self, data: bytes) -> Head:
        if b"\r\nSec-WebSocket-Key:" not in data:
            raise Refusal(400)
        return super().parse(data)


@caught_by("handshake.1.13", sides=(SERVER,))
class WantsSpaceAfterColon(ServerOpening):
    """Wants exactly one space before each value."""

    def parse(self, data: bytes) -> Head:
        for line in data.split(b"\r\n")[1:-2]:
            if line.partition(b":")[2][:2].strip(b" \t") == line.partition(b":")[2][:2]:
                raise Refusal(400)
        return super().parse(data)


@caught_by("handshake.1.20", sides=(SERVER,))
class FewHeadersOnly(ServerOpening):
    """Takes no more than 12 headers."""

    def parse(self, data: bytes) -> Head:
        head = super().parse(data)
        if len(head.lines) > 12:
            raise Refusal(431)
        return head


@caught_by("handshake.1.23", sides=(SERVER,))
class RefusesQuery(ServerOpening):
    """Takes no target with a query."""

    def check_method(self, head: Head) -> None:
        super().check_method(head)
        if "?" in head.start[1]:
            raise Refusal(400)


@caught_by("handshake.4.3", sides=(SERVER,))
class NeedsHeadInOneRead(ServerOpening):
    """Takes what it reads first for the whole request."""

    async def read_head(self) -> Head:
        await self.stream.fill()
        if b"\r\n\r\n" not in self.stream.buffer:
            raise Refusal(400)
        return await super().read_head()


@caught_by("handshake.14.1", sides=(SERVER,))
class ChoosesUnofferedSubprotocol(ServerOpening):
    """Chooses a subprotocol that was not offered."""

    def choose_subprotocol(self, offered: list[str]) -> str | None:
        return "echo" if offered else None


@caught_by("handshake.1.1", sides=(SERVER,))
class ChoosesSubprotocolUnasked(ServerOpening):
    """Chooses a subprotocol although none was offered."""

    def choose_subprotocol(self, offered: list[str]) -> str | None:
        return None if offered else "echo"


@caught_by("handshake.14.2", sides=(SERVER,))
class ChoosesEverySubprotocol(ServerOpening):
    """Chooses all subprotocols that were offered."""

    def choose_subprotocol(self, offered: list[str]) -> str | None:
        return ", ".join(offered) or None


@caught_by("handshake.1.1", "handshake.15.1", sides=(SERVER,))
class ChoosesUnofferedExtension(ServerOpening):
    """Answers an extension that was not offered."""

    def extensions(self) -> str | None:
        return super().extensions() or "x-unheard-of"


@caught_by("handshake.1.1", sides=(SERVER,))
class AnswersOk(ServerOpening):
    """Opens the connection with status 200."""

    def response(self, status: str, *lines: str) -> bytes:
        return super().response(status.replace("101 Switching Protocols", "200 OK"), *lines)


class LeavesOut(ServerOpening):
    """Not a fault yet: leaves a header out of the answer."""

    name: str

    def answers(self, head: Head) -> Iterator[str]:
        return (line for line in super().answers(head) if not line.startswith(self.name))


@caught_by("handshake.1.1", sides=(SERVER,))
class AnswersWithoutUpgrade(LeavesOut):
    """Answers without Upgrade."""

    name = "Upgrade"


@caught_by("handshake.1.1", sides=(SERVER,))
class AnswersWithoutConnection(LeavesOut):
    """Answers without Connection."""

    name = "Connection"


@caught_by("handshake.1.1", sides=(SERVER,))
class AnswersWithoutAccept(LeavesOut):
    """Answers without Sec-WebSocket-Accept."""

    name = "Sec-WebSocket-Accept"


@caught_by("handshake.5.1", "handshake.7.4", verdict=LAX, sides=(SERVER,))
class RefusesSilently(ServerOpening):
    """Closes without an answer when a request is not right."""

    def refuse(self, refusal: Refusal) -> bytes:
        return b""


@caught_by("handshake.5.1", "handshake.7.4", sides=(SERVER,))
class HangsInsteadOfRefusing(ServerOpening):
    """Does not answer a request that is not right, and keeps the connection."""

    async def run(self) -> bool:
        try:
            await self.stream.write(self.accept(await self.read_head()))
        except Refusal:
            await self.stream.wait_for_end(60.0)
            return False
        return True


@caught_by("handshake.1.1", sides=(SERVER,))
class GreetsBeforeRequest(ServerOpening):
    """Sends a frame before the answer."""

    async def read_head(self) -> Head:
        head = await super().read_head()
        await self.stream.write(b"\x89\x00")
        return head
