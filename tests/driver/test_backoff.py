"""When to try again, played through in no time: the schedule, and the decision after each failure and each end."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.driver.ends import closed, rejected, report
from wsproto_core import (
    Advice,
    Backoff,
    Comeback,
    ConnectionClosed,
    ConnectionRefused,
    HandshakeRejected,
    Initiator,
    Timer,
    Violation,
    is_retryable,
)

ALMOST_ONE = 1 - 2**-53
CHANCES = st.floats(0, 1, exclude_max=True)

# --- the schedule -----------------------------------------------------------------------------------------------------


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
        ("initial", {"initial": float("nan")}),
        ("factor", {"factor": 0.9}),
        ("cap", {"initial": 2.0, "cap": 1.0}),
        ("max_attempts", {"max_attempts": 0}),
        ("stable_after", {"stable_after": -1.0}),
    ],
)
def test_a_wrong_argument_is_named(argument: str, options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"^{argument} must"):
        Backoff(**options)


# --- the decision -----------------------------------------------------------------------------------------------------

STEADY = Backoff(initial=1.0, factor=2.0, cap=100.0, stable_after=5.0)


def lived(comeback: Comeback, seconds: float, code: int = 1001, **facts: Any) -> float:
    """A connection lives that long and ends; how long to wait at the most."""
    comeback.opened(1000.0)
    return comeback.ended(report(code, at=1000.0 + seconds, **facts), 1.0)


def failed(comeback: Comeback) -> float:
    """An attempt fails; how long to wait at the most."""
    return comeback.failed(ConnectionRefused(), 1.0)


def test_waits_grow_with_failures_and_start_anew_behind_a_stable_connection() -> None:
    comeback = Comeback(STEADY)
    assert [failed(comeback) for _ in range(3)] == [1.0, 2.0, 4.0]
    assert lived(comeback, 5.0) == 1.0
    assert failed(comeback) == 2.0
    assert comeback.count == 1


def test_a_connection_that_is_dropped_at_once_is_no_success() -> None:
    comeback = Comeback(STEADY)
    assert [lived(comeback, 4.9) for _ in range(4)] == [1.0, 2.0, 4.0, 8.0]


def test_one_that_this_side_closed_is() -> None:
    comeback = Comeback(STEADY)
    assert [lived(comeback, 0.0, 1000, initiator=Initiator.LOCAL) for _ in range(3)] == [1.0, 1.0, 1.0]
    assert lived(comeback, 0.0, 1011, initiator=Initiator.LOCAL, timer=Timer.PONG) == 2.0


def test_max_attempts_count_failures_in_a_row() -> None:
    comeback = Comeback(Backoff(initial=1.0, max_attempts=3))
    failed(comeback)
    failed(comeback)
    lived(comeback, 60.0)
    failed(comeback)
    failed(comeback)
    with pytest.raises(ConnectionRefused):
        failed(comeback)


def test_max_attempts_count_connections_that_do_not_last() -> None:
    comeback = Comeback(Backoff(max_attempts=2))
    lived(comeback, 0.0)
    with pytest.raises(ConnectionClosed):
        lived(comeback, 0.0)


def test_the_error_itself_is_raised() -> None:
    error = rejected(403)
    with pytest.raises(HandshakeRejected) as caught:
        Comeback(STEADY).failed(error, 0.0)
    assert caught.value is error


@pytest.mark.parametrize("facts", [{"code": 1008}, {"code": 1006, "violation": Violation.INVALID_UTF8}])
def test_what_would_only_be_repeated_ends_it(facts: dict[str, Any]) -> None:
    comeback = Comeback(STEADY)
    with pytest.raises(ConnectionClosed):
        lived(comeback, 100.0, **facts)
    assert comeback.last_report is not None


def test_the_application_has_the_last_word() -> None:
    yes, no = Comeback(STEADY, retry=lambda error: True), Comeback(STEADY, retry=lambda error: False)
    assert lived(yes, 0.0, 1008) == 1.0
    with pytest.raises(ConnectionClosed):
        lived(no, 100.0, 1012)


def test_a_code_of_the_application_and_another_view_of_a_registered_one() -> None:
    comeback = Comeback(
        STEADY, advice={4001: Advice(returns=False), 1008: Advice(), 4002: Advice(earliest=3, latest=4)}
    )
    assert lived(comeback, 9.0, 1008) == 1.0
    assert lived(comeback, 9.0, 4002) == 4.0
    assert lived(comeback, 9.0, 1012) == 30.0  # the others stay
    with pytest.raises(ConnectionClosed):
        lived(comeback, 9.0, 4001)


@given(CHANCES)
def test_a_restarted_service_is_left_alone_for_five_to_thirty_seconds(chance: float) -> None:
    comeback = Comeback(Backoff())
    comeback.opened(0.0)
    assert 5.0 <= comeback.ended(report(1012, at=9.0), chance) <= 30.0
    comeback.opened(100.0)
    assert 30.0 <= comeback.ended(report(1013, at=109.0), chance) <= 60.0  # the cap


@given(CHANCES, st.integers(0, 300), st.integers(0, 20))
def test_retry_after_is_obeyed_up_to_the_cap_and_spread_by_the_schedule(chance: float, seconds: int, n: int) -> None:
    comeback = Comeback(STEADY)
    for _ in range(n):
        failed(comeback)
    wait = comeback.failed(rejected(503, {"Retry-After": str(seconds)}), chance)
    if seconds <= STEADY.cap:
        assert seconds <= wait <= min(STEADY.cap, seconds + STEADY.ceiling(n))
    else:
        assert STEADY.cap / 2 <= wait <= STEADY.cap


def test_advice_beyond_the_cap_keeps_its_jitter() -> None:
    comeback = Comeback(Backoff(initial=0.1, cap=2.0))
    waits = []
    for chance in (0.0, 0.5, ALMOST_ONE):
        comeback.opened(0.0)
        waits.append(comeback.ended(report(1012, at=9.0), chance))
    assert waits == [1.0, 1.5, pytest.approx(2.0)]


@st.composite
def backoffs(draw: st.DrawFn) -> Backoff:
    initial = draw(st.floats(1e-3, 100))
    return Backoff(
        initial=initial,
        factor=draw(st.floats(1, 1e6)),
        cap=draw(st.floats(initial, 1e6)),
        max_attempts=draw(st.none() | st.integers(1, 10)),
        stable_after=draw(st.floats(0, 100)),
    )


ENDS = st.one_of(
    st.just(ConnectionRefused()),
    st.builds(closed, st.integers(1000, 1014) | st.integers(3000, 4999), at=st.floats(0, 200)),
    st.builds(rejected, st.integers(400, 599), st.just({"Retry-After": "30"}) | st.just({})),
)
ADVICE = st.dictionaries(
    st.integers(1000, 1014),
    st.builds(
        lambda earliest, spread: Advice(earliest=earliest, latest=None if spread is None else earliest + spread),
        st.floats(0, 1e4),
        st.none() | st.floats(0, 1e4),
    ),
)


@given(backoffs(), ADVICE, st.lists(st.tuples(ENDS, CHANCES), max_size=30))
def test_no_wait_is_negative_or_beyond_the_cap_and_nothing_final_is_retried(
    backoff: Backoff, advice: dict[int, Advice], story: list[tuple[Exception, float]]
) -> None:
    comeback = Comeback(backoff, advice=advice)
    in_a_row = 0
    for error, chance in story:
        in_a_row += 1
        try:
            if isinstance(error, ConnectionClosed):
                comeback.opened(0.0)
                in_a_row = 0 if error.report.at >= backoff.stable_after else in_a_row
                wait = comeback.ended(error.report, chance)
            else:
                wait = comeback.failed(error, chance)
        except (ConnectionClosed, HandshakeRejected, ConnectionRefused):
            said = advice.get(error.report.code) if isinstance(error, ConnectionClosed) else None
            final = not (is_retryable(error) if said is None else said.returns)
            assert final or (backoff.max_attempts is not None and in_a_row >= backoff.max_attempts)
            break
        assert 0 <= wait <= backoff.cap
        assert backoff.max_attempts is None or in_a_row < backoff.max_attempts
