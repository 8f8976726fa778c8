"""Many sockets that the loop watches as one: who is called, in which context, and when the loop stops to look.

That transports work in a crowd as they do alone, ``test_asyncio_stream.py`` shows.
"""

from __future__ import annotations

import asyncio
import errno
import itertools
import os
import selectors
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from contextvars import ContextVar
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tests.adapters.kit import eventually, url
from wsproto_asyncio import Listener, WebSocket, connect, serve
from wsproto_asyncio.crowd import Crowd, crowd_of
from wsproto_core import Fragment
from wsproto_core.frames import Frame, Opcode

#: More than are few.
MANY = 300

REQUEST = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)

number: ContextVar[int] = ContextVar("number")


@contextmanager
def pairs(count: int) -> Iterator[list[tuple[socket.socket, socket.socket]]]:
    """Connected sockets; those of this side do not block."""
    with ExitStack() as stack:
        made = [socket.socketpair() for _ in range(count)]
        for here, there in made:
            here.setblocking(False)
            stack.enter_context(here)
            stack.enter_context(there)
        yield made


async def test_only_a_loop_that_makes_something_for_an_event_has_crowds() -> None:
    loop = asyncio.get_running_loop()
    is_alone = not isinstance(loop, asyncio.SelectorEventLoop)
    assert (crowd_of(loop) is None) == is_alone


async def test_everybody_is_called_whose_socket_is_ready_and_nobody_else() -> None:
    crowd, calls = Crowd(asyncio.get_running_loop()), list[int]()
    with pairs(3) as made:
        for index, (here, _) in enumerate(made):
            crowd.add_reader(here.fileno(), partial(calls.append, index))
        for index in (0, 2):
            made[index][1].send(b"x")
        await eventually(lambda: len(calls) >= 2)
        assert set(calls) == {0, 2}
        for here, _ in made:
            crowd.remove_reader(here.fileno())


async def test_one_socket_can_be_read_and_written() -> None:
    crowd, calls = Crowd(asyncio.get_running_loop()), list[str]()
    with pairs(1) as [(here, there)]:
        crowd.add_reader(here.fileno(), lambda: calls.append("read"))
        crowd.add_writer(here.fileno(), lambda: calls.append("write"))
        await eventually(lambda: calls)
        assert set(calls) == {"write"}
        crowd.remove_writer(here.fileno())
        there.send(b"x")
        calls.clear()
        await eventually(lambda: calls)
        assert set(calls) == {"read"}
        crowd.add_writer(here.fileno(), lambda: calls.append("write"))
        crowd.remove_reader(here.fileno())
        calls.clear()
        await eventually(lambda: calls)
        assert set(calls) == {"write"}
        crowd.remove_writer(here.fileno())


async def test_who_is_removed_by_another_is_not_called() -> None:
    crowd, calls = Crowd(asyncio.get_running_loop()), list[int]()
    with pairs(2) as made:
        fds = [here.fileno() for here, _ in made]

        def remove_both(index: int) -> None:
            calls.append(index)
            for fd in fds:
                crowd.remove_reader(fd)

        for index, (here, there) in enumerate(made):
            crowd.add_reader(here.fileno(), partial(remove_both, index))
            there.send(b"x")
        await eventually(lambda: calls)
        for _ in range(3):
            await asyncio.sleep(0)
        assert len(calls) == 1


async def test_a_socket_that_is_closed_already_can_be_removed() -> None:
    crowd = Crowd(asyncio.get_running_loop())
    with pairs(1) as [(here, _)]:
        fd = here.fileno()
        crowd.add_reader(fd, lambda: None)
        here.close()
        crowd.remove_reader(fd)
        with pytest.raises(KeyError):
            crowd.remove_reader(fd)


