"""permessage-deflate (RFC 7692): what is agreed on, whole messages, context takeover, and windows.

What is inside of compressed messages, right and wrong, is in ``deflate_data.py``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from random import Random
from typing import Final

from wsproto_core.frames import Opcode

from ...transcript import in_bytes
from ...wire import ping
from ..case import CLIENTS, SERVERS, Case, Steps, family
from ..compression import Compressed
from ..expecting import Barrier, ExpectMessage, ExpectPong
from ..negotiation import Agrees, Declines, Negotiates, Offers, Parameters, extension
from ..responses import GivesUp, more
from ..samples import message_frame, sample, sample_text
from ..steps import send
from .deflate_data import DATA

__all__ = ["CASES"]

_NEGOTIATED: Final = Negotiates()


def _echoes(*messages: str | bytes) -> Steps:
    """Each message is sent compressed and comes back, one after the other."""
    return tuple(step for message in messages for step in (send(Compressed(message)), ExpectMessage(message)))


def _noise(seed: int, size: int) -> bytes:
    """Bytes that do not compress, always the same."""
    return Random(seed).randbytes(size)


# ------------------------------------------------------------------------------------------------- what is agreed on

_BITS: Final = ("8", "9", "10", "12", "15")

_OFFERS: Final = (
    "permessage-deflate",
    "permessage-deflate; client_max_window_bits",
    *(f"permessage-deflate; client_max_window_bits={bits}" for bits in _BITS),
    *(f"permessage-deflate; server_max_window_bits={bits}" for bits in _BITS),
    'permessage-deflate; server_max_window_bits="11"',
    "permessage-deflate; server_no_context_takeover",
    "permessage-deflate; client_no_context_takeover",
    "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
    "permessage-deflate; client_no_context_takeover; client_max_window_bits; server_max_window_bits=13",
    "permessage-deflate; server_no_context_takeover; client_no_context_takeover; "
    "server_max_window_bits=12; client_max_window_bits=11",
    "permessage-deflate;client_max_window_bits;server_no_context_takeover",
    "  permessage-deflate  ;  client_max_window_bits  ",
)

_SEVERAL_OFFERS: Final = (
    ("two that are valid", ("permessage-deflate; server_max_window_bits=10, permessage-deflate",)),
    ("two that are valid, in two lines", ("permessage-deflate; server_max_window_bits=10", "permessage-deflate")),
    ("an unknown extension before it", ("x-unheard-of, permessage-deflate",)),
    ("an unknown extension behind it", ("permessage-deflate, x-unheard-of; a=1",)),
    ("one that is not valid before it", ("permessage-deflate; server_max_window_bits=7, permessage-deflate",)),
    ("one with an unknown parameter before it", ("permessage-deflate; x-unheard-of, permessage-deflate",)),
)

_INVALID_PARAMETERS: Final = (
    "x-unheard-of",
    "x-unheard-of=1",
    "server_no_context_takeover; server_no_context_takeover",
    "client_max_window_bits; client_max_window_bits",
    "server_max_window_bits=10; server_max_window_bits=10",
    "server_max_window_bits",
    "server_max_window_bits=7",
    "server_max_window_bits=16",
    "server_max_window_bits=0",
    "server_max_window_bits=-9",
    "server_max_window_bits=08",
    "server_max_window_bits=1000000",
    "server_max_window_bits=abc",
    "client_max_window_bits=7",
    "client_max_window_bits=16",
    "client_max_window_bits=abc",
    "server_no_context_takeover=true",
    "server_no_context_takeover=1",
    "client_no_context_takeover=0",
)

_ANSWERS: Final[tuple[Parameters, ...]] = (
    (),
    (("server_no_context_takeover", None),),
    (("client_no_context_takeover", None),),
    (("server_no_context_takeover", None), ("client_no_context_takeover", None)),
    *((("server_max_window_bits", bits),) for bits in _BITS),
    *((("client_max_window_bits", bits),) for bits in _BITS),
    (("client_no_context_takeover", None), ("client_max_window_bits", "10"), ("server_max_window_bits", "11")),
)

_INVALID_ANSWERS: Final = (
    *_INVALID_PARAMETERS,
    "client_max_window_bits",
    "client_max_window_bits=",
    "server_max_window_bits=",
)

_TALK: Final = ("Hello", sample_text(2000), sample_text(2000), "Hello")


def _offered() -> Iterator[tuple[str, Steps]]:
    for offer in _OFFERS:
        yield offer.strip(), (Offers((offer,)), *_echoes(*_TALK))


def _declined() -> Iterator[tuple[str, Steps]]:
    for parameters in _INVALID_PARAMETERS:
        steps = (Declines(f"permessage-deflate; {parameters}"), send(message_frame("Hello")), ExpectMessage("Hello"))
        yield f"permessage-deflate; {parameters}", steps


def _refused_answers() -> Iterator[tuple[str, Steps]]:
    for parameters in _INVALID_ANSWERS:
        answer = f"permessage-deflate; {parameters}"
        yield answer, (GivesUp(more(("Sec-WebSocket-Extensions", answer))),)


# ----------------------------------------------------------------------------------------------------- whole messages


def _sizes() -> Iterator[tuple[str, Steps]]:
    for size in (0, 1, 2, 5, 124, 125, 126, 127, 1000, 65535, 65536, 300_000):
        for kind in (Opcode.TEXT, Opcode.BINARY):
            yield f"{kind.name.lower()} of {in_bytes(size)}", _echoes(sample(kind, size))
    for size in (100, 65536, 300_000):
        yield f"{size} bytes that do not compress", _echoes(_noise(1, size))
    yield "text of every length of characters", _echoes("aé€😀" * 1000)
    yield "an empty message between others", _echoes("a", "", b"", "b")


def _mixtures() -> Iterator[tuple[str, Steps]]:
    plain, long = message_frame("plain"), sample_text(1000)
    yield "an uncompressed message", (send(plain), ExpectMessage("plain"))
    yield (
        "compressed and uncompressed messages in turn",
        (
            *(*_echoes(long), send(plain), ExpectMessage("plain")),
            *(*_echoes(long), send(plain), ExpectMessage("plain")),
        ),
    )
    yield (
        "three compressed messages in one write",
        (
            send(Compressed("one"), Compressed(long), Compressed(b"three")),
            ExpectMessage("one"),
            ExpectMessage(long),
            ExpectMessage(b"three"),
        ),
    )


def _pinged() -> Iterator[tuple[str, Steps]]:
    long = sample_text(1000)
    yield (
        "a ping before and behind a compressed message",
        (
            send(ping(b"before"), Compressed(long), ping(b"behind")),
            ExpectPong(b"before"),
            ExpectMessage(long),
            ExpectPong(b"behind"),
        ),
    )
    yield (
        "a ping whose payload looks compressed",
        (
            send(ping(b"\xf2\x48\xcd\xc9\xc9\x07\x00")),
            ExpectPong(b"\xf2\x48\xcd\xc9\xc9\x07\x00"),
        ),
    )
    yield (
        "an empty ping, and one of 125 bytes",
        (
            send(ping(), ping(b"x" * 125)),
            ExpectPong(b"x" * 125),
            Barrier(),
        ),
    )


def _fragmented() -> Iterator[tuple[str, Steps]]:
    message = sample_text(500) + "€"
    titled: tuple[tuple[str, tuple[int, ...]], ...] = (
        ("two fragments", (10,)),
        ("a first fragment of one byte", (1,)),
        ("twenty fragments of one byte, and the rest", (1,) * 20),
        ("an empty first fragment", (0,)),
        ("an empty last fragment", (10_000,)),
        ("empty fragments between others", (0, 3, 0, 0, 5, 0)),
    )
    for title, sizes in titled:
        yield title, (send(Compressed(message, sizes)), ExpectMessage(message))
    yield (
        "three messages in fragments, with context",
        tuple(step for _ in range(3) for step in (send(Compressed(message, (2, 3, 1))), ExpectMessage(message))),
    )
    yield (
        "fragments that arrive byte by byte",
        (
            send(Compressed(message, (7, 7)), write_size=1, gap=0.001),
            ExpectMessage(message),
        ),
    )


# ------------------------------------------------------------------------------------------------- context and windows

_RESTARTS: Final = ("server_no_context_takeover", "client_no_context_takeover")


def _takeovers() -> Iterator[tuple[str, Steps]]:
    """The same in all four agreements: what repeats itself shows who keeps what."""
    noise = _noise(2, 600)
    for restarts in ((), _RESTARTS[:1], _RESTARTS[1:], _RESTARTS):
        parameters: Parameters = tuple((name, None) for name in restarts)
        opens = Negotiates(extension(parameters), parameters)
        words = " and ".join(restarts) or "context takeover on both sides"
        yield f"{words}: the same message ten times", (opens, *_echoes(*[sample_text(400)] * 10))
        yield f"{words}: noise, repeated", (opens, *_echoes(noise, noise, noise[300:], noise[:300]))
        yield f"{words}: small messages", (opens, *_echoes("Hello", "Hello", "", "Hello", "x"))
        yield f"{words}: 25 KB of noise, three times", (opens, *_echoes(*[_noise(3, 25_000)] * 3))


def _windows(name: str) -> Iterator[tuple[str, Steps]]:
    for bits in range(8, 16):
        block = _noise(4, 300)
        far = block + _noise(5, 1 << bits) + block
        opens = Negotiates(f"permessage-deflate; {name}={bits}", ((name, str(bits)),))
        yield f"{name}={bits}: what repeats itself within the window", (opens, *_echoes(*[block[:100]] * 3))
        yield f"{name}={bits}: what repeats itself beyond the window", (opens, *_echoes(far, far))


def _negotiated(cases: Iterable[tuple[str, Steps]]) -> Iterator[tuple[str, Steps]]:
    for title, steps in cases:
        yield title, (_NEGOTIATED, *steps)


CASES: Final[tuple[Case, ...]] = (
    *family(
        "deflate.1",
        "RFC 7692 §7.1",
        "A server that agrees answers with parameters that fit the offer, and keeps to them.",
        _offered(),
        peers=SERVERS,
        opening=None,
    ),
    *family(
        "deflate.2",
        "RFC 7692 §5.1",
        "A server agrees to one of several offers, and to none that is not valid.",
        [(title, (Offers(lines), *_echoes(*_TALK))) for title, lines in _SEVERAL_OFFERS],
        peers=SERVERS,
        opening=None,
    ),
    *family(
        "deflate.3",
        "RFC 7692 §7.1",
        "A server MUST decline an offer with a parameter that is unknown, repeated, or has a value that is not valid.",
        _declined(),
        peers=SERVERS,
        opening=None,
    ),
    *family(
        "deflate.4",
        "RFC 7692 §7.1",
        "A client keeps to what the server answers.",
        [(extension(answer), (Agrees(answer), *_echoes(*_TALK))) for answer in _ANSWERS],
        peers=CLIENTS,
        opening=None,
    ),
    *family(
        "deflate.5",
        "RFC 7692 §7.1",
        "A client MUST fail the connection when the answer has a parameter that is unknown, repeated, or not valid.",
        _refused_answers(),
        peers=CLIENTS,
        opening=None,
    ),
    *family(
        "deflate.6",
        "RFC 7692 §7.2",
        "A compressed message is delivered as it was before, whatever its size.",
        _negotiated(_sizes()),
        opening=None,
    ),
    *family(
        "deflate.7",
        "RFC 7692 §6",
        "Messages may be uncompressed, and control frames are never compressed.",
        _negotiated((*_mixtures(), *_pinged())),
        opening=None,
    ),
    *family(
        "deflate.8",
        "RFC 7692 §6.1",
        "A compressed message may be in fragments, of which only the first has RSV1 set.",
        _negotiated(_fragmented()),
        opening=None,
    ),
    *family(
        "deflate.9",
        "RFC 7692 §7.1.1",
        "A message may refer to those before it, unless the agreement forbids that to its sender.",
        _takeovers(),
        opening=None,
    ),
    *family(
        "deflate.10",
        "RFC 7692 §7.1.2.1",
        "A server does not refer further back than server_max_window_bits allows.",
        _windows("server_max_window_bits"),
        opening=None,
    ),
    *family(
        "deflate.11",
        "RFC 7692 §7.1.2.2",
        "A client does not refer further back than client_max_window_bits allows.",
        _windows("client_max_window_bits"),
        opening=None,
    ),
    *DATA,
)
