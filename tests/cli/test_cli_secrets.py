"""A key is never written down: not in what is said, not in what is kept."""

from __future__ import annotations

from pathlib import Path

import pytest
from program import Run

from server_process import Server

KEY = "sk-proj-SECRET0123456789"


def assert_unseen(folder: Path, *said: str, secret: str = KEY) -> None:
    for text in said:
        assert secret not in text
    for path in folder.rglob("*"):
        if path.is_file():
            assert secret.encode() not in path.read_bytes(), path


@pytest.mark.parametrize("way", ["option", "environment"])
def test_key_in_a_run_with_all_kinds_of_trouble(
    cutline: Run, pictures: Path, endpoint: Server, tmp_path: Path, way: str
) -> None:
    option = ["--api-key", KEY] if way == "option" else []
    environment = {} if way == "option" else {"OPENAI_API_KEY": KEY}
    model = ["--model", "openai:m", "--endpoint", endpoint.url, *option]
    command = ["caption", str(pictures), "out.parquet", *model, "--verbose"]
    command += ["--max-retries", "1", "--retry-delay", "0.01", "--include-raw"]

    endpoint.post("/configure", {"key": "another"})  # its refusal repeats the key it was given
    refused = cutline(*command, **environment)
    assert refused.code == 3
    assert "…" in refused.err
    endpoint.post("/configure", {"key": KEY, "fault": {"500": 0.4, "400": 0.3, "cut": 0.2}})
    troubled = cutline(*command, **environment)
    assert troubled.code == 1
    assert "retry" in troubled.err
    endpoint.post("/configure", {"key": KEY, "fault": {}})
    fine = cutline(*command, "--retry-failed", **environment)
    assert fine.code == 0, fine.err
    saved = cutline("caption", str(pictures), *model, "--save-job", "job.toml", **environment)
    assert saved.code == 0, saved.err
    said = [text for ran in (refused, troubled, fine, saved) for text in (ran.out, ran.err)]
    assert_unseen(tmp_path, *said)
    assert {"journal.jsonl", "report.json"} <= {path.name for path in tmp_path.rglob("*")}


def test_password_within_a_url(cutline: Run, pictures: Path, endpoint: Server, tmp_path: Path) -> None:
    endpoint.post("/configure", {"fault": {"500": 1}})
    url = endpoint.url.replace("://", "://user:SECRETWORD@")
    model = ["--model", "m", "--endpoint", url]
    ran = cutline(
        *("caption", str(pictures), "out.jsonl", *model, "--max-retries", "0", "--verbose"),
    )
    assert ran.code == 1
    assert endpoint.last_headers["Authorization"].startswith("Basic ")
    saved = cutline("caption", str(pictures), *model, "--save-job", "job.toml")
    assert saved.code == 2
    assert "--api-key" in saved.err
    assert_unseen(tmp_path, ran.out, ran.err, saved.err, secret="SECRETWORD")


def test_keys_of_others_are_not_sent(cutline: Run, pictures: Path, endpoint: Server) -> None:
    """An endpoint that is named by its URL alone gets no service's key from the environment."""
    command = ["caption", str(pictures), "--preview", "1", "--model", "m", "--endpoint", endpoint.url]
    keys = dict.fromkeys(("OPENAI_API_KEY", "NVIDIA_API_KEY", "HF_TOKEN"), KEY)
    assert cutline(*command, **keys).code == 0
    assert "Authorization" not in endpoint.last_headers
    assert cutline(*command, CUTLINE_API_KEY=KEY).code == 0
    assert endpoint.last_headers["Authorization"] == f"Bearer {KEY}"
