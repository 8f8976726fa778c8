"""Single frames: valid ones, mostly right ones, and bytes that may be frames (RFC 6455 §5)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from hypothesis import strategies as st

from wsproto_core.frames import Frame, Opcode

from ..wire import continuation
from .chunkings import cut_at
from .closing import close_codes, close_payloads
from .deflate import deflated
from .text import texts

__all__ = [
    "control_frames",
    "data_frames",
    "fragments",
    "frames",
    "hostile_bytes",
    "keys",
    "near_frames",
    "payloads",
]

#: Every length whose header, or whose treatment, is another than its neighbour's.
EDGE_SIZES: Final = (0, 1, 125, 126, 127, 65_535, 65_536)
#: First bytes that a peer might get right: data, its continuation, controls, compressed data.
_LIKELY_FIRST_BYTES: Final = (0x81, 0x82, 0x01, 0x02, 0x00, 0x80, 0x89, 0x8A, 0x88, 0xC1, 0x41)


def keys() -> st.SearchStrategy[bytes]:
    """Masking keys. Shrinks towards zeros, under which a payload can be read."""
    return st.binary(min_size=4, max_size=4)


def payloads(*, max_size: int = 1000) -> st.SearchStrategy[bytes]:
    """Payloads of every size at which a header changes, up to ``max_size`` bytes. Shrinks towards ``b""``."""
    edges = [size for size in EDGE_SIZES if size <= max_size]
    repeated = st.tuples(st.sampled_from(edges), st.binary(min_size=1, max_size=9))
    return st.binary(max_size=min(max_size, 100)) | repeated.map(_repeat)


def control_frames(*, masked: bool) -> st.SearchStrategy[Frame]:
    """Pings and pongs (RFC 6455 §5.5.2, §5.5.3), which may stand anywhere between two frames."""
    return st.builds(
        Frame,
        opcode=st.sampled_from([Opcode.PING, Opcode.PONG]),
        payload=payloads(max_size=125),
        mask=_masks(masked),
    )


def data_frames(*, masked: bool, max_size: int = 1000) -> st.SearchStrategy[Frame]:
    """Messages in one frame: text, which is UTF-8, and binary."""
    text = st.builds(Frame, opcode=st.just(Opcode.TEXT), payload=texts().map(str.encode), mask=_masks(masked))
    binary = st.builds(Frame, opcode=st.just(Opcode.BINARY), payload=payloads(max_size=max_size), mask=_masks(masked))
    return text | binary


def frames(*, masked: bool) -> st.SearchStrategy[Frame]:
    """Frames that are valid between two messages: whole messages, pings, pongs, closes."""
    close = st.builds(Frame, opcode=st.just(Opcode.CLOSE), payload=close_payloads(), mask=_masks(masked))
    return data_frames(masked=masked) | control_frames(masked=masked) | close


def near_frames(*, masked: bool) -> st.SearchStrategy[bytes]:
    """Frames that are mostly right: any first byte, a length that may lie, now and then the wrong mask bit."""
    return st.builds(
        _near_frame,
        st.sampled_from(_LIKELY_FIRST_BYTES) | st.integers(0, 255),
        _likely_payloads(),
        keys(),
        st.integers(0, 30).map(lambda chance: masked is (chance < 30)),
        st.none() | _lies(),
    )


def hostile_bytes(*, masked: bool) -> st.SearchStrategy[bytes]:
    """What a hostile peer sends: mostly frames that are mostly right, and sometimes anything at all."""
    return st.lists(near_frames(masked=masked), max_size=8).map(b"".join) | st.binary(max_size=100)


def fragments(opcode: int, payload: bytes, cuts: Sequence[int], reserved: int = 0) -> list[Frame]:
    """The frames of a message, without masks: ``reserved`` bits are those of the first one."""
    first, *others = cut_at(payload, cuts)
    last = len(others) - 1
    head = Frame(opcode, first, not others, reserved)
    return [head, *(continuation(piece, final=index == last) for index, piece in enumerate(others))]


def _near_frame(first: int, payload: bytes, key: bytes, masked: bool, lie: bytes | None) -> bytes:
    frame = bytes(Frame(first & 0x0F, payload, bool(first & 0x80), first >> 4 & 7, key if masked else None))
    if lie is None:
        return frame
    return bytes([first, frame[1] & 0x80 | lie[0] & 0x7F]) + lie[1:] + frame[2:]


def _masks(masked: bool) -> st.SearchStrategy[bytes | None]:
    return keys() if masked else st.none()


def _repeat(content: tuple[int, bytes]) -> bytes:
    size, pattern = content
    return (pattern * (size // len(pattern) + 1))[:size]


def _lies() -> st.SearchStrategy[bytes]:
    """Lengths that need not be those of the payload, nor minimal, nor complete."""
    two_bytes = st.binary(min_size=2, max_size=2).map(lambda rest: b"\x7e" + rest)
    eight_bytes = st.integers(0, (1 << 64) - 1).map(lambda size: b"\x7f" + size.to_bytes(8, "big"))
    return st.binary(min_size=1, max_size=9) | two_bytes | eight_bytes


def _likely_payloads() -> st.SearchStrategy[bytes]:
    """What a frame of some kind might carry."""
    return (
        texts().map(str.encode)
        | st.binary(max_size=200)
        | st.binary(max_size=100).map(deflated)
        | close_codes().map(lambda code: code.to_bytes(2, "big"))
        | st.integers(0, 0xFFFF).map(lambda code: code.to_bytes(2, "big"))
    )
