"""The server's half of the opening handshake (RFC 6455 §4.2, RFC 8441 §5): judge a request, accept or refuse it.

What lives here are pure functions of a request that somebody parsed: ``http11``, or the HTTP/2, HTTP/3 or ASGI server
at hand, which passes ``:authority`` as the ``Host`` header. No bytes are read or written here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from itertools import chain
from typing import Final, Literal, TypeAlias

from .._config import Limits
from .._errors import LocalProtocolError
from .._events import Request
from .._headers import Headers, HeadersLike, checked_headers, values_by_name
from .._violations import Violation
from .headers import credentials_from, has_option, parse_extensions, parse_subprotocols
from .keys import accept_token, is_valid_key
from .negotiation import NO_EXTENSIONS, Negotiated, accept_extensions, choose_subprotocol
from .outcome import Agreement, Response, checked_response
from .policy import ServerPolicy, allows_host, allows_origin
from .uri import parse_authority

__all__ = ["BY_POLICY", "MAX_TARGET_SIZE", "ByPolicy", "accept", "judge", "judge_ordinary", "refuse", "reject"]

#: Bytes of a request target, or ``Limits.header_size`` where that is less (414 beyond it).
MAX_TARGET_SIZE: Final = 8 * 1024

_VERSION: Final = "13"  # RFC 6455 §4.1, item 9
_MULTIPLEXED: Final = frozenset({"2", "3"})
_UPGRADE: Final = ("Upgrade", "websocket")
_CONNECTION: Final = ("Connection", "Upgrade")
#: Headers of the request that are told as something else as well.
_FILLED_IN: Final = frozenset({"sec-websocket-protocol", "authorization"})
#: Headers of the response that are made here or by whoever frames its body.
_FRAMING: Final = frozenset({"connection", "content-length", "transfer-encoding"})


class ByPolicy(Enum):
    """The type of :data:`BY_POLICY`."""

    BY_POLICY = "by policy"

    def __repr__(self) -> str:
        return self.name


#: Leave the choice of the subprotocol to :attr:`ServerPolicy.subprotocols`.
BY_POLICY: Final = ByPolicy.BY_POLICY


def judge(request: Request, policy: ServerPolicy) -> Request:
    """``request`` with its subprotocols, credentials, violation and detail filled in.

    The violation is the first one in the order of the checks below, or ``None``. The detail is made of this library's
    own words: it never repeats what the client sent.
    """
    values = values_by_name(request.headers)
    finding = _oversize(request, policy.limits) or _wrong_line(request) or _wrong_wish(request, values, policy)
    return _filled_in(request, values, finding)


def judge_ordinary(request: Request, values: Values, policy: ServerPolicy) -> Request:
    """The same, of a fresh GET by HTTP/1.1 that is within the limits; ``values`` are those of its headers."""
    finding = _wrong_wish(request, values, policy)
    if finding is None and _FILLED_IN.isdisjoint(values):
        return request  # nearly always: nothing is to be filled in
    return _filled_in(request, values, finding)


def accept(
    request: Request,
    policy: ServerPolicy,
    subprotocol: str | Literal[ByPolicy.BY_POLICY] | None = BY_POLICY,
    headers: HeadersLike = (),
) -> Agreement:
    """The response that opens the connection, and what was agreed (RFC 6455 §4.2.2, RFC 8441 §5).

    ``request`` was judged and has no violation. Raises :exc:`LocalProtocolError` for a ``subprotocol`` that was not
    offered, for ``headers`` that the handshake sends itself (naming them), and for characters that no header may hold.
    """
    chosen = _chosen_subprotocol(request, policy, subprotocol)
    extra = _checked_headers(headers, _is_handshake_header).lines() if headers else ()
    negotiated = _negotiated(request, policy) if policy.extensions else NO_EXTENSIONS
    lines = [] if _is_multiplexed(request) else _switch(request)
    status = 101 if lines else 200  # RFC 8441 §5: a 2xx status takes the place of 101
    if chosen is not None:
        lines.append(("Sec-WebSocket-Protocol", chosen))
    if negotiated.header is not None:
        lines.append(("Sec-WebSocket-Extensions", negotiated.header))
    lines += extra
    response = checked_response(status, checked_headers(lines))
    return Agreement(response, chosen, negotiated.transforms, negotiated.names)


def refuse(violation: Violation, detail: str = "", *, http_version: str = "1.1") -> Response:
    """The refusal that the RFC prescribes for ``violation``, with a body that says why.

    ``detail`` goes into the body, so it must not repeat the client's bytes; every detail of this package is safe.
    """
    status = violation.http_status or 400
    headers = [("Content-Type", "text/plain; charset=utf-8")]
    if status == 405:
        headers.append(("Allow", "GET"))  # RFC 9110 §15.5.6
    if status == 426:
        headers.append(("Sec-WebSocket-Version", _VERSION))  # RFC 6455 §4.4
    if status == 426 and _major(http_version) not in _MULTIPLEXED:
        headers.append(("Upgrade", "websocket"))  # RFC 9110 §15.5.22
    words = f"{violation}: {detail}" if detail else str(violation)
    return Response(status=status, headers=Headers(headers), body=f"{words}\n".encode())


def reject(status: int, headers: HeadersLike = (), body: bytes | None = b"") -> Response:
    """The application's own answer to a request that it does not accept: any final status, any headers, any body.

    ``None`` as body announces one that is streamed; only then may ``headers`` hold ``Content-Length``. Raises
    :exc:`LocalProtocolError` for a status outside 200-599, a body where the status allows none, headers that frame the
    response on the wire (naming them), and characters that no header may hold.
    """
    if not 200 <= status <= 599:
        raise LocalProtocolError(f"status must be one of 200-599, not {status!r}")
    if status in (204, 304) and body != b"":
        raise LocalProtocolError(f"a response with status {status} has no body (RFC 9110 §6.4.1)")
    reserved = _FRAMING if body is not None else _FRAMING - {"content-length"}
    checked = _checked_headers(headers, reserved.__contains__)
    return Response(status=status, headers=checked, body=body or b"", streamed=body is None)


# --- the checks, in the order in which they are made --------------------------------------------------------------

#: The rule that is broken, and what is wrong in words, empty where the rule says it all; ``None`` if none is.
Finding: TypeAlias = tuple[Violation, str] | None
#: The values of a request's headers, by name in lower case.
Values: TypeAlias = Mapping[str, Sequence[str]]


def _oversize(request: Request, limits: Limits) -> Finding:
    lines = request.headers.lines()
    if len(request.target) > min(MAX_TARGET_SIZE, limits.header_size):
        return Violation.TARGET_TOO_LONG, ""
    if len(lines) > limits.max_headers:
        return Violation.TOO_MANY_HEADERS, ""
    if sum(map(len, chain.from_iterable(lines))) > limits.header_size:
        return Violation.HEADERS_TOO_BIG, ""
    return None


def _wrong_line(request: Request) -> Finding:
    is_multiplexed = _is_multiplexed(request)
    extended = is_multiplexed and request.protocol is not None
    if request.method != ("CONNECT" if extended else "GET"):  # RFC 8441 §4
        return Violation.METHOD_NOT_GET, ""
    major, _dot, minor = request.http_version.partition(".")
    if not is_multiplexed and (major != "1" or minor <= "0"):
        return Violation.HTTP_VERSION, ""
    return None


def _wrong_wish(request: Request, values: Values, policy: ServerPolicy) -> Finding:
    """What is wrong with the headers, or with what they ask for."""
    is_multiplexed = _is_multiplexed(request)
    return (
        _wrong_host(values, policy)
        or (_no_extended_connect(request) if is_multiplexed else _no_upgrade(values))
        or _request_body(values)
        or _wrong_version(values)
        or (None if is_multiplexed else _wrong_key(values))  # RFC 8441 §5: the key is not used
        or _malformed_offer(values)
        or _strange_origin(values, policy)
    )


def _wrong_host(values: Values, policy: ServerPolicy) -> Finding:
    lines, allowed = values.get("host", ()), policy.hosts
    if len(lines) != 1:
        return Violation.BAD_HOST, f"there are {len(lines)}"
    try:
        host, port = parse_authority(lines[0])
    except ValueError as error:
        return Violation.BAD_HOST, str(error)
    return None if allowed is None or allows_host(host, port, allowed) else (Violation.HOST_NOT_ALLOWED, "")


def _no_extended_connect(request: Request) -> Finding:
    if (request.protocol or "").lower() == "websocket":
        return None
    return Violation.NO_UPGRADE, "the request is not an extended CONNECT"


def _no_upgrade(values: Values) -> Finding:
    if not has_option(values.get("upgrade", ()), "websocket"):
        return Violation.NO_UPGRADE, ""
    return None if has_option(values.get("connection", ()), "upgrade") else (Violation.BAD_CONNECTION, "")


def _request_body(values: Values) -> Finding:
    if "content-length" not in values and "transfer-encoding" not in values:
        return None
    has_content = "".join(values.get("content-length", ())).strip("0")
    return (Violation.REQUEST_BODY, "") if has_content or values.get("transfer-encoding", ()) else None


def _wrong_version(values: Values) -> Finding:
    # RFC 6455 §11.3.5: the version must not come twice in a request. It goes before the key: earlier versions of the
    # protocol had other keys (RFC 6455 §4.4).
    versions = values.get("sec-websocket-version", ())
    return None if len(versions) == 1 and versions[0] == _VERSION else (Violation.UNSUPPORTED_VERSION, "")


def _wrong_key(values: Values) -> Finding:
    keys = values.get("sec-websocket-key", ())
    if len(keys) != 1:
        return Violation.BAD_KEY, f"there are {len(keys)}"  # RFC 6455 §11.3.1
    return None if is_valid_key(keys[0]) else (Violation.BAD_KEY, "")


def _malformed_offer(values: Values) -> Finding:
    violation = Violation.BAD_SUBPROTOCOLS
    try:
        if "sec-websocket-protocol" in values:
            parse_subprotocols(values["sec-websocket-protocol"])
        violation = Violation.BAD_EXTENSIONS
        if "sec-websocket-extensions" in values:
            parse_extensions(values["sec-websocket-extensions"])
    except ValueError as error:
        return violation, str(error)
    return None


def _strange_origin(values: Values, policy: ServerPolicy) -> Finding:
    origins = policy.origins
    if origins is None:
        return None
    lines = values.get("origin", ())
    if len(lines) > 1:
        # RFC 6454 §7.3: a pattern might take the joined values for one.
        return Violation.ORIGIN_NOT_ALLOWED, "there is more than one"
    is_allowed = allows_origin(lines[0] if lines else None, values["host"][0], origins)
    return None if is_allowed else (Violation.ORIGIN_NOT_ALLOWED, "")


# --- what a request becomes ---------------------------------------------------------------------------------------


def _filled_in(request: Request, values: Values, finding: Finding) -> Request:
    violation, detail = finding or (None, "")
    subprotocols = _readable_subprotocols(values.get("sec-websocket-protocol", ()))
    credentials = credentials_from(values.get("authorization", ()))
    return Request(  # not replace(), which takes three times as long
        method=request.method,
        target=request.target,
        headers=request.headers,
        http_version=request.http_version,
        protocol=request.protocol,
        subprotocols=subprotocols,
        credentials=credentials,
        violation=violation,
        detail=detail,
    )


def _readable_subprotocols(lines: Sequence[str]) -> tuple[str, ...]:
    if not lines:
        return ()
    try:
        return parse_subprotocols(lines)
    except ValueError:
        return ()


# --- the answer ---------------------------------------------------------------------------------------------------


def _chosen_subprotocol(
    request: Request, policy: ServerPolicy, subprotocol: str | Literal[ByPolicy.BY_POLICY] | None
) -> str | None:
    if isinstance(subprotocol, ByPolicy):
        return choose_subprotocol(request.subprotocols, policy.subprotocols) if policy.subprotocols else None
    if subprotocol is not None and subprotocol not in request.subprotocols:
        raise LocalProtocolError(f"subprotocol: the client does not offer {subprotocol!r} (RFC 6455 §4.2.2)")
    return subprotocol


def _negotiated(request: Request, policy: ServerPolicy) -> Negotiated:
    offers = parse_extensions(request.headers.all("sec-websocket-extensions"))
    return accept_extensions(offers, policy.extensions, policy.limits)


def _switch(request: Request) -> list[tuple[str, str]]:
    """What HTTP/1.1 needs; not used by its successors (RFC 8441 §5)."""
    (key,) = request.headers.all("sec-websocket-key")
    return [_UPGRADE, _CONNECTION, ("Sec-WebSocket-Accept", accept_token(key))]


def _checked_headers(headers: HeadersLike, is_reserved: Callable[[str], bool]) -> Headers:
    try:
        checked = Headers(headers)
    except ValueError as error:
        raise LocalProtocolError(f"headers: {error}") from None
    for name, _ in checked.lines():
        if is_reserved(name.lower()):
            raise LocalProtocolError(f"headers: {name} is not the caller's to send here")
    return checked


def _is_handshake_header(name: str) -> bool:
    return name in _FRAMING or name == "upgrade" or name.startswith("sec-websocket-")


def _is_multiplexed(request: Request) -> bool:
    return request.http_version != "1.1" and _major(request.http_version) in _MULTIPLEXED


def _major(http_version: str) -> str:
    return http_version.partition(".")[0]
