"""What the libraries to talk to have in common, and the connections of those that are written in Python.

They are used from plain code: a server runs in a thread or a process of its own, a client in the thread that calls it.
"""

from __future__ import annotations

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import dataclass, field
from typing import NamedTuple

from anyio.from_thread import start_blocking_portal

from tests.adapters.kit import Authority
from tests.interop.kit import SIZES, Ending, Talker, converse, read_out
from wsproto_core import PerMessageDeflate

__all__ = [
    "EVIL",
    "MAX_SIZE",
    "REFUSAL",
    "Guest",
    "InPython",
    "Opening",
    "Papers",
    "Peer",
    "Refused",
    "Served",
    "Visit",
]

#: The origin that their servers refuse, and what all of them say to whom they refuse.
EVIL = "https://evil.example"
REFUSAL = "no entry"
#: How most of their clients take their leave.
ORDINARY = Ending(1000)
#: The largest message that they take.
MAX_SIZE = 20_000_000


class Papers(Authority):
    """A throw-away authority that hands out PEM texts too."""

    @property
    def authority_pem(self) -> str:
        return self._ca.cert_pem.bytes().decode()

    @property
    def server_pems(self) -> dict[str, str]:
        """Certificate and key, by the names that Node has for them."""
        (certificate,) = self._server.cert_chain_pems
        return {"cert": certificate.bytes().decode(), "key": self._server.private_key_pem.bytes().decode()}


@dataclass
class Served:
    """A server of theirs, with the subprotocol ``chat``. It refuses the path ``/refuse`` and the origin ``EVIL``."""

    uri: str
    #: How each of its connections ended; complete when the server has ended.
    endings: list[Ending] = field(default_factory=list)


@dataclass(frozen=True)
class Visit:
    """What a client of theirs shall do: offer ``x`` and ``chat``, converse, and take its leave."""

    deflate: PerMessageDeflate | None = None
    #: For ``wss``.
    papers: Papers | None = None
    sizes: Sequence[int] = SIZES
    #: A message after which the server closes, or what its own close frame says.
    goodbye: str | Ending = ORDINARY


class Opening(NamedTuple):
    """What a client of theirs says of its connection."""

    subprotocol: str | None
    is_compressed: bool


class Refused(Exception):
    """A client of theirs was not let in."""

    def __init__(self, status: int, body: str | None = None) -> None:
        super().__init__(status, body)
        self.status = status
        #: ``None`` if the library does not tell.
        self.body = body


class Peer(ABC):
    """A library."""

    name: str

    def require(self) -> None:
        """Skip the test, or fail it in CI, if the library is not here. What comes from the package index always is."""
        return

    @abstractmethod
    def serve(
        self, deflate: PerMessageDeflate | None = None, papers: Papers | None = None
    ) -> AbstractContextManager[Served]:
        """A server that obliges; ``papers`` make it ``wss``."""

    @abstractmethod
    def visit(self, uri: str, plan: Visit) -> tuple[Opening, Ending]:
        """Be a client. Raises :exc:`Refused`."""


class Guest(Talker):
    """A connection of theirs."""

    opening: Opening


class InPython(Peer):
    """What is alike for the libraries in Python."""

    @contextlib.contextmanager
    def serve(self, deflate: PerMessageDeflate | None = None, papers: Papers | None = None) -> Iterator[Served]:
        endings: list[Ending] = []
        listening = self.listen(endings, deflate, papers)
        with start_blocking_portal() as portal, portal.wrap_async_context_manager(listening) as port:
            yield Served(f"{'wss' if papers else 'ws'}://127.0.0.1:{port}/", endings)

    def visit(self, uri: str, plan: Visit) -> tuple[Opening, Ending]:
        async def script() -> tuple[Opening, Ending]:
            async with self.connect(uri, plan.deflate, plan.papers) as ws:
                await converse(ws, plan.sizes)
                await (ws.send(plan.goodbye) if isinstance(plan.goodbye, str) else ws.close(*plan.goodbye))
                return ws.opening, await read_out(ws)

        return asyncio.run(script())

    @abstractmethod
    def connect(
        self, uri: str, deflate: PerMessageDeflate | None, papers: Papers | None
    ) -> AbstractAsyncContextManager[Guest]:
        """A client's connection. Raises :exc:`Refused`."""

    @abstractmethod
    def listen(
        self, endings: list[Ending], deflate: PerMessageDeflate | None, papers: Papers | None
    ) -> AbstractAsyncContextManager[int]:
        """A server that obliges, and adds to ``endings``; yields its port."""
