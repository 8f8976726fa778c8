"""How connections end over blocking sockets when other threads are in the middle of something."""

from __future__ import annotations

import threading
import time

import pytest

from tests.adapters.kit import QUICK, frame
from tests.adapters.sockets_kit import PATIENCE, Raw, drain, eventually, raw_server, run, tidy, url
from wsproto_core import (
    ConnectionClosedError,
    ConnectionClosedOK,
    Initiator,
    Limits,
    Timeouts,
    Timer,
)
from wsproto_sockets import WebSocket, connect, serve

__all__ = ["tidy"]

pytestmark = pytest.mark.usefixtures("tidy")


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


# --- peers that behave badly ------------------------------------------------------------------------------------------


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
            eventually(lambda: any(not ws.engine.wants_read for ws in server.reception.everyone))
            before = time.process_time()
            released.wait(0.5)
            assert time.process_time() - before < 0.1
        released.set()
