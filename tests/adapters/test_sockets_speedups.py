"""Which of the two twins the adapter of blocking sockets uses."""

from __future__ import annotations

import importlib.util
import os

import pytest

import wsproto_core
from tests.adapters.test_sockets_leaves import compiled
from tests.hot_code import fresh, import_while_garbage_is_collected
from wsproto_sockets import _speedups


@pytest.mark.parametrize("of_core", [True, False])
def test_it_is_the_one_that_the_core_uses(monkeypatch: pytest.MonkeyPatch, of_core: bool) -> None:
    compiled()
    monkeypatch.setattr(wsproto_core, "IS_COMPILED", of_core)
    package = fresh(_speedups)
    assert package.IS_COMPILED is of_core
    assert package.LinkTraffic.__module__ == f"wsproto_sockets._speedups.traffic_{'c' if of_core else 'py'}"


def test_what_is_not_built_is_not_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on Windows, where the core's is."""
    monkeypatch.setattr(wsproto_core, "IS_COMPILED", True)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    package = fresh(_speedups)
    assert package.IS_COMPILED is False
    assert package.LinkTraffic.__module__ == "wsproto_sockets._speedups.traffic_py"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="tries a hundred imports of a fresh module")
@pytest.mark.parametrize("name", ["leaves_c", "traffic_c"])
def test_garbage_may_be_collected_at_any_moment_of_the_import(name: str) -> None:
    compiled()
    import_while_garbage_is_collected(f"wsproto_sockets._speedups.{name}")
