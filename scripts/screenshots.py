"""Makes the pictures of the docs, ``docs/images``, from the sample pictures. Needs Chromium."""

from __future__ import annotations

import contextlib
import io
import json
import os
import pty
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright
from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

ROOT = Path(__file__).parents[1]
IMAGES = ROOT / "docs" / "images"
COLUMNS = 100
COLOURS = [(40, 40, 44), (220, 90, 80), (120, 190, 110), (220, 180, 90), (100, 150, 220), (190, 120, 200)]
THEME = TerminalTheme((24, 26, 30), (222, 222, 218), [*COLOURS, (110, 180, 190), (222, 222, 218)])
PAGE = """<!doctype html><meta charset="utf-8">
<style>body {{ margin: 0; padding: 20px 24px; background: {background}; color: {foreground} }}
pre {{ margin: 0; font: 15px/1.45 "DejaVu Sans Mono", monospace }} {stylesheet}</style><pre>{code}</pre>"""
TERMINAL = (
    ("caption", "pictures", "--preview", "3"),
    ("caption", "pictures", "captions.jsonl", "--prompt", "short"),
)
COMPARISON = ("compare", "plain=pixels", "reading=pixels:ocr", "--input-path", "pictures")
ODD = (
    "A picture on a white background.",
    "A picture on a white background.",
    "I'm sorry, but I cannot describe this image.",
)

SIZES = ((1280, 800), (1920, 1080))
SCHEMES = ("light", "dark")


def main() -> None:
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        sys.exit("needs Chromium: apt install chromium")
    (IMAGES / "studio").mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-gpu"])
        work = Path(folder)
        subprocess.run([sys.executable, ROOT / "examples/make_pictures.py", work / "pictures"], check=True)
        console = Console(record=True, width=COLUMNS, file=(work / "recorded").open("w"), force_terminal=True)
        for command in TERMINAL:
            console.print(Text(f"$ cutline {' '.join(command)}", style="bold"))
            console.print(Text.from_ansi(_output(command, work)), end="\n\n")
        console.save_html(str(work / "terminal.html"), theme=THEME, code_format=PAGE)
        _output(COMPARISON, work)
        _photograph(browser, work / "terminal.html", IMAGES / "terminal.png", (960, 560))
        _photograph(browser, work / "comparison.html", IMAGES / "comparison.png", (1200, 860))
        _photograph_studio(browser, work)


def _photograph_studio(browser: Browser, work: Path) -> None:
    """Every view of the studio, in two sizes, light and dark."""
    from cutline.sample_pictures import draw_samples

    photos = work / "photos"
    photos.mkdir()
    for _ in draw_samples(photos, captions=True):
        pass
    bare = [each for each in sorted(photos.iterdir()) if not each.with_suffix(".txt").exists()]
    for picture, text in zip(bare, ODD, strict=False):  # for lint
        picture.with_suffix(".txt").write_text(text)
    _output(("caption", "photos", "other.jsonl", "--model", "pixels", "--prompt", "short"), work)
    with _studio(photos) as url:
        _call(url, "marks", {"rows": [0, 2, 5], "mark": "done"})
        _call(url, "marks", {"rows": [3], "mark": "flagged"})
        _call(url, "preferences", {"tips": True}, "PUT")
        _call(url, "generate", {"choice": {"model": "pixels"}})
        _job(url, "map", {"of": "captions"})
        _job(url, "map/layout", {"kind": "t-sne"})
        _call(url, "map/clusters", {"count": 4})
        for size in SIZES:
            for scheme in SCHEMES:
                context = browser.new_context(
                    viewport={"width": size[0], "height": size[1]},
                    color_scheme=scheme,  # type: ignore[arg-type]
                )
                for name, show in VIEWS.items():
                    page = context.new_page()
                    page.goto(url)
                    expect(page.locator(".cell img").first).to_be_visible()
                    page.locator(".grid").focus()
                    show(page)
                    page.wait_for_timeout(1500)  # for the pictures
                    _save(page.screenshot(), IMAGES / "studio" / f"{name}-{scheme}-{size[0]}.webp")
                    page.close()
                context.close()


def _editor(page: Page) -> None:
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")


def _proposals(page: Page) -> None:
    page.locator(".cell", has=page.get_by_label("has a proposal")).first.locator("img").click()
    expect(page.get_by_role("region", name="Proposal")).to_be_visible()


