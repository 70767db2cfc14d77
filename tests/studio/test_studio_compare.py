"""Comparing sets of captions: by keys in the browser, over HTTP and from Python."""

from __future__ import annotations

import json
import os
import re
import shutil
import tarfile
import urllib.parse
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import expect

from cutline import ConfigError, open_dataset
from cutline.dataset.picks import tally, wilson
from processes import wait_until
from studio_process import Studio

COUNT = 6


@pytest.fixture
def photos(new_folder: Path) -> Path:
    """Six pictures with captions in two endings, and the output of a run beside them."""
    folder = new_folder / "photos"
    folder.mkdir()
    rows = []
    for number in range(COUNT):
        Image.new("RGB", (64, 48), (40 * number, 90, 160)).save(folder / f"{number}.jpg")
        (folder / f"{number}.txt").write_text(f"a cat, mine {number}")
        (folder / f"{number}.caption").write_text(f"a cat, other {number}")
        path = f"photos/{number}.jpg"
        caption = f"a dog, run {number}"
        rows.append({"image_id": f"{number}.jpg", "image_path": path, "caption": caption, "model": "blip"})
    rows[-1]["caption"] = f"a cat, mine {COUNT - 1}"  # the same as the folder's
    (new_folder / "run.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (new_folder / "run.jsonl.failures.jsonl").write_text("")
    return folder


def texts(folder: Path, ending: str = ".txt") -> list[str]:
    return [(folder / f"{number}{ending}").read_text() for number in range(COUNT)]


def test_texts_of_another_ending_are_offered_where_some_pictures_have_no_others(studio: Studio) -> None:
    (studio.folder / "2.txt").unlink()
    studio.open(studio.folder)
    assert studio.call("POST", "rows", {"rows": [2]})[0]["caption"] == "a cat, other 2"
    assert studio.call("GET", "compare")[:2] == ["captions", ".caption"]
    assert studio.call("POST", "compare", {"sets": ["captions", ".caption"]})["rows"] == COUNT - 1


def test_the_better_caption_is_picked_by_keys(page: Any, studio: Studio) -> None:
    page.keyboard.press("c")
    panel = page.locator(".compare")
    expect(panel.get_by_role("checkbox", name="run.jsonl")).to_be_visible()
    panel.get_by_role("checkbox", name="run.jsonl").check()
    panel.get_by_role("button", name="Compare").click()
    captions = panel.get_by_role("list", name="Captions")
    expect(captions).to_contain_text("a dog, run 0")
    expect(captions.locator("mark").first).to_be_visible()
    cursor = page.locator(".cell.cursor")
    expect(cursor).to_have_attribute("title", "0.jpg")
    for key, following in zip("22012", ("run 1", "run 2", "run 3", "run 4", ""), strict=True):
        page.keyboard.press(key)
        if following:
            expect(captions).to_contain_text(following)
            expect(cursor).to_have_attribute("title", f"{following[-1]}.jpg")
    verdict = panel.get_by_role("status")
    expect(verdict).to_contain_text("run.jsonl leads 3 to 1 over captions")
    page.keyboard.press("Backspace")  # the last one again
    expect(captions.locator("[aria-pressed=true]")).to_have_text("2")
    page.keyboard.press("3")  # there is no third text
    page.keyboard.press("2")
    expect(verdict).to_be_visible()
    page.keyboard.press("Control+z")  # the last pick
    expect(panel).to_contain_text("4 of 5 compared")
    page.keyboard.press("Backspace")
    expect(captions.locator("[aria-pressed=true]")).to_have_count(0)
    page.keyboard.press("Control+Shift+z")
    expect(captions.locator("[aria-pressed=true]")).to_have_text("2")
    page.keyboard.press("2")
    expect(panel).to_contain_text("5 of 5 compared")
    panel.get_by_role("button", name="Use what was picked").click()
    wait_until(lambda: texts(studio.folder)[4] == "a dog, run 4")
    assert texts(studio.folder)[:4] == ["a dog, run 0", "a dog, run 1", "a cat, mine 2", "a cat, mine 3"]
    page.keyboard.press("Escape")
    undo = page.get_by_role("button", name="Undo", exact=True).first  # the outcome has one too
    expect(undo).to_be_enabled()  # once the page knows of the edit
    page.keyboard.press("Control+z")
    wait_until(lambda: texts(studio.folder)[4] == "a cat, mine 4")


def test_a_blind_comparison_cannot_be_read_from_the_grid(page: Any, studio: Studio) -> None:
    page.keyboard.press("c")
    panel = page.locator(".compare")
    panel.get_by_role("checkbox", name="run.jsonl").check()
    panel.get_by_role("checkbox", name="Blind").check()
    page.keyboard.press("Control+Enter")
    expect(panel.get_by_role("list", name="Captions")).to_be_visible()
    expect(page.locator(".cell")).to_have_count(COUNT)
    expect(page.locator(".cell p:visible")).to_have_count(0)
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    expect(page.locator(".cell p:visible")).to_have_count(COUNT)


def test_words_gained_and_lost_are_shown(page: Any, studio: Studio) -> None:
    run = next(name for name in studio.call("GET", "compare") if name.endswith("run.jsonl"))
    opened = studio.call("POST", "compare", {"sets": ["captions", run]})
    path, name = f"compare/{opened['comparison']}/words", opened["sets"][1]
    found = studio.call("GET", path)
    assert {one["term"] for one in found["gained"]} == {"dog", "run"}
    assert {one["term"] for one in found["lost"]} == {"cat", "mine"}
    back = studio.call("GET", f"{path}?after=captions&before={urllib.parse.quote(name)}")
    assert (back["lost"][0]["share"], back["lost"][0]["rest"]) == (1, 0)
    assert "is not compared" in studio.call("GET", f"{path}?after=x", status=422)["detail"]
    page.keyboard.press("c")
    panel = page.locator(".side.compare")
    panel.get_by_role("checkbox", name="run.jsonl").check()
    panel.get_by_role("button", name="Compare").click()
    panel.get_by_role("button", name="Words").click()
    row = panel.get_by_role("table", name="Gained").get_by_role("row").nth(1)
    expect(row).to_have_text(re.compile(r"(dog|run)0\.0%100\.0%"))
    panel.get_by_role("table", name="Lost").get_by_role("button", name="cat").click()
    expect(page.get_by_role("combobox", name="Find")).to_have_value('"cat"')
    panel.get_by_role("button", name="Back").click()
    expect(panel.get_by_role("list", name="Captions")).to_be_visible()


def test_routes(studio: Studio) -> None:
    (studio.folder / "w.csv").write_text("term,occurrences,pictures\ncat,6,6\n")  # of `cutline words`
    (studio.folder / "findings.json").write_text('[{"check": "opener", "text": "a cat"}]')
    names = studio.call("GET", "compare")
    assert [os.path.basename(name) for name in names] == ["captions", ".caption", "run.jsonl"]  # noqa: PTH119
    run = names[2]
    opened = studio.call("POST", "compare", {"sets": ["captions", ".caption", run], "blind": True})
    number = opened["comparison"]
    assert (opened["rows"], opened["next"]) == (COUNT, 0)
    rows = studio.call("GET", f"compare/{number}?count=4")
    assert [row["names"] for row in rows] == [None] * 4
    everything = studio.call("GET", f"compare/{number}")
    assert len({tuple(text.split()[2] for text in row["texts"]) for row in everything}) > 1  # shuffled
    assert studio.call("GET", f"compare/{number}") == everything  # but the same each time
    for row in everything[:4]:
        place = next(at for at, text in enumerate(row["texts"], 1) if "other" in text)
        studio.call("PUT", f"compare/{number}/picks/{row['row']}", {"place": place})
    studio.call("PUT", f"compare/{number}/picks/4", {"place": 0})
    studio.call("PUT", f"compare/{number}/picks/4", {"place": 4}, status=422)
    studio.call("PUT", f"compare/{number}/picks/99", {"place": 1}, status=404)
    found = studio.call("GET", f"compare/{number}/tally")
    assert (found["picked"], found["none"], found["winner"]) == (5, 1, ".caption")
    assert found["standings"][0] | {"low": 0, "high": 0} == {
        "name": ".caption", "picked": 4, "share": 1.0, "low": 0, "high": 0
    }  # fmt: skip
    assert b".caption,4,1.0000" in studio.call("GET", f"compare/{number}/tally?format=csv")
    again = studio.call("POST", "compare", {"sets": ["captions", ".caption", run]})
    assert again["next"] == 5  # picks are kept
    studio.job("POST", "undo")
    assert studio.call("GET", f"compare/{number}/tally")["none"] == 0
    result = studio.job("POST", f"compare/{number}/use", {"outcome": "proposal"})
    assert result["written"] == 4
    proposed = studio.call("POST", "rows", {"rows": [0]})[0]["proposal"]
    assert proposed["caption"] == "a cat, other 0"
    for place in ("/etc/passwd", "../../../etc/hosts.json", "a\0b.json"):
        body = {"sets": ["captions", place]}
        studio.call("POST", "compare", body, status=422 if "\0" in place else 403)
    studio.call("POST", "compare", {"sets": ["captions", "captions"]}, status=422)
    assert "does not exist" in str(
        studio.call("POST", "compare", {"sets": ["captions", "no.jsonl"]}, status=422)
    )
    studio.call("GET", "compare/99", status=404)


def test_outputs_are_matched_by_key_or_file(photos: Path) -> None:
    elsewhere = photos.parent / "elsewhere.csv"
    lines = "".join(f"x{number},photos/{number}.jpg,a fox {number}\n" for number in range(3))
    elsewhere.write_text(f"image_id,image_path,caption\n{lines}gone,photos/gone.jpg,a wolf\n")
    with open_dataset(photos) as dataset:
        compared = dataset.compare(["captions", str(elsewhere)])
        assert compared.rows == [0, 1, 2]
        assert compared.shown(1) == [("captions", "a cat, mine 1"), ("elsewhere.csv", "a fox 1")]
        compared.pick(1, "elsewhere.csv")
        with pytest.raises(ConfigError, match="has no caption"):
            compared.pick(1, "other.csv")
        assert compared.use().written == 1
        assert dataset.caption(1) == "a fox 1"
        run = dataset.compare(["captions", str(photos.parent / "run.jsonl")])
        assert run.rows == [0, 1, 2, 3, 4]  # the last one is the same
        foreign = photos.parent / "foreign.jsonl"
        foreign.write_text('{"image_id": "foreign.jpg", "caption": "x"}\n')
        with pytest.raises(ConfigError, match="its keys are such as"):
            dataset.compare(["captions", str(foreign)])
        copies = photos.parent / "copies"  # other names, the same pictures, and one of the same size
        copies.mkdir()
        for number in range(3):
            shutil.copy(photos / f"{number}.jpg", copies / f"x{number}.jpg")
        data = bytearray((copies / "x2.jpg").read_bytes())
        data[-3] ^= 1
        (copies / "x2.jpg").write_bytes(data)
        names = [
            f'{{"image_id": "x{n}", "image_path": "x{n}.jpg", "caption": "copy {n}"}}\n' for n in range(3)
        ]
        (copies / "out.jsonl").write_text("".join(names))
        assert dataset.compare(["captions", str(copies / "out.jsonl")]).rows == [0, 1]
        archive = photos.parent / "copies.tar"
        with tarfile.open(archive, "w") as tar:
            for name in ("x0.jpg", "x1.jpg"):
                (copies / name).with_suffix(".txt").write_text(f"copy of {name}")
                tar.add(copies / name, name)
                tar.add((copies / name).with_suffix(".txt"), name.replace(".jpg", ".txt"))
        assert dataset.compare(["captions", str(archive)]).rows == [0, 1]
    with open_dataset(photos.parent / "run.jsonl") as table:  # a table beside another
        assert table.compare(["captions", str(elsewhere)]).rows == [0, 1, 2]
        with pytest.raises(ConfigError, match="folders of pictures"):
            table.compare(["captions", ".caption"])


def test_who_wins_is_beyond_chance() -> None:
    even = tally(("a", "b"), dict(zip("wxyz", "abab", strict=True)), 10)
    assert (even.winner, even.verdict) == ("", "no winner: 2 each")
    clear = tally(("a", "b", "c"), {str(number): "a" if number < 30 else "b" for number in range(40)}, 40)
    assert clear.winner == "a"
    assert wilson(0, 0) == (0.0, 1.0)
    low, high = wilson(8, 10)
    assert (round(low, 3), round(high, 3)) == (0.49, 0.943)
