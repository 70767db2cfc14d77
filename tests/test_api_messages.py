"""Errors of calls in Python: keyword arguments in place of options, and names in place of functions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import cutline
from cutline.errors import ConfigError, EndpointUnusable

PRIVATE = "http://127.0.0.1:9/a.png"


def caption_of(image: object) -> str:
    return "a caption"


async def later(image: object) -> str:
    return "a caption"


@pytest.mark.parametrize("model", [caption_of, later, lambda image: "x", dict, object()])
def test_a_function_as_the_model_is_refused_with_the_way_to_register_it(model: object) -> None:
    for call in (
        lambda: cutline.caption([b"1"], model=model),
        lambda: cutline.caption(b"1", model=model),
        lambda: cutline.load(model),
    ):
        with pytest.raises(ConfigError, match=r"@cutline\.register_model.*def infer.*model='mine'") as caught:
            call()
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("form", [caption_of, [later], ["words", caption_of], (cutline.Check,)])
@pytest.mark.parametrize("name", ["check", "filter"])
def test_a_function_as_a_check_is_refused_with_the_way_to_register_it(name: str, form: object) -> None:
    with pytest.raises(ConfigError, match=rf"register_stage.*async def {name}.*{name}='mine'"):
        cutline.caption([b"1"], model="fake", **{name: form})


def test_a_function_that_is_decorated_as_a_class_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"must decorate a class.*class Mine.*def infer"):
        cutline.register_model("mine")(caption_of)  # type: ignore[type-var]
    with pytest.raises(ConfigError, match=r"must decorate a class.*class Mine\(cutline\.Filter\)"):
        cutline.register_stage(caption_of)  # type: ignore[type-var]


def test_errors_name_keyword_arguments(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"1")
    out = tmp_path / "out.jsonl"
    cutline.caption(tmp_path, out, model="fake", prompt="short")
    cases = {
        r"on_change='": lambda: cutline.caption(tmp_path, out, model="fake", prompt="detailed"),
        r"endpoint=URL.*plugin=FILE": lambda: cutline.caption([b"1"], model="endpoint:x"),
        r"bleu needs references": lambda: cutline.evaluate(out, metrics="bleu"),
        r"support start=True": lambda: cutline.load("pixels", start=True),
    }
    for words, call in cases.items():
        with pytest.raises(ConfigError, match=words) as caught:
            call()
        assert " --" not in str(caught.value)


async def test_failures_name_keyword_arguments(tmp_path: Path) -> None:
    messages = [(await cutline.acaption(PRIVATE, model="fake")).error]
    for output in (None, tmp_path / "out.jsonl"):
        captions = await cutline.acaption([PRIVATE], output, model="fake")
        messages += [one["message"] for one in captions.failures]
    async with cutline.aload("fake") as model:
        messages.append((await model.acaption(PRIVATE)).error)
        messages += [one.error async for one in model.amap([PRIVATE])]
    assert len(messages) == 5
    assert all(message.endswith("allow_private_urls=True permits it") for message in messages)


def test_commands_in_errors_stay_as_they_are() -> None:
    with pytest.raises(ConfigError, match="`cutline models` lists all"):
        cutline.caption([b"1"], model="endpoint:x")


def test_reports_name_keyword_arguments(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    Image.new("RGB", (16, 12)).save(photos / "1.png")
    (photos / "1.txt").write_bytes("Привет, кот спит под деревом весь день.".encode("cp1251"))
    (photos / ".hidden.png").write_bytes((photos / "1.png").read_bytes())
    (photos / "x").mkdir()
    (photos / "x" / "draft_mask.png").write_bytes((photos / "1.png").read_bytes())
    report = cutline.caption(photos, tmp_path / "o.jsonl", model="fake", exclude="*_mask.png").report
    assert "(name another with text_encoding=)" in report.warnings[0]
    told = " ".join(map(str, report.left_over))
    assert "exclude='none' leaves out nothing" in told
    assert "--" not in told

    failed = cutline.caption([PRIVATE], tmp_path / "failed.jsonl", model="fake").report
    messages = [failed.failed[0]["message"], *(cause.message for cause in failed.causes["blocked-address"])]
    assert all(message.endswith("allow_private_urls=True permits it") for message in messages)

    @cutline.register_model("uncounted")
    class Uncounted:
        def infer(self, prompt: object, image: object, image_name: str) -> str:
            return "a caption"

    for number in range(16):
        Image.new("RGB", (16, 12), (number, 0, 0)).save(photos / f"{number}.png")
    stopped = str(cutline.caption(photos, model="uncounted", budget_tokens=9).report.stopped)
    assert "so budget_tokens cannot be kept" in stopped
    assert "image_limit=" in stopped
    assert "--" not in stopped


async def test_messages_name_calls_in_place_of_commands(new_endpoint: Any, tmp_path: Path) -> None:
    Image.new("RGB", (16, 12)).save(tmp_path / "a.png")
    broke = new_endpoint(fault={"quota": 1})
    options = {"model": "endpoint:m", "endpoint": broke.url}
    captions = await cutline.acaption(tmp_path, tmp_path / "o.jsonl", **options)
    messages = [str(captions.report.stopped)]
    assert repr(captions) == "<0 captions, 0 failures, by endpoint:m, stopped>"
    with pytest.raises(EndpointUnusable) as caught:
        await cutline.acaption(tmp_path / "a.png", **options)
    messages.append(str(caught.value))
    for message in messages:
        assert message.endswith("add credit or raise its limit, then make the same call again")
