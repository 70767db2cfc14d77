"""Batches and what changes around them: settings, pictures, folders, and batches that come to nothing."""

from __future__ import annotations

import json

import pytest
from batching import BatchService, collect, keys, outcomes, state_of

from engine_outputs import captions, failures, report
from engine_pictures import fill, png
from processes import cutline_here
from server_process import Server


def test_a_batch_that_the_service_refuses_can_be_sent_again(service, pictures, tmp_path):
    folder, output = pictures(6), tmp_path / "captions.jsonl"
    service.configure(models=["other"])
    assert service.submit(folder, output).returncode == 0
    service.advance("in_progress")
    shown = cutline_here("batch", "status", output)
    assert "failed" in shown.stdout
    assert "The provided model is not supported by the Batch API" in shown.stdout
    done = collect(output)
    assert done.returncode == 1
    assert "The provided model is not supported by the Batch API" in done.stderr
    assert {row["kind"] for row in failures(output)} == {"batch-failed"}
    assert outcomes(output) == {}
    service.configure(models=["test"])
    assert service.submit(folder, output).returncode == 0
    service.answer_all()
    done = collect(output)
    assert done.returncode == 0, done.stderr
    assert len(keys(output)) == 6
    assert failures(output) == []


def test_several_prompts_and_an_answer_that_expired(service, pictures, tmp_path):
    folder, output = pictures(20), tmp_path / "captions.jsonl"
    prompts = ("--prompt", "short=Be short.", "--prompt", "long=Be long, {stem}.")
    assert service.submit(folder, output, *prompts, "--max-file-requests", 7).returncode == 0
    # Both requests about a picture are in one file.
    assert service.stats["requests"] == [6, 6, 6, 6, 6, 6, 4]
    service.advance("in_progress")
    service.advance("expired", share=0.5)
    done = collect(output)
    assert done.returncode == 1, done.stderr
    whole = len(keys(output))
    assert 0 < whole < 20
    row = json.loads(output.read_text().splitlines()[0])
    assert set(row["captions"]) == {"short", "long"}
    assert service.caption(folder, output, *prompts).returncode == 0
    # Of forty answers twenty came in batches, and none of these was asked for again.
    assert service.stats["chats"] == 40 - 20
    assert len(keys(output)) == len(outcomes(output)) == 20
    assert report(output)["prompt_tokens"] == 40 * 100


def untimed(row):
    """A row without how long its answer took, which nobody knows of a batch."""
    steps = [{name: value for name, value in step.items() if name != "seconds"} for step in row["steps"]]
    return {**row, "steps": steps, "seconds": None}


def test_answers_are_read_as_of_an_ordinary_run(service, pictures, tmp_path):
    """The same prompt with a regex, a prefix and the raw response gives the same rows either way."""
    folder = pictures(5)
    options = ("--caption-prefix", "Seen: ", "--trigger", "ohwx", "--include-raw")
    assert service.caption(folder, tmp_path / "direct.jsonl", *options).returncode == 0
    output = tmp_path / "batched.jsonl"
    assert service.submit(folder, output, *options).returncode == 0
    service.answer_all()
    assert collect(output).returncode == 0
    rows = [json.loads(line) for line in output.read_text().splitlines()]
    usual = [json.loads(line) for line in (tmp_path / "direct.jsonl").read_text().splitlines()]
    assert rows[0]["caption"].startswith("ohwx, Seen: A test caption of picture")
    assert [untimed(row) for row in rows] == [untimed(row) for row in usual]


@pytest.mark.parametrize("form", ["webdataset", "sidecar", "parquet", "csv"])
def test_every_format_gets_what_an_ordinary_run_writes(form, service, pictures, tmp_path):
    folder, output = pictures(6), tmp_path / ("out" if form in {"webdataset", "sidecar"} else f"out.{form}")
    done = service.submit(folder, output, "--output-format", form)
    assert done.returncode == 0, done.stderr
    service.answer_all()
    done = collect(output)
    assert done.returncode == 0, done.stderr
    written = captions(form, output)
    assert [key for key, _ in written] == sorted(path.name for path in folder.iterdir())
    assert len({text for _, text in written}) == 6


