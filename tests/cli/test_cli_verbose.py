"""``--verbose`` tells what happens to every picture and request."""

from __future__ import annotations

import re
from pathlib import Path

from program import COLOURS, Run

from server_process import Server


def events(text: str) -> list[str]:
    """The log's lines without their times."""
    return re.findall(r"^\d\d:\d\d:\d\d (?:DEBUG|INFO) (.*)$", text, re.MULTILINE)


def test_requests_and_pictures(cutline: Run, pictures: Path, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for colour in COLOURS:
        (photos / f"{colour}.jpg").write_bytes((pictures / f"{colour}.jpg").read_bytes())
    (photos / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 and nothing else")
    (photos / "gold.txt").write_text("Gold.")
    with Server("endpoint.py", "--fault", "500=1") as server:
        command = ["caption", "photos", "--output-format", "sidecar", "--nim-endpoint", server.url]
        command += ["--max-retries", "1", "--retry-delay", "0.01", "--verbose"]
        first = cutline(*command)
        server.post("/configure", {"fault": {}})
        second = cutline(*command, "--retry-failed")
    assert (first.code, second.code) == (1, 1), "one picture is broken for good"
    said = events(first.err)
    assert sum(line.startswith("retry model=nim:") and "answered 500" in line for line in said) == 4
    assert sum(line.startswith("gave-up model=nim:") and "attempts=2" in line for line in said) == 4
    failed = {line.split()[1] for line in said if line.startswith("failed key=") and "attempts=2" in line}
    assert failed == {f"key={colour}.jpg" for colour in COLOURS if colour != "gold"}
    assert any(line.startswith("failed key=broken.jpg kind=decode") for line in said)
    assert "skipped key=gold.jpg reason=captioned already" in said
    captioned = [line for line in events(second.err) if line.startswith("captioned key=")]
    assert len(captioned) == 4
    assert all("tokens=120 seconds=0." in line for line in captioned)


def test_refusals_and_their_waits(cutline: Run, pictures: Path) -> None:
    with Server("endpoint.py", "--fault", "429=0.5", "--retry-after", "0.3") as server:
        ran = cutline("caption", str(pictures), "out.jsonl", "--nim-endpoint", server.url, "-v")
    assert ran.code == 0, ran.err
    said = "\n".join(events(ran.err))
    assert re.search(r"^retry .* wait=0\.3s cause=\S+ answered 429", said, re.MULTILINE)
    assert re.search(r"^slowed by 429: \d+ times?", ran.err, re.MULTILINE)


def test_nothing_of_it_without(cutline: Run, pictures: Path, endpoint: Server) -> None:
    endpoint.post("/configure", {"fault": {"500": 1}})
    command = ["caption", str(pictures), "out.jsonl", "--nim-endpoint", endpoint.url, "--max-retries", "0"]
    ran = cutline(*command)
    assert ran.code == 1
    assert events(ran.err) == []
    quiet = cutline(*command, "--quiet", "--retry-failed")
    assert (quiet.code, quiet.out, events(quiet.err)) == (1, "", [])
