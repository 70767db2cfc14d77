"""Captioning from Python."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import dataclasses
import io
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
from PIL import Image

import cutline
from cutline.api import CallOptions
from cutline.engine.progress import Progress
from cutline.errors import ConfigError, SinkError
from cutline.job import OPTION_GROUPS
from processes import DEFAULTS
from server_process import Server

COLOURS = ("crimson", "gold", "navy")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for colour in COLOURS:
        Image.new("RGB", (32, 24), colour).save(folder / f"{colour}.png")
    return folder


@pytest.fixture
def endpoint(servers: Callable[..., Server]) -> Server:
    server = servers("endpoint.py")
    server.post("/configure", DEFAULTS)
    return server


def test_a_folder_without_output_gives_rows(photos: Path, endpoint: Server) -> None:
    captions = cutline.caption(photos, model="m", endpoint=endpoint.url, prompt="What?", max_tokens=9)
    assert len(captions) == 3
    assert captions.to_dict().keys() == {f"{colour}.png" for colour in COLOURS}
    rows = list(captions)
    assert [row["image_id"] for row in rows] == sorted(captions.to_dict())
    assert rows == list(captions), "may be gone through again"
    assert (rows[0]["model"], rows[0]["completion_tokens"]) == ("test-model-2026", 20)
    assert captions.failures == []
    assert endpoint.last["max_tokens"] == 9
    assert endpoint.last["messages"][0]["content"][1]["text"] == "What?"


@pytest.mark.parametrize("name", ["out.jsonl", "out.json", "out.csv", "out.parquet"])
def test_an_output_is_resumable_and_read_back(photos: Path, tmp_path: Path, name: str) -> None:
    first = cutline.caption(photos, tmp_path / name, model="fake")
    again = cutline.caption(str(photos), str(tmp_path / name), model="fake")
    assert (first.report.fresh.total, again.report.fresh.total) == (3, 0)
    assert first.to_dict() == again.to_dict()
    assert len(set(again.to_dict().values())) == 3


def test_shards_have_rows_too_and_sidecars_have_not(photos: Path, tmp_path: Path) -> None:
    shards = cutline.caption(
        photos, tmp_path / "shards", model="fake", output_format="webdataset", samples_per_shard=2
    )
    assert len(shards) == 3
    assert shards.to_dict() == cutline.caption(photos, model="fake").to_dict()
    beside = cutline.caption(photos, photos, model="fake", output_format="sidecar")
    assert len(beside) == len(list(photos.glob("*.txt"))) == 3
    with pytest.raises(ConfigError, match=r"a\.jsonl"):
        beside.to_dict()


def test_a_list_of_whatever_there_is(photos: Path) -> None:
    path = photos / "gold.png"
    with Image.open(path) as image:
        image.load()
        palette = image.convert("P")
        items = [path, str(path), path.read_bytes(), bytearray(path.read_bytes()), image, palette]
        captions = cutline.caption(items, model="fake")
    rows = list(captions)
    assert [row["image_id"] for row in rows[2:]] == [f"picture-{number}" for number in (3, 4, 5, 6)]
    assert rows[0]["image_id"] == path.as_posix()
    assert len({row["image_id"] for row in rows}) == 6
    assert len({row["caption"] for row in rows[:4]}) == 1


def test_pillow_images_of_every_mode(endpoint: Server) -> None:
    modes = ("1", "L", "LA", "P", "RGBA", "CMYK", "I;16", "I", "F", "YCbCr", "HSV", "LAB")
    images = [Image.new(mode, (16, 16)) for mode in modes]
    captions = cutline.caption(images, model="m", endpoint=endpoint.url, max_side=8)
    assert captions.failures == []
    assert len(captions) == len(modes)


def test_an_image_that_lies_on_its_side(endpoint: Server, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (64, 32), "gold").save(tmp_path / "a.jpg", exif=exif)
    with Image.open(tmp_path / "a.jpg") as lying:
        cutline.caption([lying], model="m", endpoint=endpoint.url)
    url = endpoint.last["messages"][0]["content"][0]["image_url"]["url"]
    with Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))) as sent:
        assert sent.size == (32, 64)
        assert sent.getexif().get(0x0112, 1) == 1


def test_what_cannot_be_captioned(photos: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="does not exist"):
        cutline.caption(photos / "no", model="fake")
    with pytest.raises(ConfigError, match="paths or URLs"):
        cutline.caption([b"bytes"], tmp_path / "out.jsonl", model="fake")
    with pytest.raises(ConfigError, match="no option 'workers', did you mean max_concurrent_requests"):
        cutline.caption(photos, workers=4)  # type: ignore[call-arg]
    with pytest.raises(ConfigError, match="no option 'force', did you mean existing='overwrite'"):
        cutline.caption(photos, force=True)  # type: ignore[call-arg]
    with pytest.raises(ConfigError, match=r"no option 'max_token'.*max_tokens"):
        cutline.caption(photos, model="fake", max_token=5)  # type: ignore[call-arg]
    with pytest.raises(ConfigError, match="max_tokens: input should be a valid integer"):
        cutline.caption(photos, model="fake", max_tokens="many")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="OPENAI_API_KEY"):
        cutline.caption(photos, model="openai:gpt-4o-mini")


def test_failures_are_values(photos: Path) -> None:
    captions = cutline.caption([photos / "gold.png", photos / "no.png"], model="fake")
    assert (len(captions), captions.report.exit_code) == (1, 1)
    (failure,) = captions.failures
    assert (failure["key"], failure["kind"]) == ((photos / "no.png").as_posix(), "missing")


def test_a_key_for_this_call_only(photos: Path, endpoint: Server) -> None:
    endpoint.post("/configure", {"key": "sk-SECRET"})
    captions = cutline.caption(photos, model="openai:m", endpoint=endpoint.url, api_key="sk-SECRET")
    assert len(captions) == 3
    assert "SECRET" not in repr(captions)
    stopped = cutline.caption(photos, model="openai:m", endpoint=endpoint.url, api_key="sk-WRONG")
    assert "SECRET" not in repr(stopped)
    assert stopped.report.stopped is not None
    assert "sk-WRONG" not in str(stopped.report.stopped)


async def test_within_a_running_loop(photos: Path) -> None:
    """As in a notebook, where a loop is already running: both forms work."""
    awaited = await cutline.acaption(photos, model="fake")
    called = cutline.caption(photos, model="fake")
    assert awaited.to_dict() == called.to_dict()
    several = await asyncio.gather(*(cutline.acaption([photos / f"{c}.png"], model="fake") for c in COLOURS))
    assert [len(captions) for captions in several] == [1, 1, 1]
    with pytest.raises(ConfigError):
        cutline.caption("nowhere", model="fake")


async def test_cancelling_leaves_nothing_behind(photos: Path, tmp_path: Path) -> None:
    task = asyncio.create_task(cutline.acaption(photos, tmp_path / "out.jsonl", model="fake:latency=30"))
    while not (tmp_path / "out.jsonl").exists():
        await asyncio.sleep(0.05)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert (tmp_path / "out.jsonl").read_bytes() == b""
    captions = await cutline.acaption(photos, tmp_path / "out.jsonl", model="fake", on_change="redo-all")
    assert len(captions) == 3


def test_a_notebook_shows_a_table(photos: Path) -> None:
    (photos / "<b>&.png").write_bytes((photos / "gold.png").read_bytes())
    html = cutline.caption(photos, model="fake")._repr_html_()
    assert "4 captions, 0 failures, by fake" in html
    assert html.count("<tr>") == 5
    assert "&lt;b&gt;&amp;.png" in html
    assert "<b>" not in html


def test_progress_goes_to_a_function(photos: Path, capfd: pytest.CaptureFixture[str]) -> None:
    seen: list[Progress] = []
    cutline.caption(photos, model="fake", progress=seen.append)
    assert seen[-1].done == seen[-1].captions == 3
    assert capfd.readouterr() == ("", "")


def test_an_output_that_cannot_be_written(photos: Path, tmp_path: Path) -> None:
    with pytest.raises((ConfigError, SinkError), match="nowhere"):
        cutline.caption(photos, "/proc/nowhere/out.jsonl", model="fake")


def test_every_option_has_its_type() -> None:
    """``CallOptions`` repeats the fields of the option groups, so that editors know them."""
    fields = {
        field.name: get_type_hints(group)[field.name]
        for group in OPTION_GROUPS.values()
        for field in dataclasses.fields(group)
    }
    del fields["model"], fields["prompt"]  # arguments of their own
    fields = {"steps" if name == "step" else name: hint for name, hint in fields.items()}
    fields |= {
        "steps": Mapping[str, str | Mapping[str, Any]] | Sequence[Mapping[str, Any]],
        "event": Sequence[str],
        **dict.fromkeys(("exclude", "header", "query"), Sequence[str]),
    }  # easier to write in Python
    fields["plugin"] = str | Path | Sequence[str | Path]
    fields |= {"check": str | Sequence[str], "filter": str | Sequence[str], "keep": str | Sequence[str]}
    fields["schema"] = str | Path | Mapping[str, Any] | None
    fields |= dict.fromkeys(("chain", "state", "prices", "image_root", "aesthetic_head"), str | Path | None)
    options = get_type_hints(CallOptions)
    assert options.keys() == fields.keys()
    for name, hint in fields.items():
        assert set(get_args(options[name])) == set(get_args(hint)), name
        assert options[name] == hint, name


USE = """
from pathlib import Path

