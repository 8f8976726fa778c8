"""Large messages are compressed and inflated by threads: meanwhile nobody else waits."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from .._config import Limits
from .._extensions.permessage_deflate import PerMessageDeflate
from .._types import Opcode
from .adapter_case import case
from .adapter_ends import HANDSHAKE, FarEnd, address, echo, settled, visiting
from .adapter_expect import check, expect
from .adapter_stage import Ability, AdapterStage, StageServer

_LIMITS: Final = Limits(message_size=1 << 23, outbox_size=1 << 23)
_COMPRESSING: Final[Mapping[str, Any]] = MappingProxyType({"compression": PerMessageDeflate(), "limits": _LIMITS})
_REQUEST: Final = HANDSHAKE.replace(b"\r\n\r\n", b"\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n")


@case("what takes long to compress holds up neither others nor the connection's own pings", needs=[Ability.WORKERS])
async def a_large_message_is_compressed_while_others_talk(stage: AdapterStage) -> None:
    text = _large_text()
    async with (
        stage.serve(echo, **_COMPRESSING) as server,
        stage.connect(address(server), **_COMPRESSING) as large,
        stage.connect(address(server), **_COMPRESSING) as small,
    ):
        async with stage.hold_workers():
            large.send_nowait(text)
            coming = stage.spawn(large.recv)
            await small.send("hello")
            expect("the echo of who sends little", await small.recv(), "hello")
            await large.ping()
            check("the large message is not compressed yet", large.statistics.bytes_sent < 1000)
        check("the large message comes back as it was", await coming.outcome() == text)


@case("what takes long to inflate holds up neither others nor what is sent", needs=[Ability.WORKERS])
async def a_large_message_is_inflated_while_others_talk(stage: AdapterStage) -> None:
    text = _large_text().encode()
    context = PerMessageDeflate().confirm((), _LIMITS)
    compressed = context.encode(text, True)
    async with (
        stage.serve(echo, **_COMPRESSING) as server,
        visiting(stage, server.port) as far,
        stage.connect(address(server), **_COMPRESSING) as small,
    ):
        await far.request(_REQUEST)
        async with stage.hold_workers():
            sending = stage.spawn(far.send, far.frame(Opcode.TEXT, compressed, reserved=4))
            await stage.until(lambda: _bytes_received(server) > 10_000)
            await settled(stage, lambda: _bytes_received(server))
            await small.send("hello")
            expect("the echo of who sends little", await small.recv(), "hello")
            received = sorted(ws.statistics.messages_received for ws in server.connections)
            expect("what the two connections have received", received, [0, 1])
        check("the large message comes back as it was", context.decode(await _message(far), True) == text)
        await sending.outcome()


def _large_text() -> str:
    """Four megabytes, which are a third of that once they are compressed."""
    return " ".join([str(number * number) for number in range(400_000)])


def _bytes_received(server: StageServer) -> int:
    return sum(ws.statistics.bytes_received for ws in server.connections)


async def _message(far: FarEnd) -> bytes:
    """The payload of the next message, of all its fragments."""
    frame = await far.receive()
    payload = bytearray(frame.payload)
    while not frame.final:
        frame = await far.receive()
        payload += frame.payload
    return bytes(payload)
