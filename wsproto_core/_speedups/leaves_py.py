"""The leaves of the frame loops: masking, frame headers, UTF-8 that may stop in the middle of a character, the message
that is being received, the frames that are to be sent, and the head of a request.

Each is small, and is the specification of a native one in ``leaves_c`` that may take its place. Positions given are
within the data: nothing is clipped.
"""

from __future__ import annotations

import re
from codecs import utf_8_decode
from sys import getsizeof
from typing import TYPE_CHECKING, Final

from .._events import Fragment

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._types import Buffer, Message

__all__ = [
    "FrameBuffer",
    "MessageBuffer",
    "apply_mask",
    "complete_utf8",
    "memory_of",
    "ordinary_head",
    "unmask",
    "unmask_text",
    "utf8_of",
]

_number: Final = int.from_bytes
#: Each byte as an object: two of them are joined sooner than one is made of two numbers.
_BYTE: Final = tuple(bytes((value,)) for value in range(256))
#: The bit that says that a payload is masked (RFC 6455 §5.2).
_MASKED: Final = 0x80
#: From this size on four table look-ups beat one big integer (measured on CPython 3.11 to 3.13: equal near 500).
_LARGE: Final = 512

#: One blank behind each colon, visible ASCII from the first to the last character of a value. No part of it can match
#: what another could, so that no input makes it backtrack.
_ORDINARY_HEAD: Final = re.compile(r"GET ([!-~]+) HTTP/1\.1((?:\r\n[A-Za-z0-9_\-]+: [!-~][ -~]*(?<! ))+)\r\n\r\n")

#: ``_XOR[a][b] == a ^ b``, as tables for ``bytes.translate``.
_XOR: Final = tuple(bytes(a ^ b for b in range(256)) for a in range(256))


def unmask(data: Buffer, start: int, stop: int, key_in: bytes, key_at: int) -> bytes:
    """``data[start:stop]`` combined with the four bytes of ``key_in`` from ``key_at`` on (RFC 6455 §5.3); as it is
    where ``key_in`` is empty.
    """
    return _mask(data[start:stop], key_in[key_at : key_at + 4]) if key_in else bytes(data[start:stop])


def unmask_text(data: Buffer, start: int, stop: int, key_in: bytes, key_at: int) -> str:
    """What :func:`unmask` gives, as text. Raises :exc:`UnicodeDecodeError`."""
    return str(unmask(data, start, stop, key_in, key_at), "utf-8")


def apply_mask(payload: bytes, key: bytes) -> bytes:
    """``payload`` combined with the four bytes of ``key``; applying it twice gives it back (RFC 6455 §5.3)."""
    return unmask(payload, 0, len(payload), key, 0)


def utf8_of(text: str) -> bytes | memoryview:
    """The bytes of ``text`` in UTF-8, which may be those that it consists of. Raises :exc:`UnicodeEncodeError`."""
    return text.encode()


def memory_of(item: Message | Fragment) -> int:
    """What ``item`` costs in bytes, as an object: many tiny messages are as dangerous as a few large ones."""
    return getsizeof(item.data) + getsizeof(item) if isinstance(item, Fragment) else getsizeof(item)


def complete_utf8(data: bytes | bytearray) -> int:
    """How many leading bytes of ``data`` are complete characters; what is left may still become one.

    Raises :exc:`UnicodeDecodeError` at the first byte that no valid text can contain there (RFC 3629).
    """
    _, complete = utf_8_decode(data, "strict", False)
    # CPython waits for the third byte of an encoded surrogate, but the second already makes it impossible.
    if data[complete : complete + 1] == b"\xed" and data[complete + 1 : complete + 2] >= b"\xa0":
        raise UnicodeDecodeError("utf-8", bytes(data), complete, complete + 2, "surrogates not allowed")
    return complete


def ordinary_head(data: bytes, size: int, word: Callable[[str, str], str]) -> tuple[str, list[tuple[str, str]]] | None:
    """Target and fields of the head of a request, which is ``data[:size]`` and ends with the first empty line; ``None``
    where its shape is not the most usual: ``GET``, HTTP/1.1, ``Name: value`` in visible ASCII.

    ``word(text, text)`` gives what is to be held instead of ``text``, which is the same.
    """
    match = _ORDINARY_HEAD.fullmatch(data[:size].decode("latin-1"))
    if match is None:
        return None
    target, block = match.groups()
    pairs = [line.split(": ", 1) for line in block.split("\r\n")[1:]]
    return target, [(word(name, name), word(value, value)) for name, value in pairs]


