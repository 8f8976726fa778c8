"""``reconnect``: clients that come back, the same on every runtime. What only one runtime can do is at the end."""

from __future__ import annotations

import asyncio
import functools
import gc
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from types import ModuleType
from typing import Any

import pytest
import trio

import wsproto_anyio
import wsproto_asyncio
import wsproto_sockets
import wsproto_trio
from tests.adapters.kit import answer_to
from tests.adapters.stages.base import CASE_SECONDS, Stage
from tests.adapters.stages.running import on_every_stage
from tests.adapters.stages.sockets_stage import Serving, SocketsStage, faced, finish
from wsproto_core import (
    Advice,
    Backoff,
    ConnectionClosed,
    ConnectionFailed,
    ConnectionRefused,
    Drop,
    HandshakeRejected,
    Limits,
    Message,
    OutboxLimits,
    Reopening,
    Response,
    State,
    Timeouts,
)
from wsproto_core.testing import Ability, RawStream, TaskCancelled

#: Nobody waits for long, and every connection counts as a success.
FAST = Backoff(initial=0.001, cap=0.002, stable_after=0.0)
NEVER = Backoff(initial=3600.0, cap=3600.0)

PACKAGES: dict[str, ModuleType] = {
    "asyncio": wsproto_asyncio,
    "aiofastnet": wsproto_asyncio,
    "uvloop": wsproto_asyncio,
    "trio": wsproto_trio,
    "anyio on asyncio": wsproto_anyio,
    "anyio on trio": wsproto_anyio,
    "sockets": wsproto_sockets,
}


class FacedConnections:
    """``reconnect`` of ``wsproto_sockets`` with the face of the others."""

    def __init__(self, uri: str, *, opened: Any = None, **options: Any) -> None:
        if opened is not None:
            options["opened"] = lambda ws, reopening: finish(opened(faced(ws), reopening))
        self._connections = wsproto_sockets.reconnect(uri, **options)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connections, name)

    async def __aenter__(self) -> FacedConnections:
        self._connections.__enter__()
        return self

    async def __aexit__(self, *error: Any) -> None:
        self._connections.__exit__(*error)

    def __aiter__(self) -> FacedConnections:
        self._iterator = iter(self._connections)
        return self

    async def __anext__(self) -> Any:
        try:
            return faced(next(self._iterator))
        except StopIteration:
            raise StopAsyncIteration from None


def reconnect(stage: Stage, uri: str, **options: Any) -> AbstractAsyncContextManager[Any]:
    options = {"backoff": FAST, **options}
    if isinstance(stage, SocketsStage):
        return FacedConnections(uri, **options)
    context: AbstractAsyncContextManager[Any] = PACKAGES[stage.name].reconnect(uri, **options)
    return context


@asynccontextmanager
async def serve_at(stage: Stage, port: int, handler: Callable[[Any], Coroutine[Any, Any, None]]) -> AsyncIterator[Any]:
    """A server on a port of the test's choice."""
    if isinstance(stage, SocketsStage):
        with wsproto_sockets.serve(lambda ws: finish(handler(faced(ws))), "127.0.0.1", port) as server:
            yield Serving(server)
    else:
        async with PACKAGES[stage.name].serve(handler, "127.0.0.1", port) as server:
            yield server


# --- handlers and addresses -------------------------------------------------------------------------------------------


async def echo(ws: Any) -> None:
    async for message in ws:
        await ws.send(message)


async def drain(ws: Any) -> None:
    async for _ in ws:
        pass


def closing_with(code: int, reason: str = "") -> Callable[[Any], Coroutine[Any, Any, None]]:
    async def handler(ws: Any) -> None:
        await ws.close(code, reason)

    return handler


def url(server: Any) -> str:
    return at(server.port)


def at(port: int, scheme: str = "ws") -> str:
    return f"{scheme}://127.0.0.1:{port}/"


