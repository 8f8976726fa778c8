"""What `make demo` shows: the real server, the real page, two real tabs."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import random
import struct
import zlib
from collections.abc import AsyncIterator

import pytest

from tests.browser.devtools import Browser, Tab
from tests.examples.kit import demo, run

pytestmark = [pytest.mark.browser, pytest.mark.interop]


@contextlib.asynccontextmanager
async def tabs(browser_uri: str, url: str, *names: str) -> AsyncIterator[list[Tab]]:
    """A tab in the chat room for each name."""
    async with Browser.open(browser_uri) as browser:
        found = []
        for name in names:
            tab = await browser.tab(url)
            await is_open(tab)
            await tab.type("#name", name)
            await tab.press_enter()
            await tab.until(f"myName === {json.dumps(name)}")
            found.append(tab)
        yield found


async def is_open(tab: Tab) -> None:
    await tab.until("document.body.dataset.state === 'open' && document.querySelector('#people').children.length")


async def say(tab: Tab, text: str) -> None:
    await tab.type("#text", text)
    await tab.press_enter()


async def shows(tab: Tab, selector: str, text: str) -> None:
    """Wait until some element that matches shows exactly this text."""
    await tab.until(
        f"[...document.querySelectorAll({json.dumps(selector)})].some((one) => one.innerText === {json.dumps(text)})"
    )


async def drop(tab: Tab, content: bytes, name: str, media: str) -> None:
    """Drop a file on the page."""
    encoded = base64.b64encode(content).decode()
    await tab.run(f"""(() => {{
        const content = Uint8Array.from(atob("{encoded}"), (letter) => letter.charCodeAt(0));
        const dataTransfer = new DataTransfer();
        dataTransfer.items.add(new File([content], {json.dumps(name)}, {{ type: {json.dumps(media)} }}));
        document.body.dispatchEvent(new DragEvent("drop", {{ dataTransfer, bubbles: true, cancelable: true }}));
    }})()""")


async def file_content(tab: Tab, name: str) -> bytes:
    """What a click on the link of a file would save."""
    encoded = await tab.until(f"""(async () => {{
        const link = [...document.querySelectorAll(".bubble a")].find((one) => one.download === {json.dumps(name)});
        if (!link) return null;
        const bytes = new Uint8Array(await fetched.get(link.href).arrayBuffer());
        let text = "";
        for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode(...bytes.subarray(i, i + 8192));
        return btoa(text);
    }})()""")
    return base64.b64decode(encoded)


async def remember_files(tab: Tab) -> None:
    """Keep the blobs behind the page's links: its own policy forbids to fetch them."""
    await tab.run("""(() => {
        globalThis.fetched = new Map();
        const make = URL.createObjectURL;
        URL.createObjectURL = (blob) => {
            const url = make.call(URL, blob);
            fetched.set(url, blob);
            return url;
        };
    })()""")


