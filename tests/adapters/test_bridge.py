"""``Bridge`` of every adapter: every kind of connection from one place, and counts that add up."""

from __future__ import annotations

import errno
import functools
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import pytest
import trio
import trio.testing

import wsproto_anyio
import wsproto_asyncio
import wsproto_trio
from tests.adapters.peers_kit import PACKAGES, echo, free_port, on_every_stage
from tests.adapters.stages.anyio_stage import AnyioOnTrioStage
from tests.adapters.stages.asyncio_stage import AsyncioStage
from tests.adapters.stages.base import Stage
from tests.adapters.stages.sockets_stage import Serving, SocketsStage, faced, finish
from tests.adapters.stages.trio_stage import TrioStage
from wsproto_core import (
    Backoff,
    BindFailed,
    ConnectionClosed,
    ConnectionFailed,
    ConnectionRefused,
    ConnectionTimeout,
    Frames,
    HandshakeRejected,
    Limits,
    Metrics,
    PerMessageDeflate,
    PoolLimits,
    Request,
    Response,
    ServerAlreadyRunning,
    ServerNotStarted,
    Timeouts,
)
from wsproto_core.testing import Ability


@dataclass(frozen=True, kw_only=True)
class Kind:
    """What is spoken."""

    scheme: str
    options: dict[str, Any] = field(default_factory=dict)
    #: Whether every byte that is counted on one side is counted on the other.
    is_stream: bool = True

    def __str__(self) -> str:
        return "+".join((self.scheme, *self.options))


WEBSOCKET = Kind(scheme="ws")
TCP = Kind(scheme="tcp")
KINDS = (
    WEBSOCKET,
    Kind(scheme="ws", options={"compression": PerMessageDeflate()}),
    TCP,
    Kind(scheme="tcp", options={"codec": Frames()}),
    Kind(scheme="udp", is_stream=False),
)
every_kind = pytest.mark.parametrize("spoken", KINDS, ids=str)
every_family = pytest.mark.parametrize("scheme", ["ws", "tcp", "udp"])


class Bridge:
    """A bridge of the stage's adapter; that of blocking sockets with the face of the others."""

    def __init__(self, stage: Stage, **options: Any) -> None:
        self.bridge: Any = PACKAGES[stage.name].Bridge(**options)
        self._blocks = isinstance(stage, SocketsStage)

    @property
    def metrics(self) -> Metrics:
        metrics: Metrics = self.bridge.metrics
        return metrics

    def connect(self, address: str, **options: Any) -> AbstractAsyncContextManager[Any]:
        if self._blocks:
            return self._connect(address, **options)
        context: AbstractAsyncContextManager[Any] = self.bridge.connect(address, **options)
        return context

    def serve(self, address: str, handler: Any = echo, **options: Any) -> AbstractAsyncContextManager[Any]:
        if self._blocks:
            return self._serve(address, handler, **options)
        context: AbstractAsyncContextManager[Any] = self.bridge.serve(address, handler, **options)
        return context

    @asynccontextmanager
    async def _connect(self, address: str, **options: Any) -> AsyncIterator[Any]:
        with self.bridge.connect(address, **options) as peer:
            yield faced(peer)

    @asynccontextmanager
    async def _serve(self, address: str, handler: Any, **options: Any) -> AsyncIterator[Any]:
        with self.bridge.serve(address, lambda peer: finish(handler(faced(peer))), **options) as server:
            yield Serving(server)


async def ask(peer: Any, *questions: str | bytes) -> None:
    """Send each, and wait for its echo."""
    for question in questions:
        await peer.send(question)
        await peer.recv()


# --- what adds up -----------------------------------------------------------------------------------------------------


