"""Writes the table of keys in ``docs/studio.md`` from the registry of the studio's page. Needs Chromium."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "studio.md"
BEGIN, END = "<!-- keys of the studio -->\n", "<!-- end of keys -->\n"
REGISTRY = "import('/page/keys.js').then(keys => [...keys.actions.values()].map(({run, ...one}) => one))"
SIGNS = {
    "ArrowLeft": "←",
    "ArrowRight": "→",
    "ArrowUp": "↑",
    "ArrowDown": "↓",
    "PageUp": "PgUp",
    "PageDown": "PgDn",
    "Escape": "Esc",
}


def table(actions: Sequence[dict[str, Any]]) -> str:
    """The registry's actions as a table, those of one group together."""
    groups: dict[str, list[str]] = {}
    for action in actions:
        name, text = action["id"], action["text"]
        if (name.startswith("pick-") and name != "pick-all") or name.startswith("filter:"):
            continue  # Shift and a key that moves; filters of a dataset
        if re.fullmatch(r"phrase-[2-9]|map-far-.*", name):
            continue
        keys = ", ".join(f"`{_sign(key)}`" for key in action["defaults"])
        if name == "phrase-1":
            keys, text = "`Alt+1` … `Alt+9`", "quick phrases: into the caption, or out of it"
        typing = " (also while typing)" if action.get("typing") and "typing" not in text else ""
        groups.setdefault(action.get("group", "More"), []).append(f"| {keys} | {text}{typing} |\n")
    rows = "".join("".join(found) for found in groups.values())
    return f"\n| key | what it does |\n|---|---|\n{rows}\n"


def _sign(key: str) -> str:
    return re.sub("|".join(SIGNS), lambda found: SIGNS[found[0]], key)


def with_table(page: str, actions: Sequence[dict[str, Any]]) -> str:
    """The page of the documentation with the table in its place."""
    before, rest = page.split(BEGIN)
    return before + BEGIN + table(actions) + END + rest.split(END)[1]


def main() -> None:
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if browser is None:
        sys.exit("needs Chromium: apt install chromium")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        Image.new("RGB", (32, 32)).save(Path(folder) / "1.jpg")
        command = [sys.executable, "-m", "cutline", "studio", folder, "--port", "0"]
        studio = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        try:
            assert studio.stdout is not None
            url = studio.stdout.readline().split()[4].rstrip(",")
            opened = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
            page = opened.new_page()
            page.goto(url)
            page.wait_for_selector(".cell")
            actions = page.evaluate(REGISTRY)
            opened.close()
        finally:
            studio.terminate()
            studio.wait()
    PAGE.write_text(with_table(PAGE.read_text(), actions))
    print(f"wrote {PAGE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
