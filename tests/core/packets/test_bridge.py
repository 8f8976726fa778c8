"""The bridge, without a runtime: its addresses, its configuration, and the count of all."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from wsproto_core import (
    AsyncBridge,
    Backoff,
    BridgeBase,
    BridgeDoors,
    BridgeOptions,
    Compress,
    ConnectionRefused,
    DatagramCodec,
    Frames,
    LengthPrefixed,
    Limits,
    PerMessageDeflate,
    Pipeline,
    PoolLimits,
    ServerAlreadyRunning,
    ServerNotStarted,
    Tally,
    Timeouts,
)
from wsproto_core._packets.bridge_address import Speech, parse_address

# --- addresses --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "speech", "secure", "where"),
    [
        ("ws://localhost:8765/chat?a=b", Speech.WEBSOCKET, False, {"uri": "ws://localhost:8765/chat?a=b"}),
        ("WSS://user:secret@example.com", Speech.WEBSOCKET, True, {"uri": "WSS://user:secret@example.com"}),
        ("ws+unix:///run/a.sock", Speech.WEBSOCKET, False, {"uri": "ws://localhost/", "unix_path": "/run/a.sock"}),
        ("tcp://LocalHost:9000", Speech.STREAM, False, {"host": "localhost", "port": 9000}),
        ("tcp://[::1]:9000/", Speech.STREAM, False, {"host": "::1", "port": 9000}),
        ("tls://example.com:9000", Speech.STREAM, True, {"host": "example.com", "port": 9000}),
        ("unix:///run/a b.sock", Speech.STREAM, False, {"unix_path": "/run/a b.sock"}),
        ("udp://127.0.0.1:53", Speech.DATAGRAM, False, {"host": "127.0.0.1", "port": 53}),
    ],
)
def test_where_a_client_goes(address: str, speech: Speech, secure: bool, where: dict[str, Any]) -> None:
    parsed = parse_address(address)
    assert (parsed.speech, parsed.secure, parsed.to_connect()) == (speech, secure, where)


@pytest.mark.parametrize(
    ("address", "where"),
    [
        ("ws://127.0.0.1:0/", {"host": "127.0.0.1", "port": 0}),
        ("ws://127.0.0.1", {"host": "127.0.0.1", "port": 80}),
        ("wss://[::]", {"host": "::", "port": 443}),
        ("ws+unix:///run/a.sock", {"unix_path": "/run/a.sock"}),
        ("tcp://0.0.0.0:9000", {"host": "0.0.0.0", "port": 9000}),
        ("unix:///run/a.sock", {"unix_path": "/run/a.sock"}),
        ("udp://0.0.0.0:0", {"host": "0.0.0.0", "port": 0}),
    ],
)
def test_where_a_server_listens(address: str, where: dict[str, Any]) -> None:
    assert parse_address(address).to_serve() == where


@pytest.mark.parametrize(
    "address", ["", "localhost:80", "http://localhost", "tcp:localhost:80", "://a:1", "quic://a:1"]
)
def test_what_no_bridge_speaks(address: str) -> None:
    with pytest.raises(ValueError, match=r"address must begin with one of ws://, .*udp://"):
        parse_address(address)


def test_an_address_is_text() -> None:
    with pytest.raises(TypeError, match="address"):
        parse_address(b"ws://a")  # type: ignore[arg-type]  # what is tested


@pytest.mark.parametrize(
    "address",
    [
        "tcp://:80",
        "tcp://a",
        "tcp://a:b",
        "tcp://a:65536",
        "tcp://user@a:1",
        "tcp://[::1",
        "udp://a:1/path",
        "ws://a:1/path",
        "unix://run/a.sock",
        "ws+unix://",
    ],
)
def test_addresses_to_listen_at_that_cannot_work(address: str) -> None:
    with pytest.raises(ValueError, match="address"):
        parse_address(address).to_serve()


def test_an_address_keeps_its_secrets() -> None:
    assert "secret" not in repr(parse_address("ws://user:secret@a"))
    with pytest.raises(ValueError, match="address") as caught:
        parse_address("tcp://user:secret@a:1").to_connect()
    assert "secret" not in str(caught.value)


# --- the configuration ------------------------------------------------------------------------------------------------

LIMITS, TIMEOUTS, CODEC, DATAGRAMS = Limits(message_size=9), Timeouts(), Frames(), DatagramCodec(text=True)
DEFLATE, PIPELINE = PerMessageDeflate(), Pipeline(Compress("zlib"))
EVERYTHING = BridgeOptions(
    limits=LIMITS,
    timeouts=TIMEOUTS,
    pipeline=PIPELINE,
    compression=DEFLATE,
    codec=CODEC,
    datagram_codec=DATAGRAMS,
    max_connections=5,
    proxy=True,
    client_tls="client",
    server_tls="server",
    pool_limits=PoolLimits(),
    backoff=Backoff(),
)
SHARED = {"limits": LIMITS, "timeouts": TIMEOUTS, "pipeline": PIPELINE}


@pytest.mark.parametrize(
    ("address", "options"),
    [
        ("ws://a", {"uri": "ws://a", **SHARED, "compression": DEFLATE, "proxy": True}),
        ("wss://a", {"uri": "wss://a", **SHARED, "compression": DEFLATE, "proxy": True, "ssl": "client"}),
        ("tcp://a:1", {"host": "a", "port": 1, **SHARED, "codec": CODEC, "proxy": True}),
        ("tls://a:1", {"host": "a", "port": 1, **SHARED, "codec": CODEC, "proxy": True, "ssl": "client"}),
        ("unix:///a", {"unix_path": "/a", **SHARED, "codec": CODEC}),
        ("udp://a:1", {"host": "a", "port": 1, **SHARED, "codec": DATAGRAMS}),
    ],
)
def test_a_client_gets_what_it_understands(address: str, options: dict[str, Any]) -> None:
    assert EVERYTHING.to_connect(parse_address(address), {}) == options


@pytest.mark.parametrize(
    ("address", "options"),
    [
        ("ws://a:1", {**SHARED, "compression": DEFLATE}),
        ("wss://a:1", {**SHARED, "compression": DEFLATE, "ssl": "server"}),
        ("tcp://a:1", {**SHARED, "codec": CODEC}),
        ("tls://a:1", {**SHARED, "codec": CODEC, "ssl": "server"}),
        ("udp://a:1", {**SHARED, "codec": DATAGRAMS, "timeouts": Timeouts(idle_timeout=60.0)}),
    ],
)
def test_a_server_gets_what_it_understands(address: str, options: dict[str, Any]) -> None:
    where = {"host": "a", "port": 1, "max_connections": 5}
    assert EVERYTHING.to_serve(parse_address(address), {}) == {**where, **options}


def test_a_silent_address_is_forgotten_when_the_configuration_says() -> None:
    patient = BridgeOptions(timeouts=Timeouts(idle_timeout=600.0))
    assert patient.to_serve(parse_address("udp://a:1"), {})["timeouts"] == Timeouts(idle_timeout=600.0)


def test_what_is_not_given_is_left_to_each_kind() -> None:
    assert BridgeOptions().to_connect(parse_address("tcp://a:1"), {}) == {"host": "a", "port": 1}
    assert BridgeOptions().to_serve(parse_address("ws://a:1"), {}) == {"host": "a", "port": 1}


def test_what_is_given_for_one_connection_has_the_last_word() -> None:
    more = {"codec": LengthPrefixed(), "own": 1}
    assert EVERYTHING.to_connect(parse_address("tcp://a:1"), more)["codec"] == LengthPrefixed()
    assert EVERYTHING.to_serve(parse_address("tcp://a:1"), more)["own"] == 1
    assert BridgeOptions().to_serve(parse_address("wss://a:1"), {"ssl": "own"})["ssl"] == "own"


@pytest.mark.parametrize("address", ["wss://a:1", "tls://a:1"])
def test_a_server_cannot_do_without_a_certificate(address: str) -> None:
    with pytest.raises(ValueError, match="server_tls"):
        BridgeOptions().to_serve(parse_address(address), {})


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("limits", 3),
        ("timeouts", Limits()),
        ("compression", True),
        ("pipeline", Compress("zlib")),
        ("codec", DatagramCodec()),
        ("datagram_codec", Frames()),
        ("proxy", 3),
        ("pool_limits", 10),
        ("backoff", 0.1),
    ],
)
def test_options_of_the_wrong_type(option: str, value: object) -> None:
    with pytest.raises(TypeError, match=option):
        BridgeOptions(**{option: value})  # type: ignore[arg-type]  # what is tested


def test_a_number_of_connections_that_cannot_work() -> None:
    with pytest.raises(ValueError, match="max_connections"):
        BridgeOptions(max_connections=0)


# --- what is made, and counted ----------------------------------------------------------------------------------------


@dataclass
class Recorder:
    """An adapter that makes what it is told to make, and tells what it was asked for."""

    calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = field(default_factory=list)
    memory: tuple[int, int] | None = None
    now: float = 100.0
    makes: Any = None

    def door(self, name: str) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            self.calls.append((name, arguments, options))
            return Pool() if self.makes is None else self.makes

        return call

    def doors(self) -> BridgeDoors:
        names = ("connect", "connect_tcp", "connect_udp", "serve", "serve_tcp", "serve_udp", "pool", "reconnect")
        return BridgeDoors(
            **{name: self.door(name) for name in names},
            default_tls=lambda: "default",
            now=lambda: self.now,
            memory=lambda: self.memory,
        )


class Pool:
    on_opened: Any = None
    on_failed: Any = None


def bridge_on(recorder: Recorder, **options: Any) -> AsyncBridge[Any]:
    return AsyncBridge(recorder.doors(), BridgeOptions(**options), started_at=1000.0)


@pytest.mark.parametrize(
    ("address", "door"),
    [("ws://a:1", "connect"), ("tcp://a:1", "connect_tcp"), ("tls://a:1", "connect_tcp"), ("udp://a:1", "connect_udp")],
)
def test_each_address_has_its_door_for_clients(address: str, door: str) -> None:
    recorder = Recorder()
    bridge_on(recorder).connect(address, own=1)
    [(name, _, options)] = recorder.calls
    assert (name, options["own"]) == (door, 1)
    assert options.get("ssl") == ("default" if address.startswith("tls") else None)


@pytest.mark.parametrize(
    ("address", "door"), [("ws://a:1", "serve"), ("tcp://a:1", "serve_tcp"), ("udp://a:1", "serve_udp")]
)
def test_each_address_has_its_door_for_servers(address: str, door: str) -> None:
    recorder = Recorder()
    bridge_on(recorder).serve(address, "handler")
    assert recorder.calls == [(door, ("handler",), {"host": "a", "port": 1})]


def test_what_lasts_gets_its_limits_and_its_patience() -> None:
    recorder, limits, backoff = Recorder(), PoolLimits(max_size=3), Backoff(initial=1.0)
    bridge = bridge_on(recorder, pool_limits=limits, backoff=backoff)
    pool = bridge.pool("ws://a")
    bridge.reconnect("ws://a", opened=None, backoff="own")
    bridge_on(recorder).pool("ws://a")
    assert [name for name, _, _ in recorder.calls] == ["pool", "reconnect", "pool"]
    assert recorder.calls[0][2] == {"uri": "ws://a", "pool_limits": limits, "backoff": backoff}
    assert recorder.calls[1][2]["backoff"] == "own"
    assert recorder.calls[2][2] == {"uri": "ws://a"}
    pool.on_failed(ConnectionRefused("no"))
    assert bridge.metrics.connections.failed == 1


@pytest.mark.parametrize("door", ["pool", "reconnect"])
def test_what_lasts_speaks_websocket(door: str) -> None:
    with pytest.raises(ValueError, match="address"):
        getattr(bridge_on(Recorder()), door)("tcp://a:1")


@dataclass
class Client:
    """A connection that has counted, and is there."""

    latency: None = None
    close_report: None = None
    engine: Any = field(default_factory=lambda: SimpleNamespace(count_into=lambda total: None))


class Opening:
    """What an adapter's door returns: await it, or use it as a context manager. What comes of it is given."""

    def __init__(self, outcome: Any) -> None:
        self.outcome = outcome
        self.left_with: list[object] = []

    def __await__(self) -> Generator[None, None, Any]:
        yield
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome

    async def __aenter__(self) -> Any:
        return await self

    async def __aexit__(self, *reason: object) -> None:
        self.left_with.append(reason[0])


