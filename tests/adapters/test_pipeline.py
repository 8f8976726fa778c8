"""The same pipeline on every kind of peer of every adapter, and what its peers are told who do not have it."""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

import pytest

from tests.adapters.kit import eventually, url
from tests.adapters.peers_kit import (
    PACKAGES,
    ServerLike,
    connecting,
    echo,
    missed_by,
    on_every_stage,
    serving,
)
from tests.adapters.stages.base import Stage
from tests.adapters.stages.sockets_stage import SocketsStage, faced
from tests.core.pipeline.kit import KEY, OTHER_KEY, encrypting, ring
from wsproto_asyncio import Listener, WebSocket, connect, serve
from wsproto_core import (
    Backoff,
    CloseReport,
    Compress,
    ConnectionClosed,
    ConnectionClosedError,
    DatagramCodec,
    Delimited,
    Encrypt,
    Frames,
    Initiator,
    KeyRing,
    LengthPrefixed,
    Limits,
    Message,
    Peer,
    PerMessageDeflate,
    Pipeline,
    PipelineSession,
    Receive,
    Role,
    Violation,
)

BOTH: Final = Pipeline(Compress(), Encrypt(ring()))
WRONG: Final = Pipeline(encrypt=Encrypt(KeyRing({1: OTHER_KEY})))
FAST: Final = Backoff(initial=0.001, cap=0.002, stable_after=0.0)


@dataclass(frozen=True, kw_only=True)
class Kind:
    """What is spoken."""

    name: str
    #: The last part of ``connect...`` and ``serve...``.
    door: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    largest: int = 900_000


WEBSOCKET: Final = Kind(name="websocket")
DEFLATED: Final = Kind(name="deflated", options={"compression": PerMessageDeflate(threshold=0)})
TCP: Final = Kind(name="tcp", door="_tcp")
FRAMES: Final = Kind(name="frames", door="_tcp", options={"codec": Frames()})
VERIFIED: Final = Kind(name="udp verified", door="_udp", largest=60_000)
UNVERIFIED: Final = Kind(name="udp", door="_udp", options={"codec": DatagramCodec(verify=False)}, largest=60_000)
BARE: Final = Kind(
    name="udp bare", door="_udp", options={"codec": DatagramCodec(verify=False, header=False)}, largest=60_000
)
KINDS: Final = (WEBSOCKET, DEFLATED, TCP, FRAMES, VERIFIED, UNVERIFIED, BARE)


def of_kinds(*kinds: Kind) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("kind_of_peer", kinds, ids=lambda one: one.name)


@asynccontextmanager
async def served(
    stage: Stage, kind: Kind, handler: Any, pipeline: Pipeline | None, **options: Any
) -> AsyncIterator[tuple[ServerLike, Callable[[Pipeline | None], AbstractAsyncContextManager[Any]]]]:
    """A server with ``handler`` and ``pipeline``, and what makes a client with another one."""
    options = {**kind.options, **options}
    async with serving(stage, f"serve{kind.door}", handler, pipeline=pipeline, **options) as server:
        where = ("127.0.0.1", server.port) if kind.door else (f"ws://127.0.0.1:{server.port}/",)
        yield server, lambda own: connecting(stage, f"connect{kind.door}", *where, pipeline=own, **options)


@dataclass
class Visits:
    """A handler that answers what it can, and what it has seen."""

    messages: list[Message] = field(default_factory=list)
    errors: list[ConnectionClosedError] = field(default_factory=list)
    reports: list[CloseReport] = field(default_factory=list)

    async def __call__(self, peer: Peer) -> None:
        try:
            async for message in peer:
                self.messages.append(message)
                await peer.send(message)
        except ConnectionClosedError as error:
            self.errors.append(error)
        self.reports.append(await peer.wait_closed())


async def end_of(peer: Peer) -> ConnectionClosed:
    """What the application is told that goes on reading."""
    try:
        while True:
            await peer.recv()
    except ConnectionClosed as closed:
        return closed