def test_pictures_that_come_from_a_list_of_urls(service, pictures, tmp_path):
    folder, output = pictures(4), tmp_path / "captions.jsonl"
    with Server("scripted.py", "--folder", str(folder)) as web:
        urls = [f"{web.root}/pictures/{path.name}" for path in sorted(folder.iterdir())]
        (tmp_path / "urls.txt").write_text("\n".join(urls))
        done = service.submit(tmp_path / "urls.txt", output, "--allow-private-urls")
        assert done.returncode == 0, done.stderr
    service.answer_all()
    # Answers are collected without a second download: nobody serves the pictures any more.
    assert collect(output).returncode == 0
    assert len(keys(output)) == 4


def test_other_settings_are_refused_while_answers_are_to_come(service, pictures, tmp_path):
    folder, output = pictures(4), tmp_path / "captions.jsonl"
    assert service.submit(folder, output).returncode == 0
    done = service.submit(folder, output, "--prompt", "Another question.")
    assert done.returncode == 2
    assert "were sent with other settings (prompts:" in done.stderr
    done = service.submit(folder, output, "--prompt", "Another question.", "--on-change", "redo-all")
    assert done.returncode == 2
    service.answer_all()
    assert collect(output).returncode == 0
    done = service.submit(folder, output, "--prompt", "Another question.", "--on-change", "redo-all")
    assert done.returncode == 0, done.stderr
    assert set(service.stats["asked"].values()) == {2}


def test_a_prompt_file_that_changed_after_it_was_sent(service, pictures, tmp_path):
    folder, output = pictures(4), tmp_path / "captions.jsonl"
    template = tmp_path / "ask.json"
    template.write_text('{"prompt_prefix": "What is it?"}')
    assert service.submit(folder, output, "--prompt", template).returncode == 0
    service.answer_all()
    before = template.read_text()
    template.write_text('{"prompt_prefix": "Who is it?"}')
    done = collect(output)
    assert done.returncode == 2
    assert "were sent with other settings" in done.stderr
    template.write_text(before)
    assert collect(output).returncode == 0
    assert len(keys(output)) == 4


def test_pictures_that_come_change_and_go_after_they_were_sent(service, pictures, tmp_path):
    folder, output = pictures(6), tmp_path / "captions.jsonl"
    assert service.submit(folder, output).returncode == 0
    service.answer_all()
    (folder / "00001.png").unlink()
    (folder / "00002.png").write_bytes(png() + b"with more behind it")
    fill(folder, 1, start=6)
    done = collect(output)
    assert done.returncode == 1, done.stderr
    assert keys(output) == ["00000.png", "00003.png", "00004.png", "00005.png"]
    assert [(row["key"], row["kind"]) for row in failures(output)] == [("00002.png", "changed")]
    assert report(output)["skip_reasons"] == {"in no batch": 1}
    # What was paid for the picture as it was counts all the same.
    assert report(output)["prompt_tokens"] == 5 * 100
    assert service.caption(folder, output).returncode == 0
    assert keys(output) == ["00000.png", "00002.png", "00003.png", "00004.png", "00005.png", "00006.png"]
    assert service.stats["chats"] == 2


def test_pictures_that_came_are_sent_in_a_batch_of_their_own(service, pictures, tmp_path):
    folder, output = pictures(5), tmp_path / "captions.jsonl"
    assert service.submit(folder, output).returncode == 0
    fill(folder, 3, start=5)
    done = service.submit(folder, output)
    assert "3 pictures sent in 1 batch" in done.stderr
    assert "5 pictures were sent before and are in progress" in done.stderr
    first = service.stats["batches"][0]["id"]
    service.advance("in_progress")
    service.advance("completed", batches=[first])
    done = collect(output)
    assert done.returncode == 3, done.stderr
    assert "3 pictures are in progress: collect later, or with --wait" in done.stderr
    assert len(keys(output)) == 5
    service.answer_all()
    assert collect(output).returncode == 0
    assert len(keys(output)) == len(outcomes(output)) == 8


def test_collecting_from_another_folder(service, pictures, tmp_path, monkeypatch):
    pictures(3)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ask.json").write_text('{"prompt_prefix": "What is it?"}')
    assert service.submit("pictures", "captions.jsonl", "--prompt", "ask.json").returncode == 0
    service.answer_all()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    done = collect("../captions.jsonl")
    assert done.returncode == 0, done.stderr
    assert len(keys(tmp_path / "captions.jsonl")) == 3
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_state_folder_elsewhere(service, pictures, tmp_path):
    folder, output, state = pictures(3), tmp_path / "my captions.jsonl", tmp_path / "notes"
    done = service.submit(folder, output, "--state", state)
    assert done.returncode == 0
    assert f"cutline batch collect '{output}' --state {state} --wait" in done.stderr
    service.answer_all()
    assert collect(output).returncode == 2
    assert collect(output, "--state", state).returncode == 0
    assert len(keys(output)) == 3
    assert not state_of(output).exists()


