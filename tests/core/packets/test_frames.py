"""WebSocket frames without a handshake: the engine is the WebSocket one, so only what differs is tested here."""

from __future__ import annotations

from typing import Any

import pytest

from tests.core.kit import BINARY, FIN, TEXT, frame
from tests.core.packets.kit import START, entropy_of
from wsproto_core._config import Limits
from wsproto_core._events import Closed, Ping, Pong
from wsproto_core._extensions.base import Extension, MessageTransform, Parameters
from wsproto_core._extensions.permessage_deflate import PerMessageDeflate
from wsproto_core._packets.frames import FramesConnection
from wsproto_core._types import Role, State
from wsproto_core._violations import Violation


def pair(**options: Any) -> tuple[FramesConnection, FramesConnection]:
    entropy = entropy_of(1) if options.get("masked") else None
    return (
        FramesConnection(Role.CLIENT, now=START, entropy=entropy, **options),
        FramesConnection(Role.SERVER, now=START, **options),
    )


def deliver(source: FramesConnection, target: FramesConnection) -> list[Any]:
    return target.receive_data(b"".join(source.data_to_send()), START)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("extensions", [[], [PerMessageDeflate(threshold=0)]], ids=["plain", "deflate"])
def test_everything_that_websockets_have(masked: bool, extensions: list[Extension]) -> None:
    for source, target in (
        pair(masked=masked, extensions=extensions),
        pair(masked=masked, extensions=extensions)[::-1],
    ):
        assert source.state is target.state is State.OPEN
        assert source.extensions == tuple(extension.name for extension in extensions)
        source.send("text " * 50)
        source.send(b"bytes")
        source.send_fragment("a", final=False)
        source.send_fragment("b", final=True)
        payload = source.ping(now=START)
        assert sorted(map(repr, deliver(source, target))) == sorted(
            map(repr, ["text " * 50, b"bytes", "ab", Ping(payload)])
        )
        assert deliver(target, source) == [Pong(payload, 0.0)]
        source.close(4000, "enough")
        (closed,) = deliver(source, target)
        assert isinstance(closed, Closed)
        assert (closed.report.code, closed.report.reason) == (4000, "enough")
        (closed,) = deliver(target, source)
        assert closed.report.clean


def test_what_goes_over_the_wire() -> None:
    for masked in (False, True):
        client, server = pair(masked=masked)
        server.send("x")
        assert server.data_to_send() == [frame(FIN | TEXT, b"x", masked=False)]
        client.send(b"x")
        assert len(client.data_to_send()[0]) == (7 if masked else 3)


@pytest.mark.parametrize(("masked", "violation"), [(False, Violation.MASKED_FRAME), (True, Violation.UNMASKED_FRAME)])
def test_a_server_holds_its_client_to_what_was_agreed(masked: bool, violation: Violation) -> None:
    _, server = pair(masked=masked)
    (closed,) = server.receive_data(frame(FIN | BINARY, b"x", masked=not masked), START)
    assert isinstance(closed, Closed)
    assert closed.report.violation is violation


def test_masks_need_entropy() -> None:
    with pytest.raises(ValueError, match="entropy"):
        FramesConnection(Role.CLIENT, masked=True, now=START)
    FramesConnection(Role.CLIENT, now=START)


def test_no_opening_timer_runs() -> None:
    client, _ = pair()
    assert client.next_deadline() == START + 30  # a ping


class Stubborn(Extension):
    """Declines whatever is offered."""

    name = "x-stubborn"

    def offer(self) -> list[Parameters]:
        return [()]

    def accept(self, offered: Parameters, limits: Limits) -> tuple[Parameters, MessageTransform] | None:
        return None

    def confirm(self, answered: Parameters, limits: Limits) -> MessageTransform:
        raise AssertionError


def test_extensions_have_to_agree_with_themselves() -> None:
    with pytest.raises(ValueError, match="extensions: x-stubborn"):
        pair(extensions=[PerMessageDeflate(), Stubborn()])
    with pytest.raises(ValueError, match="extensions must have different names"):
        pair(extensions=[PerMessageDeflate(), PerMessageDeflate()])