@every_kind
@on_every_stage()
async def test_counts_add_up(stage: Stage, spoken: Kind) -> None:
    bridge = Bridge(stage, **spoken.options)
    async with bridge.serve(f"{spoken.scheme}://127.0.0.1:0") as server:
        where = f"{spoken.scheme}://127.0.0.1:{server.port}"
        async with bridge.connect(where) as one, bridge.connect(where) as two:
            await ask(one, b"1", b"22", b"333")
            await ask(two, b"4444")
            now = bridge.metrics
            assert (now.connections.total, now.connections.active, now.connections.accepted) == (4, 4, 2)
            assert (now.messages.sent, now.messages.received) == (8, 8)
        await stage.until(lambda: not server.connections)
    end = bridge.metrics
    assert (end.connections.total, end.connections.active, end.connections.accepted) == (4, 0, 2)
    assert (end.connections.failed, end.connections.rejected) == (0, 0)
    assert (end.messages.sent, end.messages.received) == (8, 8)
    if spoken.is_stream:
        assert end.bytes.sent == end.bytes.received > 0
    assert (end.errors.send, end.errors.receive, end.errors.timeout, end.errors.connection) == (0, 0, 0, 0)
    assert Metrics.from_dict(end.to_dict()) == end
    assert end.memory is None or 0 < end.memory.now <= end.memory.peak


@pytest.mark.parametrize("spoken", [kind for kind in KINDS if kind.scheme != "tcp" or kind.options], ids=str)
@on_every_stage()
async def test_pings_and_round_trips_are_counted(stage: Stage, spoken: Kind) -> None:
    bridge = Bridge(stage, **spoken.options)
    scheme = spoken.scheme
    async with (
        bridge.serve(f"{scheme}://127.0.0.1:0") as server,
        bridge.connect(f"{scheme}://127.0.0.1:{server.port}") as peer,
    ):
        trips = [await peer.ping() for _ in range(3)]
    metrics = bridge.metrics
    assert metrics.pings.sent == metrics.pings.received == metrics.pongs.sent == metrics.pongs.received == 3
    assert metrics.latency is not None
    assert metrics.latency.count == 3
    assert 0 <= metrics.latency.min <= metrics.latency.p50 <= metrics.latency.p999 <= metrics.latency.max <= max(trips)


@pytest.mark.parametrize(("scheme", "insecure"), [("wss", "ws"), ("tls", "tcp")])
@on_every_stage(Ability.TLS)
async def test_tls(stage: Stage, scheme: str, insecure: str) -> None:
    bridge = Bridge(stage, client_tls=stage.client_tls, server_tls=stage.server_tls)
    async with bridge.serve(f"{scheme}://127.0.0.1:0") as server, bridge.serve(f"{insecure}://127.0.0.1:0") as other:
        async with bridge.connect(f"{scheme}://127.0.0.1:{server.port}") as peer:
            await ask(peer, b"secret")
        async with bridge.connect(f"{insecure}://127.0.0.1:{other.port}") as peer:
            await ask(peer, b"open")
        with pytest.raises(ConnectionFailed):
            async with Bridge(stage).connect(f"{scheme}://127.0.0.1:{server.port}"):
                raise AssertionError("an unknown authority was trusted")
    assert bridge.metrics.messages.sent == 4


@pytest.mark.parametrize("scheme", ["ws+unix", "unix"])
@on_every_stage()
async def test_unix_sockets(stage: Stage, scheme: str, tmp_path: Path) -> None:
    bridge = Bridge(stage)
    address = f"{scheme}://{tmp_path}/app.sock"
    async with bridge.serve(address), bridge.connect(address) as peer:
        await ask(peer, b"near")
    assert bridge.metrics.connections.total == 2


# --- what does not come about -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["ws", "tcp"])
@on_every_stage()
async def test_an_attempt_that_fails_counts(stage: Stage, scheme: str) -> None:
    bridge = Bridge(stage)
    with pytest.raises(ConnectionRefused):
        async with bridge.connect(f"{scheme}://127.0.0.1:{free_port()}"):
            raise AssertionError("nobody listens there")
    metrics = bridge.metrics
    assert (metrics.connections.failed, metrics.connections.total) == (1, 0)
    assert (metrics.errors.connection, metrics.errors.timeout) == (1, 0)


@on_every_stage()
async def test_an_attempt_that_takes_too_long_counts(stage: Stage) -> None:
    bridge = Bridge(stage, timeouts=Timeouts(opening_timeout=0.05))
    done = stage.event()

    async def say_nothing(_: Any) -> None:
        await done.wait()

    async with stage.listen(say_nothing) as port:
        with pytest.raises(ConnectionTimeout):
            async with bridge.connect(f"ws://127.0.0.1:{port}"):
                raise AssertionError("nobody answers there")
        done.set()
    assert (bridge.metrics.connections.failed, bridge.metrics.errors.timeout) == (1, 1)