def free_port() -> int:
    """Where nobody listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


async def each_closed(connections: Any) -> None:
    """Wait for the end of one connection after the other."""
    async for ws in connections:
        await ws.wait_closed()


# --- the loop ---------------------------------------------------------------------------------------------------------


@on_every_stage()
async def test_a_server_that_restarts(stage: Stage) -> None:
    port = free_port()
    async with reconnect(stage, at(port)) as connections:
        for number in range(3):
            async with serve_at(stage, port, echo) as server:
                async for ws in connections:
                    await ws.send(str(number))
                    assert await ws.recv() == str(number)
                    closing = stage.spawn(server.close, 1012)
                    with pytest.raises(ConnectionClosed, match="1012"):
                        await ws.recv()
                    await closing.outcome()
                    break


@on_every_stage()
async def test_the_end_of_the_body_closes_and_comes_again_and_leaving_the_block_ends_it(stage: Stage) -> None:
    codes: list[int] = []

    async def handler(ws: Any) -> None:
        codes.append((await ws.wait_closed()).code)

    async with stage.serve(handler) as server:
        seen: list[Any] = []
        async with reconnect(stage, url(server)) as connections:
            async for ws in connections:
                assert ws.state is State.OPEN
                seen.append(ws)
                if len(seen) == 3:
                    break
        assert seen[-1].state is State.CLOSED  # by the end of the block, and not by some garbage collection
        await stage.until(lambda: len(codes) == 3)
    assert codes == [1000, 1000, 1000]


@on_every_stage()
async def test_max_attempts_in_a_row_and_the_error_comes_out_as_itself(stage: Stage) -> None:
    backoff = Backoff(initial=0.001, cap=0.002, max_attempts=3)
    with pytest.raises(ConnectionRefused):  # the block is what raises
        async with reconnect(stage, at(free_port()), backoff=backoff) as connections:
            await each_closed(connections)


@on_every_stage()
async def test_a_refusal_that_time_will_not_mend_is_raised(stage: Stage) -> None:
    statuses = [503, 503, 403]

    async def refuse(ws: Any, request: Any) -> Response:
        return Response(statuses.pop(0))

    async with stage.serve(drain, process_request=refuse) as server:
        with pytest.raises(HandshakeRejected, match="403"):  # the block is what raises
            async with reconnect(stage, url(server)) as connections:
                await each_closed(connections)
    assert statuses == []


@pytest.mark.parametrize(
    ("code", "options"),
    [
        (1008, {}),
        (4001, {"advice": {4001: Advice(returns=False)}}),
        (4002, {"retry": lambda error: not (isinstance(error, ConnectionClosed) and error.report.code == 4002)}),
    ],
)
@on_every_stage()
async def test_an_end_that_is_final(stage: Stage, code: int, options: dict[str, Any]) -> None:
    async with stage.serve(closing_with(code, "go away")) as server:
        with pytest.raises(ConnectionClosed, match="go away") as caught:  # the block is what raises
            async with reconnect(stage, url(server), **options) as connections:
                await each_closed(connections)
        assert caught.value.report.code == code


@on_every_stage()
async def test_a_certificate_that_is_not_trusted_is_final(stage: Stage) -> None:
    async with stage.serve(drain, ssl=stage.server_tls) as server:
        with pytest.raises(ConnectionFailed, match=r"(?i)certificate"):  # the block is what raises
            async with reconnect(stage, at(server.port, "wss")) as connections:
                await each_closed(connections)


@on_every_stage()
async def test_an_exception_of_the_body_comes_out_as_itself(stage: Stage) -> None:
    error = KeyError("mine")
    async with stage.serve(drain) as server:
        with pytest.raises(KeyError) as caught:  # noqa: PT012  # the block is what raises
            async with reconnect(stage, url(server)) as connections:
                async for _ in connections:
                    raise error
        assert caught.value is error
        await stage.until(lambda: not server.connections)


@on_every_stage()
async def test_a_broken_connection_comes_back(stage: Stage) -> None:
    async def vanish(stream: RawStream) -> None:
        await stream.send(answer_to(await stream.receive()))
        await stream.receive()
        stream.reset()

    async with stage.listen(vanish) as port, reconnect(stage, at(port)) as connections:
        count = 0
        async for ws in connections:
            count += 1
            await ws.send("x")
            assert (await ws.wait_closed()).code == 1006
            if count == 3:
                break


@on_every_stage()
async def test_an_option_that_cannot_work_is_named_at_once(stage: Stage) -> None:
    for options, error, name in (
        ({"max_size": 1}, TypeError, "max_size"),
        ({"outbox": OutboxLimits, "backof": FAST}, TypeError, "backof"),
    ):
        with pytest.raises(error, match=name):
            reconnect(stage, "ws://localhost/", **options)
    with pytest.raises(ValueError, match="ws"):
        reconnect(stage, "http://localhost/")


# --- the server's advice, on a virtual clock --------------------------------------------------------------------------


async def time_between(stage: Stage, server: Any) -> float:
    """Seconds from the end of the first connection to the second one."""
    ended_at: list[float] = []
    async with reconnect(stage, url(server), backoff=Backoff()) as connections:
        async for ws in connections:
            if ended_at:
                break
            ended_at.append((await ws.wait_closed()).at)
    return stage.now() - ended_at[0]


@on_every_stage(is_timed=True)
async def test_a_service_that_restarts_is_left_alone_for_a_while(stage: Stage) -> None:
    async with stage.serve(closing_with(1012)) as server:
        assert 5.0 <= await time_between(stage, server) <= 31.0
    async with stage.serve(closing_with(1013)) as server:
        assert 30.0 <= await time_between(stage, server) <= 61.0


@on_every_stage(is_timed=True)
async def test_retry_after_is_obeyed(stage: Stage) -> None:
    asked_at: list[float] = []

    async def refuse_once(ws: Any, request: Any) -> Response | None:
        asked_at.append(stage.now())
        return Response(503, {"Retry-After": "40"}) if len(asked_at) == 1 else None

    async with (
        stage.serve(drain, process_request=refuse_once) as server,
        reconnect(stage, url(server), backoff=Backoff()) as connections,
    ):
        async for _ in connections:
            break
    first, second = asked_at
    assert second - first >= 40.0


# --- the hook ---------------------------------------------------------------------------------------------------------


@on_every_stage()
async def test_every_connection_is_subscribed_before_the_loop_gets_it(stage: Stage) -> None:
    heard: list[Message] = []
    told: list[Reopening] = []

    async def handler(ws: Any) -> None:
        async for message in ws:
            heard.append(message)
            if message == "go":
                await ws.close(1001, "enough")

    async def opened(ws: Any, reopening: Reopening) -> None:
        await ws.send(f"subscribe {reopening.number}")
        told.append(reopening)

    async with stage.serve(handler) as server, reconnect(stage, url(server), opened=opened) as connections:
        async for ws in connections:
            await ws.send("go")
            await ws.wait_closed()
            if len(told) == 3:
                break
    assert heard == ["subscribe 0", "go", "subscribe 1", "go", "subscribe 2", "go"]
    assert told[0].last_report is None
    assert [it.last_report and it.last_report.reason for it in told[1:]] == ["enough", "enough"]


@on_every_stage()
async def test_a_hook_whose_connection_ends_is_tried_again(stage: Stage) -> None:
    count = 0

    async def handler(ws: Any) -> None:
        nonlocal count
        count += 1
        if count == 1:
            await ws.close(1001)
        else:
            await ws.send("welcome")
            await drain(ws)

    async def opened(ws: Any, reopening: Reopening) -> None:
        assert reopening.number == 0
        assert await ws.recv() == "welcome"

    async with stage.serve(handler) as server, reconnect(stage, url(server), opened=opened) as connections:
        async for ws in connections:
            assert ws.state is State.OPEN
            break
    assert count == 2


@on_every_stage()
async def test_a_hook_that_is_wrong_comes_out_as_itself_and_the_server_is_told(stage: Stage) -> None:
    codes: list[int] = []

    async def handler(ws: Any) -> None:
        codes.append((await ws.wait_closed()).code)

    async def opened(ws: Any, reopening: Reopening) -> None:
        raise KeyError("mine")

    async with stage.serve(handler) as server:
        with pytest.raises(KeyError, match="mine"):  # the block is what raises
            async with reconnect(stage, url(server), opened=opened) as connections:
                await each_closed(connections)
        await stage.until(lambda: codes)
    assert codes == [1011]


# --- the outbox -------------------------------------------------------------------------------------------------------


@on_every_stage()
async def test_messages_outlive_the_server(stage: Stage) -> None:
    heard: list[Message] = []
    port = free_port()

    async def handler(ws: Any) -> None:
        async for message in ws:
            heard.append(message)  # noqa: PERF401  (others look at it meanwhile)

    outbox = OutboxLimits(max_messages=3)
    async with reconnect(stage, at(port), outbox=outbox) as connections:
        assert [connections.send_later(text) for text in ("a", "b", "c", "d")] == [[], [], [], ["a"]]
        async with serve_at(stage, port, handler) as server:
            async for ws in connections:
                await stage.until(lambda: len(heard) == 3)
                assert connections.send_later("e") == []  # there is a connection: it goes at once
                await stage.until(lambda: len(heard) == 4)
                await server.close()
                await ws.wait_closed()
                assert connections.send_later("f") == []
                break
        assert connections.waiting == ("f",)
        async with serve_at(stage, port, handler):
            async for _ in connections:
                await stage.until(lambda: len(heard) == 5)
                break
    assert heard == ["b", "c", "d", "e", "f"]
    assert connections.waiting == ()


def number_of(message: Message) -> int:
    return int.from_bytes(memoryview(message.encode() if isinstance(message, str) else message)[:4], "big")


def numbered(number: int) -> bytes:
    """Too large for many of them to disappear in the buffers on the way."""
    return number.to_bytes(4, "big") + bytes(200_000)


#: Little room in the connection, much in the outbox.
NARROW: dict[str, Any] = {
    "limits": Limits(outbox_size=300_000),
    "outbox": OutboxLimits(size=100_000_000, max_messages=60, drop=Drop.NEWEST),
}


def fill(connections: Any) -> tuple[list[int], list[int]]:
    """Send until there is no room for more; which are on their way, and which were given up."""
    sent: list[int] = []
    given_up: list[int] = []
    while not given_up:
        sent.append(len(sent))
        given_up += map(number_of, connections.send_later(numbered(sent[-1])))
    return [number for number in sent if number not in given_up], given_up


@on_every_stage()
async def test_a_server_that_does_not_read_holds_nobody_up_and_gets_it_all_in_order(stage: Stage) -> None:
    heard: list[int] = []
    go_on = stage.event()

    async def handler(ws: Any) -> None:
        await go_on.wait()
        async for message in ws:
            heard.append(number_of(message))  # noqa: PERF401  (others look at it meanwhile)

    async with stage.serve(handler) as server, reconnect(stage, url(server), **NARROW) as connections:
        async for _ in connections:
            kept, given_up = fill(connections)
            assert given_up == [len(kept)]
            assert len(connections.waiting) <= 61  # one may be on its way, and a thread may have carried some already
            go_on.set()
            await stage.until(lambda: len(heard) == len(kept))  # noqa: B023  (the body runs once)
            assert heard == kept
            assert connections.waiting == ()
            connections.send_later(numbered(1000))
            await stage.until(lambda: heard[-1] == 1000)
            break


@on_every_stage()
async def test_what_a_slow_connection_did_not_take_goes_to_the_next_one(stage: Stage) -> None:
    heard: list[int] = []
    count = 0
    break_it = stage.event()

    async def handler(ws: Any) -> None:
        nonlocal count
        count += 1
        if count == 1:
            await break_it.wait()
            ws.abort()
            return
        async for message in ws:
            heard.append(number_of(message))  # noqa: PERF401  (others look at it meanwhile)

    kept: list[int] = []
    left: list[int] = []
    taken = 0

    async def opened(ws: Any, reopening: Reopening) -> None:
        if reopening.number == 1:
            left.extend(map(number_of, connections.waiting))

    async with (
        stage.serve(handler, limits=Limits(inbox_size=1)) as server,  # what the kernels hold is far less than there is
        reconnect(stage, url(server), opened=opened, **NARROW) as connections,
    ):
        async for ws in connections:
            if not kept:
                kept += fill(connections)[0]
                break_it.set()
                await ws.wait_closed()
                taken = ws.statistics.messages_sent
                continue
            await stage.until(lambda: len(heard) == len(left))
            break
    assert left
    assert heard == left == kept[taken:]


# --- cancellation -----------------------------------------------------------------------------------------------------


@on_every_stage(Ability.CANCEL)
async def test_cancelled_between_attempts_and_within_a_connection(stage: Stage) -> None:
    async def waits() -> str:
        async with reconnect(stage, at(free_port()), backoff=NEVER) as connections:
            await each_closed(connections)
        return "unreachable"

    assert await stage.move_on_after(0.05, waits) is None
    seen: list[Any] = []

    async def receives() -> None:
        async with reconnect(stage, url(server)) as connections:
            async for ws in connections:
                seen.append(ws)
                await ws.recv()

    async with stage.serve(drain) as server:
        receiving = stage.spawn(receives)
        await stage.until(lambda: seen)
        receiving.cancel()
        with pytest.raises(TaskCancelled):
            await receiving.outcome()
        await stage.until(lambda: not server.connections)
    assert [ws.state for ws in seen] == [State.CLOSED]


@on_every_stage(Ability.CANCEL)
async def test_cancelled_in_the_hook(stage: Stage) -> None:
    seen: list[Any] = []

    async def opened(ws: Any, reopening: Reopening) -> None:
        seen.append(ws)
        await ws.recv()

    async def waits() -> None:
        async with reconnect(stage, url(server), opened=opened) as connections:
            await each_closed(connections)

    async with stage.serve(drain) as server:
        waiting = stage.spawn(waits)
        await stage.until(lambda: seen)
        waiting.cancel()
        with pytest.raises(TaskCancelled):
            await waiting.outcome()
        await stage.until(lambda: not server.connections)
    assert [ws.state for ws in seen] == [State.CLOSED]


# --- what is peculiar to one runtime ----------------------------------------------------------------------------------


async def test_asyncio_does_without_the_block_and_break_stops_it() -> None:
    opened: list[wsproto_asyncio.WebSocket] = []
    async with wsproto_asyncio.serve(drain, "127.0.0.1", 0) as server:
        async for ws in wsproto_asyncio.reconnect(url(server), backoff=FAST):
            opened.append(ws)
            if len(opened) == 2:
                break
        gc.collect()
        await opened[1].wait_closed()
        while server.connections:
            await asyncio.sleep(0)


@pytest.mark.parametrize("package", [wsproto_trio, wsproto_anyio], ids=lambda package: package.__name__)
def test_trio_and_anyio_take_a_block(package: ModuleType) -> None:
    with pytest.raises(TypeError, match="async with"):
        aiter(package.reconnect("ws://localhost/"))


def test_trio_has_a_nursery_of_its_own() -> None:
    with pytest.raises(TypeError, match="nursery"):
        wsproto_trio.reconnect("ws://localhost/", nursery=None)


def test_trio_cancelled_while_it_closes_one_to_make_the_next() -> None:
    async def main() -> None:
        async def never_answers(stream: trio.SocketStream) -> None:
            await stream.send_all(answer_to(bytes(await stream.receive_some())))
            async for _ in stream:
                pass

        async with trio.open_nursery() as nursery:
            (listener,) = await nursery.start(functools.partial(trio.serve_tcp, never_answers, 0, host="127.0.0.1"))
            port = listener.socket.getsockname()[1]
            timeouts = Timeouts(closing_timeout=None)
            with trio.CancelScope() as scope:
                async with wsproto_trio.reconnect(at(port), backoff=FAST, timeouts=timeouts) as connections:
                    async for _ in connections:
                        scope.deadline = trio.current_time() + 0.05
            assert scope.cancelled_caught
            nursery.cancel_scope.cancel()

    trio.run(main)


def test_sockets_do_without_the_block() -> None:
    with wsproto_sockets.serve(lambda ws: ws.close(1001), "127.0.0.1", 0) as server:
        for count, ws in enumerate(wsproto_sockets.reconnect(url(server), backoff=FAST)):
            ws.wait_closed(CASE_SECONDS)
            if count == 2:
                break


def test_sockets_are_closed_by_another_thread_also_while_they_wait() -> None:
    stage = SocketsStage()

    async def play(_: object) -> None:
        with wsproto_sockets.serve(lambda ws: finish(drain(faced(ws))), "127.0.0.1", 0) as server:
            connections = wsproto_sockets.reconnect(url(server), backoff=NEVER)
            opened = stage.event()

            async def loop() -> list[State]:
                states = []
                with connections:
                    for ws in connections:
                        opened.set()
                        for _ in ws:
                            pass
                        states.append(ws.state)
                return states

            looping = stage.spawn(loop)
            await opened.wait()
            connections.close()
            assert await looping.outcome() == [State.CLOSED]
        waiting = wsproto_sockets.reconnect(at(free_port()), backoff=NEVER)

        async def wait() -> int:
            with waiting:
                return len(list(waiting))

        task = stage.spawn(wait)
        waiting.close()
        assert await task.outcome() == 0

    stage.perform(play)


def test_sockets_take_messages_from_many_threads() -> None:
    stage = SocketsStage()
    heard: list[Message] = []

    def handler(ws: wsproto_sockets.WebSocket) -> None:
        heard.extend(ws)

    async def play(_: object) -> None:
        with wsproto_sockets.serve(handler, "127.0.0.1", 0) as server:
            limits = Limits(outbox_size=1000)
            with wsproto_sockets.reconnect(url(server), backoff=FAST, limits=limits) as connections:

                async def speak(name: str) -> None:
                    for number in range(100):
                        assert connections.send_later(f"{name}{number}" + 100 * ".") == []

                speaking = [stage.spawn(speak, name) for name in "abcd"]
                for _ in connections:
                    for task in speaking:
                        await task.outcome()
                    await stage.until(lambda: len(heard) == 400)
                    break

    stage.perform(play)
    for name in "abcd":
        assert [text[:-100] for text in heard if text[:1] == name] == [f"{name}{number}" for number in range(100)]
