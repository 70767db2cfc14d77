"""The result page in a browser, whatever stands in captions, reasons and names."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image

from pages import opened
from processes import cutline

HOSTILE = (
    "<img src=x onerror=alert(1)>",
    "</style></p></section><script>alert(2)</script>",
    "<img src=https://example.com/pixel.png><style>*{display:none}</style>",
    "\u202eright to left\u2066 \x00\x1b[31m <!-- ]]>",
    "long " * 800,
    "unbroken" * 100,
)


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two outputs, and votes; the judge is `fake`, whose reasons hold the name of the prompt."""
    folder = tmp_path_factory.mktemp("judgment")
    for name in ("one", "two"):
        rows = []
        for number, text in enumerate(HOSTILE):
            photo = folder / f"{number}.png"
            Image.new("RGB", (300, 200), (40 * number, 90, 160)).save(photo)
            row = {"image_id": f"{number} <b>.png", "image_path": str(photo), "caption": f"{name} {text}"}
            rows.append(json.dumps(row))
        (folder / f"{name}.jsonl").write_text("\n".join(rows))
    return folder


def made(folder: Path, name: str, *options: str) -> Path:
    outputs = (str(folder / "one.jsonl"), f"second={folder / 'two.jsonl'}")
    ran = cutline("judge", *outputs, *options, "--output-path", str(folder / name))
    assert ran.returncode == 0, ran.stderr
    return folder / name


@pytest.fixture(scope="module")
def pages(material: Path) -> dict[str, Path]:
    """Pages of games with votes, and of ratings."""
    from cutline.judgment.ballot import text_id

    votes = [
        {"voter": voter, "image_id": f"{n} <b>.png", "verdict": "tie" if n == 2 else "second"}
        | {"first": text_id(f"one {text}".strip()), "second": text_id(f"two {text}".strip())}
        for voter in ("v", "<i>w</i>")
        for n, text in enumerate(HOSTILE)
    ]
    (material / "votes.jsonl").write_text("\n".join(map(json.dumps, votes)))
    games = made(material, "games.html", "--judge", "fake", "--votes", str(material / "votes.jsonl"))
    return {"games": games, "ratings": made(material, "ratings.html", "--judge", "fake", "--rubric")}


class Elements(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.names: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.names.update(name for name, _ in attrs)


@pytest.mark.parametrize("kind", ["games", "ratings"])
def test_nothing_but_our_own_elements_is_on_the_page(pages: dict[str, Path], kind: str) -> None:
    text = pages[kind].read_text("utf-8")
    page = Elements(text)
    assert {"script", "iframe", "object", "link", "base", "form"}.isdisjoint(page.tags)
    assert page.tags.count("style") == 1
    assert not any(name.startswith("on") for name in page.names)
    assert "default-src &#39;none&#39;; img-src data:; style-src &#39;unsafe-inline&#39;" in text


@pytest.mark.parametrize("kind", ["games", "ratings"])
@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)], ids=["desk, light", "phone, dark"])
def test_a_browser_shows_it_and_asks_for_nothing(
    browser: Any, pages: dict[str, Path], kind: str, width: int, dark: bool
) -> None:
    with opened(browser, pages[kind], width=width, dark=dark) as page:
        assert page.complaints == []
        assert page.requests == [pages[kind].resolve().as_uri()]
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing sticks out"
        assert page.evaluate("document.images.length") == len(HOSTILE)
        shown = page.evaluate("[...document.querySelectorAll('.answer .words')].map(e => e.textContent)")
        assert shown[:2] == [f"{name} {HOSTILE[0]}" for name in ("one", "two")]
        page.evaluate("document.querySelectorAll('details').forEach(e => e.open = true)")
        page.evaluate("document.querySelectorAll('img').forEach(e => e.loading = 'eager')")
        found = Axe().run(page.page)
        assert not found.violations_count, found.generate_report()


def test_the_page_has_what_the_terminal_shows(browser: Any, pages: dict[str, Path]) -> None:
    with opened(browser, pages["games"]) as page:
        text = page.evaluate("document.body.innerText")
        assert "2 captioners judged by fake, 6 pictures" in text
        assert "6 pictures only: the intervals are rough" in text
        assert "place advantage" in text
        assert "12 votes of 2 people" in text
        assert "people agree with each other in 100% of 6 pairs of votes" in text
        rows = page.evaluate("[...document.querySelectorAll('tbody tr')].map(e => e.innerText)")
        assert len(rows) == 6, "strengths, wins, and strengths by people"
        verdicts = page.evaluate("[...document.querySelectorAll('.verdicts li')].map(e => e.textContent)")
        assert len(verdicts) == len(HOSTILE)
        names = [str(pages["games"].with_name("one.jsonl")), "second"]
        assert [verdict for verdict in verdicts if not all(name in verdict for name in names)] == []
