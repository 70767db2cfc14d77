"""The keys of the studio's page: each one does what the documentation says, and can be changed."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from processes import wait_until
from studio_process import Studio

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "src/cutline/studio/page"


@pytest.fixture(autouse=True)
def own_keys(shared_studio: Studio) -> Iterator[None]:
    yield
    shared_studio.call("PUT", "preferences", {"keys": {}, "tips": True})


KEPT = "import('/page/store.js').then(({ preferences }) => preferences.value?.keys.flag?.[0] === 'J')"


def at(page: Any, name: str) -> None:
    expect(page.locator(".cell.cursor")).to_have_attribute("title", name)


def picked(page: Any, count: int) -> None:
    expect(page.get_by_text("picked", exact=False)).to_have_count(1 if count else 0)
    if count:
        expect(page.get_by_text(f"{count} picked")).to_be_visible()


def test_the_grid_is_walked_and_picked_by_keys(page: Any) -> None:
    press = page.keyboard.press
    for key, name in {
        "End": "11.jpg",
        "Home": "00.jpg",
        "ArrowRight": "01.jpg",
        "ArrowLeft": "00.jpg",
    }.items():
        press(key)
        at(page, name)
    press("ArrowDown")
    expect(page.locator(".cell.cursor")).not_to_have_attribute("title", "00.jpg")
    press("ArrowUp")
    at(page, "00.jpg")
    press("PageDown")
    expect(page.locator(".cell.cursor")).not_to_have_attribute("title", "00.jpg")
    press("PageUp")
    at(page, "00.jpg")
    press("Space")
    picked(page, 1)
    press("Shift+End")
    picked(page, 12)
    press("Shift+Home")
    picked(page, 1)
    press("Control+i")
    picked(page, 11)
    press("Control+a")
    picked(page, 12)
    page.locator(".cell").nth(3).click()  # moves the cursor, and keeps what is picked
    at(page, "03.jpg")
    picked(page, 12)
    page.locator(".cell").nth(4).dblclick(position={"x": 40, "y": 60})
    picked(page, 12)
    press("Control+Shift+a")
    picked(page, 0)


def test_keys_outside_of_text_do_what_they_should(page: Any, studio: Studio) -> None:
    press = page.keyboard.press
    press("j")
    at(page, "08.jpg")
    press("d")
    press("Home")
    press("d")
    press("u")
    at(page, "01.jpg")
    press("f")
    wait_until(lambda: studio.call("POST", "rows", {"rows": [1]})[0]["marks"] == ["flagged"])
    press("t")
    expect(page.get_by_role("list", name="Tags")).to_be_visible()
    press("t")
    expect(page.get_by_role("textbox", name="Caption")).to_be_visible()
    panels = {"e": "Export", "h": "History", "Control+h": "Edit many captions", "g": "Generate"}
    for key, name in panels.items():
        press(key)
        expect(page.get_by_role("region", name=name)).to_be_visible()
        press("Escape")
        expect(page.get_by_role("region", name=name)).to_have_count(0)
    for key, name in {"?": "Keys", "Control+k": "Commands", "o": "Open a folder"}.items():
        press(key)
        expect(page.get_by_role("dialog", name=name)).to_be_visible()
        press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)
    for key in ("/", "Control+f"):
        press(key)
        expect(page.get_by_role("combobox", name="Find")).to_be_focused()
        press("Escape")
        expect(page.locator(".grid")).to_be_focused()
    press("Control+z")
    wait_until(lambda: studio.call("POST", "rows", {"rows": [1]})[0]["marks"] == [])
    press("Control+Shift+z")
    wait_until(lambda: studio.call("POST", "rows", {"rows": [1]})[0]["marks"] == ["flagged"])


def test_what_keys_do_is_done_by_clicks_too(page: Any, studio: Studio) -> None:
    def marks(*rows: int) -> list[list[str]]:
        return [row["marks"] for row in studio.call("POST", "rows", {"rows": list(rows)})]

    def command(text: str) -> None:
        page.get_by_role("button", name="Commands").click()
        page.get_by_role("option", name=text).click()

    editor = page.get_by_role("region", name="Caption")
    for name, mark in (("Done", "done"), ("Flag", "flagged")):
        button = editor.get_by_role("button", name=name, exact=True)
        button.click()
        expect(button).to_have_attribute("aria-pressed", "true")
        assert marks(0)[0][-1:] == [mark]
        button.click()
        expect(button).to_have_attribute("aria-pressed", "false")
    command("next picture without a caption")
    at(page, "08.jpg")
    page.locator(".cell").nth(1).click()
    page.locator(".cell").nth(2).click(modifiers=["Control"])
    command("invert what is picked")
    command("mark as done, or not")
    wait_until(lambda: marks(0, 1, 2) == [["done"], ["done"], []])
    page.locator(".cell").nth(2).click()
    editor.get_by_role("button", name="Done", exact=True).click()  # the picture that is shown
    wait_until(lambda: marks(1, 2) == [["done"], ["done"]])


def test_keys_while_typing_save_and_move_and_letters_do_nothing(page: Any, studio: Studio) -> None:
    press = page.keyboard.press
    field = page.get_by_role("textbox", name="Caption")
    press("Enter")
    expect(field).to_be_focused()
    expect(field).to_have_value("a cat on a mat, number 0")
    page.keyboard.type(" jfudethcgaro?/ ")
    expect(field).to_have_value("a cat on a mat, number 0 jfudethcgaro?/ ")
    at(page, "00.jpg")
    press("Control+ArrowDown")
    at(page, "01.jpg")
    expect(field).to_be_focused()
    press("Control+ArrowUp")
    at(page, "00.jpg")
    press("Control+Enter")
    at(page, "01.jpg")
    wait_until(lambda: (studio.folder / "00.txt").read_text().endswith("jfudethcgaro?/\n"))
    wait_until(lambda: studio.call("POST", "rows", {"rows": [0]})[0]["marks"] == ["done"])
    press("Control+f")
    expect(page.get_by_role("combobox", name="Find")).to_be_focused()
    page.keyboard.type("/")
    expect(page.get_by_role("combobox", name="Find")).to_have_value("/")
    press("Control+h")
    expect(page.get_by_role("region", name="Edit many captions")).to_be_visible()


def test_keys_are_changed_kept_and_shown_everywhere(page: Any, studio: Studio) -> None:
    other = page.context.new_page()
    other.goto(studio.url)
    other.wait_for_selector(".cell")
    press = page.keyboard.press
    press("?")
    dialog = page.get_by_role("dialog", name="Keys")
    dialog.get_by_role("button", name="Change the key for: flag, or not").click()
    expect(dialog.get_by_role("button", name="Press the key for: flag, or not")).to_be_focused()
    press("j")
    expect(dialog.get_by_role("alert")).to_contain_text("J is the key for: next picture without a caption")
    dialog.get_by_role("button", name="Use it here").click()
    expect(dialog.get_by_role("button", name="Change the key for: flag, or not")).to_have_text("J")
    missing = dialog.get_by_role("button", name="Change the key for: next picture without a caption")
    expect(missing).to_have_text("no key")
    missing.click()
    press("Alt+m")
    expect(missing).to_have_text("Alt+M")
    found = Axe().run(page)
    assert not found.violations_count, found.generate_report()
    press("Escape")
    kept = {"flag": ["J"], "next-missing": ["Alt+M"]}
    wait_until(lambda: studio.call("GET", "preferences")["keys"] == kept)
    for opened in (page, other):
        opened.reload() if opened is page else None
        opened.wait_for_function(KEPT)  # until then keys are as they were
        opened.locator(".cell").nth(2).click()
        opened.keyboard.press("j")
        expect(opened.get_by_role("img", name="flagged")).to_have_count(1)
        opened.keyboard.press("j")
        expect(opened.get_by_role("img", name="flagged")).to_have_count(0)
        opened.keyboard.press("f")
        opened.keyboard.press("Alt+m")
        at(opened, "08.jpg")
    press("?")
    dialog.get_by_role("button", name="Reset the key for: next picture without a caption").click()
    expect(dialog.get_by_role("button", name="Change the key for: flag, or not")).to_have_text("no key")
    dialog.get_by_role("button", name="Reset all keys").click()
    expect(dialog.get_by_role("button", name="Change the key for: flag, or not")).to_have_text("F")
    expect(missing).to_have_text("J")


def test_on_a_mac_the_keys_are_those_of_a_mac(browser: Any, studio: Studio) -> None:
    context = browser.new_context()
    context.add_init_script("Object.defineProperty(navigator, 'platform', {get: () => 'MacIntel'})")
    page = context.new_page()
    page.goto(studio.url)
    page.wait_for_selector(".cell")
    page.keyboard.press("Meta+a")
    picked(page, 12)
    assert page.get_by_role("button", name="Undo").get_attribute("title") == "undo (⌘Z)"
    page.keyboard.press("Meta+k")
    expect(page.get_by_role("dialog", name="Commands")).to_contain_text("⌘⇧Z")
    context.close()


def test_terms_lead_into_the_filter_and_are_completed(page: Any, studio: Studio) -> None:
    studio.call(
        "PUT", "captions/0", {"caption": "long hair, red cat, night", "before": "a cat on a mat, number 0"}
    )
    studio.call("POST", "marks", {"rows": [0, 2], "mark": "done"})
    search = page.get_by_role("combobox", name="Find")
    count = page.locator(".bar .count").first
    facets = page.get_by_role("group", name="Find by what this picture has")
    expect(
        facets.get_by_role("button", name="done")
    ).to_be_visible()  # before which the others stand elsewhere
    facets.get_by_role("button", name="long hair").click()
    expect(search).to_have_value('tag:"long hair"')
    expect(count).to_have_text("1 of 12")
    facets.get_by_role("button", name="long hair").click(modifiers=["Alt"])
    expect(search).to_have_value('-tag:"long hair"')
    expect(count).to_have_text("11 of 12")
    page.get_by_role("img", name="done").first.click()
    expect(search).to_have_value('-tag:"long hair" status:done')
    expect(count).to_have_text("1 of 12")
    search.fill("")
    expect(count).to_have_text("12 of 12")
    page.locator(".cell").nth(3).get_by_text("number").click(modifiers=["Alt"], position={"x": 18, "y": 6})
    expect(search).to_have_value('-"cat"')
    search.fill("")
    page.keyboard.type("lo")
    options = page.get_by_role("listbox", name="Completions").get_by_role("option")
    expect(options.first).to_contain_text('tag:"long hair"')
    page.keyboard.press("Tab")
    expect(search).to_have_value('tag:"long hair" ')
    expect(count).to_have_text("1 of 12")
    search.fill("stat")
    expect(options.first).to_contain_text("status:")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(options).to_have_count(4)
    found = Axe().run(page)
    assert not found.violations_count, found.generate_report()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(search).to_have_value("status:done ")
    expect(count).to_have_text("2 of 12")


def test_the_command_that_is_named_comes_before_others_with_its_letters(page: Any, studio: Studio) -> None:
    for name, query in {"AND": "cat", "OR": "any:nothing", "rot or not": "dog"}.items():
        studio.call("PUT", f"filters/{name.replace(' ', '%20')}", {"query": query})
    search = page.get_by_role("combobox", name="Find")
    search.fill("dog")
    expect(page.get_by_role("button", name="★ rot or not")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("Control+k")
    listed = page.get_by_role("listbox", name="Commands").get_by_role("option")
    expect(listed.filter(has_text="saved filter")).to_have_count(3)
    page.keyboard.type("OR")
    expect(listed.first).to_have_text("saved filter: OR")
    page.keyboard.press("Enter")
    expect(search).to_have_value("any:nothing")
    page.keyboard.press("Control+k")
    page.keyboard.type("ex")
    expect(listed.first).to_contain_text("export pictures")


def test_a_filter_is_saved_found_again_and_forgotten(page: Any, studio: Studio) -> None:
    search = page.get_by_role("combobox", name="Find")
    count = page.locator(".bar .count").first
    search.fill('"number 3" OR missing:')
    expect(count).to_have_text("5 of 12")
    page.get_by_role("button", name="Save filter").click()
    page.get_by_role("textbox", name="Name of the filter").fill(r"my \ pick")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text(r'"my \ pick" cannot name a filter')
    page.get_by_role("textbox", name="Name of the filter").fill("my pick")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="★ my pick")).to_be_visible()
    command = ["cutline", "find", f"{studio.folder}", 'NOT saved:"my pick"', "--count"]
    ran = subprocess.run([sys.executable, "-m", *command], capture_output=True, text=True, check=False)
    assert ran.stdout == "7\n", ran.stderr
    search.fill("saved:")
    expect(page.get_by_role("listbox", name="Completions").get_by_role("option")).to_contain_text("my pick")
    page.keyboard.press("Tab")
    expect(search).to_have_value('saved:"my pick" ')
    expect(count).to_have_text("5 of 12")
    search.fill("")
    page.keyboard.press("Escape")
    page.keyboard.press("Control+k")
    page.keyboard.type("my pick")
    page.keyboard.press("Enter")
    expect(count).to_have_text("5 of 12")
    page.get_by_role("button", name="★ my pick").click()
    expect(page.get_by_role("button", name="Save filter")).to_be_visible()
    assert studio.call("GET", "filters") == {}
    studio.call("DELETE", "filters/nothing", status=404)
    assert studio.call("PUT", "filters/x", {"query": "(cat"}, status=422)["detail"]


@pytest.mark.parametrize(("scheme", "size"), [("light", (1280, 800)), ("dark", (1920, 1080))])
def test_axe_finds_nothing_by_day_and_night(
    page: Any, studio: Studio, scheme: str, size: tuple[int, int]
) -> None:
    edit = {"edit": {"kind": "replace", "old": "mat", "new": "rug"}}
    studio.job("POST", "apply", {"preview": studio.call("POST", "preview", edit)["preview"]})
    body = {"choice": {"model": "fake"}, "policy": "append", "scope": {"rows": [0]}}
    studio.job("POST", "generate", body)
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": size[0], "height": size[1]})
    expect(page.locator(".cell").last).to_have_attribute("title", "11.jpg")
    page.keyboard.press("Space")
    panels = page.evaluate(
        "import('/page/panels.js').then(() => ['', 'bulk', 'history', 'export', 'generate', 'words', 'compare', 'lint', 'map'])"
    )
    page.evaluate(
        "import('/page/bulk.js').then(({ values }) => { values.value = { old: 'cat', new: 'dog' }; })"
    )
    differences = {"": ".suggestion ins", "bulk": ".changes ins", "history": ".list ins"}
    for panel in panels:
        page.evaluate("name => import('/page/panels.js').then(panels => (panels.panel.value = name))", panel)
        if panel in differences:
            expect(page.locator(differences[panel]).first).to_be_visible()
        found = Axe().run(page)
        assert not found.violations_count, found.generate_report()
    for dialog in ("help", "commands", "folders"):
        page.evaluate(
            "name => import('/page/panels.js').then(panels => (panels.dialog.value = name))", dialog
        )
        page.wait_for_selector("dialog[open]")
        found = Axe().run(page)
        assert not found.violations_count, found.generate_report()


def test_the_documentation_has_the_keys_of_the_registry(page: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "scripts")
    import studio_keys

    written = studio_keys.PAGE.read_text()
    assert studio_keys.with_table(written, page.evaluate(studio_keys.REGISTRY)) == written, (
        "run scripts/studio_keys.py"
    )


def test_the_modules_without_a_browser() -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("needs node")
    tests = sorted(map(str, (ROOT / "tests" / "studio" / "page").glob("*.test.mjs")))
    ran = subprocess.run([node, "--test", *tests], capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stdout


def test_the_types_of_the_modules() -> None:
    compiler = shutil.which("tsc")
    if compiler is None:
        pytest.skip("needs tsc of TypeScript")
    command = [compiler, "--project", str(PAGE / "jsconfig.json")]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert ran.returncode == 0, ran.stdout


def test_the_page_has_at_most_forty_modules() -> None:
    assert len(list(PAGE.glob("*.js"))) <= 40