def run(work: Coroutine[Any, Any, Any]) -> Any:
    """Step ``work`` to its end."""
    try:
        while True:
            work.send(None)
    except StopIteration as done:
        return done.value


async def awaited(made: Awaitable[Any]) -> Any:
    return await made


async def entered(made: AbstractAsyncContextManager[Any]) -> Any:
    async with made as outcome:
        return outcome


HOW = pytest.mark.parametrize("begin", [awaited, entered], ids=["awaited", "a block"])


@HOW
def test_a_client_counts_once_it_is_open(begin: Callable[[Any], Coroutine[Any, Any, Any]]) -> None:
    opening = Opening(Client())
    bridge = bridge_on(Recorder(makes=opening))
    client = bridge.connect("tcp://a:1")
    assert bridge.metrics.connections.total == 0
    assert run(begin(client)) is opening.outcome
    assert (bridge.metrics.connections.total, bridge.metrics.connections.active) == (1, 1)
    assert opening.left_with == ([None] if begin is entered else [])


@HOW
def test_an_attempt_that_fails_counts_as_that(begin: Callable[[Any], Coroutine[Any, Any, Any]]) -> None:
    bridge = bridge_on(Recorder(makes=Opening(ConnectionRefused("nobody"))))
    with pytest.raises(ConnectionRefused, match="nobody"):
        run(begin(bridge.connect("ws://a")))
    assert (bridge.metrics.connections.total, bridge.metrics.connections.failed) == (0, 1)


