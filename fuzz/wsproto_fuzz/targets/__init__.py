"""Targets for fuzzers that are guided by coverage: one small function each, that takes any bytes.

A target raises for a fault and for nothing else, and returns what it saw, in a value that can be compared: a fuzzer
without coverage keeps the inputs that show it something new. ``python -m wsproto_fuzz.targets`` runs them, with atheris
where that is installed, and otherwise by its own mutation; ``load`` gives one to any other fuzzer::

    target = load("frames")
    target(data)

Nothing of ``wsproto_core`` is imported from here, so that a fuzzer can instrument it first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Final, TypeAlias

__all__ = ["TARGETS", "Target", "load"]

#: Takes any bytes, raises for a fault, and returns what it saw.
Target: TypeAlias = Callable[[bytes], object]

#: The name of each target, and the module that has the function of that name.
TARGETS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "frames": "wire",
        "close_payload": "wire",
        "deflate": "wire",
        "request": "handshake",
        "response": "handshake",
        "headers": "handshake",
        "uri": "handshake",
        "socks5": "proxy",
        "tunnel": "proxy",
        "proxy_header": "proxy",
        "stream": "packets",
        "datagrams": "packets",
        "conversation": "conversation",
        "hub": "hub",
    }
)


def load(name: str) -> Target:
    """The target with this name. Raises :exc:`ValueError` if there is none."""
    if name not in TARGETS:
        raise ValueError(f"name must be one of {', '.join(TARGETS)}, not {name!r}")
    target: Target = getattr(import_module(f".{TARGETS[name]}", __name__), name)
    return target
