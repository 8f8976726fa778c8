"""What every test folder shares: how hypothesis looks for examples, what Ctrl-C does, and what the garbage collector
looks through.
"""

from __future__ import annotations

import gc
import os
import signal

from hypothesis import HealthCheck, settings

# No verdict depends on how fast the machine is. In CI the same commit gets the same one; elsewhere every run looks
# somewhere new.
settings.register_profile(
    "wsproto", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=bool(os.environ.get("CI"))
)
settings.load_profile("wsproto")


def pytest_configure() -> None:
    """Heed Ctrl-C, also where a shell that started this in the background has it ignored: processes inherit that, and
    some tests press it.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish() -> None:
    """Leave what was imported and collected out of every search for garbage: those after a test take most of its time
    otherwise.
    """
    gc.collect()
    gc.freeze()
