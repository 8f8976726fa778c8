"""``connect_tcp`` and ``serve_tcp``: one set of tests for every adapter. Far ends are bare sockets where it matters."""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.adapters.kit import close_frame, frame
from tests.adapters.peers_kit import (
    PACKAGES,
    connecting,
    echo,
    free_port,
    log_lines,
    missed_by,
    on_every_stage,
    pair,
    proxy,
    receive_exactly,
    serving,
)
from tests.adapters.stages.base import Stage
from wsproto_core import (
    CloseReport,
    ConnectionClosed,
    ConnectionClosedError,
    ConnectionClosedOK,
    ConnectionFailed,
    ConnectionRefused,
    ConnectionTimeout,
    Delimited,
    Frames,
    Initiator,
    LengthPrefixed,
    Limits,
    LocalProtocolError,
    Message,
    Netstring,
    Peer,
    PerMessageDeflate,
    State,
    TcpCodec,
    Timeouts,
    Timer,
    VarintPrefixed,
    Violation,
)
from wsproto_core.testing import Ability, RawStream

#: More than the system's buffers take for a peer that does not read.
FLOOD = 1000
MESSAGE = bytes(10_000)


def prefixed(*messages: bytes) -> bytes:
    """Messages as the default codec tells them."""
    return b"".join(len(message).to_bytes(4, "big") + message for message in messages)


@dataclass
class Visits:
    """A handler that reads to the end, and what it has seen."""

    messages: list[Message] = field(default_factory=list)
    reports: list[CloseReport] = field(default_factory=list)

    async def __call__(self, peer: Peer) -> None:
        try:
            async for message in peer:
                self.messages.append(message)
        except ConnectionClosedError:
            pass
        self.reports.append(await peer.wait_closed())

    async def report(self, stage: Stage) -> CloseReport:
        """How the first connection ended."""
        await stage.until(lambda: self.reports)
        return self.reports[0]


async def rest_of(stream: RawStream) -> bytes:
    """Everything up to the end, be it orderly or not."""
    data = b""
    try:
        while piece := await stream.receive():
            data += piece
    except OSError:
        pass
    return data


def told(report: CloseReport | None) -> tuple[Any, ...]:
    """All of a report that does not depend on the clock."""
    assert report is not None
    return report.initiator, report.code, report.reason, report.sent_code, report.received_code


# --- messages in bytes ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("codec", "wire"),
    [
        (LengthPrefixed(), prefixed(b"one", b"", b"three")),
        (VarintPrefixed(), b"\x03one\x00\x05three"),
        (Netstring(), b"3:one,0:,5:three,"),
        (Delimited(), b"one\n\nthree\n"),
        (Frames(masked=True), frame(2, b"one") + frame(2) + frame(2, b"thr", fin=False) + frame(0, b"ee")),
    ],
    ids=["length", "varint", "netstring", "delimited", "frames"],
)
@on_every_stage()
async def test_bytes_that_dribble_in_are_the_same_messages(stage: Stage, codec: TcpCodec, wire: bytes) -> None:
    visits = Visits()
    async with serving(stage, "serve_tcp", visits, codec=codec) as server:
        far = await stage.dial(server.port)
        for number in range(len(wire)):
            await far.send(wire[number : number + 1])
            await stage.sleep(0)
        await far.send(close_frame() if isinstance(codec, Frames) else b"")
        far.end()
        assert (await visits.report(stage)).ok
        far.close()
    assert visits.messages == [b"one", b"", b"three"]


@on_every_stage()
async def test_a_large_message(stage: Stage) -> None:
    large = bytes(range(256)) * 4000
    async with (
        serving(stage, "serve_tcp", echo) as server,
        connecting(stage, "connect_tcp", "127.0.0.1", server.port) as peer,
    ):
        await peer.send(large)
        assert await peer.recv() == large


@on_every_stage()
async def test_frames_compress_and_come_in_fragments(stage: Stage) -> None:
    codec = Frames(extensions=(PerMessageDeflate(),), fragment_size=100)
    text = "the same words again. " * 5000
    async with (
        serving(stage, "serve_tcp", echo, codec=codec) as server,
        connecting(stage, "connect_tcp", "127.0.0.1", server.port, codec) as peer,
    ):
        await peer.send(text)
        assert await peer.recv() == text
        assert peer.statistics.bytes_sent < len(text) / 10