async def test_whoever_cannot_be_watched_is_not_called_for_the_next_of_that_number() -> None:
    crowd, calls = Crowd(asyncio.get_running_loop()), list[str]()
    with Path(__file__).open() as file, pairs(1) as [(here, there)]:
        fd = file.fileno()
        for add in (crowd.add_reader, crowd.add_writer):
            with pytest.raises(PermissionError):  # the system does not watch files
                add(fd, lambda: calls.append("refused"))
        os.dup2(here.fileno(), fd)
        there.send(b"x")
        crowd.add_reader(fd, lambda: calls.append("read"))
        await eventually(lambda: calls)
        assert set(calls) == {"read"}
        crowd.remove_reader(fd)


def test_where_the_loop_cannot_watch_the_crowd_all_is_as_it_was() -> None:
    selector = selectors.EpollSelector()
    with closing(asyncio.SelectorEventLoop(selector)) as loop:
        crowd = Crowd(loop)
        for _ in range(2):
            with pytest.raises(OSError, match=os.strerror(errno.ELOOP)):  # each would watch the other
                crowd.add_reader(selector.fileno(), lambda: None)


async def test_the_loop_holds_no_crowd_without_sockets() -> None:
    loop, calls = asyncio.get_running_loop(), list[str]()
    crowd = Crowd(loop)
    with pairs(1) as [(here, there)]:
        there.send(b"x")
        for _ in range(2):  # what was empty can be used again
            crowd.add_reader(here.fileno(), lambda: calls.append("read"))
            await eventually(lambda: calls)
            crowd.remove_reader(here.fileno())
            calls.clear()
        for _ in range(3):
            await asyncio.sleep(0)
        assert calls == []
        assert not loop.remove_reader(crowd.fileno())


async def test_whoever_is_ready_is_called_in_one_turn_of_the_loop_and_once() -> None:
    crowd, calls = Crowd(asyncio.get_running_loop()), list[int]()

    def read(index: int, here: socket.socket) -> None:
        here.recv(1)
        calls.append(index)

    with pairs(MANY) as made:
        for _, there in made:
            there.send(b"x")
        for index, (here, _) in enumerate(made):
            crowd.add_reader(here.fileno(), partial(read, index, here))
        await eventually(lambda: calls)
        assert sorted(calls) == list(range(MANY))
        for here, _ in made:
            crowd.remove_reader(here.fileno())


class Talker:
    """Is due as soon as it is read; may fail then."""

    def __init__(self, crowd: Crowd, here: socket.socket, steps: list[str], *, fails: bool = False) -> None:
        self.crowd, self.here, self.steps, self.fails = crowd, here, steps, fails
        crowd.add_reader(here.fileno(), self.read)

    def read(self) -> None:
        self.here.recv(1)
        self.steps.append("read")
        self.crowd.due.append(self)

    def flush(self) -> None:
        self.steps.append("flush")
        if self.fails:
            raise RuntimeError("boom")

    def abort(self) -> None:
        self.steps.append("abort")


async def test_everybody_is_read_before_anybody_is_flushed() -> None:
    crowd, steps = Crowd(asyncio.get_running_loop()), list[str]()
    with pairs(3) as made:
        for here, there in made:
            there.send(b"x")
            Talker(crowd, here, steps)
        await eventually(lambda: "flush" in steps)
        assert steps == ["read"] * 3 + ["flush"] * 3
        for here, _ in made:
            crowd.remove_reader(here.fileno())


async def test_a_flush_that_raises_is_told_and_ends_that_connection_only() -> None:
    loop, steps, told = asyncio.get_running_loop(), list[str](), list[str]()
    loop.set_exception_handler(lambda _, what: told.append(what["message"]))
    crowd = Crowd(loop)
    with pairs(2) as made:
        for here, there in made:
            there.send(b"x")
            Talker(crowd, here, steps, fails=here is made[0][0])
        await eventually(lambda: steps.count("flush") == 2)
        assert steps[2:].count("abort") == 1
        for here, _ in made:
            crowd.remove_reader(here.fileno())
    loop.set_exception_handler(None)
    assert told == ["Fatal error: a flush raised"]


