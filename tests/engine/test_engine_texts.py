"""Texts that cannot be written, were edited, or only need another trigger word: nothing is requested."""

from __future__ import annotations

import json
import os

import pytest

from engine_outputs import NAMES, captions, failures, report
from processes import cutline_here


@pytest.fixture
def caption(endpoint):
    def run(folder, *arguments):
        before = endpoint.stats()["requests"]
        done = cutline_here("caption", folder, *arguments, *endpoint.arguments(max_retries=0))
        return done, endpoint.stats()["requests"] - before

    return run


SIDECAR = ("--output-format", "sidecar")


def texts(folder):
    return {file.name: file.read_text() for file in sorted(folder.glob("*.txt")) if file.is_file()}


def test_an_edited_sidecar_is_kept_while_all_others_get_the_new_trigger(caption, pictures):
    folder = pictures(7)
    done, requests = caption(folder, *SIDECAR)
    assert (done.returncode, requests) == (0, 7), done.stderr
    before = texts(folder)
    (folder / "00003.txt").write_text("Better words.")
    done, requests = caption(folder, *SIDECAR, "--trigger", "ohwx")
    assert (done.returncode, requests) == (0, 0), done.stderr
    after = texts(folder)
    assert after.pop("00003.txt") == "Better words."
    assert after == {name: f"ohwx, {text}" for name, text in before.items() if name != "00003.txt"}
    assert "1 skipped (1 edited by hand)" in done.stderr
    assert "1 text file edited by hand" in done.stderr
    assert "00003.txt" in done.stderr
    assert (report(folder)["captions"], report(folder)["skips"]) == (6, 1)
    (folder / "00003.txt").write_text(" \n")  # emptied: it counts as none
    done, requests = caption(folder, *SIDECAR, "--trigger", "ohwx")
    assert (done.returncode, requests) == (0, 0)
    assert texts(folder)["00003.txt"].strip() == f"ohwx, {before['00003.txt']}"


@pytest.mark.parametrize("policy", [(), ("--existing", "append"), ("--existing", "overwrite")])
def test_another_prompt_requests_nothing_for_edited_sidecars(policy, caption, pictures):
    folder = pictures(4)
    (folder / "00001.txt").write_text("A text of mine.")
    assert caption(folder, *SIDECAR, *policy)[0].returncode == 0
    edited = ("00000.txt", "00001.txt") if policy else ("00000.txt",)
    for name in edited:
        (folder / name).write_text("Corrected.")
    done, requests = caption(folder, *SIDECAR, *policy, "--prompt", "Another.", "--on-change", "redo-all")
    assert (done.returncode, requests) == (0, 2), done.stderr
    assert all(texts(folder)[name] == "Corrected." for name in edited)


@pytest.mark.parametrize("policy", ["skip", "overwrite", "append", "prepend", None])
@pytest.mark.parametrize("content", [b"", b" \r\n", b"\xef\xbb\xbf"])
def test_an_empty_text_counts_as_none(policy, content, caption, pictures):
    folder = pictures(3)
    (folder / "00001.txt").write_bytes(content)
    done, requests = caption(folder, *SIDECAR, *(("--existing", policy) if policy else ()))
    assert (done.returncode, requests) == (0, 3), done.stderr
    assert all("test caption" in text for text in texts(folder).values())
    assert len(texts(folder)) == 3


def test_what_cannot_be_written_is_requested_for_nothing_and_ends_nothing(caption, pictures):
    folder = pictures(6)
    (folder / "00000.txt").mkdir()
    (folder / "00001.txt").symlink_to(folder / "nowhere")
    (folder / "00002.txt").write_text("locked")
    (folder / "00002.txt").chmod(0o444)
    os.mkfifo(folder / "00003.txt")
    done, requests = caption(folder, *SIDECAR, "--existing", "append")
    assert (done.returncode, requests) == (1, 2), done.stderr
    assert report(folder)["failure_kinds"] == {"sidecar": 4}
    assert (folder / "00002.txt").read_text() == "locked"
    for row, cause in zip(
        failures(folder), ("is a folder", "leads nowhere", "read-only", "not a regular file"), strict=True
    ):
        assert cause in row["message"]
    (folder / "00000.txt").rmdir()
    (folder / "00001.txt").unlink()
    (folder / "00002.txt").chmod(0o644)
    (folder / "00003.txt").unlink()
    done, requests = caption(folder, *SIDECAR, "--existing", "append")  # the same command continues
    assert (done.returncode, requests) == (0, 4), done.stderr
    assert texts(folder)["00002.txt"].startswith("locked, A test caption")


@pytest.mark.parametrize("form", ["jsonl", "json", "csv", "parquet", "webdataset", "scienceqa"])
def test_another_trigger_prefix_or_suffix_is_applied_from_the_journal(form, caption, pictures, tmp_path):
    folder, output = pictures(3), tmp_path / NAMES[form]
    arguments = (output, "--output-format", form)
    done, requests = caption(folder, *arguments, "--trigger", "old")
    assert (done.returncode, requests) == (0, 3), done.stderr
    before = captions(form, output)
    changed = ("--trigger", "new", "--caption-prefix", "Photo:", "--caption-suffix", "(4k)")
    done, requests = caption(folder, *arguments, *changed)
    assert (done.returncode, requests) == (0, 0), done.stderr
    plain = [(key, text.removeprefix("old, ")) for key, text in before]
    assert captions(form, output) == [(key, f"new, Photo: {text} (4k)") for key, text in plain]
    done, requests = caption(folder, *arguments)
    assert (done.returncode, requests) == (0, 0), done.stderr
    assert captions(form, output) == plain


