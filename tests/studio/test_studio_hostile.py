"""Captions, names and metadata that try to be more than text: every view of the page shows them as they are."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import orjson
import pytest
from PIL import Image
from playwright.sync_api import expect

from studio_process import PATIENCE, Studio

ATTACKS = (
    "<img src=x onerror=window.broken=1>",
    '"><svg onload=window.broken=2>',
    "'; window.broken=3; '",
    "</textarea><script>window.broken=4</script>",
    "{{constructor.constructor('window.broken=5')()}}",
    "javascript:window.broken=6",
    "\u202ertl\u202c \u200bnothing\u200b \u0001\u001b[31mred",
    "x" * 5000,
)
NAMES = (
    "<img src=x onerror=window.broken=7>.jpg",
    "'\"`.jpg",
    "a\nb.jpg",
    "%2e%2e%2f.jpg",
    "x..\\y.jpg",
    "&lt;b&gt;.jpg",
    "\u202egpj.exe.jpg",
    "\U0001f4a9 é.jpg",
    os.fsdecode(b"\xff\xfe.jpg"),
)


def named() -> tuple[str, ...]:
    return NAMES if sys.platform == "linux" else ()


@pytest.fixture
def photos(new_folder: Path) -> Path:
    """A picture for each attack, with hostile metadata, and one of each name."""
    folder = new_folder / "photos"
    folder.mkdir()
    exif = Image.Exif()
    exif[270] = ATTACKS[0]
    for number, text in enumerate(ATTACKS):
        picture = folder / f"{number}.jpg"
        Image.new("RGB", (64, 48), (30 * number, 90, 9)).save(picture, exif=exif, comment=ATTACKS[1].encode())
        picture.with_suffix(".txt").write_text(f"{text}, a cat\n")
    for name in named():
        (folder / name).hardlink_to(folder / "0.jpg")
        Path(folder, f"{name.removesuffix('.jpg')}.txt").write_text(f"{ATTACKS[0]}, a cat\n")
    rows = [
        {"image_id": f"{number}.jpg", "caption": text, "model": text} for number, text in enumerate(ATTACKS)
    ]
    (new_folder / "run.jsonl").write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    return folder


def bulk(page: Any) -> None:
    page.get_by_role("textbox", name="Find", exact=True).fill(ATTACKS[0])
    page.get_by_role("textbox", name="Replace with").fill(ATTACKS[1])
    expect(page.get_by_role("list", name="Changes").locator("ins").first).to_be_visible()


def compare(page: Any) -> None:
    page.get_by_role("checkbox", name="run.jsonl").check()
    page.locator(".compare").get_by_role("button", name="Compare").click()
    expect(page.get_by_role("list", name="Captions")).to_contain_text(ATTACKS[0])


PANELS: dict[str, Callable[[Any], None]] = {
    "Control+h": bulk,
    "h": lambda page: expect(page.get_by_role("list", name="Edits")).to_contain_text("onload"),
    "w": lambda page: expect(page.get_by_role("table")).to_contain_text("onerror"),
    "Shift+w": lambda page: expect(page.get_by_role("region", name="Lint")).to_be_visible(),
    "g": lambda page: expect(page.get_by_role("combobox", name="Captioner")).to_be_visible(),
    "e": lambda page: expect(page.get_by_role("combobox", name="Format")).to_be_visible(),
    "c": compare,
}


def test_hostile_captions_names_and_metadata_are_shown_as_they_are(page: Any, studio: Studio) -> None:
    """``page`` fails where the policy refuses something, a dialog opens, or anything is requested from elsewhere."""
    for number, text in enumerate(ATTACKS[:4]):
        name = f"mine-{number}"
        studio.call("PUT", f"filters/{name}", {"query": f'"{text.split()[0].strip(chr(34))}"'})
        studio.call("PUT", f"sets/{name}", {"rows": [number]})
    studio.call("PUT", "phrases", {"phrases": list(ATTACKS[:4])})
    edit = {"kind": "suffix", "text": ATTACKS[1]}
    found = studio.call("POST", "preview", {"edit": edit, "where": ATTACKS[0]})
    studio.job("POST", "apply", {"preview": found["preview"]})
    generate = {"choice": {"model": "fake"}, "policy": "append", "scope": {"rows": [0]}}
    assert studio.job("POST", "generate", generate)["captions"] == 1
    page.reload()
    expect(page.locator(".cell").first).to_be_visible()
    for row in studio.call("POST", "rows", {"rows": list(range(len(ATTACKS) + len(named())))}):
        expect(page.locator(".editor .path")).to_have_attribute("title", row["key"])
        expect(page.get_by_role("textbox", name="Caption", exact=True)).to_have_value(row["caption"])
        expect(page.locator(".editor .view img")).to_have_js_property("naturalWidth", 64)
        page.keyboard.press("ArrowRight")
    page.keyboard.press("t")
    page.keyboard.press("Home")
    expect(page.get_by_role("list", name="Tags").get_by_role("listitem").first).to_be_visible()
    for key, look in PANELS.items():
        page.locator(".grid").focus()
        page.keyboard.press(key)
        look(page)
        page.locator(".grid").focus()
        page.keyboard.press("Escape")
    page.keyboard.press("Control+k")
    page.keyboard.type("mine-")
    expect(page.get_by_role("listbox", name="Commands").get_by_role("option")).to_have_count(8)
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_role("combobox", name="Find")).not_to_have_value("")  # the command ran
    page.get_by_role("combobox", name="Find").fill("re:/<img src=x onerror=window.broken=1>(/")
    expect(page.locator("#mistake")).to_contain_text("<img src=x onerror=window.broken=1>(")
    page.keyboard.press("Escape")
    page.keyboard.press("o")
    expect(page.get_by_role("dialog")).to_be_visible()
    assert page.evaluate("window.broken ?? null") is None
    assert page.evaluate("document.querySelectorAll('[onerror], [onload]').length") == 0
    with urlopen(studio.url, timeout=PATIENCE) as response:
        policy = response.headers["Content-Security-Policy"]
        assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "default-src 'self'" in policy or "default-src 'none'" in policy
    assert "require-trusted-types-for 'script'" in policy
    assert "unsafe" not in policy


@pytest.mark.skipif(sys.platform != "linux", reason="names that other systems refuse")
def test_a_picture_of_any_name_is_edited_alone_and_taken_back(studio: Studio) -> None:
    def texts() -> dict[str, bytes]:
        return {file.name: file.read_bytes() for file in studio.folder.glob("*.txt")}

    before = texts()
    assert len(before) == len(ATTACKS) + len(NAMES)
    rows = studio.call("POST", "rows", {"rows": list(range(len(before)))})
    named = [row for row in rows if row["caption"] == f"{ATTACKS[0]}, a cat" and row["key"] != "0.jpg"]
    assert len(named) == len(NAMES)
    for row in named:
        body = {"caption": ATTACKS[1], "before": row["caption"], "key": row["key"]}
        studio.call("PUT", f"captions/{row['row']}", body)
        changed = [name for name, text in texts().items() if text != before[name]]
        assert [texts()[name] for name in changed] == [f"{ATTACKS[1]}\n".encode()]
        scope = {"rows": [row["row"]]}
        found = studio.call("POST", "preview", {"edit": {"kind": "prefix", "text": "x"}, "scope": scope})
        assert studio.job("POST", "apply", {"preview": found["preview"]})["written"] == 1
        assert [name for name, text in texts().items() if text != before[name]] == changed
        studio.job("POST", "undo", {})
        studio.job("POST", "undo", {})
        assert texts() == before
