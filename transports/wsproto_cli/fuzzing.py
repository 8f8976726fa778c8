"""Test any WebSocket implementation, in any language, for conformance to
RFC 6455 and RFC 7692: with more than a thousand fixed cases, and generated ones.

A server under test sends every message back as it is, and a client too.
wsproto echo is such a server.

Exit status: 0 if no case failed, 1 if one did, 2 for a command line that makes
no sense, and if there is nobody to test.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import io
import random
import socket
import ssl
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from wsproto_core import parse_uri

from . import options as values
from .echoing import tls_context
from .failures import explain
from .status import ExitStatus, UsageError, complain

if TYPE_CHECKING:
    from wsproto_fuzz.conformance import Case, ProgressBar, Result, Run

__all__ = ["HELP", "add_arguments", "run"]

HELP: Final = "test a server or a client for conformance"

#: The group of cases that are nothing without TLS.
_TLS: Final = "tls"

_SERVER: Final = """\
Test a server: every case on a connection of its own, many at once. The URL
must be one where messages come back as they are. Cases about TLS need a wss URL.
"""
_CLIENT: Final = """\
Test a client: be a server that plays one case on each connection. The client
connects to /cases and receives a number as a text message; for each n from 1
to that number it connects to /case?n=N&agent=NAME and sends every message back
until the connection ends; then it connects to /done?agent=NAME. It ends
with the first client that has done so, and Ctrl-C ends it too.
"""
_REPORT: Final = """\
Show several runs side by side: what --report has written as JSON for each
becomes one page.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare ``wsproto fuzz server``, ``client`` and ``report``."""
    actions = parser.add_subparsers(title="what to do", dest="action", metavar="ACTION", required=True)

    def action(name: str, help_words: str, description: str, run_it: Callable[[argparse.Namespace], int]) -> Any:
        added = actions.add_parser(
            name,
            help=help_words,
            description=description,
            allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        added.set_defaults(act=run_it)
        return added.add_argument

    _add_server(action("server", "test a server", _SERVER, _test_server))
    _add_client(action("client", "test a client", _CLIENT, _test_clients))
    add = action("report", "put several runs side by side", _REPORT, _show_together)
    add("runs", nargs="+", metavar="FILE", type=Path, help="a run, as JSON")
    add("--report", metavar="DIR", type=Path, required=True, help="where to write the page and junit.xml")


def run(options: argparse.Namespace) -> int:
    """Test, and return the exit status. Raises :exc:`UsageError`."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # the signs of verdicts are beyond ASCII
    act: Callable[[argparse.Namespace], int] = options.act
    return act(options)


def _add_server(add: Any) -> None:
    add("uri", metavar="URL", type=values.uri, help="where the server is: ws://... or wss://...")
    add("--agent", metavar="NAME", help="what to call it in the report (default: the URL)")
    add("--jobs", metavar="N", type=values.count, default=16, help="cases at the same time (default: %(default)s)")
    _add_common(add)


def _add_client(add: Any) -> None:
    add("--host", default="127.0.0.1", help="the address to listen at (default: %(default)s, this machine only)")
    add("--port", type=values.port, default=9001, help="0 lets the system choose one (default: %(default)s)")
    add("--ssl-cert", metavar="FILE", help="speak TLS with this certificate (PEM), and play the cases about TLS")
    add("--ssl-key", metavar="FILE", help="its private key (PEM), if it is not in the same file")
    add("--forever", action="store_true", help="go on with further clients until Ctrl-C")
    _add_common(add)


def _add_common(add: Any) -> None:
    add(
        "--only", metavar="GROUP", action="append", default=[],
        help="play this group, or the cases whose id begins so: close, close.3, close.3.1; may be repeated",
    )  # fmt: skip
    add(
        "--examples", metavar="N", type=values.count, default=0, help="generate so many cases on top (needs hypothesis)"
    )
    add("--seed", metavar="N", type=values.count, help="generate the same cases as another run did")
    add(
        "--patience", metavar="SECONDS", type=values.seconds, default=3.0,
        help="how long to wait for what should come at once (default: %(default)g)",
    )  # fmt: skip
    add("--report", metavar="DIR", type=Path, help="write a page (index.html), JSON and junit.xml into this folder")


# --- the actions ------------------------------------------------------------------------------------------------------


def _test_server(options: argparse.Namespace) -> int:
    from wsproto_fuzz.conformance import ProgressBar

    seed = _prepare(options)
    cases = _cases(options, seed, is_secure=parse_uri(options.uri).secure)
    progress = ProgressBar(sys.stderr)
    try:
        result = asyncio.run(_judge_server(options, cases, seed, progress))
    except OSError as error:
        complain(*explain(error, options.uri))
        return ExitStatus.USAGE
    finally:
        progress.finish()
    _tell(result)
    _write(options, [result])
    return _status(result)


