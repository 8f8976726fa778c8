"""What failures and ends say about coming back."""

from __future__ import annotations

import ssl
from typing import Any

import pytest

from tests.driver.ends import closed, rejected, report
from wsproto_core import (
    CLOSE_CODE_ADVICE,
    Advice,
    ConnectionClosed,
    ConnectionFailed,
    ConnectionRefused,
    ConnectionTimeout,
    HandshakeFailed,
    Headers,
    Initiator,
    LocalProtocolError,
    ProxyFailed,
    Redirected,
    RedirectFailed,
    Timer,
    Violation,
    connection_failure,
    is_retryable,
)
from wsproto_core._driver.advice import advise


@pytest.mark.parametrize(
    "error",
    [
        *map(closed, (1000, 1001, 1005, 1006, 1011, 1012, 1013, 1014, 3000, 4000)),
        *map(rejected, (408, 425, 429, 500, 502, 503, 504)),
        ConnectionClosed(report(1008, initiator=Initiator.LOCAL)),
        ConnectionClosed(report(1011, initiator=Initiator.LOCAL, timer=Timer.PONG)),
        ConnectionRefused(),
        ConnectionTimeout(),
        ConnectionFailed(),
        ConnectionResetError(),
        TimeoutError(),
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
        closed(1006, violation=Violation.INVALID_UTF8),
        *map(rejected, (301, 400, 401, 403, 404, 426, 501)),
        HandshakeFailed(Violation.BAD_ACCEPT),
        ProxyFailed("no", 407),
        RedirectFailed(Redirected(302, "ws://b/", Headers()), "no"),
        LocalProtocolError(),
        ValueError(),
        KeyboardInterrupt(),
    ],
    ids=repr,
)
def test_what_would_only_be_repeated_is_not(error: BaseException) -> None:
    assert not is_retryable(error)


def distrust() -> ssl.SSLCertVerificationError:
    """What a handshake raises for a certificate that nobody vouches for."""
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_code = 18
    return error


def test_a_certificate_that_is_not_trusted_will_not_be_trusted_later() -> None:
    error = distrust()
    failure = connection_failure(error, 1.0)
    failure.__cause__ = error
    assert not is_retryable(failure)
    assert not is_retryable(error)
    on_the_way = ProxyFailed("the proxy cannot be used")
    on_the_way.__cause__ = error
    assert not is_retryable(on_the_way)


def test_other_trouble_with_tls_may_pass() -> None:
    failure = ConnectionFailed()
    failure.__cause__ = ssl.SSLEOFError(8, "EOF occurred in violation of protocol")
    assert is_retryable(failure)


def test_what_the_codes_advise() -> None:
    assert advise(closed(1012)) == Advice(earliest=5.0, latest=30.0)
    assert advise(closed(1013)) == Advice(earliest=30.0, latest=120.0)
    assert advise(closed(1001)) == Advice()
    assert not any(CLOSE_CODE_ADVICE[code].returns for code in (1002, 1003, 1007, 1008, 1009, 1010))


def test_another_table() -> None:
    table = {4001: Advice(returns=False), 1008: Advice(earliest=1.0)}
    assert advise(closed(4001), table) == Advice(returns=False)
    assert advise(closed(1008), table) == Advice(earliest=1.0)
    assert advise(closed(1012), table) == Advice()


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_the_earliest_moment(status: int) -> None:
    assert advise(rejected(status, {"Retry-After": "7"})) == Advice(earliest=7.0)
    assert advise(rejected(status, {"Retry-After": "never"})) == Advice()


@pytest.mark.parametrize(
    ("argument", "options"),
    [
        ("earliest", {"earliest": -0.1}),
        ("earliest", {"earliest": float("nan")}),
        ("latest", {"earliest": 2.0, "latest": 1.0}),
        ("latest", {"latest": float("nan")}),
    ],
)
def test_a_wrong_argument_is_named(argument: str, options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"^{argument} must"):
        Advice(**options)
