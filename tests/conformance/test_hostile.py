"""Hostile bytes over real sockets, against a server in a process of its own.

Two well-behaved clients echo the whole time and must never notice; the server's memory must stay within a bound.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import struct
import subprocess
import sys
import zlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest

from tests.adapters.kit import BINARY, CLOSE, HANDSHAKE, KEY, PING, TEXT, Raw, close_frame, frame, http
from wsproto_asyncio import connect
from wsproto_core import PerMessageDeflate

ROOT = Path(__file__).resolve().parent.parent.parent
#: What the server may grow by, whatever is done to it: connections by the hundred, of which few can be brought to hold
#: the default limit of 1 MiB at the same time. A bomb of 64 MB, or a message of a million parts, would show.
GROWTH = 32 * 1024 * 1024
DEFLATE_HANDSHAKE = HANDSHAKE[:-2] + b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"


@dataclass
class Target:
    """The server under attack."""

    port: int
    pid: int
    #: Resident memory before anybody had connected.
    baseline: int = 0

    def peak_memory(self) -> int:
        """Peak resident memory so far, in bytes."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) * 1024


@pytest.fixture(scope="module", params=["asyncio", "uvloop"])
def server(request: pytest.FixtureRequest) -> Iterator[Target]:
    if not Path("/proc/self/status").exists():
        pytest.skip("peak memory is read from /proc")
    command = [sys.executable, str(Path(__file__).with_name("server.py")), f"--{request.param}"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        target = Target(int(process.stdout.readline()), process.pid)
        target.baseline = target.peak_memory()
        yield target
        assert process.poll() is None
        process.stdin.close()
        assert process.wait(timeout=20) == 0


@contextlib.asynccontextmanager
async def bystanders(server: Target) -> AsyncIterator[None]:
    """Two clients that echo while the block runs. Each must get every answer; and memory must stay bounded."""
    stop = asyncio.Event()
    rounds = [0, 0]

    async def behave(who: int) -> None:
        compression = PerMessageDeflate() if who else None
        async with connect(f"ws://127.0.0.1:{server.port}/", compression=compression) as ws:
            while not stop.is_set():
                async with asyncio.timeout(8):
                    message = f"{who}: {rounds[who]} " * 20
                    await ws.send(message)
                    assert await ws.recv() == message
                rounds[who] += 1
                await asyncio.sleep(0.002)

    async with asyncio.TaskGroup() as group:
        for who in range(2):
            group.create_task(behave(who))
        while min(rounds) == 0:
            await asyncio.sleep(0.002)
        yield
        seen = list(rounds)
        while min(now - then for now, then in zip(rounds, seen, strict=True)) < 2:
            await asyncio.sleep(0.002)
        stop.set()
    growth = server.peak_memory() - server.baseline
    assert growth < GROWTH, f"the server grew by {growth} bytes"


@contextlib.asynccontextmanager
async def attacker(server: Target, handshake: bytes = HANDSHAKE) -> AsyncIterator[Raw]:
    async with Raw.connect(server.port, handshake=False) as raw:
        raw.send(handshake)
        assert (await raw.head()).startswith(b"HTTP/1.1 101 ")
        yield raw


async def pour(raw: Raw, data: bytes) -> None:
    """Send as long as the server listens."""
    with contextlib.suppress(ConnectionError):
        raw.send(data)
        await raw.writer.drain()


# --- the opening handshake --------------------------------------------------------------------------------------------


async def test_random_garbage(server: Target) -> None:
    chance = random.Random(6455)
    async with bystanders(server):
        for _ in range(60):
            async with Raw.connect(server.port, handshake=False) as raw:
                await pour(raw, chance.randbytes(chance.randrange(1, 20_000)))
                with contextlib.suppress(ConnectionError):
                    raw.writer.write_eof()
                answer = await raw.rest()
                assert not answer or answer.startswith(b"HTTP/1.1 4") or answer.startswith(b"HTTP/1.1 5")


async def test_random_garbage_as_frames(server: Target) -> None:
    chance = random.Random(7692)
    async with bystanders(server):
        for turn in range(60):
            async with attacker(server, DEFLATE_HANDSHAKE if turn % 2 else HANDSHAKE) as raw:
                await pour(raw, chance.randbytes(chance.randrange(1, 50_000)) + b"\xff\xff")
                with contextlib.suppress(ConnectionError, OSError):
                    raw.writer.write_eof()
                answer = await raw.rest()
                assert answer[:1] in (b"", b"\x88", b"\x81", b"\x82", b"\x8a", b"\xc1", b"\xc2")


async def test_a_handshake_cut_off_at_every_byte(server: Target) -> None:
    async with bystanders(server):

        async def cut(size: int) -> None:
            async with Raw.connect(server.port, handshake=False) as raw:
                raw.send(HANDSHAKE[:size])
                raw.writer.write_eof()
                answer = await raw.rest()
                assert answer.startswith(b"HTTP/1.1 400 ") or (size == 0 and not answer)

        for start in range(0, len(HANDSHAKE), 20):
            await asyncio.gather(*(cut(size) for size in range(start, min(start + 20, len(HANDSHAKE)))))


async def test_slow_loris(server: Target) -> None:
    """A byte now and then keeps no connection alive beyond the opening timeout."""

    async def loris() -> bytes:
        async with Raw.connect(server.port, handshake=False) as raw:
            reading = asyncio.create_task(raw.rest())
            for byte in HANDSHAKE[:-1] * 100:
                if reading.done():
                    break
                await pour(raw, bytes([byte]))
                await asyncio.sleep(0.03)
            return await reading

    async with bystanders(server):
        answers = await asyncio.gather(*(loris() for _ in range(50)))
    assert all(answer.startswith(b"HTTP/1.1 408 ") for answer in answers)


REFUSALS = {
    "long line": (HANDSHAKE[:-2] + b"X-Long: " + b"x" * 10_000 + b"\r\n\r\n", 431),
    "line without end": (HANDSHAKE[:-2] + b"X-Long: " + b"x" * 100_000, 431),
    "long section": (HANDSHAKE[:-2] + b"".join(b"X-%d: %b\r\n" % (n, b"x" * 400) for n in range(30)) + b"\r\n", 431),
    "many headers": (HANDSHAKE[:-2] + b"".join(b"X-%d: x\r\n" % n for n in range(60)) + b"\r\n", 431),
    "many empty headers": (HANDSHAKE[:-2] + b"X:\r\n" * 2000, 431),
    "long URI": (b"GET /" + b"x" * 9000 + HANDSHAKE[5:], 414),
    "URI without end": (b"GET /" + b"x" * 100_000, 414),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500), 400),
    "HTTP/2 preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9), 505),
    "smuggling": (HANDSHAKE[:-2] + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "two hosts": (HANDSHAKE[:-2] + b"Host: other\r\n\r\n", 400),
    "two keys": (HANDSHAKE[:-2] + f"Sec-WebSocket-Key: {KEY}\r\n\r\n".encode(), 400),
    "short key": (HANDSHAKE.replace(KEY.encode(), b"c2hvcnQ="), 400),
    "folded": (HANDSHAKE[:-2] + b"X: a\r\n b\r\n\r\n", 0),
    "NUL": (HANDSHAKE[:-2] + b"X: a\0b\r\n\r\n", 400),
    "bare CR": (HANDSHAKE[:-2] + b"X: a\rb\r\n\r\n", 400),
    "non-ASCII subprotocol": (HANDSHAKE[:-2] + b"Sec-WebSocket-Protocol: \xff\xfe\r\n\r\n", 400),
    "ReDoS": (HANDSHAKE[:-2] + b"Sec-WebSocket-Protocol: a" + b" " * 7000 + b"b\r\n\r\n", 400),
    "ReDoS extensions": (HANDSHAKE[:-2] + b'Sec-WebSocket-Extensions: a; b="' + b"\\" * 7000 + b"\r\n\r\n", 400),
}


