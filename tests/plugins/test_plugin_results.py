"""What a model gives back, and what becomes of it in the output."""

from __future__ import annotations

import json

import numpy as np
import pyarrow.parquet
import pytest

import cutline
from cutline.records import Reply, Usage


def answering(result, name="answering"):
    class Answering:
        def infer(self, prompt, image, image_name):
            return result

    cutline.register_model(name)(Answering)
    return name


def row_of(result, folder, tmp_path, **options):
    output = tmp_path / "out.parquet"
    cutline.caption(folder, output, model=answering(result), **options)
    (row,) = pyarrow.parquet.read_table(output).to_pylist()
    return row


class Result:
    """As an enrichment job's own classes give it: the caption, and what the model said in full."""

    def __init__(self, caption, response):
        self.caption, self.llm_response = caption, response


class Dumped:
    """As a client's library gives a response."""

    def model_dump(self, mode):
        return {"choices": [1], "mode": mode}


@pytest.mark.parametrize(
    ("result", "caption", "llm"),
    [
        ("A dog.", "A dog.", {"text": "A dog."}),
        (" A dog.\n", "A dog.", {"text": " A dog.\n"}),
        (Reply(text="A dog.", model="m", raw={"id": 3}), "A dog.", {"id": 3}),
        (Result("A dog.", "I see: a dog."), "A dog.", {"text": "I see: a dog."}),
        (Result("A dog.", {"id": 3, "made": object}), "A dog.", {"id": 3, "made": str(object)}),
        (Result("A dog.", ["one", "two"]), "A dog.", {"response": ["one", "two"]}),
        (Result("A dog.", Dumped()), "A dog.", {"choices": [1], "mode": "json"}),
        (Result("A dog.", None), "A dog.", {"text": "A dog."}),
        ({"caption": "A dog.", "llm": "Full."}, "A dog.", {"text": "Full."}),
    ],
)
def test_every_way_to_answer_becomes_caption_and_response(result, caption, llm, photos, tmp_path):
    row = row_of(result, photos(1), tmp_path)
    assert row["caption"] == caption
    assert json.loads(row["llm"]) == llm
    assert row["image_path"].endswith("00.png")


def test_the_regex_is_looked_for_in_a_text_but_not_in_a_caption_that_was_found(photos, tmp_path):
    template = tmp_path / "template.json"
    template.write_text(
        json.dumps({"prompt_prefix": "Describe.", "regex": "<caption>.*?</caption>", "system_prompt": "s"})
    )
    folder, options = photos(1), {"prompt": str(template), "existing": "overwrite", "on_change": "redo-all"}
    said = "Thinking … <caption>A dog.</caption>"
    row = row_of(said, folder, tmp_path, **options)
    assert row["caption"] == "A dog."
    (tmp_path / "two").mkdir()
    row = row_of(Result("A dog, found.", said), folder, tmp_path / "two", **options)
    assert row["caption"] == "A dog, found."
    assert json.loads(row["llm"]) == {"text": said}


def test_tokens_of_a_reply_are_counted(photos):
    reply = Reply(text="A dog.", model="mine", usage=Usage(prompt_tokens=7, completion_tokens=2))
    result = cutline.caption(photos(3), model=answering(reply))
    assert result.report.spent.total == 27


@pytest.mark.parametrize(
    ("result", "kind", "words"),
    [
        (None, "captioner", "returned None, not a text or a Reply: is a `return` missing?"),
        (b"A dog.", "captioner", "returned a value of type bytes"),
        (3, "captioner", "returned a value of type int"),
        (
            ["A dog.", "A cat."],
            "captioner",
            "returned a value of type list, not a text or a Reply: return the",
        ),
        (("A dog.", 0.9), "captioner", "returned a value of type tuple, not a text or a Reply: return the"),
        ([], "captioner", "returned a value of type list"),
        ({"text": "A dog."}, "captioner", "it holds 'text'; name the caption 'caption'"),
        ({}, "captioner", "it holds nothing; name the caption 'caption'"),
        ({"caption": ["A dog.", "A cat."]}, "captioner", "returned a caption that is a value of type list"),
        (Result(None, "Full."), "captioner", "returned a caption that is None"),
        (Reply(text=None, model="m"), "captioner", ""),
        (Reply(text="A dog.", model="m", usage=None), "captioner", "values of wrong types"),
        ("", "empty", "no text"),
        (" \n\0", "empty", "no text"),
        (Result("", "Full."), "empty", "no text"),
    ],
)
def test_nonsense_fails_the_picture_and_says_what_it_was(result, kind, words, photos):
    (failure,) = cutline.caption(photos(1), model=answering(result)).failures
    assert failure["kind"] == kind
    assert words in failure["message"]


@pytest.mark.parametrize(
    "result",
    [
        ["A dog."],
        ("A dog.",),
        np.str_("A dog."),
        np.array("A dog."),
        np.array(["A dog."]),
        {"caption": ["A dog."]},
        Result(np.array(["A dog."]), "Full."),
    ],
)
def test_a_text_alone_in_a_list_or_array_is_the_caption(result, photos, tmp_path):
    assert row_of(result, photos(1), tmp_path)["caption"] == "A dog."


def test_a_text_that_cannot_be_encoded_does_no_harm(photos, tmp_path):
    row = row_of("A \udcff dog.", photos(1), tmp_path)
    assert row["caption"] == "A ? dog."
