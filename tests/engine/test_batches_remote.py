"""Batches of a remote output: sent from one machine, collected from another."""

from __future__ import annotations

import json

import pytest
from batching import collect
from PIL import Image

from processes import cutline_here, start_cutline

pytest.importorskip("s3fs")
pytest.importorskip("boto3")
pytest.importorskip("moto.server")


def rows(bucket, key="out.jsonl"):
    return [json.loads(line)["image_id"] for line in bucket.read(key).splitlines()]


@pytest.mark.parametrize("place", ["beside", "elsewhere"])
def test_batches_are_collected_from_another_machine_and_nothing_is_paid_twice(
    place, service, pictures, bucket, machine
):
    folder, output = pictures(6), f"{bucket.url}/out.jsonl"
    state = () if place == "beside" else ("--state", f"{bucket.url}/kept")
    machine("a")
    done = service.submit(folder, output, "--max-file-requests", 4, *state)
    assert done.returncode == 0, done.stderr
    machine("b")
    done = cutline_here("batch", "status", output, *state)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("validating") == 2
    done = service.submit(folder, output, "--max-file-requests", 4, *state)
    assert done.returncode == 0, done.stderr
    assert service.stats["requests"] == [4, 2], "nothing is sent twice"
    Image.new("RGB", (9, 7), "teal").save(folder / "zz.png")
    assert service.submit(folder, output, *state).returncode == 0
    assert service.stats["requests"] == [4, 2, 1]
    machine("a")  # whose own record does not know the last batch
    service.answer_all()
    done = collect(output, *state)
    assert done.returncode == 0, done.stderr
    names = sorted(path.name for path in folder.iterdir())
    assert rows(bucket) == names
    machine("b")
    done = collect(output, *state)
    assert done.returncode == 0, done.stderr
    assert "nothing is left to collect" in done.stderr
    done = cutline_here("caption", folder, output, *service.arguments(), *state)
    assert done.returncode == 0, done.stderr
    assert service.stats["chats"] == 0
    assert rows(bucket) == names
    assert max(service.stats["answered"].values()) == 1
    assert not [name for name in bucket.names() if "keys.jsonl" in name]


def test_two_machines_that_collect_at_once_write_each_caption_once(service, pictures, bucket, machine):
    folder, output = pictures(5), f"{bucket.url}/out.jsonl"
    machine("a")
    assert service.submit(folder, output).returncode == 0
    service.answer_all()
    processes = []
    for name in ("b", "c"):
        machine(name)
        processes.append(start_cutline("batch", "collect", output))
    codes = [process.wait() for process in processes]
    assert 0 in codes
    machine("a")
    assert collect(output).returncode == 0
    assert rows(bucket) == sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("damage", [b"", b"{", bytes(40), b"[]", b"\xff\xfe", b'{"token": 1}'])
def test_a_damaged_remote_record_of_batches_is_one_line(damage, service, pictures, bucket, machine):
    folder, output = pictures(1), f"{bucket.url}/out.jsonl"
    machine("a")
    assert service.submit(folder, output).returncode == 0
    bucket.write("_out.jsonl.cutline/batches.json", damage)
    machine("b")
    done = collect(output)
    assert done.returncode == 2
    (line,) = done.stderr.strip().splitlines()
    assert f"{bucket.url}/_out.jsonl.cutline/batches.json is damaged" in line
