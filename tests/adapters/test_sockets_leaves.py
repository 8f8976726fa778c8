"""The lock of a blocking link, and the way to it, in Python and in C: both do the same. How its threads send,
`test_speedups.py` shows.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from tests.adapters.sockets_kit import PATIENCE, eventually, run
from tests.hot_code import needs_build
from wsproto_sockets._speedups import leaves_py


def compiled() -> ModuleType:
    """The native leaves; skips, or fails in CI, where they have not been built."""
    with needs_build():
        from wsproto_sockets._speedups import leaves_c
    return leaves_c


TWINS: dict[str, Callable[[], ModuleType]] = {"python": lambda: leaves_py, "compiled": compiled}


@pytest.fixture(params=TWINS)
def leaves(request: pytest.FixtureRequest) -> Any:
    return TWINS[request.param]()


def test_both_have_the_same_names(leaves: Any) -> None:
    assert set(leaves_py.__all__) == set(leaves.__all__)


@pytest.mark.parametrize("ask", [lambda made: made.next_message(), lambda made: made.send_at_once("")])
def test_a_link_that_was_not_initialized_raises(leaves: Any, ask: Callable[[Any], object]) -> None:
    with pytest.raises(AttributeError):
        ask(leaves.Guarded.__new__(leaves.Guarded))


# --- the lock ---------------------------------------------------------------------------------------------------------


def test_a_thread_takes_it_as_often_as_it_likes(leaves: Any) -> None:
    lock = leaves.Lock()
    assert lock.acquire()
    assert lock.acquire(False)
    with lock:
        pass
    lock.release()
    assert not run(lock.acquire, False).result(PATIENCE)
    lock.release()
    assert run(lock.acquire, False).result(PATIENCE)


def test_only_who_holds_it_gives_it_up(leaves: Any) -> None:
    lock = leaves.Lock()
    with pytest.raises(RuntimeError, match="cannot release un-acquired lock"):
        lock.release()
    with lock, pytest.raises(RuntimeError, match="cannot release un-acquired lock"):
        run(lock.release).result(PATIENCE)
    with pytest.raises(RuntimeError, match="cannot release un-acquired lock"):
        lock.release()


def test_an_error_gives_it_up(leaves: Any) -> None:
    lock = leaves.Lock()
    with pytest.raises(ZeroDivisionError), lock:
        _ = 1 / 0
    assert run(lock.acquire, False).result(PATIENCE)


def test_whoever_wants_it_waits_for_it(leaves: Any) -> None:
    """And one at a time has it."""
    lock, inside, most = leaves.Lock(), [0], [0]

    def work() -> None:
        for _ in range(200):
            with lock:
                inside[0] += 1
                most[0] = max(most[0], inside[0])
                threading.Event().wait(0)  # let others run
                inside[0] -= 1

    with lock:
        working = [run(work) for _ in range(4)]
    for thread in working:
        thread.result(PATIENCE)
    assert (inside, most) == ([0], [1])


def test_a_condition_gives_it_up_altogether_while_it_waits(leaves: Any) -> None:
    """However often it was taken, and takes it as often again."""
    lock = leaves.Lock()
    changed = threading.Condition(lock)
    with pytest.raises(RuntimeError, match="cannot notify on un-acquired lock"):
        changed.notify_all()
    waits: list[bool] = []

    def wait() -> bool:
        with lock, changed:
            waits.append(True)
            changed.wait(PATIENCE)
            lock.release()
            still_held = not run(lock.acquire, False).result(PATIENCE)
            lock.acquire()
            return still_held

    waiting = run(wait)
    eventually(lambda: waits)
    with changed:
        changed.notify_all()
    assert waiting.result(PATIENCE)
    assert run(lock.acquire, False).result(PATIENCE)


# --- the way to it ----------------------------------------------------------------------------------------------------


def test_who_is_to_come_first_does(leaves: Any) -> None:
    entrance, order = leaves.Entrance(), []

    def come(way: Callable[[], object], name: str) -> None:
        way()
        order.append(name)
        entrance.lock.release()

    def wait_behind() -> None:
        entrance.give_way()
        entrance.lock.acquire()

    with entrance.lock:
        first = run(come, entrance.come_first, "first")
        eventually(lambda: entrance._is_wanted)
        second = run(come, wait_behind, "second")
    for coming in (first, second):
        coming.result(PATIENCE)
    assert (order, entrance._is_wanted) == (["first", "second"], False)


def test_who_holds_the_lock_does_not_wait_for_who_waits_for_it(leaves: Any) -> None:
    """A signal's handler may send, whatever was interrupted."""
    entrance = leaves.Entrance()

    def hold() -> None:
        with entrance.lock:
            first = run(entrance.come_first)
            eventually(lambda: entrance._is_wanted)
            entrance.give_way()
        first.result(PATIENCE)

    run(hold).result(PATIENCE)
