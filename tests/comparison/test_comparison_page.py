"""The report as people open it: in a browser, whatever stands in captions and file names."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from pages import OpenPage, opened
from processes import cutline

HOSTILE = (
    "<img src=x onerror=alert(1)>",
    "</style></p></section><script>alert(2)</script>",
    "\" onload='alert(3)' x=\"&lt;b&gt; &amp;amp;",
    "<img src=https://example.com/pixel.png><style>@import 'https://example.com/a.css';*{display:none}</style>",
    "\u202eright to left\u2066 \x00\x1b[31m <!-- ]]>",
)


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two outputs with hostile captions, names, models and messages, about pictures of hostile names."""
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "photos").mkdir()
    names = [re.sub("[/\x00]", "", text)[:100] + f" {number}.jpg" for number, text in enumerate(HOSTILE)]
    for number, name in enumerate(names):
        image = Image.new("RGB", (900, 600), (40 * number, 90, 160))
        exif = Image.Exif()
        exif[0x0112] = 6  # lies on its side
        exif[0x010E] = "a secret place"
        image.save(folder / "photos" / name, exif=exif, comment=b"a secret comment")
    steps = [
        {"name": text[:40], "model": text, "text": text, "prompt_tokens": 3, "seconds": 1.5}
        for text in HOSTILE[:3]
    ]
    rows = [
        {"image_id": name, "image_path": str(folder / "photos" / name), "caption": text, "model": HOSTILE[0]}
        | {"prompt_id": f"{HOSTILE[1]}@0123", "prompt_tokens": 3, "completion_tokens": 4, "seconds": 4.5}
        | {"steps": steps}
        for name, text in zip(names, HOSTILE, strict=True)
    ]
    (folder / "one.jsonl").write_text("\n".join(map(json.dumps, rows)))
    changed = [{**row, "caption": f"Now {row['caption']}", "steps": None} for row in rows]
    (folder / "two.jsonl").write_text("\n".join(map(json.dumps, changed[:-1])))
    failure = {"key": names[-1], "kind": "timeout", "message": HOSTILE[0]}
    (folder / "two.jsonl.failures.jsonl").write_text(json.dumps(failure))
    return folder


def made(material: Path, *options: str) -> Path:
    """The page of the two outputs; the second's name is hostile too."""
    report = material / f"{'-'.join(options) or 'plain'}.html"
    outputs = (str(material / "one.jsonl"), str(material / "two.jsonl"))
    ran = cutline("compare", *outputs, *options, "--output-path", report)
    assert ran.returncode == 0, ran.stderr
    return report


@pytest.fixture(scope="module")
def report(material: Path) -> Path:
    return made(material)


@pytest.fixture(scope="module")
def blind_report(material: Path) -> Path:
    return made(material, "--blind")


class Elements(HTMLParser):
    """The elements of a page, and that each of them is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in {"img", "input", "meta"}:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_nothing_but_our_own_elements_is_on_the_page(report: Path) -> None:
    text = report.read_text("utf-8")
    page = Elements(text)
    assert {tag for tag, _ in page.found}.isdisjoint({"script", "iframe", "object", "link", "base", "form"})
    names = {name for _, attributes in page.found for name in attributes}
    assert not any(name.startswith("on") for name in names)
    links = [a.get("src") or a.get("href") for _, a in page.found if "src" in a or "href" in a]
    assert all(link and link.startswith(("data:image/jpeg;base64,", "#p")) for link in links)
    policy = next(a["content"] for _, a in page.found if a.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'unsafe-inline'")
    assert HOSTILE[1] in "".join(page.texts), "it can be read"
    assert "secret" not in text


def test_thumbnails_are_upright_and_small(report: Path) -> None:
    images = [a for tag, a in Elements(report.read_text("utf-8")).found if tag == "img"]
    assert len(images) == len(HOSTILE)
    for image in images:
        assert (image["width"], image["height"]) == ("320", "480")
        assert image["alt"]
        assert len(image["src"] or "") < 60_000


@pytest.fixture(params=[(1280, False), (390, True)], ids=["desk, light", "phone, dark"])
def view(request: pytest.FixtureRequest) -> Iterator[tuple[int, bool]]:
    return request.param


def test_a_browser_shows_it_and_asks_for_nothing(browser: Any, report: Path, view: tuple[int, bool]) -> None:
    with opened(browser, report, width=view[0], dark=view[1]) as page:
        assert page.complaints == []
        assert page.requests == [report.resolve().as_uri()]
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing sticks out"
        assert page.evaluate("document.images.length") == len(HOSTILE)
        assert page.evaluate("[...document.querySelectorAll('.words')].map(e => e.textContent)[2]")
        shown = "[...document.querySelectorAll('.answer:first-child .words')].map(e => e.textContent)"
        assert page.evaluate(shown)[:4] == list(HOSTILE[:4])
        check_contrast(page)
        # What is hidden until it is wanted is as inert.
        page.evaluate("document.querySelectorAll('details').forEach(e => e.open = true)")
        page.evaluate("document.querySelectorAll('img').forEach(e => e.loading = 'eager')")
        assert page.evaluate("document.querySelectorAll('.answer li').length") == 15
        assert page.complaints == []
        assert len(page.requests) == 1


def test_the_switches_work_without_a_script(browser: Any, report: Path) -> None:
    with opened(browser, report) as page:
        shown = "[...document.querySelectorAll('.picture')].filter(e => e.offsetParent).length"
        marked = "getComputedStyle(document.querySelector('mark')).backgroundColor"
        assert page.evaluate("[...document.querySelectorAll('mark')][0].textContent") == "Now"
        before = page.evaluate(marked)
        page.evaluate("document.getElementById('plain').click()")
        assert page.evaluate(marked) != before == page.evaluate("'rgb(255, 240, 189)'")
        assert page.evaluate(shown) == len(HOSTILE)
        page.evaluate("document.getElementById('gaps').click()")
        assert page.evaluate(shown) == 1


def test_a_blind_comparison_tells_no_names(browser: Any, blind_report: Path) -> None:
    with opened(browser, blind_report) as page:
        visible = page.evaluate("document.body.innerText")
        assert "one.jsonl" not in visible
        assert "two.jsonl" not in visible
        assert "tokens" not in visible
        page.evaluate("document.querySelector('details').open = true")
        visible = page.evaluate("document.body.innerText")
        assert re.search(r"A: \S*(one|two)\.jsonl", visible)


CONTRAST = """(() => {
  const parse = text => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
    .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = e => { for (; e; e = e.parentElement) {
    const colour = parse(getComputedStyle(e).backgroundColor);
    if (colour.length < 4 || colour[3] > 0) return colour; } return [255, 255, 255]; };
  return [...document.querySelectorAll('body *')]
    .filter(e => [...e.childNodes].some(n => n.nodeType == 3 && n.textContent.trim()))
    .map(e => { const [a, b] = [light(parse(getComputedStyle(e).color)), light(ground(e))];
      return [(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), e.tagName + '.' + e.className]; })
    .filter(([ratio]) => ratio < 4.5);
})()"""


def check_contrast(page: OpenPage) -> None:
    """Every text stands out from its ground as WCAG's level AA wants it: 4.5 to 1."""
    assert page.evaluate(CONTRAST) == []
