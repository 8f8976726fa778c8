"""Close codes and which of them may cross the wire (RFC 6455 §7.4, IANA registry).

What lives here: numbers, their names and their meaning in words. The rules of the closing handshake are in
``_protocol/closing.py``.
"""

from __future__ import annotations

from enum import IntEnum, unique
from types import MappingProxyType
from typing import Final

__all__ = ["CloseCode", "describe_close_code", "is_wire_code"]


@unique
class CloseCode(IntEnum):
    """The registered close codes."""

    NORMAL_CLOSURE = 1000
    GOING_AWAY = 1001
    PROTOCOL_ERROR = 1002
    UNSUPPORTED_DATA = 1003
    #: Only ever reported: the close frame held no code (RFC 6455 §7.1.5).
    NO_STATUS_RECEIVED = 1005
    #: Only ever reported: the connection ended without a close frame (RFC 6455 §7.1.5).
    ABNORMAL_CLOSURE = 1006
    INVALID_PAYLOAD = 1007
    POLICY_VIOLATION = 1008
    MESSAGE_TOO_BIG = 1009
    MANDATORY_EXTENSION = 1010
    INTERNAL_ERROR = 1011
    SERVICE_RESTART = 1012
    TRY_AGAIN_LATER = 1013
    BAD_GATEWAY = 1014
    #: Only ever reported: TLS failed (RFC 6455 §7.4.1).
    TLS_HANDSHAKE = 1015


_WORDS: Final = MappingProxyType(
    {
        CloseCode.NORMAL_CLOSURE: "normal closure",
        CloseCode.GOING_AWAY: "going away",
        CloseCode.PROTOCOL_ERROR: "protocol error",
        CloseCode.UNSUPPORTED_DATA: "unsupported data",
        CloseCode.NO_STATUS_RECEIVED: "no close code received",
        CloseCode.ABNORMAL_CLOSURE: "no close frame received",
        CloseCode.INVALID_PAYLOAD: "invalid payload data",
        CloseCode.POLICY_VIOLATION: "policy violation",
        CloseCode.MESSAGE_TOO_BIG: "message too big",
        CloseCode.MANDATORY_EXTENSION: "mandatory extension missing",
        CloseCode.INTERNAL_ERROR: "internal error",
        CloseCode.SERVICE_RESTART: "service restart",
        CloseCode.TRY_AGAIN_LATER: "try again later",
        CloseCode.BAD_GATEWAY: "bad gateway",
        CloseCode.TLS_HANDSHAKE: "TLS handshake failure",
    }
)

#: Registered, but a name for something that no close frame can say (RFC 6455 §7.4.1).
_REPORTED_ONLY: Final = frozenset({CloseCode.NO_STATUS_RECEIVED, CloseCode.ABNORMAL_CLOSURE, CloseCode.TLS_HANDSHAKE})
_REGISTERED: Final = frozenset(CloseCode) - _REPORTED_ONLY


def is_wire_code(code: int) -> bool:
    """Whether a close frame may carry ``code``: registered, or 3000-4999 (RFC 6455 §7.4.2)."""
    return code in _REGISTERED or 3000 <= code <= 4999


def describe_close_code(code: int) -> str:
    """``code`` with its meaning, for people: ``"1001 (going away)"``."""
    if code in _WORDS:
        return f"{code} ({_WORDS[CloseCode(code)]})"
    if 3000 <= code <= 3999:
        return f"{code} (registered by a library or framework)"
    if 4000 <= code <= 4999:
        return f"{code} (private use)"
    return f"{code} (unassigned)"
