"""What Python offers beyond the command line: rows by number, schemas as they are, parts of datasets."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

import cutline
from benchmark_datasets import HARVEY, MEXICO, make_crisismmd, make_scienceqa, picture
from cutline.errors import ConfigError

SCHEMA = {"type": "object", "properties": {"short": {"type": "string"}}, "required": ["short"]}


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(5):
        (folder / f"{number}.jpg").write_bytes(picture(number))
    return folder


@pytest.mark.parametrize("output", [None, "out.jsonl", "out.csv", "out.tsv", "out.parquet"])
def test_rows_are_had_by_number(output: str | None, photos: Path, tmp_path: Path) -> None:
    captions = cutline.caption(photos, output and tmp_path / output, model="fake")
    rows = list(captions)
    assert [row["image_id"] for row in rows] == [f"{number}.jpg" for number in range(5)]
    for index in (0, 4, -1, -5):
        assert captions[index] == rows[index]
    for start, stop, step in itertools.product((None, 1, -2, 9), (None, 3, -1), (None, 2, -1)):
        assert captions[start:stop:step] == rows[start:stop:step]
    for index in (5, -6):
        with pytest.raises(IndexError, match="there are 5"):
            captions[index]


def test_the_first_row_is_had_without_reading_the_rest(photos: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"
    captions = cutline.caption(photos, output, model="fake")
    first, second, *rest = output.read_bytes().splitlines(keepends=True)
    output.write_bytes(first + second + b"".join(b"no JSON".ljust(len(line) - 1) + b"\n" for line in rest))
    assert captions[1]["image_id"] == "1.jpg"
    with pytest.raises(ValueError, match="invalid literal"):
        list(captions)


def test_a_schema_is_given_as_it_is_or_as_a_file(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "schema.json").write_text(
        '{"type": "object", "properties": {"short": {"type": "string"}}, "required": ["short"]}'
    )
    as_it_is = cutline.caption(photos, model="pixels", schema=SCHEMA)
    from_file = cutline.caption(photos, model="pixels", schema=str(tmp_path / "schema.json"))
    assert as_it_is[0]["fields"].keys() == {"short"}
    assert [row["fields"] for row in as_it_is] == [row["fields"] for row in from_file]
    assert as_it_is.report.prompts == from_file.report.prompts


@pytest.mark.parametrize("schema", [{"type": "string"}, '{"type": "object"', {"type": "nonsense"}])
def test_a_schema_that_is_none_is_told_in_one_line(schema: object, photos: Path) -> None:
    with pytest.raises(ConfigError, match=r"^the schema") as error:
        cutline.caption(photos, model="fake", schema=schema)
    assert "\n" not in str(error.value)


def test_parts_of_a_dataset(tmp_path: Path) -> None:
    root = make_crisismmd(tmp_path / "CrisisMMD_v2.0", missing=False)
    part = {"source_type": "crisismmd", "split": "humanitarian", "model": "fake"}
    assert len(cutline.caption(root, **part, event=MEXICO)) == 2
    assert len(cutline.caption(root, **part, event=[HARVEY, MEXICO])) == 6
    for wrong in ({"split": "train"}, {"event": HARVEY}):
        with pytest.raises(ConfigError, match="folder of a dataset"):
            cutline.caption([picture(1)], model="fake", **wrong)


def test_captions_by_key_are_read_back(tmp_path: Path) -> None:
    root = make_scienceqa(tmp_path / "ScienceQA")
    options = {"source_type": "scienceqa", "output_format": "scienceqa", "existing": "skip", "model": "fake"}
    captions = cutline.caption(root, root / "captions.json", **options)
    assert captions.to_dict().keys() == {"1", "5", "3", "8"}
    assert captions[1] == {"image_id": "5", "caption": "A drawing of a dog."}


def test_paths_are_taken_wherever_a_file_is_named(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "short.json").write_text('{"prompt_prefix": "Name one colour."}')
    (tmp_path / "chain.toml").write_text('[[step]]\nname = "look"\nmodel = "fake"\nprompt = "What?"\n')
    (tmp_path / "schema.json").write_text('{"type": "object", "properties": {"caption": {"type": "string"}}}')
    by_prompt = cutline.caption(photos, tmp_path / "a.jsonl", model="fake", prompt=tmp_path / "short.json")
    assert by_prompt.report.counts.captions
    by_chain = cutline.caption(
        photos, tmp_path / "b.jsonl", chain=tmp_path / "chain.toml", state=tmp_path / "state"
    )
    assert by_chain.report.counts.captions
    assert (tmp_path / "state").is_dir()
    with pytest.raises(cutline.ConfigError, match="schema"):  # which the model cannot follow, but is read
        cutline.caption(photos, model="fake", schema=tmp_path / "missing.json")


@pytest.mark.parametrize("steps", [["fake", "fake"], "fake", {"a": None}, 7])
def test_steps_that_are_no_models_by_name_are_refused(photos: Path, steps: object) -> None:
    with pytest.raises(cutline.ConfigError, match="steps takes a model for each name"):
        cutline.caption(photos, steps=steps)


@pytest.mark.parametrize(
    "steps",
    [
        [
            {"name": "look", "model": "fake", "prompt": "Name what is there."},
            {"name": "write", "model": "fake", "prompt": "Use {look}.", "max_tokens": 9, "optional": True},
        ],
        {
            "look": {"model": "fake", "prompt": "Name what is there."},
            "write": {"model": "fake", "prompt": "Use {look}.", "max_tokens": 9, "optional": True},
        },
    ],
)
def test_steps_with_prompts_are_those_of_a_chain_file(photos: Path, tmp_path: Path, steps: object) -> None:
    (tmp_path / "chain.toml").write_text(
        '[[step]]\nname = "look"\nmodel = "fake"\nprompt = "Name what is there."\n'
        '[[step]]\nname = "write"\nmodel = "fake"\nprompt = "Use {look}."\nmax_tokens = 9\noptional = true\n'
    )
    from_file = cutline.caption(photos, chain=tmp_path / "chain.toml", include_raw=True)
    from_steps = cutline.caption(photos, steps=steps, include_raw=True)
    told = [
        [(row["caption"], row["captions"], row["prompt_id"], row["llm"]) for row in captions]
        for captions in (from_file, from_steps)
    ]
    assert told[0] == told[1]
    assert told[0]


def test_the_first_of_the_steps_may_have_its_prompt_from_a_file(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "look.txt").write_text("Name what is there.")
    in_file = {"look": {"model": "fake", "prompt": tmp_path / "look.txt"}}
    as_text = {"look": {"model": "fake", "prompt": "Name what is there."}}
    first, second = (cutline.caption(photos, steps=steps) for steps in (in_file, as_text))
    assert [row["caption"] for row in first] == [row["caption"] for row in second]


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ({"look": {"prompt": "x"}}, "step 1: it has no model"),
        ([{"model": "fake"}], "step 1: it has no name"),
        ([{"name": "a", "model": "fake"}, {"name": "a", "model": "fake"}], "two steps are named 'a'"),
        ({"look": {"model": "fake", "promt": "x"}}, "step look has no setting 'promt', did you mean prompt"),
        ({"look": {"model": "fake", "optional": "no"}}, "optional must be true or false"),
        ({"look": {"model": "fake", "prompt": {1, 2}}}, "a value is none of a chain file"),
    ],
)
def test_steps_are_checked_as_those_of_a_chain_file(photos: Path, steps: object, message: str) -> None:
    with pytest.raises(cutline.ConfigError, match=message):
        cutline.caption(photos, steps=steps)


def test_a_prompt_beside_that_of_the_first_step_is_refused(photos: Path) -> None:
    with pytest.raises(cutline.ConfigError, match="the first step has a prompt of its own"):
        cutline.caption(photos, prompt="Look.", steps={"look": {"model": "fake", "prompt": "x"}})


def test_comparisons_and_evaluations_are_data_frames(photos: Path, tmp_path: Path) -> None:
    pytest.importorskip("pandas")
    compared = cutline.compare(photos, ["fake", "pixels:no-ocr"], output=tmp_path / "c.html")
    frame = compared.to_pandas()
    assert len(frame) == 10
    assert list(frame.columns[:4]) == ["image_id", "contestant", "caption", "problem"]
    assert set(frame["contestant"]) == {one.name for one in compared.candidates}
    for model in ("fake", "pixels:no-ocr"):
        cutline.caption(photos, tmp_path / f"{model[:4]}.jsonl", model=model)
    found = cutline.evaluate(tmp_path / "fake.jsonl", against=tmp_path / "pixe.jsonl", metrics="length")
    table = found.to_pandas()
    assert list(table["image_id"]) == [f"{number}.jpg" for number in range(5)]
    assert {"caption", "caption against", *found.pictures[0].scores} <= set(table.columns)
