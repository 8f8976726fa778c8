from __future__ import annotations

from typing import Any

import pytest

from wsproto_core import (
    Backoff,
    CloseReport,
    ConnectionClosed,
    ConnectionFailed,
    ConnectionRefused,
    ConnectionTimeout,
    HandshakeFailed,
    HandshakeRejected,
    Headers,
    Initiator,
    LocalProtocolError,
    ProxyFailed,
    Redirected,
    RedirectFailed,
    Rejected,
    Violation,
    is_retryable,
)


def test_the_ceiling_grows_up_to_the_cap() -> None:
    backoff = Backoff(initial=0.5, factor=2.0, cap=3.0)
    assert [backoff.delay(attempt, 1.0) for attempt in range(5)] == [0.5, 1.0, 2.0, 3.0, 3.0]


def test_the_jitter_is_full() -> None:
    assert [Backoff().delay(2, chance) for chance in (0.0, 0.25, 0.5)] == [0.0, 0.5, 1.0]


def test_a_very_late_attempt_waits_for_the_cap() -> None:
    assert Backoff(cap=60.0).delay(100_000, 0.5) == 30.0


def test_attempts_end_only_where_a_number_is_given() -> None:
    assert not Backoff().is_exhausted(10**9)
    assert [Backoff(max_attempts=2).is_exhausted(attempt) for attempt in (0, 1, 2, 3)] == [False, False, True, True]


@pytest.mark.parametrize(
    ("argument", "options"),
    [
        ("initial", {"initial": 0}),
        ("factor", {"factor": 0.9}),
        ("cap", {"initial": 2.0, "cap": 1.0}),
        ("max_attempts", {"max_attempts": 0}),
    ],
)
def test_a_wrong_argument_is_named(argument: str, options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"^{argument} must"):
        Backoff(**options)


def closed(code: int, violation: Violation | None = None) -> ConnectionClosed:
    return ConnectionClosed.from_report(CloseReport(initiator=Initiator.PEER, code=code, violation=violation))


def rejected(status: int) -> HandshakeRejected:
    return HandshakeRejected(Rejected(status, Headers()))


@pytest.mark.parametrize(
    "error",
    [
        *map(closed, (1000, 1001, 1005, 1006, 1011, 1012, 1013, 4000)),
        *map(rejected, (408, 425, 429, 500, 502, 503, 504)),
        ConnectionRefused(),
        ConnectionTimeout(),
        ConnectionFailed(),
        ConnectionResetError(),
        ProxyFailed("no"),
        ProxyFailed("no", 503),
    ],
    ids=repr,
)
def test_networks_and_passing_refusals_are_worth_another_try(error: BaseException) -> None:
    assert is_retryable(error)


@pytest.mark.parametrize(
    "error",
    [
        *map(closed, (1002, 1003, 1007, 1008, 1009, 1010)),
        closed(1006, Violation.INVALID_UTF8),
        *map(rejected, (301, 400, 401, 403, 404, 426, 501)),
        HandshakeFailed(Violation.BAD_ACCEPT),
        ProxyFailed("no", 407),
        RedirectFailed(Redirected(302, "ws://b/", Headers()), "no"),
        LocalProtocolError(),
        KeyboardInterrupt(),
    ],
    ids=repr,
)
def test_what_would_only_be_repeated_is_not(error: BaseException) -> None:
    assert not is_retryable(error)
