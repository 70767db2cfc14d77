"""Batches of a remote output: sent from one machine, collected from another."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading

import pytest
from batching import collect
from PIL import Image

from processes import cutline_here, start_cutline

pytest.importorskip("s3fs")
boto3 = pytest.importorskip("boto3")
pytest.importorskip("moto.server")

KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}


@pytest.fixture(scope="module")
def storage():
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        found = next(filter(None, (re.search(r"http://127\.0\.0\.1:\d+", line) for line in process.stderr)))
        threading.Thread(target=process.stderr.read, daemon=True).start()  # or the pipe fills up
        yield found[0]
        process.kill()


@pytest.fixture
def bucket(storage, monkeypatch):
    for name, value in {**KEYS, "AWS_ENDPOINT_URL": storage}.items():
        monkeypatch.setenv(name, value)
    client = boto3.client("s3")
    name = f"bucket-{os.urandom(4).hex()}"
    client.create_bucket(Bucket=name)
    yield Bucket(client, name)
    client.close()


class Bucket:
    def __init__(self, client, name):
        self._client, self._name = client, name
        self.url = f"s3://{name}"

    def read(self, key):
        return self._client.get_object(Bucket=self._name, Key=key)["Body"].read()

    def write(self, key, data):
        self._client.put_object(Bucket=self._name, Key=key, Body=data)

    def names(self):
        return [each["Key"] for each in self._client.list_objects_v2(Bucket=self._name).get("Contents", [])]


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Goes to another machine: a home and a working folder of its own."""

    def go(name):
        for folder in ("home", "work"):
            (tmp_path / name / folder).mkdir(parents=True, exist_ok=True)
        for variable in ("HOME", "XDG_STATE_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME"):
            monkeypatch.setenv(variable, str(tmp_path / name / "home"))
        monkeypatch.chdir(tmp_path / name / "work")

    return go


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
