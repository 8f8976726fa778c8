"""Which of the two twins an adapter uses that has hot code of its own, and what the leaves of all of them have: `send`.

That two twins do the same, the adapters' other tests show.
"""

from __future__ import annotations

import importlib.util
import os
import socket
from collections.abc import Iterator
from importlib import import_module
from types import ModuleType
from typing import Any, Final

import pytest

import wsproto_asyncio._speedups
import wsproto_core
import wsproto_sockets._speedups
from tests.hot_code import fresh, import_while_garbage_is_collected, needs_build

#: What each offers, and the module that has it.
HOT_CODE: Final[dict[ModuleType, dict[str, str]]] = {
    wsproto_asyncio._speedups: {
        "SocketTraffic": "traffic",
        "Pause": "waiting",
        "Waiting": "waiting",
        "accept": "leaves",
    },
    wsproto_sockets._speedups: {"LinkTraffic": "traffic"},
}
LEAVES: Final = [f"{package.__name__}.leaves_{twin}" for package in HOT_CODE for twin in ("py", "c")]
COMPILED: Final = sorted(
    f"{package.__name__}.{module}_c" for package, names in HOT_CODE.items() for module in {"leaves", *names.values()}
)

Pair = tuple[socket.socket, socket.socket]


def built(name: str) -> ModuleType:
    with needs_build():
        return import_module(name)


def twins_of(package: ModuleType, names: dict[str, str]) -> set[str]:
    """Which twins the package took its names from."""
    homes = {name: getattr(package, name).__module__ for name in names}
    twins = {name: home.rpartition("_")[2] for name, home in homes.items()}
    assert homes == {name: f"{package.__name__}.{names[name]}_{twin}" for name, twin in twins.items()}
    return set(twins.values())


@pytest.mark.parametrize("of_core", [True, False])
@pytest.mark.parametrize("package", HOT_CODE)
def test_it_is_the_one_that_the_core_uses(monkeypatch: pytest.MonkeyPatch, package: ModuleType, of_core: bool) -> None:
    built(f"{package.__name__}.traffic_c")
    monkeypatch.setattr(wsproto_core, "IS_COMPILED", of_core)
    again = fresh(package)
    assert again.IS_COMPILED is of_core
    assert twins_of(again, HOT_CODE[package]) == {"c" if of_core else "py"}


@pytest.mark.parametrize("package", HOT_CODE)
def test_what_is_not_built_is_not_missed(monkeypatch: pytest.MonkeyPatch, package: ModuleType) -> None:
    """As on Windows, where the core's is."""
    monkeypatch.setattr(wsproto_core, "IS_COMPILED", True)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    again = fresh(package)
    assert again.IS_COMPILED is False
    assert twins_of(again, HOT_CODE[package]) == {"py"}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="tries a hundred imports of a fresh module")
@pytest.mark.parametrize("name", COMPILED)
def test_garbage_may_be_collected_at_any_moment_of_the_import(name: str) -> None:
    built(name)
    import_while_garbage_is_collected(name)


# --- sending ----------------------------------------------------------------------------------------------------------


@pytest.fixture(params=LEAVES)
def leaves(request: pytest.FixtureRequest) -> Any:
    return built(request.param)


@pytest.fixture
def pair(leaves: Any) -> Iterator[Pair]:
    """Two ends, the first as the adapter has it."""
    here, there = socket.socketpair()
    with here, there:
        here.setblocking(leaves.__name__.startswith(wsproto_sockets.__name__))
        yield here, there


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
@pytest.mark.parametrize("size", [0, 5])
def test_every_kind_of_bytes_arrives(leaves: Any, pair: Pair, kind: type, size: int) -> None:
    here, there = pair
    assert leaves.send(here, kind(b"hello"[:size])) == size
    here.shutdown(socket.SHUT_WR)
    assert there.recv(100) == b"hello"[:size]


def test_a_part_of_a_buffer_is_sent(leaves: Any, pair: Pair) -> None:
    here, there = pair
    assert leaves.send(here, memoryview(b"hello")[1:3]) == 2
    assert there.recv(100) == b"el"


def test_the_system_takes_as_much_as_it_likes_and_nobody_waits(leaves: Any, pair: Pair) -> None:
    here, there = pair
    much = bytes(1 << 24)
    sent = leaves.send(here, much)
    while more := leaves.send(here, much):  # a kernel may take what it has room for in more than one turn
        sent += more
    assert 0 < sent < len(much)
    while sent:
        sent -= len(there.recv(1 << 20))
    assert leaves.send(here, b"x") == 1


@pytest.mark.parametrize("data", ["text", 5, None])
def test_what_is_no_bytes_is_refused(leaves: Any, pair: Pair, data: object) -> None:
    with pytest.raises(TypeError, match="bytes-like object is required"):
        leaves.send(pair[0], data)


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
        with pytest.raises(OSError, match="Bad file descriptor"):
            leaves.send(here, b"x")
        os.close(number)
        stranger.close()
        assert friend.recv(100) == b""
