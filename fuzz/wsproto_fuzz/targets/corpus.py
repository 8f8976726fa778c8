"""Inputs to begin with, as files: those that once hurt, and the simplest good ones.

``corpus/README.md`` tells of each.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

__all__ = ["CORPUS", "inputs_of"]

#: A folder for each target.
CORPUS: Final = Path(__file__).resolve().parents[1] / "corpus"


def inputs_of(name: str) -> Mapping[str, bytes]:
    """The inputs of the target called ``name``, by the names of their files."""
    return {path.name: path.read_bytes() for path in sorted((CORPUS / name).iterdir())}
