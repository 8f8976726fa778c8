"""A thousand random conversations, and that each can be told again."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from wsproto_core import Closed, Initiator, Timer
from wsproto_core.testing import BrokenContract, Scenario, run_scenario

ROOT = Path(__file__).resolve().parents[3]


def story(seed: int) -> list[Any]:
    """Everything that can be seen of a scenario: every byte, every event, every time."""
    played = run_scenario(seed)
    return [
        str(played),
        played.steps,
        played.wire.now,
        *(bytes(link.log) for link in played.wire.links),
        *(repr(side.events) for side in played.wire.sides),
    ]


def test_a_thousand_scenarios() -> None:
    """Each holds its engines to their promises; together they see what can happen."""
    seen: Counter[object] = Counter()
    for seed in range(1000):
        played = run_scenario(seed)
        seen.update(step.what for step in played.steps)
        seen.update([side.report.timer for side in played.wire.sides])
        seen.update([side.report.initiator for side in played.wire.sides])
        seen.update([len(side.told(Closed)) for side in played.wire.sides])
        seen["disturbed"] += played.is_disturbed
        seen["received"] += len(played.received[0]) + len(played.received[1])
    assert seen[1] == 2000
    assert all(seen[what] > 20 for what in Initiator), seen
    assert all(seen[timer] > 5 for timer in (Timer.OPENING, Timer.PONG, Timer.IDLE, Timer.CLOSING)), seen
    moves = "send|send a part|send the last part|ping|close|abandon|reject|ignore|stall|sleep|cut|offend"
    assert all(seen[what] > 5 for what in [*moves.split("|"), "lose the transport", "end the outgoing half"]), seen
    assert 200 < seen["disturbed"] < 500
    assert seen["received"] > 1500


@pytest.mark.parametrize("seed", range(30))
def test_a_scenario_can_be_told_again_bit_for_bit(seed: int) -> None:
    assert story(seed) == story(seed)


def test_it_is_the_same_in_another_process() -> None:
    """Hashes of strings and addresses of objects differ there."""
    command = [sys.executable, "tools/scenarios.py", "--seed", "42"]
    first, second = (
        subprocess.run(
            command, cwd=ROOT, env={"PYTHONHASHSEED": seed}, text=True, capture_output=True, timeout=30, check=True
        ).stdout
        for seed in ("1", "2")
    )
    assert first == second == f"{run_scenario(42)}\n"


def test_the_command_tells_the_rate() -> None:
    command = [sys.executable, "tools/scenarios.py", "20"]
    done = subprocess.run(command, cwd=ROOT, text=True, capture_output=True, timeout=30, check=True)
    assert done.stdout.startswith("20 scenarios in ")
    assert done.stdout.endswith(" a second\n")


def test_a_story_has_short_lines() -> None:
    for seed in range(30):
        lines = str(run_scenario(seed)).splitlines()
        assert lines[0] == f"seed {seed}"
        assert [line[:8] for line in lines[-2:]] == ["client: ", "server: "]
        assert all(len(line) < 150 for line in lines[:-2])


class Lossy(Scenario):
    """Its application forgets what it received."""

    def receive(self) -> None:
        super().receive()
        self.received[0].clear()


class Unclean(Scenario):
    """Its line is cut, and nobody says so."""

    def say_goodbye(self, who: int, code: int) -> None:
        self.wire.cut()


@pytest.mark.parametrize(("kind", "words"), [(Lossy, "arrived, or others"), (Unclean, "nobody disturbed them")])
def test_what_should_not_be_is_told_with_its_story(kind: type[Scenario], words: str) -> None:
    def play_many() -> None:
        for seed in range(100):
            kind(seed).play()

    with pytest.raises(BrokenContract, match=words) as broken:
        play_many()
    (note,) = broken.value.__notes__
    assert re.match(r"seed \d+\n1\d\d\d\.\d+ (client|server) ", note)
