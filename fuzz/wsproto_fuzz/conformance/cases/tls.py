"""The same over TLS (RFC 6455 §10.6): what the records do to frames, and whom a client asks for.

For servers at ``wss`` URIs, and for clients of a tester that has a certificate.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

from wsproto_core.frames import Opcode

from ...transcript import in_bytes
from ...wire import close, continuation, ping, text
from ..case import CLIENTS, Steps, family
from ..expecting import Barrier, ExpectClose, ExpectFailure, ExpectMessage, ExpectPong
from ..samples import echoed, message_frame, sample, sample_bytes, sample_text
from ..steps import Pause, send
from ..talk import Play, Talk, Unimplemented

__all__ = ["CASES"]


@dataclass(frozen=True, slots=True)
class Secure:
    """The stream has to be inside of TLS."""

    def play(self, talk: Talk) -> Play:
        """See whether it is."""
        if not talk.is_secure:
            raise Unimplemented("The connection is not inside of TLS.")
        yield from ()


@dataclass(frozen=True, slots=True)
class NamesServer:
    """The client has named the host that it wants (SNI): the one in its request."""

    def play(self, talk: Talk) -> Play:
        """Compare the two."""
        authority = (talk.heard.head.all("Host") if talk.heard.head else [""])[0]
        host = authority.rpartition(":")[0] or authority
        if _is_address(host.strip("[]")):
            raise Unimplemented("The client was given an address, and not the name of a host.")
        if talk.server_name is None:
            talk.fail(f"The client wants {host!r}, and its TLS handshake names no host.")
        if talk.server_name.lower() != host.lower():
            talk.fail(f"The client wants {host!r}, and its TLS handshake names {talk.server_name!r}.")
        talk.did(f"The client named {host!r} in its TLS handshake.")
        yield from ()


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


#: Around the size of TLS's records, 16 KiB, and of the length field.
_SIZES: Final = (0, 1, 125, 126, 16_370, 16_383, 16_384, 16_385, 32_768, 65_535, 65_536, 1_048_576)


def _messages() -> Iterator[tuple[str, Steps]]:
    for size in _SIZES:
        for kind in (Opcode.TEXT, Opcode.BINARY):
            message = sample(kind, size)
            steps = (send(message_frame(message)), ExpectMessage(message, (1009,)))
            yield f"{kind.name.lower()} of {in_bytes(size)}", steps


def _records() -> Iterator[tuple[str, Steps]]:
    yield "a record for each byte", (send(text("Hello"), write_size=1, gap=0.002), ExpectMessage("Hello"))
    yield (
        "a record for each byte, without pauses",
        (
            send(text(sample_text(200)), write_size=1),
            ExpectMessage(sample_text(200)),
        ),
    )
    words = [f"message {number}" for number in range(200)]
    yield "200 messages in one record", (send(*map(text, words)), *map(ExpectMessage, words))
    message = sample_bytes(100_000)
    yield "a frame in records of 1000 bytes", (send(message_frame(message), write_size=1000), ExpectMessage(message))
    yield (
        "a frame that ends one byte behind a record",
        (
            send(text(sample_text(16_384 - 8 + 1)), cuts=(16_384,), gap=0.05),
            ExpectMessage(sample_text(16_384 - 8 + 1)),
        ),
    )
    yield (
        "a pause between two records of a frame",
        (
            send(message_frame(message), cuts=(50_000,), gap=0.2),
            ExpectMessage(message),
        ),
    )


def _conversation() -> Iterator[tuple[str, Steps]]:
    yield "a ping", (send(ping(b"secret")), ExpectPong(b"secret"))
    yield (
        "fragments with a ping between them",
        (
            send(text("a", final=False), ping(b"p"), continuation("b")),
            ExpectPong(b"p"),
            ExpectMessage("ab"),
        ),
    )
    yield "several messages and pauses", (*echoed("a"), Pause(0.2), *echoed("b"), Pause(0.2), Barrier(), *echoed("c"))
    yield "the closing handshake", (*echoed("Hello"), send(close(1000, "bye")), ExpectClose())
    yield "the closing handshake at once", (send(close(1001)), ExpectClose((1001,)))
    yield "text that is not UTF-8", (send(text(b"\xff")), ExpectFailure((1007,)))
    yield "a frame that is not masked as it must be", (send(text("Hello"), swap_masking=True), ExpectFailure())


def _secure(cases: Iterable[tuple[str, Steps]]) -> Iterator[tuple[str, Steps]]:
    for title, steps in cases:
        yield title, (Secure(), *steps)


CASES: Final = (
    *family(
        "tls.1",
        "RFC 6455 §10.6",
        "A message is delivered over TLS whatever its size.",
        _secure(_messages()),
    ),
    *family(
        "tls.2",
        "RFC 6455 §10.6",
        "How frames are cut into records makes no difference.",
        _secure(_records()),
    ),
    *family(
        "tls.3",
        "RFC 6455 §10.6",
        "Control frames and failures are the same over TLS.",
        _secure(_conversation()),
    ),
    *family(
        "tls.4",
        "RFC 6455 §4.1",
        "A client MUST name the host that it wants in its TLS handshake (Server Name Indication).",
        _secure([("the name of a host", (NamesServer(), *echoed("Hello")))]),
        peers=CLIENTS,
    ),
)
