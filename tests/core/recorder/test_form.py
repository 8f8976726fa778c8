"""A flight as lines, and as text."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.core.recorder.kit import flights_of, recorded_wire, recorder
from wsproto_core import Event, Request
from wsproto_core.recorder import Flight, load_flight, save_flight, tell
from wsproto_core.testing import Dialogue, Line, Move, Script

TALK = Script(
    dialogues=(
        Dialogue(
            wait=1.0,
            up=Line(latency=0.25),
            moves=(
                Move("client", "send", "hello €", wait=1.0),
                Move("client", "send part", "and "),
                Move("client", "send last part", "on"),
                Move("server", "send bytes", "x" * 100),
                Move("client", "close", 4000, wait=1.0),
            ),
        ),
    )
)


def flight(role: str = "server", **options: Any) -> Flight:
    (found,) = [found for found in flights_of(TALK, **options) if found.facts.role.value == role]
    return found


def test_one_line_for_the_facts_and_one_for_each_call() -> None:
    head, *calls = map(json.loads, save_flight(flight(payloads=True)))
    assert head["flight"] == 1
    assert head["facts"]["limits"]["message_size"] == 1024 * 1024
    assert head["ending"]["report"]["code"] == 4000
    first = calls[0]
    assert (first["do"], first["at"], first["told"]) == ("receive_data", 1000.25, ["request"])
    assert bytes.fromhex(first["data"][0]).startswith(b"GET / HTTP/1.1\r\n")
    assert {"do": "send", "message": ["78" * 100], "compress": None, "urgent": False} in calls


def test_hidden_contents_are_numbers() -> None:
    _, *calls = map(json.loads, save_flight(flight()))
    assert {"do": "send", "message": [100], "compress": None, "urgent": False} in calls
    (hello,) = [call["data"] for call in calls if call.get("told") == ["text 9"]]
    assert hello == ["8189", 13]
    _, *calls = map(json.loads, save_flight(flight("client")))
    assert {"do": "send", "message": {"characters": 9}, "compress": None, "urgent": False} in calls


def test_header_fields_survive() -> None:
    flights: list[Flight] = []
    wire = recorded_wire(recorder(flights))

    def welcome(event: Event) -> None:
        if isinstance(event, Request):
            wire.server.engine.accept(headers=[("Set-Cookie", "secret"), ("Server", "ours")])

    wire.server.react = welcome
    wire.open()
    wire.cut()
    server = flights[1]
    assert load_flight(save_flight(server)) == server
    assert server.entries[1].arguments[2] == (("Set-Cookie", "xxxxxx"), ("Server", "ours"))
    assert "-- accept by_policy, headers Set-Cookie: xxxxxx; Server: ours" in "\n".join(tell(server))


def test_the_text_of_a_flight() -> None:
    lines = list(tell(flight(payloads=True)))
    assert lines[0] == "a server's flight"
    assert lines[1] == "     0.000 <- receive_data 150 bytes  => request"
    assert lines[2].strip() == "GET / HTTP/1.1"
    at = lines.index("     1.000 <- receive_data 15 bytes  => text 9")
    assert [line.strip() for line in lines[at + 1 : at + 3]] == [
        "TEXT fin masked 9 bytes",
        f"0-9 of 9: {'hello €'.encode()!r}",
    ]
    assert any("TEXT more masked 4 bytes" in line for line in lines)
    assert any("-> data_to_send  => 102 bytes, BINARY 100, sum " in line for line in lines)
    assert lines[-2] == "state: CLOSED"
    assert lines[-1].startswith("report: initiator PEER, code 4000, ")


def test_long_contents_are_cut_in_text() -> None:
    lines = list(tell(flight("client", payloads=True)))
    assert any(line.strip() == f"0-100 of 100: {b'x' * 40!r}..." for line in lines)


def test_the_text_of_a_flight_without_its_beginning() -> None:
    lines = list(tell(flight(payloads=True, max_entries=4)))
    assert lines[1].endswith(" calls before these were not kept")
    assert lines[2].startswith("it cannot be replayed: its beginning was not kept")
    lines = list(tell(flight(max_entries=12)))
    assert lines[0] == "a server's flight, without the contents of messages"
    assert "--- a replay begins here" in lines


def changed(change: Any) -> list[str]:
    lines = [json.loads(line) for line in save_flight(flight())]
    change(lines)
    return [json.dumps(line) for line in lines]


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([], "not enough values"),
        (["[]"], "TypeError"),
        (["{}"], "flight"),
        (["no json"], "Expecting value"),
        (changed(lambda lines: lines[0].update(flight=2)), "another form than 1"),
        (changed(lambda lines: lines[0].update(begins_at=999)), "begins where nothing is"),
        (changed(lambda lines: lines[0].update(extra=1)), "extra"),
        (changed(lambda lines: lines[0]["facts"].update(role="proxy")), "proxy"),
        (changed(lambda lines: lines[0]["facts"]["limits"].update(message_size=0)), "message_size must be positive"),
        (changed(lambda lines: lines[1].update(do="fly")), "fly"),
        (changed(lambda lines: lines[1].update(data=["xyz"])), "hexadecimal"),
        (changed(lambda lines: lines[1].pop("data")), "data"),
    ],
)
def test_what_is_no_flight_is_told(lines: list[str], words: str) -> None:
    with pytest.raises(ValueError, match=f"this is no flight: .*{words}"):
        load_flight(lines)
