"""``connect_udp`` and ``serve_udp``: one set of tests for every adapter. Far ends are bare sockets where it matters."""

from __future__ import annotations

import os
import socket
import sys
from typing import Any

import pytest

from tests.adapters.peers_kit import (
    PACKAGES,
    FarSocket,
    connecting,
    echo,
    far_socket,
    free_port,
    frozen,
    log_lines,
    missed_by,
    on_every_stage,
    pair,
    serving,
)
from tests.adapters.stages.base import Stage
from wsproto_core import (
    ConnectionClosed,
    ConnectionClosedError,
    ConnectionClosedOK,
    ConnectionRefused,
    ConnectionTimeout,
    DatagramCodec,
    Drop,
    Initiator,
    Limits,
    LocalProtocolError,
    Message,
    Peer,
    State,
    Timeouts,
    Timer,
)
from wsproto_core.testing import Ability

#: A datagram is a message, and nobody proves anything.
BARE = DatagramCodec(header=False, verify=False)
UNVERIFIED = DatagramCodec(verify=False)
TOKEN = bytes(16)

# Datagrams with a header, written down a second time.
MESSAGE, ECHO, PING, PONG, HELLO, COOKIE, WELCOME, GOODBYE = range(0x10, 0x18)


def datagram(kind: int, body: bytes = b"", *, sequence: int = 0) -> bytes:
    return bytes([kind]) + sequence.to_bytes(4, "big") + bytes(4) + body


def at(server: Any) -> tuple[str, int]:
    return "127.0.0.1", server.port


# --- demultiplexing ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("codec", [DatagramCodec(), UNVERIFIED, BARE], ids=["verified", "unverified", "bare"])
@on_every_stage()
async def test_many_clients_of_one_socket(stage: Stage, codec: DatagramCodec) -> None:
    async with serving(stage, "serve_udp", echo, codec=codec) as server:

        async def talk(name: str) -> list[Message]:
            async with connecting(stage, "connect_udp", *at(server), codec) as peer:
                answers = []
                for number in range(5):
                    await peer.send(f"{name} {number}")
                    answers.append(await peer.recv())
                return answers

        talking = [(name, stage.spawn(talk, name)) for name in "abcdefghij"]
        for name, task in talking:
            assert await task.outcome() == [f"{name} {number}".encode() for number in range(5)]


@on_every_stage()
async def test_a_server_counts_its_peers_and_forgets_those_that_leave(stage: Stage) -> None:
    async with serving(stage, "serve_udp", echo) as server:
        async with connecting(stage, "connect_udp", *at(server)) as one:
            await stage.until(lambda: len(server.connections) == 1)
            (there,) = server.connections
            assert (there.remote_address, there.local_address) == (one.local_address, one.remote_address)
        await stage.until(lambda: not server.connections)
        assert there.close_report is not None
        assert (there.close_report.initiator, there.close_report.code) == (Initiator.PEER, 1000)


# --- strangers --------------------------------------------------------------------------------------------------------


@on_every_stage()
async def test_for_a_stranger_nothing_is_kept_and_no_answer_is_larger_than_the_question(stage: Stage) -> None:
    questions = [
        b"",
        b"x",
        b"\xff" + os.urandom(499),  # of no known kind
        datagram(MESSAGE, b"short"),
        datagram(PING, b"ping"),
        datagram(PONG, b"pong"),
        datagram(COOKIE, TOKEN),
        datagram(WELCOME, TOKEN),
        datagram(GOODBYE, TOKEN),
        datagram(HELLO, b"too short"),
        datagram(HELLO, os.urandom(16)),
        datagram(MESSAGE, bytes(16)),
        datagram(MESSAGE, bytes(1000)),
    ]
    async with serving(stage, "serve_udp", echo) as server:
        for question in questions:
            with far_socket(stage) as far:
                far.send(question, server.port)
                far.send(datagram(HELLO, TOKEN), server.port)  # this one is answered, behind the other
                answers = [(await far.receive())[0]]
                if len(question) >= 25 and question[0] in (HELLO, MESSAGE):
                    answers.append((await far.receive())[0])
                assert [answer[0] for answer in answers] == [COOKIE] * len(answers)
                assert sum(map(len, answers)) <= len(question) + 25
                assert far.at_hand() == []
            assert not server.connections


