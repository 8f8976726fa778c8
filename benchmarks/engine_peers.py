"""The engines of other libraries, by the calls that their own adapters make. What they write goes nowhere."""

from __future__ import annotations

import asyncio
import logging
import socket
from typing import Any, cast

from engine_cases import Case
from engine_subjects import BATCH, Work
from wire import request

__all__ = ["Nowhere", "aiohttp", "fed", "picows", "picows_protocol", "websockets", "wsproto"]

#: Larger than anything that waits here.
HUGE = 1 << 30


class Nowhere(asyncio.Transport):
    """A transport that takes everything and keeps nothing."""

    def __init__(self) -> None:
        self._socket = socket.socket()  # picows asks for it, and uses it only while nothing waits to be written
        super().__init__({"socket": self._socket})

    def write(self, data: bytes | bytearray | memoryview) -> None:
        pass

    def writelines(self, list_of_data: Any) -> None:
        pass

    def get_write_buffer_size(self) -> int:
        return 1

    def is_closing(self) -> bool:
        return False


# --- picows -------------------------------------------------------------------------------------------------------


def picows(case: Case) -> Work | None:
    """Its asyncio protocol, which has no engine below it. What it is fed with is copied into its buffer first."""
    if case.deflate:
        return None
    from picows import WSFrame, WSListener, WSMsgType, WSTransport

    class Counter(WSListener):
        count = 0

        def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:  # noqa: ARG002  # its signature
            frame.get_payload_as_utf8_text()
            self.count += 1

    if case.direction == "receive" and case.role == "client":
        return None  # it would want an answer to a key that it keeps to itself
    counter = Counter()
    protocol = picows_protocol(counter, Nowhere(), is_client=case.role == "client")
    if case.role == "server":
        fed(protocol, request())
    reads, payload, send, kind = case.reads(), case.text.encode(), protocol.transport.send, WSMsgType.TEXT

    def receive() -> int:
        before = counter.count
        for data in reads:
            fed(protocol, data)
        return counter.count - before

    def send_all() -> int:
        for _ in range(case.count):
            send(kind, payload)
        return case.count

    return receive if case.direction == "receive" else send_all


def picows_protocol(listener: object, transport: Nowhere, *, is_client: bool) -> Any:
    """What it connects a transport to."""
    from picows import WSAutoPingStrategy
    from picows.picows import WSProtocol  # type: ignore[attr-defined]  # its stub leaves it out

    logger = logging.getLogger("picows")
    keepalive = (False, 20, 20, WSAutoPingStrategy.PING_WHEN_IDLE)
    protocol = WSProtocol(
        "localhost", "/", is_client, lambda _: listener, logger, True, None, *keepalive, True, HUGE, None, 65536
    )
    protocol.connection_made(transport)
    return protocol


def fed(protocol: Any, data: bytes) -> None:
    """Let ``data`` come."""
    rest = memoryview(data)
    while rest:
        buffer = memoryview(protocol.get_buffer(len(rest)))
        size = min(len(buffer), len(rest))
        buffer[:size] = rest[:size]
        protocol.buffer_updated(size)
        rest = rest[size:]


# --- aiohttp ------------------------------------------------------------------------------------------------------


def aiohttp(case: Case) -> Work:
    """Its reader with its queue, and its writer."""
    from aiohttp._websocket.reader import WebSocketDataQueue
    from aiohttp._websocket.writer import WebSocketWriter
    from aiohttp.base_protocol import BaseProtocol
    from aiohttp.http_websocket import WebSocketReader, WSMsgType

    loop = asyncio.get_running_loop()
    protocol = BaseProtocol(loop)
    protocol.connection_made(Nowhere())
    queue = WebSocketDataQueue(protocol, HUGE, loop=loop)
    reader = WebSocketReader(queue, HUGE, case.deflate, True)
    writer = WebSocketWriter(protocol, Nowhere(), use_mask=case.role == "client")
    reads = list(zip(case.reads(), case.ends(), strict=True))
    payload, kind = case.text.encode(), WSMsgType.TEXT

    async def receive() -> int:
        count = 0
        for data, ends in reads:
            reader.feed_data(data)
            for _ in range(ends):
                await queue.read()
            count += ends
        return count

    async def send() -> int:
        for _ in range(case.count):
            await writer.send_frame(payload, kind)
        return case.count

    return receive if case.direction == "receive" else send


# --- websockets ---------------------------------------------------------------------------------------------------


def websockets(case: Case) -> Work:
    """Its protocol, which has C for masking."""
    from websockets.extensions.permessage_deflate import PerMessageDeflate
    from websockets.protocol import CLIENT, SERVER, Protocol

    protocol = Protocol(SERVER if case.role == "server" else CLIENT, max_size=None)
    if case.deflate:
        protocol.extensions = [PerMessageDeflate(False, False, 15, 15)]
    reads, payload = case.reads(), case.text.encode()

    def receive() -> int:
        count = 0
        for data in reads:
            protocol.receive_data(data)
            for event in protocol.events_received():
                bytes(cast(Any, event).data).decode()  # every event is a frame
                count += 1
        return count

    def send() -> int:
        for index in range(case.count):
            protocol.send_text(payload)
            if index % BATCH == BATCH - 1:
                protocol.data_to_send()
        protocol.data_to_send()
        return case.count

    return receive if case.direction == "receive" else send


# --- wsproto ------------------------------------------------------------------------------------------------------


def wsproto(case: Case) -> Work:
    """Its connection."""
    from wsproto.connection import Connection, ConnectionType
    from wsproto.events import TextMessage
    from wsproto.extensions import PerMessageDeflate

    deflate = PerMessageDeflate()
    if case.deflate:
        deflate.accept("permessage-deflate")
    role = ConnectionType.SERVER if case.role == "server" else ConnectionType.CLIENT
    connection = Connection(role, [deflate] if case.deflate else [])
    reads, text = case.reads(), case.text

    def receive() -> int:
        count, parts = 0, []
        for data in reads:
            connection.receive_data(data)
            for event in connection.events():
                parts.append(cast(TextMessage, event).data)
                if cast(TextMessage, event).message_finished:
                    "".join(parts)
                    parts.clear()
                    count += 1
        return count

    def send() -> int:
        for _ in range(case.count):
            connection.send(TextMessage(text))
        return case.count

    return receive if case.direction == "receive" else send
