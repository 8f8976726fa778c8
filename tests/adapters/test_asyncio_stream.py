"""The adapter's own transport, on real sockets: with slow peers, rude ones, and those that leave by halves.

Every test runs on both twins of its hot code.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import Any, cast

import pytest

from tests.adapters.asyncio_kit import TWINS, Twin
from tests.adapters.kit import eventually
from wsproto_asyncio.crowd import crowd_of
from wsproto_asyncio.stream import READ_SIZE, Loop, SocketTransport

#: More than two kernels hold between them.
MUCH = 4_000_000
#: Seconds that are longer than any test.
LONG = 1000.0
NAME: ContextVar[str] = ContextVar("NAME")


def watcher() -> Loop:
    """What watches the sockets of a transport."""
    return asyncio.get_running_loop()


@pytest.fixture(autouse=True, params=["few", "many"])
def company(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Transports are watched as where there are few of them, and as where there are many."""
    if request.param == "many":
        monkeypatch.setattr(f"{__name__}.watcher", lambda: crowd_of(loop := asyncio.get_running_loop()) or loop)


@pytest.fixture(autouse=True, params=TWINS)
def twin(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Twin:
    """What this file calls ``SocketTransport`` stands on this one."""
    twin = TWINS[request.param]()
    monkeypatch.setitem(globals(), "SocketTransport", twin.stream.SocketTransport)
    return twin


class Recorder:
    """A reader that writes down what it is told, and may do something about it."""

    def __init__(self) -> None:
        self.told: list[Any] = []
        self.received = 0
        self.keeps_open = True
        self.on_data: Callable[[], object] = lambda: None
        self.on_room: Callable[[], object] = lambda: None

    def data_received(self, data: bytes | memoryview, /) -> None:
        self.received += len(data)
        self.told.append(bytes(data))
        self.on_data()

    def eof_received(self) -> bool:
        self.told.append("eof")
        return self.keeps_open

    def connection_lost(self, exc: Exception | None, /) -> None:
        self.told.append(("lost", type(exc)))

    def pause_writing(self) -> None:
        self.told.append("pause")

    def resume_writing(self) -> None:
        self.told.append("resume")
        self.on_room()


LOST = ("lost", type(None))


@contextmanager
def pair() -> Iterator[tuple[SocketTransport, Recorder, socket.socket]]:
    """A transport that has begun, its reader, and the socket at the other end, which does not block."""
    here, there = socket.socketpair()
    here.setblocking(False)
    there.setblocking(False)
    reader = Recorder()
    transport = SocketTransport(watcher(), here, reader, "there")
    transport.resume_reading()
    with there:
        try:
            yield transport, reader, there
        finally:
            transport.abort()


async def turn() -> None:
    """Let the loop do what is due."""
    for _ in range(3):
        await asyncio.sleep(0)


async def drained(there: socket.socket) -> bytes:
    """All that comes, up to the end."""
    loop, data = asyncio.get_running_loop(), bytearray()
    while piece := await loop.sock_recv(there, 1 << 20):
        data += piece
    return bytes(data)


def reset(there: socket.socket) -> None:
    """Leave without a word: what has come and was not read is lost."""
    there.close()


async def connected() -> tuple[socket.socket, socket.socket]:
    """Two ends of a TCP connection: unlike Unix sockets these can be reset."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        there = socket.create_connection(listening.getsockname())
        here, _ = listening.accept()
    here.setblocking(False)
    return here, there


# --- reading ----------------------------------------------------------------------------------------------------------


async def test_what_is_there_already_is_read_at_once() -> None:
    here, there = socket.socketpair()
    here.setblocking(False)
    there.send(b"early")
    reader = Recorder()
    transport = SocketTransport(watcher(), here, reader, None)
    assert transport.read_now()
    assert reader.told == [b"early"]
    assert not transport.read_now()
    assert not transport.is_reading()
    transport.close()
    there.close()
    await eventually(lambda: LOST in reader.told)


async def test_bytes_come_in_order() -> None:
    with pair() as (_, reader, there):
        for index in range(5):
            there.send(bytes([index]))
            await eventually(lambda index=index: reader.received > index)  # type: ignore[misc]  # mypy cannot infer it
        assert b"".join(reader.told) == bytes(range(5))


async def test_one_read_is_bounded() -> None:
    with pair() as (_, reader, there):
        await asyncio.gather(
            asyncio.get_running_loop().sock_sendall(there, bytes(MUCH)), eventually(lambda: reader.received == MUCH)
        )
        assert max(map(len, reader.told)) <= READ_SIZE


async def test_nothing_is_read_while_reading_is_paused() -> None:
    with pair() as (transport, reader, there):
        transport.pause_reading()
        transport.pause_reading()
        assert not transport.is_reading()
        there.send(b"x")
        await turn()
        assert reader.told == []
        transport.resume_reading()
        transport.resume_reading()
        assert transport.is_reading()
        await eventually(lambda: reader.told == [b"x"])


async def test_who_pauses_while_being_told_is_told_no_more() -> None:
    with pair() as (transport, reader, there):
        reader.on_data = transport.pause_reading
        there.send(b"one")
        await eventually(lambda: reader.told == [b"one"])
        there.send(b"two")
        await turn()
        assert reader.told == [b"one"]


async def test_a_reset_is_told_once() -> None:
    here, there = await connected()
    reader = Recorder()
    transport = SocketTransport(watcher(), here, reader, None)
    transport.resume_reading()
    transport.write(b"unread")
    await asyncio.get_running_loop().run_in_executor(None, there.recv, 1, socket.MSG_PEEK)
    there.close()
    await eventually(lambda: reader.told)
    transport.close()
    transport.abort()
    await turn()
    assert reader.told == [("lost", ConnectionResetError)]


# --- reading waits for writing ----------------------------------------------------------------------------------------


@pytest.fixture
def for_long(twin: Twin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(twin.stream, "_HOLD_TIME", LONG)


async def speak_to_who_is_full(transport: SocketTransport, there: socket.socket) -> None:
    """Let something come that waits."""
    transport.write(bytes(MUCH))
    there.send(b"x")
    await eventually(lambda: transport._held)


async def make_room(transport: SocketTransport, there: socket.socket) -> None:
    transport.write_eof()
    await drained(there)


@pytest.mark.usefixtures("for_long")
async def test_what_comes_while_much_waits_is_read_behind_that() -> None:
    with pair() as (transport, reader, there):
        await speak_to_who_is_full(transport, there)
        assert reader.told == ["pause"]
        await make_room(transport, there)
        await eventually(lambda: reader.received)
        assert reader.told == ["pause", "resume", b"x"]


async def test_who_reads_nothing_is_read_all_the_same() -> None:
    with pair() as (transport, reader, there):
        transport.write(bytes(MUCH))
        for piece in (b"x", b"y"):
            there.send(piece)
            await eventually(lambda piece=piece: reader.told[-1] == piece)  # type: ignore[misc]  # mypy cannot infer it
        assert reader.told == ["pause", b"x", b"y"]
        assert transport.get_write_buffer_size() > 0


@pytest.mark.usefixtures("for_long")
async def test_who_fills_every_room_at_once_is_read_all_the_same() -> None:
    loop = asyncio.get_running_loop()
    with pair() as (transport, reader, there):
        reader.on_room = lambda: loop.call_soon(transport.write, bytes(MUCH))
        transport.write(bytes(MUCH))
        there.send(b"x")
        while not reader.received:
            await loop.sock_recv(there, 1 << 20)


@pytest.mark.parametrize("ends", ["with the room", "in time"])
async def test_reading_goes_on_in_its_own_context(ends: str, twin: Twin, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has written so much, and whoever has made the room."""
    monkeypatch.setattr(twin.stream, "_HOLD_TIME", LONG if ends == "with the room" else 0.0)
    names: list[str] = []

    def note() -> None:
        names.append(NAME.get("nobody's"))
        NAME.set("its own")

    with pair() as (transport, reader, there):
        reader.on_data = note
        there.send(b"x")
        await eventually(lambda: names)
        NAME.set("the writer's")
        if ends == "with the room":
            await speak_to_who_is_full(transport, there)
            await make_room(transport, there)
        else:
            transport.write(bytes(MUCH))
            there.send(b"x")
        await eventually(lambda: len(names) == 2)
        assert names == ["nobody's", "its own"]


@pytest.mark.usefixtures("for_long")
async def test_who_pauses_reading_while_it_waits_is_told_no_more() -> None:
    with pair() as (transport, reader, there):
        await speak_to_who_is_full(transport, there)
        transport.pause_reading()
        await make_room(transport, there)
        await turn()
        assert reader.told == ["pause", "resume"]
        transport.resume_reading()
        await eventually(lambda: reader.received)


@pytest.mark.usefixtures("for_long")
async def test_nobody_waits_for_what_is_dropped() -> None:
    with pair() as (transport, reader, there):
        await speak_to_who_is_full(transport, there)
        transport.abort()
        await eventually(lambda: LOST in reader.told)
        assert transport._held is None
        assert reader.told == ["pause", LOST]


# --- writing ----------------------------------------------------------------------------------------------------------


async def test_a_slow_reader_gets_everything_in_order() -> None:
    pieces = [bytes([index]) * (MUCH // 4) for index in range(4)]
    with pair() as (transport, reader, there):
        for piece in pieces:
            transport.write(piece)
        assert reader.told == ["pause"]
        assert 0 < transport.get_write_buffer_size() < MUCH
        transport.write_eof()
        assert await drained(there) == b"".join(pieces)
        assert reader.told == ["pause", "resume"]
        assert transport.get_write_buffer_size() == 0


async def test_what_fits_never_asks_to_pause() -> None:
    with pair() as (transport, reader, there):
        transport.write(b"one")
        transport.write(memoryview(b"two"))
        assert await asyncio.get_running_loop().sock_recv(there, 100) == b"onetwo"
        assert reader.told == []


async def test_many_buffers_are_sent_as_one() -> None:
    with pair() as (transport, _, there):
        transport.writelines([b"one", bytearray(b"two"), memoryview(b"three")])
        assert there.recv(100) == b"onetwothree"


async def test_the_marks_can_be_moved() -> None:
    with pair() as (transport, reader, _):
        assert transport.get_write_buffer_limits() == (16 * 1024, 64 * 1024)
        transport.set_write_buffer_limits(high=MUCH)
        assert transport.get_write_buffer_limits() == (MUCH // 4, MUCH)
        transport.write(bytes(MUCH))
        assert reader.told == []
        transport.set_write_buffer_limits(low=100)
        assert transport.get_write_buffer_limits() == (100, 400)
        transport.set_write_buffer_limits()
        assert transport.get_write_buffer_limits() == (16 * 1024, 64 * 1024)
        with pytest.raises(ValueError, match="must be >="):
            transport.set_write_buffer_limits(high=1, low=2)


async def test_a_write_to_who_has_gone_is_told_later_and_once() -> None:
    with pair() as (transport, reader, there):
        reader.keeps_open = True
        reset(there)
        transport.write(b"x")
        transport.write(b"y")
        assert transport.is_closing()
        assert reader.told == []
        await turn()
        assert reader.told == [("lost", BrokenPipeError)]


async def test_who_goes_in_the_midst_of_a_write_is_told_once() -> None:
    with pair() as (transport, reader, there):
        transport.pause_reading()
        transport.write(bytes(MUCH))
        reset(there)
        await eventually(lambda: len(reader.told) == 2)
        await turn()
        assert reader.told[0] == "pause"
        assert reader.told[1] in [("lost", BrokenPipeError), ("lost", ConnectionResetError)]
        assert transport.get_write_buffer_size() == 0


async def test_without_vectored_writes_it_is_one_buffer_at_a_time(twin: Twin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(twin.stream, "_HAS_VECTORED_WRITES", False)
    with pair() as (transport, _, there):
        transport.write(bytes(MUCH))
        transport.write(b"end")
        transport.write_eof()
        assert await drained(there) == bytes(MUCH) + b"end"


async def test_a_socket_that_somebody_closes_is_the_end_and_nobody_elses_is_written_to() -> None:
    here, there = socket.socketpair()
    stranger, friend = socket.socketpair()
    with there, stranger, friend:
        here.setblocking(False)
        reader = Recorder()
        transport = SocketTransport(asyncio.get_running_loop(), here, reader, None)
        number = here.fileno()
        here.close()
        os.dup2(stranger.fileno(), number)
        transport.write(b"for the peer")
        os.close(number)
        assert transport.is_closing()
        await turn()
        assert reader.told == [("lost", OSError)]
        stranger.close()
        assert friend.recv(100) == b""


async def test_a_socket_that_the_system_does_not_watch_is_the_end() -> None:
    reader, (here, there) = Recorder(), socket.socketpair()
    transport = SocketTransport(watcher(), here, reader, "there")
    with there, Path(__file__).open() as file:
        os.dup2(file.fileno(), here.fileno())  # it watches no files
        transport.resume_reading()
        assert transport.is_closing()
        assert not transport.is_reading()
        await turn()
    assert reader.told == [("lost", PermissionError)]
    assert here.fileno() < 0


async def test_a_backlog_that_the_system_does_not_watch_is_the_end() -> None:
    class NoMoreWatches:
        call_soon = staticmethod(asyncio.get_running_loop().call_soon)

        def add_writer(self, *_: object) -> None:
            raise OSError(errno.ENOSPC, "no more watches")

    reader, (here, there) = Recorder(), socket.socketpair()
    here.setblocking(False)
    transport = SocketTransport(cast(Loop, NoMoreWatches()), here, reader, "there")
    with there:
        transport.write(bytes(MUCH))
        await turn()
    assert reader.told == [("lost", OSError)]
    assert transport.get_write_buffer_size() == 0


# --- halves -----------------------------------------------------------------------------------------------------------


async def test_the_end_of_the_writing_half_leaves_the_other() -> None:
    with pair() as (transport, reader, there):
        assert transport.can_write_eof()
        transport.write(b"last words")
        transport.write_eof()
        transport.write_eof()
        assert await drained(there) == b"last words"
        there.send(b"answer")
        await eventually(lambda: reader.told == [b"answer"])


async def test_the_end_of_the_reading_half_leaves_the_other() -> None:
    with pair() as (transport, reader, there):
        there.shutdown(socket.SHUT_WR)
        await eventually(lambda: reader.told == ["eof"])
        transport.resume_reading()
        assert not transport.is_reading()
        transport.write(b"still here")
        assert await asyncio.get_running_loop().sock_recv(there, 100) == b"still here"
        assert reader.told == ["eof"]


async def test_who_does_not_want_a_half_gets_an_end() -> None:
    with pair() as (transport, reader, there):
        reader.keeps_open = False
        transport.write(b"answer")
        there.shutdown(socket.SHUT_WR)
        await eventually(lambda: reader.told == ["eof", LOST])
        assert await drained(there) == b"answer"


async def test_the_end_waits_for_what_is_queued() -> None:
    with pair() as (transport, reader, there):
        reader.keeps_open = False
        transport.write(bytes(MUCH))
        there.shutdown(socket.SHUT_WR)
        await eventually(lambda: reader.told == ["pause", "eof"])
        assert await drained(there) == bytes(MUCH)
        await eventually(lambda: reader.told == ["pause", "eof", "resume", LOST])


async def test_a_half_that_cannot_be_ended_is_the_end() -> None:
    here, there = await connected()
    with there:
        reader = Recorder()
        transport = SocketTransport(watcher(), here, reader, None)
        here.shutdown(socket.SHUT_RDWR)
        there.shutdown(socket.SHUT_RDWR)
        there.close()
        transport.write_eof()
        await turn()
        transport.abort()
        await turn()
    assert len(reader.told) == 1


# --- the end ----------------------------------------------------------------------------------------------------------


async def test_close_sends_what_is_queued_first() -> None:
    with pair() as (transport, reader, there):
        transport.write(bytes(MUCH))
        transport.close()
        transport.close()
        assert transport.is_closing()
        transport.write(b"too late")
        transport.write_eof()
        transport.resume_reading()
        assert not transport.is_reading()
        assert await drained(there) == bytes(MUCH)
        await eventually(lambda: reader.told == ["pause", "resume", LOST])


async def test_abort_drops_what_is_queued() -> None:
    with pair() as (transport, reader, there):
        transport.write(bytes(MUCH))
        transport.abort()
        transport.abort()
        assert transport.get_write_buffer_size() == 0
        assert reader.told == ["pause"]
        await turn()
        assert reader.told == ["pause", LOST]
        assert len(await drained(there)) < MUCH


async def test_abort_behind_close_drops_what_is_queued() -> None:
    with pair() as (transport, reader, there):
        transport.write(bytes(MUCH))
        transport.close()
        transport.abort()
        await turn()
        assert reader.told == ["pause", LOST]
        assert len(await drained(there)) < MUCH


async def test_an_end_within_a_read_is_told_behind_it() -> None:
    with pair() as (transport, reader, there):
        seen: list[int] = []

        def leave() -> None:
            transport.abort()
            seen.append(len(reader.told))

        reader.on_data = leave
        there.send(b"x")
        await eventually(lambda: reader.told == [b"x", LOST])
        assert seen == [1]


async def test_it_tells_who_it_is() -> None:
    here, there = await connected()
    with there:
        reader = Recorder()
        transport = SocketTransport(watcher(), here, reader, there.getsockname())
        assert transport.get_extra_info("peername") == there.getsockname()
        assert transport.get_extra_info("sockname") == there.getpeername()
        assert transport.get_extra_info("socket").fileno() == here.fileno()
        assert transport.get_extra_info("sslcontext", "none") == "none"
        assert transport.get_protocol() is reader
        transport.abort()
        await turn()
        assert transport.get_extra_info("peername") == there.getsockname()
        assert transport.get_extra_info("sockname") is None
        assert transport.get_protocol() is None


async def test_another_protocol_may_go_on() -> None:
    with pair() as (transport, reader, there):
        other = Recorder()
        transport.set_protocol(other)
        assert transport.get_protocol() is other
        there.send(b"x")
        await eventually(lambda: other.told == [b"x"])
        assert reader.told == []


def test_it_has_what_a_transport_of_asyncio_has() -> None:
    assert set(dir(asyncio.Transport)) - {"__weakref__", "_extra"} <= set(dir(SocketTransport))


async def test_one_that_nobody_closes_complains() -> None:
    here, there = socket.socketpair()
    with there:
        transport = SocketTransport(watcher(), here, Recorder(), None)
        kept = [transport]
        del transport
        with pytest.warns(ResourceWarning, match="unclosed transport"):
            kept.clear()
        assert here.fileno() < 0


# --- what a reader raises ---------------------------------------------------------------------------------------------


@contextmanager
def complaints() -> Iterator[list[dict[str, Any]]]:
    """What the loop is told in the meantime."""
    loop, heard = asyncio.get_running_loop(), list[dict[str, Any]]()
    before = loop.get_exception_handler()
    loop.set_exception_handler(lambda _, context: heard.append(context))
    try:
        yield heard
    finally:
        loop.set_exception_handler(before)


@pytest.mark.parametrize("error", [ValueError, asyncio.CancelledError])
async def test_what_a_reader_raises_is_told_once_and_the_end(error: type[BaseException]) -> None:
    def fail() -> None:
        raise error

    with pair() as (_, reader, there), complaints() as heard:
        reader.on_data = fail
        there.send(b"x")
        await eventually(lambda: len(reader.told) == 2)
        await turn()
        assert [type(context["exception"]) for context in heard] == [error]
        assert reader.told == [b"x", ("lost", ValueError if error is ValueError else type(None))]


async def test_what_it_raises_when_it_may_write_again_is_the_end_too() -> None:
    def fail() -> None:
        raise ValueError

    with pair() as (transport, reader, there), complaints() as heard:
        reader.resume_writing = fail  # type: ignore[method-assign]  # this one only
        transport.write(bytes(MUCH))
        await drained(there)
        assert [type(context["exception"]) for context in heard] == [ValueError]
        await eventually(lambda: reader.told == ["pause", ("lost", ValueError)])


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("method", ["data_received", "resume_writing"])
def test_an_interrupt_goes_through(error: type[BaseException], method: str) -> None:
    def fail(*_: object) -> None:
        raise error

    async def life() -> None:
        with pair() as (transport, reader, there):
            setattr(reader, method, fail)
            transport.write(bytes(MUCH))
            there.send(b"x")
            await drained(there)

    loop = asyncio.new_event_loop()
    try:
        with pytest.raises(error):
            loop.run_until_complete(life())
        for task in asyncio.all_tasks(loop):
            task.cancel()
            with suppress(asyncio.CancelledError):
                loop.run_until_complete(task)
        loop.run_until_complete(turn())
    finally:
        loop.close()
