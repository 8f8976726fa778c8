"""Whose transports a server uses. That all of them do the same is what every other test of the adapter shows."""

from __future__ import annotations

import socket
import sys
from types import ModuleType

import pytest

from tests.adapters.kit import Authority, echo, eventually, url
from wsproto_asyncio import connect, serve

WISH = "WSPROTO_ASYNCIO_TRANSPORTS"
#: The package whose transports each loop has.
OWN = {"asyncio": "asyncio", "uvloop": "uvloop", "aiofastnet": "asyncio"}


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


@pytest.mark.parametrize("wish", [None, "own"])
async def test_a_server_has_transports_of_its_own(
    monkeypatch: pytest.MonkeyPatch, loop_kind: str, wish: str | None
) -> None:
    monkeypatch.delenv(WISH) if wish is None else monkeypatch.setenv(WISH, wish)
    assert await makers() == ("wsproto_asyncio", OWN[loop_kind])


async def test_a_server_has_those_that_are_asked_for(monkeypatch: pytest.MonkeyPatch, loop_kind: str) -> None:
    monkeypatch.setenv(WISH, "loop")
    assert await makers() == (OWN[loop_kind], OWN[loop_kind])
    monkeypatch.setenv(WISH, "aiofastnet")
    assert await makers() == ("aiofastnet", OWN[loop_kind])


async def test_another_wish_is_a_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(WISH, "fast")
    with pytest.raises(ValueError, match="WSPROTO_ASYNCIO_TRANSPORTS must be own, loop or aiofastnet, not 'fast'"):
        await serve(echo, "127.0.0.1", 0)


async def test_tls_is_the_loops(monkeypatch: pytest.MonkeyPatch, loop_kind: str) -> None:
    monkeypatch.delenv(WISH)
    assert await makers(authority=Authority()) == (OWN[loop_kind], OWN[loop_kind])


@pytest.mark.parametrize("missing", [None, ModuleType("aiofastnet")], ids=["not there", "too old"])
async def test_aiofastnet_is_never_required(monkeypatch: pytest.MonkeyPatch, missing: ModuleType | None) -> None:
    monkeypatch.setitem(sys.modules, "aiofastnet", missing)
    monkeypatch.delenv(WISH)
    assert (await makers())[0] == "wsproto_asyncio"
    monkeypatch.setenv(WISH, "aiofastnet")
    with pytest.raises(ValueError, match="not installed"):
        await serve(echo, "127.0.0.1", 0)


async def test_small_writes_do_not_wait_for_one_another() -> None:
    async with serve(echo, "127.0.0.1", 0) as server, connect(url(server)):
        await eventually(lambda: server.connections)
        (here,) = server.connections
        assert here.transport is not None
        assert here.transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