def test_another_way_of_joining_is_applied_from_the_journal(caption, pictures):
    folder = pictures(2)
    (folder / "00000.txt").write_text("dog, grass\n")
    found = []
    for policy in ("append", "prepend", "overwrite"):
        done, requests = caption(folder, *SIDECAR, "--existing", policy)
        assert (done.returncode, requests) == (0, 2 if policy == "append" else 0), done.stderr
        found.append(texts(folder)["00000.txt"].strip())
    plain = found.pop()
    assert found == [f"dog, grass, {plain}", f"{plain} dog, grass"]


def test_a_check_that_changed_the_text_is_kept_with_another_trigger(caption, pictures, tmp_path):
    folder, output = pictures(2), tmp_path / "out.jsonl"
    plugin = tmp_path / "stages_texts.py"
    plugin.write_text(
        "from cutline import Check, CheckResult, register_stage\n\n\n"
        "@register_stage\nclass ShoutTexts(Check):\n    name = 'shout-texts'\n\n"
        "    async def check(self, draft):\n        return CheckResult(text=draft.text.upper())\n"
    )
    options = (output, "--plugin", plugin, "--check", "shout-texts")
    done, requests = caption(folder, *options)
    assert (done.returncode, requests) == (0, 2), done.stderr
    done, requests = caption(folder, *options, "--trigger", "ohwx")
    assert (done.returncode, requests) == (0, 0), done.stderr
    rows = [json.loads(line) for line in output.read_text().splitlines()]
    assert [row["caption"].startswith("ohwx, A TEST CAPTION") for row in rows] == [True, True]


def test_sidecars_with_another_ending_are_read_and_written(caption, pictures, tmp_path):
    folder = pictures(3)
    (folder / "00000.caption").write_text("dog, grass\n")
    (folder / "00001.txt").write_text("Not this.")
    options = ("--output-format", "txt", "--sidecar-ext", "caption", "--existing", "append")
    done, requests = caption(folder, *options)
    assert (done.returncode, requests) == (0, 3), done.stderr
    found = {file.name: file.read_text() for file in folder.glob("*.caption")}
    assert sorted(found) == ["00000.caption", "00001.caption", "00002.caption"]
    assert found["00000.caption"].startswith("dog, grass, A test caption")
    assert found["00001.caption"].startswith("A test caption")
    assert (folder / "00001.txt").read_text() == "Not this."
    output = tmp_path / "out.jsonl"
    done, _ = caption(folder, output, "--sidecar-ext", ".caption")
    rows = [json.loads(line) for line in output.read_text().splitlines()]
    assert [row["text"] for row in rows] == [found[name].strip() for name in sorted(found)]


@pytest.mark.parametrize("ending", ["jpg", "", "../x", ".a.b"])
def test_an_ending_that_cannot_be_one_is_refused(ending, caption, pictures):
    done, requests = caption(pictures(1), *SIDECAR, f"--sidecar-ext={ending}")
    assert (done.returncode, requests) == (2, 0)
    assert "--sidecar-ext" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("form", ["sidecar", "jsonl"])
def test_one_line_is_applied_from_the_journal(form, caption, pictures, tmp_path):
    folder = pictures(2)
    (folder / "00000.txt").write_text("dog\ngrass")
    output = tmp_path / "texts" if form == "sidecar" else tmp_path / "out.jsonl"
    arguments = (output, "--output-format", form, "--caption-suffix", "\nby me\n")
    assert caption(folder, *arguments)[1] == 2
    done, requests = caption(folder, *arguments, "--one-line")
    assert (done.returncode, requests) == (0, 0), done.stderr
    found = [text for _, text in captions(form, output)]
    assert all("\n" not in text and text.endswith(" by me") for text in found)


def test_json_beside_a_picture_fills_the_prompt(caption, pictures, tmp_path):
    folder, output = pictures(4), tmp_path / "out.jsonl"
    (folder / "00000.json").write_text('{"title": "A red door", "size": {"w": 3}, "file_name": "other"}')
    (folder / "00001.png.JSON").write_text('\ufeff{"title": "A blue door"}', "utf-8")
    (folder / "00002.json").write_text("[1, 2]")
    (folder / "00003.json").write_text('{"title": ')
    done, requests = caption(folder, output, "--prompt", "What is {title}?")
    assert (done.returncode, requests) == (1, 2), done.stderr
    assert report(output)["failure_kinds"] == {"prompt-variable": 2}
    assert "2 JSON files beside pictures" in done.stderr
    rows = [json.loads(line) for line in output.read_text().splitlines()]
    assert [row["metadata"]["title"] for row in rows] == ["A red door", "A blue door"]
    assert rows[0]["metadata"]["size"] == {"w": 3}
    assert rows[0]["metadata"]["file_name"] == "00000.png"


def test_the_prompts_are_kept_with_the_output_and_pictures_have_one_name(caption, pictures, tmp_path):
    folder, output = pictures(2), tmp_path / "out.jsonl"
    (folder / "00001.png").write_bytes(b"damaged")
    options = ("--prompt", "What is {stem}?", "--system-prompt", "Be brief.", "--language", "German")
    done, _ = caption(folder, output, *options)
    assert done.returncode == 1
    [row] = [json.loads(line) for line in output.read_text().splitlines()]
    kept = report(output)["prompt_texts"][row["prompt_id"]]
    assert kept["user"][0] == "<picture>"
    assert kept["user"][1].startswith("What is {stem}?")
    assert "German" in " ".join([kept["system"], *kept["user"]])
    assert kept["system"].startswith("Be brief.")
    [failure] = failures(output)
    assert (row["image_id"], failure["image_id"]) == ("00000.png", "00001.png")
