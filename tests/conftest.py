"""What every test folder shares: how hypothesis looks for examples, what Ctrl-C does, and what the garbage collector
looks through.
"""

from __future__ import annotations

import gc
import os
import signal

from hypothesis import settings

# In CI the same commit gets the same verdict; on a developer's machine every run looks somewhere new. Nowhere does the
# verdict depend on how much else the machine has to do.
settings.register_profile("anywhere", deadline=None)
settings.register_profile("ci", settings.get_profile("anywhere"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "anywhere")


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
