"""The values of options: each function takes what stands on the command line and returns what it means.

All raise :exc:`argparse.ArgumentTypeError`, to which argparse adds the name of the option. No message shows a value
that may be a secret. What the engine has rules for, the engine judges.
"""

from __future__ import annotations

import math
import os
import ssl
from argparse import ArgumentTypeError
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from wsproto_core import (
    BasicCredentials,
    BearerCredentials,
    ClientConnection,
    Headers,
    TrustedProxies,
    is_wire_code,
    parse_uri,
)

from .status import UsageError

__all__ = [
    "basic_credentials",
    "bearer_credentials",
    "close_code",
    "close_reason",
    "count",
    "count_or_none",
    "header",
    "naming_file",
    "origin",
    "port",
    "proxy_address",
    "seconds",
    "seconds_or_none",
    "subprotocol",
    "uri",
    "wait",
]

_MAX_REASON = 123  # RFC 6455 §5.5: a control frame carries 125 bytes, two of which are the code


def uri(text: str) -> str:
    """A ``ws`` or ``wss`` URI."""
    try:
        parse_uri(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from None
    return text


def count(text: str) -> int:
    """A positive whole number."""
    if not _is_count(text):
        raise ArgumentTypeError(f"expected a positive whole number, not {text!r}")
    return int(text)


def count_or_none(text: str) -> int | None:
    """A positive whole number, or ``none``."""
    if text == "none":
        return None
    if not _is_count(text):
        raise ArgumentTypeError(f"expected a positive whole number or none, not {text!r}")
    return int(text)


def port(text: str) -> int:
    """A port number; 0 lets the system choose."""
    if not text.isascii() or not text.isdecimal() or len(text) > 5 or int(text) > 65535:
        raise ArgumentTypeError(f"expected a port, 0 to 65535, not {text!r}")
    return int(text)


def proxy_address(text: str) -> str:
    """An address or network of proxies to trust, or ``unix:``."""
    try:
        TrustedProxies([text])
    except ValueError as error:
        raise ArgumentTypeError(str(error).removeprefix("proxied_by: ")) from None
    return text


def seconds(text: str) -> float:
    """A positive duration."""
    if not (value := _number(text)) > 0:
        raise ArgumentTypeError(f"expected a positive number of seconds, not {text!r}")
    return value


def seconds_or_none(text: str) -> float | None:
    """A positive duration, or ``none``."""
    if text == "none":
        return None
    if not (value := _number(text)) > 0:
        raise ArgumentTypeError(f"expected a positive number of seconds or none, not {text!r}")
    return value


def wait(text: str) -> float | None:
    """A duration that may be zero, or ``none``."""
    if text == "none":
        return None
    if not (value := _number(text)) >= 0:
        raise ArgumentTypeError(f"expected a number of seconds or none, not {text!r}")
    return value


def header(text: str) -> tuple[str, str]:
    """``Name: value``."""
    name, colon, value = text.partition(":")
    if not colon or not name.strip() or " " in name.strip():
        raise ArgumentTypeError("expected 'Name: value'")  # the text is not shown: it may be a secret
    pair = (name.strip(), value.strip())
    try:
        Headers([pair])
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from None
    _probe(headers=[pair])
    return pair


def subprotocol(text: str) -> str:
    """The name of a subprotocol."""
    _probe(subprotocols=[text])
    return text


def origin(text: str) -> str:
    """The value of ``Origin``."""
    _probe(origin=text)
    return text


def basic_credentials(text: str) -> BasicCredentials:
    """``name:password``."""
    name, colon, password = text.partition(":")
    if not colon:
        raise ArgumentTypeError("expected name:password")
    credentials = BasicCredentials(name, password)
    _probe(credentials=credentials)
    return credentials


def bearer_credentials(text: str) -> BearerCredentials:
    """A token."""
    credentials = BearerCredentials(text)
    _probe(credentials=credentials)
    return credentials


def close_code(text: str) -> int:
    """A close code that may be sent (RFC 6455 §7.4)."""
    code = int(text) if text.isascii() and text.isdecimal() and len(text) == 4 else 0
    if not is_wire_code(code):
        raise ArgumentTypeError(f"expected a close code that can be sent (1000 to 1014, 3000 to 4999), not {text!r}")
    return code


def close_reason(text: str) -> str:
    """A close reason."""
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise ArgumentTypeError("the reason is not valid Unicode") from None
    if size > _MAX_REASON:
        raise ArgumentTypeError(f"a reason has at most {_MAX_REASON} bytes, not {size}")
    return text


@contextmanager
def naming_file(option: str) -> Generator[None, None, None]:
    """Turn what the ssl module says about a file into a usage error that names the option."""
    try:
        yield
    except ssl.SSLError as error:
        words = (error.reason or "not a PEM file that can be used").replace("_", " ").lower()
        raise UsageError(f"argument {option}: {words}") from None
    except OSError as error:
        raise UsageError(f"argument {option}: {error.strerror or error}") from None


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 18 and int(text) > 0


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        return math.nan
    return value if math.isfinite(value) else math.nan


def _probe(**argument: Any) -> None:
    """Let the engine judge one argument of an opening handshake."""
    try:
        ClientConnection("ws://localhost/", entropy=os.urandom, **argument)
    except (ValueError, TypeError) as error:
        raise ArgumentTypeError(str(error)) from None
