"""A client on asyncio: sends one message and prints what comes back. `echo_client.py [URI] [MESSAGE]`"""

import asyncio
import sys

from wsproto_asyncio import connect


async def main(uri: str = "ws://127.0.0.1:8765/", message: str = "Hello 👋") -> None:
    async with connect(uri) as ws:
        await ws.send(message)
        print(await ws.recv(), f"({await ws.ping() * 1000:.1f} ms)")


asyncio.run(main(*sys.argv[1:]))
