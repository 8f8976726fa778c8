"""What the application hands over becomes bytes, in the same way for every codec and for datagrams.

These peers carry bytes. A ``str`` always leaves as UTF-8; it comes out as ``str`` where both sides agreed on text.
"""

from __future__ import annotations

from .._driver.arguments import check_type
from .._errors import LocalProtocolError
from .._protocol.sending import encode_message
from .._types import Buffer, Message, Opcode
from .._wire.close_payload import encode_close_payload

__all__ = ["check_goodbye", "encode_payload"]


def encode_payload(message: Message | Buffer, *, text: bool) -> bytes:
    """The bytes of ``message``. With ``text`` they have to be UTF-8.

    Raises :exc:`LocalProtocolError` for what is not valid Unicode and :exc:`TypeError` for anything but ``str`` and
    bytes-like.
    """
    opcode, payload = encode_message(message)
    if text and opcode is Opcode.BINARY:
        try:
            str(payload, "utf-8")
        except UnicodeDecodeError as error:
            raise LocalProtocolError(f"message: not UTF-8 at byte {error.start}; both sides agreed on text") from None
    return payload


def check_goodbye(code: int, reason: str) -> bytes:
    """Hold ``code`` and ``reason`` to the rules of a close frame, so that ``close()`` takes the same of every peer.

    Returns the payload that a close frame would have. Raises :exc:`LocalProtocolError` or :exc:`TypeError`, naming the
    argument.
    """
    check_type("code", code, int)
    check_type("reason", reason, str)
    return encode_close_payload(code, reason)