@pytest.mark.parametrize("kind", REFUSALS)
async def test_a_request_beyond_the_limits_is_answered(server: Target, kind: str) -> None:
    request, status = REFUSALS[kind]
    async with bystanders(server), Raw.connect(server.port, handshake=False) as raw:
        await pour(raw, request)
        if status:
            head = await raw.reader.readuntil(b"\r\n")
            assert int(head.split()[1]) == status
        else:
            raw.writer.write_eof()
            assert (await raw.rest())[:12] in (b"HTTP/1.1 101", b"HTTP/1.1 400")


async def test_pipelined_requests_get_one_answer(server: Target) -> None:
    async with bystanders(server):
        answer = await http(server.port, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 50)
    assert answer.count(b"HTTP/1.1 ") == 1


async def test_frames_before_the_answer_are_frames(server: Target) -> None:
    """A request behind the handshake is not HTTP any more: it is an unmasked frame."""
    async with bystanders(server), Raw.connect(server.port, handshake=False) as raw:
        raw.send(HANDSHAKE + HANDSHAKE)
        await raw.head()
        assert await raw.close_code() == 1002


async def test_a_storm_of_connects(server: Target) -> None:
    async def come_and_go(number: int) -> None:
        with contextlib.suppress(ConnectionError):
            async with Raw.connect(server.port, handshake=False) as raw:
                if number % 3 == 1:
                    await pour(raw, HANDSHAKE)
                elif number % 3 == 2:
                    raw.reset()

    async with bystanders(server):
        for _ in range(5):
            await asyncio.gather(*(come_and_go(number) for number in range(150)))


