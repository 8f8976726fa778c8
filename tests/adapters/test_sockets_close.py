"""How connections end over blocking sockets: from either side, from other threads, and with peers that behave badly."""

from __future__ import annotations

import logging
import threading
import time

import pytest

from tests.adapters.kit import CLOSE, QUICK, TEXT, Frame, close_frame, frame
from tests.adapters.sockets_kit import PATIENCE, Raw, drain, echo, eventually, raw_server, run, tidy, url
from wsproto_core import (
    ConnectionClosed,
    ConnectionClosedError,
    ConnectionClosedOK,
    Initiator,
    Limits,
    LocalProtocolError,
    State,
    Timeouts,
    Timer,
    Violation,
)
from wsproto_sockets import WebSocket, connect, serve

__all__ = ["tidy"]

pytestmark = pytest.mark.usefixtures("tidy")


@pytest.mark.parametrize("code", [1000, 1001, 1003, 1008, 1011, 1014, 3000, 4999])
def test_each_side_may_close_with_a_code_and_a_reason(code: int) -> None:
    def handler(ws: WebSocket) -> None:
        if ws.recv() == "you":
            ws.close(code, "tschüß")
        else:
            drain(ws)

    with serve(handler, "127.0.0.1", 0) as server:
        for who in ("you", "me"):
            with connect(url(server)) as ws:
                eventually(lambda: server.connections)
                (there,) = server.connections
                ws.send(who)
                if who == "me":
                    ws.close(code, "tschüß")
                for report in (ws.wait_closed(PATIENCE), there.wait_closed(PATIENCE)):
                    closer = (report is ws.close_report) == (who == "me")
                    assert (report.code, report.clean) == (code, True)
                    assert report.reason == ("" if closer else "tschüß")  # what the other side said
                    assert report.initiator is (Initiator.LOCAL if closer else Initiator.PEER)
                    assert report.ok == (code in (1000, 1001))
                with pytest.raises(ConnectionClosedOK if code in (1000, 1001) else ConnectionClosedError):
                    ws.recv()
                with pytest.raises(ConnectionClosed):
                    ws.send("too late")


def test_leaving_the_block_closes_with_1000_and_with_1011_after_an_exception() -> None:
    codes: list[int] = []

    def handler(ws: WebSocket) -> None:
        codes.append(ws.wait_closed(PATIENCE).code)

    with serve(handler, "127.0.0.1", 0) as server:
        with connect(url(server)):
            pass
        with pytest.raises(KeyError), connect(url(server)):
            raise KeyError
    assert codes == [1000, 1011]


@pytest.mark.parametrize("code", [0, 999, 1004, 1006, 1015, 2999, 5000])
def test_a_code_that_cannot_be_sent_changes_nothing(code: int) -> None:
    with serve(echo, "127.0.0.1", 0) as server, connect(url(server)) as ws:
        with pytest.raises(LocalProtocolError, match="code"):
            ws.close(code)
        with pytest.raises(LocalProtocolError, match="reason"):
            ws.close(1000, "x" * 124)
        assert ws.state is State.OPEN


def test_close_from_another_thread_interrupts_recv_and_ping() -> None:
    with serve(drain, "127.0.0.1", 0) as server:
        ws = connect(url(server))
        receiving, iterating, waiting = run(ws.recv), run(drain, ws), run(ws.wait_closed)
        closing = [run(ws.close) for _ in range(4)]
        for work in closing:
            work.result(PATIENCE)
        with pytest.raises(ConnectionClosedOK):
            receiving.result(PATIENCE)
        iterating.result(PATIENCE)
        waiting.result(PATIENCE)


def test_close_ends_recv_send_and_ping_although_the_peer_is_deaf() -> None:
    deaf = threading.Event()
    with raw_server(lambda raw: deaf.wait(PATIENCE)) as port:
        ws = connect(f"ws://127.0.0.1:{port}/", limits=Limits(outbox_size=100_000), timeouts=QUICK)

        def flood() -> None:
            while True:
                ws.send(bytes(50_000))

        waiting = [run(work) for work in (ws.recv, ws.ping, flood, flood)]
        eventually(lambda: not ws.can_send)
        ws.close()
        for work in waiting:
            with pytest.raises(ConnectionClosedError):
                work.result(PATIENCE)
        assert ws.close_report is not None
        assert ws.close_report.timer is Timer.CLOSING
        deaf.set()


def test_abort_from_another_thread() -> None:
    with serve(drain, "127.0.0.1", 0) as server:
        ws = connect(url(server))
        receiving = run(ws.recv)
        ws.abort()
        with pytest.raises(ConnectionClosedError):
            receiving.result(PATIENCE)
        report = ws.wait_closed(PATIENCE)
        assert (report.code, report.initiator) == (1006, Initiator.LOCAL)
        ws.abort()
        ws.close()


