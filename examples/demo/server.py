"""A chat room for the browser: `make demo`, then open two tabs.

One server on one port: plain HTTP requests get the page, `/chat` becomes a WebSocket. Text messages are JSON; a file is
announced by one and follows as a binary message. Whatever a visitor can send, or make this process hold, is bounded.
"""

import argparse
import asyncio
import contextlib
import json
import signal
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from wsproto_asyncio import WebSocket, broadcast, serve
from wsproto_core import SAME_ORIGIN, LocalProtocolError, PerMessageDeflate, Request, Response

MAX_NAME, MAX_TEXT, MAX_HISTORY, MAX_ENDINGS = 24, 2000, 50, 200
ORIGINS = [SAME_ORIGIN, None]  # this page, and programs, which send none; but no page from elsewhere
DEFLATE = PerMessageDeflate()


class Room:
    """Who is here, and what was said lately."""

    def __init__(self) -> None:
        self.people: dict[WebSocket, str] = {}
        self.history: deque[dict[str, object]] = deque(maxlen=MAX_HISTORY)
        self.endings: dict[str, str] = {}  # how each visitor's previous connection ended

    async def visit(self, ws: WebSocket) -> None:
        """The life of one connection: the loop ends when it does."""
        try:
            async for message in ws:
                try:
                    await self.handle(ws, message)
                except (ValueError, RecursionError, LocalProtocolError) as problem:
                    self.tell([ws], type="error", text=str(problem))
                # Nobody is read faster than this: the inbox fills, and TCP slows the sender down.
                await asyncio.sleep(0.02 + len(message) / 4_000_000)
        finally:
            self.leave(ws)

    async def handle(self, ws: WebSocket, message: str | bytes) -> None:
        if isinstance(message, str):
            await self.obey(ws, json.loads(message))
        elif announced := ws.data.pop("file", None):
            self.post(by=self.people[ws], size=len(message), **announced)
            self.send(self.people, message)  # nothing awaits in between, so nothing comes in between on the wire
        else:
            raise ValueError("A file must be announced before it is sent.")

    async def obey(self, ws: WebSocket, request: object) -> None:
        """Do what a message asks for. Raises ValueError for what this room does not understand."""
        match request:
            case {"type": "hello", "name": str(name), "visitor": str(visitor)}:
                self.join(ws, name, visitor[:64])
            case _ if ws not in self.people:
                raise ValueError("Say hello first.")
            case {"type": "say", "text": str(text)} if 0 < len(text) <= MAX_TEXT:
                self.post(type="say", by=self.people[ws], text=text)
            case {"type": "file", "name": str(name), "media": str(media)}:
                ws.data["file"] = {"type": "file", "name": name[:200], "media": media[:100]}
            case {"type": "ping"}:
                self.tell([ws], type="pong", traffic=asdict(ws.statistics), latency=ws.latency and asdict(ws.latency))
                await ws.ping()  # how long this takes is part of the next answer
            case {"type": "close", "code": int(code), "reason": str(reason)}:
                ws.close_nowait(code, reason)
            case {"type": "drop"}:
                ws.abort()
            case _:
                raise ValueError("This room does not understand that message.")

    def join(self, ws: WebSocket, name: str, visitor: str) -> None:
        """Greet a newcomer, or rename somebody who is here already."""
        before, now = self.people.get(ws), self.free_name(ws, name)
        self.people[ws], ws.data["visitor"] = now, visitor
        self.tell([ws], type="named", name=now)
        if before is None:
            self.tell([ws], type="welcome", history=[*self.history], previous=self.endings.get(visitor))
        if before != now:
            self.notice(f"{now} joined" if before is None else f"{before} is now {now}")

    def leave(self, ws: WebSocket) -> None:
        """Tell the others, and keep the report for when the visitor comes back."""
        if (name := self.people.pop(ws, None)) is not None:
            self.endings = dict([*self.endings.items(), (ws.data["visitor"], str(ws.close_report))][-MAX_ENDINGS:])
            self.notice(f"{name} left")

    def free_name(self, ws: WebSocket, wish: str) -> str:
        wish = " ".join(wish.split())[:MAX_NAME] or "Somebody"
        taken = {name for other, name in self.people.items() if other is not ws}
        return next(name for n in range(1, len(taken) + 2) if (name := f"{wish} {n}" if n > 1 else wish) not in taken)

    def post(self, **message: object) -> None:
        self.history.append({**message, "at": time.time()})
        self.tell(self.people, **self.history[-1])

    def notice(self, text: str) -> None:
        self.tell(self.people, type="notice", text=text, people=sorted(self.people.values()))

    def tell(self, audience: Iterable[WebSocket], **message: object) -> None:
        self.send(audience, json.dumps(message))

    def send(self, audience: Iterable[WebSocket], message: str | bytes) -> None:
        """Queue a message for all and wait for nobody: who cannot keep up is asked to come back later."""
        for slow in broadcast(audience, message):
            slow.close_nowait(1013, "you could not keep up")


def page(name: str, media: str) -> Response:
    """A file beside this one. The policy lets the browser load nothing from anywhere else."""
    headers = {"Content-Type": media, "Content-Security-Policy": "default-src 'self'; img-src blob: data:"}
    return Response(200, headers, Path(__file__).with_name(name).read_bytes())


PAGES = {
    "/": page("page.html", "text/html"),
    "/page.css": page("page.css", "text/css"),
    "/page.js": page("page.js", "text/javascript"),
    "/health": Response(200, body=b"ok\n"),
}


def answer(_: WebSocket, request: Request) -> Response | None:
    """Answer plain HTTP; `None` goes on with the WebSocket handshake."""
    return None if request.path == "/chat" else PAGES.get(request.path, Response(404, body=b"not found\n"))


async def main(host: str, port: int) -> None:
    async with serve(
        Room().visit, host, port, process_request=answer, origins=ORIGINS, compression=DEFLATE, max_connections=100
    ) as server:
        print(f"http://{host}:{server.port}/ - open two tabs", flush=True)
        await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="A chat room for the browser.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8765)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell lets what it runs in the background ignore it
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))  # like Ctrl-C: says 1001 to everybody
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main(**vars(parser.parse_args())))