async def test_a_server_of_many_tells_each_connection_in_a_context_of_its_own() -> None:
    class Counting(Listener):
        numbers = itertools.count()

        def opened(self, ws: WebSocket) -> None:
            number.set(next(self.numbers))

        def received(self, ws: WebSocket, message: str | bytes | Fragment) -> None:
            ws.send_nowait(f"{number.get()} {message!s}")

    async with serve(Counting, "127.0.0.1", 0) as server:
        clients = [await connect(url(server)) for _ in range(MANY)]
        for text in ("one", "two"):
            for ws in clients:
                await ws.send(text)
            assert [await ws.recv() for ws in clients] == [f"{index} {text}" for index in range(MANY)]
        for ws in clients:
            await ws.close()


@pytest.mark.parametrize("count", [2, 20])
async def test_a_request_that_is_there_at_once_is_told_in_such_a_context_as_well(count: int) -> None:
    class Marking(Listener):
        found: ClassVar[list[int | None]] = []

        def opened(self, ws: WebSocket) -> None:
            self.found.append(number.get(None))
            number.set(len(self.found))
            ws.data["number"] = len(self.found)

        def received(self, ws: WebSocket, message: str | bytes | Fragment) -> None:
            ws.send_nowait(str(number.get() == ws.data["number"]))

    async with serve(Marking, "127.0.0.1", 0) as server:
        with ExitStack() as stack:
            clients = [stack.enter_context(socket.create_connection(("127.0.0.1", server.port))) for _ in range(count)]
            for client in clients:  # nobody has accepted yet
                client.sendall(REQUEST)
            await eventually(lambda: len(Marking.found) == count)
            assert set(Marking.found) == {None}
            for client in clients:
                client.sendall(bytes(Frame(Opcode.TEXT, b"whose?", mask=b"mask")))
            for client in clients:
                client.setblocking(False)
                answer = await asyncio.get_running_loop().sock_recv(client, 1000)
                while not answer.endswith(b"True"):
                    answer += await asyncio.get_running_loop().sock_recv(client, 1000)


# --- what is called soon ----------------------------------------------------------------------------------------------


async def test_who_is_to_be_called_soon_is_called_behind_who_is_called_now() -> None:
    crowd, calls = Crowd(asyncio.get_running_loop()), list[str]()

    def read(index: int, here: socket.socket) -> None:
        here.recv(1)
        crowd.call_soon(calls.append, f"end {index}")
        calls.append(f"read {index}")

    with pairs(2) as made:
        for index, (here, there) in enumerate(made):
            crowd.add_reader(here.fileno(), partial(read, index, here))
            there.send(b"x")
        await eventually(lambda: calls)
        assert [call.split()[0] for call in calls] == ["read", "read", "end", "end"]
        for here, _ in made:
            crowd.remove_reader(here.fileno())


async def test_who_is_to_be_called_soon_is_called_in_its_context_in_the_next_turn_where_nobody_is_called_now() -> None:
    crowd, seen = Crowd(asyncio.get_running_loop()), list[int]()
    for value in (1, 2):
        number.set(value)
        crowd.call_soon(lambda: seen.append(number.get()))
    assert seen == []
    await asyncio.sleep(0)
    assert seen == [1, 2]


async def test_one_that_raises_costs_no_other_call() -> None:
    loop, calls, told = asyncio.get_running_loop(), list[str](), list[Any]()
    loop.set_exception_handler(lambda _, context: told.append(context["exception"]))
    crowd = Crowd(loop)
    crowd.call_soon(int, "none")
    crowd.call_soon(calls.append, "called")
    await asyncio.sleep(0)
    assert calls == ["called"]
    assert [type(error) for error in told] == [ValueError]


def test_the_end_of_the_program_keeps_nobody_from_being_called() -> None:
    """A loop that runs again goes on where it was."""
    calls = list[str]()

    def interrupt() -> None:
        raise KeyboardInterrupt

    async def ask() -> None:
        crowd = Crowd(asyncio.get_running_loop())
        crowd.call_soon(interrupt)
        crowd.call_soon(calls.append, "called")
        await asyncio.sleep(0)

    loop = asyncio.new_event_loop()
    with closing(loop):
        with pytest.raises(KeyboardInterrupt):
            loop.run_until_complete(ask())
        loop.run_until_complete(asyncio.sleep(0))
    assert calls == ["called"]
