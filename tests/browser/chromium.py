"""A page in headless Chromium, through its debugging port and tornado's client, which Dask brings."""

import asyncio
import itertools
import json
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from tornado.websocket import WebSocketClientConnection, websocket_connect

__all__ = ["Tab", "opened"]

_PATIENCE = 60.0


class Tab:
    """One page: what it logs and asks for is kept, and expressions are evaluated in it."""

    def __init__(self, connection: WebSocketClientConnection) -> None:
        self.connection = connection
        self.events: list[dict[str, Any]] = []
        self._numbers = itertools.count(1)

    async def call(self, method: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
        """What a method of the protocol returns."""
        number = next(self._numbers)
        await self.connection.write_message(
            json.dumps({"id": number, "method": method, "params": params or {}})
        )
        while True:
            message = await self._next()
            if message.get("id") == number:
                assert "error" not in message, message
                result: dict[str, Any] = message["result"]
                return result
            self.events.append(message)

    async def wait(self, method: str) -> None:
        """Until an event has come."""
        while not any(event.get("method") == method for event in self.events):
            self.events.append(await self._next())

    async def value(self, expression: str) -> Any:
        """An expression's value, promises awaited."""
        asked = {"expression": expression, "awaitPromise": True, "returnByValue": True}
        found = await self.call("Runtime.evaluate", asked)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    async def press(self, key: str) -> None:
        """Presses and releases a key."""
        codes = {"Tab": 9, "Enter": 13, "Escape": 27, "ArrowRight": 39}
        text = {"text": "\r"} if key == "Enter" else {}
        about = {"key": key, "code": key, "windowsVirtualKeyCode": codes[key], **text}
        await self.call("Input.dispatchKeyEvent", {"type": "keyDown", **about})
        await self.call("Input.dispatchKeyEvent", {"type": "keyUp", **about})

    async def resize(self, width: int) -> None:
        """The width of the window, in pixels."""
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
        await self.call("Emulation.setDeviceMetricsOverride", size)

    async def _next(self) -> dict[str, Any]:
        text = await asyncio.wait_for(asyncio.ensure_future(self.connection.read_message()), _PATIENCE)
        assert text is not None, "Chromium has gone"
        message: dict[str, Any] = json.loads(text)
        return message


@asynccontextmanager
async def opened(page: Path, profile: Path) -> AsyncIterator[Tab]:
    """A page, once it is loaded.

    Args:
        page: a file.
        profile: an empty folder for the browser.
    """
    command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0"]
    browser = subprocess.Popen(
        [*command, f"--user-data-dir={profile}", "about:blank"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        tab = Tab(await websocket_connect(await _address(profile), max_message_size=2**30))
        for domain in ("Page", "Runtime", "Log", "Network"):
            await tab.call(f"{domain}.enable")
        await tab.call("Page.navigate", {"url": page.resolve().as_uri()})
        await tab.wait("Page.loadEventFired")
        yield tab
        tab.connection.close()
        while await tab.connection.read_message() is not None:
            pass
    finally:
        browser.terminate()
        browser.wait()


async def _address(profile: Path) -> str:
    """Where the debugger of the first page listens."""
    place = profile / "DevToolsActivePort"
    for _ in range(300):
        if place.exists() and (lines := place.read_text().splitlines()):
            with urlopen(f"http://127.0.0.1:{lines[0]}/json") as answer:
                pages = [one for one in json.load(answer) if one["type"] == "page"]
            if pages:
                return str(pages[0]["webSocketDebuggerUrl"])
        await asyncio.sleep(0.1)
    raise AssertionError("Chromium has opened no debugging port")
