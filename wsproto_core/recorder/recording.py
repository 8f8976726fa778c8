"""The flight recorder: the latest calls of every engine that it is attached to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Final

from .._config import Limits, Timeouts, check_count
from .._driver.client import ClientConnection
from .._driver.connection import DEFAULT_FRAGMENT_SIZE
from .._driver.peer import WebSocketEngine
from .._driver.server import ServerConnection
from .._events import CloseReport
from .._types import Role, State
from .attaching import Attachment, attachment_of
from .entries import Facts, Flight
from .tape import Tape

if TYPE_CHECKING:
    from .._extensions.base import Extension

__all__ = ["FlightRecorder", "is_abnormal"]

_DEFAULT_LIMITS: Final = Limits()
_DEFAULT_TIMEOUTS: Final = Timeouts()


def is_abnormal(report: CloseReport) -> bool:
    """Whether a connection ended in another way than by an ordinary close, or a refusal that somebody decided on."""
    return not report.ok and (report.http_status is None or report.violation is not None)


class FlightRecorder:
    """Keeps the latest calls of every engine that it is attached to, and hands them over when one ends badly.

    ``save`` is given the :class:`Flight` of a connection whose report ``when`` chooses, after the end of its transport;
    by default of those that end otherwise than by an ordinary close. It must not block for long, and what it raises is
    kept in :attr:`failure`, because no connection may suffer from it. For each connection at most ``max_entries`` calls
    are kept, and ``memory_size`` bytes of them, until its transport is gone.

    Values of header fields other than those of the handshake never get into a flight, nor does a query. Contents of
    messages do only with ``payloads``: otherwise their sizes. With a pipeline they are sealed.

    Raises :exc:`ValueError` or :exc:`TypeError`, naming the argument.
    """

    def __init__(
        self,
        save: Callable[[Flight], object],
        *,
        when: Callable[[CloseReport], bool] = is_abnormal,
        payloads: bool = False,
        max_entries: int = 500,
        memory_size: int = 256 * 1024,
    ) -> None:
        check_count("max_entries", max_entries, optional=False)
        check_count("memory_size", memory_size, optional=False)
        #: The latest exception that ``save`` or ``when`` has raised, and how many there were.
        self.failure: Exception | None = None
        self.failures: int = 0
        self._save = save
        self._when = when
        self._payloads = payloads
        self._max_entries = max_entries
        self._memory_size = memory_size

    def attach(
        self,
        engine: WebSocketEngine,
        *,
        limits: Limits = _DEFAULT_LIMITS,
        timeouts: Timeouts = _DEFAULT_TIMEOUTS,
        extensions: Sequence[Extension] = (),
        fragment_size: int = DEFAULT_FRAGMENT_SIZE,
        sealed: bool = False,
        now: float | None = None,
    ) -> None:
        """Record ``engine`` from now on. The options are those that it was made with, ``sealed`` being whether it has a
        pipeline. Nothing must have happened to it, but that somebody else has parsed the request.

        Raises :exc:`ValueError` if something has, or it is attached already.
        """
        is_parsed = isinstance(engine, ServerConnection) and engine.request is not None
        if engine.state is not State.CONNECTING or engine.bytes_queued or attachment_of(engine) is not None:
            raise ValueError("engine: it must be new, and without a recorder")
        facts = Facts(
            role=Role.CLIENT if isinstance(engine, ClientConnection) else Role.SERVER,
            limits=limits,
            timeouts=timeouts,
            receive=engine.receive,
            fragment_size=fragment_size,
            started_at=now,
            extensions=tuple((extension.name, _settings(extension)) for extension in extensions),
            is_sealed=sealed,
            is_parsed=is_parsed,
        )
        tape = Tape(facts.role, has_head=not is_parsed, max_entries=self._max_entries, size=self._memory_size)
        Attachment(engine, facts, self._ended, tape, payloads=self._payloads)

    def flight(self, engine: WebSocketEngine) -> Flight | None:
        """What has been recorded of ``engine`` so far; ``None`` if it is not attached, or over. Ask where the engine
        lives: in its thread, or its event loop.
        """
        attachment = attachment_of(engine)
        return None if attachment is None else attachment.flight()

    def _ended(self, attachment: Attachment) -> None:
        """The transport of an engine is gone."""
        report = attachment.engine.close_report
        try:
            if report is not None and self._when(report):
                self._save(attachment.flight())
        except Exception as error:
            self.failure = error
            self.failures += 1


def _settings(extension: Extension) -> dict[str, Any] | None:
    """What an extension of this package was made with."""
    if extension.name != "permessage-deflate":
        return None
    known: Any = extension
    return {field.name: getattr(known, field.name) for field in fields(known)}
