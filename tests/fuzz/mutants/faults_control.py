"""Faults in control frames (RFC 6455 §5.5): pings, pongs and the close frame."""

from __future__ import annotations

from tests.fuzz.mutants.connection import Connection, Failure, Header
from tests.fuzz.mutants.fault import LAX, SERVER, caught_by
from wsproto_core.frames import Opcode

# --- pings and pongs --------------------------------------------------------------------------------------------------


@caught_by("ping.1.6")
class NoPong(Connection):
    """Does not answer pings."""

    async def receive_ping(self, payload: bytes) -> None:
        pass


@caught_by("ping.1.6")
class EmptyPong(Connection):
    """Answers pings without their payload."""

    async def receive_ping(self, payload: bytes) -> None:
        await super().receive_ping(b"")


@caught_by("ping.1.15")
class ShortPong(Connection):
    """Sends no more than 64 bytes of a ping's payload back."""

    async def receive_ping(self, payload: bytes) -> None:
        await super().receive_ping(payload[:64])


@caught_by("ping.1.6")
class AnswersPingByPing(Connection):
    """Answers a ping by another one."""

    async def receive_ping(self, payload: bytes) -> None:
        await self.send(Opcode.PING, payload)


@caught_by("ping.1.6")
class TakesPingForMessage(Connection):
    """Sends a ping back as if it were a message, and no pong."""

    async def receive_ping(self, payload: bytes) -> None:
        await self.send(Opcode.BINARY, payload)


@caught_by("ping.1.15")
class RefusesFullPing(Connection):
    """Takes a ping of 125 bytes for too long."""

    async def receive_ping(self, payload: bytes) -> None:
        if len(payload) == 125:
            raise Failure(1002, "long control frame")
        await super().receive_ping(payload)


@caught_by("ping.6.11", verdict=LAX)
class AnswersPong(Connection):
    """Answers a pong that nobody has asked for by another one."""

    async def receive_pong(self, payload: bytes) -> None:
        await self.send(Opcode.PONG, payload)


@caught_by("ping.6.3")
class RefusesPong(Connection):
    """Fails when a pong comes that it has not asked for."""

    async def receive_pong(self, payload: bytes) -> None:
        raise Failure(1002, "pong without ping")


@caught_by("ping.1.6")
class LatePong(Connection):
    """Answers a ping when the next message has arrived."""

    waiting: bytes | None = None

    async def receive_ping(self, payload: bytes) -> None:
        self.waiting = payload

    async def echo(self, opcode: int, payload: bytes) -> None:
        if self.waiting is not None:
            await super().receive_ping(self.waiting)
            self.waiting = None
        await super().echo(opcode, payload)


@caught_by("fragmentation.4.4")
class PongAfterMessage(Connection):
    """Answers a ping between two fragments when the message has ended."""

    waiting: bytes | None = None

    async def receive_ping(self, payload: bytes) -> None:
        if self.message is None:
            await super().receive_ping(payload)
        else:
            self.waiting = payload

    async def echo(self, opcode: int, payload: bytes) -> None:
        await super().echo(opcode, payload)
        if self.waiting is not None:
            await super().receive_ping(self.waiting)
            self.waiting = None


@caught_by("ping.5.1")
class SkipsPings(Connection):
    """Does not answer a ping when something has come behind it."""

    async def receive_ping(self, payload: bytes) -> None:
        if not self.stream.buffer:
            await super().receive_ping(payload)


@caught_by("fragmentation.4.4", "fragmentation.4.5")
class PingEndsMessage(Connection):
    """Forgets the fragments so far when a ping comes between them."""

    async def receive_ping(self, payload: bytes) -> None:
        await super().receive_ping(payload)
        if self.message is not None:
            self.message.payload.clear()


@caught_by("fragmentation.4.4", "fragmentation.4.6")
class RefusesInterleaving(Connection):
    """Fails when a control frame comes between two fragments."""

    async def receive_control(self, opcode: int, payload: bytes) -> None:
        if self.message is not None:
            raise Failure(1002, "control frame inside a message")
        await super().receive_control(opcode, payload)


@caught_by("fragmentation.9.1", "fragmentation.9.9")
class AcceptsFragmentedControlFrames(Connection):
    """Takes control frames without FIN."""

    def check_control_final(self, header: Header) -> None:
        pass


@caught_by("ping.7.1", "ping.7.10")
class AcceptsLongControlFrames(Connection):
    """Takes control frames of more than 125 bytes."""

    def check_control_length(self, header: Header) -> None:
        pass


# --- close ------------------------------------------------------------------------------------------------------------


@caught_by("close.1.2")
class NoCloseReply(Connection):
    """Ends TCP without answering a close frame."""

    async def reply_close(self, code: bytes) -> None:
        pass


