"""Node's ``ws``, in both directions."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.adapters.kit import url
from tests.interop.kit import LARGE, MESSAGES, echo_all, node, read_events, talk
from wsproto_asyncio import connect, serve
from wsproto_core import (
    ConnectionClosedError,
    ConnectionClosedOK,
    HandshakeRejected,
    PerMessageDeflate,
    Request,
    Response,
)

#: Names as ``ws`` has them, for a client's offer or a server's terms.
DEFLATE: list[dict[str, Any]] = [
    {},
    {"serverNoContextTakeover": True, "clientNoContextTakeover": True},
    {"serverNoContextTakeover": True},
    {"clientNoContextTakeover": True},
    {"serverMaxWindowBits": 9, "clientMaxWindowBits": 9},
    {"serverMaxWindowBits": 10},
    {"clientMaxWindowBits": 12},
    {"threshold": 0, "serverNoContextTakeover": True, "serverMaxWindowBits": 9, "clientMaxWindowBits": 9},
]


@pytest.mark.parametrize("deflate", [False, *DEFLATE], ids=str)
async def test_its_client(deflate: dict[str, Any] | bool) -> None:
    compression = None if deflate is False else PerMessageDeflate()
    async with serve(echo_all, "127.0.0.1", 0, compression=compression, limits=LARGE, subprotocols=["chat"]) as server:
        process = await node(
            "client.js",
            url=url(server),
            subprotocols=["other", "chat"],
            options={"perMessageDeflate": deflate, "maxPayload": 20_000_000},
            close=[4000, "bye"] if deflate else None,
        )
        events = await read_events(process)
    assert events[0]["event"] == "open"
    assert events[0]["protocol"] == "chat"
    assert ("permessage-deflate" in events[0]["extensions"]) == (deflate is not False)
    messages = [event for event in events if event["event"] == "message"]
    assert len(messages) == 17
    assert all(event["same"] for event in messages)
    assert {"event": "pong", "data": "are you there?"} in events
    assert events[-1]["event"] == "close"
    assert (events[-1]["code"], events[-1]["reason"]) == ((4000, "") if deflate else (4001, "as you wish"))


async def test_its_client_is_refused() -> None:
    def refuse(ws: object, request: Request) -> Response:
        return Response(status=403)

    async with serve(echo_all, "127.0.0.1", 0, process_request=refuse) as server:
        events = await read_events(await node("client.js", url=url(server)))
    assert events[0] == {"event": "rejected", "status": 403}


@contextlib.asynccontextmanager
async def its_server(**arguments: Any) -> AsyncIterator[tuple[str, list[dict[str, Any]]]]:
    """A ``ws`` server; yields its address, and a list that holds what it said once it has ended."""
    process = await node("server.js", **arguments)
    events: list[dict[str, Any]] = []
    assert process.stdout is not None
    port = json.loads(await process.stdout.readline())["port"]
    try:
        yield f"ws://127.0.0.1:{port}/", events
    finally:
        events += await asyncio.shield(read_events(process))


@pytest.mark.parametrize("deflate", [False, *DEFLATE], ids=str)
async def test_its_server(deflate: dict[str, Any] | bool) -> None:
    compression = None if deflate is False else PerMessageDeflate()
    async with (
        its_server(options={"perMessageDeflate": deflate}, subprotocol="chat") as (uri, events),
        connect(uri, compression=compression, limits=LARGE, subprotocols=["other", "chat"]) as ws,
    ):
        assert ws.subprotocol == "chat"
        assert bool(ws.extensions) == (deflate is not False)
        await talk(ws, MESSAGES)
        await ws.send_fragment("fra", final=False)
        assert await ws.ping() >= 0
        await ws.send_fragment("gments", final=True)
        assert await ws.recv() == "abc"
        await ws.send("ping me")
        assert await ws.recv() == "pong node"
        await ws.close(4000, "bye")
    assert events == [{"event": "close", "code": 4000, "reason": "bye"}]


@pytest.mark.parametrize(
    "offer",
    [
        PerMessageDeflate(server_no_context_takeover=True),
        PerMessageDeflate(client_no_context_takeover=True),
        PerMessageDeflate(server_max_window_bits=9),
        PerMessageDeflate(client_max_window_bits=9),
        PerMessageDeflate(server_max_window_bits=9, client_max_window_bits=9, server_no_context_takeover=True),
    ],
)
async def test_its_server_agrees_to_our_offer(offer: PerMessageDeflate) -> None:
    async with (
        its_server(options={"perMessageDeflate": {"threshold": 0}}) as (uri, _),
        connect(uri, compression=offer, limits=LARGE) as ws,
    ):
        assert ws.extensions == ("permessage-deflate",)
        await talk(ws, MESSAGES)


async def test_its_server_closes() -> None:
    async with its_server() as (uri, _):
        for code in (1000, 1001, 1011, 3000, 4999):
            ws = await connect(uri)
            await ws.send(f"close {code} tschüß")
            with pytest.raises(ConnectionClosedOK if code < 1002 else ConnectionClosedError):
                await ws.recv()
            report = await ws.wait_closed()
            assert (report.code, report.reason, report.clean) == (code, "tschüß", True)
        ws = await connect(uri)
        await ws.send("terminate")
        assert (await ws.wait_closed()).code == 1006


async def test_its_server_refuses() -> None:
    async with its_server(reject=403) as (uri, _):
        with pytest.raises(HandshakeRejected) as caught:
            await connect(uri)
        assert caught.value.status == 403
        assert caught.value.headers["x-why"] == "closed"
        assert caught.value.body == b"no entry"
