"""A thousand random conversations, and that each can be told again."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tools import scenarios
from wsproto_core import ClientConnection, Closed, Event, Initiator, ServerConnection, Timer
from wsproto_core.testing import (
    BrokenContract,
    Conversation,
    DatagramScenario,
    DatagramScript,
    Dialogue,
    Move,
    Scenario,
    Script,
    run_scenario,
    run_script,
    stream_script,
)

ROOT = Path(__file__).resolve().parents[3]


def played(*moves: Move, **dialogue: Any) -> Conversation:
    """One conversation that consists of these moves, over perfect lines."""
    scenario = Scenario(Script(dialogues=(Dialogue(moves=moves, **dialogue),)))
    scenario.play()
    return scenario.conversations[0]


def test_a_thousand_scenarios() -> None:
    """Each holds its engines to their promises; together they see what can happen."""
    seen: Counter[object] = Counter()
    for seed in range(1000):
        (conversation,) = run_scenario(seed).conversations
        seen.update(step.what for step in conversation.steps)
        seen.update([side.report.timer for side in conversation.sides])
        seen.update([side.report.initiator for side in conversation.sides])
        seen.update([len(side.told(Closed)) for side in conversation.sides])
        seen["disturbed"] += conversation.is_disturbed
        seen["received"] += len(conversation.received(0)) + len(conversation.received(1))
    assert seen[1] == 2000
    assert all(seen[what] > 20 for what in Initiator), seen
    assert all(seen[timer] > 5 for timer in (Timer.OPENING, Timer.PONG, Timer.IDLE, Timer.CLOSING)), seen
    moves = "send|send bytes|send part|send last part|ping|close|abandon|reject|ignore|stall|sleep|cut|offend"
    faults = ["lose the transport", "break the transport", "shut the outgoing half"]
    assert all(seen[what] > 5 for what in [*moves.split("|"), *faults]), seen
    assert 200 < seen["disturbed"] < 500
    assert seen["received"] > 1500


@pytest.mark.parametrize("connections", [1, 20])
def test_a_scenario_can_be_told_again_bit_for_bit(connections: int) -> None:
    def digests() -> list[str]:
        return [run_scenario(seed, connections=connections).digest for seed in range(0, 60, connections)]

    assert digests() == digests()
    assert len(set(digests())) == len(digests())


@pytest.mark.parametrize("kind", [["--connections", "3"], ["--datagrams", "--connections", "3"]])
def test_it_is_the_same_in_another_process(kind: list[str]) -> None:
    """Hashes of strings and addresses of objects differ there. The last line is the fingerprint of all of it."""
    command = [sys.executable, "tools/scenarios.py", "--seed", "42", *kind]
    first, second = (
        subprocess.run(
            command, cwd=ROOT, env={"PYTHONHASHSEED": seed}, text=True, capture_output=True, timeout=30, check=True
        ).stdout
        for seed in ("1", "2")
    )
    assert first == second
    assert re.search(r"\n[0-9a-f]{64}\n$", first)


def test_the_pure_frame_loop_tells_the_same_story() -> None:
    command = [sys.executable, "tools/scenarios.py", "--seed", "42", "--connections", "9"]
    env = {"WSPROTO_CORE_PUREPYTHON": "1"}
    done = subprocess.run(command, cwd=ROOT, env=env, text=True, capture_output=True, timeout=30, check=True)
    told = run_scenario(42, connections=9)
    assert done.stdout == f"{told}\n{told.digest}\n"


def test_many_connections_live_in_the_same_time() -> None:
    scenario = run_scenario(1, connections=200)
    stories = [conversation.steps for conversation in scenario.conversations]
    assert len(stories) == 200
    began = min(steps[0].at for steps in stories if steps)
    assert sum(bool(steps) and steps[0].at < began + 5 for steps in stories) > 190
    heard = [sum(step.what == "broadcast" for step in steps) for steps in stories]
    assert max(heard) > 0
    assert sum(count > 0 for count in heard) > 100
    assert str(scenario).splitlines()[0] == "connection 0"


def test_a_broadcast_reaches_whoever_can_hear_it() -> None:
    everybody = Scenario(
        Script(
            dialogues=(
                Dialogue(wait=1.0, moves=(Move("server", "broadcast", "news"),)),
                Dialogue(),
                Dialogue(opening="reject"),
                Dialogue(moves=(Move("server", "send part", "unfinished"),)),
            )
        )
    )
    everybody.play()
    assert [conversation.received(0) for conversation in everybody.conversations] == [["news"], ["news"], [], []]


def test_a_move_that_an_engine_does_not_allow_is_not_made() -> None:
    conversation = played(
        Move("client", "send part", "unfinished"),
        Move("client", "send", "not now"),
        Move("client", "close"),
        Move("client", "ping"),
        Move("client", "send part", "too late"),
        Move("client", "offend", "8300"),
    )
    assert [step.what for step in conversation.steps] == ["send part", "close"]
    assert conversation.steps[-1].detail == 1000


def test_a_story_has_short_lines() -> None:
    for seed in range(30):
        lines = str(run_scenario(seed)).splitlines()
        assert [line[:8] for line in lines[-2:]] == ["client: ", "server: "]
        assert all(len(line) < 150 for line in lines[:-2])


# --- engines that are wrong -------------------------------------------------------------------------------------------


class Lossy(ServerConnection):
    """Drops what is longer than a thousand bytes."""

    def receive_data(self, data: Any, now: float) -> list[Event]:
        return [event for event in super().receive_data(data, now) if not isinstance(event, bytes) or len(event) < 1000]


class Rude(ServerConnection):
    """Leaves without a word."""

    def close(self, code: int = 1000, reason: str = "", *, now: float | None = None) -> None:
        self.abort(now=now)


class Forgetful(ServerConnection):
    """Tells its end twice."""

    def receive_eof(self, now: float) -> list[Event]:
        return super().receive_eof(now) * 2


@pytest.mark.parametrize(
    ("kind", "words"),
    [(Lossy, "arrived, or others"), (Rude, "nobody disturbed them"), (Forgetful, "follows Closed")],
)
def test_what_should_not_be_is_told_with_its_story(kind: type[ServerConnection], words: str) -> None:
    def play_many() -> None:
        for seed in range(100):
            Scenario(stream_script(seed), make_client=ClientConnection, make_server=kind).play()

    with pytest.raises(BrokenContract, match=words) as broken:
        play_many()
    (note,) = broken.value.__notes__
    assert re.match(r"1\d\d\d\.\d+ (client|server) ", note)


# --- the command ------------------------------------------------------------------------------------------------------


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "tools/scenarios.py", *arguments]
    return subprocess.run(words, cwd=ROOT, text=True, capture_output=True, timeout=30, check=True)


@pytest.mark.parametrize("kind", [[], ["--datagrams"]])
def test_the_command_tells_the_rate(kind: list[str]) -> None:
    told = command("20", "--connections", "2", *kind).stdout
    assert re.fullmatch(r"40 conversations in \d+\.\d\d s of one core: \d+ a second\n", told)


def test_the_command_plays_on_several_cores() -> None:
    told = command("21", "--jobs", "2").stdout
    assert re.fullmatch(r"21 conversations in \d+\.\d\d s of each of 2 cores: \d+ a second\n", told)


def test_the_command_plays_what_was_kept() -> None:
    told = command("--file", "tests/core/testing/corpus/rejected.json").stdout
    assert "server reject\n" in told


def test_the_command_shrinks_a_failure_and_keeps_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Here whoever closes with 4999 is wrong."""

    def run(script: Script | DatagramScript) -> Scenario | DatagramScenario:
        scenario = run_script(script)
        if " close 4999" in str(scenario):
            raise BrokenContract("4999 is not liked")
        return scenario

    monkeypatch.setattr(scenarios, "run_script", run)
    monkeypatch.setattr(sys, "argv", ["scenarios.py", "200", "--corpus", str(tmp_path)])
    monkeypatch.setattr(scenarios, "warm_up", lambda options: None)
    assert scenarios.main() == 1
    (path,) = tmp_path.iterdir()
    data = json.loads(path.read_text(encoding="utf-8"))
    assert (data["about"], data["story"]) == ("4999 is not liked", [])
    (dialogue,) = data["script"]["dialogues"]
    assert [move[1:3] for move in dialogue["moves"]] == [["close", 4999]]
    assert f"what is left of it is in {path}" in capsys.readouterr().err
    monkeypatch.undo()
    monkeypatch.setattr(sys, "argv", ["scenarios.py", "--renew", "--corpus", str(tmp_path)])
    assert scenarios.main() == 0
    assert "close 4999" in "".join(json.loads(path.read_text(encoding="utf-8"))["story"])
