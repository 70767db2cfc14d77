"""What a run says of itself at its end: why pictures failed, and what was paid."""

from __future__ import annotations

import json
import shutil
import signal
import socket
from pathlib import Path

import pyarrow as pa
import pyarrow.ipc
import pytest
from PIL import Image
from program import COLOURS, Run, rows, run

from processes import PATIENCE, rest_of, start_cutline, stop, wait_until

BROKEN = "fake:error=0.5,empty=0.5"


@pytest.fixture
def cutline(here: Run) -> Run:
    return here


def test_each_kind_of_failure_has_an_example(cutline: Run, pictures: Path, tmp_path: Path) -> None:
    ran = cutline("caption", str(pictures), "out.jsonl", "--model", BROKEN)
    assert ran.code == 1
    failed = rows(tmp_path / "out.jsonl.failures.jsonl")
    kinds = {failure["kind"] for failure in failed}
    assert kinds == {"captioner", "empty"}, "the pictures no longer make both"
    told = [line.strip() for line in ran.err.splitlines() if line.startswith("  ")]
    assert len(told) == len(kinds)
    for line in told:
        kind, rest = line.split(": ", 1)
        first, *others = (failure for failure in failed if failure["kind"] == kind)
        if others:
            assert rest == f"{1 + len(others)} x {first['message']}, such as {first['key']}"
        else:
            assert rest == f"{first['key']}: {first['message']}"


