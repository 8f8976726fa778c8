"""Every adapter on every loop, as client and as server, with every library."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from tests.adapters.kit import url
from tests.interop.kit import HUGE, LARGE, SIZES, Ending, converse, oblige
from tests.interop.peers import EVIL, REFUSAL, Opening, Papers, Peer, Refused, Visit
from tests.interop.runtimes import Ours, Runtime
from wsproto_core import (
    ConnectionClosedError,
    ConnectionClosedOK,
    HandshakeRejected,
    PerMessageDeflate,
    Request,
    Response,
)

CODES = (1000, 1001, 1011, 3000, 4999)

compression = pytest.mark.parametrize("deflate", [None, PerMessageDeflate()], ids=["plain", "deflate"])
security = pytest.mark.parametrize("secure", [False, True], ids=["ws", "wss"])


def serve(runtime: Runtime, endings: list[Ending], **options: Any) -> AbstractAsyncContextManager[Any]:
    """A server of ours that obliges, and adds to ``endings``."""

    async def handler(ws: Any) -> None:
        endings.append(await oblige(Ours(ws)))

    return runtime.serve(handler, "127.0.0.1", 0, subprotocols=["chat"], **options)


# --- our client -------------------------------------------------------------------------------------------------------


@security
@compression
async def test_our_client(
    runtime: Runtime, peer: Peer, deflate: PerMessageDeflate | None, secure: bool, papers: Papers
) -> None:
    with peer.serve(deflate, papers if secure else None) as served:
        options: dict[str, Any] = {"ssl": papers.client()} if secure else {}
        options |= {"compression": deflate, "subprotocols": ["x", "chat"], "limits": LARGE}
        async with runtime.connect(served.uri, **options) as ws:
            assert ws.subprotocol == "chat"
            assert ws.extensions == (("permessage-deflate",) if deflate else ())
            await converse(Ours(ws), SIZES)
            await ws.close(4000, "bye")
        assert (ws.close_report.sent_code, ws.close_report.clean) == (4000, True)
        async with runtime.connect(served.uri, **options) as ws:
            pass
        assert ws.close_report.ok
    # Each was noted by a thread or a task of its own, when that had its turn.
    assert sorted(served.endings) == [(1000, ""), (4000, "bye")]


async def test_our_client_and_ten_megabytes(runtime: Runtime, peer: Peer) -> None:
    with peer.serve() as served:
        async with runtime.connect(served.uri, limits=LARGE) as ws:
            await converse(Ours(ws), HUGE)


async def test_their_server_closes(runtime: Runtime, peer: Peer) -> None:
    with peer.serve() as served:
        for code in CODES:
            async with runtime.connect(served.uri) as ws:
                await ws.send(f"close {code} tschüß")
                with pytest.raises(ConnectionClosedOK if code < 1002 else ConnectionClosedError, match="tschüß"):
                    await ws.recv()
                report = await ws.wait_closed()
            assert (report.code, report.reason, report.received_code, report.clean) == (code, "tschüß", code, True)


async def test_their_server_drops_the_connection(runtime: Runtime, peer: Peer) -> None:
    with peer.serve() as served:
        async with runtime.connect(served.uri) as ws:
            await ws.send("abort")
            with pytest.raises(ConnectionClosedError):
                await ws.recv()
            report = await ws.wait_closed()
        assert (report.code, report.received_code, report.clean) == (1006, None, False)


async def test_their_server_refuses(runtime: Runtime, peer: Peer) -> None:
    with peer.serve() as served:
        for uri, origin in ((served.uri + "refuse", None), (served.uri, EVIL)):
            with pytest.raises(HandshakeRejected) as caught:
                async with runtime.connect(uri, origin=origin):
                    pass
            assert caught.value.status == 403
            if origin is None:
                assert caught.value.headers["x-why"] == "closed"
                assert caught.value.body.decode() == REFUSAL
        await runtime.in_thread(bool)  # the loop goes on, and hangs up: their server, which waits for that, blocks it


# --- our server -------------------------------------------------------------------------------------------------------


@security
@compression
async def test_our_server(
    runtime: Runtime, peer: Peer, deflate: PerMessageDeflate | None, secure: bool, papers: Papers
) -> None:
    endings: list[Ending] = []
    options: dict[str, Any] = {"compression": PerMessageDeflate(), "limits": LARGE}
    context = papers.server() if secure else None
    async with serve(runtime, endings, ssl=context, **options) as server:
        plan = Visit(deflate, papers if secure else None, goodbye=Ending(4000, "bye"))
        opening, ending = await runtime.in_thread(peer.visit, url(server, secure=secure), plan)
        assert opening == Opening("chat", deflate is not None)
        assert ending.code == 4000
    assert endings == [(4000, "bye")]


async def test_our_server_and_ten_megabytes(runtime: Runtime, peer: Peer) -> None:
    async with serve(runtime, [], limits=LARGE) as server:
        await runtime.in_thread(peer.visit, url(server), Visit(sizes=HUGE))


async def test_several_of_their_clients_at_once(runtime: Runtime, peer: Peer) -> None:
    endings: list[Ending] = []
    async with serve(runtime, endings, limits=LARGE) as server:

        def visit() -> None:
            with ThreadPoolExecutor(3) as pool:
                for visitor in [pool.submit(peer.visit, url(server), Visit()) for _ in range(3)]:
                    visitor.result()

        await runtime.in_thread(visit)
    assert endings == [(1000, "")] * 3


async def test_our_server_closes(runtime: Runtime, peer: Peer) -> None:
    async with serve(runtime, []) as server:
        for code in CODES:
            goodbye = f"close {code} tschüß"
            _, ending = await runtime.in_thread(peer.visit, url(server), Visit(sizes=(), goodbye=goodbye))
            assert ending == (code, "tschüß")


async def test_their_client_closes(runtime: Runtime, peer: Peer) -> None:
    endings: list[Ending] = []
    async with serve(runtime, endings) as server:
        for code in CODES:
            goodbye = Ending(code, "tschüß")
            _, ending = await runtime.in_thread(peer.visit, url(server), Visit(sizes=(), goodbye=goodbye))
            assert ending.code == code
    assert endings == [(code, "tschüß") for code in CODES]


async def test_their_client_learns_of_its_offence(runtime: Runtime, peer: Peer) -> None:
    async with serve(runtime, []) as server:
        too_large = "x" * ((1 << 20) + 1)
        _, ending = await runtime.in_thread(peer.visit, url(server), Visit(sizes=(), goodbye=too_large))
        assert ending.code == 1009


async def test_our_server_refuses(runtime: Runtime, peer: Peer) -> None:
    def refuse(ws: object, request: Request) -> Response:
        return Response(status=401, body=b"who are you?")

    async with serve(runtime, [], process_request=refuse) as server:
        with pytest.raises(Refused) as caught:
            await runtime.in_thread(peer.visit, url(server), Visit())
    assert caught.value.status == 401
    assert caught.value.body in (None, "who are you?")
