"""The tester of clients: its protocol, what it makes of clients, and what it does with those that do not keep to it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Awaitable, Callable
from functools import partial

import pytest
import trustme

from tests.fuzz.clients import LIBRARIES, judged, listener, ours, visit
from wsproto_asyncio import connect
from wsproto_core import ConnectionClosed
from wsproto_fuzz.conformance.case import SERVERS, family
from wsproto_fuzz.conformance.cases import all_cases, cases_of
from wsproto_fuzz.conformance.client import ClientTester
from wsproto_fuzz.conformance.expecting import ExpectMessage
from wsproto_fuzz.conformance.steps import send
from wsproto_fuzz.conformance.verdict import Result, Run, Verdict
from wsproto_fuzz.wire import text

ECHOES = family(
    "framing.1", "RFC 6455 §5.2", "It echoes.", [(word, (send(text(word)), ExpectMessage(word))) for word in "abc"]
)
NOT_FOR_CLIENTS = family("framing.2", "§0", "It does not matter.", [("x", ())], peers=SERVERS)

UPGRADE = (
    "GET {} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


async def exchange(port: int, data: str) -> bytes:
    """Send it over a plain socket; everything that comes back."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(data.encode())
        return await reader.read()
    finally:
        writer.close()
        await writer.wait_closed()


def with_tester(
    script: Callable[[ClientTester, int], Awaitable[None]], log: Callable[[str], None] = lambda _: None
) -> None:
    """Run the script with a tester and the port that it listens on."""

    async def main() -> None:
        with listener() as sock:
            async with ClientTester((*ECHOES, *NOT_FOR_CLIENTS), sock, patience=1.0, log=log) as tester:
                await script(tester, sock.getsockname()[1])

    asyncio.run(main())


# --- good clients -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", LIBRARIES)
def test_a_client_plays_every_case_and_is_told_the_verdict(name: str) -> None:
    run, told = judged((*ECHOES, *NOT_FOR_CLIENTS), name, LIBRARIES[name])
    assert (run.peer, run.side) == (name, "client")
    assert [(result.case, result.verdict) for result in run.results] == [(case.id, Verdict.PASS) for case in ECHOES]
    assert told == "conforms: 3 pass"


@pytest.mark.slow
@pytest.mark.interop
@pytest.mark.timeout(240)
@pytest.mark.parametrize(("name", "excused"), [("wsproto_asyncio", set[str]()), ("websockets", {"deflate"})])
def test_good_clients_fail_no_case(name: str, excused: set[str]) -> None:
    run, _ = judged(all_cases(), name, LIBRARIES[name], jobs=8)
    failed = [result for result in run.results if result.verdict is Verdict.FAIL]
    assert [(result.case, result.finding) for result in failed if result.group not in excused] == []
    assert run.counts[Verdict.PASS] > 1000


def test_a_good_client_fails_no_case_over_tls() -> None:
    authority = trustme.CA()
    context, trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)
    authority.configure_trust(trusting)
    log: list[str] = []

    async def main() -> tuple[Run, Run]:
        with listener() as sock:
            async with ClientTester(cases_of("tls"), sock, patience=10.0, ssl=context, log=log.append) as tester:
                port = sock.getsockname()[1]
                client = partial(ours, context=trusting)
                await visit(f"wss://localhost:{port}", "by-name", client, jobs=8)
                await visit(f"wss://127.0.0.1:{port}", "by-address", client, jobs=8)
                assert log == []
                assert await exchange(port, UPGRADE.format("/cases")) == b""
                return await tester.finished(), await tester.finished()

    by_name, by_address = asyncio.run(main())
    assert [(result.case, result.finding) for result in by_name.results if result.verdict is not Verdict.PASS] == []
    assert [result.case for result in by_address.results if result.verdict is not Verdict.PASS] == ["tls.4.1"]
    assert by_address.results[-1].verdict is Verdict.UNIMPLEMENTED
    assert len(log) == 1
    assert log[0].startswith("a client came, but there is no TLS with it: ")


def test_progress_counts_the_cases_of_each_client() -> None:
    seen: list[tuple[str, int, int]] = []

    def progress(result: Result, done: int, total: int) -> None:
        seen.append((result.case, done, total))

    async def main() -> None:
        with listener() as sock:
            base = f"ws://127.0.0.1:{sock.getsockname()[1]}"
            async with ClientTester(ECHOES, sock, progress=progress) as tester:
                for agent in ("a", "b"):
                    await visit(base, agent, ours)
                    assert (await tester.finished()).peer == agent
                assert [run.peer for run in tester.runs] == ["a", "b"]

    asyncio.run(main())
    assert seen == [(case.id, number, 3) for _ in "ab" for number, case in enumerate(ECHOES, 1)]


