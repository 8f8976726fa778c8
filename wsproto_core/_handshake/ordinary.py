"""A request head as nearly every client sends it, recognized whole: all of it in one read, and nothing in it that could
be understood in two ways.

What lives here refuses nothing and repairs nothing. Any other head goes to ``head`` and h11, which would read these in
just the same way. ``docs/decisions/0031-ordinary-heads.md`` tells why.
"""

from __future__ import annotations

import re
from typing import Final

from .._config import Limits
from .._events import Request
from .._headers import received_headers

__all__ = ["read_ordinary"]

_END: Final = b"\r\n\r\n"
#: One blank behind each colon, visible ASCII from the first to the last character of a value. No part of it can match
#: what another could, so that no input makes it backtrack.
_HEAD: Final = re.compile(r"GET ([!-~]+) HTTP/1\.1((?:\r\n[A-Za-z0-9_\-]+: [!-~][ -~]*(?<! ))+)\r\n\r\n")
#: Whoever announces a body has h11 look at how.
_BODY: Final = ("\r\ncontent-length:", "\r\ntransfer-encoding:")


def read_ordinary(data: bytes, limits: Limits, target_size: int) -> tuple[Request, bytes] | None:
    """The request that ``data`` begins with, not yet judged, and what is behind it; ``None`` if it is no ordinary one,
    is not complete, or is not within ``limits`` and ``target_size``.
    """
    end = data.find(_END) + len(_END)
    if end > limits.header_size:
        return None
    match = _HEAD.fullmatch(data[:end].decode("latin-1"))
    if match is None:
        return None
    target, block = match.groups()
    lines = block.split("\r\n")[1:]
    folded = block.lower()
    has_body = _BODY[0] in folded or _BODY[1] in folded
    if has_body or folded.count("\r\nhost:") != 1 or len(lines) > limits.max_headers or len(target) > target_size:
        return None
    headers = received_headers([line.split(": ", 1) for line in lines])
    return Request(method="GET", target=target, headers=headers), data[end:]