# --- the same on every kind -------------------------------------------------------------------------------------------


@of_kinds(*KINDS)
@on_every_stage()
async def test_messages_are_what_they_were(stage: Stage, kind_of_peer: Kind) -> None:
    large = Random(0).randbytes(kind_of_peer.largest)
    messages = ["text", b"bytes", "€" * 1000, "", b"", large, bytes(kind_of_peer.largest), "the end"]
    async with served(stage, kind_of_peer, echo, BOTH) as (_, client), client(BOTH) as peer:
        for message in messages:
            await peer.send(message)
            assert await peer.recv() == message
        assert (peer.statistics.messages_sent, peer.statistics.messages_received) == (8, 8)


@of_kinds(WEBSOCKET, DEFLATED, TCP, VERIFIED)
@pytest.mark.parametrize("method", ["zlib", "zstd"])
@on_every_stage()
async def test_compression_only(stage: Stage, kind_of_peer: Kind, method: Any) -> None:
    if method == "zstd":
        pytest.importorskip("backports.zstd")
    text = "the same words again and again; " * 1000
    pipeline = Pipeline(Compress(method))
    async with served(stage, kind_of_peer, echo, pipeline) as (_, client), client(pipeline) as peer:
        for message in (text, text.encode(), "short"):
            await peer.send(message)
            assert await peer.recv() == message
        assert peer.statistics.bytes_sent < 3000
        assert peer.statistics.bytes_received < 3000


@on_every_stage()
async def test_nobody_between_can_read_it(stage: Stage) -> None:
    """A server without the pipeline sees what a proxy would see."""
    visits = Visits()
    async with served(stage, WEBSOCKET, visits, None) as (_, client), client(BOTH) as peer:
        await peer.send("attack at dawn")
        await stage.until(lambda: visits.messages)
    (sealed,) = visits.messages
    assert isinstance(sealed, bytes)
    assert len(sealed) == 14 + BOTH.overhead
    assert b"attack" not in sealed


@of_kinds(WEBSOCKET, TCP)
@on_every_stage()
async def test_any_number_of_writers(stage: Stage, kind_of_peer: Kind) -> None:
    """Who waits for room seals when there is some: nothing arrives in another order than it was sealed in."""
    visits = Visits()
    words = [f"{writer} {number} " + "x" * 500 for writer in range(5) for number in range(40)]

    async def write(peer: Any, writer: int) -> None:
        for word in words:
            if word.startswith(f"{writer} "):
                await peer.send(word)

    async def read(peer: Any) -> list[Message]:
        return [await peer.recv() for _ in words]

    limits = Limits(outbox_size=1000)
    async with served(stage, kind_of_peer, visits, BOTH, limits=limits) as (_, client), client(BOTH) as peer:
        reading = stage.spawn(read, peer)
        for task in [stage.spawn(write, peer, writer) for writer in range(5)]:
            await task.outcome()
        assert sorted(map(str, await reading.outcome())) == sorted(words)
    assert visits.errors == []


# --- keys -------------------------------------------------------------------------------------------------------------


@of_kinds(*KINDS)
@on_every_stage()
async def test_a_rotation_in_the_middle(stage: Stage, kind_of_peer: Kind) -> None:
    rings = [ring(), ring()]
    mine, theirs = (Pipeline(encrypt=Encrypt(keys)) for keys in rings)
    async with served(stage, kind_of_peer, echo, theirs) as (_, client), client(mine) as peer:

        async def works() -> None:
            for message in ("text", b"bytes"):
                await peer.send(message)
                assert await peer.recv() == message

        await works()
        for keys in rings:
            keys.add(2, OTHER_KEY)
            await works()
        for keys in rings:
            keys.use(2)
            await works()
        for keys in rings:
            keys.remove(1)
            await works()


