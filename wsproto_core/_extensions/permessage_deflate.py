"""permessage-deflate: messages compressed with DEFLATE (RFC 7692).

Above: :class:`PerMessageDeflate`, what is offered and agreed to. Below: :class:`DeflateTransform`, one connection's
two zlib contexts. This is the only module that imports zlib, and nobody imports it who does not want compression.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

from .._config import Limits
from .._errors import RemoteProtocolError
from .._speedups import Inflating
from .._types import Buffer, Role
from .._violations import Violation
from .base import Extension, MessageTransform, Parameters

if TYPE_CHECKING:
    from zlib import _Compress  # pyright: ignore[reportPrivateUsage] - this type has no other name

    from .._speedups.inflating_py import Stream

__all__ = ["RATIO_FREE", "DeflateTransform", "PerMessageDeflate", "check_range"]

_SERVER_RESTARTS: Final = "server_no_context_takeover"
_CLIENT_RESTARTS: Final = "client_no_context_takeover"
_SERVER_BITS: Final = "server_max_window_bits"
_CLIENT_BITS: Final = "client_max_window_bits"
_FLAGS: Final = frozenset({_SERVER_RESTARTS, _CLIENT_RESTARTS})
#: RFC 7692 §7.1.2: a decimal integer between 8 and 15, without leading zeros.
_BITS: Final = re.compile(r"[89]|1[0-5]")
_MAX_BITS: Final = 15
#: What is compressed with where nothing else is said; see ``docs/decisions/0025-deflate-defaults.md``.
_DEFAULT_BITS: Final = 12
#: The least that zlib can compress with; see :class:`PerMessageDeflate` on 8.
_MIN_BITS: Final = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class PerMessageDeflate(Extension):
    """Compression as configured; the same object serves clients and servers, and any number of connections.

    Memory for each connection that has sent a compressed message: 2**(window bits + 2) + 2**(mem_level + 9) bytes and
    6 KiB more, 30 KiB by default; for one that has received any: 2**(window bits) bytes and 7 KiB more, 11 KiB where
    the peer agrees to 12 bits, 39 KiB where it does not. Without context takeover either is held only while a message
    is under way.

    A window of 8 bits cannot be configured: zlib and many peers cannot compress with it, and inflating with 9 costs no
    more. Where the peer asks for 8 it is agreed to: what is sent is then compressed by run length only (Z_RLE), whose
    matches fit any window; what is received is inflated with 9, because many who agree to 8 use 9.

    A peer that looks back further than agreed is refused (``CORRUPT_COMPRESSION``) once zlib no longer has the bytes;
    where it happens still to have them, the message is right and is taken.

    Raises :exc:`ValueError` (or :exc:`TypeError`), naming the argument.
    """

    name: ClassVar[str] = "permessage-deflate"

    #: The server forgets its context after each message: less memory, worse compression (RFC 7692 §7.1.1.1).
    #: A client insists on it, a server does it.
    server_no_context_takeover: bool = False
    #: The client forgets its context after each message (RFC 7692 §7.1.1.2). A server insists, a client does it.
    client_no_context_takeover: bool = False
    #: Base-2 logarithm of the largest window that the server compresses with, 9 to 15 (RFC 7692 §7.1.2.1). A server
    #: keeps to it and says so, a client insists on it, and a server that cannot obey declines. ``None``: a server keeps
    #: to 12, a client asks for nothing.
    server_max_window_bits: int | None = None
    #: The same for the client (RFC 7692 §7.1.2.2). A client keeps to it and says so. A server can ask only those
    #: clients for less than 15 that offer to obey; with the others it agrees to 15. ``None``: a client keeps to 12 and
    #: does not say so, a server asks for 12.
    client_max_window_bits: int | None = None
    #: zlib's compression level: 0 (none) to 9 (best), or -1 for zlib's own default.
    level: int = 6
    #: zlib's memory for the compressor's internal state: 1 (least) to 9 (fastest).
    mem_level: int = 4
    #: Messages of fewer bytes are sent uncompressed unless the caller asks for it. 128: below that, what is saved is
    #: less than the headers of the packet it travels in, and connections that only send small talk need no context.
    threshold: int = 128

    def __post_init__(self) -> None:
        _check_flag(_SERVER_RESTARTS, self.server_no_context_takeover)
        _check_flag(_CLIENT_RESTARTS, self.client_no_context_takeover)
        for name, bits in ((_SERVER_BITS, self.server_max_window_bits), (_CLIENT_BITS, self.client_max_window_bits)):
            if bits is not None:
                check_range(name, bits, _MIN_BITS, _MAX_BITS)
        check_range("level", self.level, -1, 9)
        check_range("mem_level", self.mem_level, 1, 9)
        check_range("threshold", self.threshold, 0, None)

    def offer(self) -> tuple[Parameters, ...]:
        """One offer. A server that cannot agree to it declines, and messages go uncompressed."""
        asked = None if self._most_of_server == _MAX_BITS else self._most_of_server
        terms = _parameters(self.server_no_context_takeover, self.client_no_context_takeover, asked, None)
        mine = None if self.client_max_window_bits in (None, _MAX_BITS) else str(self.client_max_window_bits)
        # RFC 7692 §7.1.2.2: without this parameter in the offer, the server may not limit the client's window.
        return ((*terms, (_CLIENT_BITS, mine)),)

    def accept(self, offered: Parameters, limits: Limits) -> tuple[Parameters, DeflateTransform] | None:
        """Agree to the least that both sides ask for; decline what is unknown, repeated or invalid (RFC 7692 §7.1)."""
        try:
            terms = _parse(offered, is_offer=True)
        except ValueError:
            return None
        server_restarts = self.server_no_context_takeover or _SERVER_RESTARTS in terms
        client_restarts = self.client_no_context_takeover or _CLIENT_RESTARTS in terms
        server_bits = min(self.server_max_window_bits or _DEFAULT_BITS, terms.get(_SERVER_BITS, _MAX_BITS))
        # RFC 7692 §7.1.2.2: a client that does not offer this parameter cannot be asked for a smaller window.
        asked = self.client_max_window_bits or _DEFAULT_BITS
        client_bits = min(asked, terms[_CLIENT_BITS]) if _CLIENT_BITS in terms else _MAX_BITS
        answer = _parameters(
            server_restarts,
            client_restarts,
            # RFC 7692 §7.1.2.1: an offer with this parameter is accepted by answering it, even with 15.
            server_bits if _SERVER_BITS in terms or server_bits < _MAX_BITS else None,
            client_bits if client_bits < _MAX_BITS else None,
        )
        agreed = _Agreed(server_restarts, client_restarts, server_bits, client_bits)
        return answer, DeflateTransform(self, agreed, Role.SERVER, limits)

    def confirm(self, answered: Parameters, limits: Limits) -> DeflateTransform:
        """Agree to any answer that fits the offer: one that asks for more than was offered, never for less."""
        terms = _parse(answered, is_offer=False)
        if self.server_no_context_takeover and _SERVER_RESTARTS not in terms:
            raise ValueError(f"{_SERVER_RESTARTS} was asked for and is not in the answer (RFC 7692 §7.1.1.1)")
        server_bits = terms.get(_SERVER_BITS, _MAX_BITS)
        if server_bits > self._most_of_server:
            raise ValueError(
                f"{_SERVER_BITS}={self._most_of_server} was asked for and {server_bits} is the answer "
                "(RFC 7692 §7.1.2.1)"
            )
        # RFC 7692 §7.1.1.2, §7.1.2.2: what a client announced of itself it keeps to, whatever the answer.
        client_restarts = self.client_no_context_takeover or _CLIENT_RESTARTS in terms
        client_bits = min(self.client_max_window_bits or _DEFAULT_BITS, terms.get(_CLIENT_BITS, _MAX_BITS))
        agreed = _Agreed(_SERVER_RESTARTS in terms, client_restarts, server_bits, client_bits)
        return DeflateTransform(self, agreed, Role.CLIENT, limits)

    @property
    def _most_of_server(self) -> int:
        """What a client lets the server use."""
        return self.server_max_window_bits or _MAX_BITS


@dataclass(frozen=True, slots=True)
class _Agreed:
    """What both sides keep to (RFC 7692 §7.1)."""

    server_restarts: bool
    client_restarts: bool
    server_bits: int
    client_bits: int

    def of(self, role: Role) -> tuple[int, bool]:
        """The window of what ``role`` compresses, and whether it starts anew with each message."""
        if role is Role.SERVER:
            return self.server_bits, self.server_restarts
        return self.client_bits, self.client_restarts


def _parse(parameters: Parameters, *, is_offer: bool) -> dict[str, int]:
    """The parameters by name, with their number of window bits; raises :exc:`ValueError` (RFC 7692 §7.1)."""
    terms: dict[str, int] = {}
    for name, value in parameters:
        if name in terms:
            raise ValueError(f"{name} is given twice (RFC 7692 §7.1)")
        if name in _FLAGS:
            terms[name] = _parse_flag(name, value)
        elif name in (_SERVER_BITS, _CLIENT_BITS):
            terms[name] = _parse_bits(name, value, optional=is_offer and name == _CLIENT_BITS)
        else:
            raise ValueError(f"{name} is not a parameter of permessage-deflate (RFC 7692 §7.1)")
    return terms


def _parse_flag(name: str, value: str | None) -> int:
    if value is not None:
        raise ValueError(f"{name} has no value (RFC 7692 §7.1.1)")
    return _MAX_BITS


def _parse_bits(name: str, value: str | None, *, optional: bool) -> int:
    if value is None and optional:
        return _MAX_BITS
    if value is None or not _BITS.fullmatch(value):
        raise ValueError(f"{name} must be an integer from 8 to 15, not {value!r} (RFC 7692 §7.1.2)")
    return int(value)


def _parameters(
    server_restarts: bool, client_restarts: bool, server_bits: int | None, client_bits: int | None
) -> Parameters:
    flags = ((_SERVER_RESTARTS, server_restarts), (_CLIENT_RESTARTS, client_restarts))
    bits = ((_SERVER_BITS, server_bits), (_CLIENT_BITS, client_bits))
    return (
        *((name, None) for name, wanted in flags if wanted),
        *((name, str(value)) for name, value in bits if value is not None),
    )


def _check_flag(name: str, value: object) -> None:
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be True or False, not {value!r}")


def check_range(name: str, value: object, least: int, most: int | None) -> None:
    """Raise :exc:`TypeError` or :exc:`ValueError`, naming the argument, unless ``value`` lies between the two."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{name} must be an integer, not {value!r}")
    if value < least or (most is not None and value > most):
        limit = f"from {least} to {most}" if most is not None else f"at least {least}"
        raise ValueError(f"{name} must be {limit}, not {value!r}")


