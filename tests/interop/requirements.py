"""What a test needs on the machine besides Python packages."""

from __future__ import annotations

import pytest

from tools.prepare_peers import in_ci, recorded_reason

__all__ = ["require"]


def require(peer: str, is_here: bool) -> None:
    """Skip the test with the reason that ``make prepare`` gave, or fail it in CI, unless the peer ``is_here``."""
    if is_here:
        return
    reason = f"no {peer}: {recorded_reason(peer) or 'run `make prepare`'}"
    if in_ci():
        pytest.fail(f"CI must run every test: {reason}")
    pytest.skip(reason)
