"""What every test folder shares: how hypothesis looks for examples, and what the garbage collector looks through."""

from __future__ import annotations

import gc
import os

from hypothesis import settings

# In CI the same commit gets the same verdict; on a developer's machine every run looks somewhere new.
settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("ci")


def pytest_collection_finish() -> None:
    """Leave what was imported and collected out of every search for garbage: those after a test take most of its time
    otherwise.
    """
    gc.collect()
    gc.freeze()
