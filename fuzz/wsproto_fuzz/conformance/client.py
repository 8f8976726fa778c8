"""Tests clients: a server that plays one case on each connection, with whatever client comes.

The protocol, for a client in any language: connect to ``/cases`` and receive one text message, the number of cases; for
each ``n`` from 1 on, connect to ``/case?n=N&agent=NAME`` and echo every message until the connection ends, or never
opens; at last connect to ``/done?agent=NAME``, and receive the verdict as one text message.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import Final, Self
from urllib.parse import parse_qs, urlsplit
from weakref import WeakKeyDictionary

from wsproto_core import Role

from ..wire import close, text
from .case import Case
from .channel import Channel, SocketChannel, StreamChannel, play
from .conversation import Conversation
from .heard import Head, Heard
from .opening import head_bytes, request_faults
from .server import PATIENCE, Progress
from .steps import send
from .verdict import Result, Run, Verdict

__all__ = ["ClientTester"]

_MAX_HEAD_SIZE: Final = 1 << 16
_MAX_NAME_LENGTH: Final = 80
_HELP: Final = (
    "This server tests WebSocket clients. A client connects to /cases for the number of cases, "
    "to /case?n=1&agent=NAME and so on for each of them, and to /done?agent=NAME at the end.\n"
)


class ClientTester:
    """Plays those of ``cases`` that are for clients, with every client that comes to ``listener``.

    The listening socket stays its maker's to close. ``progress`` is called after each case with its result, the number
    of cases that this client has done, and the number of all; ``log`` with words about a client whose request for
    ``/cases`` or ``/done`` is wrong, or with whom TLS fails. With ``ssl`` all connections are inside of TLS; the
    context's ``sni_callback`` is the tester's. Enter the tester in a running loop; leaving it ends every connection.
    """

    def __init__(
        self,
        cases: Iterable[Case],
        listener: socket.socket,
        *,
        patience: float = PATIENCE,
        seed: int = 0,
        ssl: ssl.SSLContext | None = None,
        progress: Progress | None = None,
        log: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._cases = tuple(case for case in cases if Role.CLIENT in case.peers)
        self._numbers = {str(number): number - 1 for number in range(1, len(self._cases) + 1)}
        self._listener = listener
        self._patience = patience
        self._seed = seed
        self._tls = None if ssl is None else _Tls(ssl)
        self._progress = progress
        self._log = log
        self._agents: dict[str, _Agent] = {}
        self._finished: asyncio.Queue[Run] = asyncio.Queue()
        self._connections: set[asyncio.Task[None]] = set()

    @property
    def n_cases(self) -> int:
        """How many cases there are for clients."""
        return len(self._cases)

    @property
    def runs(self) -> list[Run]:
        """What is known of each client so far, also of those that are not done."""
        return [agent.run() for agent in self._agents.values()]

    async def __aenter__(self) -> Self:
        self._listener.setblocking(False)
        self._accepting = asyncio.create_task(self._accept())
        return self

    async def __aexit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        tasks = [self._accepting, *self._connections]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def finished(self) -> Run:
        """Wait for the next client that says it is done. A case that it never came for has failed.

        Raises :exc:`OSError` if connections can no longer be accepted.
        """
        waiting = asyncio.create_task(self._finished.get())
        try:
            await asyncio.wait({waiting, self._accepting}, return_when=asyncio.FIRST_COMPLETED)
            if not waiting.done():
                self._accepting.result()
            return await waiting
        finally:
            waiting.cancel()

    # --------------------------------------------------------------------------------------------------- connections

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            sock, _ = await loop.sock_accept(self._listener)
            task = asyncio.create_task(self._welcome(sock))
            self._connections.add(task)
            task.add_done_callback(self._connections.discard)

    async def _welcome(self, sock: socket.socket) -> None:
        if self._tls is None:
            await self._serve(SocketChannel(sock))
            return
        try:
            async with asyncio.timeout(self._patience * 3):
                channel = await StreamChannel.accept(sock, self._tls.context)
        except (OSError, TimeoutError) as error:
            self._log(f"a client came, but there is no TLS with it: {str(error) or type(error).__name__}")
        else:
            await self._serve(channel, self._tls.name_in(channel))

    async def _serve(self, channel: Channel, server_name: str | None = None) -> None:
        try:
            head, data = await self._read_head(channel)
            await self._route(channel, head, data, server_name)
        except (OSError, TimeoutError):
            pass  # no request came, and without its target nobody knows what it was for
        finally:
            await channel.close()

    async def _route(self, channel: Channel, head: Head, data: bytes, server_name: str | None) -> None:
        path, query = _split(head.target)
        agent = query.get("agent", "")[:_MAX_NAME_LENGTH] or "client"
        index = self._numbers.get(query.get("n", ""))
        if path == "/case" and index is not None:
            await self._play(channel, data, self._agent(agent), index, server_name)
            return
        if path not in ("/cases", "/done"):
            await _answer_http(channel)
            return
        for fault in request_faults(head):
            self._log(f"a client came to {path}, but {fault}")
        if path == "/cases":
            await self._say(channel, data, str(self.n_cases))
        else:
            await self._finish(channel, data, self._agent(agent))

    async def _read_head(self, channel: Channel) -> tuple[Head, bytes]:
        """The head of the request, read leniently, and all bytes that came: judging is for the case."""
        heard, data = Heard(Role.CLIENT), bytearray()
        async with asyncio.timeout(self._patience):
            while heard.head is None:
                more = await channel.read()
                if not more or len(data) > _MAX_HEAD_SIZE:
                    raise ConnectionAbortedError
                heard.receive(more)
                data += more
        return heard.head, bytes(data)

    def _agent(self, name: str) -> _Agent:
        return self._agents.setdefault(name, _Agent(name, self._cases))

    async def _play(self, channel: Channel, data: bytes, agent: _Agent, index: int, server_name: str | None) -> None:
        ended = asyncio.Event()
        agent.playing.add(ended)
        try:
            result = await self._converse(channel, data, self._cases[index], server_name)
        finally:
            agent.playing.discard(ended)
            ended.set()
        agent.results[index] = result
        if self._progress is not None:
            self._progress(result, len(agent.results), self.n_cases)

    async def _finish(self, channel: Channel, data: bytes, agent: _Agent) -> None:
        """A client may say that it is done while its last connections are still closing."""
        while agent.playing:
            await next(iter(agent.playing)).wait()
        agent.is_done = True
        run = agent.run()
        counts = ", ".join(f"{run.counts[verdict]} {verdict}" for verdict in Verdict if run.counts[verdict])
        try:
            await self._say(channel, data, f"{'conforms' if run.conforms else 'does not conform'}: {counts}")
        finally:
            self._finished.put_nowait(run)

    async def _say(self, channel: Channel, data: bytes, words: str) -> None:
        """One text message, and a close frame. What the client does is its own affair."""
        steps = (send(text(words), close(1000)),)
        await self._converse(channel, data, Case(id="says.1.1", title="", requirement="", section="", steps=steps))

    async def _converse(self, channel: Channel, data: bytes, case: Case, server_name: str | None = None) -> Result:
        now = time.monotonic()
        conversation = Conversation(
            case,
            Role.CLIENT,
            now,
            seed=self._seed,
            is_secure=self._tls is not None,
            server_name=server_name,
            patience=self._patience,
        )
        conversation.receive_data(data, now)
        return await play(channel, conversation)


@dataclass(slots=True)
class _Agent:
    """A client, by the name that it gives itself."""

    name: str
    cases: tuple[Case, ...]
    began: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    started_at: float = field(default_factory=time.monotonic)
    #: By the case's index. A case that is played again has its new result.
    results: dict[int, Result] = field(default_factory=dict[int, Result])
    #: Connections of cases that are not over; each is set when it is.
    playing: set[asyncio.Event] = field(default_factory=set[asyncio.Event])

    #: Whether it has said so; then the cases that it never came for have failed.
    is_done: bool = False

    def run(self) -> Run:
        """Its results, in the order of cases."""
        found = (
            self.results.get(index)
            or (case.judged(Verdict.FAIL, "The client never came for this case.") if self.is_done else None)
            for index, case in enumerate(self.cases)
        )
        return Run(
            peer=self.name,
            side=Role.CLIENT.value,
            began=self.began,
            duration=time.monotonic() - self.started_at,
            results=tuple(result for result in found if result),
        )


class _Tls:
    """A context that remembers by which names clients call the server (SNI, RFC 6066 §3)."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.context = context
        self._names: WeakKeyDictionary[ssl.SSLObject, str] = WeakKeyDictionary()
        context.sni_callback = self._remember

    def name_in(self, channel: StreamChannel) -> str | None:
        """What the client said; ``None`` if it gave no name."""
        return self._names.get(channel.ssl_object)

    def _remember(self, connection: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
        if name is not None:
            self._names[connection] = name


def _split(target: str) -> tuple[str, dict[str, str]]:
    """The path and the query of a request's target; nothing of either if it makes no sense."""
    try:
        url = urlsplit(target)
        return url.path, {name: values[-1] for name, values in parse_qs(url.query).items()}
    except ValueError:
        return "", {}


async def _answer_http(channel: Channel) -> None:
    """A browser, or a client with a wrong path, is told what is here."""
    body = _HELP.encode()
    fields = [("Content-Type", "text/plain"), ("Content-Length", str(len(body))), ("Connection", "close")]
    await channel.write(head_bytes("HTTP/1.1 404 Not Found", fields) + body)
