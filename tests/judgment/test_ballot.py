"""The page on which people judge, in a browser and by keyboard; and what their votes come to."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image

import processes
from pages import OpenPage, opened
from server_process import Server

HOSTILE = (
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(2)</script><!-- <script>",
    "\u202eright to left \u2028 next \x00 ]]> &amp; {{ 7 * 7 }}",
    "مرحبا بالعالم، هذه صورة",
    "very long " * 2000,
    "Averylongwordwithoutanyblank" * 60,
)


def write(folder: Path, name: str, captions: dict[str, str]) -> None:
    rows = [
        {
            "image_id": key,
            "image_path": str(folder / "photos" / key),
            "caption": text,
            "model": "secret-model",
        }
        for key, text in captions.items()
    ]
    (folder / name).write_text("\n".join(map(json.dumps, rows)))


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two outputs about six pictures: one of hostile captions, one that is good."""
    folder = tmp_path_factory.mktemp("ballot")
    (folder / "photos").mkdir()
    keys = [f"{number}.png" for number in range(len(HOSTILE))]
    for number, key in enumerate(keys):
        Image.new("RGB", (640, 400), (40 * number, 90, 160)).save(folder / "photos" / key)
    write(folder, "hostile.jsonl", dict(zip(keys, HOSTILE, strict=True)))
    write(folder, "good.jsonl", {key: f"Good caption {key}." for key in keys})
    return folder


@pytest.fixture
def folder(material: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(material)
    return material


@pytest.fixture(scope="module")
def ballot(material: Path) -> Path:
    outputs = (str(material / "hostile.jsonl"), str(material / "good.jsonl"))
    ran = processes.cutline("judge", *outputs, "--people", str(material / "people.html"))
    assert ran.returncode == 0, ran.stderr
    assert "6 pairs of captions to vote on; open it in a browser" in ran.stderr
    return material / "people.html"


def shown(page: OpenPage) -> list[str]:
    return page.evaluate("[1, 2].map(n => document.getElementById('text' + n).textContent)")


def count(page: OpenPage) -> str:
    return str(page.evaluate("document.getElementById('count').textContent"))


def prefer_good(page: OpenPage, votes: int) -> None:
    for _ in range(votes):
        page.press("1" if shown(page)[0].startswith("Good") else "2")


def saved(page: OpenPage, folder: Path) -> Path:
    with page.page.expect_download() as download:
        page.press("s")
    file = folder / download.value.suggested_filename
    download.value.save_as(file)
    return file


def test_it_is_voted_on_by_keys_and_closing_it_loses_nothing(
    browser: Any, ballot: Path, folder: Path
) -> None:
    with opened(browser, ballot) as page:
        assert count(page) == "1 of 6"
        first = shown(page)
        page.press("1")
        assert count(page) == "2 of 6"
        assert shown(page) != first
        page.press("u")
        assert count(page) == "1 of 6"
        assert shown(page) == first
        prefer_good(page, 2)
        page.press("0")
        fourth = shown(page)
        page.page.reload()
        assert count(page) == "4 of 6"
        assert shown(page) == fourth, "the same caption stands first"
        page.press("x", "Control+1")
        assert count(page) == "4 of 6"
        # By the buttons, with the keyboard alone.
        page.press("Tab", "Tab", "Enter")
        assert count(page) == "5 of 6"
        page.press("Backspace")
        prefer_good(page, 3)
        assert count(page) == "6 of 6, done"
        assert page.evaluate("document.activeElement.id") == "thanks"
        votes = [json.loads(line) for line in saved(page, folder).read_text("utf-8").splitlines()]
        assert page.complaints == []
        assert page.requests == [ballot.resolve().as_uri()] * 2, "nothing is loaded from elsewhere"
    assert len(votes) == 6
    assert [vote["verdict"] for vote in votes].count("tie") == 1
    assert len({vote["voter"] for vote in votes}) == 1


def test_the_last_vote_is_taken_back_by_keys_and_button_also_after_a_reload(
    browser: Any, ballot: Path, folder: Path
) -> None:
    ways = [
        lambda page: page.press("Control+z"),
        lambda page: page.press("Meta+z"),
        lambda page: page.press("u"),
        lambda page: page.page.click("#undo"),
    ]
    with opened(browser, ballot) as page:
        pairs = []
        for _ in ways:
            pairs.append(shown(page))
            page.press("1")
        for number, undo in enumerate(ways, 1):
            page.page.reload()
            undo(page)
            assert shown(page) == pairs[-number]
            assert count(page) == f"{len(ways) - number + 1} of 6"
            page.page.reload()
            assert shown(page) == pairs[-number], "what was taken back stays so"
        page.press("Control+z", "Control+Shift+Z", "Control+1", "Control+s")
        assert count(page) == "1 of 6"
        assert page.page.is_disabled("#undo")
        page.press("1", "2")
        page.page.fill("#name", "Ana")
        page.press("Control+z")
        assert count(page) == "3 of 6", "in a field it is the field's"


def test_votes_of_before_a_reload_are_saved_before_another_person_begins(
    browser: Any, ballot: Path, folder: Path
) -> None:
    with opened(browser, ballot) as page:
        page.press("1", "2")
        page.page.reload()
        file = page.save("#another", folder)
        assert count(page) == "1 of 6"
        assert len(file.read_text("utf-8").splitlines()) == 2
        page.press("1")
        page.page.reload()
        assert count(page) == "2 of 6"


def test_it_is_blind_and_its_only_script_is_allowed_by_its_hash(browser: Any, ballot: Path) -> None:
    text = ballot.read_text("utf-8")
    assert 'jsonl"' not in text.replace("application/jsonl", "")
    assert "hostile.jsonl" not in text
    assert "secret-model" not in text
    policy = re.search('Content-Security-Policy" content="([^"]*)"', text)[1].replace("&#39;", "'")
    assert policy.startswith(
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-"
    )
    assert "unsafe-eval" not in policy
    with opened(browser, ballot) as page:
        page.evaluate(
            "document.body.append(Object.assign(document.createElement('script'), {text: 'window.x = 1'}))"
        )
        assert page.evaluate("window.x") is None
        assert "Content Security Policy" in page.complaints[0]


def test_hostile_captions_are_shown_as_they_are(browser: Any, ballot: Path) -> None:
    seen = set()
    with opened(browser, ballot, width=390, dark=True) as page:
        for _ in HOSTILE:
            seen.update(shown(page))
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing sticks out"
            assert page.evaluate(
                "document.getElementById('first').getBoundingClientRect().bottom <= innerHeight"
            )
            assert page.evaluate("getComputedStyle(document.getElementById('picture')).display") != "none"
            page.press("0")
        assert page.complaints == []
    plain = {text.strip() for text in HOSTILE}
    assert {text for text in seen if not text.startswith("Good")} == plain


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)])
def test_axe_finds_nothing(browser: Any, ballot: Path, width: int, dark: bool) -> None:
    with opened(browser, ballot, width=width, dark=dark) as page:
        found = Axe().run(page.page)
        assert not found.violations_count, found.generate_report()
        prefer_good(page, 6)
        found = Axe().run(page.page)
        assert not found.violations_count, found.generate_report()


