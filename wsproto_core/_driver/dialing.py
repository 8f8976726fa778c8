"""From a URI to a stream that speaks WebSocket: the steps of every runtime, written once.

:func:`dial` is a conversation: it yields steps, the adapter does each with its own means and answers, and the generator
returns what was received behind the last one. An adapter's part is this loop::

    steps = dial(uri, proxy=proxy)
    try:
        step = next(steps)
        while True:
            try:
                match step:
                    case OpenTcp(host, port):    answer = ...   # connect there: b""
                    case OpenUnix(path):         answer = ...   # connect there: b""
                    case StartTls(name, proxy):  answer = ...   # TLS over what is open, also over TLS: b""
                    case Write(data):            answer = ...   # send all of it: b""
                    case Read():                 answer = ...   # what comes, at most some 64 KiB; b"" at the end
            except OSError as error:
                step = steps.throw(error)                       # says so if it is the proxy's fault
            else:
                step = steps.send(answer)
    except StopIteration as done:
        rest = done.value                                       # for the engine, behind connect()

Time is the adapter's: one limit, ``Timeouts.opening_timeout``, around all of it and the handshake.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from .._config import Limits
from .._errors import ProxyFailed
from .._handshake.proxy import Proxy
from .._handshake.socks5 import open_socks5
from .._handshake.tunnel import open_tunnel
from .._handshake.uri import Uri

__all__ = ["OpenTcp", "OpenUnix", "Read", "StartTls", "Step", "Write", "dial"]

_DEFAULT_LIMITS: Final = Limits()


@dataclass(frozen=True, slots=True)
class OpenTcp:
    """Connect to ``host``, a name or an address, and ``port``. Answer with ``b""``."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class OpenUnix:
    """Connect to the Unix socket at ``path``. Answer with ``b""``."""

    path: str


@dataclass(frozen=True, slots=True)
class StartTls:
    """Begin TLS over what is open, which may be TLS already, and verify ``hostname``. Answer with ``b""``."""

    hostname: str
    #: Whether the other end is the proxy, so that the TLS options for the server do not apply.
    to_proxy: bool


@dataclass(frozen=True, slots=True)
class Write:
    """Send all of ``data``. Answer with ``b""``."""

    #: Not in the ``repr``: it may hold the credentials for the proxy.
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Read:
    """Answer with what is received, ``b""`` at the end."""


Step: TypeAlias = OpenTcp | OpenUnix | StartTls | Write | Read
Steps: TypeAlias = Generator[Step, bytes, bytes]


def dial(
    uri: Uri,
    *,
    proxy: Proxy | None = None,
    unix_path: str | None = None,
    is_open: bool = False,
    server_hostname: str | None = None,
    limits: Limits = _DEFAULT_LIMITS,
) -> Generator[Step, bytes, bytes]:
    """The steps to ``uri``: straight, through ``proxy``, to ``unix_path``, or over a stream that ``is_open`` already.

    ``server_hostname`` is verified instead of the URI's host. ``limits`` bound the head of an HTTP proxy's answer. The
    generator returns bytes that the engine must be given first, which only a plain ``ws`` can have.

    Raises :exc:`ValueError` at once for more than one of the three. The generator raises :exc:`ProxyFailed`, also for
    an :exc:`OSError` thrown into it on the way to or through the proxy; any other comes back as it is.
    """
    if (proxy is not None) + (unix_path is not None) + is_open > 1:
        raise ValueError("proxy, unix_path and an open socket or stream exclude one another")
    return _dial(uri, proxy, None if is_open else _direct(uri, unix_path), server_hostname or uri.host, limits)


def _direct(uri: Uri, unix_path: str | None) -> OpenTcp | OpenUnix:
    return OpenTcp(uri.host, uri.port) if unix_path is None else OpenUnix(unix_path)


def _dial(uri: Uri, proxy: Proxy | None, direct: OpenTcp | OpenUnix | None, hostname: str, limits: Limits) -> Steps:
    rest = b""
    if proxy is not None:
        rest = yield from _pass(proxy, uri, limits)
    elif direct is not None:
        yield direct
    if uri.secure:
        yield StartTls(hostname, to_proxy=False)
    return rest


def _pass(proxy: Proxy, uri: Uri, limits: Limits) -> Steps:
    """The steps through ``proxy``, at whose end stands what speaks for the server."""
    try:
        yield OpenTcp(proxy.host, proxy.port)
        if proxy.is_secure:
            yield StartTls(proxy.host, to_proxy=True)
        rest = yield from _converse(proxy, uri, limits)
    except OSError as error:
        if isinstance(error, TimeoutError) and error.errno is None:
            raise  # the adapter's own limit, not the network's
        raise ProxyFailed(f"the proxy {proxy.address} cannot be used: {error}") from error
    if rest and uri.secure:
        # A TLS server waits for the client. Taken for what the server said under TLS, these bytes would be forged.
        raise ProxyFailed(f"the proxy {proxy.address} sent something before TLS began")
    return rest


def _converse(proxy: Proxy, uri: Uri, limits: Limits) -> Steps:
    """Turn what a conversation with the proxy yields into steps."""
    if proxy.is_socks:
        conversation = open_socks5(proxy, uri.host, uri.port)
    else:
        conversation = open_tunnel(proxy, uri.host, uri.port, limits=limits)
    try:
        wanted = next(conversation)
        while True:
            answer = yield Read() if wanted is None else Write(wanted)
            wanted = conversation.send(answer)
    except StopIteration as done:
        return bytes(done.value)
