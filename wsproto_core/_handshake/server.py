"""The server's half of the opening handshake (RFC 6455 §4.2, RFC 8441 §5): judge a request, accept or refuse it.

What lives here are pure functions of a request that somebody parsed: ``http11``, or the HTTP/2, HTTP/3 or ASGI server
at hand, which passes ``:authority`` as the ``Host`` header. No bytes are read or written here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import Enum
from itertools import chain
from typing import Final, Literal, NamedTuple, TypeAlias

from .._errors import LocalProtocolError
from .._events import Request
from .._headers import Headers, HeadersLike, checked_headers, values_by_name
from .._violations import Violation
from .headers import credentials_from, has_option, parse_extensions, parse_subprotocols
from .keys import accept_token, is_valid_key
from .negotiation import NO_EXTENSIONS, Negotiated, accept_extensions, choose_subprotocol
from .outcome import Agreement, Response
from .policy import ServerPolicy, allows_host, allows_origin
from .uri import parse_authority

__all__ = ["BY_POLICY", "MAX_TARGET_SIZE", "ByPolicy", "accept", "judge", "refuse", "reject"]

#: Bytes of a request target, or ``Limits.header_size`` where that is less (414 beyond it).
MAX_TARGET_SIZE: Final = 8 * 1024

_VERSION: Final = "13"  # RFC 6455 §4.1, item 9
_MULTIPLEXED: Final = frozenset({"2", "3"})
_NO_HEADERS: Final = Headers()
_UPGRADE: Final = ("Upgrade", "websocket")
_CONNECTION: Final = ("Connection", "Upgrade")
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

    The violation is the first one in the order of the table below, or ``None``. The detail is made of this library's
    own words: it never repeats what the client sent.
    """
    case = _Case(request, policy, values_by_name(request.headers), _is_multiplexed(request))
    violation, detail = _first_violation(case)
    subprotocols = _readable_subprotocols(case.all("sec-websocket-protocol"))
    credentials = credentials_from(case.all("authorization"))
    if (subprotocols, credentials, violation, detail) == _said(request):
        return request  # nearly always: nothing was to be filled in
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


def _said(request: Request) -> tuple[object, ...]:
    """What judging fills in."""
    return request.subprotocols, request.credentials, request.violation, request.detail


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
    extra = _checked_headers(headers, _is_handshake_header)
    negotiated = _negotiated(request, policy)
    switched = _switched(request)
    lines = [*switched, *_answers(chosen, negotiated), *extra.lines()]
    return Agreement(
        # RFC 8441 §5: a 2xx status takes the place of 101.
        response=Response(status=101 if switched else 200, headers=checked_headers(lines)),
        subprotocol=chosen,
        transforms=negotiated.transforms,
        extensions=negotiated.names,
    )


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


class _Case(NamedTuple):
    """A request, and what it is held to."""

    request: Request
    policy: ServerPolicy
    #: The request's headers, by name in lower case.
    values: Mapping[str, Sequence[str]]
    #: Whether it came by HTTP/2 or HTTP/3, as an extended CONNECT (RFC 8441 §4).
    is_multiplexed: bool

    def all(self, name: str) -> Sequence[str]:
        return self.values.get(name, ())


#: What is wrong, in words; empty where the violation says it all, ``None`` if nothing is.
Check: TypeAlias = Callable[[_Case], str | None]


def _target_size(case: _Case) -> str | None:
    return "" if len(case.request.target) > min(MAX_TARGET_SIZE, case.policy.limits.header_size) else None


def _header_count(case: _Case) -> str | None:
    return "" if len(case.request.headers.lines()) > case.policy.limits.max_headers else None


def _header_size(case: _Case) -> str | None:
    size = sum(map(len, chain.from_iterable(case.request.headers.lines())))
    return "" if size > case.policy.limits.header_size else None


def _method(case: _Case) -> str | None:
    extended = case.is_multiplexed and case.request.protocol is not None
    return None if case.request.method == ("CONNECT" if extended else "GET") else ""  # RFC 8441 §4


def _http_version(case: _Case) -> str | None:
    major, _dot, minor = case.request.http_version.partition(".")
    return None if major in _MULTIPLEXED or (major == "1" and minor > "0") else ""


def _host(case: _Case) -> str | None:
    lines = case.all("host")
    if len(lines) != 1:
        return f"there are {len(lines)}"
    return _complaint(parse_authority, lines[0])


def _allowed_host(case: _Case) -> str | None:
    hosts = case.policy.hosts
    return None if hosts is None or allows_host(*parse_authority(case.all("host")[0]), hosts) else ""


def _upgrade(case: _Case) -> str | None:
    if case.is_multiplexed:
        protocol = case.request.protocol or ""
        return None if protocol.lower() == "websocket" else "the request is not an extended CONNECT"
    return None if has_option(case.all("upgrade"), "websocket") else ""


