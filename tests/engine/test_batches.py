"""Batches: every picture is sent once and ends once, in the same journal and output as an ordinary run's."""

from __future__ import annotations

import json
import math

import openai
import pytest
from batching import collect, keys, outcomes, state_of

from engine_outputs import captions, failures


def test_many_pictures_become_files_of_the_right_number_of_requests(service, pictures, tmp_path):
    folder, output = pictures(3000), tmp_path / "captions.jsonl"
    service.configure(max_requests=1100)
    done = service.submit(folder, output, "--max-file-requests", 1100)
    assert done.returncode == 0, done.stderr
    assert "3,000 pictures sent in 3 batches of 3,000 requests" in done.stderr
    assert service.stats["requests"] == [1100, 1100, 800]
    service.answer_all()
    done = collect(output)
    assert done.returncode == 0, done.stderr
    names = sorted(path.name for path in folder.iterdir())
    assert keys(output) == names
    assert len({text for _, text in captions("jsonl", output)}) == 3000
    assert sorted(outcomes(output)) == names


def test_many_pictures_become_files_of_the_right_number_of_bytes(service, pictures, tmp_path):
    folder, output = pictures(3000), tmp_path / "captions.jsonl"
    service.configure(max_bytes=300_000)
    assert service.submit(folder, output, "--max-file-bytes", 300_000).returncode == 0
    sizes = [file["bytes"] for file in service.stats["files"]]
    assert max(sizes) <= 300_000
    assert len(sizes) == math.ceil(sum(sizes) / 300_000)
    assert sum(service.stats["requests"]) == 3000
    service.answer_all()
    assert collect(output).returncode == 0
    assert len(outcomes(output)) == len(keys(output)) == 3000


def test_what_expired_is_asked_by_an_ordinary_run_and_nothing_else(service, pictures, tmp_path):
    folder, output = pictures(60), tmp_path / "captions.jsonl"
    (folder / "00007.png").write_bytes(b"no picture")
    done = service.submit(folder, output, "--max-file-requests", 25)
    assert done.returncode == 1
    assert "1 picture could not be sent: 1 unsupported" in done.stderr
    refused = service.caption(folder, output)
    assert refused.returncode == 2
    assert "59 pictures of this output are in batches" in refused.stderr

    service.configure(faults={"length": 0.1, "refusal": 0.1, "empty": 0.1, "400": 0.1, "500": 0.1})
    service.advance("in_progress")
    service.advance("expired", share=0.6)
    done = collect(output)
    assert done.returncode == 1, done.stderr
    kinds = [row["kind"] for row in failures(output)]
    assert set(kinds) == {"unsupported", "expired", "truncated", "refused", "empty", "rejected", "endpoint"}
    expired = kinds.count("expired")
    assert expired == 59 - (15 + 15 + 5)  # 0.6 of 25, 25 and 9
    assert f"{expired} pictures were not captioned" in done.stderr
    assert len(keys(output)) + len(kinds) == 60
    assert keys(output) == sorted(keys(output))
    assert len(outcomes(output)) == 60 - expired

    before = {path: path.read_bytes() for path in (output, state_of(output) / "journal.jsonl")}
    again = collect(output)
    assert again.returncode == 0
    assert "nothing is left to collect" in again.stderr
    assert all(path.read_bytes() == data for path, data in before.items())

    done = service.caption(folder, output)
    assert done.returncode == 1, done.stderr
    assert service.stats["chats"] == expired
    assert len(outcomes(output)) == 60
    assert max(service.stats["answered"].values()) == 1
    assert {row["kind"] for row in failures(output)} == set(kinds) - {"expired"}
    service.configure(faults={})
    assert service.caption(folder, output, "--retry-failed").returncode == 1
    assert [row["kind"] for row in failures(output)] == ["unsupported"]
    assert len(keys(output)) == 59


def test_a_whole_output_is_not_written_again(service, pictures, tmp_path):
    folder, output = pictures(5), tmp_path / "captions.parquet"
    assert service.submit(folder, output).returncode == 0
    service.answer_all()
    assert collect(output).returncode == 0
    before = output.stat().st_mtime_ns
    done = service.caption(folder, output)
    assert done.returncode == 0
    assert "nothing to caption: every picture has an outcome from an earlier run" in done.stderr
    assert output.stat().st_mtime_ns == before


def test_files_that_were_not_taken_keep_no_picture_from_an_ordinary_run(service, pictures, tmp_path):
    folder, output = pictures(5), tmp_path / "captions.jsonl"
    service.configure(batches=False)
    assert service.submit(folder, output).returncode == 3
    done = service.caption(folder, output)
    assert done.returncode == 0, done.stderr
    service.configure(batches=True)
    assert "nothing was sent" in service.submit(folder, output).stderr
    assert service.stats["uploads"] == 0


def test_the_test_service_speaks_as_the_official_client_expects(service):
    """What these tests rest on: OpenAI's own client understands the service, and is understood."""
    client = openai.OpenAI(base_url=service.url, api_key="k", max_retries=0)
    line = {"custom_id": "a", "method": "POST", "url": "/v1/chat/completions"}
    line["body"] = {"model": "test", "messages": [{"role": "user", "content": "x;base64,AA=="}]}
    file = client.files.create(file=("a.jsonl", json.dumps(line).encode()), purpose="batch")
    with pytest.raises(openai.BadRequestError):
        client.files.create(file=("a.jsonl", b"{}"), purpose="assistants")
    with pytest.raises(openai.BadRequestError):
        client.batches.create(
            input_file_id="file-0", endpoint="/v1/chat/completions", completion_window="24h"
        )
    batch = client.batches.create(
        input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h"
    )
    assert client.batches.retrieve(batch.id).status == "validating"
    service.answer_all()
    batch = client.batches.retrieve(batch.id)
    assert (batch.status, batch.request_counts.completed) == ("completed", 1)
    answer = json.loads(client.files.content(batch.output_file_id).text)
    assert answer["response"]["body"]["choices"][0]["message"]["content"]
    assert [row.id for row in client.batches.list()] == [batch.id]
    assert {row.id for row in client.files.list()} == {file.id, batch.output_file_id}
    assert client.files.delete(file.id).deleted


def test_rows_of_one_picture_are_sent_once_and_all_have_the_caption(service, pictures, tmp_path):
    folder, output = pictures(3), tmp_path / "captions.jsonl"
    names = ["00000.png", "00001.png", "00000.png", "00002.png", "00000.png"]
    table = folder / "t.csv"
    table.write_text("\n".join(["image", *names]))
    done = service.submit(table, output)
    assert done.returncode == 0, done.stderr
    assert sum(service.stats["requests"]) == 3
    assert service.submit(table, output).returncode == 0
    assert sum(service.stats["requests"]) == 3
    service.answer_all()
    assert collect(output).returncode == 0
    texts = [text for _, text in captions("jsonl", output)]
    assert texts[0] == texts[2] == texts[4]
    assert len(set(texts)) == 3
