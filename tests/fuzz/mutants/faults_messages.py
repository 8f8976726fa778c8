"""Faults in messages: fragments (RFC 6455 §5.4) and text (§5.6, §8.1)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import AsyncIterator

from tests.fuzz.mutants.connection import Connection, Failure, Header
from tests.fuzz.mutants.fault import LAX, caught_by
from wsproto_core.frames import Opcode

# --- fragments --------------------------------------------------------------------------------------------------------


@caught_by("fragmentation.1.2")
class JoinsBackwards(Connection):
    """Puts each fragment before the ones that came before it."""

    def begin_frame(self, header: Header) -> None:
        super().begin_frame(header)
        self.earlier = bytes(self.current().payload)
        self.current().payload.clear()

    def end_fragment(self) -> None:
        self.current().payload += self.earlier

    async def end_message(self) -> None:
        self.current().payload += self.earlier
        await super().end_message()


@caught_by("fragmentation.1.1")
class LosesLastFragment(Connection):
    """Forgets what the last fragment of a message holds."""

    async def receive_data(self, header: Header, pieces: AsyncIterator[bytes]) -> None:
        if header.opcode == Opcode.CONTINUATION and header.final:
            pieces = _nothing_of([piece async for piece in pieces])
        await super().receive_data(header, pieces)


async def _nothing_of(pieces: list[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece[:0]


@caught_by("fragmentation.3.3")
class IgnoresEmptyLastFragment(Connection):
    """Waits for more when the last fragment of a message is empty."""

    async def end_message(self) -> None:
        if self.current().payload and not self.had_bytes:
            return
        await super().end_message()

    def begin_frame(self, header: Header) -> None:
        super().begin_frame(header)
        self.had_bytes = header.short_length > 0


@caught_by("fragmentation.1.1")
class EchoesEachFragment(Connection):
    """Sends each fragment back as a message."""

    kind: int = Opcode.BINARY

    def begin_frame(self, header: Header) -> None:
        self.kind = header.opcode or self.kind
        super().begin_frame(Header(0x80 | self.kind, header.second))

    async def receive_data(self, header: Header, pieces: AsyncIterator[bytes]) -> None:
        await super().receive_data(Header(header.first | 0x80, header.second), pieces)
        if not header.final:
            super().begin_frame(Header(self.kind, 0))


@caught_by("fragmentation.7.1", "fragmentation.7.9")
class AcceptsLoneContinuation(Connection):
    """Takes a continuation frame that continues nothing."""

    def check_sequence(self, header: Header) -> None:
        if header.opcode != Opcode.CONTINUATION:
            super().check_sequence(header)


@caught_by("fragmentation.8.1", "fragmentation.8.5")
class AcceptsMessageInMessage(Connection):
    """Takes a new message before the last fragment of another one."""

    def check_sequence(self, header: Header) -> None:
        if header.opcode == Opcode.CONTINUATION:
            super().check_sequence(header)


@caught_by("fragmentation.1.6")
class FewFragmentsOnly(Connection):
    """Takes no more than 100 fragments a message."""

    fragments = 0

    def begin_frame(self, header: Header) -> None:
        super().begin_frame(header)
        self.fragments = 0 if header.opcode else self.fragments + 1
        if self.fragments > 100:
            raise Failure(1009, "too many fragments")


@caught_by("framing.1.6")
class RepeatsOpcode(Connection):
    """Sends messages back in two fragments, and both with the opcode of the message."""

    async def echo(self, opcode: int, payload: bytes) -> None:
        middle = len(payload) // 2
        await self.send(opcode, payload[:middle], final=False)
        await self.send(opcode, payload[middle:])


@caught_by("framing.6.1")
class FirstMessageOnly(Connection):
    """Sends only the first message of a connection back."""

    served = False

    async def echo(self, opcode: int, payload: bytes) -> None:
        if not self.served:
            await super().echo(opcode, payload)
        self.served = True


@caught_by("limits.4.14")
class ManyMessagesTooMany(Connection):
    """Fails after 500 messages."""

    served = 0

    async def echo(self, opcode: int, payload: bytes) -> None:
        self.served += 1
        if self.served > 500:
            raise Failure(1008, "too many messages")
        await super().echo(opcode, payload)


@caught_by("framing.6.1")
class EchoesInPairsBackwards(Connection):
    """Sends two messages that arrive together back in the wrong order."""

    held: tuple[int, bytes] | None = None

    async def echo(self, opcode: int, payload: bytes) -> None:
        if self.held is None and self.stream.buffer:
            self.held = opcode, payload
            return
        await super().echo(opcode, payload)
        if self.held is not None:
            held, self.held = self.held, None
            await super().echo(*held)


# --- text -------------------------------------------------------------------------------------------------------------


@caught_by("utf8.5.1", "utf8.6.4")
class AcceptsAnyText(Connection):
    """Does not look whether text is UTF-8."""

    def check_text(self, data: bytes, *, final: bool) -> None:
        pass


@caught_by("utf8.5.1")
class ReplacesBadText(Connection):
    """Puts U+FFFD where text is not UTF-8."""

    def check_text(self, data: bytes, *, final: bool) -> None:
        pass

    async def echo(self, opcode: int, payload: bytes) -> None:
        if opcode == Opcode.TEXT:
            payload = payload.decode(errors="replace").encode()
        await super().echo(opcode, payload)


@caught_by("utf8.8.1", "utf8.9.1", verdict=LAX)
class ChecksTextAtEnd(Connection):
    """Looks whether text is UTF-8 when the whole message is there."""

    def check_text(self, data: bytes, *, final: bool) -> None:
        if final:
            super().check_text(bytes(self.current().payload), final=True)


@caught_by("utf8.2.2")
class ChecksEachFragment(Connection):
    """Wants each fragment of a text to be UTF-8 by itself."""

    def end_fragment(self) -> None:
        if self.current().opcode == Opcode.TEXT:
            self.check_text(b"", final=True)


@caught_by("utf8.4.2")
class ChecksEachPiece(Connection):
    """Wants what it reads at once of a text to be UTF-8 by itself."""

    def check_text(self, data: bytes, *, final: bool) -> None:
        super().check_text(data, final=True)


@caught_by("utf8.6.4", "utf8.6.10")
class AcceptsUnfinishedText(Connection):
    """Takes text that ends within a character."""

    def check_text(self, data: bytes, *, final: bool) -> None:
        super().check_text(data, final=False)


class AcceptsSequences(Connection):
    """Not a fault yet: takes what matches for a character."""

    sequences: re.Pattern[bytes]

    def check_text(self, data: bytes, *, final: bool) -> None:
        super().check_text(self.sequences.sub(b"?", data), final=final)


@caught_by("utf8.5.39")
class AcceptsSurrogates(AcceptsSequences):
    """Takes surrogates for characters."""

    sequences = re.compile(rb"\xed[\xa0-\xbf][\x80-\xbf]")


@caught_by("utf8.5.28", "utf8.5.33", "utf8.5.35")
class AcceptsOverlong(AcceptsSequences):
    """Takes characters that are written in more bytes than needed."""

    sequences = re.compile(rb"[\xc0\xc1][\x80-\xbf]|\xe0[\x80-\x9f][\x80-\xbf]|\xf0[\x80-\x8f][\x80-\xbf]{2}")


@caught_by("utf8.5.45", "utf8.5.48")
class AcceptsBeyondUnicode(AcceptsSequences):
    """Takes characters above U+10FFFF."""

    sequences = re.compile(rb"\xf4[\x90-\xbf][\x80-\xbf]{2}|[\xf5-\xf7][\x80-\xbf]{3}")


@caught_by("utf8.5.1", "utf8.5.4")
class AcceptsLoneContinuationBytes(AcceptsSequences):
    """Takes bytes from 80 to BF for characters where none has begun."""

    sequences = re.compile(rb"(?<=[\x00-\x7f])[\x80-\xbf]+")


class RefusesCharacters(Connection):
    """Not a fault yet: takes what matches for wrong."""

    characters: re.Pattern[str]

    def check_text(self, data: bytes, *, final: bool) -> None:
        super().check_text(data, final=final)
        if self.characters.search(data.decode(errors="ignore")):
            raise Failure(1007, "character")


@caught_by("utf8.1.8")
class RefusesNoncharacters(RefusesCharacters):
    """Takes U+FFFE and U+FFFF for wrong."""

    characters = re.compile("[\ufffe\uffff]")


@caught_by("utf8.1.5")
class RefusesFourBytes(RefusesCharacters):
    """Takes characters above U+FFFF for wrong."""

    characters = re.compile("[\U00010000-\U0010ffff]")


@caught_by("utf8.1.16")
class RefusesControlCharacters(RefusesCharacters):
    """Takes control characters for wrong."""

    characters = re.compile("[\x00-\x08\x0e-\x1f\x7f]")


class ChangesText(Connection):
    """Not a fault yet: sends text back as something else."""

    def change(self, text: str) -> str:
        raise NotImplementedError

    async def echo(self, opcode: int, payload: bytes) -> None:
        if opcode == Opcode.TEXT:
            payload = self.change(payload.decode()).encode()
        await super().echo(opcode, payload)


@caught_by("utf8.1.15")
class StopsTextAtNul(ChangesText):
    """Takes U+0000 for the end of a text."""

    def change(self, text: str) -> str:
        return text.partition("\0")[0]


@caught_by("utf8.1.12")
class SwallowsByteOrderMark(ChangesText):
    """Takes U+FEFF at the start of a text away."""

    def change(self, text: str) -> str:
        return text.removeprefix("\ufeff")


@caught_by("utf8.1.18")
class NormalizesText(ChangesText):
    """Composes characters (NFC)."""

    def change(self, text: str) -> str:
        return unicodedata.normalize("NFC", text)


@caught_by("utf8.1.17")
class NormalizesNewlines(ChangesText):
    """Turns each CR LF into LF."""

    def change(self, text: str) -> str:
        return text.replace("\r\n", "\n")


@caught_by("utf8.5.1", verdict=LAX)
class WrongCodeForText(Connection):
    """Says 1002, and not 1007, when text is not UTF-8."""

    def failure_code(self, failure: Failure) -> int:
        return 1002 if failure.code == 1007 else failure.code


@caught_by("utf8.10.1")
class ChecksBinary(Connection):
    """Wants binary messages to be UTF-8 as well."""

    def add(self, data: bytes) -> None:
        super().add(data)
        if self.current().opcode == Opcode.BINARY:
            self.check_text(data, final=False)
