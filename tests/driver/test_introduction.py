"""``_driver/introduction.py``, and the places of a :class:`Reception` from the first moment to a server's end."""

from __future__ import annotations

from collections.abc import Generator
from functools import partial
from typing import Any, cast

import pytest

from tests.core.handshake.test_proxy_protocol import FROM_TCP4
from wsproto_core import (
    AsyncReception,
    BeginTls,
    IntroductionStep,
    ListenPlan,
    PeerBase,
    ProxiedFrom,
    ReadUpTo,
    RemoteProtocolError,
    Response,
    ServerConnection,
    TrustedProxies,
    introduce,
)

TRUSTED = TrustedProxies(["10.0.0.0/8"])
PROXY, STRANGER = ("10.0.0.1", 1), ("192.0.2.1", 1)
HEADER = b"PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\r\n"
Steps = Generator[IntroductionStep, bytes, ProxiedFrom | None]
GET = b"GET / HTTP/1.1\r\n"


def walk(steps: Steps, data: bytes = b"") -> tuple[list[IntroductionStep], ProxiedFrom | None, bytes]:
    """Do the steps; return them, what they came to, and what was not read."""
    done: list[IntroductionStep] = []
    try:
        step = next(steps)
        while True:
            done.append(step)
            answer = b""
            if isinstance(step, ReadUpTo):
                answer, data = data[: step.size], data[step.size :]
            step = steps.send(answer)
    except StopIteration as end:
        return done, cast(ProxiedFrom | None, end.value), data


def test_a_stranger_is_asked_for_nothing() -> None:
    assert walk(introduce(TRUSTED, STRANGER, secure=False), HEADER) == ([], None, HEADER)


def test_tls_is_the_last_step() -> None:
    assert walk(introduce(TRUSTED, STRANGER, secure=True)) == ([BeginTls()], None, b"")
    steps, proxied, rest = walk(introduce(TRUSTED, PROXY, secure=True), HEADER + b"\x16")
    assert steps[-1] == BeginTls()
    assert steps.count(BeginTls()) == 1
    assert (proxied, rest) == (ProxiedFrom(("192.0.2.1", 56324), ("198.51.100.7", 443)), b"\x16")