def test_both_sides_close_at_once() -> None:
    with serve(drain, "127.0.0.1", 0) as server:
        ws = connect(url(server))
        eventually(lambda: server.connections)
        (there,) = server.connections
        for work in (run(ws.close, 4001), run(there.close, 4002)):
            work.result(PATIENCE)
        assert ws.close_report is not None
        assert there.close_report is not None
        assert ws.close_report.clean
        assert there.close_report.clean


def test_what_was_sent_before_close_arrives() -> None:
    got: list[int] = []

    def handler(ws: WebSocket) -> None:
        for message in ws:
            got.append(len(message))  # noqa: PERF401  # others look while it grows

    with serve(handler, "127.0.0.1", 0) as server, connect(url(server), limits=Limits(outbox_size=1 << 26)) as ws:
        for _ in range(20):
            ws.send_nowait(bytes(900_000))
        ws.close()
        assert ws.close_report is not None
        assert ws.close_report.ok
    assert got == [900_000] * 20


def test_what_arrived_before_the_close_is_delivered() -> None:
    def handler(ws: WebSocket) -> None:
        for number in range(50):
            ws.send(str(number))

    with serve(handler, "127.0.0.1", 0) as server, connect(url(server)) as ws:
        eventually(lambda: ws.state is not State.OPEN)
        assert list(ws) == [str(number) for number in range(50)]


def test_the_peer_closes_while_we_send_a_large_message() -> None:
    def behave(raw: Raw) -> None:
        raw.frame()
        raw.send(close_frame(4000, mask=None))
        raw.close_code()

    with raw_server(behave) as port:
        ws = connect(f"ws://127.0.0.1:{port}/")
        with pytest.raises(ConnectionClosedError, match="4000"):  # noqa: PT012  # the loop is what raises
            while True:
                ws.send(bytes(10_000_000))
        assert ws.wait_closed(PATIENCE).received_code == 4000


def test_close_with_a_full_inbox_is_prompt() -> None:
    def flood(ws: WebSocket) -> None:
        while True:
            ws.send(bytes(10_000))

    with serve(flood, "127.0.0.1", 0) as server:
        ws = connect(url(server), limits=Limits(inbox_size=100_000), timeouts=Timeouts(closing_timeout=None))
        eventually(lambda: not ws.engine.wants_read)
        ws.close()  # without a closing timeout it could wait for ever
        assert ws.close_report is not None
        assert ws.close_report.clean
        assert len(ws.recv()) == 10_000  # what was there is still there


# --- peers that behave badly ------------------------------------------------------------------------------------------


def test_a_peer_that_never_answers_the_close() -> None:
    with raw_server(lambda raw: raw.rest()) as port:
        ws = connect(f"ws://127.0.0.1:{port}/", timeouts=QUICK)
        ws.close()
        report = ws.close_report
        assert report is not None
        assert (report.timer, report.initiator, report.sent_code) == (Timer.CLOSING, Initiator.LOCAL, 1000)
        assert (report.received_code, report.code, report.clean) == (None, 1006, False)


def test_a_peer_that_answers_the_close_but_never_ends_tcp() -> None:
    stays = threading.Event()

    def behave(raw: Raw) -> None:
        raw.close_code()
        raw.send(close_frame(mask=None))
        stays.wait(PATIENCE)

    with raw_server(behave) as port:
        ws = connect(f"ws://127.0.0.1:{port}/", timeouts=QUICK)
        ws.close()
        assert ws.close_report is not None
        assert ws.close_report.ok  # the closing handshake was complete
        stays.set()


def test_a_client_that_never_ends_tcp_is_cut_off_by_the_server() -> None:
    with serve(echo, "127.0.0.1", 0, timeouts=QUICK) as server, Raw.connect(server.port) as raw:
        raw.send(close_frame())
        assert raw.frame() == Frame(CLOSE, b"\x03\xe8")
        assert raw.rest() == b""  # the server ends its half at once (RFC 6455 §7.1.1)
        eventually(lambda: not server._reception.everyone)


@pytest.mark.parametrize("ending", ["reset", "eof", "eof in a frame"])
def test_an_end_without_a_close_frame(ending: str) -> None:
    reports = []

    def handler(ws: WebSocket) -> None:
        assert ws.recv() == "first"
        with pytest.raises(ConnectionClosedError):
            ws.recv()
        reports.append(ws.wait_closed())

    with serve(handler, "127.0.0.1", 0) as server, Raw.connect(server.port) as raw:
        raw.send(frame(TEXT, b"first"))
        eventually(lambda: server.connections and next(iter(server.connections)).statistics.messages_received)
        if ending == "reset":
            raw.reset()
        else:
            raw.send(b"\x81" if "frame" in ending else b"")
            raw.socket.shutdown(1)
            raw.rest()
        eventually(lambda: reports)
    assert (reports[0].code, reports[0].initiator) == (1006, Initiator.NETWORK)
    assert reports[0].received_code is None
    assert isinstance(reports[0].error, OSError) == (ending == "reset")


