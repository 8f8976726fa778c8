"""What the interop tests share: the messages, every variant of compression, and our side of either direction."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import pytest

from wsproto_asyncio import WebSocket
from wsproto_core import Limits, PerMessageDeflate

__all__ = [
    "ALL_DEFLATE",
    "LARGE",
    "MESSAGES",
    "NODE",
    "Echoed",
    "Talker",
    "echo_all",
    "node",
    "obliging",
    "read_events",
    "talk",
]

NODE = Path(__file__).parent / "node"
#: Ten megabytes of a pattern inflate by more than the default ratio allows.
LARGE = Limits(message_size=20_000_000, inflate_ratio=None)
SIZES = (0, 1, 125, 126, 65535, 65536, 1_000_000)
MESSAGES: list[str | bytes] = [
    *("x" * size for size in SIZES),
    *(bytes([7]) * size for size in SIZES),
    bytes(range(256)) * 40_000,  # 10 MB
    "👋 héllo 👨‍👩‍👧 \x00",
    "aaa" + "é" * 50_001,
]

#: Every parameter, alone and together.
ALL_DEFLATE = [
    PerMessageDeflate(
        server_no_context_takeover=server_restarts,
        client_no_context_takeover=client_restarts,
        server_max_window_bits=server_bits,
        client_max_window_bits=client_bits,
    )
    for server_restarts in (False, True)
    for client_restarts in (False, True)
    for server_bits in (9, 15)
    for client_bits in (9, 15)
]


class Talker(Protocol):
    """What the peers' connections have in common with ours."""

    async def send(self, message: str | bytes, /) -> Any: ...
    async def recv(self) -> Any: ...


Echoed = Callable[[str | bytes], Awaitable[object]]


async def talk(ws: Talker, messages: Sequence[str | bytes] = MESSAGES) -> None:
    """Have every message echoed."""
    for message in messages:
        await ws.send(message)
        received = await ws.recv()
        assert type(received) is type(message)
        assert received == message, f"{len(message)} {type(message)} came back as {len(received)}"


async def echo_all(ws: WebSocket) -> None:
    """Echo, and do the few things that the peers' tests ask for."""
    async for message in ws:
        await obliging(ws, message)


async def obliging(ws: WebSocket, message: str | bytes) -> None:
    if message == "ping me":
        rtt = await ws.ping(b"from the server")
        await ws.send(f"pong after {'some' if rtt >= 0 else 'no'} time")
    elif message == "fragments":
        for part, final in (("a", False), ("b", False), ("c", True)):
            await ws.send_fragment(part, final=final)
    elif isinstance(message, str) and message.startswith("close "):
        _, code, reason = message.split(" ")
        await ws.close(int(code), reason)
    elif message == "please close":
        await ws.close(4001, "as you wish")
    else:
        await ws.send(message)


# --- Node -------------------------------------------------------------------------------------------------------------


def missing_node() -> str | None:
    """Why there is no ``ws`` to talk to; ``None`` if there is. With CI set that is no reason to skip."""
    report = NODE.parent.parent.parent / ".peers.json"
    if report.exists() and (reason := json.loads(report.read_text(encoding="utf-8")).get("ws")):
        return str(reason)
    if not shutil.which("node"):
        return "node is not installed: make prepare"
    return None if (NODE / "node_modules" / "ws").exists() else "its package ws is not installed: make prepare"


async def node(script: str, **arguments: Any) -> asyncio.subprocess.Process:
    """Start one of the scripts beside this file, or skip."""
    if reason := missing_node():
        if os.environ.get("CI", "").lower() not in {"", "0", "false", "no"}:
            pytest.fail(f"CI must run every test: {reason}")
        pytest.skip(reason)
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(
        "node", script, json.dumps(arguments), cwd=NODE, stdin=pipe, stdout=pipe
    )


async def read_events(process: asyncio.subprocess.Process) -> list[dict[str, Any]]:
    """Everything that a script still says, up to its end."""
    assert process.stdin is not None
    process.stdin.close()
    output, _ = await process.communicate()
    assert process.returncode == 0
    return [json.loads(line) for line in output.splitlines()]
