"""Hugging Face's imagefolder as an output: metadata.jsonl beside the pictures, with the rows that are there."""

from __future__ import annotations

import json

import pytest

from engine_outputs import lines, report
from processes import cutline_here


@pytest.fixture
def caption(endpoint):
    def run(*arguments):
        before = endpoint.stats()["requests"]
        options = ("--output-format", "imagefolder", *endpoint.arguments(max_retries=0))
        done = cutline_here("caption", *arguments, *options)
        return done, endpoint.stats()["requests"] - before

    return run


def test_the_table_lies_beside_the_pictures_and_is_read_by_datasets(caption, pictures):
    folder = pictures(3)
    (folder / "sub").mkdir()
    (folder / "00002.png").rename(folder / "sub" / "x.png")
    done, requests = caption(folder)
    assert (done.returncode, requests) == (0, 3), done.stderr
    rows = lines(folder / "metadata.jsonl")
    assert [row["file_name"] for row in rows] == ["00000.png", "00001.png", "sub/x.png"]
    assert all(list(row) == ["file_name", "text"] and "A test caption" in row["text"] for row in rows)
    done, requests = caption(folder)  # again: nothing to do, and the table is no input
    assert (done.returncode, requests) == (0, 0), done.stderr
    (folder / "00009.png").write_bytes((folder / "00001.png").read_bytes())
    done, requests = caption(folder, "--trigger", "ohwx")
    assert (done.returncode, requests) == (0, 1), done.stderr
    rows = lines(folder / "metadata.jsonl")
    assert [row["file_name"] for row in rows] == ["00000.png", "00001.png", "00009.png", "sub/x.png"]
    assert all(row["text"].startswith("ohwx, ") for row in rows)


THEIRS = [
    {"file_name": "00001.png", "text": "A text of mine.", "license": "cc0"},
    {"file_name": "gone.png", "text": "Gone.", "license": "by"},
    {"file_name": "00000.png", "text": None, "license": "by"},
]


@pytest.mark.parametrize(
    ("policy", "requests", "mine"),
    [
        ("skip", 2, "A text of mine."),
        ("append", 3, "A text of mine. A test caption"),
        ("prepend", 3, "A test caption"),
        ("overwrite", 3, "A test caption"),
    ],
)
def test_rows_of_others_are_merged_by_the_policy(policy, requests, mine, caption, pictures):
    folder = pictures(3)
    table = folder / "metadata.jsonl"
    table.write_text("".join(json.dumps(row) + "\n" for row in THEIRS))
    done, made = caption(folder)
    assert (done.returncode, made) == (2, 0)
    assert "--existing" in done.stderr
    assert lines(table) == THEIRS
    done, made = caption(folder, "--existing", policy)
    assert (done.returncode, made) == (0, requests), done.stderr
    for _ in range(2):
        rows = lines(table)
        assert [row["file_name"] for row in rows] == ["00001.png", "gone.png", "00000.png", "00002.png"]
        assert [row.get("license") for row in rows] == ["cc0", "by", "by", None]
        assert rows[0]["text"].startswith(mine)
        assert (policy == "prepend") == rows[0]["text"].endswith(" A text of mine.")
        assert rows[1]["text"] == "Gone."
        assert all(row["text"].startswith("A test caption") for row in rows[2:])
        assert caption(folder, "--existing", policy)[1] == 0


def test_pictures_elsewhere_are_failures_of_their_own(caption, pictures, tmp_path):
    done, requests = caption(pictures(2), tmp_path / "elsewhere")
    assert (done.returncode, requests) == (1, 0), done.stderr
    assert report(tmp_path / "elsewhere" / "metadata.jsonl")["failure_kinds"] == {"sidecar": 2}
    assert "does not lie in" in done.stderr
