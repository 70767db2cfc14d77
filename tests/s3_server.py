"""A server of the S3 protocol in a process of its own, and buckets of it."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}


@contextlib.contextmanager
def s3_server() -> Iterator[str]:
    """The address of an empty server."""
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        found = next(filter(None, (re.search(r"http://127\.0\.0\.1:\d+", line) for line in process.stderr)))
        threading.Thread(target=process.stderr.read, daemon=True).start()  # or the pipe fills up
        yield found[0]
        process.kill()


@contextlib.contextmanager
def new_bucket(address: str) -> Iterator[Bucket]:
    import boto3

    client = boto3.client(
        "s3",
        endpoint_url=address,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    name = f"bucket-{os.urandom(4).hex()}"
    client.create_bucket(Bucket=name)
    yield Bucket(client, name, {"AWS_ENDPOINT_URL": address, **KEYS})
    client.close()


class Bucket:
    """An empty bucket; ``environment`` lets a program reach it."""

    def __init__(self, client: Any, name: str, environment: dict[str, str]) -> None:
        self.client, self.name, self.environment = client, name, environment
        self.url = f"s3://{name}"

    def reached(self, monkeypatch: pytest.MonkeyPatch) -> Bucket:
        """This bucket, which the program of a test reaches within the test's own process."""
        for name, value in self.environment.items():
            monkeypatch.setenv(name, value)
        return self

    def read(self, key: str) -> bytes:
        body: bytes = self.client.get_object(Bucket=self.name, Key=key)["Body"].read()
        return body

    def write(self, key: str, data: bytes) -> None:
        self.client.put_object(Bucket=self.name, Key=key, Body=data)

    def remove(self, *keys: str) -> None:
        for key in keys:
            self.client.delete_object(Bucket=self.name, Key=key)

    def names(self) -> list[str]:
        listed = self.client.list_objects_v2(Bucket=self.name).get("Contents", [])
        return [entry["Key"] for entry in listed]