@on_every_stage()
async def test_whom_the_application_turns_away_counts(stage: Stage) -> None:
    bridge = Bridge(stage)

    def refuse(_: Any, __: Request) -> Response:
        return Response(403)

    async with bridge.serve("ws://127.0.0.1:0", process_request=refuse) as server:
        with pytest.raises(HandshakeRejected):
            async with bridge.connect(f"ws://127.0.0.1:{server.port}"):
                raise AssertionError("it was turned away")
    counts = bridge.metrics.connections
    assert (counts.total, counts.accepted, counts.rejected, counts.failed) == (0, 0, 1, 1)
    assert bridge.metrics.errors.send == 0


@pytest.mark.parametrize("spoken", KINDS[:4:3], ids=str)
@on_every_stage()
async def test_whom_there_is_no_room_for_counts(stage: Stage, spoken: Kind) -> None:
    bridge = Bridge(stage, max_connections=1, **spoken.options)
    async with bridge.serve(f"{spoken.scheme}://127.0.0.1:0") as server:
        where = f"{spoken.scheme}://127.0.0.1:{server.port}"
        async with bridge.connect(where) as first:
            await ask(first, b"here I am")
            with pytest.raises((HandshakeRejected, ConnectionClosed)):
                async with bridge.connect(where) as second:
                    await second.recv()
    counts = bridge.metrics.connections
    assert (counts.accepted, counts.rejected) == (1, 1)


@on_every_stage()
async def test_a_visitor_that_leaves_before_it_is_let_in_has_failed(stage: Stage) -> None:
    bridge = Bridge(stage)
    async with bridge.serve("ws://127.0.0.1:0") as server:
        raw = await stage.dial(server.port)
        raw.close()
        await stage.until(lambda: bridge.metrics.connections.failed)
    counts = bridge.metrics.connections
    assert (counts.accepted, counts.rejected, counts.failed, counts.active) == (0, 0, 1, 0)


@on_every_stage()
async def test_a_visitor_that_does_not_speak_http_is_turned_away(stage: Stage) -> None:
    bridge = Bridge(stage)
    async with bridge.serve("ws://127.0.0.1:0") as server:
        raw = await stage.dial(server.port)
        await raw.send(b"\0\0\r\n\r\n")
        while await raw.receive():
            pass
        raw.close()
        await stage.until(lambda: bridge.metrics.connections.rejected)
    assert (bridge.metrics.connections.failed, bridge.metrics.connections.rejected) == (0, 1)
    assert (bridge.metrics.errors.receive, bridge.metrics.errors.send) == (1, 0)


@on_every_stage()
async def test_a_peer_that_breaks_a_rule_counts(stage: Stage) -> None:
    bridge = Bridge(stage, codec=Frames(), limits=Limits(message_size=10))
    async with bridge.serve("tcp://127.0.0.1:0") as server:
        raw = await stage.dial(server.port)
        await raw.send(b"\xff\xff")
        while await raw.receive():
            pass
        raw.close()
        await stage.until(lambda: bridge.metrics.errors.receive)
    assert (bridge.metrics.errors.receive, bridge.metrics.connections.accepted) == (1, 1)


@on_every_stage()
async def test_a_connection_that_breaks_counts(stage: Stage) -> None:
    bridge = Bridge(stage)
    async with bridge.serve("tcp://127.0.0.1:0") as server:
        raw = await stage.dial(server.port)
        await stage.until(lambda: server.connections)
        raw.reset()
        await stage.until(lambda: not server.connections)
    assert (bridge.metrics.errors.connection, bridge.metrics.connections.total) == (1, 1)


