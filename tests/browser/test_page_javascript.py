"""`new WebSocket` in a real page, against a server of ours: what browsers do that no library does."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from tests.browser.devtools import Browser, Tab
from tests.examples.kit import run
from wsproto_asyncio import Server, WebSocket, serve
from wsproto_core import (
    SAME_ORIGIN,
    CloseReport,
    Headers,
    Initiator,
    Limits,
    OriginRule,
    PerMessageDeflate,
    Request,
    Response,
)

pytestmark = [pytest.mark.browser, pytest.mark.interop]

TEN_MEGABYTES = 10_000_000
PAGE = b"""<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><script>
const address = location.href.replace("http", "ws") + "echo";

function opened(protocols = []) {
  const ws = new WebSocket(address, protocols);
  ws.binaryType = "arraybuffer";
  return new Promise((resolve, reject) => {
    ws.onopen = () => resolve(ws);
    ws.onerror = () => reject(Error("refused"));
  });
}

function answer(ws) {
  return new Promise((resolve) => ws.addEventListener("message", (event) => resolve(event.data), { once: true }));
}

function end(ws) {
  return new Promise((resolve) => {
    ws.onclose = ({ code, reason, wasClean }) => resolve({ code, reason, wasClean });
  });
}

// Bytes that do not compress and that both sides can make (xorshift32).
function noise(size) {
  const bytes = new Uint8Array(size);
  let state = 2463534242;
  for (let i = 0; i < size; i += 1) {
    state ^= state << 13; state ^= state >>> 17; state ^= state << 5;
    bytes[i] = state;
  }
  return bytes;
}

const same = (a, b) => a.length === b.length && a.every((byte, index) => byte === b[index]);
</script>"""


def noise(size: int) -> bytes:
    """The same bytes as the page's."""
    state, out = 2463534242, bytearray()
    for _ in range(size):
        state ^= (state << 13) & 0xFFFFFFFF
        state ^= state >> 17
        state ^= (state << 5) & 0xFFFFFFFF
        out.append(state & 0xFF)
    return bytes(out)


def blank_page(_: WebSocket, request: Request) -> Response | None:
    if request.path == "/echo":
        return None
    return Response(status=200, headers=Headers({"Content-Type": "text/html"}), body=PAGE)


@contextlib.asynccontextmanager
async def page(
    uri: str, handler: Callable[[WebSocket], Awaitable[None]], **options: Any
) -> AsyncIterator[tuple[Tab, Server[Any]]]:
    """A tab with the page above, and the server that it came from."""
    async with (
        serve(handler, "127.0.0.1", 0, process_request=blank_page, **options) as server,
        Browser.open(uri) as browser,
    ):
        yield await browser.tab(f"http://127.0.0.1:{server.port}/"), server


async def echo(ws: WebSocket) -> None:
    async for message in ws:
        await ws.send(message)


COMPRESSION = pytest.mark.parametrize("compression", [None, PerMessageDeflate()], ids=["plain", "deflate"])


@COMPRESSION
def test_every_kind_of_message_comes_back(browser_uri: str, compression: PerMessageDeflate | None) -> None:
    received: list[str | bytes] = []
    negotiated: list[tuple[str, ...]] = []
    round_trips: list[float] = []

    async def handler(ws: WebSocket) -> None:
        negotiated.append(ws.extensions)
        round_trips.append(await ws.ping())
        async for message in ws:
            received.append(message)
            await ws.send(message)

    async def scenario() -> None:
        async with page(browser_uri, handler, compression=compression) as (tab, _):
            answers = await tab.run("""(async () => {
                const ws = await opened();
                const texts = ["hello", "", "👋🏽 Ünïcödé 🇺🇳 \\u0000", "megabyte ".repeat(111_111)];
                const binaries = [noise(1000).buffer, new Blob([noise(1000)]), new Uint8Array(), noise(1_000_000)];
                const outcome = { extensions: ws.extensions, texts: [], binaries: [] };
                for (const text of texts) {
                    ws.send(text);
                    outcome.texts.push(await answer(ws) === text);
                }
                for (const binary of binaries) {
                    const sent = new Uint8Array(await new Blob([binary]).arrayBuffer());
                    ws.send(binary);
                    outcome.binaries.push(same(new Uint8Array(await answer(ws)), sent));
                }
                ws.close();
                outcome.end = await end(ws);
                return outcome;
            })()""")
        assert answers["texts"] == [True] * 4
        assert answers["binaries"] == [True] * 4
        assert answers["end"] == {"code": 1005, "reason": "", "wasClean": True}
        assert answers["extensions"].split(";")[0] == ("permessage-deflate" if compression else "")

    run(scenario())
    some = noise(1000)
    texts = ["hello", "", "👋🏽 Ünïcödé 🇺🇳 \0", "megabyte " * 111_111]
    assert received == [*texts, some, some, b"", noise(1_000_000)]
    assert negotiated == [("permessage-deflate",) if compression else ()]
    assert 0 <= round_trips[0] < 10


