"""The interrogator from its settings to a caption, with whatever captioner it is given."""

from __future__ import annotations

import json

import pytest
from PIL import Image, ImageDraw

torch = pytest.importorskip("torch", reason="needs the extra local")
pytest.importorskip("transformers", reason="needs the extra local")

import cutline  # noqa: E402
from cutline.captioners.interrogator.captioner import Settings  # noqa: E402
from cutline.captioners.pool import build_captioner  # noqa: E402
from cutline.captioners.spec import CaptionerOptions  # noqa: E402
from cutline.cli import main  # noqa: E402
from cutline.errors import ConfigError  # noqa: E402
from tiny_clip import save_clip  # noqa: E402

LISTS = ("artists", "flavors", "mediums", "movements", "negative")


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return save_clip(tmp_path_factory.mktemp("clip"))


@pytest.fixture(scope="module")
def labels(tmp_path_factory):
    folder = tmp_path_factory.mktemp("labels")
    for name in LISTS:
        (folder / f"{name}.txt").write_text("\n".join(f"{name[:3]}{number}" for number in range(4)))
    (folder / "trendings.txt").write_text("seen on walls\nin books")
    return folder


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for number, colour in enumerate(("crimson", "seagreen", "gold")):
        image = Image.new("RGB", (64, 48), colour)
        ImageDraw.Draw(image).ellipse((4, 4, 20 + 8 * number, 40), fill="white")
        image.save(folder / f"{colour}.png")
    return folder


@pytest.fixture(autouse=True)
def _here(tmp_path, tmp_path_factory, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.mark.parametrize("mode", ["fast", "classic", "best"])
def test_the_words_stand_behind_the_other_captioners(photos, clip, labels, tmp_path, mode):
    model = f"interrogator:{mode},clip={clip},labels={labels},caption=fake:slots=2"
    assert main(["caption", "photos", "out.jsonl", "--model", model]) == 0
    plain = cutline.caption(photos, model="fake").to_dict()
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert len(rows) == 3
    for row in rows:
        said = plain[row["image_id"]].removesuffix(".")
        assert row["caption"].startswith(said)
        assert row["model"] == f"interrogator:{mode},clip={clip},labels={labels},caption=fake"
        assert row["completion_tokens"] == 8  # the other captioner's
    assert main(["caption", "photos", "out.jsonl", "--model", model]) == 0


@pytest.mark.parametrize(
    ("settings", "options", "words"),
    [
        ("negative", ["--prompt", "What is it?"], "takes no prompt: remove it"),
        ("negative", ["--system-prompt", "Be brief."], "takes no prompt: remove it"),
        ("negative", ["--language", "German"], "follows no instructions"),
        ("fast,caption=pixels", ["--language", "German"], "follows no instructions"),
        ("fast,caption=blip", ["--language", "German"], "follows no instructions"),
        ("fast,caption=blip", ["--prompt", "short"], "follows no instructions such as the prompt short"),
        ("fast,caption=fake", ["--schema", '{"type": "object"}'], "regex or schema"),
    ],
)
def test_prompts_that_nobody_would_follow(photos, clip, labels, capsys, settings, options, words):
    """Refused before anything is loaded."""
    mode, _, caption = settings.partition(",")
    model = f"interrogator:{mode},clip={clip},labels={labels}" + (f",{caption}" if caption else "")
    assert main(["caption", "photos", "out.jsonl", "--model", model, *options]) == 2
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1


def test_the_negative_mode_in_a_chain(photos, clip, labels, tmp_path, capsys):
    """It may stand first, as it hears nothing; a later step would not use the text before it."""
    negative = f"interrogator:negative,clip={clip},labels={labels}"
    steps = ["--step", f"no={negative}", "--step", "yes=fake"]
    assert main(["caption", "photos", "out.jsonl", *steps]) == 0
    later = ["--step", "yes=fake", "--step", f"no={negative}"]
    assert main(["caption", "photos", "later.jsonl", *later]) == 2
    assert "make it the first step" in capsys.readouterr().err


def test_the_negative_mode_asks_no_other_model(photos, clip, labels):
    captions = cutline.caption(photos, model=f"interrogator:negative,clip={clip},labels={labels}").to_dict()
    words = {word for text in captions.values() for word in text.split(", ")}
    assert words <= {f"{name}{number}" for name in ("fla", "neg") for number in range(4)}


def test_a_failing_caption_is_the_pictures_failure(photos, clip, labels):
    model = f"interrogator:fast,clip={clip},labels={labels},caption=fake:rejected=1"
    captions = cutline.caption(photos, model=model)
    assert captions.report.counts.failures == 3
    assert captions.failures[0]["kind"] == "rejected"


def test_passing_faults_are_asked_again(photos, clip, labels):
    model = f"interrogator:fast,clip={clip},labels={labels},caption=fake:flaky=1"
    assert len(cutline.caption(photos, model=model, retry_delay=0.01)) == 3


def test_options_reach_the_other_captioner(photos, clip, labels, tmp_path):
    model = f"interrogator:fast,clip={clip},labels={labels},caption=fake"
    cutline.caption(
        photos,
        tmp_path / "out.parquet",
        model=model,
        max_tokens=77,
        include_raw=True,
        output_format="parquet",
    )
    import pyarrow.parquet

    raw = [json.loads(row["llm"]) for row in pyarrow.parquet.read_table(tmp_path / "out.parquet").to_pylist()]
    assert all(one["caption"]["options"] == {"max_tokens": 77} for one in raw)


@pytest.mark.parametrize(
    ("settings", "options", "message"),
    [
        ("slow", {}, "interrogator has no setting 'slow'; it has best, fast, classic, negative, clip=…"),
        ("fast,best", {}, "interrogator has no setting 'best'"),
        ("clip=", {}, "interrogator's clip is empty"),
        ("caption=nobody", {}, "'nobody' names no provider"),
        ("caption=pixels", {"temperature": 0.5}, "pixels does not support --temperature"),
        ("negative", {"max_tokens": 5}, "does not support --max-tokens"),
    ],
)
def test_what_it_cannot_do_is_refused(labels, settings, options, message):
    with pytest.raises(ConfigError) as caught:
        build_captioner(f"interrogator:labels={labels},{settings}", CaptionerOptions(options=options))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_prompt_with_a_form_is_refused(photos, clip, labels, capsys, tmp_path):
    (tmp_path / "schema.json").write_text('{"type": "object"}')
    model = f"interrogator:fast,clip={clip},labels={labels},caption=fake"
    assert main(["caption", "photos", "out.jsonl", "--model", model, "--schema", "schema.json"]) == 2
    assert "it does not support a regex or schema" in capsys.readouterr().err


def test_settings_of_the_other_captioner_may_hold_commas():
    assert Settings.parse("best,clip=a/b,caption=fake:slots=1,latency=2") == Settings(
        mode="best", clip="a/b", caption="fake:slots=1,latency=2"
    )
    assert Settings.parse("") == Settings()
