"""What the tests of all compiled hot code share, whichever package it belongs to: whether it is built, and its modules
as a process would see them that starts now.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

import pytest

from tools.prepare_peers import in_ci

__all__ = ["fresh", "import_while_garbage_is_collected", "needs_build"]


@contextmanager
def needs_build() -> Iterator[None]:
    """Skips, or fails in CI, where what is imported inside has not been built."""
    try:
        yield
    except ImportError as error:
        if in_ci():
            raise
        pytest.skip(f"the compiled twin is not built ({error}): run `make twin`")


def fresh(module: ModuleType) -> ModuleType:
    """``module`` once more; the one that everybody imports stays as it is."""
    assert module.__spec__ is not None
    assert module.__spec__.loader is not None
    again = importlib.util.module_from_spec(module.__spec__)
    module.__spec__.loader.exec_module(again)
    return again


def import_while_garbage_is_collected(module: str) -> None:
    """Import it in many processes, in each of which the garbage collection comes at another moment."""
    environment = {**os.environ, "WSPROTO_CORE_PUREPYTHON": "1"}
    subprocess.run([sys.executable, "-c", COLLECTING, module], check=True, env=environment)


COLLECTING = """
import gc, importlib, os, sys
importlib.import_module(sys.argv[1].partition(".")[0])  # in Python: the twin's modules are not there yet
os.register_at_fork(after_in_child=gc.collect)
for moment in range(1, 150):
    child = os.fork()
    if not child:
        gc.set_threshold(moment)
        importlib.import_module(sys.argv[1])
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0, moment
"""