@COMPRESSION
def test_ten_megabytes_come_back(browser_uri: str, compression: PerMessageDeflate | None) -> None:
    async def scenario() -> None:
        limits = Limits(message_size=2 * TEN_MEGABYTES)
        async with page(browser_uri, echo, compression=compression, limits=limits) as (tab, _):
            assert await tab.run(f"""(async () => {{
                const ws = await opened();
                const sent = noise({TEN_MEGABYTES});
                ws.send(sent);
                const binary = new Uint8Array(await answer(ws));
                const text = Array.from(sent.subarray(0, 1_000_000), (byte) => byte + 191).join("é");
                ws.send(text);
                return same(binary, sent) && await answer(ws) === text;
            }})()""")

    run(scenario())


def test_a_message_that_is_too_big_closes_with_1009(browser_uri: str) -> None:
    async def scenario() -> None:
        async with page(browser_uri, echo, limits=Limits(message_size=1000)) as (tab, _):
            closed = await tab.run("opened().then((ws) => { ws.send('x'.repeat(1001)); return end(ws); })")
        assert closed["code"] == 1009
        assert closed["wasClean"] is True

    run(scenario())


def test_the_server_chooses_among_the_subprotocols_offered(browser_uri: str) -> None:
    async def scenario() -> None:
        async with page(browser_uri, echo, subprotocols=["chat.v2", "chat.v1"]) as (tab, _):
            assert await tab.run("opened(['chat.v1', 'chat.v2', 'other']).then((ws) => ws.protocol)") == "chat.v2"
            assert await tab.run("opened().then((ws) => ws.protocol)") == ""

    run(scenario())


def test_the_browser_closes_with_a_code_and_a_reason(browser_uri: str) -> None:
    reports: list[CloseReport] = []

    async def handler(ws: WebSocket) -> None:
        reports.append(await ws.wait_closed())

    async def scenario() -> None:
        async with page(browser_uri, handler) as (tab, _):
            ended = await tab.run("opened().then((ws) => { ws.close(4001, 'bye 👋'); return end(ws); })")
        assert ended["code"] == 4001
        assert ended["wasClean"] is True

    run(scenario())
    (report,) = reports
    assert (report.code, report.reason, report.initiator) == (4001, "bye 👋", Initiator.PEER)
    assert report.clean


def test_the_server_closes_with_a_code_and_a_reason(browser_uri: str) -> None:
    reports: list[CloseReport] = []

    async def handler(ws: WebSocket) -> None:
        await ws.recv()
        await ws.close(4002, "that will do 🙂")
        reports.append(await ws.wait_closed())

    async def scenario() -> None:
        async with page(browser_uri, handler) as (tab, _):
            ended = await tab.run("opened().then((ws) => { ws.send('go'); return end(ws); })")
        assert ended == {"code": 4002, "reason": "that will do 🙂", "wasClean": True}

    run(scenario())
    (report,) = reports
    assert (report.code, report.received_code, report.sent_code) == (4002, 4002, 4002)
    assert report.initiator is Initiator.LOCAL
    assert report.clean


def test_a_tab_that_is_closed_says_so(browser_uri: str) -> None:
    reports: list[CloseReport] = []
    is_over = asyncio.Event()

    async def handler(ws: WebSocket) -> None:
        reports.append(await ws.wait_closed())
        is_over.set()

    async def scenario() -> None:
        async with page(browser_uri, handler) as (tab, _):
            await tab.run("opened().then(() => 'open')")
            await tab.close()
            await is_over.wait()

    run(scenario())
    assert [(report.code, report.initiator, report.ok) for report in reports] == [(1001, Initiator.PEER, True)]


@pytest.mark.parametrize(
    ("origins", "outcome"),
    [([SAME_ORIGIN], "open"), (["https://elsewhere.example"], {"code": 1006, "reason": "", "wasClean": False})],
    ids=["same", "elsewhere"],
)
def test_the_origin_of_the_page_decides(browser_uri: str, origins: list[OriginRule], outcome: object) -> None:
    async def scenario() -> None:
        async with page(browser_uri, echo, origins=origins) as (tab, server):
            assert (
                await tab.run("""(() => {
                const ws = new WebSocket(address);
                let failed = false;
                ws.onerror = () => { failed = true; };
                return new Promise((resolve) => {
                    ws.onopen = () => resolve("open");
                    ws.onclose = ({ code, reason, wasClean }) => resolve(failed && { code, reason, wasClean });
                });
            })()""")
                == outcome
            )
            assert len(server.connections) == (outcome == "open")
            assert any("403" in problem for problem in tab.problems) == (outcome != "open"), json.dumps(tab.problems)

    run(scenario())
