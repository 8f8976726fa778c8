"""Where a server listens, and what it offers: checked once."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

import pytest

from tests.driver.wire import START
from wsproto_core import ListenPlan, PerMessageDeflate, ServePlan, Timeouts, check_handler


def serve_plan(**options: Any) -> ServePlan:
    return ServePlan(None, 7, None, entropy=bytes, **options)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "one of port, sock and unix_path"),
        ({"host": "localhost"}, "one of port"),
        ({"port": 1, "unix_path": "/x"}, "one of port"),
        ({"port": 1, "sock": object()}, "one of port"),
        ({"sock": []}, "sock"),
        ({"sock": object(), "reuse_port": True}, "reuse_port needs port"),
        ({"port": 1, "proxied_by": ["nowhere"]}, "nowhere"),
    ],
)
def test_where_nobody_can_listen(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        ListenPlan(**options)


def test_what_can_be_called_with_each_connection() -> None:
    check_handler(serve_plan)
    for wrong in (ServePlan, None, "handler"):
        with pytest.raises(TypeError, match="handler must be a coroutine function, not"):
            check_handler(wrong)


def test_one_socket_or_several() -> None:
    one, other = object(), object()
    assert ListenPlan(port=0).sockets == ()
    assert ListenPlan(sock=one).sockets == (one,)
    assert ListenPlan(sock=[one, other]).sockets == (one, other)


def test_one_host_or_several_or_all() -> None:
    assert ListenPlan(port=0).hosts == (None,)
    assert ListenPlan(port=0, host="::1").hosts == ("::1",)
    assert ListenPlan(port=0, host=["::1", "127.0.0.1"]).hosts == ("::1", "127.0.0.1")


def test_the_path_of_a_unix_socket() -> None:
    assert ListenPlan(port=0).path is None
    assert ListenPlan(unix_path="/run/x").path == "/run/x"
    assert ListenPlan(unix_path=PurePosixPath("/run/x")).path == "/run/x"


def test_who_connects_directly_has_nobody_to_introduce_it() -> None:
    with pytest.raises(StopIteration) as done:
        next(ListenPlan(port=0).introduction(("10.0.0.1", 1), secure=False))
    assert done.value.value is None


def test_every_connection_gets_an_engine_of_its_own() -> None:
    plan = serve_plan(compression=PerMessageDeflate(), timeouts=Timeouts(opening_timeout=3))
    one, two = plan.engine(START), plan.engine(START + 1)
    assert (one.next_deadline(), two.next_deadline()) == (START + 3, START + 4)
    assert (plan.opening_timeout, plan.where.port) == (3, 7)


@pytest.mark.parametrize(
    ("options", "words"),
    [({"origins": "https://x"}, "origins"), ({"hosts": "x"}, "hosts"), ({"subprotocols": [""]}, "subprotocols")],
)
def test_what_cannot_work_is_told_before_the_first_connection(options: dict[str, Any], words: str) -> None:
    with pytest.raises((TypeError, ValueError), match=words):
        serve_plan(**options)
