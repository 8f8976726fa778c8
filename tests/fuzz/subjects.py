"""Implementations to be tested by machines: ours, another, and some with a planted fault."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from websockets.frames import Frame as TheirFrame
from websockets.frames import Opcode
from websockets.protocol import CLIENT, SERVER, Protocol

from wsproto_core import Event, FramesConnection, Message, Role, State
from wsproto_fuzz.oracles import UNLIMITED
from wsproto_fuzz.strategies import DeflateTerms

__all__ = ["EngineSubject", "WebsocketsSubject"]

Interfere = Callable[[list[Event]], list[Event]]


class EngineSubject:
    """Our engine. ``interfere`` changes the events of a read before anybody sees them: a planted fault."""

    def __init__(
        self, *, masked: bool, terms: DeflateTerms | None = None, interfere: Interfere = lambda events: events
    ) -> None:
        self._now = 1000.0
        self._engine = FramesConnection(
            Role.SERVER if masked else Role.CLIENT,
            extensions=[] if terms is None else [terms.extension],
            masked=True,
            entropy=bytes,
            limits=UNLIMITED,
            now=self._now,
        )
        self._interfere = interfere
        self._messages: list[Message] = []

    def receive(self, data: bytes) -> None:
        """Take bytes; what is due within a minute is done at once, such as a close frame that waits for answers."""
        self._take(self._engine.receive_data(data, self._now))
        while (deadline := self._engine.next_deadline()) is not None and self.is_due(deadline):
            self._now = max(self._now, deadline)
            self._take(self._engine.handle_timeout(self._now))

    def is_due(self, deadline: float) -> bool:
        return deadline <= self._now or (self._engine.state is not State.OPEN and deadline <= self._now + 1.0)

    def _take(self, events: list[Event]) -> None:
        self._messages += [event for event in self._interfere(events) if isinstance(event, str | bytes)]

    @property
    def messages(self) -> Sequence[Message]:
        return self._messages

    def sent(self) -> bytes:
        return b"".join(self._engine.data_to_send())

    @property
    def has_ended(self) -> bool:
        return self._engine.close_report is not None


class WebsocketsSubject:
    """The ``websockets`` library: its protocol, and above it what makes messages of frames."""

    def __init__(self, *, masked: bool) -> None:
        self._protocol = Protocol(SERVER if masked else CLIENT, max_size=None)
        self._gathered: list[TheirFrame] = []
        self._messages: list[Message] = []

    def receive(self, data: bytes) -> None:
        self._protocol.receive_data(data)
        for event in self._protocol.events_received():
            assert isinstance(event, TheirFrame)
            if event.opcode not in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
                continue
            self._gathered.append(event)
            if event.fin:
                self._finish()

    def _finish(self) -> None:
        frames, self._gathered = self._gathered, []
        payload = b"".join(bytes(frame.data) for frame in frames)
        try:
            self._messages.append(payload.decode() if frames[0].opcode is Opcode.TEXT else payload)
        except UnicodeDecodeError:
            self._protocol.fail(1007)

    @property
    def messages(self) -> Sequence[Message]:
        return self._messages

    def sent(self) -> bytes:
        return b"".join(self._protocol.data_to_send())

    @property
    def has_ended(self) -> bool:
        return self._protocol.close_expected()