@on_every_stage()
async def test_who_brings_its_cookie_back_gets_in(stage: Stage) -> None:
    async with serving(stage, "serve_udp", echo) as server:
        with far_socket(stage) as far:
            cookie = await shake_hands(far, server.port)
            with far_socket(stage) as thief:  # it is good for one address
                thief.send(datagram(HELLO, cookie), server.port)
                assert (await thief.receive())[0][0] == COOKIE
            assert len(server.connections) == 1


@on_every_stage()
async def test_what_anybody_can_send_hurts_nobody(stage: Stage) -> None:
    async with serving(stage, "serve_udp", echo) as server:
        with far_socket(stage) as far, far_socket(stage) as stranger:
            await shake_hands(far, server.port)
            for nonsense in (b"", b"\x00", b"\xff" * 100, datagram(GOODBYE, TOKEN), datagram(GOODBYE, b"short")):
                far.send(nonsense, server.port)
                stranger.send(nonsense, server.port)
            far.send(datagram(MESSAGE, b"hello"), server.port)
            assert (await far.receive())[0].endswith(b"hello")
            (peer,) = server.connections
            assert peer.state is State.OPEN
            assert peer.statistics.messages_received == 1


async def shake_hands(far: FarSocket, port: int) -> bytes:
    """Become a peer; return the cookie."""
    far.send(datagram(HELLO, TOKEN), port)
    cookie = (await far.receive())[0][9:]
    far.send(datagram(HELLO, cookie), port)
    assert (await far.receive())[0][0] == WELCOME
    return cookie


@on_every_stage()
async def test_a_client_listens_to_its_server_only(stage: Stage) -> None:
    async with pair(stage, "udp", server={"codec": UNVERIFIED}, client={"codec": UNVERIFIED}) as ends:
        with far_socket(stage) as stranger:
            for forged in (datagram(MESSAGE, b"forged"), datagram(GOODBYE, TOKEN)):
                stranger.send(forged, ends.client.local_address[1])
        await ends.server.send("true")
        assert await ends.client.recv() == b"true"


@on_every_stage()
async def test_there_is_room_for_so_many(stage: Stage) -> None:
    def another(seconds: float = 1000) -> Any:
        timeouts = Timeouts(opening_timeout=seconds * stage.second)
        return connecting(stage, "connect_udp", *at(server), timeouts=timeouts)

    async with serving(stage, "serve_udp", echo, max_connections=2) as server, another() as one:
        async with another() as two:
            with pytest.raises(ConnectionTimeout):
                async with another(20):
                    pass
            assert len(server.connections) == 2
            for peer in (one, two):
                await peer.send(b"still here")
                assert await peer.recv() == b"still here"
        async with another() as three:
            await three.send(b"in")
            assert await three.recv() == b"in"


# --- the end ----------------------------------------------------------------------------------------------------------


@on_every_stage()
async def test_a_silent_address_is_forgotten(stage: Stage) -> None:
    timeouts = Timeouts(idle_timeout=20 * stage.second)
    async with pair(stage, "udp", server={"codec": BARE, "timeouts": timeouts}, client={"codec": BARE}) as ends:
        report = await ends.server.wait_closed()
        assert (report.initiator, report.code, report.timer) == (Initiator.LOCAL, 1001, Timer.IDLE)
        assert not ends.listening.connections
        assert ends.client.state is State.OPEN  # nobody can tell it


@on_every_stage()
async def test_a_server_that_closes_says_goodbye(stage: Stage) -> None:
    async with serving(stage, "serve_udp", echo) as server:
        port = server.port
        async with connecting(stage, "connect_udp", *at(server)) as peer:
            await peer.send(b"hello")
            await peer.recv()
            await server.close(1012, "restart")
            with pytest.raises(ConnectionClosedError) as closed:
                await peer.recv()
            assert (closed.value.report.code, closed.value.report.reason) == (1012, "restart")
        assert not server.connections
        with pytest.raises(ConnectionRefused):
            async with connecting(stage, "connect_udp", "127.0.0.1", port):
                pass