# --- what far ends do wrong -------------------------------------------------------------------------------------------


@on_every_stage()
async def test_a_length_that_is_too_large_is_refused_before_a_byte_of_the_message_has_come(stage: Stage) -> None:
    visits = Visits()
    limits = Limits(message_size=1000)
    async with serving(stage, "serve_tcp", visits, codec=LengthPrefixed(8), limits=limits) as server:
        far = await stage.dial(server.port)
        await far.send((1 << 62).to_bytes(8, "big"))
        assert await rest_of(far) == b""
        far.close()
        report = await visits.report(stage)
    assert report.violation is Violation.MESSAGE_TOO_BIG
    assert (report.initiator, report.code) == (Initiator.LOCAL, 1009)


@on_every_stage()
async def test_with_frames_the_far_end_is_told_1009(stage: Stage) -> None:
    visits = Visits()
    async with serving(stage, "serve_tcp", visits, codec=Frames(), limits=Limits(message_size=1000)) as server:
        far = await stage.dial(server.port)
        await far.send(b"\x82\x7f" + (1 << 62).to_bytes(8, "big"))
        said = await rest_of(far)
        far.close()
        report = await visits.report(stage)
    assert said[:4] == b"\x88" + bytes([len(said) - 2]) + (1009).to_bytes(2, "big")
    assert (report.violation, report.sent_code) == (Violation.MESSAGE_TOO_BIG, 1009)


@on_every_stage()
async def test_text_that_is_not_utf_8(stage: Stage) -> None:
    visits = Visits()
    async with serving(stage, "serve_tcp", visits, codec=LengthPrefixed(text=True)) as server:
        far = await stage.dial(server.port)
        await far.send(prefixed(b"good") + prefixed(b"b\xffd"))
        await rest_of(far)
        far.close()
        report = await visits.report(stage)
    assert visits.messages == ["good"]
    assert (report.violation, report.code) == (Violation.INVALID_UTF8, 1007)


@pytest.mark.parametrize("is_secure", [False, True], ids=["plain", "tls"])
@on_every_stage()
async def test_a_stream_that_ends_within_a_message(stage: Stage, is_secure: bool) -> None:
    visits = Visits()
    async with serving(stage, "serve_tcp", visits, ssl=stage.server_tls if is_secure else None) as server:
        far = await stage.dial(server.port, tls=stage.client_tls if is_secure else None)
        await far.send(prefixed(b"whole") + prefixed(b"cut off")[:6])
        await stage.until(lambda: visits.messages)
        far.end()
        report = await visits.report(stage)
        far.close()
    assert visits.messages == [b"whole"]
    assert (report.violation, report.initiator) == (Violation.TRUNCATED_MESSAGE, Initiator.NETWORK)
    assert report.code == 1006
    assert not report.ok


@on_every_stage()
async def test_a_far_end_that_breaks_the_connection(stage: Stage) -> None:
    visits = Visits()
    async with serving(stage, "serve_tcp", visits) as server:
        far = await stage.dial(server.port)
        await far.send(prefixed(b"hello"))
        await stage.until(lambda: visits.messages)
        far.reset()
        report = await visits.report(stage)
    assert (report.initiator, report.code, report.violation) == (Initiator.NETWORK, 1006, None)
    assert isinstance(report.error, ConnectionError)


# --- pressure ---------------------------------------------------------------------------------------------------------


@on_every_stage()
async def test_a_peer_that_does_not_read_makes_the_sender_wait(stage: Stage) -> None:
    sent = 0

    async def handler(peer: Peer) -> None:
        nonlocal sent
        for _ in range(FLOOD):
            await peer.send(MESSAGE)
            sent += 1

    async with serving(stage, "serve_tcp", handler, limits=Limits(outbox_size=50_000)) as server:
        far = await stage.dial(server.port)
        await stage.until(lambda: server.connections and not any(peer.can_send for peer in server.connections))
        assert sent < FLOOD
        assert len(await receive_exactly(far, FLOOD * (len(MESSAGE) + 4))) == FLOOD * (len(MESSAGE) + 4)
        assert await rest_of(far) == b""
        assert sent == FLOOD
        far.close()


