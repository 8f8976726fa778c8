"""A flight recorder: the latest calls of a connection's engine, kept for when it ends badly.

* :class:`FlightRecorder` is given to ``serve()`` or ``connect()``, or attached to an engine
* a :class:`Flight` is what it hands over; :func:`save_flight` and :func:`load_flight` turn it into lines and back
* :func:`replay` gives a new engine the same calls, and tells whether it does the same
* :func:`tell` makes text of a flight, for people

``import wsproto_core`` does not import it, and a connection without a recorder pays nothing for it.
"""

from __future__ import annotations

from .entries import Ending, Entry, Facts, Flight, Hidden, HiddenText
from .form import load_flight, save_flight
from .recording import FlightRecorder, is_abnormal
from .replaying import Replay, replay
from .telling import tell

__all__ = [
    "Ending",
    "Entry",
    "Facts",
    "Flight",
    "FlightRecorder",
    "Hidden",
    "HiddenText",
    "Replay",
    "is_abnormal",
    "load_flight",
    "replay",
    "save_flight",
    "tell",
]
