from __future__ import annotations

import pytest

from wsproto_core._driver.keepalive import Keepalive


def test_payloads_never_repeat() -> None:
    keepalive = Keepalive(0.0)
    assert len({keepalive.next_payload() for _ in range(1000)}) == 1000


def test_any_sign_of_life_is_an_answer() -> None:
    keepalive = Keepalive(0.0)
    answered = [keepalive.is_answered(0.0)]
    keepalive.asked_at = 30.0
    answered += [keepalive.is_answered(29.9), keepalive.is_answered(30.0)]
    assert answered == [True, False, True]


def test_a_pong_ends_the_round_trip_of_its_ping() -> None:
    keepalive = Keepalive(0.0)
    keepalive.ping_sent(b"a", 1.0)
    assert keepalive.awaits(b"a")
    assert keepalive.pong_received(b"a", 1.5) == 0.5
    assert not keepalive.awaits(b"a")
    assert keepalive.last_pong == 1.5


def test_a_pong_answers_earlier_pings_too_but_not_later_ones() -> None:
    keepalive = Keepalive(0.0)
    for now, payload in enumerate((b"a", b"b", b"c")):
        keepalive.ping_sent(payload, float(now))
    assert keepalive.pong_received(b"b", 5.0) == 4.0
    assert [keepalive.awaits(payload) for payload in (b"a", b"b", b"c")] == [False, False, True]
    assert keepalive.pong_received(b"c", 6.0) == 4.0
    latency = keepalive.latency
    assert latency is not None
    assert latency.count == 2


@pytest.mark.parametrize("sent", [[], [b"mine"]])
def test_a_pong_that_nobody_asked_for_has_no_round_trip(sent: list[bytes]) -> None:
    keepalive = Keepalive(0.0)
    for payload in sent:
        keepalive.ping_sent(payload, 0.0)
    assert keepalive.pong_received(b"theirs", 7.0) is None
    assert keepalive.last_pong == 7.0
    assert [payload for payload in sent if not keepalive.awaits(payload)] == []


def test_a_payload_used_twice_counts_from_its_first_ping() -> None:
    keepalive = Keepalive(0.0)
    keepalive.ping_sent(b"same", 1.0)
    keepalive.ping_sent(b"same", 2.0)
    assert keepalive.pong_received(b"same", 4.0) == 3.0
    assert keepalive.pong_received(b"same", 5.0) is None


def test_a_peer_that_never_answers_costs_no_memory() -> None:
    keepalive = Keepalive(0.0)
    payloads = [keepalive.next_payload() for _ in range(65)]
    for payload in payloads:
        keepalive.ping_sent(payload, 0.0)
    assert [keepalive.awaits(payload) for payload in payloads] == [True] * 64 + [False]