@on_every_stage()
async def test_a_handler_that_raises(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    async def handler(_: Peer) -> None:
        raise ValueError("a fault of the application's")

    async with (
        serving(stage, "serve_udp", handler) as server,
        connecting(stage, "connect_udp", *at(server)) as peer,
    ):
        with pytest.raises(ConnectionClosedError) as closed:
            await peer.recv()
        assert closed.value.report.code == 1011
        (line,) = log_lines(caplog)
        assert line.endswith("the handler raised")


@on_every_stage()
async def test_a_client_that_leaves_a_block_by_an_exception(stage: Stage) -> None:
    reports = []

    async def handler(peer: Peer) -> None:
        reports.append(await peer.wait_closed())

    async with serving(stage, "serve_udp", handler) as server:
        with pytest.raises(KeyError):
            async with connecting(stage, "connect_udp", *at(server)):
                raise KeyError
        await stage.until(lambda: reports)
    assert (reports[0].initiator, reports[0].code) == (Initiator.PEER, 1011)


@on_every_stage()
async def test_abort_tells_nobody(stage: Stage) -> None:
    async with pair(stage, "udp") as ends:
        ends.client.abort()
        with pytest.raises(ConnectionClosed):
            await ends.client.recv()
        report = await ends.client.wait_closed()
        assert (report.initiator, report.code, report.sent_code) == (Initiator.LOCAL, 1006, None)
        assert ends.server.state is State.OPEN


@on_every_stage()
async def test_nobody_listens(stage: Stage) -> None:
    with pytest.raises(ConnectionRefused):
        async with connecting(stage, "connect_udp", "127.0.0.1", free_port(socket.SOCK_DGRAM)):
            pass


@on_every_stage()
async def test_a_complaint_of_the_network_ends_nothing_that_is_open(stage: Stage) -> None:
    port = free_port(socket.SOCK_DGRAM)
    async with connecting(stage, "connect_udp", "127.0.0.1", port, UNVERIFIED) as peer:
        for _ in range(3):  # each is refused
            await peer.send(b"is anybody there?")
            await stage.sleep(stage.second)
        with socket.socket(type=socket.SOCK_DGRAM) as late:
            late.bind(("127.0.0.1", port))
            late.sendto(datagram(MESSAGE, b"now"), peer.local_address)
            assert await peer.recv() == b"now"


@on_every_stage()
async def test_nobody_answers(stage: Stage) -> None:
    with far_socket(stage) as far:
        timeouts = Timeouts(opening_timeout=20 * stage.second)
        with pytest.raises(ConnectionTimeout):
            async with connecting(stage, "connect_udp", "127.0.0.1", far.port, timeouts=timeouts):
                pass
        assert far.at_hand()[0][0] == HELLO


@on_every_stage(Ability.CANCEL)
async def test_connecting_is_cancelled(stage: Stage) -> None:
    with far_socket(stage) as far:

        async def connect() -> bool:
            async with connecting(stage, "connect_udp", "127.0.0.1", far.port):
                return True

        assert await stage.move_on_after(10 * stage.second, connect) is None


@on_every_stage(Ability.CANCEL)
async def test_a_cancelled_recv_loses_nothing(stage: Stage) -> None:
    async with pair(stage, "udp") as ends:
        for number in range(5):
            assert await stage.move_on_after(stage.second, ends.client.recv) is None
            await ends.server.send(str(number))
            await received(stage, ends.client, number + 1)
            assert await ends.client.recv() == str(number).encode()


@on_every_stage()
async def test_a_server_tells_what_its_socket_has_seen(stage: Stage) -> None:
    async with serving(stage, "serve_udp", echo) as server, connecting(stage, "connect_udp", *at(server)) as peer:
        await peer.send(b"hello")
        await peer.recv()
        (seen,) = server.datagram_statistics
        assert (seen.peers, seen.peers_total, seen.cookies_sent) == (1, 1, 1)
        assert (seen.expected, seen.lost, seen.socket_drops) == (1, 0, 0)
    async with serving(stage, "serve_tcp", echo) as server:
        assert server.datagram_statistics == []


# --- what gets lost ---------------------------------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts these")
@on_every_stage()
async def test_what_the_socket_had_no_room_for_is_told_apart(stage: Stage) -> None:
    with far_socket(stage) as far, socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)  # the system makes it a few kilobytes
        sock.bind(("127.0.0.1", 0))
        sock.connect(("127.0.0.1", far.port))
        mine = sock.dup()
        async with connecting(stage, "connect_udp", codec=UNVERIFIED, sock=mine) as peer:
            with frozen(stage, peer):
                for number in range(100):
                    far.send(datagram(MESSAGE, bytes(100), sequence=number), peer.local_address[1])
            far_port = peer.local_address[1]
            await stage.until(lambda: peer.statistics.messages_received)
            await until_quiet(stage, peer)
            far.send(datagram(MESSAGE, b"last", sequence=100), far_port)  # brings the count
            while await peer.recv() != b"last":
                pass
            seen = peer.statistics
            assert seen.socket_drops == 101 - seen.messages_received
            assert 0 < seen.messages_received < 101
            assert (seen.lost_in_network, seen.queue_drops) == (0, 0)


