"""What an extension is (RFC 6455 §9): :class:`Extension` is its configuration, :class:`MessageTransform` its work.

For authors of extensions: subclass both. An :class:`Extension` says what is offered and agreed to in the opening
handshake; it is immutable, holds no connection's state and is shared by all connections that it is handed to. Once both
sides have agreed it makes a :class:`MessageTransform`, which lives as long as one connection and sees the payload of
its messages::

    class Rot13(Extension):
        name = "x-rot13"

        def offer(self):
            return [()]                                        # one offer, without parameters

        def accept(self, offered, limits):
            return None if offered else ((), Rot13Transform())

        def confirm(self, answered, limits):
            if answered:
                raise ValueError("x-rot13 has no parameters")
            return Rot13Transform()


    class Rot13Transform(MessageTransform):
        reserved_bits = 0                                      # every message is transformed

        def encode(self, data, final):
            return bytes(data).translate(ROT13)

        decode = encode

What the engine promises: several extensions are applied in the order negotiated when sending and in the reverse order
when receiving; control frames never pass through, not even those between the fragments of a message; and two
extensions that claim the same reserved bit are never in use together (RFC 6455 §9.1).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Sequence
from typing import ClassVar, TypeAlias

from .._config import Limits
from .._types import Buffer

__all__ = ["Extension", "MessageTransform", "Parameters"]

#: The parameters of one extension in their order, as in ``Sec-WebSocket-Extensions``; ``None`` is a parameter without
#: a value. Quotes are gone and names are as sent. The same name may come twice: judging that is the extension's part.
Parameters: TypeAlias = tuple[tuple[str, str | None], ...]


class Extension(ABC):
    """One extension as configured: immutable, free of any connection's state, shared by connections."""

    __slots__ = ()

    #: The registered name, an RFC 9110 token (RFC 6455 §9.1).
    name: ClassVar[str]

    @abstractmethod
    def offer(self) -> Sequence[Parameters]:
        """Client: the alternatives to offer, the preferred one first. An empty sequence offers nothing."""

    @abstractmethod
    def accept(self, offered: Parameters, limits: Limits) -> tuple[Parameters, MessageTransform] | None:
        """Server: answer one offer with the parameters agreed to and the transform they make; ``None`` declines it.

        Called for each alternative of the client in its order, until one is accepted. Declining is never an error
        (RFC 6455 §9.1), so nothing that a client offers may raise.
        """

    @abstractmethod
    def confirm(self, answered: Parameters, limits: Limits) -> MessageTransform:
        """Client: the transform that the server's answer makes.

        Raises :exc:`ValueError`, with the reason, for parameters that this side cannot agree to: the connection then
        fails (RFC 6455 §9.1).
        """


class MessageTransform(ABC):
    """A negotiated extension at work in one connection: outgoing messages are encoded, incoming ones decoded.

    Both directions are independent, and in each of them one message ends before the next begins. The pieces of a
    message are whatever is at hand, of any size, not frames; ``final`` marks the last piece and may come with no data.
    """

    __slots__ = ()

    #: The bits of a frame's first byte that mark a message as transformed, on its first frame: 0x40 is RSV1, 0x20 RSV2,
    #: 0x10 RSV3 (RFC 6455 §5.2). With 0 every message is transformed.
    reserved_bits: ClassVar[int] = 0

    def wants(self, size: int, compress: bool | None) -> bool:  # noqa: ARG002 - size is for those who override it
        """Whether to transform an outgoing message of ``size`` bytes; asked only where ``reserved_bits`` can tell.

        The size of a message that is sent in parts is not known yet: ``size`` is then larger than any message's.
        ``compress`` is the caller's wish for this message; ``None`` leaves it to the extension. Unless overridden:
        every message that is not wished otherwise.
        """
        return compress is not False

    @property
    def shared_key(self) -> Hashable:
        """What an encoded message depends on besides its content: where two transforms have equal keys, a message that
        goes to many is encoded once for both. ``None``, unless overridden: it depends on the messages before.
        """
        return None

    @abstractmethod
    def encode(self, data: Buffer, final: bool) -> bytes:
        """What the next piece of an outgoing message becomes; may be empty until ``final``."""

    @abstractmethod
    def decode(self, data: Buffer, final: bool) -> bytes:
        """What the next piece of an incoming message becomes; may be empty until ``final``.

        Pieces come as they arrive, even before their frame is complete. Raises :exc:`RemoteProtocolError` when the
        peer sent what cannot be decoded or exceeds the limits; the connection fails and the transform is never used
        again.
        """
