"""State machines of hypothesis: operations in any order, and what must hold behind each of them.

* :class:`ReceiverMachine`: your implementation against raw bytes. Subclass it, and give it a :class:`Subject`.
* :class:`ConnectionMachine`: a client and a server of ``wsproto_core``, joined byte by byte.
* :class:`DriverMachine`: the same with all their timers, over lines of any quality, under virtual time.
* :class:`CodecMachine`: two peers over bare TCP, by any codec.
* :class:`HubMachine`: the hub of rooms, beside a model of it.
* :class:`PairMachine`: what holds for any two engines, to subclass for engines with the same face.

A machine becomes a test by its ``TestCase``::

    TestConnection = ConnectionMachine.TestCase
    TestConnection.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
"""

from __future__ import annotations

from .codec import CodecMachine
from .connection import ConnectionMachine
from .driver import DriverMachine
from .hub import HubMachine
from .pair import PairMachine
from .receiver import ReceiverMachine, Subject

__all__ = [
    "CodecMachine",
    "ConnectionMachine",
    "DriverMachine",
    "HubMachine",
    "PairMachine",
    "ReceiverMachine",
    "Subject",
]
