"""A client and a server, joined: messages, fragments, pings and closes, byte by byte."""

from __future__ import annotations

from random import Random
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import rule

from wsproto_core import ByteEngine, ClientConnection, Message, Ping, Pong, ServerConnection

from ..strategies import deflate_terms, messages, payloads
from .joint import send_part
from .pair import PairMachine, sides

__all__ = ["ConnectionMachine"]


class ConnectionMachine(PairMachine):
    """``ClientConnection`` and ``ServerConnection`` of ``wsproto_core``, from the opening handshake on.

    On top of what holds for any pair:

    * A ping is answered by a pong with the same payload, in order.
    * The parts of a message arrive as one.
    """

    def __init__(self) -> None:
        super().__init__()
        self.parts: tuple[list[Message], list[Message]] = ([], [])
        self.pinged: tuple[list[bytes], list[bytes]] = ([], [])

    def make_engines(self, data: st.DataObject) -> tuple[ByteEngine, ByteEngine]:
        """With any compression or none, and fragments of any size."""
        terms = data.draw(st.none() | deflate_terms(), label="compression")
        options: dict[str, Any] = {
            "extensions": [] if terms is None else [terms.extension],
            "limits": self.LIMITS,
            "timeouts": self.TIMEOUTS,
            "fragment_size": data.draw(st.sampled_from([100_000, 300, 1]), label="fragment_size"),
            "now": self.START,
        }
        client = ClientConnection("ws://example.com/", entropy=Random(0).randbytes, **options)
        client.connect()
        return client, ServerConnection(**options)

    def draw_message(self, data: st.DataObject) -> Message:
        """Text and binary, up to what the outbox holds at all."""
        large: st.SearchStrategy[Message] = st.sampled_from([b"x" * 3000, "y" * 2999])
        return data.draw(messages(max_size=200) | large, label="message")

    def may_send(self, index: int) -> bool:
        """Not while a message is being sent in parts."""
        return super().may_send(index) and not self.parts[index]

    @rule(index=sides(), message=messages(max_size=200), final=st.booleans())
    def send_part(self, index: int, message: Message, final: bool) -> None:
        """Send a part of a message."""
        engine = self.station(index).engine
        if engine.can_send and (whole := send_part(engine, self.parts[index], message, final=final)) is not None:
            self.sent[index].append(whole)

    @rule(index=sides(), payload=payloads(max_size=125))
    def ping(self, index: int, payload: bytes) -> None:
        """Ping, unless too many are unanswered."""
        engine = self.station(index).engine
        if engine.can_send and len(self.pinged[index]) < 60:
            engine.ping(payload, now=self.joint.now)
            self.pinged[index].append(payload)

    @rule(index=sides(), payload=payloads(max_size=125))
    def pong(self, index: int, payload: bytes) -> None:
        """A pong that nobody asked for."""
        if self.station(index).engine.can_send:
            self.station(index).engine.pong(payload)

    def everything_arrived(self) -> None:
        """Pings too, and nobody is to blame."""
        super().everything_arrived()
        for index, station in enumerate(self.joint.stations):
            assert [ping.payload for ping in station.told(Ping)] == self.pinged[1 - index]
            answered = [pong.payload for pong in station.told(Pong) if pong.round_trip is not None]
            assert is_within(answered, self.pinged[index])


def is_within(some: list[bytes], all_of_them: list[bytes]) -> bool:
    """Whether ``some`` stand in ``all_of_them`` in this order."""
    rest = iter(all_of_them)
    return all(item in rest for item in some)
