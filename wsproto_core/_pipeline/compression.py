"""Compression of single messages: nothing is remembered from one to the next, so that each can be lost or reordered."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass
from importlib import import_module
from types import MappingProxyType
from typing import Any, Final, Literal, NamedTuple, Protocol, cast

from .._config import Limits
from .._errors import RemoteProtocolError
from .._extensions.permessage_deflate import RATIO_FREE, check_range
from .._violations import Violation
from .envelope import ZLIB, ZSTD

__all__ = ["Compress", "expand"]

#: DEFLATE without a header or checksum, with the largest window.
_RAW: Final = -15
#: Base-2 logarithm of the largest zstd window to make room for: the 8 MiB that RFC 8878 §3.1.1.1.2 recommends to
#: support, and no more, because a message can ask for gigabytes. Levels up to 19 stay within it.
_MAX_WINDOW_LOG: Final = 23
#: In the standard library since Python 3.14; before that a package with the same interface.
_ZSTD_MODULE: Final = "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd"


@dataclass(frozen=True, slots=True)
class Compress:
    """How to compress messages before they are sent. Whatever is set here, messages with either method are received.

    ``method``: ``"zlib"`` is always there. ``"zstd"`` takes less time, the more so the larger the message; it is in the
    standard library since Python 3.14, and for earlier versions in ``wsproto-core[zstd]``. Raises :exc:`ImportError` if
    it is not there, :exc:`ValueError` or :exc:`TypeError`, naming the argument, for anything else.

    Whoever sees the length of a compressed message learns something about its content, encrypted or not: do not put a
    secret and what an attacker chooses into the same message.
    """

    method: Literal["zlib", "zstd"] = "zlib"
    _: KW_ONLY
    #: zlib: 0 to 9, 6 by default. zstd: 1 to 19, 3 by default. More is smaller and slower.
    level: int | None = None
    #: Messages of fewer bytes are left as they are; and so is any that would not become smaller.
    threshold: int = 128

    def __post_init__(self) -> None:
        if self.method not in _METHODS:
            raise ValueError(f'method must be "zlib" or "zstd", not {self.method!r}')
        if self.level is not None:
            check_range("level", self.level, *_METHODS[self.method].levels)
        check_range("threshold", self.threshold, 0, None)
        if self.method == "zstd":
            _zstd()

    def shrink(self, payload: bytes) -> tuple[int, bytes]:
        """The flag of the method and the compressed payload; 0 and the payload itself if it stays as it is."""
        if len(payload) >= self.threshold:
            method = _METHODS[self.method]
            compressed = method.shrink(payload, method.default if self.level is None else self.level)
            if len(compressed) < len(payload):
                return method.flag, compressed
        return 0, payload


def expand(flag: int, payload: bytes, limits: Limits) -> bytes:
    """The payload that was compressed by the method of ``flag``. Memory stays within ``limits`` while it expands.

    Raises :exc:`RemoteProtocolError`: ``MESSAGE_TOO_BIG``, ``INFLATE_RATIO`` or ``UNREADABLE_PAYLOAD``.
    """
    ceiling = _ceiling(len(payload), limits)
    expanded, is_whole = _EXPANDERS[flag](payload, min(ceiling, sys.maxsize - 1) + 1)
    if len(expanded) > ceiling:
        raise _too_much(len(payload), ceiling, limits)
    if not is_whole:
        raise _unreadable("the compressed data ends too early, or too late")
    return expanded


def _ceiling(size: int, limits: Limits) -> int:
    """What ``size`` compressed bytes may expand to."""
    by_size = sys.maxsize if limits.message_size is None else limits.message_size
    by_ratio = sys.maxsize if limits.inflate_ratio is None else max(RATIO_FREE, limits.inflate_ratio * size)
    return min(by_size, by_ratio)


def _too_much(size: int, ceiling: int, limits: Limits) -> RemoteProtocolError:
    if ceiling == limits.message_size:
        return RemoteProtocolError(Violation.MESSAGE_TOO_BIG, f"it expands to more than {ceiling} bytes")
    return RemoteProtocolError(Violation.INFLATE_RATIO, f"more than {ceiling} bytes from {size}")


def _unreadable(detail: str) -> RemoteProtocolError:
    return RemoteProtocolError(Violation.UNREADABLE_PAYLOAD, detail)


# --- zlib -------------------------------------------------------------------------------------------------------------


def _deflate(payload: bytes, level: int) -> bytes:
    return zlib.compress(payload, level, wbits=_RAW)


def _inflate(payload: bytes, room: int) -> tuple[bytes, bool]:
    """At most ``room`` bytes, and whether they are all, with nothing behind them."""
    inflater = zlib.decompressobj(_RAW)
    try:
        return inflater.decompress(payload, room), inflater.eof and not inflater.unused_data
    except zlib.error as error:
        raise _unreadable(str(error)) from None


# --- zstd -------------------------------------------------------------------------------------------------------------


class _ZstdDecompressor(Protocol):
    """What is used of a decompressor."""

    eof: bool
    unused_data: bytes

    def decompress(self, data: bytes, max_length: int) -> bytes: ...


class _ZstdModule(Protocol):
    """What is used of the module."""

    ZstdError: type[Exception]
    DecompressionParameter: Any
    ZstdDecompressor: Callable[[None, Mapping[Any, int]], _ZstdDecompressor]

    def compress(self, data: bytes, level: int) -> bytes: ...


def _zstd() -> _ZstdModule:
    try:
        return cast(_ZstdModule, import_module(_ZSTD_MODULE))
    except ImportError:
        words = (
            f'zstd needs the module "{_ZSTD_MODULE}", which pip install "wsproto-core[zstd]" brings before Python 3.14'
        )
        raise ImportError(words, name=_ZSTD_MODULE) from None


def _shrink_zstd(payload: bytes, level: int) -> bytes:
    return _zstd().compress(payload, level)


def _expand_zstd(payload: bytes, room: int) -> tuple[bytes, bool]:
    """As :func:`_inflate`."""
    try:
        zstd = _zstd()
    except ImportError:
        raise _unreadable("it is compressed by zstd, which is not installed here") from None
    decompressor = zstd.ZstdDecompressor(None, {zstd.DecompressionParameter.window_log_max: _MAX_WINDOW_LOG})
    try:
        return decompressor.decompress(payload, room), decompressor.eof and not decompressor.unused_data
    except zstd.ZstdError as error:
        raise _unreadable(str(error)) from None


# --- the table --------------------------------------------------------------------------------------------------------


class _Method(NamedTuple):
    """How one method compresses."""

    flag: int
    shrink: Callable[[bytes, int], bytes]
    levels: tuple[int, int]
    default: int


_METHODS: Final = MappingProxyType(
    {
        "zlib": _Method(ZLIB, _deflate, (0, 9), 6),
        "zstd": _Method(ZSTD, _shrink_zstd, (1, 19), 3),
    }
)
_EXPANDERS: Final = MappingProxyType({ZLIB: _inflate, ZSTD: _expand_zstd})
