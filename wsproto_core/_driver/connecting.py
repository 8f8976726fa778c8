"""What ``connect()`` of every adapter was asked for: checked once, and turned into attempts."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from errno import ECONNREFUSED
from functools import partial
from os import PathLike, fspath
from typing import TYPE_CHECKING, Final

from .._config import Limits, Timeouts
from .._errors import ConnectionFailed, ConnectionRefused, ConnectionTimeout, HandshakeRejected
from .._events import BasicCredentials, BearerCredentials
from .._handshake.proxy import Proxy, choose_proxy
from .._handshake.redirect import DEFAULT_MAX_REDIRECTS, Destination, redirected
from .._handshake.uri import parse_uri
from .._headers import Headers, HeadersLike
from .._types import Receive, Role
from .client import ClientConnection
from .dialing import Step, dial
from .recorder import Recorder, attaching
from .sealing import sessions

if TYPE_CHECKING:
    from .._extensions.base import Extension
    from .._extensions.permessage_deflate import PerMessageDeflate
    from .._pipeline.pipeline import Pipeline

__all__ = ["ConnectPlan", "connection_failure"]

_DEFAULT_LIMITS: Final = Limits()
_DEFAULT_TIMEOUTS: Final = Timeouts()


class ConnectPlan:
    """Where to connect to, how, and what to offer there. For authors of adapters, whose ``connect()`` documents the
    options.

    ``environment`` is where ``proxy=True`` looks for the ``*_proxy`` variables. With ``is_open`` the stream is the
    caller's; ``has_tls_context`` tells that the caller brings TLS options. The others are :class:`ConnectOptions`.
    Raises :exc:`ValueError` or :exc:`TypeError`, naming the option.
    """

    # budget: one parameter a line
    def __init__(
        self,
        uri: str,
        *,
        entropy: Callable[[int], bytes],
        environment: Mapping[str, str],
        is_open: bool = False,
        has_tls_context: bool = False,
        limits: Limits = _DEFAULT_LIMITS,
        timeouts: Timeouts = _DEFAULT_TIMEOUTS,
        receive: Receive = Receive.MESSAGES,
        subprotocols: Sequence[str] = (),
        headers: HeadersLike = (),
        origin: str | None = None,
        credentials: BasicCredentials | BearerCredentials | None = None,
        compression: PerMessageDeflate | None = None,
        extensions: Sequence[Extension] = (),
        pipeline: Pipeline | None = None,
        proxy: Proxy | str | bool | None = None,
        max_redirects: int = DEFAULT_MAX_REDIRECTS,
        server_hostname: str | None = None,
        unix_path: str | PathLike[str] | None = None,
        recorder: Recorder | None = None,
    ) -> None:
        self._destination = Destination(
            uri=parse_uri(uri), headers=Headers(headers), credentials=credentials, earlier=()
        )
        if (has_tls_context or server_hostname is not None) and not self._destination.uri.secure:
            raise ValueError("ssl and server_hostname need a wss:// URI")
        self._limits = limits
        #: Seconds that everything up to the open connection may take; ``None`` for no limit.
        self.timeout: float | None = timeouts.opening_timeout
        self._seal = sessions(pipeline, Role.CLIENT, entropy, limits, ordered=True)
        known = [*extensions, *([compression] if compression is not None else [])]
        self._make_engine = partial(
            ClientConnection,
            entropy=entropy,
            limits=limits,
            timeouts=timeouts,
            receive=receive,
            subprotocols=subprotocols,
            origin=origin,
            extensions=known,
        )
        self._attach = attaching(
            recorder, limits=limits, timeouts=timeouts, extensions=known, sealed=pipeline is not None
        )
        self._proxy = proxy
        self._environment = environment
        self._server_hostname = server_hostname
        self._unix_path = None if unix_path is None else fspath(unix_path)
        self._is_open = is_open
        self._max_redirects = 0 if is_open or unix_path is not None else max_redirects
        self.engine()
        self.steps()

    def engine(self) -> ClientConnection:
        """A fresh engine for the next attempt."""
        at = self._destination
        engine = self._make_engine(at.uri, headers=at.headers, credentials=at.credentials, pipeline=self._seal())
        if self._attach is not None:
            self._attach(engine, now=None)
        return engine

    def steps(self) -> Generator[Step, bytes, bytes]:
        """The steps of the next attempt's way to an open stream; see :func:`dial`."""
        at = self._destination
        is_direct = self._is_open or self._unix_path is not None
        return dial(
            at.uri,
            proxy=None if is_direct else choose_proxy(self._proxy, at.uri, self._environment),
            unix_path=self._unix_path,
            is_open=self._is_open,
            server_hostname=None if at.earlier else self._server_hostname,
            limits=self._limits,
        )

    def redirect(self, refusal: HandshakeRejected) -> None:
        """Let the next attempt go where ``refusal`` points, or raise why not."""
        self._destination = redirected(self._destination, refusal, max_redirects=self._max_redirects)


def connection_failure(error: OSError, timeout: float | None) -> ConnectionFailed:
    """What an error of the transport means, or of the ``timeout`` around all of :class:`ConnectPlan`'s attempts."""
    if isinstance(error, TimeoutError):
        return ConnectionTimeout(str(error) if error.errno is not None else f"not open within {timeout} seconds")
    return (ConnectionRefused if _is_refusal(error) else ConnectionFailed)(str(error))


def _is_refusal(error: OSError) -> bool:
    """Whether every address refused. For several addresses there may be only one exception, with their words in its
    own.
    """
    tries = str(error).count("[Errno ")
    return error.errno == ECONNREFUSED or (
        error.errno is None and 0 < tries == str(error).count(f"[Errno {ECONNREFUSED}]")
    )
