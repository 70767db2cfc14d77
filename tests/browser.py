"""A headless Chromium that opens a page and tells what it did; for tests of what people look at."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import dataclasses
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--hide-scrollbars"),
    *("--no-default-browser-check", "--remote-debugging-port=0", "--remote-allow-origins=*"),
)


def find_browser() -> str:
    """The browser's path; skips the test where there is none. CUTLINE_BROWSER names another one."""
    chosen = os.environ.get("CUTLINE_BROWSER")
    found = chosen or next(filter(None, map(shutil.which, _NAMES)), None)
    if not found:
        pytest.skip("needs a browser: install chromium, or set CUTLINE_BROWSER")
    return found


@dataclasses.dataclass
class Page:
    """An open page. ``requests`` are the URLs it asked for, ``complaints`` what its console says."""

    _socket: aiohttp.ClientWebSocketResponse
    _session: str
    requests: list[str] = dataclasses.field(default_factory=list)
    complaints: list[str] = dataclasses.field(default_factory=list)
    _replies: dict[int, asyncio.Future[Any]] = dataclasses.field(default_factory=dict)
    _loaded: asyncio.Event = dataclasses.field(default_factory=asyncio.Event)

    async def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression, run from outside the page."""
        result = await self.send("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    async def press(self, *keys: str) -> None:
        """Press keys one after the other, as a person does: ``Tab``, ``Enter``, `` `` or a character."""
        codes = {"Tab": 9, "Enter": 13, " ": 32}
        for key in keys:
            text = {"Enter": "\r", "Tab": ""}.get(key, key)
            said: dict[str, Any] = {"key": key, "windowsVirtualKeyCode": codes.get(key, 0)}
            await self.send("Input.dispatchKeyEvent", type="keyDown", text=text, **said)
            await self.send("Input.dispatchKeyEvent", type="keyUp", **said)

    async def choose(self, selector: str, *files: Path) -> None:
        """Choose files in a file field."""
        found = await self.send("Runtime.evaluate", expression=f"document.querySelector({selector!r})")
        node = found["result"]["objectId"]
        await self.send("DOM.setFileInputFiles", objectId=node, files=[str(file) for file in files])

    async def drop(self, *files: Path) -> None:
        """Drop files or folders in the middle of the page."""
        data = {"items": [], "files": [str(file) for file in files], "dragOperationsMask": 1}
        for kind in ("dragEnter", "dragOver", "drop"):
            await self.send("Input.dispatchDragEvent", type=kind, x=300, y=200, data=data)

    async def until(self, expression: str, seconds: float = 20) -> Any:
        """Wait until an expression is true."""
        end = asyncio.get_running_loop().time() + seconds
        while not (value := await self.evaluate(expression)):
            assert asyncio.get_running_loop().time() < end, f"not within {seconds} s: {expression}"
            await asyncio.sleep(0.02)
        return value

    async def screenshot(self, *, whole: bool = False) -> bytes:
        result = await self.send("Page.captureScreenshot", captureBeyondViewport=whole)
        return base64.b64decode(result["data"])

    async def send(self, method: str, **parameters: Any) -> Any:
        number = len(self._replies) + 1
        self._replies[number] = asyncio.get_running_loop().create_future()
        message = {"id": number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        await self._socket.send_json(message)
        return await asyncio.wait_for(self._replies[number], 240)

    async def listen(self) -> None:
        async for message in self._socket:
            data = json.loads(message.data)
            if "id" in data:
                reply = self._replies[data["id"]]
                if not reply.done():
                    error = data.get("error")
                    reply.set_exception(RuntimeError(str(error))) if error else reply.set_result(
                        data["result"]
                    )
            else:
                self._note(data["method"], data.get("params", {}))

    def _note(self, event: str, said: dict[str, Any]) -> None:
        if event == "Network.requestWillBeSent":
            url = said["request"]["url"]
            if not url.startswith("data:"):
                self.requests.append(url)
        elif event == "Log.entryAdded":
            self.complaints.append(said["entry"]["text"])
        elif event == "Runtime.consoleAPICalled":
            self.complaints.append(str([value.get("value") for value in said["args"]]))
        elif event == "Runtime.exceptionThrown":
            self.complaints.append(str(said["exceptionDetails"]))
        elif event == "Page.javascriptDialogOpening":
            self.complaints.append(f"dialog: {said['message']}")
        elif event == "Page.loadEventFired":
            self._loaded.set()


@contextlib.asynccontextmanager
async def opened(
    address: Path | str, *, width: int = 1280, height: int = 900, dark: bool = False
) -> AsyncIterator[Page]:
    """The page of a file or a URL, loaded, in a browser of its own with a new, empty profile."""
    browser = find_browser()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [browser, *_FLAGS, f"--user-data-dir={profile}", "about:blank"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            async with aiohttp.ClientSession() as client:
                control = await _address(Path(profile) / "DevToolsActivePort", process)
                async with client.ws_connect(control, max_msg_size=0) as socket:
                    whole = Page(socket, "")
                    listening = asyncio.create_task(whole.listen())
                    target = await whole.send("Target.createTarget", url="about:blank")
                    attached = await whole.send(
                        "Target.attachToTarget", targetId=target["targetId"], flatten=True
                    )
                    page = Page(socket, attached["sessionId"], _replies=whole._replies)
                    whole._note = page._note  # type: ignore[method-assign]
                    await _load(page, address, width, height, dark=dark)
                    yield page
                    listening.cancel()
        finally:
            process.kill()
            process.wait()


async def _load(page: Page, address: Path | str, width: int, height: int, *, dark: bool) -> None:
    for domain in ("Network", "Log", "Runtime", "Page"):
        await page.send(f"{domain}.enable")
    await page.send(
        "Emulation.setDeviceMetricsOverride",
        width=width,
        height=height,
        deviceScaleFactor=1,
        mobile=width < 600,
    )
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    await page.send("Emulation.setEmulatedMedia", features=[scheme])
    url = address if isinstance(address, str) else address.resolve().as_uri()
    await page.send("Page.navigate", url=url)
    await asyncio.wait_for(page._loaded.wait(), 240)
    await asyncio.sleep(0.3)  # what a page might do a little later


async def _address(file: Path, process: subprocess.Popen[bytes]) -> str:
    """Where the browser listens, as it writes down when it does."""
    for _ in range(600):
        assert process.poll() is None, "the browser did not start"
        with contextlib.suppress(OSError):
            lines = file.read_text().split()
            if len(lines) == 2:
                return f"ws://127.0.0.1:{lines[0]}{lines[1]}"
        await asyncio.sleep(0.05)
    raise AssertionError("the browser does not say where it listens")
