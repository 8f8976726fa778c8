"""Fixtures for every test of the core."""

from __future__ import annotations

from typing import Final, Protocol

import pytest

from wsproto_core._speedups import FrameDecoder, codec_py, leaves_py
from wsproto_core._types import Receive


class Leaves(Protocol):
    """What a module of leaves has."""

    def unmask(self, data: bytes, start: int, stop: int, key: bytes) -> bytes: ...
    def apply_mask(self, payload: bytes, key: bytes) -> bytes: ...
    def encode_frame(self, first: int, payload: bytes, key: bytes | None) -> bytes: ...
    def encode_header(self, first: int, length: int, key: bytes | None) -> bytes: ...
    def complete_utf8(self, data: bytes | bytearray) -> int: ...


#: Every implementation, by name. A compiled twin is one more line in each.
CODECS: Final[dict[str, type[FrameDecoder]]] = {
    "codec_py": codec_py.FrameDecoder,
}
LEAVES: Final[dict[str, Leaves]] = {
    "leaves_py": leaves_py,
}


@pytest.fixture(scope="session", params=CODECS)
def codec(request: pytest.FixtureRequest) -> type[FrameDecoder]:
    return CODECS[request.param]


@pytest.fixture(scope="session", params=LEAVES)
def leaves(request: pytest.FixtureRequest) -> Leaves:
    return LEAVES[request.param]


@pytest.fixture(scope="session", params=[True, False], ids=["server", "client"])
def masked(request: pytest.FixtureRequest) -> bool:
    """Whether the frames that arrive are masked: a server's are, a client's are not (RFC 6455 §5.1)."""
    return bool(request.param)


@pytest.fixture(scope="session", params=Receive, ids=lambda mode: mode.value)
def receive(request: pytest.FixtureRequest) -> Receive:
    mode = request.param
    assert isinstance(mode, Receive)
    return mode
