"""Sockets that a service manager has opened already: the protocol of systemd's ``sd_listen_fds(3)``.

What lives here is what the environment says; to make sockets of the descriptors is the adapter's or the command's part.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

__all__ = ["InheritedSocket", "inherited_sockets"]

_FIRST_DESCRIPTOR: Final = 3
#: More than any process is given; nothing is allocated for a number beyond it.
_MAX_SOCKETS: Final = 1024
#: What systemd calls a socket without ``FileDescriptorName=``.
_NO_NAME: Final = "unknown"


@dataclass(frozen=True, slots=True)
class InheritedSocket:
    """A descriptor that was handed to this process, and the name that its unit gives it."""

    fileno: int
    name: str


def inherited_sockets(environment: Mapping[str, str], pid: int) -> tuple[InheritedSocket, ...]:
    """The sockets that ``environment`` says were handed to the process ``pid``, in their order; none where
    ``LISTEN_PID`` names another process or nobody.

    Raises :exc:`ValueError`, naming the variable, for what makes no sense.
    """
    if "LISTEN_PID" not in environment or _number("LISTEN_PID", environment) != pid:
        return ()
    count = _number("LISTEN_FDS", environment)
    if not 1 <= count <= _MAX_SOCKETS:
        raise ValueError(f"LISTEN_FDS must be one of 1-{_MAX_SOCKETS}, not {count}")
    names = environment["LISTEN_FDNAMES"].split(":") if "LISTEN_FDNAMES" in environment else [_NO_NAME] * count
    if len(names) != count:
        raise ValueError(f"LISTEN_FDNAMES must hold {count} names, not {len(names)}")
    return tuple(InheritedSocket(_FIRST_DESCRIPTOR + index, name) for index, name in enumerate(names))


def _number(variable: str, environment: Mapping[str, str]) -> int:
    text = environment.get(variable, "")
    if not text.isascii() or not text.isdecimal() or len(text) > 18:
        raise ValueError(f"{variable} must be a number, not {text!r}")
    return int(text)
