"""A page in the tests' browser, and what it did; for tests of what people look at."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from processes import wait_until

PATIENCE = 60.0  # seconds, on a busy machine


@dataclasses.dataclass
class OpenPage:
    """``page`` is Playwright's. ``requests`` are the URLs it requested, ``complaints`` what its console shows."""

    page: Any
    requests: list[str] = dataclasses.field(default_factory=list)
    complaints: list[str] = dataclasses.field(default_factory=list)

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression, run from outside the page."""
        return self.page.evaluate(expression)

    def until(self, expression: str, seconds: float = PATIENCE) -> Any:
        """Wait until an expression is true: pages with a strict policy let nothing wait inside them."""
        return wait_until(lambda: self.page.evaluate(expression), seconds, every=0.03)

    def press(self, *keys: str) -> None:
        """Press keys one after the other, as a person does."""
        for key in keys:
            self.page.keyboard.press(key)

    def choose(self, selector: str, *files: Path) -> None:
        """Choose files in a file field."""
        self.page.set_input_files(selector, files)

    def drop(self, *files: Path) -> None:
        """Drop files or folders in the middle of the page."""
        data = {"items": [], "files": [str(file) for file in files], "dragOperationsMask": 1}
        session = self.page.context.new_cdp_session(self.page)
        for kind in ("dragEnter", "dragOver", "drop"):
            session.send("Input.dispatchDragEvent", {"type": kind, "x": 300, "y": 200, "data": data})

    def named_nodes(self) -> list[tuple[str, str]]:
        """The roles and names that a screen reader finds."""
        session = self.page.context.new_cdp_session(self.page)
        nodes = session.send("Accessibility.getFullAXTree")["nodes"]
        return [
            (node["role"]["value"], node.get("name", {}).get("value", ""))
            for node in nodes
            if not node["ignored"]
        ]

    def resize(self, width: int, height: int = 900) -> None:
        self.page.set_viewport_size({"width": width, "height": height})

    def save(self, selector: str, folder: Path) -> Path:
        """The file that a click on a button saves, below ``folder``."""
        with self.page.expect_download() as download:
            self.page.evaluate(f"document.querySelector({selector!r}).click()")
        file = folder / download.value.suggested_filename
        download.value.save_as(file)
        return file

    def note(self, url: str) -> None:
        if not url.startswith("data:"):
            self.requests.append(url)


@contextlib.contextmanager
def opened(
    browser: Any,
    address: Path | str,
    *,
    width: int = 1280,
    height: int = 900,
    dark: bool = False,
    wait_for: str = "",
) -> Iterator[OpenPage]:
    """The page of a file or a URL, loaded, in a new, empty context of the browser.

    ``wait_for``: a selector of what is shown once it is ready.
    """
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light"
    )
    from playwright.sync_api import expect  # there, as there is a browser

    context.set_default_timeout(PATIENCE * 1000)
    expect.set_options(timeout=PATIENCE * 1000)
    page = OpenPage(context.new_page())
    page.page.on("console", lambda message: page.complaints.append(message.text))
    page.page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.page.on("request", lambda request: page.note(request.url))

    def dismiss(dialog: Any) -> None:
        page.complaints.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    page.page.on("dialog", dismiss)
    page.page.goto(address if isinstance(address, str) else address.resolve().as_uri())
    if wait_for:
        page.page.wait_for_selector(wait_for)
    else:
        page.page.wait_for_timeout(300)  # what a page might do a little later
    yield page
    context.close()