async def received(stage: Stage, peer: Peer, count: int) -> None:
    """Wait until so many messages have come."""
    await stage.until(lambda: peer.statistics.messages_received == count)


async def until_quiet(stage: Stage, peer: Any) -> None:
    """Wait until everything at hand has been read."""
    before = -1
    while peer.statistics.bytes_received != before:
        before = peer.statistics.bytes_received
        await stage.sleep(stage.second)


@pytest.mark.parametrize(("drop", "kept"), [(Drop.OLDEST, b"49"), (Drop.NEWEST, b"0")], ids=["oldest", "newest"])
@on_every_stage()
async def test_a_receive_queue_that_nobody_empties(stage: Stage, drop: Drop, kept: bytes) -> None:
    codec = DatagramCodec(verify=False, drop=drop)
    async with pair(
        stage, "udp", server={"codec": codec}, client={"codec": codec, "limits": Limits(inbox_size=1)}
    ) as ends:
        for number in range(50):
            await ends.server.send(str(number))
            await received(stage, ends.client, number + 1)
        assert ends.client.statistics.queue_drops == 49
        assert await ends.client.recv() == kept


@on_every_stage()
async def test_a_message_that_no_datagram_holds(stage: Stage) -> None:
    async with pair(stage, "udp", client={"codec": DatagramCodec(datagram_size=100)}) as ends:
        with pytest.raises(LocalProtocolError, match="room for 83 bytes"):
            await ends.client.send(bytes(84))
        await ends.client.send(bytes(83))
        assert await ends.server.recv() == bytes(83)


@on_every_stage()
async def test_the_largest_datagram(stage: Stage) -> None:
    largest = os.urandom(DatagramCodec().max_payload)
    async with pair(stage, "udp") as ends:
        await ends.client.send(largest)
        assert await ends.server.recv() == largest


@on_every_stage()
async def test_a_datagram_that_the_system_refuses_is_lost_and_nothing_else(stage: Stage) -> None:
    with far_socket(stage) as far:
        sock = socket.socket(type=socket.SOCK_DGRAM)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_OPTIONS, b"\x01" * 4)  # takes room from the largest datagram
        sock.connect(("127.0.0.1", far.port))
        async with connecting(stage, "connect_udp", codec=BARE, sock=sock) as peer:
            await peer.send(bytes(BARE.max_payload))  # EMSGSIZE
            await peer.send(b"next")
            assert (await far.receive())[0] == b"next"
            assert peer.state is State.OPEN


@on_every_stage()
async def test_text(stage: Stage) -> None:
    codec = DatagramCodec(header=False, verify=False, text=True)
    with far_socket(stage) as far:
        async with connecting(stage, "connect_udp", "127.0.0.1", far.port, codec) as peer:
            for message in (b"n\xffo", b"y\xc3\xa9s"):
                far.send(message, peer.local_address[1])
            assert await peer.recv() == "yés"
            assert peer.statistics.malformed == 1


# --- measuring --------------------------------------------------------------------------------------------------------


@on_every_stage()
async def test_pings_and_answers_measure_the_round_trip(stage: Stage) -> None:
    async with serving(stage, "serve_udp", echo) as server, connecting(stage, "connect_udp", *at(server)) as peer:
        assert round_trips(peer) == 0
        assert await peer.ping() >= 0
        assert round_trips(peer) == 1
        await peer.send("hello")  # the answer echoes the timestamp
        await peer.recv()
        assert round_trips(peer) == 2
        assert (peer.statistics.pings_sent, peer.statistics.pongs_received) == (1, 1)
        with pytest.raises(LocalProtocolError, match="payload"):
            await peer.ping(b"mine")


def round_trips(peer: Peer) -> int:
    return 0 if peer.latency is None else peer.latency.count


