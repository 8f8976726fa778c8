"""The source tree as the surface tests see it: which files ship, which packages there are, what pyproject.toml says."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
CORE = ROOT / "wsproto_core"
TRANSPORTS = ROOT / "transports"
FUZZ = ROOT / "fuzz"

#: The modules of a package that are doors. Without an entry, the package itself is the only one.
INNER_DOORS = MappingProxyType(
    {
        "wsproto_core": ("frames", "hub", "recorder", "testing"),
        "wsproto_fuzz": ("conformance", "machines", "oracles", "strategies", "transcript"),
    }
)


def packages_below(folder: Path) -> list[Path]:
    """The packages directly below a folder that is no package itself."""
    return sorted(entry.parent for entry in folder.glob("*/__init__.py"))


def shipped_packages() -> list[Path]:
    """Every package that the wheel must hold, as folders."""
    return [CORE, *packages_below(TRANSPORTS), *packages_below(FUZZ)]


def sources_below(*folders: Path) -> Iterator[Path]:
    """Every Python file below the folders, in a stable order; installed things left out."""
    for folder in folders:
        yield from sorted(path for path in folder.rglob("*.py") if "node_modules" not in path.parts)


def relative(path: Path) -> str:
    """A path as a reader of the repository names it."""
    return path.relative_to(ROOT).as_posix()


def pyproject() -> dict[str, Any]:
    """The parsed pyproject.toml."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        return tomllib.load(file)
