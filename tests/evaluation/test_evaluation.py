"""What is read, matched and named, and what the command prints."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import re
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from PIL import Image
from rich.console import Console

import cutline
from cutline import registry
from cutline.cli import main
from cutline.cli.eval import score_table
from cutline.errors import ConfigError
from cutline.evaluation.evaluation import EvaluationPlan, run_evaluation
from cutline.interfaces import CorpusMetric
from cutline.metrics.cider import CiderD
from cutline.metrics.coco_tokenizer import corpus_of
from cutline.text.corpus import mean_score

CAPTIONS = {"a.jpg": "a red bus", "b.jpg": "two dogs run on grass", "c.jpg": "a cat"}
REFERENCES = {
    "a.jpg": ["a red bus on a road", "the bus is red"],
    "b.jpg": ["dogs run on green grass"],
    "c.jpg": ["a black cat on a mat", "a cat"],
}


def jsonl(rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    rows = [{"image_id": key, "caption": text} for key, text in CAPTIONS.items()]
    (tmp_path / "out.jsonl").write_text(jsonl(rows))
    (tmp_path / "refs.json").write_text(json.dumps(REFERENCES))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def evaluated(captions="out.jsonl", references="refs.json", **more):
    return run_evaluation(EvaluationPlan(captions=captions, references=references, **more))


def values(evaluation):
    return {name: score.value for name, score in evaluation.scores.items()}


def cells(text_of):
    rows = ((key, str(text_of(texts)).replace(chr(34), chr(34) * 2)) for key, texts in REFERENCES.items())
    return "image_id,references\n" + "".join(f'{key},"{cell}"\n' for key, cell in rows)


@pytest.mark.parametrize("text_of", [list, lambda texts: np.array(texts, dtype=object)])
def test_lists_in_a_csv_as_pandas_writes_them(folder, text_of):
    (folder / "pandas.csv").write_text(cells(text_of))
    assert values(evaluated(references="pandas.csv")) == values(evaluated())


def test_references_numbered_as_in_flickr30k_are_of_one_picture(folder):
    rows = [
        f"{key}#{number}\t{text}" for key, texts in REFERENCES.items() for number, text in enumerate(texts)
    ]
    (folder / "results.tsv").write_text("\n".join(["image\tcaption", *rows]))
    assert values(evaluated(references="results.tsv")) == values(evaluated())


def printed(capsys, *arguments):
    code = main(["eval", *arguments])
    found = capsys.readouterr()
    return code, found.out, found.err


def test_the_published_figures_are_printed(shared_data, tmp_path, capsys):
    folder = shared_data / "caption-metrics"
    captions = str(folder / "en_captions_val2014_fakecap_results.json")
    code, out, _ = printed(
        capsys,
        captions,
        "--references",
        str(folder / "en_captions_val2014.json"),
        "--json",
        "-o",
        str(tmp_path / "s.csv"),
    )
    assert code == 0
    numbers = json.loads(out)["metrics"]
    assert round(numbers["CIDEr-D"], 3) == 0.6
    assert [round(numbers[f"BLEU-{order}"], 3) for order in (1, 2, 3, 4)] == [0.579, 0.404, 0.279, 0.191]
    assert round(numbers["ROUGE-L"], 3) == 0.396
    low, high = json.loads(out)["intervals"]["CIDEr-D"]
    assert 0.5 < low < numbers["CIDEr-D"] < high < 0.7
    with (tmp_path / "s.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 1000
    assert sum(float(row["CIDEr-D"]) for row in rows) / 1000 == pytest.approx(numbers["CIDEr-D"])


def table(path, name, column, kind):
    keys = list(REFERENCES)
    if kind == "parquet":
        data = {name: keys, column: list(REFERENCES.values())}
        pyarrow.parquet.write_table(pa.table(data), path)
    elif kind == "csv":
        with path.open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow([name, column])
            rows.writerows([key, json.dumps(texts)] for key, texts in REFERENCES.items())
    else:
        path.write_text(jsonl({name: key, column: texts} for key, texts in REFERENCES.items()))


@pytest.mark.parametrize("kind", ["parquet", "csv", "jsonl"])
@pytest.mark.parametrize(
    ("name", "column"), [("image_id", "references"), ("file_name", "captions"), ("file", "sentences")]
)
def test_references_are_read_from_tables_with_lists(folder, name, column, kind):
    table(folder / f"table.{kind}", name, column, kind)
    assert values(evaluated(references=f"table.{kind}")) == values(evaluated())


def coco_annotations(number=False):
    images = [{"id": place + 7, "file_name": key} for place, key in enumerate(REFERENCES)]
    notes = [
        {"image_id": place + 7, "id": 1, "caption": text}
        for place, texts in enumerate(REFERENCES.values())
        for text in texts
    ]
    return {"images": [] if number else images, "annotations": notes}


def test_annotations_are_matched_by_their_file_names(folder):
    (folder / "coco.json").write_text(json.dumps(coco_annotations()))
    found = evaluated(references="coco.json")
    assert values(found) == values(evaluated())
    assert found.notes == ["captions and references matched by file names of the annotations"]


def test_numbers_are_matched_with_the_file_names_of_coco(folder):
    (folder / "coco.json").write_text(json.dumps(coco_annotations(number=True)))
    rows = [
        {"image_id": f"val/COCO_val2014_{place + 7:012}.jpg", "caption": text}
        for place, text in enumerate(CAPTIONS.values())
    ]
    (folder / "out.jsonl").write_text(jsonl(rows))
    assert len(evaluated(references="coco.json").pictures) == 3


@pytest.mark.parametrize("name", ["deep/down/{}.jpg", "{}.webp", "{}"])
def test_file_names_are_matched_where_no_id_is_in_both(folder, name):
    rows = [{"image_id": name.format(key[0]), "caption": text} for key, text in CAPTIONS.items()]
    (folder / "out.jsonl").write_text(jsonl(rows))
    found = evaluated()
    assert len(found.pictures) == 3
    assert "file names" in found.notes[0]


def test_a_name_that_two_pictures_have_is_matched_with_neither(folder):
    rows = [{"image_id": key, "caption": "a cat"} for key in ("x/a.jpg", "y/a.jpg", "z/b.jpg", "z/c.jpg")]
    (folder / "out.jsonl").write_text(jsonl(rows))
    found = evaluated()
    assert [picture.image_id for picture in found.pictures] == ["z/b.jpg", "z/c.jpg"]
    assert "captions without a reference: 2 (x/a.jpg, y/a.jpg)" in map(str, found.problems)


def test_a_folder_of_texts_is_read(folder):
    for key, text in CAPTIONS.items():
        (folder / "texts" / key[0]).parent.mkdir(exist_ok=True)
        (folder / "texts" / f"{key[0]}.txt").write_text(text + "\n", encoding="utf-16")
    assert values(evaluated("texts")) == values(evaluated())


def test_what_does_not_fit_is_counted_named_and_exits_1(folder, capsys):
    rows = [
        {"image_id": "a.jpg", "caption": "a red bus"},
        {"image_id": "a.jpg", "caption": "a second one"},
        {"image_id": "b.jpg", "caption": 17},
        {"image_id": "c.jpg", "caption": "  "},
        {"image_id": "new.jpg", "caption": "a cup"},
        {"image_id": None, "caption": "of nothing"},
    ]
    (folder / "odd.jsonl").write_text(jsonl(rows))
    code, out, err = printed(capsys, "odd.jsonl", "--references", "refs.json")
    assert code == 1
    assert "BLEU-4" in out
    assert "values that are not text in odd.jsonl: 1 (b.jpg)" in err
    assert "further captions of the same picture in odd.jsonl: 1 (a.jpg)" in err
    assert "rows without an id in odd.jsonl: 1" in err
    assert "captions without a reference: 1 (new.jpg)" in err
    assert "references without a caption: 1 (b.jpg)" in err
    assert "captions without words, which score 0: 1 (c.jpg)" in err
    assert printed(capsys, "odd.jsonl", "--references", "refs.json", "--allow-missing")[0] == 0


def test_an_empty_caption_alone_is_named_and_no_fault(folder, capsys):
    rows = [{"image_id": key, "caption": text if key != "a.jpg" else ""} for key, text in CAPTIONS.items()]
    (folder / "out.jsonl").write_text(jsonl(rows))
    code, _, err = printed(capsys, "out.jsonl", "--references", "refs.json")
    assert (code, "which score 0: 1 (a.jpg)" in err) == (0, True)
    first = evaluated().pictures[0]
    assert {first.scores[name] for name in ("BLEU-4", "ROUGE-L", "CIDEr-D")} == {0.0}


def test_a_reference_of_signs_alone_is_named_and_no_fault(folder, capsys):
    (folder / "refs.json").write_text(
        json.dumps({**REFERENCES, "b.jpg": ["...", "dogs run"], "c.jpg": ["?!"]})
    )
    code, _, err = printed(capsys, "out.jsonl", "--references", "refs.json")
    assert code == 0
    assert "pictures with a reference without words, which no caption matches: 1 (b.jpg)" in err


def test_no_common_id_is_one_line_with_an_id_of_each(folder, capsys):
    (folder / "other.json").write_text(json.dumps({"zebra.png": ["a zebra"]}))
    code, out, err = printed(capsys, "out.jsonl", "--references", "other.json")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "'a.jpg'" in err
    assert "'zebra.png'" in err


def test_one_picture_has_no_cider_and_says_why(folder, capsys):
    (folder / "one.jsonl").write_text(jsonl([{"image_id": "a.jpg", "caption": "a red bus"}]))
    code, out, _ = printed(capsys, "one.jsonl", "--references", "refs.json", "--allow-missing")
    assert code == 0
    line = next(line for line in out.splitlines() if line.startswith("CIDEr-D"))
    assert "\N{EN DASH}" in line
    assert "needs two pictures" in line
    _, out, _ = printed(capsys, "one.jsonl", "--references", "refs.json", "--allow-missing", "--json")
    found = json.loads(out)
    assert found["metrics"]["CIDEr-D"] is None
    assert "two pictures" in found["reasons"]["CIDEr-D"]


def test_lengths_that_differ_are_marked(folder, capsys):
    long = [{"image_id": key, "caption": f"{text} " * 5} for key, text in CAPTIONS.items()]
    (folder / "long.jsonl").write_text(jsonl(long))
    _, out, _ = printed(capsys, "long.jsonl", "--references", "refs.json")
    marked = {line.split()[0] for line in out.splitlines() if "lengths differ" in line}
    assert marked == {"BLEU-1", "BLEU-2", "BLEU-3", "BLEU-4", "CIDEr-D"}
    assert "lengths differ" not in printed(capsys, "out.jsonl", "--references", "refs.json")[1]


def test_the_paired_test_finds_a_difference_and_none_where_there_is_none(shared_data, tmp_path):
    folder = shared_data / "caption-metrics"
    references = str(folder / "en_captions_val2014.json")
    rows = json.loads((folder / "en_captions_val2014_fakecap_results.json").read_text())
    worse = [{**row, "caption": " ".join(row["caption"].split()[:-2])} for row in rows]
    (tmp_path / "worse.json").write_text(json.dumps(worse))
    captions = str(folder / "en_captions_val2014_fakecap_results.json")
    found = evaluated(captions, references, against=str(tmp_path / "worse.json"), metrics=("cider-d", "bleu"))
    difference = found.scores["CIDEr-D"].difference
    assert difference.difference == pytest.approx(
        found.scores["CIDEr-D"].value - found.scores["CIDEr-D"].other
    )
    assert difference.low < difference.difference < difference.high
    assert difference.p < 0.01
    same = (
        evaluated(captions, references, against=captions, metrics=("cider-d",)).scores["CIDEr-D"].difference
    )
    assert (same.difference, same.low, same.high, same.p) == (0, 0, 0, 1)


@pytest.mark.parametrize("kind", ["parquet", "csv", "jsonl"])
def test_the_scores_of_each_picture_are_written(folder, capsys, kind):
    path = folder / f"scores.{kind}"
    words = ("out.jsonl", "--references", "refs.json", "--against", "out.jsonl", "--output", str(path))
    assert printed(capsys, *words)[0] == 0
    if kind == "parquet":
        rows = pyarrow.parquet.read_table(path).to_pylist()
    elif kind == "csv":
        with path.open() as file:
            rows = list(csv.DictReader(file))
    else:
        rows = list(map(json.loads, path.read_text().splitlines()))
    assert [row["image_id"] for row in rows] == list(CAPTIONS)
    assert float(rows[2]["ROUGE-L"]) == 1
    assert rows[0]["caption against"] == rows[0]["caption"]
    assert printed(capsys, *words)[0] == 2
    assert printed(capsys, *words, "--overwrite")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("none.jsonl",), "none.jsonl does not exist"),
        (("out.jsonl", "--references", "none.json"), "none.json does not exist"),
        (("out.jsonl", "--metrics", "bleu"), "bleu needs --references"),
        (("out.jsonl", "--metrics", "blue"), "blue is not a metric of cutline eval, did you mean bleu?"),
        (("out.jsonl", "--output", "x.txt"), "change the extension"),
        (("out.jsonl", "--metrics", " , "), "--metrics is empty"),
        (("out.jsonl", "--device", "cpu"), "--device is for the CLIP model of --images"),
        (("out.jsonl", "refs.json"), "give the captions to compare with as --against"),
        (("out.jsonl", "--references", "broken.json"), "not valid JSON"),
        (("out.jsonl", "--references", "words.csv"), "no column of"),
        (("out.jsonl", "--references", "broken.jsonl"), "row 1 of it is not an object"),
        (("out.jsonl", "--references", "empty.jsonl"), "holds no references"),
        (("out.jsonl", "--references", "number.json"), "holds no texts"),
        (("out.jsonl", "--output", "out.jsonl", "--overwrite"), "is also an input"),
        (("out.jsonl", "--metrics", "spice"), "only a Java program computes its numbers"),
        (("out.jsonl", "--metrics", "similarity"), "choose among bleu"),
        (("out.jsonl", "--metrics", "meteo"), "meteo is not a metric of cutline eval, did you mean meteor?"),
        (("pictures",), "pictures is a folder without texts: give an output"),
    ],
)
def test_mistakes_are_one_line(folder, capsys, arguments, message):
    (folder / "pictures").mkdir()
    Image.new("RGB", (8, 8)).save(folder / "pictures" / "a.jpg")
    (folder / "broken.json").write_text("{")
    (folder / "broken.jsonl").write_text("{\n[1]\n")
    (folder / "empty.jsonl").write_text("")
    (folder / "number.json").write_text("3")
    (folder / "words.csv").write_text("colour,shape\nred,round\n")
    code, out, err = printed(capsys, *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert message in err


@pytest.mark.parametrize(
    ("scores", "reason"),
    [
        (lambda _: 1 / 0, "ZeroDivisionError"),
        (lambda _: sys.exit(3), "SystemExit: 3"),
        (lambda _: 0.5, "TypeError"),
        (lambda _: [0.5], "a float within its list, not a CorpusScore"),
        (lambda _: [mean_score("odd", "Odd.", np.zeros(1))], "'odd' has values of 1 captions, not of 3"),
        (
            lambda all_: [mean_score("length", "Odd.", np.zeros(len(all_)))],
            "another metric has a score 'length'",
        ),
    ],
)
def test_a_metric_of_ones_own_that_breaks_is_named(folder, capsys, scores, reason):
    class Odd(CorpusMetric):
        name, needs = "odd", frozenset()

        def scores(self, corpus):
            return scores(corpus)

    with registry.scope():
        registry.register("metrics", "odd", Odd)
        code, _, said = printed(capsys, "out.jsonl", "--metrics", "length,odd")
    assert code == 2
    assert re.search(f"the metric 'odd' broke: .*{re.escape(reason)}.*; correct it", said), said


@pytest.mark.parametrize("damage", ['{"image_id": "p/imag', "[1]", "\x00\x00", '{"a": 1}{"b": 2}', "NaN,"])
def test_a_damaged_line_ends_nothing_but_itself(folder, capsys, damage):
    path = folder / "out.jsonl"
    lines = path.read_text().splitlines()
    expected = json.loads(printed(capsys, "out.jsonl", "--references", "refs.json", "--json")[1])
    path.write_text("\n".join([*lines[:1], damage, "", *lines[1:], damage]) + "\n")
    code, out, err = printed(capsys, "out.jsonl", "--references", "refs.json", "--json")
    assert (code, json.loads(out)["metrics"]) == (1, expected["metrics"])
    assert f"rows that cannot be read in out.jsonl: 2 (row 2, row {len(lines) + 3})" in err
    assert printed(capsys, "out.jsonl", "--references", "refs.json", "--allow-missing")[0] == 0


def test_without_references_the_captions_alone_are_measured(folder, capsys):
    code, out, err = printed(capsys, "out.jsonl", "--json")
    found = json.loads(out)
    assert (code, found["metrics"]["length"]) == (0, pytest.approx(10 / 3))
    assert found["left_out"]["bleu"] == "needs --references"
    assert "left out: bleu, rouge-l, meteor, cider-d: needs --references" in err


def test_no_caption_and_reference_in_common(folder):
    (folder / "empty.json").write_text(json.dumps({key: [""] for key in REFERENCES}))
    with pytest.raises(ConfigError, match="no picture has both"):
        evaluated(references="empty.json")


def test_objects_add_chair(folder, capsys):
    objects = {
        "objects": {"bus": [], "dog": [], "cat": [], "car": []},
        "pictures": {"a": ["bus"], "b": ["dog"]},
    }
    (folder / "objects.json").write_text(json.dumps(objects))
    code, out, err = printed(capsys, "out.jsonl", "--objects", "objects.json", "--json")
    found = json.loads(out)
    assert (code, found["metrics"]["CHAIR-i"]) == (1, 0)
    assert "pictures without CHAIR-i: 1 (c.jpg)" in err
    toml = '[objects]\nbus = []\ndog = []\ncat = []\nrun = []\n[pictures]\na = ["bus"]\n'
    (folder / "objects.toml").write_text(toml)
    _, out, _ = printed(
        capsys,
        "out.jsonl",
        "--objects",
        "objects.toml",
        "--references",
        "refs.json",
        "--metrics",
        "chair",
        "--json",
    )
    assert json.loads(out)["metrics"] == {"CHAIR-i": 0, "CHAIR-s": 0}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"objects": []}', "has no objects"),
        (
            '{"objects": {"dog": []}, "pictures": {"a": ["cat"]}}',
            "'cat' of a picture is not among the objects",
        ),
        ('{"objects": {"dog": []}, "pictures": [1]}', "with a list for each picture"),
        ('{"objects": {"dog": []}, "pictures": {"zebra": []}}', "no picture is in both"),
        ("[1]", "holds no object"),
        ("{", "is not JSON"),
    ],
)
def test_damaged_object_lists_are_one_line(folder, capsys, content, message):
    (folder / "objects.json").write_text(content)
    code, _, err = printed(capsys, "out.jsonl", "--objects", "objects.json")
    assert (code, err.count("\n")) == (2, 1)
    assert message in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--model", "x"), "give --images"),
        (("--metrics", "clipscore"), "give it"),
        (("--metrics", "similarity"), "not a metric of cutline eval"),
        (("--metrics", "length", "--objects", "x.json"), "--objects has no effect"),
        (("--images", "nowhere"), "does not exist"),
    ],
)
def test_options_that_do_not_fit_are_one_line(folder, capsys, arguments, message):
    code, _, err = printed(capsys, "out.jsonl", *arguments)
    assert (code, err.count("\n")) == (2, 1)
    assert message in err


def test_images_add_clip_scores(folder, capsys):
    pytest.importorskip("torch", reason="needs the extra local")
    pytest.importorskip("transformers", reason="needs the extra local")
    from tiny_clip import save_clip

    (folder / "photos").mkdir()
    for key in CAPTIONS:
        Image.new("RGB", (40, 30), "crimson").save(folder / "photos" / key)
    model = str(save_clip(folder / "clip"))
    words = ("--references", "refs.json", "--images", "photos", "--model", model, "--device", "cpu", "--json")
    code, out, _ = printed(capsys, "out.jsonl", *words)
    found = json.loads(out)["metrics"]
    assert code == 0
    assert 0 <= found["CLIPScore"] <= 2.5
    assert 0 <= found["RefCLIPScore"] <= 2.5


def test_files_of_others_are_read_with_marks_long_cells_and_halves_of_characters(folder):
    (folder / "refs.json").write_bytes(b"\xef\xbb\xbf" + json.dumps(REFERENCES).encode())
    (folder / "half.jsonl").write_text('{"image_id": "a.jpg", "caption": "a red \\ud83d bus"}\n')
    found = evaluated("half.jsonl")
    assert found.pictures[0].caption == "a red \ufffd bus"
    (folder / "long.csv").write_text(
        "\ufeffimage_id,caption\na.jpg," + "bus " * 40_000 + "\nb.jpg,dogs\n", "utf-8"
    )
    assert [picture.image_id for picture in evaluated("long.csv").pictures] == ["a.jpg", "b.jpg"]


@pytest.mark.parametrize(
    "sign", ["\u2028", "\u2029", "\r", "\r\n", "\x0c", "\x0b", "\x85", "|||", "\0", "😀"]
)
@pytest.mark.parametrize("kind", ["jsonl", "json", "csv", "parquet"])
def test_one_caption_stays_one_caption(folder, sign, kind):
    captions = {**CAPTIONS, "b.jpg": f"two dogs{sign}run on grass"}
    path = folder / f"odd.{kind}"
    if kind == "parquet":
        data = {"image_id": list(captions), "caption": list(captions.values())}
        pyarrow.parquet.write_table(pa.table(data), path)
    elif kind == "csv":
        with path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([("image_id", "caption"), *captions.items()])
    else:
        rows = [{"image_id": key, "caption": text} for key, text in captions.items()]
        path.write_text(jsonl(rows) if kind == "jsonl" else json.dumps(rows))
    ours, plain = evaluated(f"odd.{kind}", metrics=("rouge-l",)), evaluated(metrics=("rouge-l",))
    for place in (0, 2):
        assert ours.pictures[place].scores == plain.pictures[place].scores
    assert ours.pictures[1].scores["ROUGE-L"] > 0.5
    assert not ours.problems


def test_from_python_the_result_is_frozen(folder):
    found = cutline.evaluate(folder / "out.jsonl", folder / "refs.json", metrics=["bleu"])
    assert found.scores["BLEU-1"].value == evaluated().scores["BLEU-1"].value
    assert found.is_complete
    assert cutline.evaluate(folder / "out.jsonl", folder / "refs.json", metrics="bleu").scores == found.scores
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.captions = ""


@pytest.mark.parametrize("option", ["captions", "references", "against", "objects"])
def test_values_in_place_of_a_file_are_refused(folder, option):
    arguments = {"captions": "out.jsonl", "references": "refs.json", option: REFERENCES}
    with pytest.raises(ConfigError, match=f"^{option} takes a path, not a dict: write it to"):
        cutline.evaluate(**arguments)


def test_meteor_without_its_extra_is_left_out_with_the_command_that_installs_it(folder, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "snowballstemmer", None)
    code, out, err = printed(capsys, "out.jsonl", "--references", "refs.json")
    assert (code, "METEOR" in out) == (0, False)
    assert re.search(r"left out: meteor: METEOR needs an extra: .*\[metrics\]'", err)
    code, out, err = printed(capsys, "out.jsonl", "--references", "refs.json", "--metrics", "meteor")
    assert (code, out, err.count("[metrics]'")) == (2, "", 1)


def test_what_the_pages_say_of_lengths_and_cider_is_so(shared_data):
    rows = json.loads((shared_data / "caption-metrics/en_captions_val2014.json").read_text())["annotations"]
    texts = {}
    for row in rows:
        texts.setdefault(row["image_id"], []).append(row["caption"])
    pictures = list(texts.values())

    def cider(captions):
        return CiderD().scores(corpus_of(captions, [several[:2] for several in pictures]))[0].value

    one, two, three = ([" ".join(several[2 : 2 + count]) for several in pictures] for count in (1, 2, 3))
    other = [pictures[place - 1][2] for place in range(len(pictures))]
    found = [f"{value:.2g}" for value in map(cider, (one, two, three, other))]
    assert found == ["0.92", "0.27", "0.013", "0.064"]
    page = (Path(__file__).parents[2] / "docs/evaluation.md").read_text("utf-8")
    assert all(value in page for value in found)


OUTPUTS = {
    "jsonl": "o.jsonl",
    "json": "o.json",
    "csv": "o.csv",
    "tsv": "o.tsv",
    "parquet": "o.parquet",
    "webdataset": "shards",
    "imagefolder": "photos/metadata.jsonl",
    "sidecar": "texts",
}


@pytest.mark.parametrize("kind", OUTPUTS)
def test_every_output_of_ours_is_read(folder, kind):
    (folder / "photos/deep").mkdir(parents=True)
    for key in ("a.jpg", "deep/b.jpg", "c.jpg"):
        Image.new("RGB", (40, 30), "crimson").save(folder / "photos" / key)
    output = str(folder / OUTPUTS[kind])
    cutline.caption("photos", output, model="fake", prompt="short", output_format=kind)
    references = {key: ["a red picture", "fake"] for key in ("a.jpg", "deep/b.jpg", "c.jpg")}
    (folder / "own.json").write_text(json.dumps(references))
    found = evaluated(output, "own.json")
    assert {Path(picture.image_id).stem for picture in found.pictures} == {"a", "b", "c"}
    assert all("prompted by short" in picture.caption for picture in found.pictures)
    assert not found.problems


@pytest.mark.parametrize("kind", OUTPUTS)
def test_every_output_of_ours_has_references(folder, kind):
    for key in ("a.jpg", "b.jpg"):
        (folder / "photos").mkdir(exist_ok=True)
        Image.new("RGB", (40, 30), "crimson").save(folder / "photos" / key)
    cutline.caption("photos", "a.jsonl", model="fake", prompt="short")
    cutline.caption("photos", str(folder / OUTPUTS[kind]), model="fake", prompt="short", output_format=kind)
    found = evaluated("a.jsonl", str(folder / OUTPUTS[kind]), metrics=["rouge-l"])
    assert len(found.pictures) == 2
    assert found.scores["ROUGE-L"].value == pytest.approx(1)
    assert not found.problems


@pytest.mark.parametrize("name", ["m.jsonl", "m.csv", "m.parquet"])
def test_the_captions_of_several_prompts_are_all_references(folder, name):
    (folder / "photos").mkdir()
    Image.new("RGB", (40, 30), "crimson").save(folder / "photos" / "a.jpg")
    cutline.caption("photos", name, model="fake", prompt=["detailed", "short"])
    cutline.caption("photos", "short.jsonl", model="fake", prompt="short")
    found = evaluated("short.jsonl", name, metrics=["rouge-l"])
    assert found.scores["ROUGE-L"].value == pytest.approx(1)
    assert not found.problems


def test_either_side_whose_lengths_differ_is_marked(folder, capsys):
    long = [{"image_id": key, "caption": f"{text} " * 5} for key, text in CAPTIONS.items()]
    (folder / "long.jsonl").write_text(jsonl(long))
    arguments = ("out.jsonl", "--references", "refs.json", "--against", "long.jsonl")
    _, out, _ = printed(capsys, *arguments, "--json")
    found = json.loads(out)
    assert found["marks"] == {}
    assert set(found["against"]["marks"]) == {"BLEU-1", "BLEU-2", "BLEU-3", "BLEU-4", "CIDEr-D"}
    _, alone, _ = printed(capsys, "long.jsonl", "--references", "refs.json", "--json")
    assert found["against"]["intervals"]["BLEU-1"] == json.loads(alone)["intervals"]["BLEU-1"]
    assert "lengths differ, of long.jsonl" in printed(capsys, *arguments)[1]


def many(folder, name, text):
    (folder / name).write_text(
        jsonl({"image_id": f"{n}.jpg", "caption": text.format(f"w{n}")} for n in range(20))
    )


def test_the_better_captions_are_named_with_the_interval_of_the_difference(folder, capsys):
    many(folder, "good.jsonl", "a red {} on the grass")
    many(folder, "bad.jsonl", "one two one two one two one two one two one two {}")
    many(folder, "people.jsonl", "a red {} on the green grass")
    _, out, _ = printed(capsys, "bad.jsonl", "--references", "people.jsonl", "--against", "good.jsonl")
    rows = {line.split()[0]: line for line in out.splitlines()}
    assert re.search(r" -0\.\d{4} +-0\.\d{4} … -0\.\d{4} +0\.001 +good\.jsonl", rows["ROUGE-L"])
    assert "good.jsonl (lower)" in rows["repetition"]
    assert "good.jsonl" not in rows["length"]


def test_a_difference_that_is_not_printed_is_none(folder, capsys):
    many(folder, "short.jsonl", "zz {}x")
    many(folder, "long.jsonl", "yy zz xx {}x uu")
    many(folder, "people.jsonl", "a red {} on the green grass")
    _, out, _ = printed(capsys, "short.jsonl", "--references", "people.jsonl", "--against", "long.jsonl")
    bleu = next(line for line in out.splitlines() if line.startswith("BLEU-4"))
    assert re.search(r"equal +1\.000", bleu)


def test_a_comparison_fits_a_narrow_terminal(tmp_path):
    rows = [{"image_id": n, "caption": f"a cat sits on mat number {n} of the house"} for n in range(6)]
    captions = [
        {"image_id": key, "caption": text} for key, text in ((n, f"a cat on mat {n}") for n in range(6))
    ]
    for name, found in {"refs": rows, "a-name-of-some-length": captions, "b": rows}.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(found))
    plan = EvaluationPlan(
        captions=str(tmp_path / "a-name-of-some-length.json"),
        references=str(tmp_path / "refs.json"),
        against=str(tmp_path / "b.json"),
        metrics=("bleu", "rouge-l", "repetition"),
    )
    console = Console(width=80, file=io.StringIO())
    console.print(score_table(run_evaluation(plan, lambda _: None), console.width))
    lines = console.file.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0].split() == ["metric", "captions", "against", "difference", "p", "better"]
    [rouge] = (place for place, line in enumerate(lines) if line.startswith("ROUGE-L"))
    assert lines[rouge].split()[2] == "1.0000"
    assert lines[rouge].split()[-1] == "against"
    assert lines[rouge + 1].count("\N{HORIZONTAL ELLIPSIS}") == 3


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-8-sig", "cp1252"])
@pytest.mark.parametrize("name", ["texts.csv", "texts.jsonl", "texts.json"])
def test_texts_of_spreadsheets_are_read_in_their_encoding(folder, encoding, name):
    texts = {key: f"une vache à côté de la forêt, très près du château {key}" for key in REFERENCES}
    rows = [{"image_id": key, "caption": text} for key, text in texts.items()]
    if name == "texts.csv":
        text = "image_id,caption\n" + "".join(f'{key},"{text}"\n' for key, text in texts.items())
    elif name == "texts.jsonl":
        text = "".join(json.dumps(row, ensure_ascii=False) + "\r\n" for row in rows)
    else:
        text = json.dumps(rows, ensure_ascii=False)
    (folder / name).write_bytes(text.encode(encoding))
    found = evaluated(captions=name, references=name)
    assert {picture.image_id: picture.caption for picture in found.pictures} == texts


def test_captions_without_words_of_either_side_are_named(folder, capsys):
    rows = [{"image_id": key, "caption": text} for key, text in CAPTIONS.items()]
    rows[0]["caption"] = " ... "
    (folder / "gaps.jsonl").write_text(jsonl(rows))
    first = rows[0]["image_id"]
    for arguments, expected in (
        (("gaps.jsonl",), f"captions without words, which score 0: 1 ({first})"),
        (
            ("out.jsonl", "--against", "gaps.jsonl"),
            f"captions without words in gaps.jsonl, which score 0: 1 ({first})",
        ),
    ):
        assert expected in printed(capsys, *arguments, "--references", "refs.json")[2]
