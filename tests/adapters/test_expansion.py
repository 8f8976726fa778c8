"""Reads that expand, on every adapter: the rest of a read waits for the application and goes on by itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Final

import pytest

from tests.adapters.peers_kit import connecting, on_every_stage, serving
from tests.adapters.stages.base import Stage
from wsproto_asyncio import connect_tcp
from wsproto_core import (
    Compress,
    ConnectionClosed,
    LengthPrefixed,
    Limits,
    Peer,
    PerMessageDeflate,
    Pipeline,
    Role,
    Timeouts,
)

#: Each read brings many of them, and there is room for two.
SIZES: Final = [30_000 + number for number in range(200)]
LIMITS: Final = Limits(inbox_size=65_536)
PIPELINE: Final = Pipeline(Compress(threshold=0))
every_kind = pytest.mark.parametrize(
    ("door", "options"),
    [
        ("", {"compression": PerMessageDeflate(threshold=0)}),
        ("", {"pipeline": PIPELINE}),
        ("_tcp", {"pipeline": PIPELINE}),
    ],
    ids=["deflate", "pipeline", "tcp"],
)


async def flood(peer: Peer) -> None:
    """Send it all at once, and go."""
    for size in SIZES:
        await peer.send(bytes(size))


@asynccontextmanager
async def flooded(stage: Stage, door: str, options: dict[str, Any]) -> AsyncIterator[AbstractAsyncContextManager[Any]]:
    """What makes a client of a server that floods."""
    limits = Limits(outbox_size=1 << 30)
    async with serving(stage, f"serve{door}", flood, limits=limits, **options) as server:
        where = ("127.0.0.1", server.port) if door else (f"ws://127.0.0.1:{server.port}/",)
        yield connecting(stage, f"connect{door}", *where, limits=LIMITS, **options)


async def everything(peer: Any) -> list[int]:
    sizes: list[int] = []
    try:
        while True:
            sizes.append(len(await peer.recv()))
    except ConnectionClosed:
        return sizes


@every_kind
@on_every_stage()
async def test_all_of_it_comes_before_the_end(stage: Stage, door: str, options: dict[str, Any]) -> None:
    async with flooded(stage, door, options) as client, client as peer:
        assert await everything(peer) == SIZES
        report = await peer.wait_closed()
        assert report.clean
        assert report.received_code == (1005 if door else 1000)


@every_kind
@on_every_stage()
async def test_who_closes_in_the_middle_is_not_kept(stage: Stage, door: str, options: dict[str, Any]) -> None:
    async with flooded(stage, door, options) as client, client as peer:
        assert len(await peer.recv()) == SIZES[0]
        await peer.close()
        assert peer.close_report.timer is None
        rest = await everything(peer)
        assert rest == SIZES[1 : len(rest) + 1]
        assert len(rest) < len(SIZES) - 1


async def test_who_has_ended_its_half_still_reads_no_faster_than_it_expands() -> None:
    """On asyncio the end of the write side and the pause of reading are told apart."""
    session = PIPELINE.session(bytes, role=Role.SERVER, limits=Limits(), ordered=True)
    codec = LengthPrefixed(4)
    bomb = b"".join(codec.encode(session.seal(bytes(1 << 20)))) * 200

    async def pour(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                writer.write(bomb)
                await writer.drain()
        except ConnectionError:
            writer.close()

    async with await asyncio.start_server(pour, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        timeouts = Timeouts(closing_timeout=0.3)
        peer = await connect_tcp("127.0.0.1", port, codec=codec, pipeline=PIPELINE, limits=LIMITS, timeouts=timeouts)
        await peer.close()
        assert peer.close_report is not None
        assert peer.close_report.timer is not None
        assert 0 < peer.statistics.bytes_received < 8 << 20