@of_kinds(WEBSOCKET, FRAMES)
@on_every_stage()
async def test_a_wrong_key_is_a_clear_error_at_both_ends(stage: Stage, kind_of_peer: Kind) -> None:
    visits = Visits()
    async with served(stage, kind_of_peer, visits, BOTH) as (_, client), client(WRONG) as peer:
        await peer.send("hello")
        closed = await end_of(peer)
        await stage.until(lambda: visits.reports)
    assert isinstance(closed, ConnectionClosedError)
    assert (closed.report.initiator, closed.report.code) == (Initiator.PEER, 1008)
    assert "sealed with another key" in closed.report.reason
    (error,) = visits.errors
    assert error.report is visits.reports[0]
    assert (error.report.violation, error.report.code) == (Violation.BROKEN_SEAL, 1008)
    assert (error.report.initiator, error.report.sent_code) == (Initiator.LOCAL, 1008)
    assert "sealed with another key" in str(error)
    assert visits.messages == []


@on_every_stage()
async def test_a_wrong_key_over_tcp(stage: Stage) -> None:
    """There are no close codes: the peer sees the end."""
    visits = Visits()
    async with served(stage, TCP, visits, BOTH) as (_, client), client(WRONG) as peer:
        await peer.send("hello")
        closed = await end_of(peer)
        await stage.until(lambda: visits.reports)
    assert (closed.report.initiator, closed.report.code) == (Initiator.PEER, 1005)
    assert (visits.errors[0].report.violation, visits.errors[0].report.code) == (Violation.BROKEN_SEAL, 1008)


@on_every_stage()
async def test_who_has_a_wrong_key_does_not_come_back(stage: Stage) -> None:
    visits = Visits()

    async def come_back(server: ServerLike) -> None:
        async with aclosing(connections(stage, server, pipeline=WRONG)) as found:
            async for ws in found:
                await ws.send("hello")
                await ws.wait_closed()

    async with served(stage, WEBSOCKET, visits, BOTH) as (server, _):
        with pytest.raises(ConnectionClosedError) as closed:
            await come_back(server)
    assert closed.value.report.code == 1008
    assert len(visits.reports) == 1


