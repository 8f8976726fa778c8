"""``python -m wsproto_fuzz.targets.guided NAME [CORPUS...] [-libfuzzer=options]``: one target, guided by coverage.

For ``__main__``, which starts it in a process of its own. Needs atheris (``pip install atheris``, on Linux).
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

from . import load

__all__ = ["main"]


def main(arguments: list[str]) -> None:
    """Never returns: libFuzzer ends the process."""
    name, *rest = arguments
    atheris: Any = import_module("atheris")  # has no types, and is not installed everywhere
    with atheris.instrument_imports(include=["wsproto_core", "h11"], enable_loader_override=False):
        target = load(name)

    def test_one_input(data: bytes) -> None:
        target(data)

    atheris.Setup([sys.argv[0], *rest], test_one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1:])
