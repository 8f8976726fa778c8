"""How much memory this process has."""

from __future__ import annotations

import sys

__all__ = ["process_memory"]


def process_memory() -> tuple[int, int] | None:
    """Physical memory of this process in bytes, now and at the most; ``None`` where the system does not tell."""
    if sys.platform != "linux":
        return None
    figures: dict[str, int] = {}
    with open("/proc/self/status", encoding="ascii", errors="replace") as status:
        for line in status:
            name, _, value = line.partition(":")
            if name in ("VmRSS", "VmHWM"):
                figures[name] = int(value.split()[0]) * 1024
    return (figures["VmRSS"], figures["VmHWM"]) if len(figures) == 2 else None
