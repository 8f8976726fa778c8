"""How asyncio's servers accept: where the loop cannot watch sockets, and where the system has none to give."""

from __future__ import annotations

import asyncio
import errno
import socket
from typing import Any

import pytest

from tests.adapters.kit import echo, eventually, url
from wsproto_asyncio import connect, serve
from wsproto_asyncio.listening import Acceptor


class Blind(asyncio.SelectorEventLoop):
    """Without ``add_reader``, as asyncio's loop on Windows is."""

    def add_reader(self, fd: Any, callback: Any, *args: Any) -> None:  # type: ignore[override]  # simpler than theirs
        raise NotImplementedError

    def remove_reader(self, fd: Any) -> bool:
        raise NotImplementedError


def test_a_loop_that_cannot_watch_sockets() -> None:
    async def converse() -> None:
        async with serve(echo, "127.0.0.1", 0) as server:
            for _ in range(3):
                async with connect(url(server)) as ws:
                    await ws.send("hello")
                    assert await ws.recv() == "hello"
            await server.stop_accepting()
            assert not server.sockets

    with asyncio.Runner(loop_factory=Blind) as runner:
        runner.run(converse())


class Exhausted(socket.socket):
    """Has nothing to give, at first."""

    failures = 2

    def accept(self) -> tuple[socket.socket, Any]:
        if self.failures:
            self.failures -= 1
            raise OSError(errno.EMFILE, "too many open files")
        return super().accept()


async def test_running_out_of_sockets_is_a_pause(caplog: pytest.LogCaptureFixture) -> None:
    welcomed: list[socket.socket] = []
    with Exhausted() as listening, socket.socket() as client:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        listening.setblocking(False)
        acceptor = Acceptor(listening, lambda newcomers: welcomed.extend(sock for sock, _ in newcomers))
        client.connect(listening.getsockname())
        await eventually(lambda: welcomed)
        welcomed.pop().close()
        listening.failures = 1
        with socket.socket() as other:
            other.connect(listening.getsockname())
            await eventually(lambda: len(caplog.records) == 3)
            acceptor.close()  # in the middle of the pause
            acceptor.close()
    assert not welcomed
    assert all("too many open files" in record.getMessage() for record in caplog.records)