@on_every_stage()
async def test_visitors_that_are_gone_at_once_are_not_counted_as_open(stage: Stage) -> None:
    bridge = Bridge(stage)
    async with bridge.serve("tcp://127.0.0.1:0") as server:
        for _ in range(20):
            raw = await stage.dial(server.port)
            raw.reset()
        async with bridge.connect(f"tcp://127.0.0.1:{server.port}") as peer:
            await ask(peer, b"the last one")
        await stage.until(lambda: not server.connections)
    assert bridge.metrics.connections.active == 0


# --- how much is kept -------------------------------------------------------------------------------------------------


@every_family
@on_every_stage()
async def test_past_connections_are_counted_and_not_kept(stage: Stage, scheme: str) -> None:
    bridge = Bridge(stage)
    async with bridge.serve(f"{scheme}://127.0.0.1:0") as server:
        for _ in range(20):
            async with bridge.connect(f"{scheme}://127.0.0.1:{server.port}") as peer:
                await ask(peer, b"hello")
    assert len(bridge.bridge._clients._present) <= 3
    assert bridge.metrics.connections.total == 40
    assert bridge.metrics.messages.sent == 40
    assert len(bridge.bridge._clients._present) == 0


@on_every_stage()
async def test_past_servers_are_counted_and_not_kept(stage: Stage) -> None:
    bridge = Bridge(stage)
    for _ in range(5):
        async with (
            bridge.serve("tcp://127.0.0.1:0") as server,
            bridge.connect(f"tcp://127.0.0.1:{server.port}") as peer,
        ):
            await ask(peer, b"hello")
        assert len(bridge.bridge._servers) == 1
    assert bridge.metrics.connections.accepted == 5
    assert bridge.metrics.connections.accepted == 5
    assert bridge.bridge._servers == []


# --- pools, and clients that come back --------------------------------------------------------------------------------


@on_every_stage()
async def test_connections_of_a_pool_are_counted(stage: Stage) -> None:
    bridge = Bridge(stage, pool_limits=PoolLimits(max_size=1), backoff=Backoff(initial=0.001, cap=0.01))
    async with bridge.serve("ws://127.0.0.1:0") as server:
        pool = bridge.bridge.pool(f"ws://127.0.0.1:{server.port}")
        if isinstance(stage, SocketsStage):
            with pool, pool.connection() as ws:
                await ask(faced(ws), "one", "two")
        else:
            async with pool, pool.connection() as ws:
                await ask(ws, "one", "two")
    counts = bridge.metrics
    assert (counts.connections.total, counts.connections.active, counts.messages.sent) == (2, 0, 4)


@on_every_stage()
async def test_attempts_of_a_pool_that_fail_are_counted(stage: Stage) -> None:
    bridge = Bridge(stage)
    pool = bridge.bridge.pool(f"ws://127.0.0.1:{free_port()}", retry=lambda _: False)
    if isinstance(stage, SocketsStage):
        with pytest.raises(ConnectionRefused), pool, pool.connection():
            raise AssertionError("nobody listens there")
    else:
        with pytest.raises(ConnectionRefused):
            async with pool, pool.connection():
                raise AssertionError("nobody listens there")
    assert bridge.metrics.connections.failed == 1


@pytest.mark.parametrize("is_told", [True, False])
@on_every_stage()
async def test_connections_that_come_back_are_counted(stage: Stage, is_told: bool) -> None:
    bridge = Bridge(stage, backoff=Backoff(initial=0.001, cap=0.01))
    told: list[Any] = []

    async def opened(ws: Any, _: Any) -> None:
        told.append(ws)

    async with bridge.serve("ws://127.0.0.1:0") as server:
        where = f"ws://127.0.0.1:{server.port}"
        if isinstance(stage, SocketsStage):
            tell: Any = {"opened": lambda ws, _: told.append(ws)} if is_told else {}
            with bridge.bridge.reconnect(where, **tell) as lives:
                for count, ws in enumerate(lives):
                    await ask(faced(ws), "again")
                    if count == 1:
                        break
        else:
            async with bridge.bridge.reconnect(where, **({"opened": opened} if is_told else {})) as lives:
                count = 0
                async for ws in lives:
                    await ask(ws, "again")
                    count += 1
                    if count == 2:
                        break
    assert (bridge.metrics.connections.total, bridge.metrics.messages.sent) == (4, 4)
    assert len(told) == (2 if is_told else 0)


