"""What leaves together on anyio leaves in one write, and who waits for room gets it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import anyio
import pytest

from tests.adapters.anyio_kit import Raw, drain, echo, eventually, everywhere, url
from tests.adapters.kit import TEXT, frame
from tests.adapters.writes import writes
from wsproto_anyio import WebSocket, connect, serve
from wsproto_core import Limits


def on_asyncio(test: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        with anyio.fail_after(20):
            await test()

    anyio.run(bounded, backend="asyncio")


def test_a_single_answer_is_in_the_kernel_when_send_returns(monkeypatch: pytest.MonkeyPatch) -> None:
    left: list[bytes] = []

    async def answer(ws: WebSocket) -> None:
        message = await ws.recv()
        with writes(monkeypatch) as written:
            await ws.send(message)
            left.extend(written)
        await drain(ws)

    async def scenario() -> None:
        async with serve(answer, "127.0.0.1", 0) as server, Raw.connect(server.port) as raw:
            await raw.send(frame(TEXT, b"hello"))
            assert (await raw.frame()).payload == b"hello"

    on_asyncio(scenario)
    assert left == [b"\x81\x05hello"]


def test_the_answers_to_one_read_leave_in_one_write(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        async with serve(echo, "127.0.0.1", 0) as server, Raw.connect(server.port) as raw:
            await eventually(lambda: server.connections)
            with writes(monkeypatch) as written:
                await raw.send(frame(TEXT, b"x") * 100)
                for _ in range(100):
                    await raw.frame()
        assert b"\x81\x01x" * 100 in written

    on_asyncio(scenario)


@everywhere
async def test_everybody_who_waits_for_room_gets_it() -> None:
    """Whoever makes room by writing at once tells the others."""

    async def speak(ws: WebSocket) -> None:
        async def one() -> None:
            for _ in range(20):
                await ws.send(bytes(40_000))

        async with anyio.create_task_group() as group:
            for _ in range(8):
                group.start_soon(one)
        await drain(ws)

    limits = Limits(outbox_size=1)
    async with serve(speak, "127.0.0.1", 0, limits=limits) as server, connect(url(server)) as ws:
        for _ in range(160):
            assert len(await ws.recv()) == 40_000
