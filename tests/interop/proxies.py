"""Real proxies as child processes on free ports of 127.0.0.1: tinyproxy for CONNECT, microsocks for SOCKS5, HAProxy in
front of a server.

All of them connect to the server from ``EXIT``, another loopback address, so that the server can tell who came through
them.
"""

from __future__ import annotations

import contextlib
import shutil
import signal
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import anyio
from anyio.abc import ByteReceiveStream, ByteSendStream, ByteStream, SocketAttribute
from anyio.from_thread import start_blocking_portal
from anyio.streams.tls import TLSListener

from tests.adapters.sockets_kit import eventually, free_port
from tests.interop.requirements import require

__all__ = ["EXIT", "Running", "balancer", "behind_tls", "socks_proxy", "tiny_proxy"]

#: Where their connections to the server come from.
EXIT = "127.0.0.2"
ATTEMPTS = 3


@dataclass(frozen=True)
class Running:
    """A proxy's process, and where it listens."""

    port: int
    process: subprocess.Popen[bytes]

    def accepts(self) -> bool:
        with socket.socket() as sock:
            return sock.connect_ex(("127.0.0.1", self.port)) == 0

    def has_ended(self) -> bool:
        return self.process.poll() is not None

    def hang(self) -> None:
        """Stop it where it is: the system still accepts connections for it."""
        self.process.send_signal(signal.SIGSTOP)

    def kill(self) -> None:
        """End it at once, with all its connections."""
        self.process.kill()
        self.process.wait()


def tiny_proxy(folder: Path, *settings: str) -> AbstractContextManager[Running]:
    """A tinyproxy, configured in ``folder`` with ``settings``."""
    require("tinyproxy", shutil.which("tinyproxy") is not None)

    def command(port: int) -> list[str]:
        configuration = folder / f"tinyproxy-{port}.conf"
        common = [f"Port {port}", "Listen 127.0.0.1", f"Bind {EXIT}", "Timeout 60", "LogLevel Warning"]
        configuration.write_text("\n".join([*common, *settings, ""]), encoding="utf-8")
        return ["tinyproxy", "-d", "-c", str(configuration)]

    return running(command)


def socks_proxy(*options: str) -> AbstractContextManager[Running]:
    """A microsocks with ``options`` on its command line."""
    require("microsocks", shutil.which("microsocks") is not None)
    return running(lambda port: ["microsocks", "-i", "127.0.0.1", "-p", str(port), "-b", EXIT, *options])


def balancer(folder: Path, target: int, settings: str) -> AbstractContextManager[Running]:
    """An HAProxy, configured in ``folder``, before the server at port ``target`` of 127.0.0.1, with these ``settings``
    for it.
    """
    require("haproxy", shutil.which("haproxy") is not None)

    def command(port: int) -> list[str]:
        configuration = folder / f"haproxy-{port}.cfg"
        lines = [
            "defaults",
            "mode tcp",
            *(f"timeout {what} 60s" for what in ("connect", "client", "server")),
            "listen balancer",
            f"bind 127.0.0.1:{port}",
            f"server one 127.0.0.1:{target} source {EXIT} {settings}",
        ]
        configuration.write_text("\n".join([*lines, ""]), encoding="utf-8")
        return ["haproxy", "-db", "-q", "-f", str(configuration)]

    return running(command)


@contextlib.contextmanager
def running(command: Callable[[int], list[str]]) -> Iterator[Running]:
    """Run what ``command`` makes of a free port, until the end of the block."""
    proxy = start(command)
    try:
        yield proxy
    finally:
        proxy.kill()


def start(command: Callable[[int], list[str]]) -> Running:
    """Start it and wait until it accepts; on another port if somebody has taken the free one meanwhile."""
    for _ in range(ATTEMPTS):
        proxy = launch(command, free_port())
        if not proxy.has_ended():
            return proxy
    raise AssertionError("it does not start; its own words are in what the test has captured")


def launch(command: Callable[[int], list[str]], port: int) -> Running:
    """Wait until it accepts, or has ended."""
    proxy = Running(port, subprocess.Popen(command(port), stdin=subprocess.DEVNULL))
    eventually(lambda: proxy.has_ended() or proxy.accepts())
    return proxy


# --- TLS in front of a proxy ------------------------------------------------------------------------------------------


@contextlib.contextmanager
def behind_tls(proxy: Running, context: ssl.SSLContext) -> Iterator[int]:
    """Take TLS off before ``proxy``, which cannot do so itself; yields the port."""
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(relay(proxy.port, context)) as port:
        yield port


@contextlib.asynccontextmanager
async def relay(target: int, context: ssl.SSLContext) -> AsyncIterator[int]:
    async def accepted(client: ByteStream) -> None:
        async with client, await anyio.connect_tcp("127.0.0.1", target) as upstream, anyio.create_task_group() as group:
            group.start_soon(pump, client, upstream)
            await pump(upstream, client)
            group.cancel_scope.cancel()

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    secure = TLSListener(listener, context, standard_compatible=False)
    async with secure, anyio.create_task_group() as group:
        group.start_soon(secure.serve, accepted)
        yield listener.extra(SocketAttribute.local_port)
        group.cancel_scope.cancel()


async def pump(source: ByteReceiveStream, target: ByteSendStream) -> None:
    """Pass on what comes, up to the end of either."""
    with contextlib.suppress(anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
        while True:
            await target.send(await source.receive())
