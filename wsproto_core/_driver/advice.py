"""What a failure, or the end of a connection, says about coming back: as data, by close code and by ``Retry-After``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from .._codes import CloseCode
from .._errors import (
    ConnectionClosed,
    ConnectionFailed,
    HandshakeFailed,
    HandshakeRejected,
    ProxyFailed,
    RedirectFailed,
)
from .._events import CloseReport
from .._handshake.retry_after import retry_after
from .._types import Initiator

__all__ = ["CLOSE_CODE_ADVICE", "Advice", "advise", "is_retryable"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """Whether to come back, and when.

    The wait is drawn evenly between ``earliest`` and ``latest`` seconds. Without ``latest`` it is ``earliest`` and then
    whatever :class:`Backoff` says, so that ``Advice()`` leaves it all to the schedule. ``Backoff.cap`` bounds it in any
    case. Raises :exc:`ValueError`, naming the argument.
    """

    returns: bool = True
    earliest: float = 0.0
    latest: float | None = None

    def __post_init__(self) -> None:
        if not self.earliest >= 0:
            raise ValueError(f"earliest must not be negative, not {self.earliest!r}")
        if self.latest is not None and not self.latest >= self.earliest:
            raise ValueError(f"latest must not be less than earliest, not {self.latest!r}")


_COME_BACK: Final = Advice()
_STAY_AWAY: Final = Advice(returns=False)

#: What close codes of the other side advise (RFC 6455 §7.4.1, IANA registry). Any other one leaves it to the schedule.
CLOSE_CODE_ADVICE: Final[Mapping[int, Advice]] = MappingProxyType(
    {
        CloseCode.PROTOCOL_ERROR: _STAY_AWAY,
        CloseCode.UNSUPPORTED_DATA: _STAY_AWAY,
        CloseCode.INVALID_PAYLOAD: _STAY_AWAY,
        CloseCode.POLICY_VIOLATION: _STAY_AWAY,
        CloseCode.MESSAGE_TOO_BIG: _STAY_AWAY,
        CloseCode.MANDATORY_EXTENSION: _STAY_AWAY,
        # "Reconnect using a randomized delay of 5 - 30s", says its registration.
        CloseCode.SERVICE_RESTART: Advice(earliest=5.0, latest=30.0),
        # An overload, which a crowd that comes back soon would only prolong.
        CloseCode.TRY_AGAIN_LATER: Advice(earliest=30.0, latest=120.0),
    }
)

#: Statuses of a refusal that time may mend (RFC 9110 §15.6, RFC 6585 §4); any other would only be repeated.
_PASSING_STATUS: Final = frozenset({408, 425, 429, 500, 502, 503, 504})


def is_retryable(error: BaseException) -> bool:
    """Whether trying again may help: yes for networks and passing refusals, no for rules that would be broken again,
    and for certificates that are not trusted.
    """
    return advise(error).returns


def advise(error: BaseException, by_code: Mapping[int, Advice] = CLOSE_CODE_ADVICE) -> Advice:
    """What ``error``, of an attempt or of a connection, says about coming back."""
    match error:
        case RedirectFailed() | HandshakeFailed():
            return _STAY_AWAY
        case HandshakeRejected(status=status) if status in _PASSING_STATUS:
            return Advice(earliest=retry_after(error.headers) or 0.0)
        case HandshakeRejected():
            return _STAY_AWAY
        case ProxyFailed(status=int(status)):
            return _COME_BACK if status in _PASSING_STATUS else _STAY_AWAY
        case ConnectionClosed(report=report):
            return _advise_after(report, by_code)
        case ConnectionFailed() | OSError():
            return _STAY_AWAY if _is_distrust(error) or _is_distrust(error.__cause__) else _COME_BACK
        case _:
            return _STAY_AWAY


def _advise_after(report: CloseReport, by_code: Mapping[int, Advice]) -> Advice:
    if report.violation is not None:
        return _STAY_AWAY
    if report.initiator is Initiator.LOCAL:
        return _COME_BACK  # whatever code this side chose is no advice
    return by_code.get(report.code, _COME_BACK)


def _is_distrust(error: BaseException | None) -> bool:
    """Whether ``error`` is an ``ssl.SSLCertVerificationError``, by what only that has: there is no ``ssl`` in here."""
    return hasattr(error, "verify_code")
