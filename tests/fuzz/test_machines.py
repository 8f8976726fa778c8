"""The state machines: our engine passes them all, another library too, and planted faults are found and shrunk."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, ClassVar

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from tests.fuzz.subjects import EngineSubject, WebsocketsSubject
from wsproto_core import ByteEngine, ClientConnection, Event, Message, Ping, ServerConnection, Violation
from wsproto_fuzz.machines import CodecMachine, ConnectionMachine, ReceiverMachine, Subject
from wsproto_fuzz.strategies import DeflateTerms

USUAL = settings(max_examples=60, stateful_step_count=30)
#: Without explanations, which trace every line.
HUNT = settings(
    max_examples=500,
    stateful_step_count=20,
    derandomize=True,
    database=None,
    report_multiple_bugs=False,
    phases=(Phase.generate, Phase.shrink),
)

TestConnection = ConnectionMachine.TestCase
TestConnection.settings = USUAL
TestCodec = CodecMachine.TestCase
TestCodec.settings = USUAL


# --- one engine against raw bytes -------------------------------------------------------------------------------------


class ServerMachine(ReceiverMachine):
    def make_subject(self) -> Subject:
        return EngineSubject(masked=self.masked, terms=self.terms)


class ClientMachine(ServerMachine):
    masked = False


class CompressedMachine(ServerMachine):
    terms = DeflateTerms(client_max_window_bits=9)


class ForgetfulMachine(ServerMachine):
    terms = DeflateTerms(client_no_context_takeover=True)


TestServer = ServerMachine.TestCase
TestServer.settings = USUAL
TestClient = ClientMachine.TestCase
TestClient.settings = USUAL
TestCompressed = CompressedMachine.TestCase
TestCompressed.settings = USUAL
TestForgetful = ForgetfulMachine.TestCase
TestForgetful.settings = USUAL


class WebsocketsMachine(ReceiverMachine):
    tolerated = frozenset({Violation.NON_MINIMAL_LENGTH, Violation.LENGTH_OVERFLOW})

    def make_subject(self) -> Subject:
        return WebsocketsSubject(masked=self.masked)


TestWebsockets = WebsocketsMachine.TestCase
TestWebsockets.settings = USUAL


# --- planted faults ---------------------------------------------------------------------------------------------------


def loses_empty_messages(events: list[Event]) -> list[Event]:
    return [event for event in events if event != ""]


def confuses_types(events: list[Event]) -> list[Event]:
    return [event.encode() if isinstance(event, str) else event for event in events]


def swaps_what_comes_together(events: list[Event]) -> list[Event]:
    return events[::-1]


def repeats_before_a_ping(events: list[Event]) -> list[Event]:
    repeated = [event for event in events if isinstance(event, str | bytes)]
    return [*events, *repeated] if any(isinstance(event, Ping) for event in events) else events


class FaultyMachine(ReceiverMachine):
    interfere: ClassVar[Callable[[list[Event]], list[Event]]]

    def make_subject(self) -> Subject:
        return EngineSubject(masked=self.masked, interfere=type(self).interfere)


def steps_to(machine: type[RuleBasedStateMachine], hunt: settings = HUNT) -> list[str]:
    """The names of the rules that the smallest failing example takes."""
    with pytest.raises(AssertionError) as caught:
        run_state_machine_as_test(machine, settings=hunt)
    rules = {rule.function.__name__ for rule in machine().rules}
    lines = "\n".join(caught.value.__notes__).splitlines()
    return [found[1] for line in lines if (found := re.match(r"state\.(\w+)\(", line)) and found[1] in rules]


@pytest.mark.parametrize(
    ("fault", "most"),
    [(loses_empty_messages, 1), (confuses_types, 2), (swaps_what_comes_together, 3), (repeats_before_a_ping, 3)],
)
def test_a_fault_of_a_receiver_is_found_and_shrinks(fault: Callable[[list[Event]], list[Event]], most: int) -> None:
    machine = type("PlantedMachine", (FaultyMachine,), {"interfere": staticmethod(fault)})
    assert len(steps_to(machine)) <= most


class Talkative(ServerConnection):
    """Says everything twice."""

    def send(self, message: Message, *, compress: bool | None = None, urgent: bool = False) -> None:  # type: ignore[override]  # takes less
        super().send(message, compress=compress, urgent=urgent)
        super().send(message, compress=compress, urgent=urgent)


class Sleepy(ClientConnection):
    """Never hears of the end."""

    def receive_eof(self, now: float) -> list[Event]:
        return []


def joined_with(client: type[ClientConnection], server: type[ServerConnection]) -> type[ConnectionMachine]:
    class Joined(ConnectionMachine):
        def make_engines(self, data: object) -> tuple[ByteEngine, ByteEngine]:
            options: dict[str, Any] = {"limits": self.LIMITS, "timeouts": self.TIMEOUTS, "now": self.START}
            first = client("ws://example.com/", entropy=bytes, **options)
            first.connect()
            return first, server(**options)

    return Joined


def test_a_fault_of_an_engine_is_found_and_shrinks() -> None:
    assert len(steps_to(joined_with(ClientConnection, Talkative))) <= 2


def test_an_engine_without_fault_passes_in_its_place() -> None:
    run_state_machine_as_test(joined_with(ClientConnection, ServerConnection), settings=settings(HUNT, max_examples=20))