def png(width: int, height: int) -> bytes:
    """A small grey picture."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    pixels = zlib.compress((b"\0" + b"\x80" * width) * height)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def test_two_tabs_chat(browser_uri: str) -> None:
    async def scenario(url: str) -> None:
        async with tabs(browser_uri, url, "Ada", "Grace") as (ada, grace):
            for tab in (ada, grace):
                await tab.until("document.querySelector('#people').innerText.match(/Ada/)")
                await tab.until("document.querySelector('#people').innerText.match(/Grace/)")
            await shows(ada, "#people .me span:last-child", "Ada")

            await say(ada, "Hello, is anybody here?")
            await shows(grace, ".message:not(.mine) .bubble", "Hello, is anybody here?")
            await shows(grace, ".message:not(.mine) header b", "Ada")
            await say(grace, "👋🏽")
            await shows(ada, ".message.emoji:not(.mine) .bubble", "👋🏽")
            await shows(grace, ".message.mine .bubble", "👋🏽")
            await say(grace, "<b>not</b> &amp; markup")
            await shows(ada, ".bubble", "<b>not</b> &amp; markup")

            await grace.close()
            await shows(ada, ".notice", "Grace left")
            await ada.until("document.querySelector('#people').children.length === 1")
            assert ada.problems == []

    with demo() as url:
        run(scenario(url))


def test_the_panel_is_alive(browser_uri: str) -> None:
    async def scenario(url: str) -> None:
        async with tabs(browser_uri, url, "Ada") as (tab,):
            for output in ("#latency", "#pill-latency", "#round-trip"):
                await tab.until(f"/^\\d+(\\.\\d)? ms$/.test(document.querySelector('{output}').innerText)")
            await tab.until("document.querySelector('#sparkline .line').getAttribute('d').includes('L')")
            for cell in ("#messages-in", "#messages-out", "#bytes-in", "#bytes-out", "#wire-in", "#wire-out"):
                assert await tab.run(f"parseInt(document.querySelector('{cell}').innerText) > 0"), cell
            assert await tab.text("#extensions") == "permessage-deflate"
            assert await tab.text("#state") == "open"

    with demo() as url:
        run(scenario(url))


def test_a_dropped_file_reaches_the_other_tab_byte_for_byte(browser_uri: str) -> None:
    content = random.Random(6455).randbytes(1024 * 1024)
    picture = png(64, 48)

    async def scenario(url: str) -> None:
        async with tabs(browser_uri, url, "Ada", "Grace") as (ada, grace):
            await remember_files(grace)
            await drop(ada, content, "noise.bin", "application/octet-stream")
            assert await file_content(grace, "noise.bin") == content
            await drop(ada, picture, "grey <i>.png", "image/png")
            assert await file_content(grace, "grey <i>.png") == picture
            await grace.until("document.querySelector('.bubble img').naturalWidth === 64")

            await drop(ada, content + b"!", "too large.bin", "")
            await ada.until("document.querySelector('#problem').innerText.includes('at most 1 MiB')")
            assert (ada.problems, grace.problems) == ([], [])

    with demo() as url:
        run(scenario(url))


def test_both_sides_report_how_a_connection_ended(browser_uri: str) -> None:
    async def scenario(url: str) -> None:
        async with tabs(browser_uri, url, "Ada") as (tab,):
            await say(tab, "before")
            await shows(tab, ".bubble", "before")

            await tab.click("[data-close='4002']")
            await shows(tab, ".reports li:first-child dd:not(.server)", "4002 “see you 👋”, clean")
            await shows(tab, ".reports .server", "closed by this side: 4002 (private use) 'see you 👋'")

            await tab.click(".close-form [value='browser']")
            await shows(tab, ".reports .server", "closed by the peer: 4242 (private use) 'because I can'")

            await tab.click("[data-drop]")
            await shows(tab, ".reports li:first-child dd.unclean", "1006, not clean")
            await tab.until("document.querySelectorAll('.reports .server:not(.quiet)').length === 3")

            await is_open(tab)
            await shows(tab, ".message.mine .bubble", "before")
            assert tab.problems == []

    with demo() as url:
        run(scenario(url))


def test_a_code_that_cannot_be_sent_is_explained(browser_uri: str) -> None:
    async def scenario(url: str) -> None:
        async with tabs(browser_uri, url, "Ada") as (tab,):
            await tab.type("#close-code", "1006")
            await tab.click(".close-form [value='server']")
            await tab.until("document.querySelector('#problem').innerText.includes('1006')")
            assert await tab.text("#state") == "open"

    with demo() as url:
        run(scenario(url))


def test_the_page_comes_back_when_the_server_does(browser_uri: str) -> None:
    async def scenario() -> None:
        with contextlib.ExitStack() as first:
            url = first.enter_context(demo())
            async with tabs(browser_uri, url, "Ada") as (tab,):
                await asyncio.to_thread(first.close)
                await tab.until("document.body.dataset.state === 'waiting'")
                with demo(int(url.rsplit(":", 1)[1].rstrip("/"))):
                    await is_open(tab)
                    await say(tab, "still me")
                    await shows(tab, ".message.mine .bubble", "still me")

    run(scenario())


def test_everything_has_a_name_for_those_who_do_not_see_it(browser_uri: str) -> None:
    async def scenario(url: str) -> None:
        async with tabs(browser_uri, url, "Ada") as (tab,):
            nameless = await tab.run("""[...document.querySelectorAll("input, textarea, button, svg[role]")]
                .filter((one) => !(one.ariaLabel || one.labels?.length || one.innerText?.trim()))
                .map((one) => one.outerHTML)""")
            assert nameless == []

    with demo() as url:
        run(scenario(url))
