"""Why no connection came about, in words: what failed, why, and where there is one, the way out."""

from __future__ import annotations

import os
import socket
import ssl

from wsproto_core import (
    ConnectionRefused,
    ConnectionTimeout,
    HandshakeFailed,
    HandshakeRejected,
    Headers,
    Redirected,
)

from .show import printable
from .transcript import status_words

__all__ = ["explain"]

_BODY_LINES = 8
_LINE_LENGTH = 200


def explain(error: Exception, where: str) -> list[str]:
    """The lines for standard error: one, and the beginning of the body where a server sent one."""
    match error:
        case HandshakeRejected(event=Redirected() as event):
            return [
                f"{where} redirects (HTTP {status_words(event.status)}) to {printable(event.location)};"
                " redirects are not followed: connect there, if you trust it"
            ]
        case HandshakeRejected():
            first = f"{where} refused the connection: HTTP {status_words(error.status)}"
            return [first, *_body(error.headers, error.body)]
        case HandshakeFailed():
            return [f"{where} does not answer as a WebSocket server: {printable(str(error))}"]
        case ConnectionTimeout():
            return [f"cannot connect to {where}: {error}"]
        case ConnectionRefused():
            return [f"cannot connect to {where}: nobody listens there (connection refused)"]
        case _:
            return [f"cannot connect to {where}: {_cause(error.__cause__ or error)}"]


def _cause(error: BaseException) -> str:
    match error:
        case ssl.SSLCertVerificationError():
            return (
                f"the server's certificate is not valid: {error.verify_message}"
                " (--cacert FILE names an authority to trust, --server-name another name to expect)"
            )
        case ssl.SSLError(reason="WRONG_VERSION_NUMBER"):
            return "TLS failed: what answers there does not speak TLS (a ws:// server, perhaps)"
        case ssl.SSLError():
            return f"TLS failed: {(error.reason or str(error)).replace('_', ' ').lower()}"
        case socket.gaierror():
            return f"the host name cannot be resolved: {error.strerror}"
        case UnicodeError():
            return "the host name is not valid"
        case OSError(errno=int(number)) if number > 0:
            return os.strerror(number)
        case _:
            return printable(str(error)) or type(error).__name__


def _body(headers: Headers, body: bytes) -> list[str]:
    """The first lines of a refusal's body, if it is text."""
    kind = headers.get("content-type", "text/plain").lower()
    if not body.strip() or not any(word in kind for word in ("text", "json", "xml", "urlencoded")):
        return [f"({len(body)} bytes of {printable(kind)} follow)"] if body.strip() else []
    lines = [printable(line)[:_LINE_LENGTH] for line in body.decode("utf-8", "replace").splitlines() if line.strip()]
    return lines[:_BODY_LINES] + (["..."] if len(lines) > _BODY_LINES else [])
