"""One end of a simulated transport: an engine, and the application that it talks to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Generic, Protocol, TypeVar

from .._driver.peer import PeerEngine
from .._driver.server import ServerConnection
from .._events import CloseReport, Event, Fragment, Request
from .._types import Message
from .contract import BrokenContract, Contract, Reporting

__all__ = ["Endpoint", "Pulling"]

T = TypeVar("T")

_MESSAGES: Final = (str, bytes, Fragment)


class Pulling(PeerEngine, Reporting, Protocol):
    """An engine whose messages can be asked for one by one, and whose promises can be checked."""


E_co = TypeVar("E_co", bound=Pulling, covariant=True)


class Endpoint(Generic[E_co]):
    """An engine, and its application: :attr:`react`, which is called with every event."""

    def __init__(self, engine: E_co) -> None:
        #: The engine.
        self.engine: Final = engine
        #: What the engine told, in order; in pull style without the messages.
        self.events: list[Event] = []
        #: The application. Until you set it, it lets everybody in: it accepts requests and does nothing else.
        self.react: Callable[[Event], None] = self._accept
        #: Whether messages are gathered in the engine's inbox, until :meth:`receive` takes them.
        self.pulls = False
        #: Whether the application may call other engines than its own. If not, a step of time costs them nothing,
        #: however many they are.
        self.reaches_others: bool = True
        self._contract = Contract(engine)

    @property
    def messages(self) -> list[Message | Fragment]:
        """What was received, in push style."""
        return [event for event in self.events if isinstance(event, _MESSAGES)]

    @property
    def report(self) -> CloseReport:
        """That of the one ``Closed`` event. Raises :exc:`BrokenContract` if there was none."""
        if self._contract.closed is None:
            raise BrokenContract("the end was not told")
        return self._contract.closed.report

    def told(self, kind: type[T]) -> list[T]:
        """The events of one class."""
        return [event for event in self.events if isinstance(event, kind)]

    def receive(self) -> list[Message | Fragment]:
        """In pull style: take whatever the inbox holds, and ask for more."""
        items: list[Message | Fragment] = []
        while (item := self.engine.next_message()) is not None:
            items.append(item)
        return items

    def deliver(self, events: list[Event], now: float) -> None:
        """Let the application have what the engine returned at ``now``."""
        self._contract.check_events(events, now)
        if not events:
            return
        if self.pulls:
            events = self.engine.gather(events)
        for event in events:
            self.events.append(event)
            self.react(event)
        if self.reaches_others:
            self._touch_others()

    def _touch_others(self) -> None:
        """The application may have called any engine."""

    def _accept(self, event: Event) -> None:
        if isinstance(event, Request) and isinstance(self.engine, ServerConnection):
            self.engine.accept()
