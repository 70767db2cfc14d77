"""A server of the S3 protocol, buckets of it, and machines that share only these."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading

import pytest

_KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}


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
    for name, value in {**_KEYS, "AWS_ENDPOINT_URL": storage}.items():
        monkeypatch.setenv(name, value)
    import boto3

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
