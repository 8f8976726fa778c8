"""``_driver/connecting.py``: a client's options become attempts, each with an engine and a way to its stream."""

from __future__ import annotations

from errno import ECONNREFUSED, ENETUNREACH, ETIMEDOUT
from typing import Any

import pytest

from wsproto_core import (
    ConnectionFailed,
    ConnectionRefused,
    ConnectionTimeout,
    ConnectPlan,
    HandshakeRejected,
    Headers,
    Redirected,
    State,
    Timeouts,
)
from wsproto_core._driver.connecting import connection_failure
from wsproto_core._driver.dialing import OpenTcp, OpenUnix, StartTls


def plan_for(uri: str, **options: Any) -> ConnectPlan:
    return ConnectPlan(uri, entropy=bytes, environment={"http_proxy": "http://proxy:3128"}, **options)


@pytest.mark.parametrize("option", [{"has_tls_context": True}, {"server_hostname": "example.com"}])
def test_tls_is_for_uris_that_ask_for_it(option: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="ssl and server_hostname"):
        plan_for("ws://a", **option)
    plan_for("wss://a", **option)


@pytest.mark.parametrize(
    ("option", "value"), [("proxy", "ftp://proxy"), ("subprotocols", ["a b"]), ("uri", "http://a")]
)
def test_what_cannot_work_is_told_before_anybody_is_called(option: str, value: Any) -> None:
    with pytest.raises(ValueError, match=option):
        plan_for(**{"uri": "ws://a", option: value})


@pytest.mark.parametrize(
    ("options", "first"),
    [
        ({}, OpenTcp("a", 80)),
        ({"proxy": True}, OpenTcp("proxy", 3128)),
        ({"unix_path": "/run/a", "proxy": True}, OpenUnix("/run/a")),
    ],
)
def test_each_attempt_goes_the_same_way(options: dict[str, Any], first: object) -> None:
    plan = plan_for("ws://a", **options)
    assert [next(plan.steps()) for _ in range(2)] == [first, first]


def test_each_attempt_has_an_engine_of_its_own() -> None:
    plan = plan_for("ws://a", timeouts=Timeouts(opening_timeout=3.0))
    first, second = plan.engine(), plan.engine()
    assert first is not second
    assert first.state is State.CONNECTING
    assert plan.timeout == 3.0


def test_who_was_sent_elsewhere_expects_another_name_there() -> None:
    plan = plan_for("wss://a", server_hostname="b")
    plan.redirect(refusal("wss://c/"))
    steps = plan.steps()
    assert next(steps) == OpenTcp("c", 443)
    assert steps.send(b"") == StartTls("c", to_proxy=False)


@pytest.mark.parametrize("options", [{"is_open": True}, {"unix_path": "/run/a"}])
def test_a_stream_that_is_the_callers_leads_nowhere_else(options: dict[str, Any]) -> None:
    plan = plan_for("ws://a", **options)
    with pytest.raises(HandshakeRejected):
        plan.redirect(refusal("ws://c/"))


def refusal(location: str) -> HandshakeRejected:
    return HandshakeRejected(Redirected(302, location, Headers({"Location": location})))


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (OSError(ECONNREFUSED, "nobody"), ConnectionRefused, "nobody"),
        (OSError(ENETUNREACH, "no way"), ConnectionFailed, "no way"),
        (TimeoutError(ETIMEDOUT, "no answer"), ConnectionTimeout, "no answer"),
        (TimeoutError(), ConnectionTimeout, "not open within 3.0 seconds"),
    ],
)
def test_what_an_error_of_the_transport_means(error: OSError, kind: type, words: str) -> None:
    failure = connection_failure(error, 3.0)
    assert type(failure) is kind
    assert words in str(failure)
