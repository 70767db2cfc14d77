"""Which of several captions of a picture `cutline eval`, `compare` and `judge` read from an output."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

import cutline
from cutline.cli import main
from cutline.errors import ConfigError


@pytest.fixture
def outputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "photos").mkdir()
    for colour in ("crimson", "gold", "navy"):
        Image.new("RGB", (32, 24), colour).save(tmp_path / "photos" / f"{colour}.png")
    monkeypatch.chdir(tmp_path)
    for name in ("two.csv", "two.jsonl", "two.parquet"):
        cutline.caption("photos", name, model="fake", prompt=("short", "detailed"))
    cutline.caption("photos", "other.jsonl", model="fake", prompt="tags")
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(list(arguments))
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def endings(captions: list[str]) -> set[str]:
    return {caption.rpartition(" ")[2] for caption in captions}


@pytest.mark.parametrize("name", ["two.csv", "two.jsonl", "two.parquet"])
def test_eval_takes_a_prompt_by_its_name_and_says_which_it_took_without_one(outputs, capsys, name):
    chosen = cutline.evaluate(f"{name}:detailed", against=f"{name}:short", metrics="length")
    assert endings([one.caption for one in chosen.pictures]) == {"detailed."}
    assert endings([one.other_caption or "" for one in chosen.pictures]) == {"short."}
    assert not chosen.notes
    code, _, err = run(capsys, "eval", name, "--metrics", "length")
    assert code == 0
    assert f"{name}: the captions of short are used; {name}:NAME chooses others (detailed)" in err


def test_references_are_all_prompts_or_the_named_one(outputs):
    def of(references: str) -> float:
        score = cutline.evaluate("two.jsonl:detailed", references, metrics="rouge-l").scores["ROUGE-L"].value
        assert score is not None
        return score

    assert of("two.csv") == of("two.csv:detailed") == 1
    assert of("two.csv:short") < 1


def test_a_wrong_name_is_refused_with_those_there_are(outputs, capsys):
    for command in (["eval"], ["compare", "other.jsonl"], ["judge", "other.jsonl", "--judge", "fake"]):
        code, _, err = run(capsys, *command, "two.csv:detial")
        assert code == 2
        assert "two.csv has no captions of 'detial', did you mean detailed? it has short, detailed" in err
    assert "each row has one caption" in run(capsys, "eval", "other.jsonl:short")[2]


def test_prompts_of_one_output_are_compared_and_judged(outputs, capsys):
    code, _, err = run(capsys, "compare", "two.csv:short", "long=two.csv:detailed", "-o", "prompts.json")
    assert (code, "are used" in err) == (0, False)
    found = json.loads((outputs / "prompts.json").read_bytes())
    assert [(one["name"], one["prompt"].partition("@")[0]) for one in found["contestants"]] == [
        ("two.csv:short", "short"),
        ("long", "detailed"),
    ]
    for picture in found["pictures"]:
        texts = [answer["caption"] for answer in picture["answers"].values()]
        assert [text.rpartition(" ")[2] for text in texts] == ["short.", "detailed."]
    one = cutline.judge(["two.csv:short", "two.csv:detailed"], "fake", output="judged.json")
    assert one.ranking is not None
    assert {standing.name for standing in one.ranking.standings} == {"two.csv:short", "two.csv:detailed"}


@pytest.mark.parametrize("command", [("compare",), ("judge", "--judge", "fake")])
def test_one_output_alone_names_the_command_for_its_prompts(outputs, capsys, command):
    code, _, err = run(capsys, command[0], "two.csv", *command[1:])
    assert code == 2
    assert f"`cutline {command[0]} two.csv:short two.csv:detailed`" in err


def test_compare_and_judge_say_which_prompt_they_took(outputs, capsys):
    said = "two.csv: the captions of short are used; two.csv:NAME chooses others (detailed)"
    assert said in run(capsys, "compare", "two.csv", "other.jsonl", "-o", "a.html")[2]
    assert said in run(capsys, "judge", "two.csv", "other.jsonl", "--judge", "fake", "-o", "b.html")[2]


def test_a_comparison_table_is_evaluated_by_contestant(outputs, capsys):
    main(["compare", "two.csv", "other.jsonl", "-o", "compared.csv"])
    capsys.readouterr()
    code, _, err = run(capsys, "eval", "compared.csv", "--metrics", "length")
    assert code == 0
    assert "the captions of two.csv are used; compared.csv:NAME chooses others (other.jsonl)" in err
    named = cutline.evaluate("compared.csv:other.jsonl", metrics="length")
    assert endings([one.caption for one in named.pictures]) == {"tags."}
    with pytest.raises(ConfigError, match=r"it has two\.csv, other\.jsonl"):
        cutline.evaluate("compared.csv:third")


def test_pictures_without_the_named_caption_are_counted(outputs, capsys):
    rows = [json.loads(line) for line in Path("two.jsonl").read_text("utf-8").splitlines()]
    del rows[0]["captions"]["detailed"]
    Path("part.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    code, _, err = run(capsys, "eval", "part.jsonl:detailed", "--metrics", "length")
    assert code == 1
    assert "pictures without a caption in part.jsonl:detailed: 1 (crimson.png)" in err
    found = cutline.compare(None, ["part.jsonl:detailed", "other.jsonl"], output="c.html")
    assert found.candidates[0].figures.captions == 2
    assert "no caption of this name" in found.candidates[0].answer("crimson.png").problem


def test_a_file_with_a_colon_in_its_name_is_that_file(outputs):
    shutil.copy("other.jsonl", "two.csv:short")
    with pytest.raises(ConfigError, match="is not a table"):
        cutline.evaluate("two.csv:short")


def test_columns_and_fields_have_names_too(outputs):
    Path("table.csv").write_text("image_id,caption,draft\na.jpg,One cat.,A cat\n", "utf-8")
    assert cutline.evaluate("table.csv:draft").pictures[0].caption == "A cat"
    row = {"image_id": "a.jpg", "caption": "x", "fields": {"long": "A long one."}}
    Path("fields.jsonl").write_text(json.dumps(row) + "\n", "utf-8")
    assert cutline.evaluate("fields.jsonl:long").pictures[0].caption == "A long one."
