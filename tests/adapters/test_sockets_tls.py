"""TLS both ways over blocking sockets, with a throw-away authority."""

from __future__ import annotations

import ssl

import pytest

from tests.adapters.kit import QUICK, Authority
from tests.adapters.sockets_kit import PATIENCE, Raw, echo, eventually, raw_server, run, send_all, tidy, url
from wsproto_core import ConnectionFailed, Limits
from wsproto_sockets import WebSocket, connect, serve

__all__ = ["tidy"]

pytestmark = pytest.mark.usefixtures("tidy")


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_echo_and_close_over_each_version(authority: Authority, version: ssl.TLSVersion) -> None:
    limits = Limits(message_size=3_000_000)
    context = authority.client(version=version)
    with serve(echo, "127.0.0.1", 0, ssl=authority.server(version=version), limits=limits) as server:
        with connect(url(server, secure=True), ssl=context, limits=limits) as ws:
            assert ws.transport is not None
            assert ws.transport.tls is not None
            assert ws.transport.tls.version() == version.name.replace("v1_", "v1.")
            for message in ("x", bytes(2_500_000)):
                ws.send(message)
                assert ws.recv(PATIENCE) == message
        assert ws.close_report is not None
        assert ws.close_report.clean


def test_sni_and_the_name_to_verify(authority: Authority) -> None:
    names: list[str | None] = []
    context = authority.server()
    context.sni_callback = lambda _socket, name, _context: names.append(name)
    with serve(echo, "127.0.0.1", 0, ssl=context) as server:
        with connect(f"wss://localhost:{server.port}/", ssl=authority.client()):
            pass
        with connect(url(server, secure=True), ssl=authority.client(), server_hostname="chat.example"):
            pass
        with pytest.raises(ConnectionFailed, match="certificate"):
            connect(url(server, secure=True), ssl=authority.client(), server_hostname="other.example")
    assert names == ["localhost", "chat.example", "other.example"]


def test_client_certificates(authority: Authority) -> None:
    subjects: list[object] = []

    def handler(ws: WebSocket) -> None:
        assert ws.transport is not None
        assert ws.transport.tls is not None
        subjects.append((ws.transport.tls.getpeercert() or {})["subjectAltName"])
        echo(ws)

    with serve(handler, "127.0.0.1", 0, ssl=authority.server(client_certificate=True)) as server:
        with connect(url(server, secure=True), ssl=authority.client(certificate=True)) as ws:
            ws.send("x")
            assert ws.recv(PATIENCE) == "x"
        with pytest.raises(ConnectionFailed):
            connect(url(server, secure=True), ssl=authority.client())
    assert subjects == [(("email", "client@example.org"),)]


def test_a_tls_handshake_that_never_comes_ends_with_the_timeouts(authority: Authority) -> None:
    with (
        serve(echo, "127.0.0.1", 0, ssl=authority.server(), timeouts=QUICK) as server,
        Raw.connect(server.port, handshake=False) as raw,
    ):
        assert raw.rest() == b""


def test_close_during_the_tls_handshake(authority: Authority) -> None:
    with (
        serve(echo, "127.0.0.1", 0, ssl=authority.server()) as server,
        Raw.connect(server.port, handshake=False) as raw,
    ):
        eventually(lambda: server.reception.everyone)
        server.close(grace_period=0.05)
        assert raw.rest() == b""


def test_a_server_that_hangs_up_during_the_tls_handshake(authority: Authority) -> None:
    with raw_server(lambda raw: raw.exactly(1), handshake=False) as port, pytest.raises(ConnectionFailed):
        connect(f"wss://127.0.0.1:{port}/", ssl=authority.client())


def test_backpressure_and_both_directions_at_once_over_tls(authority: Authority) -> None:
    limits = Limits(outbox_size=200_000, inbox_size=200_000)
    count = 60

    def both(ws: WebSocket) -> None:
        sending = run(send_all, ws, [bytes([number]) * 100_000 for number in range(count)])
        assert [ws.recv(PATIENCE) for _ in range(count)] == [bytes([number]) * 100_000 for number in range(count)]
        sending.result(PATIENCE)

    with (
        serve(both, "127.0.0.1", 0, ssl=authority.server(), limits=limits) as server,
        connect(url(server, secure=True), ssl=authority.client(), limits=limits) as ws,
    ):
        eventually(lambda: server.connections)
        (there,) = server.connections
        eventually(lambda: not there.can_send)
        both(ws)


def test_many_writers_over_tls_never_interleave(authority: Authority) -> None:
    with (
        serve(echo, "127.0.0.1", 0, ssl=authority.server()) as server,
        connect(url(server, secure=True), ssl=authority.client()) as ws,
    ):
        writing = [run(send_all, ws, [bytes([number]) * 150_000 for _ in range(8)]) for number in range(8)]
        got = [ws.recv(PATIENCE) for _ in range(64)]
        for work in writing:
            work.result(PATIENCE)
    assert sorted(got, key=str) == sorted((bytes([n]) * 150_000 for n in range(8) for _ in range(8)), key=str)