import cutline

captions = cutline.caption("photos", "out.jsonl", model="openai:gpt-4o-mini", prompt="short", max_tokens=9)
for row in captions:
    print(row["image_id"])
texts: dict[str, str] = captions.to_dict()
seconds: float = captions.report.seconds
job: cutline.Job = cutline.Job(input_path="photos")
cutline.caption([Path("a.jpg"), b"..."], existing="append")


async def main() -> int:
    return len(await cutline.acaption("photos", progress=True, temperature=0.2))
"""
MISUSE = """
import cutline

cutline.caption("photos", max_tokens="many")
cutline.caption("photos", existing="replace")
cutline.caption("photos", max_token=5)
cutline.caption(7)
texts: list[str] = cutline.caption("photos").to_dict()
"""


def test_types_that_users_rely_on(tmp_path: Path) -> None:
    (tmp_path / "use.py").write_text(USE)
    (tmp_path / "misuse.py").write_text(MISUSE)
    project = Path(__file__).resolve().parents[1]
    # The settings and the cache of `make check`, which has read the package.
    settings = ("--config-file", project / "pyproject.toml", "--cache-dir", project / ".mypy_cache")
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", *settings, "use.py", "misuse.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    errors = [line for line in checked.stdout.splitlines() if ": error: " in line]
    # mypy reports an unknown option of an overloaded function twice.
    places = [list(place) for place in dict.fromkeys(tuple(line.split(":")[:2]) for line in errors)]
    assert places == [["misuse.py", str(number)] for number in (4, 5, 6, 7, 8)], checked.stdout
