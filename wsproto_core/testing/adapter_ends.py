"""The two ends of a case: the adapter's own connection objects, and far ends that a case plays frame by frame."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Final, TypeAlias

from .._handshake.keys import accept_token
from .._types import Opcode, Role
from ..frames import Frame, parse_frames
from .adapter_expect import AdapterFailure, check, expect
from .adapter_stage import Ability, AdapterStage, RawStream, StagePeer, StageServer

__all__ = [
    "HANDSHAKE",
    "FarEnd",
    "address",
    "check_elapsed",
    "check_elapsed_at_most",
    "drain",
    "echo",
    "far_end",
    "http",
    "listening",
    "meeting",
    "pair",
    "settled",
    "visiting",
]

_KEY: Final = "dGhlIHNhbXBsZSBub25jZQ=="
_MASK: Final = b"\x12\x34\x56\x78"
#: A correct opening handshake of a client.
HANDSHAKE: Final = (
    "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    f"Sec-WebSocket-Key: {_KEY}\r\nSec-WebSocket-Version: 13\r\n\r\n"
).encode()

Options: TypeAlias = Mapping[str, Any]
#: A far end and, on the other side, a connection of the adapter under test.
Ends: TypeAlias = AbstractAsyncContextManager[tuple["FarEnd", StagePeer]]


class FarEnd:
    """The other side of one connection, played by the case. ``role`` is what the far end is."""

    def __init__(self, stream: RawStream, role: Role) -> None:
        self.stream = stream
        self._mask = _MASK if role is Role.CLIENT else None
        self._data = bytearray()
        self._frames = deque[Frame]()

    # --- frames -------------------------------------------------------------------------------------------------------

    def frame(
        self,
        opcode: int,
        payload: bytes = b"",
        *,
        final: bool = True,
        reserved: int = 0,
        length_size: int | None = None,
        is_masked: bool | None = None,
    ) -> bytes:
        """A frame with the parts of :class:`Frame`, masked as this side's must be if ``is_masked`` does not say."""
        mask = self._mask if is_masked is None else _MASK if is_masked else None
        return bytes(Frame(opcode, payload, final, reserved, mask, length_size))

    def close_frame(self, code: int = 1000, reason: str = "") -> bytes:
        """A close frame of this side."""
        return self.frame(Opcode.CLOSE, code.to_bytes(2, "big") + reason.encode())

    async def send(self, *data: bytes) -> None:
        """Send all of it at once."""
        await self.stream.send(b"".join(data))

    async def receive(self) -> Frame:
        """The next frame, its mask taken off. Raises :exc:`AdapterFailure` at the end."""
        while not self._frames:
            self._frames.extend(parse_frames(bytes(self._data)))
            del self._data[: sum(map(_wire_size, self._frames))]
            if not self._frames:
                await self._read("a frame")
        return self._frames.popleft()

    async def receive_close(self) -> tuple[int, str]:
        """Read up to a close frame; its code and reason."""
        while (frame := await self.receive()).opcode != Opcode.CLOSE:
            pass
        return int.from_bytes(frame.payload[:2], "big"), frame.payload[2:].decode()

    # --- bytes --------------------------------------------------------------------------------------------------------

    async def head(self) -> bytes:
        """An HTTP head."""
        while b"\r\n\r\n" not in self._data:
            await self._read("an HTTP head")
        size = self._data.index(b"\r\n\r\n") + 4
        head = bytes(self._data[:size])
        del self._data[:size]
        return head

    async def rest(self) -> bytes:
        """Everything up to the end, be it orderly or not. Nothing comes behind it."""
        rest = bytearray().join(map(bytes, self._frames)) + self._data
        try:
            while data := await self.stream.receive():
                rest += data
        except OSError:
            pass
        return bytes(rest)

    async def _read(self, what: str) -> None:
        try:
            data = await self.stream.receive()
        except OSError as error:
            raise AdapterFailure(f"expected {what}, came {error!r} behind {bytes(self._data)!r}") from error
        if not data:
            raise AdapterFailure(f"expected {what}, came the end behind {bytes(self._data)!r}")
        self._data += data

    # --- handshakes ---------------------------------------------------------------------------------------------------

    async def request(self, request: bytes = HANDSHAKE) -> None:
        """As a client: open the connection."""
        await self.send(request)
        expect("the status of the opening handshake", (await self.head())[9:12], b"101")

    async def answer(self, *headers: str, then: bytes = b"") -> None:
        """As a server: let the client in, with ``headers`` besides, and with ``then`` in the same packet."""
        await self.send(answer_to(await self.head(), *headers), then)


def _wire_size(frame: Frame) -> int:
    """The bytes of a frame that came, its length encoded in the fewest."""
    size = len(frame.payload)
    return 2 + (0 if size < 126 else 2 if size < 65_536 else 8) + (0 if frame.mask is None else 4) + size


def answer_to(request: bytes, *headers: str) -> bytes:
    """The 101 of an honest server."""
    name = b"sec-websocket-key:"
    key = next(line[len(name) :].strip() for line in request.split(b"\r\n") if line.lower().startswith(name))
    lines = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade", *headers]
    return "\r\n".join([*lines, f"Sec-WebSocket-Accept: {accept_token(key.decode())}", "", ""]).encode()


def address(server: StageServer | int, path: str = "/", *, scheme: str = "ws") -> str:
    """The URI of a server, or of a port."""
    port = server if isinstance(server, int) else server.port
    return f"{scheme}://127.0.0.1:{port}{path}"