@on_every_stage()
async def test_a_handler_that_does_not_read_makes_the_far_end_wait(stage: Stage) -> None:
    visits = Visits()
    reading = stage.event()

    async def handler(peer: Peer) -> None:
        await reading.wait()
        await visits(peer)

    async def flood(stream: RawStream) -> None:
        for _ in range(FLOOD):
            await stream.send(prefixed(MESSAGE))
        stream.end()

    async with serving(stage, "serve_tcp", handler, limits=Limits(inbox_size=50_000)) as server:
        far = await stage.dial(server.port)
        flooding = stage.spawn(flood, far)
        await stage.until(lambda: any(peer.statistics.messages_received > 4 for peer in server.connections))
        await stage.sleep(10 * stage.second)
        assert not flooding.is_done
        assert [peer.statistics.bytes_received < 1_000_000 for peer in server.connections] == [True]
        reading.set()
        await flooding.outcome()
        assert (await visits.report(stage)).ok
        assert visits.messages == [MESSAGE] * FLOOD
        far.close()


# --- time -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("codec", "heard"), [(LengthPrefixed(), (1005, "")), (Frames(), (1001, "idle"))], ids=["codec", "frames"]
)
@on_every_stage()
async def test_nobody_says_anything_for_too_long(stage: Stage, codec: TcpCodec, heard: tuple[int, str]) -> None:
    server = {"codec": codec, "timeouts": Timeouts(idle_timeout=20 * stage.second)}
    async with pair(stage, "tcp", server=server, client={"codec": codec}) as ends:
        with pytest.raises(ConnectionClosedOK) as closed:
            await ends.client.recv()
        report = await ends.server.wait_closed()
    assert (closed.value.report.code, closed.value.report.reason) == heard
    assert (report.initiator, report.code, report.timer) == (Initiator.LOCAL, 1001, Timer.IDLE)


@on_every_stage()
async def test_a_far_end_that_does_not_answer_pings(stage: Stage) -> None:
    visits = Visits()
    timeouts = Timeouts(ping_interval=10 * stage.second, pong_timeout=10 * stage.second, closing_timeout=stage.second)
    async with serving(stage, "serve_tcp", visits, codec=Frames(), timeouts=timeouts) as server:
        far = await stage.dial(server.port)
        assert (await far.receive())[:1] == b"\x89"
        report = await visits.report(stage)
        far.close()
    assert (report.code, report.timer) == (1006, Timer.PONG)


@on_every_stage()
async def test_a_far_end_that_never_ends_its_side(stage: Stage) -> None:
    leave = stage.event()

    async def behave(_: RawStream) -> None:
        await leave.wait()

    async with stage.listen(behave) as port:
        timeouts = Timeouts(closing_timeout=20 * stage.second)
        async with connecting(stage, "connect_tcp", "127.0.0.1", port, timeouts=timeouts) as peer:
            await peer.close()
            assert peer.close_report.timer is Timer.CLOSING
            assert told(peer.close_report) == (Initiator.LOCAL, 1006, "", 1005, None)
        leave.set()


# --- half-close -------------------------------------------------------------------------------------------------------


@on_every_stage(Ability.HALF_CLOSE)
async def test_who_has_ended_its_side_still_gets_its_answer(stage: Stage) -> None:
    async with serving(stage, "serve_tcp", echo) as server:
        far = await stage.dial(server.port)
        await far.send(prefixed(b"question"))
        far.end()
        assert await rest_of(far) == prefixed(b"question")
        far.close()


@on_every_stage(Ability.HALF_CLOSE)
async def test_what_comes_after_close_can_be_received(stage: Stage) -> None:
    async def behave(stream: RawStream) -> None:
        assert await rest_of(stream) == prefixed(b"last")
        await stream.send(prefixed(b"late"))

    async with (
        stage.listen(behave) as port,
        connecting(stage, "connect_tcp", "127.0.0.1", port) as peer,
    ):
        await peer.send(b"last")
        await peer.close(1000, "enough")
        assert await peer.recv() == b"late"
        with pytest.raises(ConnectionClosedOK) as closed:
            await peer.recv()
    assert told(closed.value.report) == (Initiator.LOCAL, 1000, "enough", 1005, 1005)