@pytest.mark.parametrize("data", [b"", HEADER[:-1], GET])
def test_a_proxy_that_does_not_say_who_comes(data: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        walk(introduce(TRUSTED, PROXY, secure=True), data)


def test_who_has_left_is_taken_for_nobody() -> None:
    """And not for a stranger: that would be let in without the header."""
    with pytest.raises(ConnectionResetError):
        walk(introduce(TRUSTED, None, secure=False))


def test_a_plan_knows_its_proxies() -> None:
    plan = ListenPlan(port=0, proxied_by=["10.0.0.0/8"])
    steps, proxied, rest = walk(plan.introduction(PROXY, secure=False), HEADER + GET)
    assert all(isinstance(step, ReadUpTo) for step in steps)
    assert proxied is not None
    assert rest == GET
    assert walk(ListenPlan(port=0).introduction(PROXY, secure=False)) == ([], None, b"")
    assert plan.needs_introduction(PROXY, secure=False)
    assert not ListenPlan(port=0).needs_introduction(PROXY, secure=False)
    assert ListenPlan(port=0).needs_introduction(PROXY, secure=True)
    with pytest.raises(ValueError, match="proxied_by"):
        ListenPlan(port=0, proxied_by=["example.com"])


def test_where_a_peer_is_seen_from() -> None:
    peer = visitor()
    assert peer.seen_from(PROXY) == PROXY
    peer.proxied = ProxiedFrom()
    assert peer.seen_from(PROXY) == PROXY
    peer.proxied = ProxiedFrom(*FROM_TCP4)
    assert peer.seen_from(PROXY) == FROM_TCP4[0]
    peer.proxied = ProxiedFrom("", "/run/proxy.sock")  # by a Unix socket that has no name
    assert peer.seen_from(PROXY) == ""


# --- places -----------------------------------------------------------------------------------------------------------


class Log:
    def __init__(self) -> None:
        self.lines: list[tuple[int, str]] = []

    def log(self, level: int, msg: str, *args: object) -> None:
        self.lines.append((level, msg % args))

    def error(self, msg: str, *args: object, exc_info: BaseException | None = None) -> None:
        raise AssertionError(msg % args)


def visitor() -> Any:
    return PeerBase(ServerConnection(now=0.0))


def reception(max_connections: int | None = None) -> tuple[AsyncReception[Any], Log]:
    log = Log()
    return AsyncReception(max_connections, handler=None, spawn=lambda work: None, log=log), log


def test_who_has_to_be_introduced_takes_a_place() -> None:
    desk, _ = reception(1)
    first, second, third = object(), object(), visitor()
    assert desk.approach(first)
    assert desk.approach(second)
    assert desk.arrive(third)
    assert desk.everyone == {third}
    assert desk.early_answer(third) is not None
    introduced = visitor()
    assert desk.arrive(introduced, first)
    assert desk.early_answer(introduced) is None
    late = visitor()
    assert desk.arrive(late, second)
    assert desk.early_answer(late) is not None
    desk.leave(introduced)
    assert desk.approach(object())
    assert desk.early_answer(late) is not None


def test_who_leaves_before_it_was_introduced_gives_its_place_back() -> None:
    desk, log = reception(1)
    gone, peer = object(), visitor()
    assert desk.approach(gone)
    desk.retreat(gone, PROXY, ConnectionResetError("it has left"))
    assert log.lines == [
        (10, "('10.0.0.1', 1) was dropped, and no connection yet: ConnectionResetError('it has left')")
    ]
    assert desk.counted().failed == 1
    assert desk.arrive(peer)
    assert desk.early_answer(peer) is None


def test_beyond_the_places_and_the_standing_room_nobody_is_let_in() -> None:
    desk, _ = reception(1)
    crowd = [object() for _ in range(102)]
    assert [desk.approach(one) for one in crowd] == [True] * 101 + [False]
    assert not desk.approach(object())
    desk.retreat(crowd[50], STRANGER, EOFError())
    assert desk.approach(object())
    assert not desk.arrive(visitor())


def test_the_last_calls_of_a_server() -> None:
    desk, _ = reception()
    silent, speaking, late = visitor(), visitor(), visitor()
    for peer in (silent, speaking):
        assert desk.arrive(peer)
    speaking.engine.receive_data(GET, 0.0)
    desk.begin_closing()
    (moment, first), (second, after), (rest, last) = desk.last_calls(10.0)
    assert moment < 1.0
    assert moment + second == 1.0
    assert moment + second + rest == 10.0
    assert first() == after() == {silent}
    assert desk.arrive(late), "who was on the way in is told to come back later"
    assert desk.early_answer(late) is not None
    assert last() == {silent, speaking, late}
    assert not desk.arrive(visitor())
    assert not desk.approach(object())
    assert [seconds for seconds, _ in desk.last_calls(0.0)] == [0.0, 0.0, 0.0]


def test_the_last_calls_leave_a_second_for_introductions() -> None:
    """Whether they came to their end before or after the first call."""
    desk, _ = reception()
    quick, slow, gone, silent, speaking = visitor(), visitor(), visitor(), visitor(), visitor()
    for peer in (quick, slow, gone, silent, speaking):
        assert desk.arrive(peer)
    desk.introducing |= {quick, slow, gone, speaking}
    desk.begin_closing()
    (_, first), (_, after), (_, last) = desk.last_calls(10.0)
    desk.introducing -= {quick, speaking}
    desk.leave(gone)
    assert desk.introducing == {slow}
    assert first() == {silent}
    speaking.engine.receive_data(GET, 0.0)
    assert after() == {quick, slow, silent}
    assert last() == {quick, slow, silent, speaking}


def test_introductions_that_take_too_long_are_cut_off() -> None:
    """Who is introduced before that has time to speak, but no more of it."""
    desk, _ = reception()
    introduced, slow, left, cut_off = object(), object(), object(), list[str]()
    for who, name in ((introduced, "introduced"), (slow, "slow"), (left, "left")):
        assert desk.approach(who)
        desk.introduce(who, partial(cut_off.append, name))
    desk.begin_closing()
    (_, first), (_, after), (_, last) = desk.last_calls(10.0)
    peer, plain = visitor(), visitor()
    assert desk.arrive(peer, introduced)
    assert desk.arrive(plain)
    desk.retreat(left, STRANGER, EOFError())
    assert first() == {plain}
    assert cut_off == []
    assert after() == {peer, plain}
    assert cut_off == ["slow"]
    desk.retreat(slow, STRANGER, TimeoutError())
    assert last() == {peer, plain}


def test_an_answer_that_comes_while_the_server_closes() -> None:
    """``process_request`` has taken its time."""
    desk, _ = reception()
    for answer, status in ((None, 503), (Response(404), 404)):
        peer = visitor()
        desk.arrive(peer)
        peer.engine.receive_data(
            GET + b"Host: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
            0.0,
        )
        desk.begin_closing()
        assert not desk.answer(peer, answer)
        assert b"".join(peer.engine.data_to_send()).startswith(b"HTTP/1.1 %d " % status)


def test_a_count_is_final_once_nobody_can_come() -> None:
    desk, _ = reception()
    peer = visitor()
    desk.arrive(peer)
    desk.begin_closing()
    assert not desk.counted().is_final
    desk.is_closed = True
    assert not desk.counted().is_final
    desk.leave(peer)
    assert desk.counted().is_final
