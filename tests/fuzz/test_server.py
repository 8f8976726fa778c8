"""The tester of servers over real sockets: our own server, another's, and scripted ones that misbehave."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import trustme
import websockets.asyncio.server

from tests.fuzz.conversing import case_of
from wsproto_asyncio import WebSocket, serve
from wsproto_core.frames import Opcode
from wsproto_fuzz.conformance.case import Case
from wsproto_fuzz.conformance.cases import all_cases
from wsproto_fuzz.conformance.expecting import Barrier, ExpectEnd, ExpectFailure, ExpectMessage
from wsproto_fuzz.conformance.opening import accept_token
from wsproto_fuzz.conformance.server import ServerOptions, judge_server
from wsproto_fuzz.conformance.steps import EndOutput, send
from wsproto_fuzz.conformance.verdict import Result, Run, Verdict
from wsproto_fuzz.transcript import render
from wsproto_fuzz.wire import FrameReader, close, text

HELLO = case_of(send(text("Hello")), ExpectMessage("Hello"))
GROUPS = ("framing", "ping", "reserved", "opcodes", "fragmentation", "close")


def a_few() -> list[Case]:
    """The first two of each family: all of them are played in memory."""
    return [case for case in all_cases(GROUPS) if case.id.endswith((".1", ".2")) and not case.id.endswith("0.2")]


async def echo(ws: WebSocket) -> None:
    async for message in ws:
        await ws.send(message)


@contextlib.asynccontextmanager
async def our_server(context: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    async with serve(echo, "127.0.0.1", 0, ssl=context) as server:
        yield f"{'wss' if context else 'ws'}://127.0.0.1:{server.port}/"


def failures(run: Run) -> list[str]:
    return [
        f"{result.case} {result.finding}\n{render(result.transcript)}"
        for result in run.results
        if result.verdict is Verdict.FAIL
    ]


# ---------------------------------------------------------------------------------------------------- correct servers


def test_our_server_passes() -> None:
    async def main() -> Run:
        async with our_server() as uri:
            return await judge_server(uri, a_few(), peer="ours")

    run = asyncio.run(main())
    assert failures(run) == []
    assert run.counts == {Verdict.PASS: len(a_few())}
    assert run.conforms
    assert (run.peer, run.side, run.seed) == ("ours", "server", 0)
    assert [result.case for result in run.results] == [case.id for case in a_few()]


@pytest.mark.interop
def test_the_websockets_library_has_no_failure() -> None:
    async def echo_theirs(ws: websockets.asyncio.server.ServerConnection) -> None:
        async for message in ws:
            await ws.send(message)

    async def main() -> Run:
        logger = logging.getLogger("silent")
        logger.disabled = True
        async with websockets.asyncio.server.serve(echo_theirs, "127.0.0.1", 0, logger=logger) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            return await judge_server(f"ws://127.0.0.1:{port}/", a_few(), peer="websockets")

    assert failures(asyncio.run(main())) == []


def test_over_tls() -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)

    async def main() -> tuple[Run, Run]:
        async with our_server(context) as uri:
            careless = await judge_server(uri, a_few()[::5], peer="ours")
            return careless, await judge_server(uri, [HELLO], peer="ours", options=ServerOptions(ssl=trusting))

    careless, careful = asyncio.run(main())
    assert failures(careless) == failures(careful) == []


def test_the_address_that_answers_is_taken() -> None:
    async def main() -> Run:
        async with our_server() as uri:
            return await judge_server(uri.replace("127.0.0.1", "localhost"), [HELLO], peer="ours")

    assert asyncio.run(main()).conforms


# --------------------------------------------------------------------------------------------------- scripted servers

Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def scripted(script: Script) -> AsyncIterator[asyncio.Server]:
    """A server that opens connections as it should, and then does as the script says."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer), contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            request = (await reader.readuntil(b"\r\n\r\n")).decode()
            key = request.partition("Sec-WebSocket-Key: ")[2].partition("\r\n")[0]
            head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            writer.write(f"{head}Sec-WebSocket-Accept: {accept_token(key)}\r\n\r\n".encode())
            await script(reader, writer)

    async with await asyncio.start_server(handle, "127.0.0.1", 0) as server:
        yield server


def uri_of(server: asyncio.Server) -> str:
    return f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


async def judge_script(script: Script, case: Case, *, patience: float = 3.0) -> Result:
    async with scripted(script) as server:
        options = ServerOptions(patience=patience)
        (result,) = (await judge_server(uri_of(server), [case], peer="a script", options=options)).results
    return result