@on_every_stage()
async def test_no_key_is_logged(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with served(stage, WEBSOCKET, Visits(), BOTH) as (_, client):
        for pipeline in (BOTH, WRONG, None):
            async with client(pipeline) as peer:
                await peer.send("hello")
                await (peer.recv() if pipeline is BOTH else end_of(peer))
    logged = "\n".join(f"{record.getMessage()} {record.args!r}" for record in caplog.records)
    assert "1008" in logged
    for key in (KEY, OTHER_KEY):
        assert repr(key)[2:20] not in logged
        assert key.hex() not in logged


# --- what somebody between does ---------------------------------------------------------------------------------------


def forged(attack: str) -> list[bytes]:
    """What reaches a server: two good messages, and then what somebody between has made of them."""
    client = own_session()
    sealed = [client.seal(word) for word in ("one", "two", "three", "four")]
    bad = {
        "tampered": sealed[2][:-1] + bytes([sealed[2][-1] ^ 1]),
        "replayed": sealed[0],
        "left out": sealed[3],
        "unsealed": b"three",
        "reflected": encrypting().session(os.urandom, role=Role.SERVER, limits=Limits(), ordered=True).seal("three"),
    }
    return [*sealed[:2], bad[attack], sealed[2]]


def own_session() -> PipelineSession:
    return encrypting().session(os.urandom, role=Role.CLIENT, limits=Limits(), ordered=True)


ATTACKS: Final = {
    "tampered": Violation.BROKEN_SEAL,
    "replayed": Violation.REPLAYED_MESSAGE,
    "left out": Violation.REPLAYED_MESSAGE,
    "unsealed": Violation.NOT_SEALED,
    "reflected": Violation.REFLECTED_MESSAGE,
}


@of_kinds(WEBSOCKET, DEFLATED, FRAMES, TCP)
@pytest.mark.parametrize("attack", ATTACKS)
@on_every_stage()
async def test_whatever_is_forged_ends_it(stage: Stage, kind_of_peer: Kind, attack: str) -> None:
    visits = Visits()
    async with served(stage, kind_of_peer, visits, encrypting()) as (_, client), client(None) as peer:
        for data in forged(attack):
            peer.send_nowait(data)
        closed = await end_of(peer)
        await stage.until(lambda: visits.reports)
    assert visits.messages == ["one", "two"]
    assert visits.reports[0].violation is ATTACKS[attack]
    assert visits.reports[0].code == 1008
    assert closed.report.code == (1005 if kind_of_peer is TCP else 1008)


@of_kinds(VERIFIED, UNVERIFIED, BARE)
@on_every_stage()
async def test_a_forged_datagram_is_dropped(stage: Stage, kind_of_peer: Kind) -> None:
    visits, seen = Visits(), []

    async def handler(peer: Any) -> None:
        seen.append(peer)
        await visits(peer)

    client_side = encrypting().session(os.urandom, role=Role.CLIENT, limits=Limits(), ordered=False)
    good, other = client_side.seal("good"), client_side.seal("other")
    async with served(stage, kind_of_peer, handler, encrypting()) as (_, client), client(None) as peer:
        for data in (b"unsealed", good[:-1] + bytes([good[-1] ^ 1]), good, good, other):
            await peer.send(data)
        answers = [client_side.open(await peer.recv()) for _ in range(2)]
        assert answers == visits.messages == ["good", "other"]
        assert seen[0].statistics.malformed == 3
        assert seen[0].close_report is None


@of_kinds(WEBSOCKET, FRAMES)
@on_every_stage()
async def test_a_server_without_the_pipeline(stage: Stage, kind_of_peer: Kind) -> None:
    visits = Visits()

    async def handler(peer: Any) -> None:
        await peer.send("not sealed")
        await visits(peer)

    async with served(stage, kind_of_peer, handler, None) as (_, client), client(BOTH) as peer:
        closed = await end_of(peer)
        await stage.until(lambda: visits.reports)
    assert closed.report.violation is Violation.NOT_SEALED
    assert "is not sealed" in str(closed)
    assert (visits.reports[0].initiator, visits.reports[0].code) == (Initiator.PEER, 1008)


@on_every_stage()
async def test_a_bomb(stage: Stage) -> None:
    visits = Visits()
    pipeline = Pipeline(Compress())
    async with served(stage, WEBSOCKET, visits, pipeline, limits=Limits(message_size=10_000)) as (_, client):
        async with client(pipeline) as peer:
            await peer.send(bytes(10_000))
            assert await peer.recv() == bytes(10_000)
            await peer.send(bytes(10_001))
            closed = await end_of(peer)
        await stage.until(lambda: visits.reports)
    assert (visits.reports[0].violation, closed.report.code) == (Violation.MESSAGE_TOO_BIG, 1009)


# --- many connections -------------------------------------------------------------------------------------------------


@on_every_stage()
async def test_a_broadcast_is_sealed_for_each(stage: Stage) -> None:
    ready: list[Any] = []

    async def handler(peer: Any) -> None:
        ready.append(peer)
        await peer.wait_closed()

    async with (
        served(stage, WEBSOCKET, handler, BOTH) as (server, client),
        client(BOTH) as first,
        client(BOTH) as second,
        client(BOTH) as third,
    ):
        await stage.until(lambda: len(ready) == 3)
        for message in ("news", b"\x00\xff"):
            assert missed_by(stage, server, message) == []
            assert [await peer.recv() for peer in (first, second, third)] == [message] * 3


async def connections(stage: Stage, server: ServerLike, **options: Any) -> AsyncGenerator[Any, None]:
    """``reconnect`` of the stage's adapter."""
    found = PACKAGES[stage.name].reconnect(f"ws://127.0.0.1:{server.port}/", backoff=FAST, **options)
    if isinstance(stage, SocketsStage):
        with found as them:
            for ws in them:
                yield faced(ws)
    else:
        async with found as them:
            async for ws in them:
                yield ws


@on_every_stage()
async def test_every_connection_begins_anew(stage: Stage) -> None:
    async def handler(peer: Any) -> None:
        await peer.send(await peer.recv())
        await peer.send(await peer.recv())
        await peer.close(1001)

    answers: list[Message] = []
    async with (
        served(stage, WEBSOCKET, handler, BOTH) as (server, _),
        aclosing(connections(stage, server, pipeline=BOTH)) as found,
    ):
        async for ws in found:
            for word in ("one", "two"):
                await ws.send(word)
                answers.append(await ws.recv())
            if len(answers) == 6:
                break
    assert answers == ["one", "two"] * 3


# --- what does not go together ----------------------------------------------------------------------------------------


@on_every_stage()
async def test_options_that_exclude_one_another(stage: Stage) -> None:
    package = PACKAGES[stage.name]
    handler: Any = (lambda _: None) if isinstance(stage, SocketsStage) else echo
    refused: list[tuple[Callable[[], object], str]] = [
        (lambda: package.connect("ws://localhost/", pipeline=BOTH, receive=Receive.CHUNKS), "receive"),
        (lambda: package.serve(handler, "127.0.0.1", 0, pipeline=BOTH, receive=Receive.FRAGMENTS), "receive"),
        (lambda: package.connect_tcp("localhost", 1, Delimited(), pipeline=BOTH), "codec"),
        (lambda: package.serve_tcp(handler, "127.0.0.1", 0, LengthPrefixed(text=True), pipeline=BOTH), "codec"),
        (lambda: package.connect_udp("localhost", 1, DatagramCodec(text=True), pipeline=BOTH), "codec"),
        (lambda: package.serve_udp(handler, "127.0.0.1", 0, DatagramCodec(text=True), pipeline=BOTH), "codec"),
    ]
    for make, argument in refused:
        with pytest.raises(ValueError, match=f"^{argument}: "):
            make()
    for door, *where in (
        ("connect", "ws://localhost/"),
        ("connect_tcp", "localhost", 1),
        ("connect_udp", "localhost", 1),
    ):
        with pytest.raises(TypeError, match="pipeline must be Pipeline, not KeyRing"):
            getattr(package, door)(*where, pipeline=ring())
    for door in ("serve", "serve_tcp", "serve_udp"):
        with pytest.raises(TypeError, match="pipeline must be Pipeline, not KeyRing"):
            getattr(package, door)(handler, "127.0.0.1", 0, pipeline=ring())


# --- the fast path of asyncio -----------------------------------------------------------------------------------------


async def test_a_listener_gets_opened_messages() -> None:
    told: list[Any] = []

    class Shout(Listener):
        def received(self, ws: WebSocket, message: Any) -> None:
            told.append(message)
            ws.send_nowait(message.upper())

        def closed(self, ws: WebSocket, report: CloseReport) -> None:
            told.append((report.violation, report.code))

    async with serve(Shout, "127.0.0.1", 0, pipeline=BOTH) as server:
        async with connect(url(server), pipeline=BOTH) as ws:
            for message in ("text", b"bytes"):
                await ws.send(message)
                assert await ws.recv() == message.upper()
        await eventually(lambda: len(told) == 3)
        assert told == ["text", b"bytes", (None, 1000)]
        told.clear()
        client = own_session()
        async with connect(url(server)) as ws:
            ws.send_nowait(client.seal("good"))
            ws.send_nowait(b"bad")
            assert client.open(await ws.recv()) == "GOOD"
            assert (await end_of(ws)).report.code == 1008
        await eventually(lambda: len(told) == 2)
        assert told == ["good", (Violation.NOT_SEALED, 1008)]
