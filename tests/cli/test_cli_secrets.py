"""A key is never written down: not in what is said, not in what is kept."""

from __future__ import annotations

import random
import traceback
from pathlib import Path

import pytest
from PIL import Image
from program import Run

from cutline.captioners.pool import build_captioner
from cutline.captioners.spec import CaptionerOptions
from cutline.credentials import Secret
from cutline.errors import ConfigError, EndpointUnusable
from cutline.imaging import Picture
from cutline.locations.stored import InlineBytes
from cutline.prompts import Prompt
from server_process import Server

KEY = "sk-proj-SECRET0123456789"


def assert_unseen(folder: Path, *said: str, secret: str = KEY) -> None:
    for text in said:
        assert secret not in text
    for path in folder.rglob("*"):
        if path.is_file():
            assert secret.encode() not in path.read_bytes(), path


@pytest.mark.parametrize("way", ["option", "file", "environment"])
def test_key_in_a_run_with_all_kinds_of_trouble(
    cutline: Run,
    pictures: Path,
    endpoint: Server,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    way: str,
) -> None:
    file = tmp_path_factory.mktemp("kept") / "key"  # not among what the run writes
    file.write_text(KEY)
    options = {"option": ["--api-key", KEY], "file": ["--api-key-file", str(file)], "environment": []}
    option, environment = options[way], {"OPENAI_API_KEY": KEY} if way == "environment" else {}
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


def test_key_of_nvidia_with_uploads_and_later_answers(cutline: Run, tmp_path: Path) -> None:
    """Three hosts and a storage are spoken to; the storage gets no key, and its signed address stays unseen."""
    (tmp_path / "in").mkdir()
    noise = random.Random(1).randbytes(700 * 500 * 3)
    Image.frombytes("RGB", (700, 500), noise).save(tmp_path / "in" / "noise.png")
    with Server("nvidia.py") as nvidia:
        model = ["--model", "nvidia:microsoft/kosmos-2", "--endpoint", nvidia.url, "--large-images", "asset"]
        command = ["caption", "in", "out.parquet", *model, "-v", "--include-raw", "--retry-delay", "0.01"]
        said = []
        for settings, code in (
            ({"key": "nvapi-other"}, 3),  # whose refusal repeats the key that it got
            ({"key": KEY, "faults": [500, 429], "upload_status": 403, "polls": 1, "poll_faults": [503]}, 0),
        ):
            nvidia.post("/configure", settings)
            ran = cutline(*command, NVIDIA_API_KEY=KEY)
            assert ran.code == code, ran.err
            said += [ran.out, ran.err]
        assert "retry" in said[-1]
        state = nvidia.get("/state")
        assert (state["strangers"], state["kept"]) == (0, 0)
    assert_unseen(tmp_path, *said)
    assert_unseen(tmp_path, *said, secret="SIGNED")


async def test_a_key_is_in_no_traceback(endpoint: Server, pictures: Path) -> None:
    """Nor in the errors behind an error, which a program that uses cutline may log."""
    endpoint.post("/configure", {"key": "another"})
    captioner = build_captioner(
        "openai:m", CaptionerOptions(key=Secret(KEY), endpoint=endpoint.url, retries=0)
    )
    picture = Picture(InlineBytes((pictures / "gold.jpg").read_bytes(), "gold"))
    with pytest.raises(EndpointUnusable) as refused:
        await captioner.caption(picture, Prompt())
    await captioner.aclose()
    with pytest.raises(ConfigError) as unsendable:
        build_captioner("openai:m", CaptionerOptions(key=Secret(f"{KEY}\nX-Other: 1"), endpoint=endpoint.url))
    for error in (refused.value, unsendable.value):
        assert KEY not in "".join(traceback.format_exception(error))


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
