"""Every parameter of permessage-deflate, offered and granted, by us and by each library.

One runtime is enough for that: the bytes are made in the core, and no adapter looks at them.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import pytest

from tests.adapters.kit import url
from tests.interop.aiohttp_peer import Aiohttp
from tests.interop.kit import HUGE, LARGE, SIZES, converse, oblige
from tests.interop.node_peer import Ws
from tests.interop.peers import Peer, Visit
from tests.interop.runtimes import RUNTIMES, Ours, Runtime
from tests.interop.websockets_peers import WebsocketsAsyncio
from wsproto_core import PerMessageDeflate

#: Every parameter, alone and together, and windows between the least and the most.
EVERY = [
    *(
        PerMessageDeflate(
            server_no_context_takeover=server_restarts,
            client_no_context_takeover=client_restarts,
            server_max_window_bits=server_bits,
            client_max_window_bits=client_bits,
        )
        for server_restarts, client_restarts, server_bits, client_bits in product(
            (False, True), (False, True), (9, 15), (9, 15)
        )
    ),
    PerMessageDeflate(server_max_window_bits=10),
    PerMessageDeflate(client_max_window_bits=12),
]
#: Every border, and more than fits any window.
MODEST = SIZES[:-1]
#: Agrees to anything, and compresses everything.
WILLING = PerMessageDeflate(threshold=0)

WEBSOCKETS, AIOHTTP, WS = WebsocketsAsyncio(), Aiohttp(), Ws()


def terms(deflate: PerMessageDeflate) -> str:
    """A name for a test."""
    server = f"{deflate.server_max_window_bits}{'-restarts' * deflate.server_no_context_takeover}"
    client = f"{deflate.client_max_window_bits}{'-restarts' * deflate.client_no_context_takeover}"
    return f"server-{server}-client-{client}"


def every(*peers: Peer) -> pytest.MarkDecorator:
    """Run a test with each of ``peers`` and each of ``EVERY``."""
    cases = [pytest.param(peer, deflate, id=f"{peer.name}-{terms(deflate)}") for peer in peers for deflate in EVERY]
    return pytest.mark.parametrize(("peer", "deflate"), cases)


@pytest.fixture
def runtime() -> Runtime:
    return RUNTIMES[0]


async def be_the_client(
    runtime: Runtime, peer: Peer, ours: PerMessageDeflate, theirs: PerMessageDeflate, sizes: Sequence[int] = MODEST
) -> None:
    peer.require()
    with peer.serve(theirs) as served:
        async with runtime.connect(served.uri, compression=ours, limits=LARGE) as ws:
            assert ws.extensions == ("permessage-deflate",)
            await converse(Ours(ws), sizes)


async def be_the_server(
    runtime: Runtime, peer: Peer, ours: PerMessageDeflate, theirs: PerMessageDeflate, sizes: Sequence[int] = MODEST
) -> None:
    peer.require()

    async def handler(ws: Any) -> None:
        await oblige(Ours(ws))

    async with runtime.serve(handler, "127.0.0.1", 0, subprotocols=["chat"], compression=ours, limits=LARGE) as server:
        opening, _ = await runtime.in_thread(peer.visit, url(server), Visit(theirs, sizes=sizes))
        assert opening.is_compressed


@every(WEBSOCKETS, AIOHTTP, WS)
async def test_their_server_agrees_to_our_offer(runtime: Runtime, peer: Peer, deflate: PerMessageDeflate) -> None:
    await be_the_client(runtime, peer, deflate, WILLING)


@every(WEBSOCKETS, WS)
async def test_their_server_makes_terms(runtime: Runtime, peer: Peer, deflate: PerMessageDeflate) -> None:
    await be_the_client(runtime, peer, WILLING, deflate)


@every(WEBSOCKETS, WS)
async def test_our_server_agrees_to_their_offer(runtime: Runtime, peer: Peer, deflate: PerMessageDeflate) -> None:
    await be_the_server(runtime, peer, WILLING, deflate)


@every(WEBSOCKETS, AIOHTTP, WS)
async def test_our_server_makes_terms(runtime: Runtime, peer: Peer, deflate: PerMessageDeflate) -> None:
    await be_the_server(runtime, peer, deflate, WILLING)


@pytest.mark.parametrize("bits", range(9, 16))
async def test_windows_of_aiohttp(runtime: Runtime, bits: int) -> None:
    """The only parameter that it has."""
    await be_the_server(runtime, AIOHTTP, WILLING, PerMessageDeflate(client_max_window_bits=bits))


@pytest.mark.parametrize("peer", [WEBSOCKETS, AIOHTTP, WS], ids=lambda peer: peer.name)
async def test_ten_megabytes(runtime: Runtime, peer: Peer) -> None:
    await be_the_client(runtime, peer, WILLING, WILLING, HUGE)
    await be_the_server(runtime, peer, WILLING, WILLING, HUGE)
