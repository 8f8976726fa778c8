"""What a service manager such as systemd is told, by datagrams to ``NOTIFY_SOCKET``: ``sd_notify(3)``.

Without one, nothing happens.
"""

from __future__ import annotations

import os
import socket
import time

from .status import complain

__all__ = ["notify_ready", "notify_reloading", "notify_stopping"]


def notify_ready() -> None:
    """It listens; or it has been reloaded."""
    _notify("READY=1")


def notify_reloading() -> None:
    """A graceful restart begins, which :func:`notify_ready` ends."""
    _notify(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")


def notify_stopping() -> None:
    """The end begins."""
    _notify("STOPPING=1")


def _notify(state: str) -> None:
    path = os.environ.get("NOTIFY_SOCKET")
    if not path:
        return
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.connect("\0" + path[1:] if path.startswith("@") else path)  # @ stands for Linux's abstract names
            sock.sendall(state.encode())
    except OSError as error:
        complain(f"cannot tell the service manager at NOTIFY_SOCKET: {error.strerror}")
