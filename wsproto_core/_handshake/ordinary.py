"""A request head as nearly every client sends it, recognized whole: all of it in one read, and nothing in it that could
be understood in two ways.

What lives here refuses no head and repairs none. Any other goes to ``http11`` and h11, which would read these in
just the same way. ``docs/decisions/0031-ordinary-heads.md`` tells why.
"""

from __future__ import annotations

from typing import Final, cast

from .._drafts import draft_of
from .._events import Request
from .._headers import Headers, checked_headers, common_word, values_by_name
from .._speedups import ordinary_head
from .policy import ServerPolicy
from .server import MAX_TARGET_SIZE, judge_ordinary

__all__ = ["read_ordinary"]

_END: Final = b"\r\n\r\n"
_Draft: Final = draft_of(Request)


def read_ordinary(data: bytes, policy: ServerPolicy) -> tuple[Request, bytes] | None:
    """The request that ``data`` begins with, judged, and what is behind it; ``None`` if it is no ordinary one, is not
    complete, or is not within the limits of ``policy``.
    """
    limits = policy.limits
    size = data.find(_END) + len(_END)
    head = ordinary_head(data, size, common_word) if len(_END) <= size <= limits.header_size else None
    if head is None:
        return None
    target, lines = head
    if len(lines) > limits.max_headers or len(target) > MAX_TARGET_SIZE:
        return None
    headers = checked_headers(lines)
    values = values_by_name(headers)
    # Whoever announces a body has h11 look at how, and whoever names no host, or several.
    if len(values.get("host", ())) != 1 or "content-length" in values or "transfer-encoding" in values:
        return None
    return judge_ordinary(_request(target, headers), values, policy), data[size:]


def _request(target: str, headers: Headers) -> Request:
    draft = _Draft()
    draft.method = "GET"
    draft.target = target
    draft.headers = headers
    draft.http_version = "1.1"
    draft.protocol = draft.credentials = draft.violation = None
    draft.subprotocols = ()
    draft.detail = ""
    draft.__class__ = Request
    return cast(Request, draft)
