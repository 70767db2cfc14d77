from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from job_surroundings import environment_of, fill

from processes import cutline, cutline_here
from server_process import Server

KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}


@pytest.fixture
def photos(tmp_path: Path) -> Callable[[int], Path]:
    """Makes a folder of pictures that are all different."""

    def make(count: int) -> Path:
        folder = tmp_path / "photos"
        fill(folder, count)
        return folder

    return make


@pytest.fixture
def job(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs a job as a container does: in a home of its own, with nothing in the environment but what is given."""

    def run(*arguments: object, home: str = "home", **told: object) -> subprocess.CompletedProcess[str]:
        return cutline("job", *arguments, cwd=tmp_path, env=environment_of(tmp_path / home, told))

    return run


@pytest.fixture
def job_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., subprocess.CompletedProcess[str]]:
    """As ``job``, within this process: for the many ways in which nothing begins."""

    def run(*arguments: object, **told: object) -> subprocess.CompletedProcess[str]:
        monkeypatch.chdir(tmp_path)
        for name, value in environment_of(tmp_path / "home", told).items():
            monkeypatch.setenv(name, value)
        return cutline_here("job", *arguments)

    return run


@pytest.fixture(scope="module")
def storage() -> Iterator[str]:
    """The address of a server that speaks S3's protocol."""
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        found = next(filter(None, (re.search(r"http://127\.0\.0\.1:\d+", line) for line in process.stderr)))
        threading.Thread(target=process.stderr.read, daemon=True).start()  # or the pipe fills up
        yield found[0]
        process.kill()


@pytest.fixture
def bucket(storage: str) -> Iterator[Bucket]:
    import boto3

    client = boto3.client(
        "s3",
        endpoint_url=storage,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    name = f"bucket-{os.urandom(4).hex()}"
    client.create_bucket(Bucket=name)
    yield Bucket(client, name, {"AWS_ENDPOINT_URL": storage, **KEYS})
    client.close()


class Bucket:
    """An empty bucket; ``environment`` lets a program reach it."""

    def __init__(self, client: Any, name: str, environment: dict[str, str]) -> None:
        self._client, self.name, self.environment = client, name, environment
        self.url = f"s3://{name}"

    def read(self, key: str) -> bytes:
        body: bytes = self._client.get_object(Bucket=self.name, Key=key)["Body"].read()
        return body

    def write(self, key: str, data: bytes) -> None:
        self._client.put_object(Bucket=self.name, Key=key, Body=data)

    def remove(self, *keys: str) -> None:
        for key in keys:
            self._client.delete_object(Bucket=self.name, Key=key)

    def names(self) -> list[str]:
        listed = self._client.list_objects_v2(Bucket=self.name).get("Contents", [])
        return [entry["Key"] for entry in listed]


@pytest.fixture
def served(photos: Callable[[int], Path]) -> Iterator[tuple[str, Path]]:
    """The address of five pictures in a server of another process, and their folder."""
    folder = photos(5)
    with Server("scripted.py", "--folder", str(folder)) as server:
        yield f"{server.root}/pictures", folder
