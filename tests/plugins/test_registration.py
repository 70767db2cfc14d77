"""What can be registered as a model, and what is said of the rest."""

from __future__ import annotations

import pytest

import cutline
from cutline import registry
from cutline.errors import ConfigError


class Asked:
    def infer(self, prompt, image, image_name):
        return "A caption."


def test_a_registered_class_is_asked_like_any_model_and_stays_what_it_was(photos):
    kept = cutline.register_model("my_new_model")(Asked)
    assert kept is Asked
    result = cutline.caption(photos(3), model="my_new_model")
    assert [row["caption"] for row in result] == ["A caption."] * 3
    assert {row["model"] for row in result} == {"my_new_model"}
    assert "my_new_model" in registry.names("captioners")


@pytest.mark.parametrize("name", ["", "a b", "a:b", "a=b", "../x", "é", None, 3])
def test_a_name_that_could_not_be_written_is_refused(name):
    with pytest.raises(ConfigError, match="cannot be a model's name"):
        cutline.register_model(name)


@pytest.mark.parametrize(
    ("name", "words"), [("openai", "name of a service"), ("blip", "cutline's own"), ("fake", "cutline's own")]
)
def test_a_name_that_is_taken_is_refused(name, words):
    with pytest.raises(ConfigError, match=words):
        cutline.register_model(name)(Asked)


def test_two_classes_cannot_share_a_name_but_one_can_be_defined_anew():
    class Other(Asked):
        pass

    cutline.register_model("mine")(Asked)
    cutline.register_model("mine")(type("Asked", (Asked,), {"__module__": Asked.__module__}))
    with pytest.raises(ConfigError, match=r"'mine' is registered twice, by .*Asked and by .*Other"):
        cutline.register_model("mine")(Other)


class Nothing:
    pass


class AsynchronousInfer:
    async def infer(self, prompt, image, image_name): ...


class BlockingCaption:
    def caption(self, picture, prompt): ...


class OtherArguments:
    def infer(self, image): ...


class TwoWays(Asked):
    async def caption(self, picture, prompt): ...


class BatchOfOne:
    def infer_batch(self, prompt, image, image_name): ...


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (Nothing, r"mine \(Nothing\) needs a method infer\(self, prompt, image, image_name\)"),
        (AsynchronousInfer, "infer of AsynchronousInfer must not be asynchronous"),
        (BlockingCaption, "caption of BlockingCaption must be asynchronous"),
        (OtherArguments, r"must take \(self, prompt, image, image_name\)"),
        (TwoWays, "has caption and infer: keep one"),
        (BatchOfOne, r"must take \(self, prompts, images, image_names\)"),
        (lambda: None, "must decorate a class"),
    ],
)
def test_a_class_that_could_not_be_asked_is_refused_at_once(made, words):
    with pytest.raises(ConfigError, match=words):
        cutline.register_model("mine")(made)


def test_a_name_with_a_slip_in_it_is_known_for_what_was_meant(photos):
    cutline.register_model("my_new_model")(Asked)
    with pytest.raises(ConfigError, match=r"did you mean my_new_model\?"):
        cutline.caption(photos(1), model="my_new_modle")


def test_an_entry_point_may_have_another_name_than_the_class_gave_itself(photos, tmp_path, monkeypatch):
    (tmp_path / "site" / "odd-1.dist-info").mkdir(parents=True)
    (tmp_path / "site" / "odd_one.py").write_text(
        "from cutline import register_model\n"
        "@register_model('odd')\n"
        "class Odd:\n"
        "    def infer(self, prompt, image, image_name):\n"
        "        return 'An odd caption.'\n"
    )
    (tmp_path / "site" / "odd-1.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: odd\nVersion: 1\n"
    )
    points = "[cutline.captioners]\nodder = odd_one:Odd\n"
    (tmp_path / "site" / "odd-1.dist-info" / "entry_points.txt").write_text(points)
    monkeypatch.syspath_prepend(tmp_path / "site")
    (row,) = cutline.caption(photos(1), model="odder")
    assert row["caption"] == "An odd caption."


# What reaches the class


class Told:
    def __init__(self, manner="plain", *, max_tokens=10, temperature=None):
        self.told = f"{manner} {max_tokens} {temperature}"

    def infer(self, prompt, image, image_name):
        return f"{self.told} {image.size[0]} {image.mode} {image_name.rpartition('/')[2]} {prompt.prefix}"


def test_options_and_what_stands_behind_the_colon_reach_the_class(photos):
    cutline.register_model("told")(Told)
    (row,) = cutline.caption(photos(1), model="told")
    assert row["caption"] == "plain 10 None 60 RGB 00.png Describe this image in detail."
    (row,) = cutline.caption(
        photos_in(row), model="told:loud", prompt="What?", max_tokens=5, temperature=0.5, max_side=30
    )
    assert row["caption"] == "loud 5 0.5 30 RGB 00.png What?"
    assert row["model"] == "told:loud"


def photos_in(row):
    return row["image_path"].rpartition("/")[0]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"seed": 3}, "told does not support seed="),
        ({"batch_size": 3}, "told does not support batch_size="),
        ({"api_key": "k"}, "told needs no key"),
        ({"endpoint": "http://127.0.0.1:9/v1"}, "told has no endpoint"),
    ],
)
def test_what_the_class_does_not_take_is_refused(photos, options, words):
    cutline.register_model("told")(Told)
    with pytest.raises(ConfigError, match=words):
        cutline.caption(photos(1), model="told", **options)


class OnlyOptions(Asked):
    def __init__(self, max_tokens=10): ...


@pytest.mark.parametrize("made", [Asked, OnlyOptions])
def test_a_class_without_arguments_has_nothing_behind_its_colon(made, photos):
    cutline.register_model("asked")(made)
    with pytest.raises(ConfigError, match="takes no argument after a colon: remove ':x'"):
        cutline.caption(photos(1), model="asked:x")


class Everything:
    def __init__(self, **kwargs):
        self.kwargs = kwargs

    def infer(self, prompt, image, image_name):
        return str(self.kwargs)


def test_a_class_that_takes_everything_is_given_what_was_said(photos):
    cutline.register_model("all")(Everything)
    (row,) = cutline.caption(photos(1), model="all", max_tokens=5, device="cpu", extra={"beams": 3})
    assert row["caption"] == "{'max_tokens': 5, 'extra': {'beams': 3}, 'device': 'cpu'}"


class Needy:
    def __init__(self, weights): ...

    infer = Asked.infer


class Unsure(Asked):
    threads = 0


class Late(Asked):
    def __init__(self):
        self.threads = 8


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (Late, "sets threads in __init__, when it is too late: write `threads = 8` in the class"),
        (Needy, "cannot be made without arguments: .*weights"),
        (Unsure, "threads must be a number from 1 up"),
    ],
)
def test_a_class_that_cannot_be_made_is_told_before_anything_runs(made, words, photos, tmp_path):
    cutline.register_model("mine")(made)
    with pytest.raises(ConfigError, match=words):
        cutline.caption(photos(1), tmp_path / "out.jsonl", model="mine")
    assert not (tmp_path / "out.jsonl").exists()