async def close_at_once(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A close frame, and the connection is broken right behind it."""
    writer.write(bytes(close(1002)))
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def test_a_close_frame_in_front_of_a_reset_is_seen() -> None:
    many = send(*(text("x" * 1000, reserved=1) for _ in range(200)), write_size=100)
    for _ in range(5):
        result = asyncio.run(judge_script(close_at_once, case_of(many, ExpectFailure())))
        assert (result.verdict, result.finding) == (Verdict.PASS, "The peer failed the connection with 1002.")


def test_a_server_that_echoes_while_it_is_written_to() -> None:
    """Neither waits for the other: the tester reads while it writes."""
    count, size = 40, 100_000
    messages = [text("x" * size) for _ in range(count)]
    case = case_of(send(*messages), *[ExpectMessage("x" * size)] * count)

    async def echo_at_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        frames = FrameReader()
        while data := await reader.read(65_536):
            for frame in frames.receive(data):
                if frame.opcode == Opcode.TEXT:
                    writer.write(bytes(text(frame.payload)))
                    await writer.drain()
                elif frame.opcode == Opcode.CLOSE:
                    return

    result = asyncio.run(judge_script(echo_at_once, case))
    assert result.verdict is Verdict.PASS, result.finding


def test_the_end_of_the_stream_arrives() -> None:
    rests: list[bytes] = []

    async def watch(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        rests.append(await reader.read())

    result = asyncio.run(judge_script(watch, case_of(send(b"the last"), EndOutput(), ExpectEnd())))
    assert result.verdict is Verdict.PASS
    assert rests == [b"the last"]


def test_a_server_that_hangs_costs_its_patience() -> None:
    async def hang(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    result = asyncio.run(judge_script(hang, HELLO, patience=0.05))
    assert (result.verdict, result.finding) == (
        Verdict.FAIL,
        "Instead of the echo 'Hello' came nothing for 0.05 s.",
    )


def test_no_more_than_so_many_at_once_and_progress_is_told() -> None:
    open_now, most, told = 0, 0, list[tuple[str, int, int]]()

    async def count(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        nonlocal open_now, most
        open_now += 1
        most = max(most, open_now)
        await reader.read(1)
        open_now -= 1

    def tell(result: Result, done: int, total: int) -> None:
        told.append((result.finding, done, total))

    async def main() -> None:
        async with scripted(count) as server:
            options = ServerOptions(concurrency=3)
            await judge_server(
                uri_of(server), [case_of(Barrier())] * 9, peer="a script", options=options, progress=tell
            )

    asyncio.run(main())
    assert 1 <= most <= 3
    assert [(done, total) for _, done, total in told] == [(number, 9) for number in range(1, 10)]


def test_a_failure_counts_if_it_is_seen_again_alone() -> None:
    asked = 0

    async def fail_once(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked += 1
        writer.close()

    async def main() -> Run:
        async with scripted(fail_once) as server:
            return await judge_server(uri_of(server), [case_of(Barrier())], peer="a script")

    run = asyncio.run(main())
    assert not run.conforms
    assert asked == 2


def test_a_failure_that_is_not_seen_again_is_taken_back() -> None:
    told: list[tuple[Verdict, int, int]] = []
    asked = 0

    async def fail_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked += 1
        if asked == 1:
            writer.close()
        else:
            writer.write(bytes(text("Hello")) + bytes(close(1000)))
            await reader.read()

    def tell(result: Result, done: int, total: int) -> None:
        told.append((result.verdict, done, total))

    async def main() -> Run:
        async with scripted(fail_once) as server:
            return await judge_server(uri_of(server), [HELLO], peer="a script", progress=tell)

    assert asyncio.run(main()).conforms
    assert told == [(Verdict.FAIL, 1, 1), (Verdict.PASS, 1, 1)]


# ------------------------------------------------------------------------------------------------------------- nobody


def unused_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def test_a_run_does_not_begin_where_nobody_listens() -> None:
    with pytest.raises(ConnectionRefusedError):
        asyncio.run(judge_server(f"ws://127.0.0.1:{unused_port()}/", [HELLO], peer="nobody"))


def test_a_bad_uri() -> None:
    with pytest.raises(ValueError, match="uri"):
        asyncio.run(judge_server("http://127.0.0.1/", [HELLO], peer="nobody"))


def test_a_server_that_goes_away_fails_the_cases_that_are_left() -> None:
    async def say_hello(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(bytes(text("Hello")) + bytes(close(1000)))
        await reader.read()

    async def main() -> Run:
        async with scripted(say_hello) as server:

            def stop(_: Result, done: int, __: int) -> None:
                if done == 1:
                    server.close()

            options = ServerOptions(concurrency=1)
            return await judge_server(uri_of(server), [HELLO] * 3, peer="x", options=options, progress=stop)

    first, *others = asyncio.run(main()).results
    assert first.verdict is Verdict.PASS
    assert {result.verdict for result in others} == {Verdict.FAIL}
    assert {result.finding for result in others} == {"No connection to the server: Connection refused."}