def test_a_client_whose_server_vanishes() -> None:
    def vanish(raw: Raw) -> None:
        raw.frame()
        raw.reset()

    with raw_server(vanish) as port:
        ws = connect(f"ws://127.0.0.1:{port}/")
        ws.send("x")
        with pytest.raises(ConnectionClosedError, match="1006"):
            ws.recv(PATIENCE)
        with pytest.raises(ConnectionClosedError):
            ws.send("y")
        with pytest.raises(ConnectionClosedError):
            ws.ping()
        ws.close()


def test_a_silent_peer_ends_with_the_pong_timer() -> None:
    with raw_server(lambda raw: raw.rest()) as port:
        ws = connect(f"ws://127.0.0.1:{port}/", timeouts=Timeouts(ping_interval=0.05, pong_timeout=0.05))
        with pytest.raises(ConnectionClosedError, match="pong timer"):
            ws.recv(PATIENCE)
        report = ws.wait_closed(PATIENCE)
        assert (report.timer, report.initiator) == (Timer.PONG, Initiator.LOCAL)


def test_an_idle_connection_is_closed_with_1001() -> None:
    with serve(echo, "127.0.0.1", 0, timeouts=Timeouts(idle_timeout=0.1)) as server:
        ws = connect(url(server))
        with pytest.raises(ConnectionClosedOK, match="1001"):
            ws.recv(PATIENCE)
        ws.wait_closed(PATIENCE)


def test_an_offence_by_the_server() -> None:
    def offend(raw: Raw) -> None:
        raw.send(frame(TEXT, b"masked"))
        assert raw.close_code() == 1002

    with raw_server(offend) as port:
        ws = connect(f"ws://127.0.0.1:{port}/")
        with pytest.raises(ConnectionClosedError, match="must not mask"):
            ws.recv(PATIENCE)
        assert ws.wait_closed(PATIENCE).violation is Violation.MASKED_FRAME


def test_a_connection_that_waits_costs_no_time() -> None:
    """Also with an inbox that is full, a peer that does not read, and one that has ended its half."""
    limits = Limits(inbox_size=10_000, outbox_size=10_000)
    released = threading.Event()

    def handler(ws: WebSocket) -> None:
        ws.send_nowait(bytes(20_000_000))
        released.wait(PATIENCE)

    timeouts = Timeouts(closing_timeout=PATIENCE)
    with serve(handler, "127.0.0.1", 0, limits=limits, timeouts=timeouts) as server:
        with Raw.connect(server.port) as raw, Raw.connect(server.port) as half:
            raw.send(frame(2, bytes(60_000)) * 10)
            half.socket.shutdown(1)
            eventually(lambda: any(not ws.engine.wants_read for ws in server._reception.everyone))
            before = time.process_time()
            released.wait(0.5)
            assert time.process_time() - before < 0.1
        released.set()


# --- handlers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["error", "another's end", "own end", "after the end"])
def test_a_handler_that_raises(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    """1011 and one line with a traceback, unless all that the exception says is that this connection is over."""
    with serve(echo, "127.0.0.1", 0) as other:

        def handler(ws: WebSocket) -> None:
            match kind:
                case "error":
                    raise KeyError("boom")
                case "own end":
                    ws.recv()
                case "after the end":
                    ws.close(4000)
                    ws.send("x")
                case _:
                    elsewhere = connect(url(other))
                    elsewhere.close(4000)
                    elsewhere.recv()

        with serve(handler, "127.0.0.1", 0) as server:
            ws = connect(url(server))
            if kind == "own end":
                ws.close(4000)
            report = ws.wait_closed(PATIENCE)
            assert report.code == (1011 if kind in ("error", "another's end") else 4000)
            assert report.reason == ""
    lines = [record for record in caplog.records if record.levelno > logging.DEBUG]
    if kind in ("own end", "after the end"):
        assert lines == []
    else:
        (line,) = lines
        assert line.levelno == logging.ERROR
        assert line.exc_info is not None
        assert line.name == "wsproto_sockets"


def test_a_handler_that_returns_closes_with_1000() -> None:
    with serve(lambda ws: ws.send("bye"), "127.0.0.1", 0) as server, connect(url(server)) as ws:
        assert list(ws) == ["bye"]
        assert ws.wait_closed(PATIENCE).code == 1000


def test_a_handler_may_go_on_after_the_end() -> None:
    done = threading.Event()

    def handler(ws: WebSocket) -> None:
        ws.wait_closed()
        done.set()

    with serve(handler, "127.0.0.1", 0) as server:
        with connect(url(server)):
            pass
        assert done.wait(PATIENCE)
