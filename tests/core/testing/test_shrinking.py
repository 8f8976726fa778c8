"""A script that fails becomes the smallest one that still does."""

from __future__ import annotations

import json
from typing import Any

import pytest

from wsproto_core import Event, ServerConnection, Timeouts
from wsproto_core.testing import (
    AnyScript,
    BrokenContract,
    Caller,
    DatagramScenario,
    DatagramScript,
    Dialogue,
    Line,
    Move,
    Party,
    Route,
    Scenario,
    Script,
    datagram_script,
    load_script,
    run_datagram_scenario,
    run_script,
    save_script,
    shrink,
    stream_script,
)
from wsproto_core.testing.shrinking import simpler


class Lossy(ServerConnection):
    """Drops what is longer than a thousand bytes."""

    def receive_data(self, data: Any, now: float) -> list[Event]:
        return [event for event in super().receive_data(data, now) if not isinstance(event, bytes) or len(event) < 1000]


def loses(script: Script) -> bool:
    try:
        Scenario(script, make_server=Lossy).play()
    except BrokenContract:
        return True
    return False


def test_a_conversation_becomes_its_shortest() -> None:
    seed = next(seed for seed in range(100) if loses(stream_script(seed, connections=5)))
    small = shrink(stream_script(seed, connections=5), loses)
    (dialogue,) = small.dialogues
    (move,) = dialogue.moves
    assert (move.who, move.what, move.wait) == ("client", "send bytes", 0.0)
    assert 1000 <= len(str(move.detail).encode()) < 2600
    assert small == Script(dialogues=(Dialogue(moves=(move,)),))


def test_what_matters_stays() -> None:
    def is_slow(script: Script) -> bool:
        return any(dialogue.up.latency and dialogue.compressed for dialogue in script.dialogues)

    script = Script(7, (Dialogue(up=Line(0.5, 0.1, 1000.0, 10), down=Line(0.5), compressed=True, wait=3.0),))
    assert shrink(script, is_slow) == Script(dialogues=(Dialogue(up=Line(0.5), compressed=True),))


def test_datagrams_become_few() -> None:
    def loses_a_message(script: DatagramScript) -> bool:
        scenario = DatagramScenario(script)
        scenario.play()
        return any(call.sent[0] and call.side.outgoing.lost for call in scenario.calls)

    seed = next(seed for seed in range(50) if loses_a_message(datagram_script(seed, clients=3)))
    small = shrink(datagram_script(seed, clients=3), loses_a_message)
    (caller,) = small.callers
    assert (caller.back, caller.there.jitter, caller.there.loss > 0) == (Route(), 0.0, True)
    assert any(move.what.startswith("send") for move in caller.moves)
    assert not any(loses_a_message(smaller) for smaller in simpler(small))


def test_tries_are_limited() -> None:
    tried: list[Script] = []

    def fails(script: Script) -> bool:
        tried.append(script)
        return len(tried) == 1

    script = stream_script(1)
    assert shrink(script, fails, max_tries=3) == script
    assert len(tried) == 1 + 3


def test_what_does_not_fail_cannot_be_shrunk() -> None:
    with pytest.raises(ValueError, match="script: it does not fail"):
        shrink(stream_script(1), lambda script: False)


# --- as data ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("script", [stream_script(4, connections=2), datagram_script(4, clients=2)])
def test_a_script_survives_json(script: AnyScript) -> None:
    text = json.dumps(save_script(script))
    again = load_script(json.loads(text))
    assert again == script
    assert run_script(again).digest == run_script(script).digest


def test_what_a_seed_runs_is_its_script() -> None:
    assert run_datagram_scenario(5).digest == run_script(datagram_script(5)).digest


def test_defaults_are_written_down() -> None:
    data = save_script(Script(dialogues=(Dialogue(client=Party(Timeouts(idle_timeout=5.0))),)))
    assert data["dialogues"][0]["client"]["timeouts"]["ping_interval"] == 30.0
    assert data["dialogues"][0]["up"] == {"latency": 0.0, "jitter": 0.0, "bandwidth": None, "capacity": None}


def changed(script: AnyScript, change: Any) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(json.dumps(save_script(script)))
    change(data)
    return data


STREAM = Script(dialogues=(Dialogue(moves=(Move("client", "ping"),)),))
DATAGRAM = DatagramScript(callers=(Caller(moves=(Move("client", "ping"),)),))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({}, "kind"),
        ({"kind": "carrier pigeon"}, "carrier pigeon"),
        (changed(STREAM, lambda data: data.update(extra=1)), "extra"),
        (changed(STREAM, lambda data: data["dialogues"][0].update(opening="slam")), "'slam' is none of accept, ignore"),
        (changed(STREAM, lambda data: data["dialogues"][0]["moves"][0].__setitem__(0, "proxy")), "'proxy' is none of"),
        (changed(STREAM, lambda data: data["dialogues"][0]["moves"][0].__setitem__(1, "fly")), "'fly' is none of"),
        (
            changed(STREAM, lambda data: data["dialogues"][0]["client"]["timeouts"].update(idle_timeout=0)),
            "idle_timeout",
        ),
        (changed(DATAGRAM, lambda data: data["callers"][0]["moves"][0].__setitem__(1, "cut")), "'cut' is none of"),
        (changed(DATAGRAM, lambda data: data["callers"][0]["there"].update(hops=3)), "hops"),
    ],
)
def test_what_is_no_script_is_told(data: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=f"this is no script: .*{words}"):
        load_script(data)
