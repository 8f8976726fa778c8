"""The front door: the parser, and the way from a command line to an exit status.

A subcommand is a module with ``HELP``, ``add_arguments(parser)`` and ``run(options) -> int``, named once below. What it
needs beyond the standard library and our own packages, it imports in ``run``.
"""

from __future__ import annotations

import argparse
import platform
import sys
from collections.abc import Mapping, Sequence
from importlib import metadata
from importlib.util import find_spec
from types import MappingProxyType
from typing import Any, Final, Protocol

import wsproto_asyncio
import wsproto_core
import wsproto_sockets

from . import connect, echo, fuzzing, replaying
from .status import ExitStatus, UsageError

__all__ = ["main"]


class _Subcommand(Protocol):
    """What a module must have to be a subcommand."""

    @property
    def HELP(self) -> str: ...  # noqa: N802  (a constant of the module)

    def add_arguments(self, parser: argparse.ArgumentParser, /) -> None: ...
    def run(self, options: argparse.Namespace, /) -> int: ...


_SUBCOMMANDS: Final[Mapping[str, _Subcommand]] = MappingProxyType(
    {"connect": connect, "echo": echo, "fuzz": fuzzing, "replay": replaying}
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the ``wsproto`` command with the arguments ``argv`` (those of the process, if left out).

    Returns the exit status: 0 for an ordinary end, 1 if no connection came about, 2 for a command line that makes no
    sense, 3 for a connection that ended abnormally, 130 after Ctrl-C. What the fuzz command returns, its help says.
    """
    try:
        return _run(argv)
    except SystemExit as end:  # argparse: help, version, usage
        return end.code if isinstance(end.code, int) else ExitStatus.OK
    except KeyboardInterrupt:
        return ExitStatus.INTERRUPTED


def _run(argv: Sequence[str] | None) -> int:
    parser = argparse.ArgumentParser(
        prog="wsproto", description="Talk WebSocket (RFC 6455) from the command line.", allow_abbrev=False
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the versions of everything involved")
    commands = parser.add_subparsers(title="commands", dest="command", metavar="COMMAND")
    parsers = {name: _add(commands, name, module) for name, module in _SUBCOMMANDS.items()}
    options = parser.parse_args(argv)
    if options.command is None:
        parser.print_help(sys.stderr)
        return ExitStatus.USAGE
    try:
        return _SUBCOMMANDS[options.command].run(options)
    except UsageError as error:
        parsers[options.command].error(str(error))


def _add(commands: Any, name: str, module: _Subcommand) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=module.HELP,
        description=module.__doc__,
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    module.add_arguments(parser)
    return parser


class _Version(argparse.Action):
    """``--version``. The facts are gathered only when asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        print(f"wsproto-core {metadata.version('wsproto-core')}")
        print(f"{platform.python_implementation()} {platform.python_version()} on {platform.system()}")
        print(f"hot code: {_kind(wsproto_core.IS_COMPILED)}")
        print(f"hot code of wsproto_asyncio: {_kind(wsproto_asyncio.IS_COMPILED)}")
        print(f"hot code of wsproto_sockets: {_kind(wsproto_sockets.IS_COMPILED)}")
        print(f"h11 {metadata.version('h11')}")
        if find_spec("uvloop") is None:
            print("uvloop is not installed, asyncio's own event loop is used (to have it: wsproto-core[fast])")
        else:
            print(f"uvloop {metadata.version('uvloop')}, used by `wsproto echo --uvloop`")
        if find_spec("aiofastnet") is None:
            print("aiofastnet is not installed, which nothing needs (to have it: wsproto-core[fast])")
        else:
            print(f"aiofastnet {metadata.version('aiofastnet')}, used where WSPROTO_ASYNCIO_TRANSPORTS=aiofastnet")
        parser.exit()


def _kind(is_compiled: bool) -> str:
    return "compiled" if is_compiled else "in Python, because the compiled one is not there or not wanted"
