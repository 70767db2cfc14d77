"""References in the forms that people have them: each gives the same scores."""

from __future__ import annotations

import csv
import json

import pyarrow as pa
import pyarrow.parquet
import pytest

from cutline.errors import ConfigError
from cutline.evaluation.evaluation import EvaluationPlan, run_evaluation

CAPTIONS = {"a.jpg": "a red bus", "b.jpg": "two dogs run on grass", "c.jpg": "a cat"}
REFERENCES = {
    "a.jpg": ["a red bus on a road", "the bus is red"],
    "b.jpg": ["dogs run on green grass", 'dogs, and "grass"'],
    "c.jpg": ["a black cat on a mat", "a cat"],
}
PAIRS = [(key, text) for key, texts in REFERENCES.items() for text in texts]
TOKENS = [(f"{key}#{number}", text) for key, texts in REFERENCES.items() for number, text in enumerate(texts)]


def evaluated(references, captions="out.jsonl"):
    found = run_evaluation(
        EvaluationPlan(captions=str(captions), references=str(references), metrics=("bleu", "length"))
    )
    assert not [one for one in found.problems if one.serious]
    return {name: score.value for name, score in found.scores.items()}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    rows = ({"image_id": key, "caption": text} for key, text in CAPTIONS.items())
    (tmp_path / "out.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "refs.json").write_text(json.dumps(REFERENCES))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def written(name, rows, delimiter=","):
    with open(name, "w", newline="") as file:  # noqa: PTH123
        csv.writer(file, delimiter=delimiter).writerows(rows)
    return name


TABLES = {
    "a column each": [["file_name", "caption_0", "caption_1"], *((k, *t) for k, t in REFERENCES.items())],
    "a column each, the first without number": [
        ["image_id", "reference", "reference 2"],
        *((k, *t) for k, t in REFERENCES.items()),
    ],
    "short names": [["id", "ref1", "ref2", "split"], *((k, *t, "test") for k, t in REFERENCES.items())],
    "upper case": [["Image", "Caption"], *PAIRS],
    "blanks around names, and numbers": [
        ["image_name", " comment_number", " comment"],
        *((key, " 0", f" {text}") for key, text in PAIRS),
    ],
}


@pytest.mark.parametrize("delimiter", [",", ";", "|", "\t"])
@pytest.mark.parametrize("rows", TABLES.values(), ids=TABLES)
def test_tables_with_a_row_or_a_column_for_each(folder, rows, delimiter):
    assert evaluated(written("table.csv", rows, delimiter)) == evaluated("refs.json")


def test_a_missing_reference_leaves_an_empty_cell(folder):
    rows = [["image", "caption1", "caption2"], ["a.jpg", "a red bus on a road", ""], ["b.jpg", "dogs", ""]]
    (folder / "out.jsonl").write_text(
        '{"image_id":"a.jpg","caption":"x"}\n{"image_id":"b.jpg","caption":"y"}\n'
    )
    (folder / "one.json").write_text('{"a.jpg": "a red bus on a road", "b.jpg": "dogs"}')
    assert evaluated(written("table.csv", rows)) == evaluated("one.json")


def test_a_table_of_excel_that_names_its_delimiter(folder):
    written("table.csv", [["image", "caption"], *PAIRS], ";")
    text = (folder / "table.csv").read_text()
    (folder / "table.csv").write_text("sep=;\n" + text)
    assert evaluated("table.csv") == evaluated("refs.json")


@pytest.mark.parametrize("name", ["Flickr8k.token.txt", "results_20130124.token", "tokens.tsv"])
def test_tokens_of_flickr_without_a_heading(folder, name):
    (folder / name).write_text("".join(f"{key}\t{text}\n" for key, text in TOKENS))
    assert evaluated(name) == evaluated("refs.json")


def test_a_text_file_with_a_heading(folder):
    assert evaluated(written("captions.txt", [["image", "caption"], *PAIRS])) == evaluated("refs.json")


OBJECTS = {
    "objects by id": {key: {"captions": texts, "split": "test"} for key, texts in REFERENCES.items()},
    "lists of objects by id": {key: [{"caption": one} for one in texts] for key, texts in REFERENCES.items()},
    "both sides in one file": {"references": REFERENCES, "candidates": CAPTIONS},
    "rows within an object": {"captions": [{"image": key, "caption": text} for key, text in PAIRS]},
    "columns": {  # as pandas writes a table
        name: {str(row): pair[place] for row, pair in enumerate(PAIRS)}
        for place, name in enumerate(("image", "caption"))
    },
    "lists as columns": {"image": list(REFERENCES), "captions": list(REFERENCES.values())},
    "other names of the files": [
        {"image": f"val2014/COCO_val2014_00000{number}.jpg", "caption": texts}
        for number, texts in enumerate(REFERENCES.values())
    ],
}


@pytest.mark.parametrize("data", OBJECTS.values(), ids=OBJECTS)
def test_objects(folder, data):
    if isinstance(data, list):  # the captions' files have the numbers alone
        rows = (
            {"image_id": f"00000{place}.jpg", "caption": text} for place, text in enumerate(CAPTIONS.values())
        )
        (folder / "out.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        expected = {f"00{place}.jpg": texts for place, texts in enumerate(REFERENCES.values())}
        (folder / "refs.json").write_text(json.dumps(expected))
    (folder / "data.json").write_text(json.dumps(data))
    assert evaluated("data.json") == evaluated("refs.json")


def test_candidates_are_read_from_the_file_that_has_both(folder):
    (folder / "data.json").write_text(json.dumps({"references": REFERENCES, "candidates": CAPTIONS}))
    assert evaluated("data.json", captions="data.json") == evaluated("refs.json")


@pytest.mark.parametrize("column", ["answer", "sentences_raw", "caption"])
def test_columns_of_data_sets_on_the_hub(folder, column):
    pictures = [{"bytes": b"", "path": key} for key in REFERENCES]
    table = pa.table({"image": pictures, "question": ["?"] * 3, column: list(REFERENCES.values())})
    pyarrow.parquet.write_table(table, "data.parquet")
    assert evaluated("data.parquet") == evaluated("refs.json")


def test_pictures_named_as_columns_are_are_pictures(folder):
    (folder / "out.jsonl").write_text(
        '{"image_id":"name","caption":"a"}\n{"image_id":"text","caption":"b"}\n'
    )
    (folder / "same.json").write_text('{"name": "a", "text": "b"}')
    assert evaluated("same.json")["BLEU-1"] == pytest.approx(1)


def test_a_table_without_such_a_column_names_those_that_it_has(folder):
    written("table.csv", [["image", "mood_1", "mood_2"], ["a.jpg", "x", "y"]])
    with pytest.raises(
        ConfigError, match=r"no column of references: name one of its columns \(image, mood_1"
    ):
        evaluated("table.csv")


def turns(text, question="<image>\nDescribe it."):
    return [{"from": "human", "value": question}, {"from": "gpt", "value": text}]


def messages(text):
    parts = [{"type": "image"}, {"type": "text", "text": "What is it?"}]
    return [{"role": "user", "content": parts}, {"role": "assistant", "content": text}]


CONVERSATIONS = {
    "of LLaVA": [{"id": k, "image": f"coco/{k}", "conversations": turns(text)} for k, text in PAIRS],
    "with further questions": [
        {"image": k, "conversations": [*turns(text), *turns("No, it is not.", "Is it a zebra?")]}
        for k, text in PAIRS
    ],
    "of chats": [{"image": k, "messages": messages(text)} for k, text in PAIRS],
    "of chats about a list of one picture, whose replies have parts": [
        {"image": [k], "messages": messages([{"type": "text", "text": text}])} for k, text in PAIRS
    ],
    "by id": {k: turns(texts[0]) for k, texts in REFERENCES.items()},
}


FORMS = [(kind, form) for kind in CONVERSATIONS for form in ("json", "jsonl", "parquet")]


@pytest.mark.parametrize(
    ("kind", "form"),
    [one for one in FORMS if "chats" not in one[0] or one[1] != "parquet"],  # a column of Arrow has one type
)
def test_conversations(folder, kind, form):
    data = CONVERSATIONS[kind]
    if kind == "by id":
        (folder / "refs.json").write_text(json.dumps({key: texts[0] for key, texts in REFERENCES.items()}))
        data = data if form == "json" else [{"id": key, "conversations": one} for key, one in data.items()]
    if form == "json":
        (folder / "data.json").write_text(json.dumps(data))
    elif form == "jsonl":
        (folder / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in data))
    else:
        pyarrow.parquet.write_table(pa.Table.from_pylist(data), "data.parquet")
    assert evaluated(f"data.{form}") == evaluated("refs.json")


def test_a_conversation_without_a_reply_is_a_picture_without_reference(folder):
    rows = [{"image": k, "conversations": turns(text)[: 1 if k == "b.jpg" else 2]} for k, text in PAIRS]
    (folder / "data.json").write_text(json.dumps(rows))
    found = run_evaluation(EvaluationPlan(captions="out.jsonl", references="data.json", metrics=("length",)))
    assert [(one.what, one.count, one.first) for one in found.problems] == [
        ("captions without a reference", 1, ("b.jpg",))
    ]


KEYS = {
    "with endings": lambda key: key,
    "without endings": lambda key: key.removesuffix(".jpg"),
    "in folders": lambda key: f"photos/val/{key}",
    "in folders of Windows, without endings": lambda key: "C:\\photos\\" + key.removesuffix(".jpg"),
    "with another ending": lambda key: key.replace("jpg", "PNG"),
}


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
def test_tables_without_header(folder, key, delimiter):
    longer = {one: [f"{text} by day" for text in texts] for one, texts in REFERENCES.items()}
    (folder / "refs.json").write_text(json.dumps(longer))
    rows = [(key(one), text) for one, texts in longer.items() for text in texts]
    assert evaluated(written("table.csv", rows, delimiter)) == evaluated("refs.json")


@pytest.mark.parametrize("head", ["# captions of 2024\n", "\n\n", "\ufeff", "sep=,\n", "#made by hand\n\n"])
def test_tables_without_header_after_a_preamble(folder, head):
    text = (folder / written("table.csv", PAIRS)).read_text()
    (folder / "table.csv").write_text(head + text)
    assert evaluated("table.csv") == evaluated("refs.json")


@pytest.mark.parametrize(
    ("head", "encoding"),
    [("# exported\n\n", "utf-8"), ("\ufeff", "utf-8"), ("\n", "utf-16"), ("#", "utf-8"), ("", "cp1252")],
)
def test_tables_with_header_after_a_preamble_and_in_any_encoding(folder, head, encoding):
    rows = [["image_id", "caption"], *((key, f"{text} près de l'église à côté") for key, text in PAIRS)]
    text = (folder / written("table.csv", rows)).read_text()
    (folder / "table.csv").write_bytes((head + text).encode(encoding))
    (folder / "refs.json").write_text(
        json.dumps(
            {k: [f"{one} près de l'église à côté" for one in texts] for k, texts in REFERENCES.items()}
        )
    )
    assert evaluated("table.csv") == evaluated("refs.json")


def test_a_table_without_header_with_several_texts_and_numbers(folder):
    rows = [(number, key, *texts, "test") for number, (key, texts) in enumerate(REFERENCES.items())]
    assert evaluated(written("table.csv", rows)) == evaluated("refs.json")


def test_a_quote_that_is_not_closed_costs_its_own_line(folder):
    (folder / "table.csv").write_text(
        'image_id,caption\na.jpg,a red bus on a road\na.jpg,the bus is red\nb.jpg,"dogs run on green grass\n'
        "b.jpg,dogs and grass\nc.jpg,a black cat on a mat\nc.jpg,a cat, and more, unquoted\n"
    )
    found = run_evaluation(EvaluationPlan(captions="out.jsonl", references="table.csv", metrics=("length",)))
    assert [picture.image_id for picture in found.pictures] == ["a.jpg", "b.jpg", "c.jpg"]
    assert [(one.what, one.first, one.serious) for one in found.problems] == [
        ("rows that cannot be read in table.csv", ("line 4", "line 7"), True)
    ]


def test_names_with_dots_match_files(folder):
    keys = ["scan.v1", "scan.v2", "scan.0003"]
    rows = (
        {"image_id": f"in/{key}.jpg", "caption": text}
        for key, text in zip(keys, CAPTIONS.values(), strict=True)
    )
    (folder / "out.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "texts").mkdir()
    for key, texts in zip(keys, REFERENCES.values(), strict=True):
        (folder / "texts" / f"{key}.txt").write_text(texts[0])
    (folder / "refs.json").write_text(
        json.dumps({f"in/{key}.jpg": texts[0] for key, texts in zip(keys, REFERENCES.values(), strict=True)})
    )
    assert evaluated("texts") == evaluated("refs.json")
