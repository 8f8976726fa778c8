"""Connect to a WebSocket server. Each line of standard input is sent as a
message; each message received is printed to standard output, and everything
else to standard error.

In a terminal a line that begins with a slash is a command (/help lists them,
//text sends "/text"), and Ctrl-D closes the connection. Control characters in
text are shown as escapes there, binary messages as hexdump -C does.

Into a pipe or a file text is printed as it is, with a line feed; bytes as a
hexdump, or with --binary as they are, with nothing between them.

When the input ends (and is no terminal), the connection is closed after --wait
seconds without a message, so that this prints the answer:
    echo hi | wsproto connect ws://localhost:8765/
"""

from __future__ import annotations

import argparse
import asyncio
import ipaddress
import os
import ssl
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from wsproto_asyncio import connect
from wsproto_core import (
    BasicCredentials,
    BearerCredentials,
    ClientConnection,
    Limits,
    PerMessageDeflate,
    Timeouts,
    Uri,
    parse_uri,
)

from . import options as values
from .reading import terminal_as_it_was
from .session import Wishes, converse
from .status import UsageError, complain
from .transcript import request_lines

__all__ = ["HELP", "add_arguments", "run"]

HELP: Final = "talk to a server: lines in, messages out"

_Add: TypeAlias = Callable[..., argparse.Action]