# --- frames -----------------------------------------------------------------------------------------------------------

OFFENCES: dict[str, tuple[bytes, int]] = {
    "unmasked": (frame(TEXT, b"x", mask=None), 1002),
    "RSV1 without extension": (frame(TEXT, b"x", reserved=0x40), 1002),
    "RSV2": (frame(TEXT, b"x", reserved=0x20), 1002),
    "RSV3": (frame(TEXT, b"x", reserved=0x10), 1002),
    "RSV on a ping": (frame(PING, b"x", reserved=0x40), 1002),
    **{f"opcode {opcode:#x}": (frame(opcode, b""), 1002) for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)},
    "length in 16 bits without need": (b"\x81\xfe\x00\x7d", 1002),
    "length in 64 bits without need": (b"\x81\xff" + struct.pack("!Q", 65535), 1002),
    "length of 2^63": (b"\x81\xff" + struct.pack("!Q", 1 << 63), 1002),
    "length of 2^63 - 1": (b"\x81\xff" + struct.pack("!Q", (1 << 63) - 1), 1009),
    "first byte of a huge length": (b"\x82\xff\x01", 1009),
    "fragmented ping": (frame(PING, b"x", fin=False), 1002),
    "fragmented close": (frame(CLOSE, b"", fin=False), 1002),
    "ping of 126 bytes": (frame(PING, bytes(126)), 1002),
    "continuation of nothing": (frame(0, b"x"), 1002),
    "message inside a message": (frame(TEXT, b"a", fin=False) + frame(TEXT, b"b"), 1002),
    "close of one byte": (frame(CLOSE, b"\x03"), 1002),
    **{
        f"close code {code}": (close_frame(code), 1002)
        for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535)
    },
    "close reason": (frame(CLOSE, b"\x03\xe8\xff"), 1007),
    "text": (frame(TEXT, b"\xff"), 1007),
    "surrogate": (frame(TEXT, b"\xed\xa0\x80"), 1007),
    "overlong": (frame(TEXT, b"\xc0\xaf"), 1007),
    "beyond Unicode": (frame(TEXT, b"\xf4\x90\x80\x80"), 1007),
    "cut off character": (frame(TEXT, b"\xe2\x82"), 1007),
    "text in the middle of a fragment": (frame(TEXT, b"ok \xff", fin=False), 1007),
    "text in the middle of a frame": (frame(TEXT, b"\xff" * 1000)[:10], 1007),
    "message of 1 MiB and a byte": (b"\x82\xff" + struct.pack("!Q", (1 << 20) + 1), 1009),
    "fragments of 1 MiB and a byte": (
        frame(BINARY, bytes(1 << 20), fin=False) + frame(0, b"x"),
        1009,
    ),
}


@pytest.mark.parametrize("offence", OFFENCES)
async def test_an_offence_is_answered_with_its_code(server: Target, offence: str) -> None:
    data, code = OFFENCES[offence]
    async with bystanders(server), attacker(server) as raw:
        await pour(raw, data)
        assert await raw.close_code() == code
        assert await raw.rest() == b""


