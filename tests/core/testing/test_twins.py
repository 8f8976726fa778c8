"""The frame loop's implementations by name."""

from __future__ import annotations

import sys

import pytest

from wsproto_core import Limits, Receive
from wsproto_core.testing import frame_decoders


def test_both_twins_are_there_and_do_the_same() -> None:
    decoders = frame_decoders()
    assert [*decoders] == ["python", "compiled"]
    for decoder in decoders.values():
        assert decoder(masked=False, receive=Receive.MESSAGES, limits=Limits()).decode(b"\x81\x01a") == ["a"]


def test_what_has_not_been_built_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wsproto_core._speedups.codec_c", None)
    monkeypatch.delattr("wsproto_core._speedups.codec_c", raising=False)
    assert [*frame_decoders()] == ["python"]