_TOKEN_VARIABLE: Final = "WSPROTO_BEARER"
_LIMITS: Final = Limits()
_TIMEOUTS: Final = Timeouts()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``wsproto connect``."""
    parser.usage = "wsproto connect [OPTIONS] URI"
    parser.epilog = (
        "exit status: 0 after an ordinary close, 1 if no connection came about (or the\n"
        "output cannot be written), 2 for wrong usage or input, 3 if the connection\n"
        "ended abnormally or with a code other than 1000, 1001, none or the one this\n"
        "side closed with, 130 after Ctrl-C"
    )
    parser.add_argument("uri", metavar="URI", type=values.uri, help="ws://HOST[:PORT]/PATH or wss://...")
    request = parser.add_argument_group("request")
    _add_request(request.add_argument)
    _add_credentials(request.add_mutually_exclusive_group().add_argument)
    _add_tls(parser.add_argument_group("transport and TLS").add_argument)
    _add_limits(parser.add_argument_group("limits and time").add_argument)
    _add_conversation(parser.add_argument_group("conversation").add_argument)


def run(options: argparse.Namespace) -> int:
    """Hold a conversation; return the exit status. Raises :exc:`UsageError`."""
    uri = parse_uri(options.uri)
    credentials = _credentials(options, uri)
    handshake: dict[str, Any] = {
        "subprotocols": options.subprotocol,
        "headers": options.header,
        "origin": options.origin,
        "credentials": credentials,
        "limits": Limits(message_size=options.max_message_size),
        "timeouts": Timeouts(opening_timeout=options.timeout, ping_interval=options.ping_interval),
    }
    compression = PerMessageDeflate() if options.compress else None
    try:
        dial = connect(options.uri, compression=compression, max_redirects=0, **handshake, **_way(options, uri))
        extensions = [] if compression is None else [compression]
        twin = ClientConnection(options.uri, entropy=os.urandom, extensions=extensions, **handshake)
    except ValueError as error:
        raise UsageError(str(error)) from None
    wishes = Wishes(
        where=_shown(uri, options.unix),
        request=request_lines(twin),
        binary=options.binary,
        verbose=options.verbose,
        wait=options.wait,
        close_code=options.close_code,
        close_reason=options.close_reason,
    )
    _warn(options, uri, credentials)
    with terminal_as_it_was():
        return asyncio.run(converse(dial, wishes))


# --- the options --------------------------------------------------------------------------------------------------


def _add_request(add: _Add) -> None:
    add(
        "-H", "--header", metavar="'NAME: VALUE'", action="append", default=[], type=values.header,
        help="add a header to the request (repeat for more)",
    )  # fmt: skip
    add(
        "-s", "--subprotocol", metavar="NAME", action="append", default=[], type=values.subprotocol,
        help="offer a subprotocol (repeat for more, in the order of preference)",
    )  # fmt: skip
    add("--origin", metavar="ORIGIN", type=values.origin, help="send an Origin header, as browsers do")


def _add_credentials(add: _Add) -> None:
    add("--user", metavar="NAME:PASSWORD", type=values.basic_credentials, help="basic authentication")
    add(
        "--bearer", metavar="TOKEN", type=values.bearer_credentials,
        help=f"bearer authentication; better put the token into the environment variable {_TOKEN_VARIABLE}, since"
        " others on this machine can see command lines",
    )  # fmt: skip


def _add_tls(add: _Add) -> None:
    add("--unix", metavar="PATH", help="connect to this Unix socket; the URI still gives the Host and the path")
    add("--cacert", metavar="FILE", help="trust the authorities in this PEM file instead of the system's")
    add("--cert", metavar="FILE", help="a client certificate (PEM), with the chain if there is one")
    add("--key", metavar="FILE", help="its private key (PEM), if it is not in the same file")
    add("--server-name", metavar="NAME", help="the name to verify and to ask for (SNI), if not the URI's")
    add("--insecure", action="store_true", help="do NOT verify the server's certificate")


def _add_limits(add: _Add) -> None:
    add("--compress", action="store_true", help="offer permessage-deflate")
    add(
        "--max-message-size", metavar="BYTES|none", type=values.count_or_none, default=_LIMITS.message_size,
        help="the largest message to accept (default: %(default)s)",
    )  # fmt: skip
    add(
        "--timeout", metavar="SECONDS", type=values.seconds, default=_TIMEOUTS.opening_timeout,
        help="for the connection to be open (default: %(default)s)",
    )  # fmt: skip
    add(
        "--ping-interval", metavar="SECONDS|none", type=values.seconds_or_none, default=_TIMEOUTS.ping_interval,
        help="silence after which a ping is sent to see whether the server lives (default: %(default)s)",
    )  # fmt: skip


def _add_conversation(add: _Add) -> None:
    add("--binary", action="store_true", help="send each line as bytes instead of text")
    add(
        "--wait", metavar="SECONDS|none", type=values.wait, default=1.0,
        help="after the end of the input, close when no message has come for so long; 0 closes at once, none leaves it"
        " to the server (default: %(default)s)",
    )  # fmt: skip
    add(
        "--close-code",
        metavar="CODE",
        type=values.close_code,
        default=1000,
        help="the code to close with (%(default)s)",
    )
    add("--close-reason", metavar="TEXT", type=values.close_reason, default="", help="words to close with")
    add(
        "-v", "--verbose", action="store_true",
        help="tell on standard error, with times: the handshake (without secrets), messages, pings, how it ended",
    )  # fmt: skip


# --- what they mean -----------------------------------------------------------------------------------------------


def _credentials(options: argparse.Namespace, uri: Uri) -> BasicCredentials | BearerCredentials | None:
    """What the command line says; else what the URI says (the engine sees to it); else the environment."""
    explicit: BasicCredentials | BearerCredentials | None = options.user or options.bearer
    token = os.environ.get(_TOKEN_VARIABLE)
    has_header = any(name.lower() == "authorization" for name, _ in options.header)
    if explicit is not None or uri.credentials is not None or has_header or not token:
        return explicit
    try:
        return values.bearer_credentials(token)
    except argparse.ArgumentTypeError as error:
        raise UsageError(f"environment variable {_TOKEN_VARIABLE}: {error}") from None


def _way(options: argparse.Namespace, uri: Uri) -> dict[str, Any]:
    """How to get there: the arguments of ``connect`` that are about the transport."""
    wanted = ("cacert", "cert", "key", "server_name", "insecure")
    if not uri.secure:
        for name in wanted:
            if getattr(options, name):
                raise UsageError(f"argument --{name.replace('_', '-')}: needs a wss:// URI")
        return {"unix_path": options.unix}
    return {
        "unix_path": options.unix,
        "ssl": _tls(options),
        "server_hostname": options.server_name,
    }


def _tls(options: argparse.Namespace) -> ssl.SSLContext:
    if options.key and not options.cert:
        raise UsageError("argument --key: needs --cert")
    with values.naming_file("--cacert"):
        context = ssl.create_default_context(cafile=options.cacert)
    if options.cert:
        with values.naming_file("--cert/--key"):
            context.load_cert_chain(options.cert, options.key)
    if options.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _warn(options: argparse.Namespace, uri: Uri, credentials: object) -> None:
    if options.insecure:
        complain(
            "WARNING: --insecure: the server's certificate is NOT verified.",
            "Whoever is between here and there can read and change everything.",
        )
    if (credentials or uri.credentials) and not uri.secure and not options.unix and not _is_this_machine(uri.host):
        complain("WARNING: the credentials cross the network unencrypted; wss:// would protect them")


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _shown(uri: Uri, unix_path: str | None) -> str:
    """The server without user, password, path and query: none of them says where it is."""
    host = f"[{uri.host}]" if ":" in uri.host else uri.host
    address = f"{'wss' if uri.secure else 'ws'}://{host}:{uri.port}"
    return f"{address} at {unix_path}" if unix_path else address
