"""What a close frame carries: a code and a reason (RFC 6455 §5.5.1).

What is received has been judged in ``_speedups``, byte by byte; what is sent is judged here.
"""

from __future__ import annotations

from .._codes import CloseCode, is_wire_code
from .._errors import LocalProtocolError
from .._types import MAX_CONTROL_PAYLOAD

__all__ = ["decode_close_payload", "encode_close_payload"]


def decode_close_payload(payload: bytes) -> tuple[int, str]:
    """Code and reason of a payload that the frame loop has let pass; code 1005 for an empty one."""
    if not payload:
        return CloseCode.NO_STATUS_RECEIVED, ""  # RFC 6455 §7.1.5
    return int.from_bytes(payload[:2], "big"), str(payload[2:], "utf-8")


def encode_close_payload(code: int, reason: str = "") -> bytes:
    """The payload for ``code`` and ``reason``; 1005 gives an empty one. Raises :exc:`LocalProtocolError`."""
    if code == CloseCode.NO_STATUS_RECEIVED:
        if reason:
            raise LocalProtocolError("reason: a close frame without a code cannot carry a reason (RFC 6455 §5.5.1)")
        return b""
    if not is_wire_code(code):
        raise LocalProtocolError(f"code: {code!r} must not be sent in a close frame (RFC 6455 §7.4)")
    try:
        payload = code.to_bytes(2, "big") + reason.encode()
    except UnicodeEncodeError:
        raise LocalProtocolError("reason: not valid Unicode (it holds a lone surrogate)") from None
    if len(payload) > MAX_CONTROL_PAYLOAD:
        raise LocalProtocolError("reason: at most 123 bytes of UTF-8 fit into a close frame (RFC 6455 §5.5)")
    return payload