def test_what_else_goes_wrong_is_no_failed_attempt() -> None:
    bridge = bridge_on(Recorder(makes=Opening(KeyError("mine"))))
    with pytest.raises(KeyError, match="mine"):
        run(awaited(bridge.connect("ws://a")))
    assert bridge.metrics.connections.failed == 0


def test_who_comes_back_counts_each_time_and_the_application_is_told_as_well() -> None:
    recorder, told = Recorder(), list[object]()

    async def tell(peer: object, reopening: object) -> None:
        told.append((peer, reopening))

    bridge, client = bridge_on(recorder), Client()
    bridge.reconnect("ws://a")
    bridge.reconnect("ws://a", opened=tell)
    for _, _, options in recorder.calls:
        run(options["opened"](client, "again"))
    assert bridge.metrics.connections.total == 2
    assert told == [(client, "again")]


@dataclass
class Server:
    tally: Tally
    was_served: bool = False

    async def serve_forever(self) -> None:
        self.was_served = True


@HOW
def test_a_server_is_there_once_it_is_started_and_starts_once(begin: Callable[[Any], Coroutine[Any, Any, Any]]) -> None:
    opening = Opening(Server(Tally(accepted=3)))
    bridge = bridge_on(Recorder(makes=opening))
    serving = bridge.serve("tcp://a:1", "handler")
    with pytest.raises(ServerNotStarted):
        _ = serving.server
    assert run(begin(serving)) is opening.outcome
    assert serving.server is opening.outcome
    assert bridge.metrics.connections.accepted == 3
    with pytest.raises(ServerAlreadyRunning):
        run(begin(serving))
    assert bridge.metrics.connections.accepted == 3