def test_cancelling_keeps_what_was_answered(service, pictures, tmp_path):
    folder, output = pictures(30), tmp_path / "captions.jsonl"
    assert service.submit(folder, output, "--max-file-requests", 20).returncode == 0
    service.advance("in_progress")
    done = cutline_here("batch", "cancel", output)
    assert done.returncode == 0
    assert "2 batches are being cancelled by the service" in done.stderr
    assert {batch["status"] for batch in service.stats["batches"]} == {"cancelling"}
    service.advance("cancelled", share=0.5)
    done = collect(output)
    assert done.returncode == 1
    assert len(keys(output)) == 15
    assert {row["kind"] for row in failures(output)} == {"cancelled"}
    assert service.caption(folder, output).returncode == 0
    assert service.stats["chats"] == 15
    assert len(outcomes(output)) == 30


def test_cancelling_what_the_service_has_forgotten_frees_the_output(service, pictures, tmp_path):
    folder, output = pictures(3), tmp_path / "captions.jsonl"
    with BatchService() as other:
        assert other.submit(folder, output).returncode == 0
        other.post("/forget", {})
        done = collect(output)
        assert done.returncode == 3
        assert "`cutline batch cancel` gives it up" in done.stderr
        assert cutline_here("batch", "cancel", output).returncode == 0
        done = other.submit(folder, output)
        assert done.returncode == 0, done.stderr


def test_what_nobody_wants_any_more_is_given_up(service, pictures, tmp_path):
    """Its prompt is gone, so what has been answered cannot be read: the output is free all the same."""
    folder, output = pictures(3), tmp_path / "captions.jsonl"
    (tmp_path / "ask.json").write_text('{"prompt_prefix": "What is it?"}')
    assert service.submit(folder, output, "--prompt", tmp_path / "ask.json").returncode == 0
    service.answer_all()
    (tmp_path / "ask.json").unlink()
    assert collect(output).returncode == 2
    done = cutline_here("batch", "cancel", output)
    assert done.returncode == 0, done.stderr
    assert "no batch is in progress any more" in done.stderr
    assert "cutline batch collect" in done.stderr
    refused = service.submit(folder, output)
    assert refused.returncode == 2
    assert "`cutline batch cancel --forget`" in refused.stderr
    done = cutline_here("batch", "cancel", output, "--forget")
    assert done.returncode == 0, done.stderr
    assert service.caption(folder, output).returncode == 0
    assert len(keys(output)) == len(outcomes(output)) == 3


def test_nothing_lies_at_the_output_before_answers_are_collected(service, pictures, tmp_path):
    folder, output = pictures(3), tmp_path / "captions.jsonl"
    assert service.submit(folder, output).returncode == 0
    assert not output.exists()
    other = tmp_path / "others.jsonl"
    other.write_text("somebody's lines\n")
    refused = service.submit(folder, other)
    assert refused.returncode == 2
    assert "others.jsonl" in refused.stderr
    assert service.submit(folder, other, "--existing", "overwrite").returncode == 0
    assert other.read_text() == "somebody's lines\n"
    service.answer_all()
    assert collect(other).returncode == 0
    assert len(keys(other)) == 3


def test_files_at_the_service_are_deleted_unless_they_are_kept(service, pictures, tmp_path):
    folder = pictures(3)
    for name, more, left in (("a.jsonl", (), 0), ("b.jsonl", ("--keep-files",), 2)):
        assert service.submit(folder, tmp_path / name).returncode == 0
        service.answer_all()
        assert collect(tmp_path / name, *more).returncode == 0
        assert len(service.stats["files"]) == left
        assert list((state_of(tmp_path / name) / "batches").iterdir()) == []


def test_answers_without_sense_cost_their_pictures_alone(service, pictures, tmp_path):
    folder, output = pictures(11), tmp_path / "captions.jsonl"
    assert service.submit(folder, output).returncode == 0
    service.answer_all(junk=True)
    assert cutline_here("batch", "status", output).returncode == 0
    done = collect(output)
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert len(keys(output)) == 4
    rows = failures(output)
    assert len(rows) == 7
    assert {row["kind"] for row in rows} == {"malformed", "endpoint", "rejected", "unanswered"}
    assert all("\n" not in row["message"] for row in rows)
    assert len(outcomes(output)) == 10, "the one without an answer is still to be asked"