# --- what cannot work -------------------------------------------------------------------------------------------------


@every_family
@on_every_stage()
async def test_an_option_that_nobody_knows_is_refused_at_once(stage: Stage, scheme: str) -> None:
    bridge = PACKAGES[stage.name].Bridge()
    port = free_port()
    for make in (
        functools.partial(bridge.connect, f"{scheme}://127.0.0.1:{port}"),
        functools.partial(bridge.serve, f"{scheme}://127.0.0.1:{port}", len),
        functools.partial(bridge.pool, f"ws://127.0.0.1:{port}"),
        functools.partial(bridge.reconnect, f"ws://127.0.0.1:{port}"),
        type(bridge),
    ):
        with pytest.raises(TypeError, match="unheard_of"):
            make(unheard_of=1)


@every_family
@on_every_stage()
async def test_who_cannot_listen_is_told_so(stage: Stage, scheme: str) -> None:
    bridge = Bridge(stage)
    async with bridge.serve(f"{scheme}://127.0.0.1:0") as server:
        with pytest.raises(BindFailed) as caught:
            async with bridge.serve(f"{scheme}://127.0.0.1:{server.port}"):
                raise AssertionError("somebody else listens there")
    assert isinstance(caught.value, OSError)
    assert (caught.value.errno, caught.value.code) == (errno.EADDRINUSE, -662)


@on_every_stage()
async def test_a_pool_is_one_of_websockets(stage: Stage) -> None:
    bridge = PACKAGES[stage.name].Bridge()
    with pytest.raises(ValueError, match="address of a pool"):
        bridge.pool("tcp://127.0.0.1:1")
    with pytest.raises(ValueError, match="address of a client that comes back"):
        bridge.reconnect("udp://127.0.0.1:1")


# --- what only some runtimes have -------------------------------------------------------------------------------------


def test_on_asyncio_both_can_be_awaited() -> None:
    async def play(_: Any) -> None:
        bridge = wsproto_asyncio.Bridge()
        server = await bridge.serve("ws://127.0.0.1:0", echo)
        peer = await bridge.connect(f"ws://127.0.0.1:{server.port}")
        await ask(peer, "hello")
        await peer.close()
        await server.close()
        assert bridge.metrics.messages.sent == 2

    AsyncioStage().perform(play)


def test_a_server_is_started_once() -> None:
    async def play(_: Any) -> None:
        serving = wsproto_asyncio.Bridge().serve("ws://127.0.0.1:0", echo)
        with pytest.raises(ServerNotStarted):
            assert serving.server
        async with serving as server:
            assert serving.server is server
            with pytest.raises(ServerAlreadyRunning):
                await serving

    AsyncioStage().perform(play)


def test_on_trio_both_can_live_in_a_nursery() -> None:
    async def play(_: Any) -> None:
        bridge = wsproto_trio.Bridge()
        async with trio.open_nursery() as nursery:
            server = await nursery.start(bridge.serve("ws://127.0.0.1:0", echo))
            peer = await bridge.connect(f"ws://127.0.0.1:{server.port}", nursery=nursery)
            await ask(peer, "hello")
            await peer.close()
            await server.close()
        assert bridge.metrics.messages.sent == 2

    TrioStage().perform(play)


def test_a_server_can_be_started_by_a_nursery_that_does_not_wait_for_it() -> None:
    async def play(_: Any) -> None:
        serving = wsproto_trio.Bridge().serve("ws://127.0.0.1:0", echo)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(serving)
            await trio.testing.wait_all_tasks_blocked()
            await serving.server.close()

    TrioStage().perform(play)


def test_on_anyio_both_can_live_in_a_task_group() -> None:
    async def play(_: Any) -> None:
        bridge = wsproto_anyio.Bridge()
        async with anyio.create_task_group() as group:
            server = await bridge.serve("ws://127.0.0.1:0", echo, task_group=group)
            peer = await bridge.connect(f"ws://127.0.0.1:{server.port}", task_group=group)
            await ask(peer, "hello")
            await peer.close()
            await server.close()
        assert bridge.metrics.messages.sent == 2

    AnyioOnTrioStage().perform(play)