async def _judge_server(
    options: argparse.Namespace, cases: Iterable[Case], seed: int | None, progress: ProgressBar
) -> Run:
    from wsproto_fuzz.conformance import ServerOptions, judge_server, shrink_failures

    how = ServerOptions(concurrency=options.jobs, patience=options.patience, seed=seed or 0)
    peer = options.agent or options.uri
    found = await judge_server(options.uri, cases, peer=peer, options=how, progress=progress)
    if options.examples and not found.conforms:
        progress.finish()
        complain("looking for the shortest conversations that fail")
        found = await shrink_failures(found, options.uri, seed=how.seed, examples=options.examples, options=how)
    return _signed(options, found, seed)


def _test_clients(options: argparse.Namespace) -> int:
    seed = _prepare(options)
    context = tls_context(options)
    cases = _cases(options, seed, is_secure=context is not None)
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    try:
        listener = socket.create_server((options.host, options.port), family=family)
    except OSError as error:
        words = str(error.strerror or error).partition(" (while")[0]  # create_server() says it twice
        complain(f"cannot listen at {options.host}:{options.port}: {words}")
        return ExitStatus.USAGE
    with listener:
        return asyncio.run(_serve_clients(options, listener, context, cases, seed))


async def _serve_clients(
    options: argparse.Namespace,
    listener: socket.socket,
    context: ssl.SSLContext | None,
    cases: Iterable[Case],
    seed: int | None,
) -> int:
    from wsproto_fuzz.conformance import ClientTester, ProgressBar

    progress = ProgressBar(sys.stderr)
    tester = ClientTester(
        cases,
        listener,
        patience=options.patience,
        seed=seed or 0,
        ssl=context,
        progress=progress,
        log=complain,
    )
    async with tester:
        _announce(listener, "ws" if context is None else "wss")
        while True:
            try:
                finished = await tester.finished()
            finally:  # after Ctrl-C too
                progress.finish()
                _write(options, [_signed(options, found, seed) for found in tester.runs])
            _tell(_signed(options, finished, seed))
            if not options.forever:
                return _status(finished)


def _show_together(options: argparse.Namespace) -> int:
    from wsproto_fuzz.conformance import read_run

    _prepare_folder(options)
    try:
        runs = [read_run(path) for path in options.runs]
    except (OSError, ValueError) as error:
        raise UsageError(f"argument FILE: {error}") from None
    _write(options, runs)
    return ExitStatus.OK


# --- before and after -------------------------------------------------------------------------------------------------


def _prepare(options: argparse.Namespace) -> int | None:
    """See that nothing is missing in the end; return the seed, if one is needed. Raises :exc:`UsageError`."""
    if options.examples and find_spec("hypothesis") is None:
        raise UsageError("argument --examples: hypothesis is not installed; pip install 'wsproto-core[fuzz]'")
    _prepare_folder(options)
    if options.examples and options.seed is None:
        return random.randrange(1, 1 << 32)
    seed: int | None = options.seed
    return seed


def _prepare_folder(options: argparse.Namespace) -> None:
    try:
        if options.report is not None:
            options.report.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"argument --report: {error}") from None


def _cases(options: argparse.Namespace, seed: int | None, *, is_secure: bool) -> list[Case]:
    """The cases that are wanted; those about TLS without TLS only if somebody asks for them."""
    from wsproto_fuzz.conformance import chosen_cases

    try:
        chosen = chosen_cases(options.only, examples=options.examples, seed=seed or 0)
    except ValueError as error:
        raise UsageError(f"argument --only: {error}") from None
    return [case for case in chosen if is_secure or options.only or case.group != _TLS]


def _signed(options: argparse.Namespace, found: Run, seed: int | None) -> Run:
    """With the seed, and how to play each generated case that failed again."""

    def explained(result: Result) -> Result:
        if result.group != "generated" or result.verdict != "fail":
            return result
        target = " URL" if found.side == "server" else ""
        chosen = f"--only {result.case} --examples {options.examples} --seed {seed}"
        command = f"wsproto fuzz {found.side}{target} {chosen}"
        return replace(result, reproduction="\n\n".join(filter(None, [result.reproduction, command])))

    return replace(found, seed=seed, results=tuple(map(explained, found.results)))


def _announce(listener: socket.socket, scheme: str) -> None:
    host, port, *_ = listener.getsockname()
    with contextlib.suppress(OSError):  # nobody reads it
        print(f"listening on {scheme}://{f'[{host}]' if ':' in host else host}:{port}/", flush=True)


def _tell(result: Run) -> None:
    from wsproto_fuzz.conformance import summary

    print(summary(result), flush=True)


def _write(options: argparse.Namespace, runs: Sequence[Run]) -> None:
    """Write the reports, if they are wanted and there is anything to report. Raises :exc:`UsageError`."""
    from wsproto_fuzz.conformance import write_reports

    if options.report is None or not runs:
        return
    try:
        page = write_reports(options.report, runs)
    except OSError as error:
        raise UsageError(f"argument --report: {error}") from None
    print(f"report: {page}", flush=True)


def _status(result: Run) -> ExitStatus:
    return ExitStatus.OK if result.conforms else ExitStatus.FAILED
