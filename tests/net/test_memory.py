"""How much memory this process has."""

from __future__ import annotations

import sys

import pytest

from wsproto_net import process_memory


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells it")
def test_what_is_used_is_less_than_what_has_been_used() -> None:
    memory = process_memory()
    assert memory is not None
    now, most = memory
    assert 1_000_000 < now <= most


def test_elsewhere_nobody_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "plan9")
    assert process_memory() is None