def check_elapsed(stage: AdapterStage, since: float, seconds: float) -> None:
    """On a virtual clock, exactly so many seconds have passed. A real one promises nothing."""
    if Ability.VIRTUAL_CLOCK in stage.abilities:
        expect("the time that has passed", round(stage.now() - since, 2), seconds)


def check_elapsed_at_most(stage: AdapterStage, since: float, seconds: float) -> None:
    """On a virtual clock, no more than so many seconds have passed, and a moment for the last words."""
    if Ability.VIRTUAL_CLOCK in stage.abilities:
        check(f"at most {seconds} seconds pass, not {stage.now() - since}", stage.now() - since <= seconds + 0.2)


async def settled(stage: AdapterStage, figure: Callable[[], int]) -> None:
    """Wait until ``figure`` has not changed for longer than a kernel holds an acknowledgement back."""
    before, looks = -1, 0
    while looks < 5:
        looks = looks + 1 if before == figure() else 0
        before = figure()
        await stage.sleep(0.01)


# --- handlers ---------------------------------------------------------------------------------------------------------


async def echo(ws: StagePeer) -> None:
    """Send back what comes."""
    async for message in ws:
        await ws.send(message)


async def drain(ws: StagePeer) -> None:
    """Read until the end, and say nothing."""
    async for _ in ws:
        pass


# --- both ends are the adapter's --------------------------------------------------------------------------------------


@asynccontextmanager
async def pair(
    stage: AdapterStage, *, client: Options | None = None, server: Options | None = None, scheme: str = "ws"
) -> AsyncGenerator[tuple[StagePeer, StagePeer], None]:
    """A client's and a server's connection object, of the same connection. Whatever the case leaves open is closed."""
    async with (
        meeting(stage, server or {}) as (serving, met),
        stage.connect(address(serving, scheme=scheme), **client or {}) as here,
        met() as there,
    ):
        yield here, there


@asynccontextmanager
async def meeting(
    stage: AdapterStage, options: Options
) -> AsyncGenerator[tuple[StageServer, Callable[[], AbstractAsyncContextManager[StagePeer]]], None]:
    """A server, and who waits for its first connection object, which is the case's until the end of that block."""
    peers: list[StagePeer] = []
    arrived, is_over = stage.event(), stage.event()

    async def handler(ws: StagePeer) -> None:
        peers.append(ws)
        arrived.set()
        await is_over.wait()

    @asynccontextmanager
    async def met() -> AsyncGenerator[StagePeer, None]:
        await arrived.wait()
        try:
            yield peers[0]
        finally:
            is_over.set()

    async with stage.serve(handler, **options) as serving:
        yield serving, met


# --- one end is the case's --------------------------------------------------------------------------------------------


def far_end(stage: AdapterStage, role: Role, options: Options | None = None, *, secure: bool = False) -> Ends:
    """An open connection between a far end in that ``role`` and the adapter in the other one."""
    return (far_client if role is Role.CLIENT else far_server)(stage, options or {}, secure)


@asynccontextmanager
async def far_client(
    stage: AdapterStage, options: Options, secure: bool
) -> AsyncGenerator[tuple[FarEnd, StagePeer], None]:
    """A far end that has connected to the adapter's server."""
    tls = {"ssl": stage.server_tls} if secure else {}
    async with (
        meeting(stage, {**options, **tls}) as (serving, met),
        visiting(stage, serving.port, tls=stage.client_tls if secure else None) as far,
    ):
        await far.request()
        async with met() as ws:
            yield far, ws


@asynccontextmanager
async def far_server(
    stage: AdapterStage, options: Options, secure: bool
) -> AsyncGenerator[tuple[FarEnd, StagePeer], None]:
    """A far end to which the adapter's client has connected."""
    ends: list[FarEnd] = []
    is_open, is_over = stage.event(), stage.event()

    async def behave(far: FarEnd) -> None:
        await far.answer()
        ends.append(far)
        is_open.set()
        await is_over.wait()

    tls = {"ssl": stage.client_tls} if secure else {}
    scheme = "wss" if secure else "ws"
    async with (
        listening(stage, behave, secure=secure) as port,
        stage.connect(address(port, scheme=scheme), **options, **tls) as ws,
    ):
        await is_open.wait()
        try:
            yield ends[0], ws
        finally:
            is_over.set()


@asynccontextmanager
async def visiting(stage: AdapterStage, port: int, *, tls: Any = None) -> AsyncGenerator[FarEnd, None]:
    """A far end that has connected to ``port``, and said nothing yet."""
    stream = await stage.dial(port, tls=tls)
    try:
        yield FarEnd(stream, Role.CLIENT)
    finally:
        stream.close()


@asynccontextmanager
async def listening(
    stage: AdapterStage, behave: Callable[[FarEnd], Awaitable[None]], *, secure: bool = False
) -> AsyncGenerator[int, None]:
    """A port behind which ``behave`` plays the server. What it raises is raised at the end of the block, but for a
    connection that breaks.
    """
    failures: list[Exception] = []

    async def connected(stream: RawStream) -> None:
        try:
            await behave(FarEnd(stream, Role.SERVER))
        except OSError:
            pass
        except Exception as error:
            failures.append(error)
        finally:
            stream.close()

    async with stage.listen(connected, tls=stage.server_tls if secure else None) as port:
        yield port
    if failures:
        raise failures[0]


async def http(stage: AdapterStage, port: int, request: str | bytes) -> bytes:
    """Send ``request`` as it is; the whole answer, up to the end of the connection."""
    async with visiting(stage, port) as far:
        await far.send(request.encode() if isinstance(request, str) else request)
        return await far.rest()
