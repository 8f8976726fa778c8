"""The package itself: its names are made when somebody asks for them."""

from __future__ import annotations

import pytest

import wsproto_core


def test_every_name_shows_and_answers() -> None:
    assert set(dir(wsproto_core)) == set(wsproto_core.__all__)
    assert [name for name in dir(wsproto_core) if getattr(wsproto_core, name) is None] == []


def test_a_name_that_nobody_has() -> None:
    with pytest.raises(AttributeError, match="module 'wsproto_core' has no attribute 'Sever'"):
        _ = wsproto_core.Sever
