"""The kit can fail: each of these adapters has one fault, and the case that is there for it finds it, in words that say
what was expected and what came.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest

from tests.adapters.stages.asyncio_stage import AsyncioStage
from tests.adapters.stages.base import CASE_SECONDS
from wsproto_core import (
    ClientConnection,
    ConnectionClosedOK,
    ConnectionFailed,
    Limits,
    Message,
    Role,
    ServerConnection,
)
from wsproto_core.testing import AdapterCase, AdapterFailure, AdapterStage, LogLine, adapter_cases
from wsproto_core.testing.adapter_ends import FarEnd
from wsproto_core.testing.adapter_expect import raises

CASES = {case.name: case for case in adapter_cases()}


class Healthy(AsyncioStage):
    """Nothing is wrong with this one, but that it has little time."""

    @property
    def time_limit(self) -> float:
        return 1.0


class Faulty:
    """A connection object with a fault: what is not defined below is the healthy one's."""

    def __init__(self, ws: Any) -> None:
        self.ws = ws

    def __getattr__(self, name: str) -> Any:
        return getattr(self.ws, name)

    def __aiter__(self) -> Any:
        return self

    async def __anext__(self) -> Message:
        try:
            message: Message = await self.recv()
        except ConnectionClosedOK:
            raise StopAsyncIteration from None
        return message


def clients_are(fault: Callable[[Any], Any]) -> type[Healthy]:
    """A stage whose ``connect`` gives ``fault(ws)``."""

    class FaultyClients(Healthy):
        @asynccontextmanager
        async def connect(self, uri: str, **options: Any) -> AsyncIterator[Any]:
            async with super().connect(uri, **options) as ws:
                yield fault(ws)

    return FaultyClients


class DropsMessages(Faulty):
    count = 0

    async def recv(self) -> Message:
        self.count += 1
        message: Message = await self.ws.recv()
        return message if self.count != 4 else await self.recv()


class LosesWhatIsCancelled(Faulty):
    async def recv(self) -> Message:
        message: Message = await self.ws.recv()
        await asyncio.sleep(0)
        return message


class IgnoresOneCancellation(Faulty):
    async def recv(self) -> Message:
        try:
            return await self.ws.recv()  # type: ignore[no-any-return]  # it is a message
        except asyncio.CancelledError:
            return await self.ws.recv()  # type: ignore[no-any-return]  # it is a message


class NeverCloses(Faulty):
    async def close(self, code: int = 1000, reason: str = "") -> None:
        pass


class ClosesWithAnotherCode(Faulty):
    async def close(self, code: int = 1000, reason: str = "") -> None:
        await self.ws.close(1000, reason)


class RaisesWhatTheTransportRaised(Faulty):
    async def recv(self) -> Message:
        try:
            return await self.ws.recv()  # type: ignore[no-any-return]  # it is a message
        except Exception:
            raise ConnectionResetError("it was reset") from None


class CannotCountBytes(Faulty):
    async def send(self, message: Any, **options: Any) -> None:
        await self.ws.send(message[:100_000] if isinstance(message, bytes) else message, **options)


class NoLimits(Healthy):
    """Hands no ``limits`` down."""

    def connect(self, uri: str, **options: Any) -> AbstractAsyncContextManager[Any]:
        return super().connect(uri, **{**options, "limits": Limits(inbox_size=1 << 30)})


class NoTimeouts(Healthy):
    """Hands no ``timeouts`` down."""

    @property
    def time_limit(self) -> float:
        return 1000.0

    def connect(self, uri: str, **options: Any) -> AbstractAsyncContextManager[Any]:
        options.pop("timeouts", None)
        return super().connect(uri, **options)


class LogsNothing(Healthy):
    def logged(self) -> Sequence[LogLine]:
        return ()


class ComplainsInTheLog(Healthy):
    def logged(self) -> Sequence[LogLine]:
        return (LogLine("something is odd", has_traceback=False),)


class AsksForNothing(Healthy):
    """Connects, and hangs up without a word."""

    def connect(self, uri: str, **_options: Any) -> AbstractAsyncContextManager[Any]:
        return HangsUp(self, int(uri.split(":")[2].strip("/")))


class HangsUp(AbstractAsyncContextManager[Any]):
    def __init__(self, stage: Healthy, port: int) -> None:
        self.stage = stage
        self.port = port

    async def __aenter__(self) -> Any:
        stream = await self.stage.dial(self.port)
        stream.end()
        assert await stream.receive() == b""
        stream.close()
        raise ConnectionFailed("no reason")

    async def __aexit__(self, *_: object) -> None:
        """Nobody gets here."""


class DoesAllTheWork(Healthy):
    """Whoever else is there waits."""

    @property
    def time_limit(self) -> float:
        return CASE_SECONDS

    def perform(self, play: Callable[[AdapterStage], Coroutine[Any, Any, None]]) -> None:
        with pytest.MonkeyPatch.context() as patch:
            for engine in (ClientConnection, ServerConnection):
                patch.setattr(engine, "offload", lambda _: None)
            super().perform(play)


