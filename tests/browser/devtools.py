"""A small client of Chromium's DevTools protocol, on our own `connect`: what the browser tests steer tabs with."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
import json
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Final

from wsproto_asyncio import WebSocket, connect
from wsproto_core import ConnectionClosed, Limits

#: A screenshot, or 10 MB in base64, is one message.
_LIMITS: Final = Limits(message_size=64 * 1024 * 1024)
_FLAGS: Final = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    # A tab behind another one must not fall asleep.
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
    "--remote-debugging-port=0",
)
_START_TIMEOUT: Final = 30.0
_POLL: Final = 0.02


class PageError(AssertionError):
    """JavaScript of a test has thrown, or a page has not come to what was waited for."""


@contextlib.contextmanager
def chromium(program: str, profile: Path) -> Iterator[str]:
    """Run a headless browser with an empty profile; the context is the URI of its DevTools endpoint."""
    with subprocess.Popen(
        [program, *_FLAGS, f"--user-data-dir={profile}", "about:blank"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            yield _endpoint(process, profile / "DevToolsActivePort")
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def _endpoint(process: subprocess.Popen[bytes], port_file: Path) -> str:
    """The endpoint, once Chromium has written its port and path to a file of its profile."""
    deadline = time.monotonic() + _START_TIMEOUT
    while time.monotonic() < deadline and process.poll() is None:
        lines = port_file.read_text().split() if port_file.exists() else []
        if len(lines) == 2:
            return f"ws://127.0.0.1:{lines[0]}{lines[1]}"
        time.sleep(_POLL)
    raise RuntimeError(f"Chromium did not start (exit status {process.poll()})")


class Browser:
    """The browser, with one isolated set of cookies and storage, in which tabs are opened."""

    def __init__(self, ws: WebSocket) -> None:
        self._ws = ws
        self._numbers = itertools.count(1)
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._tabs: dict[str, Tab] = {}
        self._context: str | None = None

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, uri: str) -> AsyncIterator[Browser]:
        """Connect to a running Chromium; what was opened here is closed at the end."""
        async with connect(uri, limits=_LIMITS) as ws:
            self = cls(ws)
            reader = asyncio.create_task(self._read())
            try:
                self._context = (await self.call("Target.createBrowserContext"))["browserContextId"]
                yield self
                await self.call("Target.disposeBrowserContext", browserContextId=self._context)
            finally:
                await ws.close()
                await reader

    async def tab(self, url: str, *, width: int = 1280, height: int = 800) -> Tab:
        """Open a tab in a window of its own, and wait until its page has loaded."""
        place: dict[str, Any] = {"newWindow": True, "width": width, "height": height}
        place["browserContextId"] = self._context
        target = (await self.call("Target.createTarget", url="about:blank", **place))["targetId"]
        session = (await self.call("Target.attachToTarget", targetId=target, flatten=True))["sessionId"]
        tab = self._tabs[session] = Tab(self, session)
        await tab.call("Runtime.enable")
        await tab.call("Log.enable")
        await tab.go(url)
        return tab

    async def call(self, method: str, *, session: str | None = None, **parameters: object) -> dict[str, Any]:
        """Call a method of the protocol and return its result."""
        number = next(self._numbers)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        command: dict[str, object] = {"id": number, "method": method, "params": parameters}
        if session is not None:
            command["sessionId"] = session
        await self._ws.send(json.dumps(command))
        result = await answer
        if "error" in result:
            raise PageError(f"{method}: {result['error']}")
        value: dict[str, Any] = result["result"]
        return value

    async def _read(self) -> None:
        """Hand every answer to the call that waits for it, and every event to its tab."""
        try:
            async for message in self._ws:
                fields = json.loads(message)
                answer = self._answers.pop(fields.get("id", 0), None)
                if answer is not None and not answer.done():
                    answer.set_result(fields)
                elif fields.get("sessionId") in self._tabs:
                    self._tabs[fields["sessionId"]].happened(fields["method"], fields["params"])
        except ConnectionClosed:
            pass
        for answer in self._answers.values():
            answer.cancel()


class Tab:
    """One tab."""

    def __init__(self, browser: Browser, session: str) -> None:
        self._browser = browser
        self._session = session
        #: What the page's console would show in red: exceptions, refused resources, failed requests.
        self.problems: list[str] = []

    def happened(self, event: str, parameters: dict[str, Any]) -> None:
        """Take an event of this tab."""
        if event == "Runtime.exceptionThrown":
            details = parameters["exceptionDetails"]
            self.problems.append(details.get("exception", {}).get("description", details["text"]))
        elif event == "Log.entryAdded" and parameters["entry"]["level"] == "error":
            self.problems.append(parameters["entry"]["text"])

    async def call(self, method: str, **parameters: object) -> dict[str, Any]:
        """Call a method of the protocol for this tab."""
        return await self._browser.call(method, session=self._session, **parameters)

    async def go(self, url: str) -> None:
        """Navigate, and wait until the new page has loaded."""
        result = await self.call("Page.navigate", url=url)
        if "errorText" in result:
            raise PageError(f"{url}: {result['errorText']}")
        await self.until(f"location.href === {json.dumps(url)} && document.readyState === 'complete'")

    async def run(self, expression: str) -> Any:
        """The value of a JavaScript expression, awaited where it is a promise; JSON types only."""
        options = {"awaitPromise": True, "returnByValue": True, "userGesture": True}
        outcome = await self.call("Runtime.evaluate", expression=expression, **options)
        if "exceptionDetails" in outcome:
            details = outcome["exceptionDetails"]
            raise PageError(details.get("exception", {}).get("description", details["text"]))
        return outcome["result"].get("value")

    async def until(self, expression: str, *, timeout: float = 10.0) -> Any:
        """The first truthy value of an expression, asked for again and again."""
        value: Any = None
        try:
            async with asyncio.timeout(timeout):
                while not (value := await self.run(expression)):
                    await asyncio.sleep(_POLL)
        except TimeoutError:
            raise PageError(f"still {value!r} after {timeout} seconds: {expression}") from None
        return value

    async def text(self, selector: str) -> str:
        """The text that an element shows."""
        return str(await self.run(f"document.querySelector({json.dumps(selector)}).innerText"))

    async def click(self, selector: str) -> None:
        """Click on an element."""
        await self.run(f"document.querySelector({json.dumps(selector)}).click()")

    async def type(self, selector: str, text: str) -> None:
        """Focus a field, and put text into it as an input method does."""
        await self.run(f"document.querySelector({json.dumps(selector)}).select()")
        await self.call("Input.insertText", text=text)

    async def press_enter(self) -> None:
        """Press and release the Enter key."""
        key = {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13}
        await self.call("Input.dispatchKeyEvent", type="keyDown", text="\r", **key)
        await self.call("Input.dispatchKeyEvent", type="keyUp", **key)

    async def close(self) -> None:
        """Close the tab, as its user does."""
        await self.call("Page.close")

    async def screenshot(self, path: Path) -> None:
        """Write what the tab shows to a PNG file."""
        path.write_bytes(base64.b64decode((await self.call("Page.captureScreenshot"))["data"]))
