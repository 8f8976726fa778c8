"""What goes wrong on trio stays where it went wrong, and comes out as itself."""

from __future__ import annotations

import gc
import logging
from pathlib import Path
from typing import Any

import pytest
import trio

from tests.adapters.kit import TEXT, frame
from tests.adapters.trio_kit import Raw, drain, echo, eventually, trio_test, url
from wsproto_core import ConnectionClosedError
from wsproto_trio import WebSocket, connect, serve


@trio_test
async def test_what_is_no_exception_ends_the_server_and_comes_out_as_itself() -> None:
    async def leave(ws: WebSocket) -> None:
        async with trio.open_nursery():
            raise SystemExit(3)

    with pytest.raises(SystemExit):
        async with serve(leave, "127.0.0.1", 0) as server, connect(url(server)):
            await trio.sleep_forever()


def test_a_failure_inside_is_logged_and_ends_one_connection(caplog: pytest.LogCaptureFixture) -> None:
    def broken(data: object, now: float) -> None:
        raise RuntimeError("a mistake of ours")

    @trio_test
    async def scenario() -> None:
        async with serve(echo, "127.0.0.1", 0) as server:
            async with Raw.connect(server.port) as raw:
                (ws,) = server.connections
                ws.engine.receive_data = broken  # type: ignore[method-assign,assignment]  # the mistake
                await raw.send(frame(TEXT, b"x"))
                await raw.rest()
                assert isinstance((await ws.wait_closed()).error, RuntimeError)
            async with connect(url(server)) as ws:  # it still serves
                await ws.send("x")
                assert await ws.recv() == "x"

    scenario()
    assert [record.getMessage().split()[-1] for record in caplog.records if record.levelno > logging.INFO] == ["failed"]


@pytest.mark.parametrize("kind", ["plain", "in a nursery"])
def test_a_handler_that_fails_while_it_is_cancelled(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    async def fail(ws: WebSocket) -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise KeyError("boom")

    async def handler(ws: WebSocket) -> None:
        if kind == "plain":
            await fail(ws)
        else:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(fail, ws)
                nursery.start_soon(trio.sleep_forever)

    @trio_test
    async def scenario() -> None:
        for ending in ("grace period", "scope"):
            with trio.CancelScope() as scope:
                async with serve(handler, "127.0.0.1", 0) as server, connect(url(server)):
                    await eventually(lambda: server.connections)
                    if ending == "scope":
                        scope.cancel()
                    await server.close(grace_period=0.01)

    scenario()
    errors = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert [record.name for record in errors] == ["wsproto_trio"] * 2


@trio_test
async def test_nothing_waits_behind_a_cancelled_verb() -> None:
    async with serve(drain, "127.0.0.1", 0) as server, connect(url(server)) as ws:
        for verb in (ws.recv, ws.wait_closed, ws.recv):
            with trio.move_on_after(0.01):
                await verb()
        assert len(ws.link._lot) == 0
        (there,) = server.connections
        there.abort()
        with pytest.raises(ConnectionClosedError):
            await ws.recv()


@trio_test
async def test_connections_leave_no_tasks_and_no_memory() -> None:
    async def once() -> None:
        async with connect(url(server)) as ws:
            await ws.send("x")
            assert await ws.recv() == "x"

    def count() -> int:
        gc.collect()
        return sum(isinstance(thing, WebSocket) for thing in gc.get_objects())

    async with serve(echo, "127.0.0.1", 0) as server:
        tasks = len(server.nursery.child_tasks)
        before = count()
        for _ in range(20):
            await once()
        await eventually(lambda: not server.reception.everyone)
        await eventually(lambda: len(server.nursery.child_tasks) == tasks)
        assert count() <= before + 1


@trio_test
async def test_where_it_cannot_listen(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a socket")
    table: list[dict[str, Any]] = [{"unix_path": tmp_path / "file"}, {"port": 0, "host": ["127.0.0.1", "192.0.2.1"]}]
    for options in table:
        with pytest.raises(OSError, match=r"in use|assign"):
            async with serve(echo, **options):
                pytest.fail("it listens")