def _connection(case: _Case) -> str | None:
    return None if case.is_multiplexed or has_option(case.all("connection"), "upgrade") else ""


def _no_body(case: _Case) -> str | None:
    has_content = "".join(case.all("content-length")).strip("0")
    return "" if has_content or case.all("transfer-encoding") else None


def _version(case: _Case) -> str | None:
    # RFC 6455 §11.3.5: the header must not come twice in a request.
    lines = case.all("sec-websocket-version")
    return None if len(lines) == 1 and lines[0] == _VERSION else ""


def _key(case: _Case) -> str | None:
    if case.is_multiplexed:
        return None  # RFC 8441 §5: the header is not used
    keys = case.all("sec-websocket-key")
    if len(keys) != 1:
        return f"there are {len(keys)}"  # RFC 6455 §11.3.1
    return None if is_valid_key(keys[0]) else ""


def _subprotocols(case: _Case) -> str | None:
    return _complaint(parse_subprotocols, case.all("sec-websocket-protocol"))


def _extensions(case: _Case) -> str | None:
    return _complaint(parse_extensions, case.all("sec-websocket-extensions"))


def _origin(case: _Case) -> str | None:
    origins = case.policy.origins
    if origins is None:
        return None
    lines = case.all("origin")
    if len(lines) > 1:
        return "there is more than one"  # RFC 6454 §7.3: a pattern might take the joined values for one
    return None if allows_origin(lines[0] if lines else None, case.all("host")[0], origins) else ""


_CHECKS: Final[tuple[tuple[Violation, Check], ...]] = (
    (Violation.TARGET_TOO_LONG, _target_size),
    (Violation.TOO_MANY_HEADERS, _header_count),
    (Violation.HEADERS_TOO_BIG, _header_size),
    (Violation.METHOD_NOT_GET, _method),
    (Violation.HTTP_VERSION, _http_version),
    (Violation.BAD_HOST, _host),
    (Violation.HOST_NOT_ALLOWED, _allowed_host),
    (Violation.NO_UPGRADE, _upgrade),
    (Violation.BAD_CONNECTION, _connection),
    (Violation.REQUEST_BODY, _no_body),
    # Before the key: earlier versions of the protocol had other keys (RFC 6455 §4.4).
    (Violation.UNSUPPORTED_VERSION, _version),
    (Violation.BAD_KEY, _key),
    (Violation.BAD_SUBPROTOCOLS, _subprotocols),
    (Violation.BAD_EXTENSIONS, _extensions),
    (Violation.ORIGIN_NOT_ALLOWED, _origin),
)


def _first_violation(case: _Case) -> tuple[Violation | None, str]:
    for violation, check in _CHECKS:
        detail = check(case)
        if detail is not None:
            return violation, detail
    return None, ""


def _complaint(parse: Callable[..., object], value: object) -> str | None:
    try:
        parse(value)
    except ValueError as error:
        return str(error)
    return None


def _readable_subprotocols(lines: Sequence[str]) -> tuple[str, ...]:
    try:
        return parse_subprotocols(lines)
    except ValueError:
        return ()


# --- the answer ---------------------------------------------------------------------------------------------------


def _chosen_subprotocol(
    request: Request, policy: ServerPolicy, subprotocol: str | Literal[ByPolicy.BY_POLICY] | None
) -> str | None:
    if isinstance(subprotocol, ByPolicy):
        return choose_subprotocol(request.subprotocols, policy.subprotocols)
    if subprotocol is not None and subprotocol not in request.subprotocols:
        raise LocalProtocolError(f"subprotocol: the client does not offer {subprotocol!r} (RFC 6455 §4.2.2)")
    return subprotocol


def _negotiated(request: Request, policy: ServerPolicy) -> Negotiated:
    if not policy.extensions:
        return NO_EXTENSIONS
    offers = parse_extensions(request.headers.all("sec-websocket-extensions"))
    return accept_extensions(offers, policy.extensions, policy.limits)


def _switched(request: Request) -> tuple[tuple[str, str], ...]:
    if _is_multiplexed(request):
        return ()  # RFC 8441 §5: Upgrade, Connection and Sec-WebSocket-Accept are not used
    return _UPGRADE, _CONNECTION, ("Sec-WebSocket-Accept", accept_token(request.headers["sec-websocket-key"]))


def _answers(subprotocol: str | None, negotiated: Negotiated) -> Iterator[tuple[str, str]]:
    if subprotocol is not None:
        yield "Sec-WebSocket-Protocol", subprotocol
    if negotiated.header is not None:
        yield "Sec-WebSocket-Extensions", negotiated.header


def _checked_headers(headers: HeadersLike, is_reserved: Callable[[str], bool]) -> Headers:
    if not headers:
        return _NO_HEADERS
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
