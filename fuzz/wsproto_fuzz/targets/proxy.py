"""Targets between client and server: proxies that answer, and the PROXY protocol."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from wsproto_core import (
    OpenTcp,
    ProxiedFrom,
    Proxy,
    ProxyFailed,
    Read,
    RemoteProtocolError,
    Write,
    dial,
    parse_proxy,
    parse_uri,
    read_proxy_header,
)

from ..oracles import same_however_cut
from .choices import Choices

__all__ = ["proxy_header", "socks5", "tunnel"]

_URI: Final = parse_uri("ws://example.com/")
_SOCKS5: Final = tuple(map(parse_proxy, ("socks5://localhost", "socks5://user:secret@localhost")))
_HTTP: Final = tuple(map(parse_proxy, ("http://localhost", "http://user:secret@localhost")))
_SEVERAL: Final = (1, 2, 5)


def socks5(data: bytes) -> object:
    """Any bytes from a SOCKS5 proxy: a connection or :exc:`ProxyFailed`, the same however they are cut."""
    return _through(_SOCKS5, data)


def tunnel(data: bytes) -> object:
    """Any bytes from an HTTP proxy, likewise."""
    return _through(_HTTP, data)


def proxy_header(data: bytes) -> object:
    """Any bytes of one who should begin with a PROXY header: the same however they come, and not a byte too many read.

    What follows, TLS perhaps, has to lie untouched in the socket. Of two things wrong either may be told.
    """
    told, taken, offence = _introduce(data, 1 << 16)
    for size in _SEVERAL:
        assert _introduce(data, size)[:2] == (told, taken)
    if told is not None:
        assert _introduce(data[:taken], 1 << 16) == (told, taken, offence)
    return offence, taken


def _through(proxies: tuple[Proxy, ...], data: bytes) -> object:
    choices = Choices(data)
    proxy = choices.choose(proxies)
    wire = choices.rest()
    arrivals = [[wire[start : start + size] for start in range(0, len(wire), size)] for size in _SEVERAL]
    told, rest = same_however_cut(lambda pieces: _dial(proxy, pieces), wire, arrivals)
    assert wire.endswith(rest)
    return told, bool(rest)


def _dial(proxy: Proxy, pieces: Iterable[bytes]) -> tuple[str, bytes]:
    """What comes of it, and what is left for the engine."""
    reads = iter([piece for piece in pieces if piece])
    steps = dial(_URI, proxy=proxy)
    try:
        step = next(steps)
        while True:
            match step:
                case OpenTcp() | Write():
                    step = steps.send(b"")
                case Read():
                    step = steps.send(next(reads, b""))
                case _:
                    raise AssertionError(f"a plain URI through a plain proxy takes {step!r}")
    except StopIteration as done:
        return "open", bytes(done.value) + b"".join(reads)
    except ProxyFailed as failure:
        return _words(failure), b""


def _words(failure: ProxyFailed) -> str:
    """What the failure says, which may be logged."""
    words = f"{failure.status} {failure}"
    assert "secret" not in words
    return words


def _introduce(data: bytes, size: int) -> tuple[ProxiedFrom | None, int, str]:
    """What a header tells and how many bytes it took, or what is wrong with it."""
    conversation = read_proxy_header()
    taken = 0
    try:
        wanted = next(conversation)
        while True:
            assert wanted > 0
            piece = data[taken : taken + min(size, wanted)]
            taken += len(piece)
            wanted = conversation.send(piece)
    except StopIteration as done:
        return done.value, taken, ""
    except RemoteProtocolError as offence:
        return None, 0, offence.detail