class MessageBuffer:
    """A message as it comes: its pieces, unmasked and joined."""

    __slots__ = ("_checked", "_data", "_is_text")

    def __init__(self, is_text: bool) -> None:
        self._is_text = is_text
        self._data = bytearray()
        # How many bytes, from the first, are known to be complete characters.
        self._checked = 0

    def add(self, data: Buffer, start: int, stop: int, key_in: bytes, key_at: int, more: int) -> None:  # noqa: ARG002  # only the native one can
        """Append what :func:`unmask` gives. ``more`` bytes are announced, for which addresses can be set aside, but no
        more than 16 for each byte that has come: an announcement costs nothing.
        """
        self._data += unmask(data, start, stop, key_in, key_at)

    def check(self) -> None:
        """Raise :exc:`UnicodeDecodeError` unless what has come is, or can become, valid text. Anything is binary."""
        if self._is_text:
            self._checked += complete_utf8(self._data[self._checked :])

    def take(self, final: bool) -> str | bytes:
        """Take out what has come: ``bytes``, or ``str`` of a text. Unless ``final``, a character that is incomplete
        stays. Raises :exc:`UnicodeDecodeError`.
        """
        data = self._data
        if not self._is_text:
            self._data = bytearray()
            return bytes(data)
        complete = len(data) if final else complete_utf8(data)
        self._data = data[complete:]
        self._checked = 0
        return str(data[:complete], "utf-8") if self._data else str(data, "utf-8")


class FrameBuffer:
    """Frames in the order they leave, one behind the other."""

    __slots__ = ("_data", "size")

    def __init__(self) -> None:
        self._data = bytearray()
        #: Bytes so far.
        self.size = 0

    def add(self, first: int, payload: Buffer, start: int, stop: int, key_in: bytes, key_at: int) -> int:
        """Append a frame: a header with ``first``, then ``payload[start:stop]``, masked with the four bytes of
        ``key_in`` from ``key_at`` on; as it is where ``key_in`` is empty. Return its size.
        """
        whole = stop - start == len(payload)
        return self._add(first, payload if whole else memoryview(payload)[start:stop], key_in[key_at : key_at + 4])

    def add_text(self, first: int, text: str, key_in: bytes, key_at: int) -> int:
        """Append a frame with ``text``; return its size. Raises :exc:`UnicodeEncodeError`; then nothing is appended."""
        return self._add(first, text.encode(), key_in[key_at : key_at + 4])

    def _add(self, first: int, payload: Buffer, key: bytes) -> int:
        data, length = self._data, len(payload)
        if key:
            data += _header(first, length, _MASKED) + key
            data += _mask(payload, key)
        else:
            data += _header(first, length, 0)
            data += payload
        before, self.size = self.size, len(data)
        return self.size - before

    def add_header(self, first: int, length: int) -> int:
        """Append the header of a frame that is not masked; return its size."""
        header = _header(first, length, 0)
        self.add_bytes(header)
        return len(header)

    def add_bytes(self, data: Buffer) -> None:
        """Append ``data`` as it is."""
        self._data += data
        self.size += len(data)

    def take(self) -> bytes:
        """Take out what has been appended."""
        data, self._data, self.size = bytes(self._data), bytearray(), 0
        return data


def _header(first: int, length: int, mask_bit: int) -> bytes:
    """A frame header without its masking key: ``first``, ``length`` in the fewest bytes (RFC 6455 §5.2)."""
    if length < 126:
        return _BYTE[first] + _BYTE[mask_bit | length]
    if length < 0x10000:
        return bytes((first, mask_bit | 126, length >> 8, length & 0xFF))
    return bytes((first, mask_bit | 127)) + length.to_bytes(8, "big")


def _mask(data: Buffer, key: bytes) -> bytes:
    size = len(data)
    if size >= _LARGE:
        return _mask_large(bytes(data), key)
    pad = (key * ((size + 3) >> 2))[:size]
    return (_number(data, "little") ^ _number(pad, "little")).to_bytes(size, "little")


def _mask_large(data: bytes, key: bytes) -> bytes:
    result = bytearray(data)
    for offset in range(4):
        result[offset::4] = data[offset::4].translate(_XOR[key[offset]])
    return bytes(result)
