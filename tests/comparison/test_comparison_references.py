"""References given to a comparison: their metrics stand in its table, report and exports."""

from __future__ import annotations

import csv
import json

import pytest
from PIL import Image

import cutline
from cutline.cli import main

KEYS = ("a.jpg", "b.jpg", "c.jpg")
REFERENCES = {
    "a.jpg": ["a red bus on a road", "the bus is red"],
    "b.jpg": ["two dogs run on green grass"],
    "c.jpg": ["a black cat on a mat"],
}
GOOD = {"a.jpg": "a red bus on a road", "b.jpg": "two dogs run on grass", "c.jpg": "a black cat on a mat"}
BAD = {"a.jpg": "a photo of a street", "b.jpg": "an animal", "c.jpg": "a cat"}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    for key in KEYS:
        (tmp_path / "photos").mkdir(exist_ok=True)
        Image.new("RGB", (40, 30), "crimson").save(tmp_path / "photos" / key)
    for name, captions in (("good", GOOD), ("bad", BAD)):
        rows = ({"image_id": key, "caption": text} for key, text in captions.items())
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "refs.json").write_text(json.dumps(REFERENCES))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def compared(*more, output="c.json"):
    return main(
        ["compare", "good.jsonl", "bad.jsonl", "--input-path", "photos", "--output-path", output, *more]
    )


def test_the_scores_are_those_of_eval(folder, capsys):
    assert compared("--references", "refs.json") == 0
    table = capsys.readouterr().out
    assert "CIDEr-D" in table
    assert "ROUGE-L" in table
    assert "length  " not in table, "which stands there as words"
    assert "* lengths differ" in table
    assert [line.count("*") for line in table.splitlines() if ".jsonl" in line] == [0, 2]
    good, bad = json.loads((folder / "c.json").read_text())["contestants"]
    assert good["CIDEr-D"] > bad["CIDEr-D"]
    assert bad["marks"]["CIDEr-D"] == "lengths differ"
    main(["eval", "good.jsonl", "--references", "refs.json", "--json"])
    evaluated = json.loads(capsys.readouterr().out)
    expected = evaluated["metrics"]
    for name in ("BLEU-1", "BLEU-4", "ROUGE-L", "CIDEr-D"):
        assert good[name] == pytest.approx(expected[name], abs=1e-4)
    assert good["length"] == pytest.approx(expected["length"], abs=1e-4)
    assert {"distinct-1", "distinct-2", "repetition"} <= good.keys()
    for name, limits in evaluated["intervals"].items():
        assert good["intervals"][name] == pytest.approx(limits, abs=1e-4)
    assert good["intervals"].keys() == evaluated["intervals"].keys()
    low, high = good["intervals"]["ROUGE-L"]
    assert f"{low:.3f} … {high:.3f}" in table
    compared("--references", "refs.json", output="c.html")
    assert f"{low:.3f} … {high:.3f}" in (folder / "c.html").read_text("utf-8")


def test_the_short_help_lists_references(capsys):
    main(["compare", "--help"])
    assert "--references" in capsys.readouterr().out