@pytest.mark.parametrize("has_status", [True, False])
def test_a_nursery_starts_a_server_and_hears_of_it(has_status: bool) -> None:
    opening, started = Opening(Server(Tally())), list[object]()
    serving = bridge_on(Recorder(makes=opening)).serve("tcp://a:1", "handler")
    status = SimpleNamespace(started=started.append)
    run(serving(task_status=status) if has_status else serving())
    assert started == ([opening.outcome] if has_status else [])
    assert opening.outcome.was_served
    assert opening.left_with == [None]


def test_what_servers_count_is_in_the_sum_before_and_after_they_are_let_go() -> None:
    bridge: BridgeBase[Any] = bridge_on(Recorder())
    servers = [Server(Tally(accepted=n)) for n in (1, 10, 100)]
    for server in servers:
        bridge._started(server)
    assert bridge.metrics.connections.accepted == 111
    for server in servers[:2]:
        server.tally.is_final = True
    assert [bridge.metrics.connections.accepted for _ in range(2)] == [111, 111]
    assert bridge._servers == servers[2:]
    servers[0].tally.accepted = 1000  # nobody looks at it any more
    assert bridge.metrics.connections.accepted == 111


def test_time_and_memory_are_the_adapters() -> None:
    recorder = Recorder()
    bridge = bridge_on(recorder)
    recorder.now, recorder.memory = 107.5, (3, 4)
    metrics = bridge.metrics
    assert (metrics.started_at, metrics.uptime) == (1000.0, 7.5)
    assert metrics.memory is not None
    assert (metrics.memory.now, metrics.memory.peak) == (3, 4)
    recorder.memory = None
    assert bridge.metrics.memory is None