@pytest.mark.parametrize("moment", ["", "upload", "create"])
def test_gemini_takes_files_in_its_own_way(moment, service, pictures, tmp_path):
    folder, output = pictures(25), tmp_path / "captions.jsonl"
    service.configure(key="google-key", models=["gemini-2.5-flash"], lose=moment)
    asked = (
        *("--endpoint", f"{service.root}/v1beta/openai", "--model", "gemini:gemini-2.5-flash"),
        *("--api-key", "google-key", "--retry-delay", 0.01),
    )
    done = cutline_here("batch", "submit", folder, output, *asked, "--max-file-requests", 20)
    assert done.returncode == 0, done.stderr
    assert sorted(service.stats["requests"]) == [5, 20]
    service.advance("in_progress")
    service.advance("expired", share=0.6)
    done = collect(output, "--api-key", "google-key")
    assert done.returncode == 1, done.stderr
    assert len(keys(output)) == 15
    assert report(output)["cost_usd"] == pytest.approx(15 * (100 * 0.30 + 20 * 2.50) / 1e6 / 2)
    assert service.stats["files"] == []
    assert cutline_here("caption", folder, output, *asked).returncode == 0
    assert len(outcomes(output)) == 25
    assert service.stats["chats"] == 10


def test_failed_pictures_are_sent_again_when_that_is_asked_for(service, pictures, tmp_path):
    folder, output = pictures(10), tmp_path / "captions.jsonl"
    assert service.submit(folder, output).returncode == 0
    service.answer_all(faults={"400": 1})
    assert collect(output).returncode == 1
    assert {row["kind"] for row in failures(output)} == {"rejected"}
    assert "injected 400" in failures(output)[0]["message"]
    assert "nothing was sent" in service.submit(folder, output).stderr
    assert service.submit(folder, output, "--retry-failed").returncode == 0
    service.answer_all(faults={})
    assert collect(output).returncode == 0
    assert len(keys(output)) == 10
    assert failures(output) == []


@pytest.mark.parametrize("spoil", [["bom"], ["crlf"], ["bom", "crlf"]], ids="-".join)
def test_files_of_answers_with_other_line_ends_or_a_mark_lose_nothing(spoil, service, pictures, tmp_path):
    output = tmp_path / "captions.jsonl"
    assert service.submit(pictures(4), output).returncode == 0
    service.answer_all(spoil=spoil)
    done = collect(output)
    assert done.returncode == 0, done.stderr
    assert len(keys(output)) == 4
    assert service.stats["files"] == []


@pytest.mark.parametrize("spoil", [["garbled"], ["cut"], ["bom", "garbled"]], ids="-".join)
def test_an_answer_that_cannot_be_read_costs_only_itself(spoil, service, pictures, tmp_path):
    output = tmp_path / "captions.jsonl"
    assert service.submit(pictures(4), output).returncode == 0
    service.answer_all(spoil=spoil)
    done = collect(output)
    assert done.returncode == 1, done.stderr
    assert len(keys(output)) == 3
    line = 4 if spoil == ["cut"] else 1
    assert f"cannot be read: line {line} of 00001.output.jsonl" in done.stderr
    assert "its files at the service" in done.stderr
    assert service.stats["files"], "the answer may still be there"
    assert "Traceback" not in done.stderr
    service.answer_all(spoil=[])
    done = collect(output)
    assert done.returncode == 0, done.stderr
    assert len(keys(output)) == 4
    assert service.stats["files"] == []


def test_an_answer_that_stays_unreadable_is_given_up_and_sent_again(service, pictures, tmp_path):
    folder, output = pictures(4), tmp_path / "captions.jsonl"
    assert service.submit(folder, output).returncode == 0
    service.answer_all(spoil=["garbled"])
    assert collect(output).returncode == 1
    assert "nothing was sent" in service.submit(folder, output).stderr
    assert cutline_here("batch", "cancel", output, "--forget").returncode == 0
    service.answer_all(spoil=[])
    assert service.submit(folder, output).returncode == 0
    service.answer_all()
    assert collect(output).returncode == 0
    assert len(keys(output)) == 4