# --- reports ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("codec", "here", "there"),
    [
        (LengthPrefixed(), (4001, "bye", 1005, 1005), (1005, "", 1005, 1005)),
        (Frames(), (4001, "", 4001, 4001), (4001, "bye", 4001, 4001)),
    ],
    ids=["codec", "frames"],
)
@pytest.mark.parametrize("closer", ["client", "server"])
@on_every_stage()
async def test_both_sides_tell_the_same_story(
    stage: Stage, closer: str, codec: TcpCodec, here: tuple[Any, ...], there: tuple[Any, ...]
) -> None:
    async with pair(stage, "tcp", server={"codec": codec}, client={"codec": codec}) as ends:
        closing, other = (ends.client, ends.server) if closer == "client" else (ends.server, ends.client)
        await closing.close(4001, "bye")
        assert told(await closing.wait_closed()) == (Initiator.LOCAL, *here)
        assert told(await other.wait_closed()) == (Initiator.PEER, *there)


@on_every_stage()
async def test_abort(stage: Stage) -> None:
    async with pair(stage, "tcp") as ends:
        ends.client.abort()
        with pytest.raises(ConnectionClosedError):
            await ends.client.recv()
        assert told(await ends.client.wait_closed()) == (Initiator.LOCAL, 1006, "", None, None)
        with pytest.raises(ConnectionClosed):
            await ends.server.recv()


# --- servers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("codec", "code"), [(LengthPrefixed(), 1005), (Frames(), 1013)], ids=["codec", "frames"])
@on_every_stage()
async def test_there_is_room_for_so_many(stage: Stage, codec: TcpCodec, code: int) -> None:
    async with serving(stage, "serve_tcp", echo, codec=codec, max_connections=1) as server:

        async def refusal() -> int | None:
            """The code with which another client is turned away."""
            async with connecting(stage, "connect_tcp", "127.0.0.1", server.port, codec) as peer:
                try:
                    peer.send_nowait("let me in")
                    await peer.recv()
                except ConnectionClosed as closed:
                    return closed.report.code
                return None

        async with connecting(stage, "connect_tcp", "127.0.0.1", server.port, codec) as first:
            await first.send("in")
            await first.recv()
            assert await refusal() == code
            assert len(server.connections) == 1
        while await refusal() is not None:  # until the first has left altogether
            await stage.sleep(0)


@on_every_stage()
async def test_a_server_that_closes_says_so(stage: Stage) -> None:
    async with serving(stage, "serve_tcp", echo, codec=Frames()) as server:
        async with connecting(stage, "connect_tcp", "127.0.0.1", server.port, Frames()) as peer:
            await peer.send("in")
            await peer.recv()
            closing = stage.spawn(server.close, 1012, "restart")
            with pytest.raises(ConnectionClosedError, match="1012"):
                await peer.recv()
            await closing.outcome()
        assert not server.connections


@on_every_stage()
async def test_the_grace_period_is_bounded(stage: Stage) -> None:
    async with serving(stage, "serve_tcp", echo) as server:
        far = await stage.dial(server.port)
        await stage.until(lambda: server.connections)
        (peer,) = server.connections
        await server.close(grace_period=5 * stage.second)
        assert told(peer.close_report) == (Initiator.LOCAL, 1006, "", 1005, None)
        assert await rest_of(far) == b""
        far.close()


@on_every_stage(Ability.CANCEL)
async def test_handlers_are_cancelled_after_the_grace_period(stage: Stage) -> None:
    ended = []

    async def handler(_: Peer) -> None:
        try:
            await stage.event().wait()
        finally:
            ended.append(True)

    async with serving(stage, "serve_tcp", handler) as server:
        far = await stage.dial(server.port)
        await stage.until(lambda: server.connections)
        await server.close(grace_period=0)
        assert ended == [True]
        far.close()