def test_a_missing_picture_is_found_in_other_letter_case(
    cutline: Run, pictures: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "set"
    shutil.copytree(pictures, folder)
    (folder / "t.csv").write_text("image\nGold.JPG\nnothing-like-it.jpg\n")
    ran = cutline("caption", "set/t.csv", "out.jsonl", "--model", "fake")
    assert (ran.code, "Gold.JPG is missing, did you mean set/gold.jpg?" in ran.err) == (1, True)
    (folder / "t.csv").write_text("image\nnothing-like-it.jpg\n")
    assert "did you mean" not in cutline("caption", "set/t.csv", "other.jsonl", "--model", "fake").err


def test_the_cause_of_most_failures_is_told_first(pictures: Path, tmp_path: Path) -> None:
    folder, work = tmp_path / "photos", tmp_path / "work"
    folder.mkdir()
    work.mkdir()
    whole = (pictures / "gold.jpg").read_bytes()
    (folder / "a.jpg").write_bytes(whole[:300])
    for name in ("b.jpg", "c.jpg", "d.jpg"):
        (folder / name).touch()
    command = ("caption", "../photos", "out.jsonl", "--model", "pixels:no-ocr")
    ran = run(*command, cwd=work)
    told = [line.strip() for line in ran.err.splitlines() if line.startswith("  ")]
    assert told[0] == "decode: 3 x the file is empty, such as b.jpg"
    assert told[1].startswith("decode: a.jpg: damaged JPEG")
    assert len(told) == 2
    assert "once the cause is fixed, run again with --retry-failed to retry the failed ones" in ran.err

    (folder / "e.jpg").write_bytes(whole)
    more = run(*command, cwd=work)
    assert more.err.startswith("1 caption · 4 failed (4 decode) · 1 new, 4 from earlier runs · ")
    assert [line.strip() for line in more.err.splitlines() if line.startswith("  ")] == told
    again = run(*command, cwd=work)
    assert "from earlier runs" not in again.err.splitlines()[0], "which the line below says of all"
    assert "nothing to caption: every picture has an outcome from an earlier run" in again.err
    assert "run again with --retry-failed to retry the failed ones" in again.err
    retried = run(*command, "--retry-failed", cwd=work)
    assert "with --retry-failed" not in retried.err
    advice = ("embedded captioner" in ran.err for ran in (more, again, retried))
    assert list(advice) == [True, False, False], "only a run that captioned something tells by whom"


def test_each_kind_of_failure_has_one_way_on(cutline: Run, pictures: Path, tmp_path: Path) -> None:
    (tmp_path / "urls.txt").write_text("http://127.0.0.1:9/a.jpg\nhttp://127.0.0.1:9/b.jpg\n")
    blocked = cutline("caption", "urls.txt", "blocked.jsonl", "--model", "fake").err
    assert blocked.count("run again with --allow-private-urls") == 1
    assert "--retry-failed" not in blocked
    command = ("caption", str(pictures), "asked.jsonl", "--model", "fake", "--prompt", "Is this {artist}?")
    unknown = cutline(*command).err
    assert unknown.count("{artist} is unknown to this sample") == 1
    assert "another --prompt and --on-change redo-failed" in unknown


def test_a_run_that_was_stopped_tells_what_it_knows_and_what_is_written(tmp_path: Path) -> None:
    """What is behind a slow picture is known and kept, and in no output yet."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        slow = f"http://127.0.0.1:{silent.getsockname()[1]}/1.jpg"
        others = "".join(f"http://127.0.0.1:9/{number}.jpg\n" for number in range(3))
        (tmp_path / "urls.txt").write_text(f"{slow}\n{others}")
        options = ("--model", "fake", "--allow-private-urls", "--max-retries", "0")
        process = start_cutline("caption", "urls.txt", "c.jsonl", *options, cwd=tmp_path)
        journal = tmp_path / "c.jsonl.cutline" / "journal.jsonl"
        wait_until(lambda: journal.exists() and journal.read_bytes().count(b'"failure"') == 3)
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=PATIENCE)
    assert "0 captions · 3 failed (3 fetch) · " in errors
    assert "\n  fetch: 3 x " in errors
    assert "0 captions are written, 3 wait in it for an earlier picture)" in errors.splitlines()[-1]


def test_a_quiet_run_that_failed_says_so_in_a_line(cutline: Run, pictures: Path) -> None:
    ran = cutline("caption", str(pictures), "out.jsonl", "--model", "fake:error=1", "--quiet")
    assert ran.code == 1
    [line] = ran.err.splitlines()
    assert line.startswith(
        "cutline: 5 failed (5 captioner); captioner: 5 x RuntimeError: the fake captioner broke"
    )
    assert ", such as crimson.jpg; all are listed in out.jsonl.failures.jsonl" in line
    allowed = cutline(
        "caption", str(pictures), "out.jsonl", "--model", "fake:error=1", "-q", "--allow-failures", "5"
    )
    assert (allowed.code, allowed.err) == (0, "")


def test_the_report_names_outputs_from_the_root_on(cutline: Run, pictures: Path, tmp_path: Path) -> None:
    cutline("caption", str(pictures), "out.jsonl", "--model", "fake:error=0.5", "--state", "state")
    report = json.loads((tmp_path / "state" / "report.json").read_bytes())
    assert report["output"] == str(tmp_path / "out.jsonl")
    assert report["outputs"] == [str(tmp_path / "out.jsonl"), str(tmp_path / "out.jsonl.failures.jsonl")]
    again = cutline("caption", str(pictures), "out.jsonl", "--model", "fake:error=0.5")
    assert again.code == 2
    assert "--state" in again.err


def test_whether_a_server_runs_is_asked_of_this_machine_alone(cutline: Run, pictures: Path) -> None:
    asked = ("caption", str(pictures), "out.jsonl", "--model", "m", "--retry-delay", "0.01", "--endpoint")
    assert "is the server running?" in cutline(*asked, "http://127.0.0.1:9/v1").err
    elsewhere = cutline(*asked, "http://nowhere.invalid/v1").err
    assert "is this machine online, and the address right?" in elsewhere


def test_tokens_of_earlier_runs_are_called_that(cutline: Run, pictures: Path) -> None:
    first = cutline("caption", str(pictures), "out.jsonl", "--model", "fake")
    again = cutline("caption", str(pictures), "out.jsonl", "--model", "fake")
    assert " tokens" in first.err
    assert "in all runs" not in first.err
    assert " · in all runs " in again.err.splitlines()[0]


def test_a_comparison_tells_the_kinds(cutline: Run, pictures: Path) -> None:
    name = "long" * 9
    ran = cutline("compare", "fake", f"{name}=fake:error=1", "--input-path", str(pictures), COLUMNS="50")
    told = next(line for line in ran.err.splitlines() if line.startswith(f"{name}: "))
    assert "5 failed (5 captioner, such as RuntimeError: the fake captioner broke, as requested" in told
    assert any(line.startswith(f"{name}  ") for line in ran.out.splitlines()), "a line is a line, where piped"


def test_a_prompt_that_looks_for_a_tag_can_be_tried(cutline: Run, pictures: Path, tmp_path: Path) -> None:
    prompt = {"prompt_prefix": "Describe it.", "regex": "<caption>.*?</caption>"}
    (tmp_path / "prompt.json").write_text(json.dumps(prompt))
    ran = cutline("caption", str(pictures), "out.jsonl", "--model", "fake", "--prompt", "prompt.json")
    assert ran.code == 0, ran.err
    assert len(rows(tmp_path / "out.jsonl")) == len(COLOURS)
    assert all(row["caption"].startswith("A picture with checksum") for row in rows(tmp_path / "out.jsonl"))


def test_a_run_that_failed_throughout_says_once_how_to_go_on(cutline: Run, pictures: Path) -> None:
    ran = cutline(
        "caption", str(pictures), "out.jsonl", "--model", "fake:error=1", "--stop-after-failures", "2"
    )
    assert ran.code == 3
    last = ran.err.splitlines()[-1]
    assert last.count("the same command") == 1
    assert (
        "fix this and run the same command with --retry-failed · nothing is lost (journal in out.jsonl.cutl"
        in last
    )


def test_a_damaged_input_is_to_be_mended_before_the_command_is_run_again(
    cutline: Run, pictures: Path, tmp_path: Path
) -> None:
    images = [path.read_bytes() for path in sorted(pictures.iterdir())] * 8
    batch = pa.record_batch({"image": images[:5]})
    with (tmp_path / "t.arrow").open("wb") as file, pa.ipc.new_stream(file, batch.schema) as stream:
        for _ in range(8):
            stream.write_batch(batch)
    content = (tmp_path / "t.arrow").read_bytes()
    (tmp_path / "t.arrow").write_bytes(content[: len(content) // 2])
    ran = cutline("caption", "t.arrow", "out.jsonl", "--model", "fake")
    assert ran.code == 1, ran.err
    assert "15 captions · 1 failed (1 damaged-shard)" in ran.err
    assert "t.arrow is damaged after row 15" in ran.err
    assert "the rest of the file is lost" in ran.err
    assert "once the cause is fixed, run again with --retry-failed" in ran.err
    (tmp_path / "t.arrow").write_bytes(content)
    mended = cutline("caption", "t.arrow", "out.jsonl", "--model", "fake", "--retry-failed")
    assert mended.code == 0, mended.err
    assert len(rows(tmp_path / "out.jsonl")) == 40


def test_checks_that_did_not_look_say_so(cutline: Run, pictures: Path, tmp_path: Path) -> None:
    (tmp_path / "b.txt").write_text("zeppelin\n")
    command = ("caption", str(pictures), "out.jsonl", "--model", "pixels:no-ocr", "--check")
    later = ("--check", "repetition", "--check", "banned=b.txt")
    ran = cutline(*command, "words=..2", *later)
    for name in ("repetition", "banned"):
        assert f"{name}: looked at no caption" in ran.err
    assert "found nothing" not in ran.err
    assert "with more than 2 words" in ran.err
    assert len([line for line in ran.err.splitlines() if line.startswith("  words: ")]) == 1

    advice = "for captions that failed words: the captioner would write the same again; use another --prompt"
    assert advice in ran.err
    assert "--retry-failed" not in "".join(line for line in ran.err.splitlines() if "words" in line)
    noted = cutline(*command, "words=..2:note", *later, "--on-change", "redo-failed")
    assert "banned: found nothing" in noted.err
    assert "not looked at" not in noted.err


def test_how_many_captions_a_check_before_kept_from_it(cutline: Run, pictures: Path, tmp_path: Path) -> None:
    assert cutline("caption", str(pictures), "a.jsonl", "--model", "pixels:no-ocr").code == 0
    texts = [row["caption"] for row in rows(tmp_path / "a.jsonl")]
    counts = sorted(len(text.split()) for text in texts)
    assert counts[0] < counts[-1], "the pictures no longer have captions of several lengths"
    ran = cutline(
        *("caption", str(pictures), "b.jsonl", "--model", "pixels:no-ocr"),
        *("--check", f"words=..{counts[-1] - 1}:skip", "--check", "repetition"),
    )
    assert "repetition: found nothing; not looked at: " in ran.err


def test_a_captioner_with_a_temperature_may_write_another(cutline: Run, pictures: Path) -> None:
    ran = cutline("caption", str(pictures), "out.jsonl", "--model", "fake", "--check", "words=900..")
    assert "for captions that failed words: run again with --retry-failed for other captions; or" in ran.err


def test_the_embedded_captioner_is_explained_once(cutline: Run, pictures: Path) -> None:
    command = ("caption", str(pictures), "out.jsonl", "--model", "pixels:no-ocr")
    assert "embedded captioner" in cutline(*command).err
    assert "embedded captioner" not in cutline(*command, "--prompt", "short", "--on-change", "redo-all").err


def test_the_table_says_how_many_captions_it_does_not_show(cutline: Run, tmp_path: Path) -> None:
    scenes(tmp_path / "many", 12)
    ran = cutline("caption", "many", "--model", "fake")
    assert ran.out.count("checksum") == 8
    assert ran.out.endswith("and 4 more\n")
    scenes(tmp_path / "few", 8)
    few = cutline("caption", "few", "--model", "fake", "--on-change", "redo-all")
    assert (few.out.count("checksum"), " more" in few.out) == (8, False)


def test_an_interrupted_run_gives_no_advice(tmp_path: Path) -> None:
    scenes(tmp_path / "many", 600)
    process = start_cutline("caption", "many", "out.jsonl", cwd=tmp_path)
    journal = tmp_path / "out.jsonl.cutline" / "journal.jsonl"
    wait_until(lambda: journal.exists() and journal.read_bytes().count(b"\n") > 20)
    stop(process, signal.SIGINT)
    told = rest_of(process)
    assert process.wait(PATIENCE) == 130
    assert "interrupted" in told
    assert "embedded captioner" not in told


def test_the_report_of_pixels_shows_no_prompt(cutline: Run, pictures: Path, tmp_path: Path) -> None:
    for model, shown in (("pixels", False), ("fake", True)):
        assert cutline("caption", pictures, f"{model}.jsonl", "--model", model).code == 0
        report = json.loads((tmp_path / f"{model}.jsonl.cutline" / "report.json").read_text())
        assert bool(report["prompt_texts"]) == shown


def scenes(folder: Path, count: int) -> None:
    folder.mkdir()
    for number in range(count):
        color = (number % 256, number // 3 % 256, 90)
        Image.new("RGB", (640, 480), color).save(folder / f"{number:03}.jpg")
