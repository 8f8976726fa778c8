"""Whose transports a server uses. That all of them do the same is what every other test of the adapter shows."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

from tests.adapters.kit import Authority, echo, eventually, url
from wsproto_asyncio import connect, serve

WISH = "WSPROTO_ASYNCIO_TRANSPORTS"


async def makers(*, authority: Authority | None = None) -> tuple[str, str]:
    """The packages whose transports a server and its client have; a message has gone both ways."""
    ssl = None if authority is None else authority.server()
    client_ssl = None if authority is None else authority.client()
    async with serve(echo, "127.0.0.1", 0, ssl=ssl) as server:
        uri = url(server, secure=authority is not None)
        async with connect(uri, ssl=client_ssl) as there:
            await there.send("hello")
            assert await there.recv() == "hello"
            await eventually(lambda: server.connections)
            (here,) = server.connections
            server_type, client_type = type(here.transport), type(there.transport)
            return server_type.__module__.partition(".")[0], client_type.__module__.partition(".")[0]


async def test_aiofastnet_is_used_where_it_is_installed(monkeypatch: pytest.MonkeyPatch, loop_kind: str) -> None:
    own = "uvloop" if loop_kind == "uvloop" else "asyncio"
    monkeypatch.delenv(WISH)
    assert await makers() == ("aiofastnet", own)
    monkeypatch.setenv(WISH, "loop")
    assert await makers() == (own, own)


async def test_tls_is_the_loops(monkeypatch: pytest.MonkeyPatch, loop_kind: str) -> None:
    own = "uvloop" if loop_kind == "uvloop" else "asyncio"
    monkeypatch.delenv(WISH)
    assert await makers(authority=Authority()) == (own, own)


@pytest.mark.parametrize("missing", [None, ModuleType("aiofastnet")], ids=["not there", "too old"])
async def test_it_is_never_required(
    monkeypatch: pytest.MonkeyPatch, loop_kind: str, missing: ModuleType | None
) -> None:
    own = "uvloop" if loop_kind == "uvloop" else "asyncio"
    monkeypatch.delenv(WISH)
    monkeypatch.setitem(sys.modules, "aiofastnet", missing)
    assert await makers() == (own, own)
