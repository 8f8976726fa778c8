"""Fixtures for every test of the core."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.core.twins import TWINS, Leaves, Twin
from wsproto_core import _speedups
from wsproto_core._driver import flow
from wsproto_core._protocol import receiving, sending
from wsproto_core._speedups import FrameDecoder, FrameQueue
from wsproto_core._types import Receive
from wsproto_core._wire import frames


@pytest.fixture(scope="session", params=TWINS)
def twin(request: pytest.FixtureRequest) -> Twin:
    """The hot code in Python, and compiled. The second skips, or fails in CI, where it is not built."""
    return TWINS[request.param]()


@pytest.fixture(scope="session")
def codec(twin: Twin) -> type[FrameDecoder]:
    return twin.codec


@pytest.fixture(scope="session")
def queue(twin: Twin) -> type[FrameQueue]:
    return twin.frames


@pytest.fixture(scope="session")
def leaves(twin: Twin) -> Leaves:
    return twin.leaves


@pytest.fixture(scope="module")
def in_use(twin: Twin) -> Iterator[Twin]:
    """Everything above the hot code uses this one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(receiving, "FrameDecoder", twin.codec)
        patch.setattr(sending, "FrameBuffer", twin.leaves.FrameBuffer)
        patch.setattr(sending, "utf8_of", twin.leaves.utf8_of)
        patch.setattr(flow, "FrameQueue", twin.frames)
        patch.setattr(_speedups, "FrameQueue", twin.frames)  # for the tests themselves
        patch.setattr(frames, "apply_mask", twin.leaves.apply_mask)
        yield twin


@pytest.fixture(scope="session", params=[True, False], ids=["server", "client"])
def masked(request: pytest.FixtureRequest) -> bool:
    """Whether the frames that arrive are masked: a server's are, a client's are not (RFC 6455 §5.1)."""
    return bool(request.param)


@pytest.fixture(scope="session", params=Receive, ids=lambda mode: mode.value)
def receive(request: pytest.FixtureRequest) -> Receive:
    mode = request.param
    assert isinstance(mode, Receive)
    return mode
