"""The lock of a blocking link, and what its threads ask the system, in Python and in C: both do the same."""

from __future__ import annotations

import errno
import os
import socket
import threading
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest

from tests.adapters.sockets_kit import PATIENCE, eventually, run
from tests.hot_code import needs_build
from wsproto_sockets._speedups import leaves_py

Pair = tuple[socket.socket, socket.socket]


def compiled() -> ModuleType:
    """The native leaves; skips, or fails in CI, where they have not been built."""
    with needs_build():
        from wsproto_sockets._speedups import leaves_c
    return leaves_c


TWINS: dict[str, Callable[[], ModuleType]] = {"python": lambda: leaves_py, "compiled": compiled}


@pytest.fixture(params=TWINS)
def leaves(request: pytest.FixtureRequest) -> Any:
    return TWINS[request.param]()


@pytest.fixture
def pair() -> Iterator[Pair]:
    """Two ends that block."""
    here, there = socket.socketpair()
    with here, there:
        yield here, there


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


# --- sending ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [b"hello", memoryview(b"-hello-")[1:6], b""])
def test_what_is_sent_arrives(leaves: Any, pair: Pair, data: bytes | memoryview) -> None:
    here, there = pair
    assert leaves.send(here, data) == len(data)
    here.shutdown(socket.SHUT_WR)
    assert there.recv(100) == data


def test_a_socket_that_blocks_takes_what_it_likes_and_does_not_wait(leaves: Any, pair: Pair) -> None:
    here, there = pair
    much = bytes(1 << 24)
    sent = leaves.send(here, much)
    while more := leaves.send(here, much):  # a kernel may take what it has room for in more than one turn
        sent += more
    assert 0 < sent < len(much)
    while sent:
        sent -= len(there.recv(1 << 20))
    assert leaves.send(here, b"x") == 1


def test_what_is_no_bytes_is_refused(leaves: Any, pair: Pair) -> None:
    with pytest.raises(TypeError, match="bytes-like object is required"):
        leaves.send(pair[0], "text")


def test_who_has_gone_is_told_by_the_systems_own_error(leaves: Any, pair: Pair) -> None:
    here, there = pair
    there.close()
    with pytest.raises(BrokenPipeError):
        leaves.send(here, b"x")


def test_the_number_of_a_closed_socket_may_be_a_strangers(leaves: Any, pair: Pair) -> None:
    """Who then is not written to."""
    here, _ = pair
    stranger, friend = socket.socketpair()
    with stranger, friend:
        number = here.fileno()
        here.close()
        os.dup2(stranger.fileno(), number)
        with pytest.raises(OSError, match="Bad file descriptor") as caught:
            leaves.send(here, b"x")
        assert caught.value.errno == errno.EBADF
        os.close(number)
        stranger.close()
        assert friend.recv(100) == b""
