"""An echo server on asyncio: `echo_server.py [PORT]`"""

import asyncio
import sys

from wsproto_asyncio import WebSocket, serve


async def echo(ws: WebSocket) -> None:
    async for message in ws:
        await ws.send(message)


async def main(port: int) -> None:
    async with serve(echo, "127.0.0.1", port) as server:
        print(f"ws://127.0.0.1:{server.port}/", flush=True)
        await server.serve_forever()


asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 8765))
