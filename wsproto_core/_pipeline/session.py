"""One connection's messages on their way in and out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._config import Limits
from .._errors import LocalProtocolError, RemoteProtocolError
from .._protocol.sending import encode_message
from .._types import Buffer, Message, Opcode
from .._violations import Violation
from .compression import Compress, expand
from .envelope import CIPHER, COMPRESSION, PLAIN_HEAD_SIZE, TEXT, VERSION, overhead, read_flags

if TYPE_CHECKING:
    from .channel import Channel

__all__ = ["PipelineSession"]


class PipelineSession:
    """A pipeline at work in one connection; made by :meth:`Pipeline.session`. For authors of adapters.

    Both directions are independent. Threads that share a session hold one lock over :meth:`seal` and the sending of
    what it gives, for on an ordered transport sealed messages arrive in the order in which they were sealed, or end the
    connection; so does one that was sealed and never sent.
    """

    __slots__ = ("_channel", "_compress", "_limits")

    def __init__(self, compress: Compress | None, channel: Channel | None, limits: Limits) -> None:
        self._compress = compress
        self._channel = channel
        self._limits = limits

    @property
    def peer_is_live(self) -> bool:
        """Whether the peer has sealed a message for this very session. Until then, what comes may be a recording of
        another one. Always false without encryption.
        """
        return self._channel is not None and self._channel.peer_is_live

    @property
    def overhead(self) -> int:
        """As :attr:`Pipeline.overhead`."""
        return overhead(is_encrypted=self._channel is not None)

    def seal(self, message: Message | Buffer, *, max_size: int | None = None) -> bytes:
        """The binary message to send in place of ``message``: ``str`` as text, bytes-like as binary.

        ``max_size``: how many bytes the transport takes. Raises :exc:`LocalProtocolError` where it would have more, and
        for text that is not valid Unicode, :exc:`TypeError` for anything that is no message; nothing has changed then.
        """
        opcode, payload = encode_message(message)
        flags = TEXT if opcode is Opcode.TEXT else 0
        if self._compress is not None:
            flag, payload = self._compress.shrink(payload)
            flags |= flag
        size = len(payload) + self.overhead
        if max_size is not None and size > max_size:
            raise LocalProtocolError(f"message: {size} bytes once it is sealed, and there is room for {max_size}")
        if self._channel is not None:
            return self._channel.encrypt(flags, payload)
        return bytes((VERSION, flags)) + payload

    def open(self, data: Message) -> Message:
        """The message that the peer sealed: ``str`` if it was text, else ``bytes``; ``Limits.message_size`` at most.

        Raises :exc:`RemoteProtocolError`. On a connection, close with its ``violation.close_code``. A datagram is
        dropped, because anybody can send one in anybody's name, and networks repeat them; a message that was refused
        for its seal changes nothing here.
        """
        if isinstance(data, str):
            raise RemoteProtocolError(Violation.NOT_SEALED, "it is text")
        flags = read_flags(data)
        payload = self._decrypted(flags, data)
        if flags & COMPRESSION:
            payload = expand(flags & COMPRESSION, payload, self._limits)
        self._check_size(len(payload))
        return _text(payload) if flags & TEXT else payload

    def _decrypted(self, flags: int, data: bytes) -> bytes:
        if self._channel is not None and flags & CIPHER:
            return self._channel.decrypt(flags, data)
        if self._channel is not None:
            raise RemoteProtocolError(Violation.NOT_SEALED, "it is not encrypted")
        if flags & CIPHER:
            raise RemoteProtocolError(Violation.NOT_SEALED, "it is encrypted, and there are no keys here")
        return data[PLAIN_HEAD_SIZE:]

    def _check_size(self, size: int) -> None:
        limit = self._limits.message_size
        if limit is not None and size > limit:
            raise RemoteProtocolError(Violation.MESSAGE_TOO_BIG, f"{size} bytes, limit {limit}")


def _text(payload: bytes) -> str:
    try:
        return str(payload, "utf-8")
    except UnicodeDecodeError as error:
        raise RemoteProtocolError(Violation.INVALID_UTF8, error.reason) from None
