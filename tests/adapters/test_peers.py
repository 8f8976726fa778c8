"""A function written for a ``Peer`` works with all of them: every peer of every adapter."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import wsproto_anyio
import wsproto_asyncio
import wsproto_sockets
import wsproto_trio
from tests.adapters.peers_kit import connecting, on_every_stage, serving
from tests.adapters.stages.base import Stage
from wsproto_core import (
    CloseReport,
    ConnectionClosed,
    ConnectionClosedOK,
    DatagramCodec,
    Delimited,
    Frames,
    Initiator,
    LengthPrefixed,
    LocalProtocolError,
    Message,
    Netstring,
    Peer,
    PerMessageDeflate,
    Raw,
    State,
    VarintPrefixed,
)

#: For mypy: every class of the runtimes with coroutines is a ``Peer``.
PEERS: tuple[type[Peer], ...] = (
    wsproto_asyncio.WebSocket,
    wsproto_asyncio.TcpPeer,
    wsproto_asyncio.UdpPeer,
    wsproto_trio.WebSocket,
    wsproto_trio.TcpPeer,
    wsproto_trio.UdpPeer,
    wsproto_anyio.WebSocket,
    wsproto_anyio.TcpPeer,
    wsproto_anyio.UdpPeer,
)
BLOCKING = (wsproto_sockets.WebSocket, wsproto_sockets.TcpPeer, wsproto_sockets.UdpPeer)


TYPED: list[Message] = ["ONE", b"TWO", "THREE"]
BYTES: list[Message] = [b"ONE", b"TWO", b"THREE"]
TEXT: list[Message] = ["ONE", "TWO", "THREE"]


@dataclass(frozen=True, kw_only=True)
class Kind:
    """What is spoken, and what there is to it."""

    name: str
    #: The last part of ``connect...`` and ``serve...``.
    door: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    #: What ``shout`` answers to the questions of ``converse``: every message has its type, or all have the same.
    answers: list[Message] = field(default_factory=BYTES.copy)
    pings: bool = False
    #: Whether codes and reasons reach the other side, and whether the end does at all.
    codes: bool = False
    tells_end: bool = True
    tls: bool = False
    unix: bool = False


def websocket(name: str, **facts: Any) -> Kind:
    return Kind(name=f"websocket {name}", answers=TYPED, pings=True, codes=True, **facts)


def frames(name: str, codec: Frames, **facts: Any) -> Kind:
    return tcp(f"{name} frames", codec, answers=TYPED, pings=True, codes=True, **facts)


def tcp(name: str, codec: Any, **facts: Any) -> Kind:
    return Kind(name=f"tcp {name}", door="_tcp", options={"codec": codec}, **facts)


def udp(name: str, codec: DatagramCodec, **facts: Any) -> Kind:
    return Kind(name=f"udp {name}", door="_udp", options={"codec": codec}, **facts)


KINDS = (
    websocket("bare"),
    websocket("compressed", options={"compression": PerMessageDeflate()}),
    websocket("tls", tls=True),
    websocket("unix", unix=True),
    tcp("1 byte", LengthPrefixed(1)),
    tcp("2 bytes, little", LengthPrefixed(2, "little")),
    tcp("4 bytes", LengthPrefixed()),
    tcp("8 bytes", LengthPrefixed(8)),
    tcp("varint", VarintPrefixed()),
    tcp("netstring", Netstring()),
    tcp("delimited", Delimited()),
    tcp("raw", Raw()),
    tcp("text", LengthPrefixed(text=True), answers=TEXT),
    tcp("lines", Delimited(b"\r\n", text=True), answers=TEXT),
    tcp("tls", LengthPrefixed(), tls=True),
    tcp("unix", LengthPrefixed(), unix=True),
    frames("plain", Frames()),
    frames("masked", Frames(masked=True)),
    frames("compressed", Frames(extensions=(PerMessageDeflate(),))),
    frames("tls", Frames(), tls=True),
    frames("unix", Frames(), unix=True),
    udp("verified", DatagramCodec(), pings=True, codes=True),
    udp("text", DatagramCodec(text=True), answers=TEXT, pings=True, codes=True),
    udp("unverified", DatagramCodec(verify=False), pings=True, codes=True),
    udp("headerless", DatagramCodec(verify=False, header=False), tells_end=False),
)
every_kind = pytest.mark.parametrize("spoken", KINDS, ids=lambda spoken: spoken.name)


@asynccontextmanager
async def served(stage: Stage, spoken: Kind, handler: Any, folder: Path) -> AsyncIterator[Callable[[], Any]]:
    """A server with ``handler``, and what makes a client of it."""
    server_options, client_options = dict(spoken.options), dict(spoken.options)
    if spoken.tls:
        server_options["ssl"], client_options["ssl"] = stage.server_tls, stage.client_tls
    if spoken.unix:
        server_options["unix_path"] = client_options["unix_path"] = str(folder / "socket")
    async with serving(stage, f"serve{spoken.door}", handler, **server_options) as server:
        where: tuple[Any, ...] = () if spoken.unix else ("127.0.0.1", server.port)
        if not spoken.door:
            authority = "localhost" if spoken.unix else f"127.0.0.1:{server.port}"
            where = (f"{'wss' if spoken.tls else 'ws'}://{authority}/",)
        yield lambda: connecting(stage, f"connect{spoken.door}", *where, **client_options)


# --- what is written for a Peer ---------------------------------------------------------------------------------------


async def shout(peer: Peer) -> None:
    """A handler: answers in capitals, and counts."""
    peer.data["answered"] = 0
    async for message in peer:
        await peer.send(message.upper())
        peer.data["answered"] += 1


async def converse(peer: Peer) -> list[Message]:
    """A client: asks, and returns the answers."""
    answers = []
    for question in ("one", b"two"):
        await peer.send(question)
        answers.append(await peer.recv())
    peer.send_nowait("three")
    async for answer in peer:
        answers.append(answer)
        break
    return answers


async def round_trip(peer: Peer) -> float | None:
    """Seconds, or ``None`` where nobody can tell."""
    try:
        return await peer.ping()
    except LocalProtocolError:
        return None


# --- tests ------------------------------------------------------------------------------------------------------------


def test_the_blocking_peers_have_the_same_names() -> None:
    names = {name for name in vars(Peer) if not name.startswith("_")}
    assert {"send", "recv", "ping", "close", "statistics", "remote_address"} <= names
    missing = [(peer, name) for peer in BLOCKING for name in names if not hasattr(peer, name)]
    # An instance has it from the beginning; no class does.
    assert missing == [(wsproto_sockets.UdpPeer, "local_address")]


@every_kind
@on_every_stage()
async def test_a_conversation(stage: Stage, spoken: Kind, tmp_path: Path) -> None:
    counts: list[int] = []
    addresses: list[tuple[Any, Any]] = []

    async def handler(peer: Peer) -> None:
        addresses.append((peer.remote_address, peer.local_address))
        await shout(peer)
        counts.append(peer.data["answered"])

    async with served(stage, spoken, handler, tmp_path) as connect:
        async with connect() as peer:
            assert (peer.state, peer.can_send, peer.close_report) == (State.OPEN, True, None)
            assert await converse(peer) == spoken.answers
            assert (peer.statistics.messages_sent, peer.statistics.messages_received) == (3, 3)
            assert min(peer.statistics.bytes_sent, peer.statistics.bytes_received) >= len("onetwothree")
            if not spoken.unix:  # a client there has no address
                assert addresses == [(peer.local_address, peer.remote_address)]
        assert peer.state is State.CLOSED
        if spoken.tells_end:
            await stage.until(lambda: counts)
            assert counts == [3]


@every_kind
@on_every_stage()
async def test_a_ping(stage: Stage, spoken: Kind, tmp_path: Path) -> None:
    async with served(stage, spoken, shout, tmp_path) as connect, connect() as peer:
        took = await round_trip(peer)
        if not spoken.pings:
            assert took is None
            assert peer.latency is None
            return
        assert took is not None
        assert took >= 0
        assert peer.latency is not None
        assert peer.latency.count >= 1
        assert peer.statistics.pongs_received == 1


@every_kind
@on_every_stage()
async def test_the_client_closes(stage: Stage, spoken: Kind, tmp_path: Path) -> None:
    reports: list[CloseReport] = []

    async def handler(peer: Peer) -> None:
        assert [message async for message in peer] in (["last words"], [b"last words"])
        reports.append(await peer.wait_closed())

    async with served(stage, spoken, handler, tmp_path) as connect:
        async with connect() as peer:
            await peer.send("last words")
            await peer.close(1001, "enough")
            with pytest.raises(ConnectionClosed) as sending:
                await peer.send("late")
            with pytest.raises(ConnectionClosed) as receiving:
                await peer.recv()
            assert sending.value.report is receiving.value.report is peer.close_report is await peer.wait_closed()
            assert not peer.can_send
            assert (peer.close_report.initiator, peer.close_report.code) == (Initiator.LOCAL, 1001)
        if spoken.tells_end:
            await stage.until(lambda: reports)
            assert as_told(reports[0]) == (Initiator.PEER, *((1001, "enough") if spoken.codes else (1005, "")))


@every_kind
@on_every_stage()
async def test_the_handler_returns(stage: Stage, spoken: Kind, tmp_path: Path) -> None:
    async def handler(peer: Peer) -> None:
        await peer.send(await peer.recv())

    async with served(stage, spoken, handler, tmp_path) as connect, connect() as peer:
        await peer.send("hello")
        assert await peer.recv() in ("hello", b"hello")
        if not spoken.tells_end:
            return
        with pytest.raises(ConnectionClosedOK) as closed:
            await peer.recv()
        assert as_told(closed.value.report) == (Initiator.PEER, 1000 if spoken.codes else 1005, "")
        assert [message async for message in peer] == []


def as_told(report: CloseReport) -> tuple[Initiator, int, str]:
    return report.initiator, report.code, report.reason
