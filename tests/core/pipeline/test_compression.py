"""Compression: what is chosen, what is refused, and what a bomb costs."""

from __future__ import annotations

import random
import sys
import tracemalloc
import zlib
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.pipeline.kit import connect, refusal
from wsproto_core import Compress, Limits, Pipeline, RemoteProtocolError, Violation
from wsproto_core._pipeline import compression
from wsproto_core._pipeline.compression import expand
from wsproto_core._pipeline.envelope import ZLIB, ZSTD

MIB: Final = 1024 * 1024
METHODS: Final = ("zlib", "zstd")
FLAGS: Final = {"zlib": ZLIB, "zstd": ZSTD}
UNLIMITED: Final = Limits(message_size=None, inflate_ratio=None)
WORDS: Final = ("seal", "message", "compressed", "encrypted", "key", "ends", "counter", "nonce")
PROSE: Final = " ".join(random.Random(1).choices(WORDS, k=3000)).encode()
every_method = pytest.mark.parametrize("method", METHODS)


def shrunk(method: Any, payload: bytes, **settings: Any) -> bytes:
    flag, compressed = Compress(method, threshold=0, **settings).shrink(payload)
    assert flag == FLAGS[method]
    return compressed


def offence(method: str, payload: bytes, limits: Limits = UNLIMITED) -> RemoteProtocolError:
    with pytest.raises(RemoteProtocolError) as caught:
        expand(FLAGS[method], payload, limits)
    return caught.value


@every_method
def test_what_is_too_short_or_grows_stays_as_it_is(method: Any) -> None:
    noise = random.Random(1).randbytes(5000)
    assert Compress(method).shrink(b"x" * 127) == (0, b"x" * 127)
    assert Compress(method).shrink(b"x" * 128)[0] == FLAGS[method]
    assert Compress(method).shrink(noise) == (0, noise)
    assert Compress(method, threshold=0).shrink(b"") == (0, b"")


@every_method
def test_levels(method: Any) -> None:
    quick, thorough = len(shrunk(method, PROSE, level=1)), len(shrunk(method, PROSE, level=9))
    assert thorough < quick


def test_the_default_levels() -> None:
    assert shrunk("zlib", PROSE) == shrunk("zlib", PROSE, level=6)
    assert shrunk("zstd", PROSE) == shrunk("zstd", PROSE, level=3)


@every_method
def test_a_side_opens_either_method_and_none(method: Any) -> None:
    """What is configured is what is sent: one side can change before the other."""
    other: Any = "zlib" if method == "zstd" else "zstd"
    ends = connect(Pipeline(Compress(method)), Pipeline(Compress(other)))
    for text in ("x" * 1000, "x"):
        assert ends.server.open(ends.client.seal(text)) == text


# --- bombs ------------------------------------------------------------------------------------------------------------


@every_method
def test_a_bomb_costs_no_more_than_the_limit(method: str) -> None:
    bomb = shrunk(method, bytes(200 * MIB))
    assert len(bomb) < MIB
    tracemalloc.start()
    error = offence(method, bomb, Limits(message_size=MIB))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert error.violation is Violation.MESSAGE_TOO_BIG
    assert error.detail == "it expands to more than 1048576 bytes"
    assert peak < 4 * MIB


@every_method
@given(size=st.integers(1, 3000), more=st.integers(-2, 2))
def test_the_limit_is_exact(method: str, size: int, more: int) -> None:
    payload = shrunk(method, bytes(size + 5000))
    limits = Limits(message_size=size + 5000 + more)
    if more < 0:
        assert offence(method, payload, limits).violation is Violation.MESSAGE_TOO_BIG
    else:
        assert expand(FLAGS[method], payload, limits) == bytes(size + 5000)


@every_method
def test_the_ratio_counts_above_16_mib(method: str) -> None:
    limits = Limits(message_size=None, inflate_ratio=100)
    assert len(expand(FLAGS[method], shrunk(method, bytes(16 * MIB)), limits)) == 16 * MIB
    assert offence(method, shrunk(method, bytes(16 * MIB + 1)), limits).violation is Violation.INFLATE_RATIO
    assert len(expand(FLAGS[method], shrunk(method, bytes(16 * MIB + 1)), UNLIMITED)) == 16 * MIB + 1


@every_method
@pytest.mark.parametrize("size", [sys.maxsize - 1, sys.maxsize, sys.maxsize + 1, 10**30])
def test_a_limit_that_no_memory_has(method: str, size: int) -> None:
    limits = Limits(message_size=size, inflate_ratio=size)
    assert expand(FLAGS[method], shrunk(method, bytes(1000)), limits) == bytes(1000)


def test_a_zstd_window_of_more_than_8_mib_is_refused() -> None:
    """The window is memory that a head of a few bytes asks for."""
    head = bytes.fromhex("28b52ffd00")
    assert "too much memory" in offence("zstd", head + bytes([14 << 3]) + bytes(50)).detail  # 16 MiB
    assert "too much memory" not in offence("zstd", head + bytes([13 << 3]) + bytes(50)).detail


def test_the_highest_level_stays_within_that_window() -> None:
    payload = random.Random(1).randbytes(1000) * 9000
    assert expand(ZSTD, shrunk("zstd", payload, level=19), UNLIMITED) == payload


# --- broken -----------------------------------------------------------------------------------------------------------


@every_method
def test_data_that_is_cut_or_followed_by_more(method: str) -> None:
    whole = shrunk(method, b"message " * 100)
    for size in range(len(whole)):
        assert offence(method, whole[:size]).violation is Violation.UNREADABLE_PAYLOAD
    assert offence(method, whole + b"\x00").violation is Violation.UNREADABLE_PAYLOAD
    assert offence(method, whole + whole).violation is Violation.UNREADABLE_PAYLOAD


@every_method
@given(data=st.binary(max_size=200))
def test_any_bytes_are_expanded_or_refused(method: str, data: bytes) -> None:
    found: object
    try:
        found = len(expand(FLAGS[method], data, Limits(message_size=1000)))
    except RemoteProtocolError as error:
        found = error.violation
    assert found in (*range(1001), Violation.UNREADABLE_PAYLOAD, Violation.MESSAGE_TOO_BIG)


def test_a_checksum_of_zlib_is_not_expected() -> None:
    assert (
        refusal(connect(Pipeline(Compress())).server, b"\x01\x02" + zlib.compress(b"x")) is Violation.UNREADABLE_PAYLOAD
    )


# --- configuration ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"method": "brotli"}, ValueError, "method must be .*, not 'brotli'"),
        ({"level": 10}, ValueError, "level must be from 0 to 9, not 10"),
        ({"level": "best"}, TypeError, "level must be an integer, not 'best'"),
        ({"method": "zstd", "level": 0}, ValueError, "level must be from 1 to 19, not 0"),
        ({"method": "zstd", "level": 20}, ValueError, "level must be from 1 to 19, not 20"),
        ({"threshold": -1}, ValueError, "threshold must be at least 0, not -1"),
        ({"threshold": True}, TypeError, "threshold must be an integer, not True"),
    ],
)
def test_wrong_compression(arguments: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        Compress(**arguments)


def test_zstd_is_the_standard_library_s_where_that_has_it() -> None:
    expected = "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd"
    assert expected == compression._ZSTD_MODULE