def result(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "out.json").read_text("utf-8"))


def judged(*arguments: str) -> Any:
    return processes.cutline("judge", *arguments, "--output-path", "out.json")


def test_votes_of_several_people_are_counted(
    browser: Any, ballot: Path, folder: Path, servers: Callable[..., Server]
) -> None:
    files = []
    with opened(browser, ballot) as page:
        prefer_good(page, 6)
        page.page.fill("#name", "Ana María / 1")
        files.append(page.save("#save", folder))
        assert files[0].name == "votes-Ana-María-1.jsonl"
        with page.page.expect_download():
            page.page.fill("#name", "Ana")
            page.page.click("#another")  # saves what is not saved yet
        assert count(page) == "1 of 6"
        prefer_good(page, 4)
        page.press("0")
        page.press("2" if shown(page)[0].startswith("Good") else "1")
        files.append(saved(page, folder))
    judge = servers("judge.py", "--strength=Good=9")
    judge.post("/configure", {"place": 0.0, "nonsense": 0.0, "spread": 0.0, "latency": 0.0, "always": ""})
    ran = judged(
        *("hostile.jsonl", "good.jsonl", "--judge", "m", "--endpoint", judge.url),
        *("--votes", *(file.name for file in files), files[0].name),
    )
    assert ran.returncode == 0, ran.stderr
    found = result(folder)["people"]
    assert (found["voters"], found["votes"]) == (2, 12), "a file that is given twice counts once"
    assert [one["name"] for one in found["contestants"]] == ["good.jsonl", "hostile.jsonl"]
    assert found["agreement_with_each_other"] == {
        "share": 0.6667,
        "of": 6,
        "without_ties": {"share": 0.8, "of": 5},
    }
    assert found["agreement_with_judge"]["share"] == round(10 / 12, 4)
    assert "12 votes of 2 people" in ran.stdout
    assert "people agree with each other in 67% of 6 pairs of votes, without ties in 80% of 5" in ran.stdout
    assert "people agree with the judge in 83% of 12 votes" in ran.stdout
