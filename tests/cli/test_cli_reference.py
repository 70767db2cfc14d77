"""The options of older captioning scripts keep their names and meanings."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest
from program import COLOURS, Run, rows

from server_process import Server

NANO = "nvidia/llama-3.1-nemotron-nano-vl-8b-v1"
KEY = "nvapi-0123456789abcdef"


@pytest.fixture
def cutline(here: Run) -> Run:
    return here


def texts(body: dict) -> list[str]:
    return [part["text"] for part in body["messages"][-1]["content"] if part["type"] == "text"]


def names_in(shard: Path) -> list[str]:
    with tarfile.open(shard) as tar:
        return tar.getnames()


def test_local_images_with_the_hosted_api(
    cutline: Run, pictures: Path, endpoint: Server, tmp_path: Path
) -> None:
    question = "Provide a detailed description of this image, including objects, people, and scene context."
    ran = cutline(
        *("--input-path", str(pictures), "--source-type", "local"),
        *("--output-path", str(tmp_path / "captions.json"), "--use-ngc", "--model-name", NANO),
        *("--prompt", question, "--enable-async", "--max-concurrent-requests", "8", "--verbose"),
        *("--endpoint", endpoint.url),
        NVIDIA_API_KEY=KEY,
    )
    assert ran.code == 0, ran.err
    assert endpoint.last["model"] == NANO
    assert texts(endpoint.last) == [question]
    assert endpoint.last_headers["Authorization"] == f"Bearer {KEY}"
    written = rows(tmp_path / "captions.json")
    assert [row["image_id"] for row in written] == sorted(f"{colour}.jpg" for colour in COLOURS)
    for row in written:
        assert Path(row["image_path"]).samefile(pictures / row["image_id"])
        assert row["caption"].startswith("A test caption of picture")
        assert row["metadata"]["caption"] == row["caption"]
    assert len({row["caption"] for row in written}) == 5


def test_url_list_to_shards_with_a_local_server(
    cutline: Run, pictures: Path, endpoint: Server, scripted: Server, tmp_path: Path
) -> None:
    names = sorted(path.name for path in pictures.iterdir())
    urls = tmp_path / "image_urls.txt"
    urls.write_text("".join(f"{scripted.root}/pictures/{name}\n" for name in names))
    ran = cutline(
        *("--input-path", str(urls), "--source-type", "urls"),
        *("--output-path", str(tmp_path / "captioned_dataset"), "--output-format", "webdataset"),
        *("--nim-endpoint", endpoint.url, "--image-limit", "4", "--samples-per-shard", "3"),
        *("--enable-async", "--allow-private-urls"),
    )
    assert ran.code == 0, ran.err
    assert "Authorization" not in endpoint.last_headers
    assert endpoint.last["model"] == NANO
    shards = sorted((tmp_path / "captioned_dataset").glob("*.tar"))
    assert [sum(name.endswith(".txt") for name in names_in(shard)) for shard in shards] == [3, 1]
    with tarfile.open(shards[0]) as tar:
        first = next(name for name in tar.getnames() if name.endswith(".jpg"))
        image = tar.extractfile(first)
        assert image is not None
        assert image.read() == (pictures / names[0]).read_bytes()


def test_webdataset_with_another_model(cutline: Run, pictures: Path, tmp_path: Path) -> None:
    folder = tmp_path / "input_webdataset"
    folder.mkdir()
    with tarfile.open(folder / "00000.tar", "w") as tar:
        for number, path in enumerate(sorted(pictures.iterdir())):
            member = tarfile.TarInfo(f"{number:04d}.jpg")
            member.size = path.stat().st_size
            tar.addfile(member, io.BytesIO(path.read_bytes()))
    with Server("nvidia.py") as nvidia:  # this model is asked in NVIDIA's own dialect
        nvidia.post("/configure", {"key": KEY})
        ran = cutline(
            *("--input-path", str(folder), "--source-type", "webdataset"),
            *("--output-path", str(tmp_path / "captions.json"), "--use-ngc", "--api-key", KEY),
            *("--model-name", "nvidia/vila", "--reader-batch-size", "2", "--max-tokens", "100"),
            *("--temperature", "0.5", "--endpoint", nvidia.url),
        )
        assert ran.code == 0, ran.err
        body, headers = nvidia.last, nvidia.last_headers
    assert len(rows(tmp_path / "captions.json")) == 5
    assert (body["model"], body["max_tokens"], body["temperature"]) == ("nvidia/vila", 100, 0.5)
    assert headers["Authorization"] == f"Bearer {KEY}"


def test_what_is_sent_when_nothing_is_said(
    cutline: Run, pictures: Path, endpoint: Server, tmp_path: Path
) -> None:
    ran = cutline("--input-path", str(pictures), "--nim-endpoint", endpoint.url, "--image-limit", "1")
    assert ran.code == 0, ran.err
    body = endpoint.last
    assert body.keys() == {"model", "messages", "max_tokens", "stream"}
    assert (body["model"], body["max_tokens"], body["stream"]) == (NANO, 512, False)
    assert texts(body) == ["Describe this image in detail."]
    assert len(rows(tmp_path / "captions.jsonl")) == 1
    assert "crimson.jpg" in ran.out, "without an output path the first rows are shown"


def test_the_hosted_api_needs_a_key(cutline: Run, pictures: Path, tmp_path: Path) -> None:
    ran = cutline("--input-path", str(pictures), "--output-path", "captions.json", "--use-ngc")
    assert ran.code == 2
    assert ran.err.count("\n") == 1
    assert "NVIDIA_API_KEY" in ran.err
    assert list(tmp_path.iterdir()) == []


def test_most_shards_is_a_true_maximum(
    cutline: Run, pictures: Path, endpoint: Server, tmp_path: Path
) -> None:
    before = endpoint.get("/stats")["requests"]
    ran = cutline(
        *("--input-path", str(pictures), "--output-path", "shards", "--output-format", "webdataset"),
        *("--nim-endpoint", endpoint.url, "--samples-per-shard", "2", "--max-shards", "2"),
    )
    assert ran.code == 0, ran.err
    shards = list((tmp_path / "shards").glob("*.tar"))
    assert len(shards) == 2
    assert endpoint.get("/stats")["requests"] - before == 4, "pictures beyond the last shard are not asked"


def test_time_limit_of_a_request(cutline: Run, pictures: Path, endpoint: Server, tmp_path: Path) -> None:
    endpoint.post("/configure", {"fault": {"hang": 1}})
    ran = cutline(
        *("--input-path", str(pictures), "--output-path", "out.jsonl", "--image-limit", "2"),
        *("--nim-endpoint", endpoint.url, "--timeout", "0.4", "--max-retries", "0"),
    )
    assert ran.code == 1
    failures = rows(tmp_path / "out.jsonl.failures.jsonl")
    assert [(row["kind"], row["attempts"]) for row in failures] == [("timeout", 1)] * 2


def test_retries_and_their_delay(cutline: Run, pictures: Path, endpoint: Server, tmp_path: Path) -> None:
    endpoint.post("/configure", {"fault": {"500": 1}})
    before = endpoint.get("/stats")["requests"]
    ran = cutline(
        *("--input-path", str(pictures), "--output-path", "out.jsonl", "--image-limit", "2"),
        *("--nim-endpoint", endpoint.url, "--max-retries", "3", "--retry-delay", "0.01"),
    )
    assert ran.code == 1
    assert endpoint.get("/stats")["requests"] - before == 2 * 4
    assert [row["attempts"] for row in rows(tmp_path / "out.jsonl.failures.jsonl")] == [4, 4]


def test_requests_at_once(cutline: Run, pictures: Path) -> None:
    """One after the other, as many as was said, or as many as there are pictures."""
    with Server("endpoint.py", "--latency", "0.15") as server:
        seen = []
        for number, option in enumerate(
            (["--no-enable-async"], ["--max-concurrent-requests", "3"], ["--enable-async"])
        ):
            ran = cutline("caption", str(pictures), f"{number}.jsonl", "--nim-endpoint", server.url, *option)
            assert ran.code == 0, ran.err
            seen.append(server.get("/stats")["most_in_flight"])
    assert seen == [1, 3, 5]


def test_not_looking_into_folders_within(
    cutline: Run, endpoint: Server, pictures: Path, tmp_path: Path
) -> None:
    within = tmp_path / "photos" / "within"
    within.mkdir(parents=True)
    (tmp_path / "photos" / "a.jpg").write_bytes((pictures / "gold.jpg").read_bytes())
    (within / "b.jpg").write_bytes((pictures / "orchid.jpg").read_bytes())
    for option, keys in (("--no-recursive", ["a.jpg"]), ("--recursive", ["a.jpg", "within/b.jpg"])):
        ran = cutline("caption", "photos", f"out{option}.jsonl", option, "--nim-endpoint", endpoint.url)
        assert ran.code == 0, ran.err
        assert [row["image_id"] for row in rows(tmp_path / f"out{option}.jsonl")] == keys
