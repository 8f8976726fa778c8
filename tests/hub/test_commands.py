"""Commands are data of the right types, and nothing else."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from typing import Any

import pytest

from wsproto_core.hub import Broadcast, Connect, Join, Position, Publish, Send, SetPresence

WRONG: list[tuple[type[Any], tuple[Any, ...], str]] = [
    (Connect, (1,), "session must be str, not int"),
    (Join, ("ada", b"lobby"), "room must be str, not bytes"),
    (Join, ("ada", "lobby", None), "presence must be str or bytes, not NoneType"),
    (Join, ("ada", "lobby", "", 5), "since must be Position or None, not int"),
    (Position, (0.0, "5"), "offset must be int, not str"),
    (Position, ("0", 5), "epoch must be float or int, not str"),
    (SetPresence, ("ada", "lobby", {}), "presence must be str or bytes, not dict"),
    (Publish, ("ada", "lobby", 5), "message must be str or bytes, not int"),
    (Publish, ("ada", "lobby", "hi", 1), "echo must be bool, not int"),
    (Send, ("ada", ["bob"], "hi"), "to must be str, not list"),
    (Broadcast, ("ada", bytearray(b"hi")), "message must be str or bytes, not bytearray"),
]


@pytest.mark.parametrize(("command", "arguments", "words"), WRONG, ids=[row[2] for row in WRONG])
def test_a_value_of_another_type_is_an_error_that_names_it(
    command: type[Any], arguments: tuple[Any, ...], words: str
) -> None:
    with pytest.raises(TypeError) as caught:
        command(*arguments)
    assert str(caught.value) == words


def test_commands_are_equal_by_what_they_say_and_stay_as_they_are() -> None:
    command: Any = Join("ada", "lobby", since=Position(1, 2))
    assert command == Join("ada", "lobby", "", Position(1.0, 2))
    assert len({command, Join("ada", "lobby")}) == 2
    with pytest.raises(FrozenInstanceError):
        command.room = "attic"
