"""What is written in C here, compiled on the spot: the load generator, and the limit as an extension."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sysconfig
from pathlib import Path
from types import ModuleType
from typing import Final

__all__ = ["FOLDER_VARIABLE", "build", "generator_path", "limit_module"]

HERE: Final = Path(__file__).resolve().parent
#: The environment variable that tells subjects where the built things are.
FOLDER_VARIABLE: Final = "BENCHMARK_FOLDER"


def build(folder: Path) -> None:
    """Compile both into ``folder``, and tell the processes to come where that is."""
    _compile("generator.c", _generator(folder))
    include = f"-I{sysconfig.get_path('include')}"
    _compile("limit.c", _limit(folder), "-shared", "-fPIC", include)
    os.environ[FOLDER_VARIABLE] = str(folder)


def generator_path() -> Path:
    """The load generator."""
    return _generator(Path(os.environ[FOLDER_VARIABLE]))


def limit_module() -> ModuleType:
    """The limit: ``decode(data, messages)`` and ``encode(messages, key)``."""
    spec = importlib.util.spec_from_file_location("limit", _limit(Path(os.environ[FOLDER_VARIABLE])))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _compile(source: str, target: Path, *options: str) -> None:
    subprocess.run(["cc", "-O3", "-Wall", "-Wextra", "-o", target, *options, HERE / source], check=True)


def _generator(folder: Path) -> Path:
    return folder / "generator"


def _limit(folder: Path) -> Path:
    return folder / f"limit{sysconfig.get_config_var('EXT_SUFFIX')}"
