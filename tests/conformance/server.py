"""The server that the hostile tests attack, in a process of its own so that its memory can be measured.

Prints its port. Ends with its standard input.
"""

from __future__ import annotations

import asyncio
import sys

from wsproto_asyncio import WebSocket, serve
from wsproto_core import Limits, PerMessageDeflate, Timeouts


async def echo(ws: WebSocket) -> None:
    async for message in ws:
        await ws.send(message)


async def main() -> None:
    limits = Limits(header_size=8192, max_headers=50, control_frame_rate=500)
    timeouts = Timeouts(opening_timeout=0.6, closing_timeout=0.6)
    async with serve(
        echo, "127.0.0.1", 0, max_connections=300, compression=PerMessageDeflate(), limits=limits, timeouts=timeouts
    ) as server:
        sys.stdout.write(f"{server.port}\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    if "--uvloop" in sys.argv:
        import uvloop

        uvloop.run(main())
    else:
        asyncio.run(main())