# --- clients that do something else -----------------------------------------------------------------------------------


async def silent(uri: str) -> str | bytes | None:
    """A client that echoes nothing but closes well: ours, with its hands bound."""
    first: str | bytes | None = None
    async with connect(uri) as ws:
        with contextlib.suppress(ConnectionClosed):
            async for message in ws:
                first = message
    return first


def test_a_client_that_does_not_echo_fails() -> None:
    run, told = judged(ECHOES, "silent", silent, patience=0.2)
    assert {result.verdict for result in run.results} == {Verdict.FAIL}
    assert told == "does not conform: 3 fail"


def test_a_case_that_a_client_never_came_for_has_failed() -> None:
    async def script(tester: ClientTester, port: int) -> None:
        base = f"ws://127.0.0.1:{port}"
        await ours(f"{base}/case?n=2&agent=lazy")
        assert await ours(f"{base}/done?agent=lazy") == "does not conform: 1 pass, 2 fail"
        run = await tester.finished()
        assert [result.verdict for result in run.results] == [Verdict.FAIL, Verdict.PASS, Verdict.FAIL]
        assert run.results[0].finding == "The client never came for this case."
        assert tester.runs[0].results == run.results

    with_tester(script)


def test_a_case_that_is_played_again_has_its_new_result() -> None:
    async def script(tester: ClientTester, port: int) -> None:
        await exchange(port, UPGRADE.format("/case?n=1").replace("13", "12"))
        await ours(f"ws://127.0.0.1:{port}/case?n=1")
        await ours(f"ws://127.0.0.1:{port}/done")
        run = await tester.finished()
        assert (run.peer, run.results[0].verdict) == ("client", Verdict.PASS)

    with_tester(script)


def test_done_waits_for_the_cases_that_still_play() -> None:
    async def script(tester: ClientTester, port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(UPGRADE.format("/case?n=1").encode())
        await reader.readuntil(b"\r\n\r\n")  # the case has begun, and nobody echoes
        assert await ours(f"ws://127.0.0.1:{port}/done") == "does not conform: 3 fail"
        run = await tester.finished()
        assert "nothing for 1 s" in run.results[0].finding
        writer.close()
        await writer.wait_closed()

    with_tester(script)


@pytest.mark.parametrize("path", ["/", "/case", "/case?n=0", "/case?n=4", "/case?n=x", "/case?n=01", "/other", "//["])
def test_who_comes_to_a_wrong_place_is_told_the_right_ones(path: str) -> None:
    async def script(tester: ClientTester, port: int) -> None:
        answer = await exchange(port, UPGRADE.format(path))
        assert answer.startswith(b"HTTP/1.1 404 Not Found\r\n")
        assert b"/cases" in answer
        assert tester.runs == []

    with_tester(script)


@pytest.mark.parametrize("data", ["", "GET /cases HTT", "X" * 70_000])
def test_who_sends_no_request_is_let_go(data: str) -> None:
    async def script(_: ClientTester, port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(data.encode())
        if data:
            assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()
        assert await ours(f"ws://127.0.0.1:{port}/cases") == "3"

    with_tester(script)


def test_a_wrong_request_for_the_number_of_cases_is_logged() -> None:
    log: list[str] = []

    async def script(_: ClientTester, port: int) -> None:
        assert await exchange(port, UPGRADE.format("/cases").replace("13", "12")) == b""

    with_tester(script, log.append)
    assert log == ["a client came to /cases, but Sec-WebSocket-Version is ['12']"]


def test_leaving_ends_every_connection() -> None:
    async def main() -> None:
        with listener() as sock:
            async with ClientTester(ECHOES, sock):
                reader, writer = await asyncio.open_connection("127.0.0.1", sock.getsockname()[1])
                writer.write(UPGRADE.format("/case?n=1").encode())
                await reader.readuntil(b"\r\n\r\n")
            assert await reader.read() != b""
            writer.close()
            await writer.wait_closed()

    asyncio.run(main())


def test_a_listener_that_breaks_is_told_to_who_waits() -> None:
    async def main() -> None:
        sock = socket.socket()  # does not listen
        with sock:
            async with ClientTester(ECHOES, sock) as tester:
                with pytest.raises(OSError, match="Invalid argument"):
                    await tester.finished()

    asyncio.run(main())


def test_the_name_of_a_client_has_a_bound() -> None:
    async def script(tester: ClientTester, port: int) -> None:
        await ours(f"ws://127.0.0.1:{port}/case?n=1&agent={'x' * 200}")
        assert [run.peer for run in tester.runs] == ["x" * 80]

    with_tester(script)
