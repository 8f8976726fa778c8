"""On trio, whatever may wait is a checkpoint."""

from __future__ import annotations

import trio
import trio.testing

from tests.adapters.trio_kit import echo, eventually, trio_test, url
from wsproto_trio import connect, serve


@trio_test
async def test_every_verb_is_a_checkpoint() -> None:
    async with serve(echo, "127.0.0.1", 0) as server, connect(url(server)) as ws:
        with trio.testing.assert_checkpoints():
            await ws.send("x")
        await eventually(lambda: ws.statistics.messages_received)
        with trio.testing.assert_checkpoints():
            assert await ws.recv() == "x"
        with trio.testing.assert_checkpoints():
            await ws.ping()
        with trio.testing.assert_checkpoints():
            await ws.close()
        with trio.testing.assert_checkpoints():
            await ws.close()
