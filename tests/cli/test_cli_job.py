"""``cutline run job.toml`` does what the options do that wrote the file."""

from __future__ import annotations

import functools
import json
import shutil
import tomllib
from pathlib import Path

import pytest
from program import Run, rows

from server_process import Server

TIMES = ("seconds", "steps")


@pytest.fixture
def cutline(here: Run) -> Run:
    return here


def timeless(path: Path) -> list[dict]:
    return [{name: value for name, value in row.items() if name not in TIMES} for row in rows(path)]


def test_saved_options_run_the_same(cutline: Run, pictures: Path, endpoint: Server, tmp_path: Path) -> None:
    options = [
        *("--model-name", "org/m", "--nim-endpoint", endpoint.url, "--prompt", "a=What is {file_name}?"),
        *("--prompt", "b=short", "--trigger", "word", "--temperature", "0.3", "--extra.min_p", "0.1"),
        *("--extra.stop", '["\\n"]', "--image-limit", "1", "--max-side", "32", "--no-recursive"),
        *("--max-concurrent-requests", "1", "--allow-failures", "3"),
    ]
    command = ["caption", str(pictures), "out.jsonl", *options]
    direct = cutline(*command)
    asked = endpoint.last
    assert direct.code == 0, direct.err
    saved = cutline(*command, "--save-job", "job.toml", "--api-key", "k")
    assert (saved.code, saved.out) == (0, "")
    assert (
        saved.err
        == "→ job.toml: run it with `cutline run job.toml`; the key is not stored in it, so pass it again\n"
    )
    job = tomllib.loads((tmp_path / "job.toml").read_text())
    assert job["model"]["model"] == "nim:org/m"
    assert job["model"]["extra"] == {"min_p": 0.1, "stop": ["\n"]}
    assert job["input"] == {"image_limit": 1, "recursive": False}

    (tmp_path / "out.jsonl").rename(tmp_path / "direct.jsonl")
    for path in sorted((tmp_path / "out.jsonl.cutline").iterdir()):
        path.unlink()
    ran = cutline("run", "job.toml")
    assert ran.code == 0, ran.err
    assert "1 caption · " in ran.err
    assert endpoint.last == asked
    assert timeless(tmp_path / "out.jsonl") == timeless(tmp_path / "direct.jsonl")

    before = endpoint.get("/stats")["requests"]
    assert cutline("run", "job.toml", "-q").err == ""
    assert endpoint.get("/stats")["requests"] == before, "nothing is asked twice"


def test_saving_a_job_says_how_it_is_run(cutline: Run, pictures: Path, tmp_path: Path) -> None:
    save = ("caption", str(pictures), "--model", "fake", "--save-job")
    assert cutline(*save, "a job.toml").err == "→ a job.toml: run it with `cutline run 'a job.toml'`\n"
    quiet = cutline(*save, "quiet.toml", "--quiet")
    assert (quiet.code, quiet.out, quiet.err) == (0, "", "")
    missing = cutline("caption", "nowhere", "--model", "fake", "--save-job", "missing.toml")
    assert (missing.code, missing.err) == (2, cutline("caption", "nowhere", "--model", "fake").err)
    assert not (tmp_path / "missing.toml").exists()


def test_a_job_s_other_options_are_in_its_file(cutline: Run, tmp_path: Path) -> None:
    known = cutline("run", "job.toml", "--timeout", "1")
    assert known.code == 2
    assert "--timeout; other options belong in the job file: `timeout = …` under [run]" in known.err
    for unknown in ("--max-cots", "-z"):
        assert f"{unknown}; other options belong in the job file" in cutline("run", "job.toml", unknown).err
    assert "job file" not in cutline("caption", "photos", "--max-cots", "1").err


def test_a_budget_is_raised_without_editing_the_job_file(
    cutline: Run, pictures: Path, tmp_path: Path
) -> None:
    save = ("caption", str(pictures), "out.jsonl", "--model", "fake", "--budget-tokens", "1")
    assert cutline(*save, "--save-job", "job.toml").code == 0
    stopped = cutline("run", "job.toml")
    assert stopped.code == 3
    assert "the budget of 1 tokens is used up; raise it and run the same command" in stopped.err
    raised = cutline("run", "job.toml", "--budget-tokens", "1000000")
    assert raised.code == 0, raised.err
    assert len(rows(tmp_path / "out.jsonl")) == len(list(pictures.iterdir()))
    job = tomllib.loads((tmp_path / "job.toml").read_text())
    assert job["run"] == {"budget_tokens": 1}
    assert "--max-cost must be" in cutline("run", "job.toml", "--max-cost", "-1").err


def test_a_preview_names_each_of_several_prompts(cutline: Run, pictures: Path) -> None:
    prompts = ("--prompt", "brief=short", "--prompt", "whole=detailed")
    shown = cutline("caption", str(pictures), "--model", "fake", *prompts, "--preview", "1")
    assert shown.code == 0, shown.err
    assert "brief: " in shown.out
    assert "whole: " in shown.out
    assert "brief: " not in cutline("caption", str(pictures), "--model", "fake", "--preview", "1").out