def test_they_stand_in_the_report_and_the_rows(folder):
    assert compared("--references", "refs.json", output="c.html") == 0
    page = (folder / "c.html").read_text()
    assert "CIDEr-D" in page
    assert "lengths differ" in page
    assert compared("--references", "refs.json", output="c.csv") == 0
    with (folder / "c.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["ROUGE-L"] for row in rows if row["contestant"] == "good.jsonl"} >= {"1.0"}


def test_only_pictures_that_all_have_a_caption_for_count(folder):
    rows = (folder / "bad.jsonl").read_text().splitlines()[:2]
    (folder / "bad.jsonl").write_text("\n".join(rows))
    comparison = cutline.compare(
        "photos", ["good.jsonl", "bad.jsonl"], output="c.json", references="refs.json"
    )
    good, bad = comparison.candidates
    assert set(good.scores["a.jpg"]) == set(bad.scores["a.jpg"]) >= {"BLEU-1", "ROUGE-L", "CIDEr-D"}
    assert good.scores["c.jpg"] == {}
    assert "Over the 2 pictures" in comparison.metrics["ROUGE-L"]


def test_references_of_other_pictures_are_refused_before_anything_is_captioned(folder, capsys):
    (folder / "other.json").write_text(json.dumps({"zebra.png": ["a zebra"]}))
    code = main(
        [
            "compare",
            "fake",
            "good.jsonl",
            "--input-path",
            "photos",
            "-o",
            "c.json",
            "--references",
            "other.json",
        ]
    )
    assert code == 2
    assert "no picture is in both" in capsys.readouterr().err
    assert not (folder / "c.json").exists()
    assert not (folder / "c.json.cutline").exists()


def test_pictures_without_references_are_counted(folder, capsys):
    (folder / "refs.json").write_text(json.dumps({key: REFERENCES[key] for key in KEYS[:2]}))
    assert compared("--references", "refs.json") == 1
    noted = capsys.readouterr().err
    assert "pictures without a reference in refs.json: 1 (c.jpg)" in noted
    assert "--allow-missing" in noted
    assert compared("--references", "refs.json", "--allow-missing") == 0


def test_references_without_a_caption_are_a_fault_as_in_eval(folder, capsys):
    more = {f"more-{number}.jpg": ["a tree"] for number in range(3)}
    (folder / "refs.json").write_text(json.dumps(REFERENCES | more))
    told = "references without a caption: 3 (more-0.jpg, more-1.jpg, more-2.jpg)"
    both = "the figures are those of the other pictures; --allow-missing if that is intended"
    for command in (
        lambda *allowed: main(["eval", "good.jsonl", "--references", "refs.json", *allowed]),
        lambda *allowed: compared("--references", "refs.json", *allowed),
    ):
        assert command() == 1
        noted = capsys.readouterr().err
        assert (told in noted, both in noted) == (True, True)
        assert command("--allow-missing") == 0
        assert told in capsys.readouterr().err
    # Of the first pictures only, the other references are of pictures that were not to be compared.
    assert compared("--references", "refs.json", "--image-limit", "2") == 0
    assert told not in capsys.readouterr().err


def test_outputs_whose_ids_differ_are_matched_by_file_names(folder, capsys):
    rows = ({"image_id": f"photos/{key}", "caption": text} for key, text in GOOD.items())
    (folder / "bad.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert compared() == 0
    assert "bad.jsonl and the pictures matched by file names" in capsys.readouterr().err
    assert [one["captions"] for one in json.loads((folder / "c.json").read_text())["contestants"]] == [3, 3]


def test_rows_that_cannot_be_read_end_nothing_but_themselves(folder, capsys):
    lines = (folder / "good.jsonl").read_text().splitlines()
    (folder / "good.jsonl").write_text("\n".join([lines[0], "{", *lines[1:]]))
    (folder / "refs.json").write_text(json.dumps(REFERENCES | {"x.jpg": 7}))
    assert compared("--references", "refs.json") == 1
    noted = capsys.readouterr().err
    assert "good.jsonl: 1 row that cannot be read (row 2)" in noted
    assert "values that are not text in refs.json: 1 (x.jpg)" in noted
    assert compared("--references", "refs.json", "--allow-missing") == 0


def test_a_column_of_zeros_has_no_bars(folder):
    (folder / "refs.json").write_text(json.dumps({key: ["a photo of an old red cat"] for key in KEYS}))
    assert compared("--references", "refs.json", output="c.html") == 0
    page = (folder / "c.html").read_text()
    table = page[page.index("<table") : page.index("</table>")]
    zeros = [cell for cell in table.split("<td") if cell.startswith(">0.000")]
    assert len(zeros) >= 2  # BLEU-4 is not quite 0
    assert not any('class="bar"' in cell for cell in zeros)
    assert 'class="bar"' in table
