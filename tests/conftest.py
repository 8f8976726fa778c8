"""What every test folder shares: how hypothesis looks for examples."""

from __future__ import annotations

import os

from hypothesis import settings

# In CI the same commit gets the same verdict; on a developer's machine every run looks somewhere new.
settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("ci")
