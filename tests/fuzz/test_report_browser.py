"""The page in a real browser: its script runs under its own policy, and the filter shows what it is asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import pytest

from tests.browser.conftest import browser_uri
from tests.browser.devtools import Browser, Tab
from tests.fuzz.report_kit import HOSTILE, result, run
from wsproto_fuzz.conformance.report.folder import write_reports
from wsproto_fuzz.conformance.verdict import Run, Verdict

__all__ = ["browser_uri"]

pytestmark = [pytest.mark.browser, pytest.mark.interop]

SHOWN = "[...document.querySelectorAll('.cases > details')].filter((e) => e.checkVisibility()).map((e) => e.id)"
RUNS = [
    run(result("ping.1"), result("ping.2", Verdict.LAX), result("utf8.1"), peer="one"),
    run(result("ping.1"), result("ping.2"), result("utf8.1", Verdict.FAIL, finding=HOSTILE), peer=HOSTILE),
]


def on_the_page(
    uri: str, folder: Path, fragment: str, script: Callable[[Tab], Awaitable[None]], runs: Sequence[Run] = RUNS
) -> None:
    """Open the page of ``runs`` at ``fragment``, and play the script; the console must stay silent."""
    address = write_reports(folder, runs).as_uri()

    async def main() -> None:
        async with Browser.open(uri) as browser:
            tab = await browser.tab(f"{address}{fragment}")
            await script(tab)
            assert tab.problems == []

    asyncio.run(main())


async def click(tab: Tab, selector: str) -> list[str]:
    """Click; the cases that are shown then."""
    await tab.click(selector)
    return list(await tab.run(SHOWN))


async def say(tab: Tab, words: str) -> list[str]:
    """Write into the filter; the cases that are shown then."""
    await tab.run(f"text.value = {words!r}; text.dispatchEvent(new Event('input'))")
    return list(await tab.run(SHOWN))


def test_the_filter(browser_uri: str, tmp_path: Path) -> None:
    async def script(tab: Tab) -> None:
        everything = ["ping.1", "ping.2", "utf8.1"]
        assert await tab.run(SHOWN) == everything
        assert await tab.text("#shown") == "3 cases"
        assert await click(tab, ".toggle.fail") == ["utf8.1"]
        assert await click(tab, ".toggle.lax") == ["ping.2", "utf8.1"]
        assert await tab.text("#shown") == "2 of 3 cases"
        assert await tab.run("location.hash") == "#verdict=lax+fail"
        assert [await click(tab, ".toggle.fail"), await click(tab, ".toggle.lax")][1] == everything
        assert await click(tab, ".toggle.differs") == ["ping.2", "utf8.1"]
        assert await click(tab, ".toggle.differs") == everything
        assert await say(tab, "TITLE ping.1") == ["ping.1"]
        assert await say(tab, "no such words") == []
        assert await tab.run("nothing.checkVisibility()")
        assert await say(tab, "") == everything
        assert not await tab.run("nothing.checkVisibility()")
        await tab.run("group.value = 'utf8'; group.dispatchEvent(new Event('change'))")
        assert await tab.run(SHOWN) == ["utf8.1"]

    on_the_page(browser_uri, tmp_path, "", script)


def test_the_address_brings_the_filter_back(browser_uri: str, tmp_path: Path) -> None:
    async def script(tab: Tab) -> None:
        assert await tab.run(SHOWN) == ["ping.2"]
        assert await tab.run("[group.value, text.value]") == ["ping", "title"]

    on_the_page(browser_uri, tmp_path, "#verdict=lax&group=ping&text=title", script)


@pytest.mark.parametrize(
    ("link", "shown"), [("h1 .badge", ["utf8.1"]), (".legend li:first-child a", ["ping.1", "ping.2"])]
)
def test_counts_are_links_to_their_cases(browser_uri: str, tmp_path: Path, link: str, shown: list[str]) -> None:
    follow = (
        f"new Promise((done) => {{ addEventListener('hashchange', done); document.querySelector('{link}').click(); }})"
    )

    async def script(tab: Tab) -> None:
        await tab.run(f"{follow}.then(() => null)")
        assert await tab.run(SHOWN) == shown

    on_the_page(browser_uri, tmp_path, "", script, RUNS[1:])


def test_the_address_of_a_case_unfolds_it(browser_uri: str, tmp_path: Path) -> None:
    async def script(tab: Tab) -> None:
        assert await tab.run("document.getElementById('ping.2').open")
        assert await tab.run("document.querySelectorAll('.cases > details[open]').length") == 1
        await tab.click("#unfold")
        assert await tab.run("document.querySelectorAll('.cases > details[open]').length") == 3

    on_the_page(browser_uri, tmp_path, "#ping.2", script)


@pytest.mark.parametrize("width", [1280, 400])
def test_nothing_is_wider_than_the_window(browser_uri: str, tmp_path: Path, width: int) -> None:
    async def script(tab: Tab) -> None:
        await tab.call("Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=False)
        assert await tab.run("document.documentElement.scrollWidth") <= width

    on_the_page(browser_uri, tmp_path, "#utf8.1", script)
