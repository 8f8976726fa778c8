"""Random conversations of a datagram server and its clients."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from wsproto_core import Closed, DatagramPeer, DatagramServer, Timer
from wsproto_core.testing import (
    BrokenContract,
    Caller,
    DatagramScenario,
    DatagramScript,
    Move,
    datagram_script,
    run_datagram_scenario,
)


def test_many_scenarios() -> None:
    """Each holds its engines to their promises; together they see what can happen."""
    seen: Counter[object] = Counter()
    for seed in range(300):
        scenario = run_datagram_scenario(seed, clients=1 + seed % 3)
        seen["lost"] += sum(len(call.side.outgoing.lost) for call in scenario.calls)
        for _, event in scenario.net.server.events:
            if isinstance(event, Closed):
                seen.update([event.report.timer])
        for call in scenario.calls:
            seen.update(step.what for step in call.steps)
            seen["undisturbed"] += not call.is_disturbed
            seen["received"] += len(call.side.messages)
    assert all(seen[what] > 20 for what in ("send", "send bytes", "ping", "close", "sleep", "wake", "lose", "lost"))
    assert seen[Timer.IDLE] > 5
    assert seen["undisturbed"] > 50
    assert seen["received"] > 200


def test_a_scenario_can_be_told_again_bit_for_bit() -> None:
    def digests() -> list[str]:
        return [run_datagram_scenario(seed, clients=5).digest for seed in range(10)]

    assert digests() == digests()
    assert len(set(digests())) == 10


def test_a_story_names_its_clients() -> None:
    lines = str(run_datagram_scenario(3, clients=2)).splitlines()
    assert [line for line in lines if not line[0].isdigit()][0::2] == ["client 0", "client 1"]


def test_a_fault_of_the_server_disturbs_everybody() -> None:
    script = DatagramScript(callers=(Caller(moves=(Move("server", "sleep"),)), Caller()))
    scenario = DatagramScenario(script)
    scenario.play()
    assert [call.is_disturbed for call in scenario.calls] == [True, True]


class Doubling(DatagramServer):
    """Delivers every message twice."""

    def receive_data(self, data: Any, address: Any, now: float) -> list[Any]:
        pairs = super().receive_data(data, address, now)
        return pairs + [pair for pair in pairs if isinstance(pair[1], bytes)]


class Deaf(DatagramServer):
    """Delivers no message."""

    def receive_data(self, data: Any, address: Any, now: float) -> list[Any]:
        return [pair for pair in super().receive_data(data, address, now) if not isinstance(pair[1], bytes)]


class Shortening(DatagramPeer):
    """Delivers the beginning of a message."""

    def receive_data(self, data: Any, now: float) -> list[Any]:
        return [event[:1] if isinstance(event, bytes) else event for event in super().receive_data(data, now)]


@pytest.mark.parametrize(
    ("engines", "words"),
    [
        ({"make_server": Doubling}, "were sent to the server"),
        ({"make_server": Deaf}, "nothing arrived at the server"),
        ({"make_client": Shortening}, "were sent to the client"),
    ],
)
def test_what_should_not_be_is_told_with_its_story(engines: dict[str, Any], words: str) -> None:
    def play_many() -> None:
        for seed in range(100):
            DatagramScenario(datagram_script(seed), **engines).play()

    with pytest.raises(BrokenContract, match=words) as broken:
        play_many()
    assert "client: closed by" in broken.value.__notes__[0]
