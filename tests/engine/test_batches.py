"""Batches: every picture is sent once and ends once, in the same journal and output as an ordinary run's."""

from __future__ import annotations

import math

import pytest
from batching import BatchService, collect, keys, outcomes, state_of
from engine_outputs import captions, failures


@pytest.fixture
def service():
    with BatchService() as running:
        yield running


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
    assert "1 picture cannot be sent: 1 unsupported" in done.stderr
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
    assert f"{expired} pictures were not asked" in done.stderr
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
