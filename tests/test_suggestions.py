"""A misspelt name is answered with the one that was probably meant, wherever names are given."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import cutline
from cutline.errors import ConfigError


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    Image.new("RGB", (32, 32), "teal").save(path)
    return path


def _chain(photo: Path, text: str) -> Any:
    file = photo.with_name("chain.toml")
    file.write_text(text)
    return cutline.caption(photo, chain=str(file))


def _picture(photo: Path) -> Any:
    with cutline.load("fake") as model:
        return model.caption(photo, max_token=9)  # type: ignore[call-arg]


STEP = '[[step]]\nname = "one"\nmodel = "fake"\n'

CALLS: dict[str, tuple[Callable[[Path], Any], str]] = {
    "caption": (lambda photo: cutline.caption(photo, temprature=0.1), "temperature"),
    "load": (lambda _: cutline.load("fake", max_tokns=9), "max_tokens"),
    "compare": (lambda photo: cutline.compare(photo, ["fake", "pixels"], max_sied=64), "max_side"),
    "batch_submit": (
        lambda photo: cutline.batch_submit(photo.parent, "out.jsonl", model="openai:x", endpont="http://x"),
        "endpoint",
    ),
    "a picture": (_picture, "max_tokens"),
    "a job's setting": (
        lambda photo: cutline.Job.from_dict({"input_path": str(photo), "model": {"modle": "fake"}}),
        "model",
    ),
    "a job's group": (
        lambda photo: cutline.Job.from_dict({"input_path": str(photo), "picture": {"max_side": 3}}),
        "pictures",
    ),
    "a chain's table": (lambda photo: _chain(photo, f'captoin = "one"\n{STEP}'), "caption"),
    "a step's setting": (lambda photo: _chain(photo, f"{STEP}languge = 'German'\n"), "language"),
    "a check": (lambda photo: cutline.caption(photo, check="wrods=3"), "words"),
    "a check's option": (lambda photo: cutline.caption(photo, check="words:rnage=3"), "range"),
    "a filter": (lambda photo: cutline.caption(photo, filter="sise=3"), "size"),
    "a source": (lambda photo: cutline.caption(photo, source_type="webdatset"), "webdataset"),
    "a format": (
        lambda photo: cutline.caption([photo], photo.with_name("o"), output_format="parqet"),
        "parquet",
    ),
    "a provider": (lambda photo: cutline.caption(photo, model="opneai:gpt"), "openai"),
    "a model's setting": (lambda photo: cutline.caption(photo, model="fake:latncy=1"), "latency"),
    "pixels": (lambda photo: cutline.caption(photo, model="pixels:no_ocr"), "no-ocr"),
    "interrogator": (lambda photo: cutline.caption(photo, model="interrogator:clasic"), "classic"),
    "parameters": (
        lambda photo: cutline.caption(photo, model="nim", parameters="temprature=1"),
        "temperature",
    ),
    "a prompt": (lambda photo: cutline.caption(photo, prompt="detialed"), "detailed"),
}


@pytest.mark.parametrize("case", CALLS)
def test_a_misspelt_name_gets_the_meant_one(case: str, photo: Path) -> None:
    call, meant = CALLS[case]
    with pytest.raises(ConfigError) as caught:
        call(photo)
    assert f"did you mean {meant}?" in str(caught.value).replace("'", "")
