"""Every scenario runs whole and byte by byte."""

from __future__ import annotations

import pytest

from wsproto_core._driver import flow
from wsproto_core.testing import Chunks


@pytest.fixture(params=[None, 1], ids=["whole", "bytewise"])
def chunks(request: pytest.FixtureRequest) -> Chunks:
    size: Chunks = request.param
    return size


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow transfer of many batches without as many bytes."""
    monkeypatch.setattr(flow, "_BATCH_SIZE", 100)