FAULTS: dict[str, tuple[type[Healthy], str, str]] = {
    "drops messages": (
        clients_are(DropsMessages),
        "messages before a close frame, as a client",
        "the messages: expected .*, came .*'2', '4'",
    ),
    "loses what is cancelled": (
        clients_are(LosesWhatIsCancelled),
        "recv cancelled as the message arrives, as a client",
        "",
    ),
    "ignores a cancellation": (
        clients_are(IgnoresOneCancellation),
        "verbs cancelled at every await, as a client",
        "",
    ),
    "never closes": (
        clients_are(NeverCloses),
        "closing twice",
        "report 1 of 1: expected <by this side, 4000 ''>, came None",
    ),
    "closes with another code": (
        clients_are(ClosesWithAnotherCode),
        "the client closes with a code and a reason",
        "report 1 of 2: expected <by this side, 4000 ''>, came <by this side, 1000 ''>",
    ),
    "raises what the transport raised": (
        clients_are(RaisesWhatTheTransportRaised),
        "the connection is reset, as a client",
        r"expected ConnectionClosedError, came ConnectionResetError\('it was reset'\)",
    ),
    "cuts messages": (
        clients_are(CannotCountBytes),
        "messages of every size come back",
        "the echo of 1000000: expected b.* … .*, came b.* … ",
    ),
    "bounds no message": (
        NoLimits,
        "message too big by a server",
        "recv.* behind the offence: expected ConnectionClosedError, came no exception",
    ),
    "bounds no inbox": (
        NoLimits,
        "reading stops while the application takes nothing, as a client",
        "expected: no more is read than the inbox and one read hold, not [0-9]+ bytes",
    ),
    "takes its own time": (
        NoTimeouts,
        "the server never answers",
        r"the time that has passed: expected 5, came 10\.0",
    ),
    "logs nothing": (LogsNothing, "a handler raises", r"expected: 2 log lines with a traceback, not \(\)"),
    "complains in the log": (
        ComplainsInTheLog,
        "a subprotocol is agreed on",
        "expected: 0 log lines with a traceback, not .*something is odd",
    ),
    "asks for nothing": (
        AsksForNothing,
        "the server hangs up",
        "expected an HTTP head, came the end behind b''",
    ),
    "compresses where everybody waits": (
        DoesAllTheWork,
        "a large message is compressed while others talk",
        "expected: the large message is not compressed yet",
    ),
    "inflates where everybody waits": (
        DoesAllTheWork,
        "a large message is inflated while others talk",
        r"what the two connections have received: expected \[0, 1\], came \[1, 1\]",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_found(fault: str) -> None:
    kind, name, words = FAULTS[fault]
    case = CASES[name]
    stage = kind(is_timed=case.is_timed)
    # Who waits for a message that was lost, or cannot be stopped, waits until the time is up.
    with pytest.raises(AdapterFailure if words else TimeoutError, match=words or None):
        stage.play(case)


@pytest.mark.parametrize("fault", FAULTS)
def test_without_the_fault_the_case_passes(fault: str) -> None:
    case = CASES[FAULTS[fault][1]]
    AsyncioStage(is_timed=case.is_timed).play(case)


def test_a_case_tells_what_it_misses() -> None:
    case = CASES["connect cancelled at every await"]
    stage = AsyncioStage()
    assert not case.missing(stage)
    stage.abilities = frozenset()
    assert case.missing(stage) == case.needs != frozenset()


def test_who_claims_to_have_workers_can_hold_them() -> None:
    with pytest.raises(NotImplementedError, match="WORKERS"):
        AdapterStage.hold_workers(AsyncioStage())


def test_every_case_has_its_own_name_and_its_reason() -> None:
    assert len(CASES) == len(adapter_cases()) > 150
    assert [case.name for case in adapter_cases() if not case.because] == []
    assert [str(case) for case in adapter_cases()] == list(CASES)
    assert isinstance(next(iter(CASES.values())), AdapterCase)


class Broken:
    """A stream that breaks, or ends."""

    def __init__(self, *received: bytes | OSError) -> None:
        self._received = list(received)

    async def receive(self) -> bytes:
        item = self._received.pop(0)
        if isinstance(item, OSError):
            raise item
        return item


@pytest.mark.parametrize(
    ("end", "words"),
    [(b"", "a frame, came the end behind b'.*x81'"), (ConnectionResetError("gone"), "a frame, came .*gone.* b'.*x81'")],
)
async def test_a_far_end_tells_what_it_waited_for(end: bytes | OSError, words: str) -> None:
    far = FarEnd(Broken(b"\x81", end), Role.CLIENT)  # type: ignore[arg-type]  # it only receives
    with pytest.raises(AdapterFailure, match=words):
        await far.receive()


def test_what_is_no_exception_is_not_the_cases_business() -> None:
    with pytest.raises(KeyboardInterrupt), raises(ValueError, "an interrupt"):
        raise KeyboardInterrupt


async def test_the_rest_is_everything_whatever_the_end() -> None:
    frames = b"\x81\x01x\x81\x01y"
    far = FarEnd(Broken(frames + b"\x81", b"z", OSError()), Role.CLIENT)  # type: ignore[arg-type]  # it only receives
    assert (await far.receive()).payload == b"x"
    assert await far.rest() == b"\x81\x01y\x81z"
