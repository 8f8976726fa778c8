"""What every engine promises whoever drives it, checked on every input.

* The end is told once, by one ``Closed`` event, and nothing is told behind it.
* ``close_report`` is there exactly when the end was told, and it is the same report.
* ``handle_timeout(now)`` leaves no deadline at ``now`` or before it, unless it returned events: then more may wait.
* Without a transport nothing is awaited, and nothing is to be sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn, Protocol

from .._events import Closed, CloseReport, Event

__all__ = ["BrokenContract", "Contract", "Reporting"]


class BrokenContract(AssertionError):
    """An engine does not keep a promise, or its driver does what no transport can."""


class Reporting(Protocol):
    """An engine, as far as :class:`Contract` looks at it."""

    @property
    def close_report(self) -> CloseReport | None:
        """How the connection ended."""
        ...

    def next_deadline(self) -> float | None:
        """When to call ``handle_timeout``."""
        ...


class Contract:
    """The promises of one engine, and what it has told so far. Every check raises :exc:`BrokenContract`."""

    __slots__ = ("_engine", "closed")

    def __init__(self, engine: Reporting) -> None:
        #: The one ``Closed`` event, once it was told.
        self.closed: Closed | None = None
        self._engine = engine

    def check_events(self, events: Sequence[Event], now: float) -> None:
        """Hold the engine to what it returned from an input at ``now``."""
        for event in events:
            if self.closed is not None:
                raise BrokenContract(f"at {now}: {event!r} follows Closed")
            if isinstance(event, Closed):
                self.closed = event
        report, closed = self._engine.close_report, self.closed
        if report is not (None if closed is None else closed.report):
            self._complain(report, now)

    def check_deadline(self, now: float) -> None:
        """Hold the engine to having done what was due at ``now``."""
        deadline = self._engine.next_deadline()
        if deadline is not None and deadline <= now:
            raise BrokenContract(f"at {now}: a deadline is left at {deadline}")

    def check_silence(self, waiting: Sequence[object], now: float) -> None:
        """Hold an engine without a transport to awaiting nothing and having nothing to send."""
        deadline = self._engine.next_deadline()
        if deadline is not None:
            raise BrokenContract(f"at {now}: without a transport, {deadline} is awaited")
        if waiting:
            raise BrokenContract(f"at {now}: without a transport, there is something to send")

    def _complain(self, report: CloseReport | None, now: float) -> NoReturn:
        """The engine's end is told by an event or by its report, and not alike by both."""
        if self.closed is None:
            raise BrokenContract(f"at {now}: there is a report, and no Closed told it: {report}")
        raise BrokenContract(f"at {now}: Closed told {self.closed.report}, and now it is {report}")