@pytest.mark.parametrize(("codec", "code"), [(LengthPrefixed(), 1005), (Frames(), 1011)], ids=["codec", "frames"])
@on_every_stage()
async def test_a_handler_that_raises(
    stage: Stage, codec: TcpCodec, code: int, caplog: pytest.LogCaptureFixture
) -> None:
    reports = []

    async def handler(peer: Peer) -> None:
        reports.append(peer)
        raise ValueError("a fault of the application's")

    async with (
        serving(stage, "serve_tcp", handler, codec=codec) as server,
        connecting(stage, "connect_tcp", "127.0.0.1", server.port, codec) as peer,
    ):
        with pytest.raises(ConnectionClosed) as closed:
            await peer.recv()
        assert closed.value.report.code == code
        assert (await reports[0].wait_closed()).code == 1011
        (line,) = log_lines(caplog)
        assert line.endswith("the handler raised")


@on_every_stage()
async def test_a_handler_that_fails_because_its_peer_has_left_is_no_news(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    ended = []

    async def handler(peer: Peer) -> None:
        try:
            while True:
                await peer.recv()
        finally:
            ended.append(True)

    async with serving(stage, "serve_tcp", handler) as server:
        async with connecting(stage, "connect_tcp", "127.0.0.1", server.port) as peer:
            await peer.send("hello")
        await stage.until(lambda: ended)
    assert log_lines(caplog) == []


@on_every_stage()
async def test_broadcast(stage: Stage) -> None:
    async with serving(stage, "serve_tcp", echo) as server:

        def another() -> Any:
            return connecting(stage, "connect_tcp", "127.0.0.1", server.port)

        async with another() as one, another() as two, another() as three:
            await stage.until(lambda: len(server.connections) == 3)
            assert missed_by(stage, server, "news") == []
            assert [await peer.recv() for peer in (one, two, three)] == [b"news"] * 3


@on_every_stage()
async def test_several_sockets_and_a_connected_one(stage: Stage) -> None:
    listening = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    ports = [sock.getsockname()[1] for sock in listening]
    async with serving(stage, "serve_tcp", echo, sock=listening):
        for port in ports:
            sock = socket.create_connection(("127.0.0.1", port))
            sock.setblocking(False)
            async with connecting(stage, "connect_tcp", sock=sock) as peer:
                await peer.send(b"hello")
                assert await peer.recv() == b"hello"


# --- clients ----------------------------------------------------------------------------------------------------------


@on_every_stage()
async def test_nobody_listens(stage: Stage, tmp_path: Path) -> None:
    with pytest.raises(ConnectionRefused):
        async with connecting(stage, "connect_tcp", "127.0.0.1", free_port()):
            pass
    with pytest.raises(ConnectionFailed):
        async with connecting(stage, "connect_tcp", unix_path=tmp_path / "nobody"):
            pass


@on_every_stage()
async def test_a_server_that_does_not_begin_tls(stage: Stage) -> None:
    ends = []

    async def behave(stream: RawStream) -> None:
        ends.append(await rest_of(stream))

    async with stage.listen(behave) as port:
        options = {"ssl": stage.client_tls, "timeouts": Timeouts(opening_timeout=20 * stage.second)}
        with pytest.raises(ConnectionTimeout):
            async with connecting(stage, "connect_tcp", "127.0.0.1", port, **options):
                pass
        await stage.until(lambda: ends)  # nothing is left open


@on_every_stage(Ability.CANCEL)
async def test_connecting_is_cancelled(stage: Stage) -> None:
    ends = []

    async def behave(stream: RawStream) -> None:
        ends.append(await rest_of(stream))

    async with stage.listen(behave) as port:

        async def connect() -> bool:
            async with connecting(stage, "connect_tcp", "127.0.0.1", port, ssl=stage.client_tls):
                return True

        assert await stage.move_on_after(10 * stage.second, connect) is None
        await stage.until(lambda: ends)


@on_every_stage(Ability.CANCEL)
async def test_a_cancelled_recv_loses_nothing(stage: Stage) -> None:
    async with pair(stage, "tcp") as ends:
        for number in range(5):
            assert await stage.move_on_after(stage.second, ends.client.recv) is None
            await ends.server.send(str(number))
            assert await ends.client.recv() == str(number).encode()


@on_every_stage()
async def test_a_certificate_that_nobody_has_signed(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    visits = Visits()
    async with serving(stage, "serve_tcp", visits, ssl=stage.server_tls) as server:
        for options in (
            {"ssl": ssl.create_default_context()},
            {"ssl": stage.client_tls, "server_hostname": "other.example"},
        ):
            with pytest.raises(ConnectionFailed, match="certificate"):
                async with connecting(stage, "connect_tcp", "127.0.0.1", server.port, **options):
                    pass
        assert not server.connections
    assert visits.reports == []
    assert log_lines(caplog) == []


@on_every_stage()
async def test_tls_to_another_name(stage: Stage) -> None:
    options = {"ssl": stage.client_tls, "server_hostname": "localhost"}
    async with (
        serving(stage, "serve_tcp", echo, ssl=stage.server_tls) as server,
        connecting(stage, "connect_tcp", "127.0.0.1", server.port, **options) as peer,
    ):
        await peer.send(b"hello")
        assert await peer.recv() == b"hello"


@pytest.mark.parametrize("scheme", ["http", "socks5"])
@pytest.mark.parametrize("is_secure", [False, True], ids=["plain", "tls"])
@on_every_stage()
async def test_through_a_proxy(stage: Stage, scheme: str, is_secure: bool) -> None:
    server_tls, client_tls = (stage.server_tls, stage.client_tls) if is_secure else (None, None)
    async with serving(stage, "serve_tcp", echo, ssl=server_tls) as server, proxy(stage, server.port) as where:
        options = {"proxy": f"{scheme}://127.0.0.1:{where}", "ssl": client_tls}
        async with connecting(stage, "connect_tcp", "127.0.0.1", 1, **options) as peer:
            await peer.send(b"hello")
            assert await peer.recv() == b"hello"


# --- options that cannot work -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({}, ValueError, "host and port"),
        ({"host": "localhost"}, TypeError, "port"),
        ({"port": 1}, TypeError, "host"),
        ({"host": "", "port": 1}, ValueError, "host"),
        ({"host": "a b", "port": 1}, ValueError, "host"),
        ({"host": "localhost", "port": 0}, ValueError, "port"),
        ({"host": "localhost", "port": 65536}, ValueError, "port"),
        ({"host": "localhost", "port": 1, "unix_path": "/x"}, ValueError, "unix_path"),
        ({"host": "localhost", "port": 1, "codec": "lines"}, TypeError, "codec"),
        ({"host": "localhost", "port": 1, "server_hostname": "x"}, ValueError, "server_hostname"),
        ({"host": "localhost", "port": 1, "proxy": "ftp://x"}, ValueError, "proxy"),
        ({"host": "localhost", "port": 1, "codec": Frames(fragment_size=0)}, ValueError, "fragment_size"),
        ({"host": "localhost", "port": 1, "uri": "tcp://x"}, TypeError, "uri"),
    ],
)
@pytest.mark.parametrize("kind", ["asyncio", "trio", "anyio on trio", "sockets"])
def test_options_of_connect_tcp(kind: str, options: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        PACKAGES[kind].connect_tcp(**options)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({}, ValueError, "port"),
        ({"port": 0, "unix_path": "/x"}, ValueError, "port"),
        ({"port": 0, "codec": "lines"}, TypeError, "codec"),
        ({"port": 0, "max_connections": 0}, ValueError, "max_connections"),
        ({"port": 0, "handler": None}, TypeError, "handler"),
        ({"port": 0, "handler": dict}, TypeError, "handler"),
        ({"port": 0, "origins": None}, TypeError, "origins"),
        ({"unix_path": "/x", "reuse_port": True}, ValueError, "reuse_port"),
        ({"sock": []}, ValueError, "sock"),
    ],
)
@pytest.mark.parametrize("kind", ["asyncio", "trio", "anyio on trio", "sockets"])
def test_options_of_serve_tcp(kind: str, options: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        PACKAGES[kind].serve_tcp(**{"handler": print if kind == "sockets" else echo, **options})


@on_every_stage()
async def test_a_codec_knows_no_pings(stage: Stage) -> None:
    async with pair(stage, "tcp") as ends:
        with pytest.raises(LocalProtocolError, match="LengthPrefixed knows no pings"):
            await ends.client.ping()
        assert ends.client.state is State.OPEN
