"""What is inside of compressed messages, made by hand: reserved bits, blocks of DEFLATE, text, and too much of it."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Final

from wsproto_core.frames import Frame, Opcode

from ...wire import binary, close, continuation, ping, pong, text
from ..case import Steps, family
from ..compression import deflated
from ..expecting import Barrier, ExpectEarlyFailure, ExpectFailure, ExpectMessage, ExpectPong
from ..negotiation import Negotiates
from ..samples import sample_bytes, sample_text
from ..steps import send
from ..talk import Play, Talk
from ..tolerating import ExpectEither

__all__ = ["DATA"]

_RSV1: Final = 4
_TAIL: Final = b"\x00\x00\xff\xff"
_HELLO: Final = bytes.fromhex("f2 48 cd c9 c9 07 00")  # RFC 7692 §7.2.3.1


def _text(payload: bytes, *, final: bool = True) -> Frame:
    """Compressed text, or the first fragment of it."""
    return text(payload, final=final, reserved=_RSV1)


def _binary(payload: bytes) -> Frame:
    return binary(payload, reserved=_RSV1)


def _hex(words: str) -> bytes:
    return bytes.fromhex(words)


# ------------------------------------------------------------------------------------------------------- reserved bits


def _reserved() -> Iterator[tuple[str, Steps]]:
    first, second = _HELLO[:3], _HELLO[3:]
    failure = ExpectFailure()
    yield (
        "RSV1 on the last fragment too",
        (
            send(_text(first, final=False), continuation(second, reserved=_RSV1)),
            failure,
        ),
    )
    yield (
        "RSV1 on a middle fragment",
        (
            send(_text(first, final=False), continuation(b"", final=False, reserved=_RSV1), continuation(second)),
            failure,
        ),
    )
    yield (
        "RSV1 on the last fragment only",
        (
            send(text("Hel", final=False), continuation(second, reserved=_RSV1)),
            failure,
        ),
    )
    for name, frame in (("ping", ping(b"x")), ("empty ping", ping()), ("pong", pong(b"x")), ("close", close(1000))):
        marked = Frame(frame.opcode, frame.payload, reserved=_RSV1)
        yield f"RSV1 on a {name}", (send(marked), failure)
    for reserved, name in ((2, "RSV2"), (1, "RSV3"), (6, "RSV1 and RSV2"), (5, "RSV1 and RSV3"), (7, "all three")):
        yield f"{name} on a message", (send(text(_HELLO, reserved=reserved)), failure)
    yield "RSV2 on a ping", (send(Frame(Opcode.PING, b"x", reserved=2)), failure)


def _interleaved() -> Iterator[tuple[str, Steps]]:
    pieces = [_HELLO[at : at + 1] for at in range(len(_HELLO))]
    frames = [_text(pieces[0], final=False), *(continuation(each, final=False) for each in pieces[1:-1])]
    echo = ExpectMessage("Hello")
    pinged: Iterable[Frame] = (item for frame in frames for item in (frame, ping(b"between")))
    yield "a fragment for each byte, and a ping behind each", (send(*pinged, continuation(pieces[-1])), echo, Barrier())
    yield (
        "a ping between two fragments is answered at once",
        (
            send(_text(_HELLO[:3], final=False), ping(b"now")),
            ExpectPong(b"now"),
            send(continuation(_HELLO[3:])),
            echo,
        ),
    )
    yield (
        "a pong that nobody asked for between two fragments",
        (
            send(_text(_HELLO[:3], final=False), pong(b"?"), continuation(_HELLO[3:])),
            echo,
        ),
    )
    yield (
        "a new message inside of a compressed one",
        (
            send(_text(_HELLO[:3], final=False), _text(_HELLO)),
            ExpectFailure(),
        ),
    )


# -------------------------------------------------------------------------------------------------- blocks of DEFLATE


def _flushed(data: bytes, flush: int, strategy: int = zlib.Z_DEFAULT_STRATEGY) -> bytes:
    """``data`` with a flush behind every 50 bytes."""
    packer = zlib.compressobj(6, zlib.DEFLATED, -15, 8, strategy)
    packed = b"".join(packer.compress(data[at : at + 50]) + packer.flush(flush) for at in range(0, len(data), 50))
    return (packed + packer.flush(zlib.Z_SYNC_FLUSH)).removesuffix(_TAIL)


def _ended(data: bytes) -> bytes:
    """``data`` as a stream whose last block has BFINAL set."""
    packer = zlib.compressobj(6, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush(zlib.Z_FINISH)


_LONG: Final = sample_text(1000)

#: The examples of RFC 7692 §7.2.3, and other ways to say the same: a title, the payload, and the text.
_BLOCKS: Final = (
    ("the example of §7.2.3.1", _HELLO, "Hello"),
    ("the example of §7.2.3.3: a block without compression", _hex("00 05 00 fa ff 48 65 6c 6c 6f 00"), "Hello"),
    ("the example of §7.2.3.4: a block with BFINAL", _hex("f3 48 cd c9 c9 07 00 00"), "Hello"),
    ("the example of §7.2.3.5: two blocks", _hex("f2 48 05 00 00 00 ff ff ca c9 c9 07 00"), "Hello"),
    ("the example of §7.2.3.6: an empty message", b"\x00", ""),
    ("an empty message in two empty blocks", _hex("00 00 00 ff ff 00"), ""),
    ("an empty message in a fixed block", _hex("02 00"), ""),
    ("stored blocks", deflated(_LONG.encode(), level=0), _LONG),
    ("blocks with dynamic codes", deflated(_LONG.encode(), level=9), _LONG),
    ("blocks with fixed codes", _flushed(_LONG.encode(), zlib.Z_SYNC_FLUSH, zlib.Z_FIXED), _LONG),
    (
        "codes without references",
        _flushed(_LONG.encode(), zlib.Z_SYNC_FLUSH, zlib.Z_HUFFMAN_ONLY),
        _LONG,
    ),
    ("runs only", _flushed(_LONG.encode(), zlib.Z_SYNC_FLUSH, zlib.Z_RLE), _LONG),
    ("a sync flush behind every 50 bytes", _flushed(_LONG.encode(), zlib.Z_SYNC_FLUSH), _LONG),
    ("a full flush behind every 50 bytes", _flushed(_LONG.encode(), zlib.Z_FULL_FLUSH), _LONG),
    ("a partial flush behind every 50 bytes", _flushed(_LONG.encode(), zlib.Z_PARTIAL_FLUSH), _LONG),
    ("a new block behind every 50 bytes", _flushed(_LONG.encode(), zlib.Z_BLOCK), _LONG),
    ("100 empty blocks before the text", _hex("00 00 00 ff ff") * 100 + _HELLO, "Hello"),
    ("a block with BFINAL, and an empty one", _ended(_LONG.encode()) + b"\x00", _LONG),
)

_CORRUPT_CODES: Final = (1007, 1002, 1003)

#: No DEFLATE at all.
_CORRUPT: Final = (
    ("a block of type 3", _hex("06")),
    ("a block of type 3 behind a legal one", _HELLO[:-1] + _hex("00 00 00 ff ff 06")),
    ("a stored block whose lengths do not agree", _hex("00 05 00 00 00 48 65 6c 6c 6f 00")),
    ("a reference beyond the beginning", _hex("f2 00 11 00 00")),
    ("too many codes", _hex("fc ff ff ff ff ff ff ff ff ff")),
    ("code lengths that do not add up", _hex("04 00 fe ff ff ff ff ff ff ff")),
    ("a code that means nothing", _hex("1a ff ff ff ff")),
    ("the header of zlib", _hex("78 9c f3 48 cd c9 c9 07 00")),
    ("the header of gzip", _hex("1f 8b 08 00 00 00 00 00 00 03 f3 48 cd c9 c9 07 00")),
    ("text that is not compressed", b"Hello, world"),
    ("0xFF, a thousand times", b"\xff" * 1000),
)

#: DEFLATE that RFC 7692 does not want so, though one can tell what is meant: a title, the payload, and the text.
_SLOPPY: Final = (
    ("an empty payload", b"", ""),
    ("the tail is left at the end", _HELLO + _TAIL, "Hello"),
    ("a block with BFINAL and nothing behind it", _ended(b"Hello"), "Hello"),
)


def _blocks() -> Iterator[tuple[str, Steps]]:
    for title, payload, message in _BLOCKS:
        yield title, (send(_text(payload)), ExpectMessage(message))
    yield (
        "a block with BFINAL, and a message after it",
        (
            send(_text(_hex("f3 48 cd c9 c9 07 00 00"))),
            ExpectMessage("Hello"),
            send(_text(_HELLO)),
            ExpectMessage("Hello"),
        ),
    )


def _corrupt() -> Iterator[tuple[str, Steps]]:
    for title, payload in _CORRUPT:
        yield title, (send(_binary(payload)), ExpectFailure(_CORRUPT_CODES))
    yield (
        "a block of type 3 in the second fragment",
        (
            send(_text(_HELLO[:3], final=False), continuation(b"\xff" * 50)),
            ExpectFailure(_CORRUPT_CODES),
        ),
    )
    noise = Random(8).randbytes(200)
    yield (
        "a good message, then noise",
        (
            send(_text(_HELLO)),
            ExpectMessage("Hello"),
            send(_binary(b"\x06" + noise)),
            ExpectFailure(_CORRUPT_CODES),
        ),
    )


def _sloppy() -> Iterator[tuple[str, Steps]]:
    for title, payload, message in _SLOPPY:
        yield title, (send(_text(payload)), ExpectEither(message, _CORRUPT_CODES))
    yield (
        "the message ends within a block",
        (
            send(_binary(_HELLO[:4])),
            ExpectEither(None, _CORRUPT_CODES, "a part of it is missing"),
        ),
    )


# ------------------------------------------------------------------------------------------------------ text, and size


def _texts() -> Iterator[tuple[str, Steps]]:
    failure = ExpectFailure((1007,))
    for title, data in (
        ("a lone continuation byte", b"abc\x80def"),
        ("a surrogate", b"abc\xed\xa0\x80def"),
        ("an overlong '/'", b"abc\xc0\xafdef"),
        ("U+110000", b"abc\xf4\x90\x80\x80def"),
        ("an unfinished character at the end", b"abc\xe2\x82"),
        ("0xFF behind 100 KB", b"x" * 100_000 + b"\xff"),
    ):
        yield f"text with {title}", (send(_text(deflated(data))), failure)
    mixed = deflated("aé€😀".encode())
    single = [continuation(mixed[at : at + 1], final=False) for at in range(1, len(mixed))]
    yield (
        "a fragment for each byte of legal text",
        (
            send(_text(mixed[:1], final=False), *single, continuation()),
            ExpectMessage("aé€😀"),
        ),
    )
    packed = deflated(b"\xff" * 5000)
    yield (
        "0xFF in a first fragment; the last one follows later",
        (
            send(_text(packed, final=False)),
            ExpectEarlyFailure((1007,)),
            send(continuation()),
            failure,
        ),
    )
    yield "binary that is no UTF-8", (send(_binary(deflated(b"\xff\x80"))), ExpectMessage(b"\xff\x80"))


_BIG_CODES: Final = (1009, 1008)
#: Seconds for what takes a slow peer long.
_PATIENCE: Final = 20.0


@dataclass(frozen=True, slots=True)
class Bomb:
    """Zeros, compressed, in one frame. They are not kept: the cases would fill the memory."""

    size: int

    def play(self, talk: Talk) -> Play:
        """Make them, send them, and see what comes."""
        zeros = bytes(self.size)
        yield from send(_binary(deflated(zeros))).play(talk)
        yield from ExpectEither(zeros, _BIG_CODES, timeout=_PATIENCE).play(talk)


def _bombs() -> Iterator[tuple[str, Steps]]:
    for size in (1, 10, 64):
        yield f"{size} MiB of zeros in one frame of {size} KB", (Bomb(size << 20),)
    zeros = bytes(1 << 20)
    packed = deflated(zeros)
    rest = [continuation(packed[at : at + 10], final=False) for at in range(10, len(packed), 10)]
    yield (
        "1 MiB of zeros in fragments of 10 bytes",
        (
            send(_text(packed[:10], final=False), *rest, continuation()),
            ExpectEither(zeros.decode(), _BIG_CODES, timeout=_PATIENCE),
        ),
    )
    empty = _hex("00 00 00 ff ff") * 20_000 + _HELLO
    yield (
        "20 000 empty blocks before the text",
        (
            send(_text(empty)),
            ExpectEither("Hello", (*_BIG_CODES, *_CORRUPT_CODES), timeout=_PATIENCE),
        ),
    )
    stored = sample_bytes(1 << 20)
    yield (
        "1 MiB in stored blocks",
        (
            send(_binary(deflated(stored, level=0))),
            ExpectEither(stored, _BIG_CODES, timeout=_PATIENCE),
        ),
    )


def _negotiated(cases: Iterable[tuple[str, Steps]]) -> Iterator[tuple[str, Steps]]:
    for title, steps in cases:
        yield title, (Negotiates(), *steps)


DATA: Final = (
    *family(
        "deflate.12",
        "RFC 7692 §6",
        "Only the first frame of a message may have RSV1 set.",
        _negotiated(_reserved()),
        opening=None,
    ),
    *family(
        "deflate.13",
        "RFC 7692 §6",
        "Control frames may come between the fragments of a compressed message.",
        _negotiated(_interleaved()),
        opening=None,
    ),
    *family(
        "deflate.14",
        "RFC 7692 §7.2.1",
        "A compressed message may have blocks of every kind, and any number of them.",
        _negotiated(_blocks()),
        opening=None,
    ),
    *family(
        "deflate.15",
        "RFC 7692 §7.2.2",
        "What cannot be decompressed fails the connection.",
        _negotiated(_corrupt()),
        opening=None,
    ),
    *family(
        "deflate.16",
        "RFC 7692 §7.2.1",
        "What is not compressed as it has to be is refused, or taken for what is meant.",
        _negotiated(_sloppy()),
        opening=None,
    ),
    *family(
        "deflate.17",
        "RFC 6455 §8.1",
        "Text is UTF-8 when it is decompressed.",
        _negotiated(_texts()),
        opening=None,
    ),
    *family(
        "deflate.18",
        "RFC 7692 §8",
        "A message that inflates to very much is echoed, or refused in good order.",
        _negotiated(_bombs()),
        opening=None,
    ),
)
