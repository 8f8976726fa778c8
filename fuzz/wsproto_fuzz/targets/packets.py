"""Targets of message-oriented TCP and of datagrams."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

from wsproto_core import (
    DatagramCodec,
    DatagramPeer,
    DatagramServer,
    Event,
    Limits,
    Message,
    Raw,
    StreamCodec,
    Violation,
)
from wsproto_core.testing import Contract

from ..oracles import same_however_cut
from ..strategies import STREAM_CODECS
from .choices import Choices

__all__ = ["datagrams", "stream"]

_LIMITS: Final = (Limits(message_size=None), Limits(message_size=5), Limits(message_size=1))
_SEVERAL: Final = (1, 2, 5)
_WAITS: Final = (0.0, 0.0, 0.001, 1.0, 30.0)
_ADDRESSES: Final = (("192.0.2.1", 1), ("192.0.2.1", 2), ("192.0.2.2", 1))


def stream(data: bytes) -> object:
    """Any bytes in any codec: the same messages and the same offence, however they are cut, within the limits."""
    choices = Choices(data)
    codec, limits = choices.choose(STREAM_CODECS), choices.choose(_LIMITS)
    wire = choices.rest()
    arrivals = [[wire[start : start + size] for start in range(0, len(wire), size)] for size in _SEVERAL]
    messages, violation = same_however_cut(lambda pieces: _decode(codec, limits, pieces), wire, arrivals)
    return codec, violation, min(len(messages), 3)


def datagrams(data: bytes) -> object:
    """Any datagrams between a client and a server that speak to each other, from several addresses, as time passes:
    nothing raises, contracts hold, and an address that has not proved itself is never sent more bytes than came in its
    name.
    """
    choices = Choices(data)
    net = _Net(choices)
    while choices.has_more:
        net.now += choices.choose(_WAITS)
        choices.choose(_STEPS)(net)
    return net.seen()


class _Net:
    """A client at the first address, a server, and whoever forges datagrams."""

    def __init__(self, choices: Choices) -> None:
        self.now = 1000.0
        self._choices = choices
        codec = DatagramCodec(text=choices.choose((False, True)))
        self._client = DatagramPeer(codec, entropy=bytes, now=self.now)
        self._server = DatagramServer(codec, entropy=bytes, now=self.now)
        self._contract = Contract(self._client)
        self._told: list[Event] = []
        self._proved: set[object] = set()
        self._upward: list[bytes] = []
        self._downward: list[bytes] = []

    def carry(self) -> None:
        """What the client and the server have said arrives, perhaps with one bit changed."""
        self._flush()
        change = self._choices.byte()
        upward, downward = self._upward, self._downward
        self._upward, self._downward = [], []
        for datagram in upward:
            self._to_server(_changed(datagram, change), _ADDRESSES[0])
        for datagram in downward:
            self._to_client(_changed(datagram, change))

    def forge(self) -> None:
        """A datagram that neither has sent."""
        address, datagram = self._choices.choose((*_ADDRESSES, None)), self._choices.take(self._choices.byte())
        if address is None:
            self._to_client(datagram)
        else:
            self._to_server(datagram, address)

    def send(self) -> None:
        """The client sends a message, or a ping."""
        if self._client.can_send and self._choices.choose((True, False)):
            self._client.send("hello")
        elif self._client.can_send:
            self._client.ping(now=self.now)

    def wait(self) -> None:
        """Both are told the time."""
        self._tell(self._client.handle_timeout(self.now))
        self._server.handle_timeout(self.now)

    def close(self) -> None:
        """The client says goodbye."""
        self._client.close(now=self.now)

    def seen(self) -> object:
        """What has happened, in few words."""
        return {type(event).__name__ for event in self._told}, self._client.state, len(self._proved)

    def _to_client(self, datagram: bytes) -> None:
        self._tell(self._client.receive_data(datagram, self.now))

    def _to_server(self, datagram: bytes, address: tuple[str, int]) -> None:
        self._flush()
        self._proved |= {owner.address for owner, _ in self._server.receive_data(datagram, address, self.now)}
        answers = self._server.data_to_send(self.now)
        size = sum(len(answer) for answer, to in answers if to == address)
        assert address in self._proved or size <= len(datagram), "a forged address must not be flooded"
        self._downward += [answer for answer, to in answers if to == _ADDRESSES[0]]

    def _tell(self, events: list[Event]) -> None:
        self._contract.check_events(events, self.now)
        self._told += events

    def _flush(self) -> None:
        self._upward += self._client.data_to_send(self.now)
        self._downward += [answer for answer, to in self._server.data_to_send(self.now) if to == _ADDRESSES[0]]


_Step: TypeAlias = Callable[[_Net], None]

#: What happens often stands there often.
_STEPS: Final[tuple[_Step, ...]] = (_Net.carry, _Net.carry, _Net.forge, _Net.send, _Net.wait, _Net.close)


def _changed(datagram: bytes, change: int) -> bytes:
    """The datagram with one bit changed, or as it is for 0."""
    if not change or not datagram:
        return datagram
    at = change % len(datagram)
    return datagram[:at] + bytes([datagram[at] ^ 1 << change % 8]) + datagram[at + 1 :]


def _decode(codec: StreamCodec, limits: Limits, pieces: list[bytes]) -> tuple[list[Message], Violation | None]:
    decoder = codec.decoder(limits)
    messages: list[Message] = []
    for piece in pieces:
        messages += decoder.decode(piece)
    decoder.finish()
    for message in messages:
        size = len(message.encode() if isinstance(message, str) else message)
        rest = 3 if isinstance(codec, Raw) else 0  # a character that was cut off goes with what follows
        assert limits.message_size is None or size <= limits.message_size + rest
    violation = None if decoder.failure is None else decoder.failure.violation
    if isinstance(codec, Raw):  # there are no messages, and of what comes with an offence nothing is told
        whole = b"".join(message.encode() if isinstance(message, str) else message for message in messages)
        messages = [whole] if violation is None else []
    return messages, violation
