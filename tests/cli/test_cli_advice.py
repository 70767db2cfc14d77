"""What a message tells the user to do is accepted, and mends the fault."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from PIL import Image

from processes import cutline_here
from server_process import Server

RETRY = "run again with --retry-failed"
CHANGED = "with that and --on-change redo-failed"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Case:
    """A fault of some or all pictures, what the message says, and the options that it names."""

    fault: dict[str, float]
    options: tuple[str, ...] = ()
    says: tuple[str, ...]
    cure: tuple[str, ...]
    without: tuple[str, ...] = ()


CASES = {
    "another time": Case(fault={"500": 0.4}, says=(RETRY,), cure=("--retry-failed",)),
    "too large": Case(
        fault={"413": 0.4},
        says=("lower --max-side", CHANGED),
        cure=("--max-side", "64", "--on-change", "redo-failed"),
    ),
    "only reasoned": Case(
        fault={"reasoning": 0.4},
        says=("raise --max-tokens", CHANGED),
        cure=("--max-tokens", "2000", "--on-change", "redo-failed"),
    ),
    "cut": Case(
        fault={"length": 0.4},
        says=("a larger --max-tokens and --on-change redo-failed",),
        cure=("--max-tokens", "2000", "--on-change", "redo-failed"),
    ),
    "cut, and kept": Case(
        fault={"length": 0.4}, says=("--truncated sentence",), cure=("--truncated", "sentence")
    ),
    "refused by the model": Case(fault={"refusal": 0.4}, says=(RETRY,), cure=("--retry-failed",)),
    "malformed": Case(fault={"malformed": 0.4}, says=(RETRY,), cure=("--retry-failed",)),
    "all too large": Case(fault={"413": 1.0}, says=("lower --max-side",), cure=("--max-side", "64")),
    "no credit": Case(fault={"quota": 1.0}, says=("add credit, then run the same command",), cure=()),
    "a token budget": Case(
        fault={},
        options=("--budget-tokens", "200", "--max-concurrent-requests", "1"),
        says=("raise it and run the same command",),
        cure=("--budget-tokens", "20000"),
        without=("--budget-tokens", "200"),
    ),
}


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    for number in range(8):
        Image.new("RGB", (200, 100), (30 * number, 90, 20)).save(folder / f"{number}.png")
    return folder


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_the_advice_mends_the_fault(case: Case, endpoint: Server, photos: Path, tmp_path: Path) -> None:
    usual = ("caption", photos, tmp_path / "o.jsonl", "--model", "m", "--endpoint", endpoint.url)
    usual = (*usual, "--max-retries", "0", "--prompt", "Say.")
    endpoint.post("/configure", {"fault": case.fault, "seed": 3})
    failed = cutline_here(*usual, *case.options)
    assert failed.returncode in {1, 3}, failed.stderr
    said = " ".join(failed.stderr.split())
    assert [words for words in case.says if words not in said] == [], said
    endpoint.post("/configure", {"fault": {}})
    options = () if case.without else case.options
    mended = cutline_here(*usual, *options, *case.cure)
    assert mended.returncode == 0, mended.stderr
    assert len((tmp_path / "o.jsonl").read_text().splitlines()) == 8


def test_a_changed_option_with_retry_failed_names_what_works(
    endpoint: Server, photos: Path, tmp_path: Path
) -> None:
    usual = ("caption", photos, tmp_path / "o.jsonl", "--model", "m", "--endpoint", endpoint.url)
    endpoint.post("/configure", {"fault": {"400": 0.4}, "seed": 3})
    assert cutline_here(*usual, "--max-retries", "0").returncode == 1
    endpoint.post("/configure", {"fault": {}})
    refused = cutline_here(*usual, "--temperature", "0.5", "--retry-failed")
    assert refused.returncode == 2
    assert "run again with --on-change redo-failed" in refused.stderr
    assert cutline_here(*usual, "--temperature", "0.5", "--on-change", "redo-failed").returncode == 0


def test_existing_captions_that_are_skipped(photos: Path, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    Image.new("RGB", (20, 20)).save(folder / "a.png")
    (folder / "a.txt").write_text("Mine.")
    command = ("caption", folder, "--output-format", "sidecar", "--model", "fake")
    skipped = cutline_here(*command)
    assert "--existing overwrite, append or prepend" in skipped.stderr
    assert cutline_here(*command, "--existing", "append").returncode == 0
    assert (folder / "a.txt").read_text().startswith("Mine.")
    assert len((folder / "a.txt").read_text()) > len("Mine.")


def test_the_key_of_a_service_is_named_as_each_command_has_it(photos: Path, monkeypatch, tmp_path) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    ran = cutline_here("caption", photos, tmp_path / "o.jsonl", "--model", "openai:x")
    assert ran.returncode == 2
    assert "set OPENAI_API_KEY, or pass --api-key (--model-key of cutline serve)" in ran.stderr
