"""The two implementations of the hot code, side by side in one process."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Protocol

import pytest

from tools.prepare_peers import in_ci
from wsproto_core._speedups import FrameDecoder, codec_py, leaves_py


class Buffer(Protocol):
    """A message as it comes."""

    def add(self, data: bytes, start: int, stop: int, key_in: bytes, key_at: int, more: int) -> None: ...
    def check(self) -> None: ...
    def take(self, final: bool) -> str | bytes: ...


class Leaves(Protocol):
    """What a module of leaves has."""

    @property
    def MessageBuffer(self) -> Callable[[bool], Buffer]: ...  # noqa: N802  # it is a class
    def unmask(self, data: bytes, start: int, stop: int, key_in: bytes, key_at: int) -> bytes: ...
    def unmask_text(self, data: bytes, start: int, stop: int, key_in: bytes, key_at: int) -> str: ...
    def apply_mask(self, payload: bytes, key: bytes) -> bytes: ...
    def encode_frame(self, first: int, payload: bytes, key: bytes | None) -> bytes: ...
    def encode_header(self, first: int, length: int, key: bytes | None) -> bytes: ...
    def complete_utf8(self, data: bytes | bytearray) -> int: ...


@dataclass(frozen=True)
class Twin:
    """The frame loop and its leaves."""

    codec: type[FrameDecoder]
    leaves: Leaves


def in_python() -> Twin:
    return Twin(codec_py.FrameDecoder, leaves_py)


def compiled() -> Twin:
    """The compiled twin; skips, or fails in CI, where it has not been built."""
    try:
        from wsproto_core._speedups import codec_c, leaves_c
    except ImportError as error:
        if in_ci():
            raise
        pytest.skip(f"the compiled twin is not built ({error}): run `make twin`")
    return Twin(codec_c.FrameDecoder, leaves_c)


TWINS: Final[Mapping[str, Callable[[], Twin]]] = MappingProxyType({"python": in_python, "compiled": compiled})
