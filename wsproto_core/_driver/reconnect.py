"""When to try again: exponential backoff with full jitter, as data, and the loop that obeys it on every async
runtime.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from .._codes import CloseCode
from .._errors import (
    ConnectionClosed,
    ConnectionFailed,
    HandshakeFailed,
    HandshakeRejected,
    ProxyFailed,
    RedirectFailed,
)
from .async_peer import AsyncPeer

__all__ = ["Backoff", "connections", "is_retryable"]

_P = TypeVar("_P", bound=AsyncPeer)


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """How long to wait before each new attempt.

    The wait before attempt ``n`` (from 0) is drawn evenly between nothing and ``initial * factor ** n`` seconds, or
    ``cap`` if that is less: full jitter, so that a thousand clients of a restarted server do not return in one wave.
    ``max_attempts`` in a row without success end it (``None``: never). Raises :exc:`ValueError`, naming the argument.
    """

    initial: float = 0.5
    factor: float = 2.0
    cap: float = 60.0
    max_attempts: int | None = None

    def __post_init__(self) -> None:
        if self.initial <= 0:
            raise ValueError(f"initial must be positive, not {self.initial!r}")
        if self.factor < 1:
            raise ValueError(f"factor must be at least 1, not {self.factor!r}")
        if self.cap < self.initial:
            raise ValueError(f"cap must not be less than initial, not {self.cap!r}")
        if self.max_attempts is not None and self.max_attempts < 1:
            raise ValueError(f"max_attempts must be positive or None, not {self.max_attempts!r}")

    def delay(self, attempt: int, chance: float) -> float:
        """Seconds to wait before ``attempt`` (from 0); ``chance`` is a random number in [0, 1)."""
        try:
            ceiling = self.initial * self.factor**attempt
        except OverflowError:
            ceiling = self.cap
        return chance * min(self.cap, ceiling)

    def is_exhausted(self, attempt: int) -> bool:
        """Whether ``attempt`` attempts in a row are enough."""
        return self.max_attempts is not None and attempt >= self.max_attempts


#: Statuses of a refusal that time may mend (RFC 9110 §15.6, RFC 6585 §4); any other would only be repeated.
_PASSING_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504})
#: Close codes that say: do not come back like this.
_FINAL_CODES = frozenset(
    {
        CloseCode.PROTOCOL_ERROR,
        CloseCode.UNSUPPORTED_DATA,
        CloseCode.INVALID_PAYLOAD,
        CloseCode.POLICY_VIOLATION,
        CloseCode.MESSAGE_TOO_BIG,
        CloseCode.MANDATORY_EXTENSION,
    }
)


def is_retryable(error: BaseException) -> bool:
    """Whether trying again may help: yes for networks and passing refusals, no for rules that would be broken again."""
    if isinstance(error, RedirectFailed):
        return False
    if isinstance(error, HandshakeRejected | ProxyFailed) and error.status is not None:
        return error.status in _PASSING_STATUS
    if isinstance(error, HandshakeFailed):
        return False
    if isinstance(error, ConnectionClosed):
        return error.report.violation is None and error.report.code not in _FINAL_CODES
    return isinstance(error, ConnectionFailed | OSError)


async def connections(
    dial: Callable[[], Awaitable[_P]],
    sleep: Callable[[float], Awaitable[object]],
    chance: Callable[[], float],
    backoff: Backoff,
    retry: Callable[[BaseException], bool],
) -> AsyncIterator[_P]:
    """One connection after the other: what ``reconnect()`` of every adapter is made of.

    ``dial`` opens one, ``sleep`` waits, ``chance`` draws from [0, 1).
    """
    waits = failures = 0
    while True:
        try:
            peer = await dial()
        except Exception as error:
            failures += 1
            if not retry(error) or backoff.is_exhausted(failures):
                raise
        else:
            waits = failures = 0
            try:
                yield peer
            finally:
                await peer.close()
            closed = ConnectionClosed.from_report(await peer.wait_closed())
            if not retry(closed):
                raise closed
        await sleep(backoff.delay(waits, chance()))
        waits += 1
