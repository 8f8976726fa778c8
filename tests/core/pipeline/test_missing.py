"""Without the packages that are optional: what is said, and what still works."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.core.pipeline.kit import connect, refusal, ring
from wsproto_core import Compress, Encrypt, Pipeline, Violation
from wsproto_core._pipeline import compression


@pytest.fixture
def without_zstd(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, compression._ZSTD_MODULE, None)


def test_without_cryptography(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography", None)
    with pytest.raises(ImportError, match=r'pip install "wsproto-core\[crypto\]"') as caught:
        Encrypt(ring())
    assert caught.value.name == "cryptography"
    ends = connect(Pipeline(Compress()))
    assert ends.server.open(ends.client.seal("x" * 1000)) == "x" * 1000


@pytest.mark.usefixtures("without_zstd")
def test_without_zstd() -> None:
    with pytest.raises(ImportError, match=r'pip install "wsproto-core\[zstd\]"'):
        Compress("zstd")
    ends = connect(Pipeline(Compress("zlib")))
    assert ends.server.open(ends.client.seal("x" * 1000)) == "x" * 1000


def test_a_message_compressed_by_a_zstd_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    ends = connect(Pipeline(Compress("zstd")))
    sealed = ends.client.seal("x" * 1000)
    monkeypatch.setitem(sys.modules, compression._ZSTD_MODULE, None)
    assert refusal(ends.server, sealed) is Violation.UNREADABLE_PAYLOAD


def test_who_only_compresses_loads_no_cryptography() -> None:
    program = """
import sys
from wsproto_core import Compress, Encrypt, KeyRing, Limits, Pipeline, Role
session = Pipeline(Compress()).session(lambda size: bytes(size), role=Role.CLIENT, limits=Limits(), ordered=True)
session.open(session.seal("hi"))
assert not any(name.partition(".")[0] in ("cryptography", "backports") for name in sys.modules)
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=30)
