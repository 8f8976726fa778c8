"""Datagrams with the header of ``wsproto_core``: right ones, and such as anybody may send in anybody's name."""

from __future__ import annotations

from typing import Final

from hypothesis import strategies as st

from .closing import close_codes
from .frames import payloads

__all__ = ["datagrams", "hostile_datagrams"]

#: Kinds of datagrams, by the low four bits of their first byte.
_MESSAGE, _ECHO, _PING, _PONG, _HELLO, _COOKIE, _WELCOME, _GOODBYE = range(8)
_VERSION: Final = 0x10
_NUMBERS: Final = st.sampled_from([0, 1, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF]) | st.integers(0, 0xFFFF_FFFF)
_WORDS: Final = _NUMBERS.map(lambda number: number.to_bytes(4, "big"))
_TOKENS: Final = st.sampled_from([bytes(16), b"\xff" * 16]) | st.binary(min_size=16, max_size=16)


def datagrams() -> st.SearchStrategy[bytes]:
    """Well-formed datagrams of every kind. Nothing is promised about their tokens."""
    goodbyes = st.just(b"") | close_codes().map(lambda code: code.to_bytes(2, "big") + b"bye")
    bodies = {
        _MESSAGE: payloads(max_size=1000),
        _ECHO: st.tuples(_WORDS, _WORDS, payloads(max_size=1000)).map(b"".join),
        _PING: _WORDS,
        _PONG: _WORDS,
        _HELLO: _TOKENS,
        _COOKIE: _TOKENS,
        _WELCOME: _TOKENS,
        _GOODBYE: st.tuples(_TOKENS, goodbyes).map(b"".join),
    }
    return st.one_of([_packets(st.just(_VERSION | kind), body) for kind, body in bodies.items()])


def hostile_datagrams() -> st.SearchStrategy[bytes]:
    """Any datagram: well-formed, with a wrong version, kind or size, or no packet at all."""
    near = _packets(st.integers(0x10, 0x1F) | st.integers(0, 255), st.binary(max_size=40))
    return datagrams() | near | st.binary(max_size=40)


def _packets(first: st.SearchStrategy[int], body: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    return st.tuples(first.map(lambda byte: bytes([byte])), _WORDS, _WORDS, body).map(b"".join)