def _preview(page: Page) -> None:
    page.keyboard.press("Control+h")
    page.get_by_role("textbox", name="Find", exact=True).fill("sky")
    page.get_by_role("textbox", name="Replace with").fill("evening sky")
    expect(page.get_by_role("list", name="Changes").get_by_role("listitem").first).to_be_visible()


def _compare(page: Page) -> None:
    page.keyboard.press("c")
    page.get_by_role("checkbox", name="other.jsonl").check()
    page.locator(".compare").get_by_role("button", name="Compare").click()
    expect(page.get_by_role("list", name="Captions")).to_be_visible()


def _map(page: Page) -> None:
    page.keyboard.press("m")
    expect(page.get_by_role("list", name="Clusters").get_by_role("listitem").first).to_be_visible(
        timeout=60_000
    )


def _clusters(page: Page) -> None:
    _map(page)
    page.get_by_role("button", name="Wide").click()


def _sets(page: Page) -> None:
    _clusters(page)
    page.get_by_role("button", name="Alike").click()
    page.get_by_label("Compare with").select_option(label="other.jsonl")
    expect(page.get_by_text("Where other.jsonl says something else")).to_be_visible(timeout=60_000)


VIEWS = {
    "editor": _editor,
    "proposals": _proposals,
    "preview": _preview,
    "history": lambda page: page.keyboard.press("h"),
    "compare": _compare,
    "words": lambda page: page.keyboard.press("w"),
    "lint": lambda page: page.keyboard.press("Shift+w"),
    "map": _map,
    "clusters": _clusters,
    "sets": _sets,
}


@contextlib.contextmanager
def _studio(photos: Path) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    places = {name: str(photos.parent / name) for name in ("XDG_CACHE_HOME", "XDG_STATE_HOME")}
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")} | places
    command = [sys.executable, "-m", "cutline", "studio", photos, "--port", str(port), "--no-open"]
    url = f"http://127.0.0.1:{port}"
    with subprocess.Popen(command, env=environment, cwd=photos.parent) as process:
        while True:
            with contextlib.suppress(OSError):
                if _call(url, "state", None, "GET").get("is_read"):
                    break
            time.sleep(0.1)
        try:
            yield url
        finally:
            process.terminate()


def _job(url: str, path: str, body: Any) -> None:
    """Start a job, and wait until it has ended."""
    number = _call(url, path, body)["job"]
    while not next(job["is_over"] for job in _call(url, "jobs", None, "GET") if job["job"] == number):
        time.sleep(0.1)


def _call(url: str, path: str, body: Any, method: str = "POST") -> Any:
    headers = {"Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{url}/studio/{path}", data, headers, method=method)  # noqa: S310
    with urllib.request.urlopen(request) as response:  # noqa: S310
        return json.load(response)


def _save(taken: bytes, image: Path) -> None:
    Image.open(io.BytesIO(taken)).convert("RGB").save(image, quality=72, method=6)
    sys.stdout.write(f"{image.relative_to(ROOT)}: {image.stat().st_size // 1000} kB\n")


def _output(command: tuple[str, ...], folder: Path) -> str:
    """What the command shows on a terminal when it has ended; the live line is gone by then."""
    terminal, inside = pty.openpty()
    environment = os.environ | {
        "COLUMNS": str(COLUMNS),
        "TERM": "xterm-256color",
        "PYTHONPATH": str(ROOT / "src"),
    }
    run = [sys.executable, "-m", "cutline", *command]
    with subprocess.Popen(run, cwd=folder, env=environment, stdout=inside, stderr=inside) as process:
        os.close(inside)
        parts = []
        with contextlib.suppress(OSError):  # Linux ends a terminal that nobody holds with an error
            while part := os.read(terminal, 65536):
                parts.append(part)
    os.close(terminal)
    if process.returncode:
        sys.exit(f"{' '.join(command)} ended with {process.returncode}")
    lines = b"".join(parts).decode().split("\n")
    return "\n".join(kept for line in lines if (kept := line.rstrip("\r").rpartition("\x1b[2K")[2].rstrip()))


def _photograph(browser: Browser, page: Path, image: Path, size: tuple[int, int]) -> None:
    shown = browser.new_page(viewport={"width": size[0], "height": size[1]})
    shown.goto(page.as_uri())
    taken = Image.open(io.BytesIO(shown.screenshot()))
    shown.close()
    taken.convert("RGB").quantize(192, dither=Image.Dither.NONE).save(image, optimize=True)
    sys.stdout.write(f"{image.relative_to(ROOT)}: {image.stat().st_size // 1000} kB\n")


if __name__ == "__main__":
    main()