def test_without_an_output_its_name_follows_the_format(cutline: Run, pictures: Path, tmp_path: Path) -> None:
    names = {"webdataset": "captions", "parquet": "captions.parquet", "tsv": "captions.tsv"}
    for form, name in names.items():
        done = cutline("caption", str(pictures), "--model", "fake", "--output-format", form)
        assert done.code == 0, done.err
        assert f"→ {name}\n" in done.err
    assert list((tmp_path / "captions").glob("*.tar"))
    assert cutline("caption", str(pictures), "--model", "fake").code == 0


def test_a_changed_job_is_noticed(cutline: Run, pictures: Path, tmp_path: Path) -> None:
    job = tmp_path / "job.toml"
    job.write_text(f"input_path = {json.dumps(str(pictures))}\n[model]\nmodel = 'fake'\n")
    assert cutline("run", "job.toml").code == 0
    job.write_text(job.read_text() + "temperature = 0.5\n")
    refused = cutline("run", "job.toml")
    assert refused.code == 2
    assert "temperature" in refused.err
    assert "--on-change" in refused.err
    again = cutline("run", "job.toml", "--on-change", "redo-all")
    assert again.code == 0, again.err
    assert "5 captions" in again.err


def test_a_job_file_is_tried_before_it_runs(cutline: Run, pictures: Path, tmp_path: Path) -> None:
    (tmp_path / "job.toml").write_text(f"input_path = {json.dumps(str(pictures))}\n[model]\nmodel = 'fake'\n")
    shown = cutline("run", "job.toml", "--preview", "2")
    assert (shown.code, shown.out.count("checksum")) == (0, 2), shown.err
    told = cutline("run", "job.toml", "--estimate")
    assert told.code == 0, told.err
    assert told.out.startswith(("5 pictures: about ", "5 pictures: less than "))
    assert [path.name for path in tmp_path.iterdir()] == ["job.toml"], "nothing is written"


def test_failed_pictures_are_asked_again(
    cutline: Run, pictures: Path, endpoint: Server, tmp_path: Path
) -> None:
    (tmp_path / "job.toml").write_text(
        f"input_path = {json.dumps(str(pictures))}\noutput_path = 'out.json'\n[run]\nmax_retries = 0\n"
        f"[model]\nmodel = 'm'\nendpoint = '{endpoint.url}'\n"
    )
    endpoint.post("/configure", {"fault": {"500": 1}})
    assert cutline("run", "job.toml").code == 1
    endpoint.post("/configure", {"fault": {}})
    assert cutline("run", "job.toml").code == 1, "an outcome is an outcome"
    ran = cutline("run", "job.toml", "--retry-failed")
    assert ran.code == 0, ran.err
    assert len(rows(tmp_path / "out.json")) == 5


def test_a_job_file_moves_with_its_folder(cutline: Run, pictures: Path, tmp_path: Path) -> None:
    folder, beside = tmp_path / "set", tmp_path / "beside"
    shutil.copytree(pictures, folder / "photos")
    beside.mkdir()
    (folder / "prompt.txt").write_text("What is {file_name}?")
    (folder / "schema.json").write_text('{"type": "object", "properties": {"short": {"type": "string"}}}')
    (folder / "prices.toml").write_text('[models."fake"]\ninput = 1.0\noutput = 1.0\n')
    (folder / "own.py").write_text("raise SystemExit\n")
    (folder / "a chain.toml").write_text('[[step]]\nname = "one"\nmodel = "fake"\nprompt = "prompt.txt"\n')
    given = ("--prompt", "p=prompt.txt", "--prompt", "text:x.txt", "--prompt", "short", "--state", "state/")
    here = functools.partial(cutline, cwd=folder)
    saved = here("caption", "photos/", *given, "--model", "fake", "--save-job", "job.toml")
    assert saved.code == 0, saved.err
    chained = ("../set/photos", "-o", "../beside/out.csv", "--chain", str(folder / "a chain.toml"))
    assert here("caption", *chained, "--save-job", "../set/chain.toml").code == 0

    moved = (tmp_path / "elsewhere" / "moved").resolve()
    moved.parent.mkdir()
    folder.rename(moved)
    ran = cutline("run", "elsewhere/moved/job.toml")
    assert ran.code == 0, ran.err
    assert len(rows(moved / "captions.jsonl")) == 5
    assert (moved / "state").is_dir()
    assert "nothing to caption" in cutline("run", str(moved / "job.toml"), cwd=beside).err, (
        "the same run, from anywhere"
    )
    ran = cutline("run", str(moved / "chain.toml"), cwd=pictures)
    assert ran.code == 0, ran.err
    assert len((beside / "out.csv").read_text().splitlines()) == 6, "what lies outside stays where it is"
    assert sorted(path.name for path in moved.parent.parent.iterdir()) == ["beside", "elsewhere"]

    written = tomllib.loads((moved / "job.toml").read_text())
    assert (written["input_path"], written["output_path"]) == ("photos/", "captions.jsonl")
    assert written["prompts"]["prompt"] == ["p=prompt.txt", "text:x.txt", "short"]
    job = 'input_path = "photos"\n[model]\nplugin = ["own.py"]\n[prompts]\nschema = "schema.json"\n'
    (moved / "files.toml").write_text(job + '[run]\nprices = "prices.toml"\n')
    assert "elsewhere/moved/own.py" in cutline("run", "elsewhere/moved/files.toml").err
    (moved / "own.py").write_text("")
    ran = cutline("run", "elsewhere/moved/files.toml", "--on-change", "redo-all")
    assert "there is no" not in ran.err, ran.err