@caught_by("close.1.2", verdict=LAX)
class RepliesOtherCode(Connection):
    """Answers a close frame by 1001, whatever its code was."""

    async def reply_close(self, code: bytes) -> None:
        await super().reply_close((1001).to_bytes(2, "big"))


@caught_by("close.1.1")
class RepliesForbiddenCode(Connection):
    """Answers a close frame without a code by 1005, which must not be sent."""

    async def reply_close(self, code: bytes) -> None:
        await super().reply_close(code or (1005).to_bytes(2, "big"))


@caught_by("close.1.2")
class RepliesTwice(Connection):
    """Sends two close frames."""

    async def reply_close(self, code: bytes) -> None:
        await super().reply_close(code)
        await super().reply_close(code)


@caught_by("close.1.2")
class SendsAfterClose(Connection):
    """Sends a message after its close frame."""

    async def reply_close(self, code: bytes) -> None:
        await super().reply_close(code)
        await self.send(Opcode.TEXT, b"one more thing")


@caught_by("close.8.1")
class EchoesAfterClose(Connection):
    """Goes on to read and to echo what has come behind a close frame."""

    async def receive_close(self, payload: bytes) -> None:
        await super().receive_close(payload)
        self.is_closed = not self.stream.buffer


@caught_by("close.1.2", sides=(SERVER,))
class KeepsTcpOpen(Connection):
    """Does not end TCP after the closing handshake."""

    async def end(self) -> None:
        await self.stream.wait_for_end(60.0)


@caught_by("close.2.6", "close.2.7", "close.2.8", "close.2.9")
class AcceptsReservedCloseCodes(Connection):
    """Takes 1004, 1005, 1006 and 1015 in a close frame."""

    def check_close_code(self, code: int) -> None:
        if code not in (1004, 1005, 1006, 1015):
            super().check_close_code(code)


@caught_by("close.2.1", "close.2.5")
class AcceptsLowCloseCodes(Connection):
    """Takes close codes below 1000."""

    def check_close_code(self, code: int) -> None:
        super().check_close_code(max(code, 1000))


@caught_by("close.2.16")
class AcceptsHighCloseCodes(Connection):
    """Takes close codes from 5000 on."""

    def check_close_code(self, code: int) -> None:
        super().check_close_code(min(code, 4999))


@caught_by("close.2.10", "close.2.15")
class AcceptsUnassignedCloseCodes(Connection):
    """Takes close codes from 1016 to 2999, which nobody has assigned."""

    def check_close_code(self, code: int) -> None:
        if not 1016 <= code <= 2999:
            super().check_close_code(code)


@caught_by("close.1.14", verdict=LAX)
class RefusesPrivateCloseCodes(Connection):
    """Takes no close code from 3000 on."""

    def check_close_code(self, code: int) -> None:
        super().check_close_code(code if code < 3000 else 0)


@caught_by("close.5.1")
class AcceptsHalfCloseCode(Connection):
    """Takes a close frame of one byte for an empty one."""

    async def receive_close(self, payload: bytes) -> None:
        await super().receive_close(b"" if len(payload) == 1 else payload)


@caught_by("close.4.1")
class AcceptsAnyReason(Connection):
    """Takes a close reason that is not UTF-8."""

    def check_close_reason(self, reason: bytes) -> None:
        pass


@caught_by("close.3.9", verdict=LAX)
class RefusesLongReason(Connection):
    """Takes no close reason of 123 bytes."""

    def check_close_reason(self, reason: bytes) -> None:
        super().check_close_reason(reason)
        if len(reason) == 123:
            raise Failure(1002, "long reason")


@caught_by("ping.7.1", "utf8.5.1", verdict=LAX)
class DropsTcpOnFailure(Connection):
    """Breaks TCP without a close frame when a rule is broken."""

    async def fail(self, failure: Failure) -> None:
        self.stream.abort()


@caught_by("ping.7.1", "utf8.5.1", verdict=LAX)
class FailsNormally(Connection):
    """Says 1000 when a rule is broken."""

    def failure_code(self, failure: Failure) -> int:
        return 1000


@caught_by("ping.7.1", "utf8.5.1")
class IgnoresFailures(Connection):
    """Forgets a frame that breaks a rule, and goes on."""

    async def receive_frame(self) -> None:
        try:
            await super().receive_frame()
        except Failure:
            self.stream.buffer.clear()


@caught_by("ping.7.1", "utf8.5.1")
class WaitsAfterFailure(Connection):
    """Says nothing when a rule is broken, and keeps the connection."""

    async def fail(self, failure: Failure) -> None:
        await self.stream.wait_for_end(60.0)