@on_every_stage()
async def test_loss_and_duplicates_are_measured(stage: Stage) -> None:
    with far_socket(stage) as far:
        async with connecting(stage, "connect_udp", "127.0.0.1", far.port, UNVERIFIED) as peer:
            for sequence in (0, 1, 1, 3, 2, 9):
                far.send(datagram(MESSAGE, bytes([sequence]), sequence=sequence), peer.local_address[1])
            assert [(await peer.recv())[0] for _ in range(5)] == [0, 1, 3, 2, 9]
            seen = peer.statistics
            assert (seen.expected, seen.lost, seen.duplicates, seen.reordered) == (10, 5, 1, 1)
            assert seen.loss == 0.5


@on_every_stage()
async def test_broadcast(stage: Stage) -> None:
    async with serving(stage, "serve_udp", echo) as server:

        def another() -> Any:
            return connecting(stage, "connect_udp", *at(server))

        async with another() as one, another() as two, another() as three:
            await stage.until(lambda: len(server.connections) == 3)
            assert missed_by(stage, server, "news") == []
            assert [await peer.recv() for peer in (one, two, three)] == [b"news"] * 3


# --- where ------------------------------------------------------------------------------------------------------------


@on_every_stage()
async def test_several_sockets_and_a_connected_one(stage: Stage) -> None:
    bound = [socket.socket(type=socket.SOCK_DGRAM) for _ in range(2)]
    for sock in bound:
        sock.bind(("127.0.0.1", 0))
    ports = [sock.getsockname()[1] for sock in bound]
    async with serving(stage, "serve_udp", echo, sock=bound):
        for port in ports:
            sock = socket.socket(type=socket.SOCK_DGRAM)
            sock.connect(("127.0.0.1", port))
            async with connecting(stage, "connect_udp", sock=sock) as peer:
                await peer.send(b"hello")
                assert await peer.recv() == b"hello"


@on_every_stage()
async def test_ipv6(stage: Stage) -> None:
    try:
        with FarSocket(stage, socket.AF_INET6).socket:
            pass
    except OSError:
        pytest.skip("there is no IPv6 here")
    async with (
        serving(stage, "serve_udp", echo, "::1", 0) as server,
        connecting(stage, "connect_udp", "::1", server.port) as peer,
    ):
        await peer.send(b"hello")
        assert await peer.recv() == b"hello"
        assert peer.remote_address[:2] == ("::1", server.port)


@on_every_stage()
async def test_a_name_may_have_several_addresses(stage: Stage) -> None:
    port = free_port(socket.SOCK_DGRAM)
    async with (
        serving(stage, "serve_udp", echo, "localhost", port),
        connecting(stage, "connect_udp", "localhost", port) as peer,
    ):
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
        ({"host": "localhost", "port": 0}, ValueError, "port"),
        ({"host": "localhost", "port": 1, "codec": b"\n"}, TypeError, "codec"),
        ({"host": "localhost", "port": 1, "ssl": None}, TypeError, "ssl"),
    ],
)
@pytest.mark.parametrize("kind", ["asyncio", "trio", "anyio on trio", "sockets"])
def test_options_of_connect_udp(kind: str, options: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        PACKAGES[kind].connect_udp(**options)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({}, ValueError, "port"),
        ({"port": 0, "codec": "lines"}, TypeError, "codec"),
        ({"port": 0, "max_connections": 0}, ValueError, "max_connections"),
        ({"port": 0, "handler": None}, TypeError, "handler"),
        ({"port": 0, "handler": dict}, TypeError, "handler"),
        ({"port": 0, "unix_path": "/x"}, TypeError, "unix_path"),
        ({"sock": []}, ValueError, "sock"),
    ],
)
@pytest.mark.parametrize("kind", ["asyncio", "trio", "anyio on trio", "sockets"])
def test_options_of_serve_udp(kind: str, options: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        PACKAGES[kind].serve_udp(**{"handler": print if kind == "sockets" else echo, **options})


@on_every_stage()
async def test_closing_once_more_changes_nothing(stage: Stage) -> None:
    async with pair(stage, "udp") as ends:
        await ends.client.close(1001, "once")
        await ends.client.close(1000, "twice")
        with pytest.raises(ConnectionClosedOK) as closed:
            await ends.client.send("late")
        assert closed.value.report.reason == "once"
