"""What ``connect_tcp()`` and its like were asked for, as engines. What cannot work is told at once."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

import pytest

from tests.core.packets.kit import START, entropy_of
from wsproto_core import (
    DatagramCodec,
    Delimited,
    Frames,
    FramesConnection,
    LengthPrefixed,
    OpenTcp,
    OpenUnix,
    PerMessageDeflate,
    StartTls,
    State,
    StreamConnection,
    TcpConnectPlan,
    TcpServePlan,
    Timeouts,
    UdpConnectPlan,
    UdpServePlan,
    Write,
)

ENTROPY = entropy_of(1)
LINES = Delimited()


def connect_plan(host: str | None = "example.com", port: Any = 7, codec: Any = LINES, **options: Any) -> Any:
    return TcpConnectPlan(host, port, codec, **{"entropy": ENTROPY, "environment": {}, "secure": False, **options})


def serve_plan(codec: Any = LINES, **options: Any) -> TcpServePlan:
    return TcpServePlan(None, 7, None, codec, entropy=ENTROPY, **options)


# --- TCP --------------------------------------------------------------------------------------------------------------


def test_every_connection_gets_an_engine_of_its_own() -> None:
    plan = serve_plan(LengthPrefixed(2), timeouts=Timeouts(opening_timeout=3, idle_timeout=60))
    one, two = plan.engine(START), plan.engine(START + 1)
    assert isinstance(one, StreamConnection)
    assert one.codec == LengthPrefixed(2)
    assert (one.next_deadline(), two.next_deadline()) == (START + 60, START + 61)
    assert plan.opening_timeout == 3
    assert plan.where.port == 7


def test_frames_have_two_sides() -> None:
    codec = Frames(masked=True, extensions=(PerMessageDeflate(),), fragment_size=10)
    client, server = connect_plan(codec=codec).engine(START), serve_plan(codec).engine(START)
    assert isinstance(client, FramesConnection)
    client.send("a message of more than ten bytes")
    (first, *_) = wire = client.data_to_send()
    assert first[1] & 0x80  # masked
    assert server.receive_data(b"".join(wire), START) == ["a message of more than ten bytes"]
    assert client.extensions == ("permessage-deflate",)


def test_the_way_to_a_server() -> None:
    plan = connect_plan(timeouts=Timeouts(opening_timeout=3))
    assert next(plan.steps()) == OpenTcp("example.com", 7)
    assert plan.timeout == 3


def test_tls_is_the_last_step() -> None:
    plan = connect_plan(secure=True)
    steps = plan.steps()
    next(steps)
    assert steps.send(b"") == StartTls("example.com", to_proxy=False)
    named = connect_plan(secure=True, server_hostname="other.example").steps()
    next(named)
    assert named.send(b"") == StartTls("other.example", to_proxy=False)


def test_a_unix_socket_has_no_proxy() -> None:
    plan = connect_plan(None, None, unix_path=PurePosixPath("/run/x"), proxy="http://proxy.example")
    assert next(plan.steps()) == OpenUnix("/run/x")


def test_tls_over_a_unix_socket_has_a_name_to_verify() -> None:
    steps = connect_plan(None, None, unix_path="/run/x", secure=True, server_hostname="inside.example").steps()
    next(steps)
    assert steps.send(b"") == StartTls("inside.example", to_proxy=False)


def test_an_open_stream_needs_no_step() -> None:
    with pytest.raises(StopIteration):
        next(connect_plan(None, None, is_open=True).steps())


def test_through_a_proxy() -> None:
    steps = connect_plan(proxy="http://proxy.example:3128").steps()
    assert next(steps) == OpenTcp("proxy.example", 3128)
    request = steps.send(b"")
    assert isinstance(request, Write)
    assert request.data.startswith(b"CONNECT example.com:7 HTTP/1.1\r\n")


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"codec": None}, TypeError, "codec"),
        ({"codec": DatagramCodec()}, TypeError, "codec"),
        ({"codec": Frames(fragment_size=0)}, ValueError, "fragment_size"),
        ({"host": None, "port": None}, ValueError, "host and port"),
        ({"is_open": True}, ValueError, "sock"),
        ({"unix_path": "/x"}, ValueError, "unix_path"),
        ({"host": None}, TypeError, "host"),
        ({"port": None}, TypeError, "port"),
        ({"port": "7"}, TypeError, "port"),
        ({"port": 0}, ValueError, "port"),
        ({"port": 65536}, ValueError, "port"),
        ({"host": ""}, ValueError, "host"),
        ({"host": "a b"}, ValueError, "host"),
        ({"server_hostname": "x"}, ValueError, "server_hostname needs ssl"),
        ({"host": None, "port": None, "is_open": True, "secure": True}, ValueError, "needs server_hostname"),
        ({"proxy": "ftp://proxy.example"}, ValueError, "proxy"),
    ],
)
def test_what_cannot_work_to_a_tcp_server(options: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        connect_plan(**options)


# --- UDP --------------------------------------------------------------------------------------------------------------


def test_a_udp_server() -> None:
    plan = UdpServePlan("localhost", 7, None, DatagramCodec(), entropy=ENTROPY, max_connections=1)
    one, two = plan.engine(START), plan.engine(START)
    assert one is not two
    assert plan.where.hosts == ("localhost",)


def test_a_udp_client() -> None:
    plan = UdpConnectPlan("localhost", 7, DatagramCodec(), entropy=ENTROPY, timeouts=Timeouts(opening_timeout=3))
    engine = plan.engine(START, ("127.0.0.1", 7))
    assert (engine.state, engine.address) == (State.CONNECTING, ("127.0.0.1", 7))
    assert (plan.host, plan.port, plan.timeout) == ("localhost", 7, 3)
    assert UdpConnectPlan(None, None, DatagramCodec(), entropy=ENTROPY, is_open=True).host is None


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"codec": Delimited()}, TypeError, "codec"),
        ({"max_connections": 0}, ValueError, "max_connections"),
        ({"port": None}, ValueError, "port"),
    ],
)
def test_what_cannot_work_for_a_udp_server(options: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        UdpServePlan(**{"host": None, "port": 0, "sock": None, "codec": DatagramCodec(), "entropy": ENTROPY, **options})


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"codec": None}, TypeError, "codec"),
        ({"host": None, "port": None}, ValueError, "host and port"),
        ({"is_open": True}, ValueError, "sock"),
        ({"port": -1}, ValueError, "port"),
    ],
)
def test_what_cannot_work_to_a_udp_peer(options: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        UdpConnectPlan(**{"host": "localhost", "port": 7, "codec": DatagramCodec(), "entropy": ENTROPY, **options})
