"""Every test of this folder runs on both twins of the hot code."""

from __future__ import annotations

import pytest

from tests.core.twins import Twin


@pytest.fixture(autouse=True, scope="module")
def on_both_twins(in_use: Twin) -> None:
    """Ask for it once, for all."""