#: Compressed bytes inflated at a time. zlib copies what follows a block with BFINAL: in small steps that stays linear,
#: and as the steps are counted from the start of the message, a verdict does not depend on how the bytes arrived.
_STEP: Final = 4096
#: The ratio is not judged for less: small messages of one repeated byte are innocent.
RATIO_FREE: Final = 16 * 1024 * 1024
#: More than a step can inflate to (1032 bytes for each), and still what zlib takes as a length.
_MOST: Final = 2**31 - 1


class DeflateTransform(Inflating, MessageTransform):
    """One connection's permessage-deflate: a compressor and an inflater, each created for the first message it sees."""

    __slots__ = (
        "_compressor",
        "_config",
        "_fed",
        "_inflated",
        "_limits",
        "_own_bits",
        "_own_restarts",
        "_peer_bits",
    )

    reserved_bits: ClassVar[int] = 0x40  # RFC 7692 §6: RSV1

    def __init__(self, config: PerMessageDeflate, agreed: _Agreed, role: Role, limits: Limits) -> None:
        self._peer_bits, is_restarting = agreed.of(Role.CLIENT if role is Role.SERVER else Role.SERVER)
        # The ratio is not judged yet in the first step.
        room = 0 if limits.message_size is None else min(limits.message_size + 1, _MOST)
        super().__init__(room, is_restarting=is_restarting, fault=zlib.error)
        self._config = config
        self._limits = limits
        self._own_bits, self._own_restarts = agreed.of(role)
        self._compressor: _Compress | None = None
        self._fed = False  # whether the outgoing message has had any bytes yet
        self._inflated = 0  # bytes that the incoming message has become

    def wants(self, size: int, compress: bool | None) -> bool:
        """The caller's wish, or else whether the message reaches ``PerMessageDeflate.threshold``."""
        return size >= self._config.threshold if compress is None else compress

    @property
    def shared_key(self) -> Hashable:
        """Without context takeover, the compressor's parameters."""
        return (self._config.level, self._config.mem_level, self._own_bits) if self._own_restarts else None

    def encode(self, data: Buffer, final: bool) -> bytes:
        """Compress a piece; zlib keeps what it can until ``final``."""
        if not (data or self._fed):
            return b"\x00" if final else b""  # RFC 7692 §7.2.3.6; takes no context
        if self._compressor is None:
            self._compressor = self._new_compressor()
        self._fed = not final
        compressed = self._compressor.compress(data)
        return compressed + self._flush(self._compressor) if final else compressed

    def _new_compressor(self) -> _Compress:
        config = self._config
        # RFC 7692 §7.1.2: a window of 8 bits must not be exceeded, and with 9 zlib might; Z_RLE looks one byte back.
        strategy = zlib.Z_RLE if self._own_bits < _MIN_BITS else zlib.Z_DEFAULT_STRATEGY
        bits = max(_MIN_BITS, self._own_bits)
        return zlib.compressobj(config.level, zlib.DEFLATED, -bits, config.mem_level, strategy)

    def _flush(self, compressor: _Compress) -> bytes:
        if self._own_restarts:
            self._compressor = None  # RFC 7692 §7.1.1
        return compressor.flush(zlib.Z_SYNC_FLUSH)[:-4]  # RFC 7692 §7.2.1

    def _decode_in_steps(self, data: Buffer, final: bool) -> bytes:
        if len(data) <= _STEP - self._compressed % _STEP:
            inflated = self._inflate(data) if data else b""
        else:
            inflated = b"".join(map(self._inflate, self._steps(data)))
        if final:
            self._finish()
        return inflated

    def _steps(self, data: Buffer) -> Iterator[memoryview]:
        view = memoryview(data)
        first = _STEP - self._compressed % _STEP
        yield view[:first]
        for start in range(first, len(view), _STEP):
            yield view[start : start + _STEP]

    def _decode_on(self, inflated: bytes) -> bytes:
        inflated = self._counted(inflated)
        self._finish()
        return inflated

    def _inflate(self, step: Buffer) -> bytes:
        self._compressed += len(step)
        return self._counted(self._feed(step))

    def _feed(self, data: Buffer) -> bytes:
        """Inflate up to the next BFINAL, and not much more than is allowed."""
        ceiling = self._ceiling()
        room = 0 if ceiling is None else min(ceiling - self._inflated + 1, _MOST)
        _, decompress = self._stream or self._begin_stream()
        return decompress(data, room)

    def _begin_stream(self) -> Stream:
        inflater = zlib.decompressobj(-max(_MIN_BITS, self._peer_bits))
        self._stream = inflater, inflater.decompress
        return self._stream

    def _counted(self, inflated: bytes) -> bytes:
        """``inflated``, held to the limits, with all that is behind a BFINAL where it has come to one."""
        streams: list[bytes] = []
        ceiling = self._ceiling()
        while True:
            streams.append(inflated)
            self._inflated += len(inflated)
            if ceiling is not None and self._inflated > ceiling:
                raise self._too_much()
            assert self._stream is not None, "there is what has inflated it"
            inflater, _ = self._stream
            if not inflater.eof:
                break
            rest, self._stream = inflater.unused_data, None
            if not rest:
                break
            inflated = self._feed(rest)
        return b"".join(streams)

    def _ceiling(self) -> int | None:
        """What this message may have inflated to by the end of the present step (RFC 7692 §8)."""
        size, ratio = self._limits.message_size, self._limits.inflate_ratio
        if ratio is None or self._compressed <= _STEP:  # one step cannot come to what the ratio is judged for
            return size
        steps = -(-self._compressed // _STEP)
        by_ratio = max(RATIO_FREE, ratio * steps * _STEP)
        return by_ratio if size is None else min(size, by_ratio)

    def _too_much(self) -> RemoteProtocolError:
        size = self._limits.message_size
        if size is not None and self._inflated > size:
            return RemoteProtocolError(Violation.INFLATED_TOO_BIG, f"more than {size} bytes")
        detail = f"{self._inflated} bytes or more from {self._compressed}"
        return RemoteProtocolError(Violation.INFLATE_RATIO, detail)

    def _finish(self) -> None:
        ratio = self._limits.inflate_ratio
        if ratio is not None and self._inflated > max(RATIO_FREE, ratio * self._compressed):
            raise self._too_much()
        self._inflated = 0