def deflated(data: bytes) -> bytes:
    """A compressed payload (RFC 7692 §7.2.1)."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return (packer.compress(data) + packer.flush(zlib.Z_SYNC_FLUSH))[:-4]


async def test_a_bomb(server: Target) -> None:
    """64 KB that inflate to 64 MB."""
    bomb = deflated(bytes(64 * 1024 * 1024))
    assert len(bomb) < 66_000
    async with bystanders(server):
        for _ in range(5):
            async with attacker(server, DEFLATE_HANDSHAKE) as raw:
                await pour(raw, frame(BINARY, bomb, reserved=0x40))
                assert await raw.close_code() == 1009


async def test_a_flood_of_small_bombs(server: Target) -> None:
    """A read of 256 KiB that inflates to 240 MiB, of messages that all keep to the limits. Every one is echoed."""
    bomb = frame(BINARY, deflated(bytes(1 << 20)), reserved=0x40)
    assert len(bomb) < 1100
    async with bystanders(server), attacker(server, DEFLATE_HANDSHAKE) as raw:
        await pour(raw, bomb * 240 + close_frame(1000))
        assert await raw.close_code() == 1000


async def test_a_bomb_in_fragments(server: Target) -> None:
    bomb = deflated(bytes(64 * 1024 * 1024))
    pieces = [bomb[start : start + 100] for start in range(0, len(bomb), 100)]
    frames = [frame(BINARY, pieces[0], fin=False, reserved=0x40), *(frame(0, piece, fin=False) for piece in pieces[1:])]
    async with bystanders(server), attacker(server, DEFLATE_HANDSHAKE) as raw:
        await pour(raw, b"".join(frames))
        assert await raw.close_code() == 1009


@pytest.mark.parametrize(
    ("payload", "code"),
    [(b"\xff\xff\xff\xff", 1007), (deflated(b"\xff\xfe"), 1007), (deflated(b"x" * 1000)[:-5], 1007)],
)
async def test_corrupt_compression(server: Target, payload: bytes, code: int) -> None:
    async with bystanders(server), attacker(server, DEFLATE_HANDSHAKE) as raw:
        await pour(raw, frame(TEXT, payload, reserved=0x40))
        assert await raw.close_code() == code


async def test_rsv1_on_a_continuation(server: Target) -> None:
    async with bystanders(server), attacker(server, DEFLATE_HANDSHAKE) as raw:
        await pour(raw, frame(TEXT, b"", fin=False, reserved=0x40) + frame(0, b"", reserved=0x40))
        assert await raw.close_code() == 1002


@pytest.mark.parametrize("size", [0, 1], ids=["empty", "one byte"])
async def test_a_million_fragments(server: Target, size: int) -> None:
    """Limits.max_fragments ends it after 131 072."""
    batch = frame(0, b"x" * size, fin=False) * 10_000
    async with bystanders(server), attacker(server) as raw:
        await pour(raw, frame(TEXT, b"x", fin=False))
        reading = asyncio.create_task(raw.close_code())
        for _ in range(100):
            await pour(raw, batch)
            if reading.done():
                break
        assert await reading == 1008


async def test_a_million_tiny_messages_that_nobody_asked_for(server: Target) -> None:
    """They are echoed, and when the attacker does not read, they are not read either."""
    async with bystanders(server), attacker(server) as raw:
        cast(asyncio.Transport, raw.writer.transport).pause_reading()
        batch = frame(TEXT, b"x") * 10_000
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1.5):
                for _ in range(100):
                    await pour(raw, batch)


async def test_a_flood_of_pings(server: Target) -> None:
    async with bystanders(server), attacker(server) as raw:
        await pour(raw, frame(PING, b"x" * 125) * 2000)
        assert await raw.close_code() == 1008


async def test_many_attackers_at_once(server: Target) -> None:
    chance = random.Random(1)
    kinds = list(OFFENCES.values())

    async def attack() -> None:
        data, code = chance.choice(kinds)
        async with attacker(server) as raw:
            await pour(raw, data)
            assert await raw.close_code() == code

    async with bystanders(server):
        for _ in range(4):
            await asyncio.gather(*(attack() for _ in range(40)))


async def test_half_a_frame_and_silence_costs_only_itself(server: Target) -> None:
    """A declared megabyte is not allocated before it comes."""
    async with bystanders(server), contextlib.AsyncExitStack() as stack:
        for _ in range(100):
            raw = await stack.enter_async_context(attacker(server))
            raw.send(b"\x82\xff" + struct.pack("!Q", 1 << 20) + b"\x00\x00\x00\x00" + b"x")
            await raw.writer.drain()
