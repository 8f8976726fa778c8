"""``reconnect`` of ``wsproto_sockets``: clients that come back."""

from __future__ import annotations

import gc

import pytest

from tests.adapters.sockets_kit import PATIENCE, Raw, drain, echo, eventually, free_port, raw_server, run, tidy, url
from wsproto_core import Backoff, ConnectionClosed, ConnectionRefused, HandshakeRejected, Request, Response, State
from wsproto_sockets import Server, WebSocket, reconnect, serve

__all__ = ["tidy"]

pytestmark = pytest.mark.usefixtures("tidy")

FAST = Backoff(initial=0.001, cap=0.002)


class Counting(Backoff):
    """Writes down which attempts it was asked for."""

    __slots__ = ()

    def delay(self, attempt: int, chance: float) -> float:
        asked.append(attempt)
        assert 0 <= chance < 1
        return 0.0


asked: list[int] = []


def test_a_server_that_restarts() -> None:
    port = free_port()
    server = serve(echo, "127.0.0.1", port)
    for rounds, ws in enumerate(reconnect(f"ws://127.0.0.1:{port}/", backoff=FAST)):
        ws.send(str(rounds))
        assert ws.recv(PATIENCE) == str(rounds)
        server.close(1012)
        if rounds == 2:
            break
        server = serve(echo, "127.0.0.1", port)


def test_the_end_of_the_body_closes_and_comes_again() -> None:
    codes: list[int] = []

    def handler(ws: WebSocket) -> None:
        codes.append(ws.wait_closed(PATIENCE).code)

    with serve(handler, "127.0.0.1", 0) as server:
        for count, ws in enumerate(reconnect(url(server), backoff=FAST)):
            assert ws.state is State.OPEN
            if count == 2:
                break
        gc.collect()
        eventually(lambda: len(codes) == 3)
    assert codes == [1000, 1000, 1000]


def test_the_backoff_grows_and_starts_anew_with_a_connection() -> None:
    asked.clear()
    port = free_port()

    def start() -> Server:
        eventually(lambda: len(asked) >= 3)
        return serve(drain, "127.0.0.1", port)

    starting = run(start)
    for ws in reconnect(f"ws://127.0.0.1:{port}/", backoff=Counting(max_attempts=1_000_000)):
        assert ws.state is State.OPEN
        break
    assert asked[:3] == [0, 1, 2]
    starting.result(PATIENCE).close()


def test_max_attempts_count_anew_after_a_connection() -> None:
    asked.clear()
    port = free_port()
    server = serve(drain, "127.0.0.1", port)
    with pytest.raises(ConnectionRefused):  # noqa: PT012  # the loop is what raises
        for _ in reconnect(f"ws://127.0.0.1:{port}/", backoff=Counting(max_attempts=3)):
            server.close()
    assert asked == [0, 1, 2]  # before the first attempt, and between the three


def test_a_refusal_that_time_will_not_mend_is_raised() -> None:
    seen: list[int] = []

    def refuse(ws: WebSocket, request: Request) -> Response:
        seen.append(503 if len(seen) < 2 else 403)
        return Response(seen[-1])

    with (  # noqa: PT012  # the loop is what raises
        serve(drain, "127.0.0.1", 0, process_request=refuse) as server,
        pytest.raises(HandshakeRejected, match="403"),
    ):
        for _ in reconnect(url(server), backoff=FAST):
            pytest.fail("no connection was accepted")
    assert seen == [503, 503, 403]


def test_the_application_says_what_is_worth_another_attempt() -> None:
    def not_banned(error: BaseException) -> bool:
        return not (isinstance(error, ConnectionClosed) and error.report.code == 4001)

    with (  # noqa: PT012  # the loop is what raises
        serve(lambda ws: ws.close(4001, "banned"), "127.0.0.1", 0) as server,
        pytest.raises(ConnectionClosed, match="banned"),
    ):
        for ws in reconnect(url(server), backoff=FAST, retry=not_banned):
            ws.wait_closed(PATIENCE)


def test_an_exception_of_the_body_is_the_bodys() -> None:
    with serve(drain, "127.0.0.1", 0) as server:
        with pytest.raises(KeyError):  # noqa: PT012  # the loop is what raises
            for _ in reconnect(url(server), backoff=FAST):
                raise KeyError
        gc.collect()


def test_a_broken_connection_comes_back() -> None:
    def vanish(raw: Raw) -> None:
        raw.frame()
        raw.reset()

    with raw_server(vanish) as port:
        for count, ws in enumerate(reconnect(f"ws://127.0.0.1:{port}/", backoff=FAST)):
            ws.send("x")
            assert ws.wait_closed(PATIENCE).code == 1006
            if count == 2:
                break


def test_options_are_checked_at_once() -> None:
    with pytest.raises(TypeError, match="max_size"):
        reconnect("ws://localhost/", max_size=1)
    with pytest.raises(ValueError, match="ws"):
        reconnect("localhost")
