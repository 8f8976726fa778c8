"""Every server that is measured, by name: ``python servers.py NAME [--broadcasts] [--deflate] [--ssl-cert FILE]``.

Prints its port when it listens, and serves until it is killed.
"""

from __future__ import annotations

import argparse
import importlib
import shutil
import socket
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from types import MappingProxyType
from typing import Any, Final

from wish import Wish, run_asyncio, run_uvloop

__all__ = ["SUBJECTS", "Subject", "available"]


@dataclass(frozen=True)
class Subject:
    """One server."""

    name: str
    #: Where its function is, as ``module:function``, and what runs that.
    place: str
    run: Callable[[Any], None] | None = None
    #: What must be installed: packages, or programs.
    requires: tuple[str, ...] = ()
    #: Whether it waits for an opening handshake; the limits do without.
    has_handshake: bool = True
    #: Whether it takes part in everything; what does not is there for one benchmark.
    echoes: bool = True
    can_deflate: bool = True
    #: False for what spins until another of its threads has done something: in the real-time class that never runs.
    is_real_time: bool = True
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_available(self) -> bool:
        return all(find_spec(name.replace("-", "_")) or shutil.which(name) for name in self.requires)

    def serve(self, wish: Wish) -> None:
        """Serve until the process is killed."""
        module, _, name = self.place.partition(":")
        function = getattr(importlib.import_module(module), name)
        if self.run is None:
            function(wish)
        else:
            self.run(function(wish))


def _limit(name: str, place: str, run: Callable[[Any], None] | None = None, *requires: str) -> Subject:
    return Subject(name, f"servers_limits:{place}", run, requires, has_handshake=False, can_deflate=False)


def _ours(name: str, place: str, run: Callable[[Any], None] | None = None, *requires: str) -> Subject:
    return Subject(name, f"servers_ours:{place}", run, requires)


def _pure(name: str, place: str, run: Callable[[Any], None]) -> Subject:
    return Subject(name, f"servers_ours:{place}", run, environment={"WSPROTO_CORE_PUREPYTHON": "1"})


def _peer(
    name: str, place: str, run: Callable[[Any], None] | None, *requires: str, can_deflate: bool = True
) -> Subject:
    return Subject(name, f"servers_peers:{place}", run, requires, can_deflate=can_deflate)


SUBJECTS: Final = MappingProxyType(
    {
        subject.name: subject
        for subject in (
            _limit("TCP asyncio", "serve_bare", run_asyncio),
            _limit("TCP uvloop", "serve_bare", run_uvloop, "uvloop"),
            _limit("TCP trio", "serve_trio", None, "trio"),
            _limit("TCP sockets", "serve_sockets"),
            _limit("C asyncio", "serve_parser", run_asyncio),
            _limit("C uvloop", "serve_parser", run_uvloop, "uvloop"),
            _limit("TCP aiofastnet", "serve_bare_fast", run_asyncio, "aiofastnet"),
            _limit("C aiofastnet", "serve_parser_fast", run_asyncio, "aiofastnet"),
            Subject("bare asyncio", "servers_limits:serve_answer", run_asyncio, echoes=False),
            Subject("bare uvloop", "servers_limits:serve_answer", run_uvloop, ("uvloop",), echoes=False),
            Subject("bare workers", "servers_limits:serve_answer_twice", echoes=False),
            _ours("listener asyncio", "serve_listener", run_asyncio),
            _ours("listener uvloop", "serve_listener", run_uvloop, "uvloop"),
            _ours("coroutine asyncio", "serve_coroutine", run_asyncio),
            _ours("coroutine uvloop", "serve_coroutine", run_uvloop, "uvloop"),
            _ours("trio", "serve_trio", None, "trio"),
            _ours("anyio", "serve_anyio", None, "anyio"),
            _ours("sockets", "serve_sockets"),
            Subject("workers", "servers_ours:serve_workers", echoes=False),
            _pure("listener pure", "serve_listener", run_asyncio),
            _pure("coroutine pure", "serve_coroutine", run_asyncio),
            _peer("picows asyncio", "serve_picows", run_asyncio, "picows", can_deflate=False),
            _peer("picows uvloop", "serve_picows", run_uvloop, "picows", "uvloop", can_deflate=False),
            _peer("picows.websockets", "serve_picows_websockets", run_asyncio, "picows"),
            _peer("aiohttp asyncio", "serve_aiohttp", run_asyncio, "aiohttp"),
            _peer("aiohttp uvloop", "serve_aiohttp", run_uvloop, "aiohttp", "uvloop"),
            _peer("websockets asyncio", "serve_websockets", run_asyncio, "websockets"),
            _peer("websockets uvloop", "serve_websockets", run_uvloop, "websockets", "uvloop"),
            _peer("websockets sync", "serve_websockets_sync", None, "websockets"),
            _peer("websockets trio", "serve_websockets_trio", None, "websockets", "trio"),
            _peer("trio-websocket", "serve_trio_websocket", None, "trio-websocket", can_deflate=False),
            Subject("node ws", "servers_peers:serve_node", requires=("node",), is_real_time=False),
        )
    }
)


def available(*names: str) -> list[str]:
    """Those of some subjects that can run here; of all, where none is named."""
    return [name for name in names or SUBJECTS if SUBJECTS[name].is_available]


def main() -> None:
    """Serve."""
    parser = argparse.ArgumentParser(description="Be one of the servers that are measured.")
    parser.add_argument("name", choices=SUBJECTS)
    parser.add_argument("--broadcasts", action="store_true")
    parser.add_argument("--deflate", action="store_true")
    parser.add_argument("--ssl-cert", help="speak TLS; for what the conformance matrix plays with, not for benchmarks")
    options = parser.parse_args()
    context: ssl.SSLContext | None = None
    if options.ssl_cert is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(options.ssl_cert)
    with socket.create_server(("127.0.0.1", 0), backlog=4096) as sock:
        print(sock.getsockname()[1], flush=True)
        SUBJECTS[options.name].serve(Wish(sock, options.broadcasts, options.deflate, context))


if __name__ == "__main__":
    main()
