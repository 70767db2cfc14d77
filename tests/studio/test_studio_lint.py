"""What is odd in captions is a list in the page: filtered by, mended with a preview, ignored, and gone when it is done."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import expect

from processes import cutline_here
from studio_process import Studio, start_studio, stop_studio, wait_until_open

ODD = [
    "a man rides a bicyle past a shop",  # 24
    "two dogs asleep on a blue sofa",  # 25
    "two dogs asleep on a blue sofa",  # 26
    "Two dogs, asleep on a blue sofa!",  # 27
    "I'm sorry, but I can't assist with that.",  # 28
]


@pytest.fixture
def photos(new_folder: Path) -> Path:
    folder = new_folder / "photos"
    folder.mkdir()
    usual = [f"a man rides a bicycle past house {number} in the old town" for number in range(24)]
    for number, text in enumerate([*usual, *ODD]):
        Image.new("RGB", (8, 8), (9 * min(number, 27), 90, 160)).save(folder / f"{number:02}.png")
        (folder / f"{number:02}.txt").write_text(text)
    return folder


def findings(studio: Studio, body: Any) -> list[Any]:
    number = studio.call("POST", "lint", body, status=202)["job"]
    while not (job := next(one for one in studio.call("GET", "jobs") if one["job"] == number))["is_over"]:
        time.sleep(0.02)
    assert job["problem"] == ""
    return [job["figures"]["lint"], *studio.call("GET", f"lint/{job['figures']['lint']}")["findings"]]


def test_every_check_of_a_scope_is_listed_and_becomes_a_set(studio: Studio) -> None:
    number, *found = findings(studio, {})
    by_check: dict[str, list[str]] = {}
    for one in found:
        by_check.setdefault(one["check"], []).append(one["text"])
    assert "frequent" not in by_check  # 24 of 29 are not nearly all
    assert by_check["opener"] == ["a man rides"]
    assert by_check["same"] == ["two dogs asleep on a blue sofa"]
    assert by_check["spelling"] == ["bicyle"]
    assert by_check["prompt"] == ["I'm sorry, but I can't assist"]
    assert {"shop", "assist"} <= set(by_check["once"])
    assert "bicyle" not in by_check["once"]
    near = [place for place, one in enumerate(found) if one["check"] == "near"]
    assert [found[place]["count"] for place in near] == [24, 3]
    assert found[near[1]]["query"] is None
    assert studio.call("POST", f"lint/{number}/set", {"findings": [near[1]]}) == {
        "name": "lint-1",
        "count": 3,
    }
    others = {"findings": near, "others": True}
    assert studio.call("POST", f"lint/{number}/set", others) == {"name": "lint-2", "count": 25}
    assert cutline_here("find", studio.folder, "in:lint-2 path:2[4-8]*").stdout == "26.png\n27.png\n"
    _, *few = findings(studio, {"scope": {"query": "in:lint-1"}, "checks": ["near", "picture", "same"]})
    assert [(one["check"], one["count"]) for one in few] == [("same", 2), ("near", 3)]
    _, *equal = findings(studio, {"checks": ["picture"]})
    assert [(one["text"], one["count"]) for one in equal] == [("27.png", 2)]
    once = [place for place, one in enumerate(found) if one["check"] == "once"]
    assert len(once) < 10
    assert studio.call("POST", f"lint/{number}/set", {"findings": once})["count"] == 2
    assert studio.call("POST", f"lint/{number}/set", {"findings": 6 * once})["count"] == 2  # found together
    assert "check again" in studio.call("GET", "lint/99", status=404)["detail"]
    studio.call("POST", f"lint/{number}/set", {"findings": [999]}, status=404)


def test_what_is_ignored_stays_so_also_for_the_command(own_studio: Studio) -> None:
    studio = own_studio
    again = ("lint", studio.folder, "--check", "spelling")
    assert cutline_here(*again).returncode == 1
    one = {"check": "spelling", "text": "bicyle"}
    assert studio.call("PUT", "lint/ignored", one) == [["spelling", "bicyle"]]
    stop_studio(studio)
    done = cutline_here(*again)
    assert (done.returncode, done.stdout) == (0, "")
    assert "0 findings in 29 captions; 1 ignored in the studio, which --all shows" in done.stderr
    assert "bicyle" in cutline_here(*again, "--all").stdout
    started = wait_until_open(start_studio(studio.folder))
    try:
        assert [found["is_ignored"] for found in findings(started, {"checks": ["spelling"]})[1:]] == [True]
        assert started.call("PUT", "lint/ignored", {**one, "on": False}) == []
        assert started.call("GET", "lint/ignored") == []
    finally:
        stop_studio(started)


def test_the_list_is_worked_off(page: Any, studio: Studio) -> None:
    search = page.get_by_role("combobox", name="Find")
    count = page.locator(".bar .count").first
    page.keyboard.press("Shift+W")
    panel = page.locator(".side.lint")
    near = panel.get_by_role("region", name="Nearly the same caption")
    expect(near).to_be_visible()
    found = Axe().run(page)
    assert not found.violations_count, found.generate_report()
    near.get_by_role("listitem").nth(1).get_by_role("button", name="two dogs").first.click()
    expect(search).to_have_value("in:lint-1")
    expect(count).to_have_text("3 of 29")
    near.get_by_role("button", name="Keep one… two dogs").click()
    expect(search).to_have_value("in:lint-2")
    expect(count).to_have_text("2 of 29")
    prompts = panel.get_by_role("region", name="Prompts and refusals")
    prompts.get_by_role("button", name="I'm sorry").first.click(modifiers=["Alt"])
    expect(count).to_have_text("28 of 29")
    prompts.get_by_role("button", name="Ignore").click()
    expect(prompts).to_have_count(0)
    panel.get_by_role("button", name="Ignored (1)").click()
    prompts.get_by_role("button", name="Take back").click()
    panel.get_by_role("button", name="Replace… bicyle by bicycle").click()
    expect(search).to_have_value('"bicyle"')
    bulk = page.locator(".side.bulk")
    expect(bulk.get_by_label("Replace with")).to_be_focused()
    expect(bulk.get_by_label("Filter (1)")).to_be_checked()
    bulk.get_by_role("button", name="Apply to 1").click()
    expect(bulk.get_by_text("1 picture changed")).to_be_visible()
    assert (studio.folder / "24.txt").read_text() == "a man rides a bicycle past a shop"
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    page.keyboard.press("Control+z")  # and it is there again
    expect(page.get_by_text("undo: replace", exact=False).first).to_be_visible()
    page.keyboard.press("Control+Shift+Z")
    page.keyboard.press("Shift+W")
    expect(panel.get_by_text("captions have changed since")).to_be_visible()
    search.fill("")
    panel.get_by_label("All (29)").check()
    panel.get_by_role("button", name="Check again").click()
    expect(panel.get_by_role("region", name="Spellings")).to_have_count(0)
    once = panel.get_by_role("region", name="Words used once")
    once.get_by_role("button", name="Find all").click()
    expect(count).to_have_text("2 of 29")
    once.get_by_role("button", name="Find all").click()
    expect(search).to_have_value("")


def test_what_is_picked_is_checked_by_itself(page: Any) -> None:
    page.keyboard.press("/")
    page.keyboard.type("dogs")
    expect(page.locator(".bar .count").first).to_have_text("3 of 29")
    page.keyboard.press("Escape")
    page.keyboard.press("Control+a")
    page.keyboard.press("Shift+W")
    panel = page.locator(".side.lint")
    expect(panel.get_by_role("status")).to_contain_text("in 3 captions")
    panel.get_by_role("button", name="two dogs").first.click()
    expect(page.get_by_role("combobox", name="Find")).to_have_value(
        r"in:lint-1 re:/^\s*two\ dogs\ asleep\ on\ a\ blue\ sofa\s*$/"
    )
    expect(page.locator(".bar .count").first).to_have_text("2 of 29")
    panel.get_by_label("Filter (2)").check()
    panel.get_by_role("button", name="Check again").click()  # what was checked, not what is shown of it
    expect(page.locator(".bar .count").first).to_have_text("3 of 29")
    expect(panel.get_by_role("status")).to_contain_text("in 3 captions")
