"""What a line typed at a terminal means: a message, or a command that begins with a slash. Nothing is done here."""

from __future__ import annotations

from argparse import ArgumentTypeError
from dataclasses import dataclass
from typing import Final, TypeAlias

from wsproto_core import Message

from .options import close_code, close_reason

__all__ = ["HELP", "Close", "Help", "Ping", "Say", "Typed", "understand"]

HELP: Final = """\
/ping [PAYLOAD]        send a ping, show the round trip
/binary HEX            send bytes, for example /binary 00 ff 10
/close [CODE [REASON]] close the connection
/help                  show this list
//TEXT                 send a text that begins with a slash
Ctrl-D closes the connection, Ctrl-C leaves at once."""


@dataclass(frozen=True, slots=True)
class Say:
    """Send a message."""

    message: Message


@dataclass(frozen=True, slots=True)
class Ping:
    """Send a ping; ``None`` leaves the payload to the engine."""

    payload: bytes | None


@dataclass(frozen=True, slots=True)
class Close:
    """Close; ``None`` for the code that the command line says."""

    code: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class Help:
    """Show the commands."""


Typed: TypeAlias = Say | Ping | Close | Help


def understand(line: bytes, *, binary: bool, commands: bool) -> Typed:
    """The meaning of a line. Raises :exc:`ValueError`, in words for the one who typed it."""
    if commands and line.startswith(b"/"):
        if not line.startswith(b"//"):
            return _command(_text(line[1:]))
        line = line[1:]
    return Say(line if binary else _text(line.removesuffix(b"\r")))


def _command(line: str) -> Typed:
    name, _, rest = line.partition(" ")
    match name:
        case "ping":
            return Ping(_ping_payload(rest))
        case "binary":
            return Say(_hex(rest))
        case "close":
            return _close(rest.strip())
        case "help":
            return Help()
        case _:
            raise ValueError(f"there is no command /{name}; /help lists them, //{name} sends /{name} as text")


def _ping_payload(text: str) -> bytes | None:
    payload = text.encode()
    if len(payload) > 125:
        raise ValueError(f"a ping carries at most 125 bytes, not {len(payload)} (RFC 6455 §5.5)")
    return payload or None


def _hex(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise ValueError("/binary: expected an even number of hexadecimal digits") from None


def _close(text: str) -> Close:
    code, _, reason = text.partition(" ")
    try:
        return Close(close_code(code) if code else None, close_reason(reason.strip()))
    except ArgumentTypeError as error:
        raise ValueError(f"/close: {error}") from None


def _text(line: bytes) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError:
        raise ValueError("not valid UTF-8, so it cannot be a text message (--binary sends bytes as they are)") from None
