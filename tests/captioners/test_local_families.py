"""Every family of local models: a tiny one is saved, loaded by its short name, and asked."""

from __future__ import annotations

import asyncio
import dataclasses
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="the extra local is not installed")
pytest.importorskip("transformers", reason="the extra local is not installed")

import torch
from local_pictures import encoded, folder_of
from tiny_families import FAMILIES, Zoo

from cutline import registry
from cutline.captioners.transformers.families import FAMILIES as KNOWN
from cutline.engine.prices import price_of
from cutline.errors import ConfigError, RunStopped, SampleError
from cutline.imaging import Picture
from cutline.locations.stored import InlineBytes
from cutline.prompts import Prompt
from cutline.records import Reply
from processes import cutline_here

# The library warns of its own future; what it does now is what is tested.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

torch.set_num_threads(1)  # models this small only lose by more
CHAT = ("llava", "llava-onevision", "qwen2-vl", "qwen2.5-vl", "qwen3-vl", "gemma-3", "smolvlm")


def ask(
    model: str, folder: Path, prompts: list[Prompt | None], pictures: list[int] | None = None, **options: Any
) -> list[Reply | BaseException]:
    """Each picture's reply; a prompt of None is the model's own."""

    async def all_of_them() -> list[Reply | BaseException]:
        captioner = registry.load("captioners", model)(str(folder), **{"dtype": "float32", **options})
        try:
            numbers = pictures if pictures is not None else list(range(len(prompts)))
            calls = [
                captioner.caption(
                    Picture(InlineBytes(encoded(number), "p")), prompt or captioner.profile.default_prompt
                )
                for number, prompt in zip(numbers, prompts, strict=True)
            ]
            return list(await asyncio.gather(*calls, return_exceptions=True))
        finally:
            await captioner.aclose()

    return asyncio.run(all_of_them())


def texts(replies: list[Reply | BaseException]) -> list[str]:
    for reply in replies:
        if isinstance(reply, BaseException):
            raise reply
    return [reply.text for reply in replies if isinstance(reply, Reply)]


def test_every_known_family_has_a_tiny_model() -> None:
    assert set(FAMILIES) == {family.name for family in KNOWN}


@pytest.mark.parametrize("name", FAMILIES)
def test_words_depend_on_the_picture_and_not_on_its_neighbours(zoo: Zoo, name: str) -> None:
    alone = texts(ask(name, zoo(name), [None] * 5, batch_size=1))
    together = texts(ask(name, zoo(name), [None] * 5, batch_size=5))
    assert len(set(alone)) == 5, alone
    assert together == alone
    assert all("<" not in text for text in alone), "marks of the model's own are left in"
    assert all(text == text.strip() and text for text in alone)


@pytest.mark.parametrize("name", FAMILIES)
def test_any_family_is_known_by_its_folder(zoo: Zoo, name: str) -> None:
    assert texts(ask("hf", zoo(name), [None])) == texts(ask(name, zoo(name), [None]))


@pytest.mark.parametrize(
    "name", [*CHAT, "blip", "git", "blip2-opt", "blip2-flan-t5", "paligemma", "kosmos-2"]
)
def test_prompts_of_different_length_in_one_batch(zoo: Zoo, name: str) -> None:
    """Padding must stand where the model does not see it: each answer is as when asked alone."""
    prompts = [
        Prompt(prefix="a red"),
        Prompt(prefix="describe the large dark house on the street with two trees and a bird"),
        Prompt(prefix="caption en"),
    ]
    together = texts(ask(name, zoo(name), list(prompts), [1, 2, 3], batch_size=3))
    for place, prompt in enumerate(prompts):
        alone = texts(ask(name, zoo(name), [prompt], [place + 1], batch_size=1))
        assert [together[place]] == alone


@pytest.mark.parametrize("name", ["llava", "qwen2-vl", "gemma-3", "blip2-flan-t5", "paligemma"])
def test_the_prompt_reaches_the_model(zoo: Zoo, name: str) -> None:
    prompts = [Prompt(prefix=text) for text in ("a red dog", "stone", "describe the sea and sky")]
    assert len(set(texts(ask(name, zoo(name), list(prompts), [0, 0, 0])))) > 1


@pytest.mark.parametrize(
    ("name", "mark"),
    [
        *((name, "<image>") for name in ("llava", "smolvlm", "blip2-opt", "paligemma", "kosmos-2")),
        *((name, "<|image_pad|>") for name in ("qwen2-vl", "qwen3-vl")),
        ("gemma-3", "<start_of_image>"),
    ],
)
def test_a_prompt_from_a_model_s_page(zoo: Zoo, name: str, mark: str) -> None:
    """It says where the picture is, which the model is told anyway; so may a tweet that is filled in."""
    plain = Prompt(prefix="describe the sea")
    copied = Prompt(prefix=f"{mark}\ndescribe the sea")
    asked = texts(ask(name, zoo(name), [plain, copied], [1, 1], batch_size=2))
    assert asked[0] == asked[1]


def test_a_beginning_stays_in_the_caption(zoo: Zoo) -> None:
    for name in ("blip", "git"):
        (text,) = texts(ask(name, zoo(name), [Prompt(prefix="a large house")]))
        assert text.startswith("a large house ")
        assert len(text.split()) > 3
    (text,) = texts(ask("kosmos-2", zoo("kosmos-2"), [None]))
    assert text.startswith("An image of ")


def test_a_system_text_and_a_worked_example_reach_a_chat_model(zoo: Zoo) -> None:
    from cutline.prompts.prompt import Example

    plain = Prompt(prefix="describe the sea", suffix="a")
    system = dataclasses.replace(plain, system="red stone boat", id="")
    example = Example(image=encoded(3), mime="image/png", explanation="a small bird")
    shown = dataclasses.replace(plain, example=example, id="")
    said = texts(ask("qwen2-vl", zoo("qwen2-vl"), [plain, system, shown], [0, 0, 0]))
    assert len(set(said)) == 3
    counted = ask("qwen2-vl", zoo("qwen2-vl"), [plain, shown], [0, 0])
    tokens = [reply.usage.prompt_tokens for reply in counted if isinstance(reply, Reply)]
    assert tokens[1] > tokens[0] + 4, "the example's picture is counted"
    (refused,) = ask("blip", zoo("blip"), [shown])
    assert isinstance(refused, RunStopped)
    assert "worked example" in str(refused)


def test_turns_and_their_pictures_reach_a_chat_model(zoo: Zoo) -> None:
    from cutline.prompts.prompt import TARGET, Example, Part, Turn

    def said(role: str, *parts: str | Part) -> Turn:
        found = (Part(kind="text", text=part) if isinstance(part, str) else part for part in parts)
        return Turn(role=role, parts=tuple(found))

    first = said("user", TARGET, "describe the sea")
    shown = Part(kind="example", example=Example(image=encoded(3), mime="image/png", explanation=""))
    talks = [
        (first,),
        (first, said("assistant", "red boat"), said("user", "a small bird")),
        (first, said("assistant", "stone house"), said("user", "a small bird")),
        (said("user", shown, shown, TARGET, "describe the sea"),),
    ]
    prompts = [Prompt(prefix="describe the sea", turns=turns) for turns in talks]
    replies = ask("qwen2-vl", zoo("qwen2-vl"), [*prompts, Prompt(prefix="describe the sea")], [0] * 5)
    assert len(set(texts(replies[:4]))) == 4
    assert texts(replies[:1]) == texts(replies[4:]), "one message is the usual prompt"
    tokens = [reply.usage.prompt_tokens for reply in replies if isinstance(reply, Reply)]
    assert tokens[0] + 4 < tokens[1] == tokens[2]
    assert tokens[3] > tokens[0] + 8, "two pictures more"
    (refused,) = ask("blip", zoo("blip"), [prompts[3]])
    assert isinstance(refused, RunStopped)


def test_tasks(zoo: Zoo) -> None:
    task, question = Prompt(prefix="<CAPTION>"), Prompt(prefix="What is this?")
    assert texts(ask("florence-2", zoo("florence-2"), [task]))
    (refused,) = ask("florence-2", zoo("florence-2"), [question])
    assert isinstance(refused, RunStopped)
    assert "<MORE_DETAILED_CAPTION>" in str(refused)


@pytest.mark.parametrize("name", ["blip", "llava", "qwen2-vl", "blip2-opt"])
def test_a_prompt_that_is_too_long(zoo: Zoo, name: str) -> None:
    long = Prompt(prefix="red dog " * 1500)
    replies = ask(name, zoo(name), [None, long, None], batch_size=3)
    assert isinstance(replies[0], Reply)
    assert isinstance(replies[2], Reply)
    refused = replies[1]
    assert isinstance(refused, SampleError)
    assert refused.kind == "prompt-too-long"
    assert "shorten the prompt" in str(refused)
    assert "\n" not in str(refused)


def test_too_few_tokens_are_no_caption(zoo: Zoo) -> None:
    (cut,) = ask("llava", zoo("llava"), [None], max_tokens=3)
    assert isinstance(cut, SampleError)
    assert (cut.kind, cut.reply is not None) == ("truncated", True)
    assert "--max-tokens" in str(cut)
    (too_many,) = ask("llava", zoo("llava"), [None], max_tokens=5000)
    assert isinstance(too_many, SampleError)
    assert "lower --max-tokens" in str(too_many)


@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_tokens_are_the_models_own(zoo: Zoo, name: str) -> None:
    """A start token or a prompt that stands in the output is not among them: they are what is paid for."""
    prompts = [None, Prompt(prefix="a red")] if name in {"blip", "git"} else [None]
    for prompt in prompts:
        (cut,) = ask(name, zoo(name), [prompt], max_tokens=3)
        assert isinstance(cut, SampleError)
        assert cut.reply is not None
        assert cut.reply.usage.completion_tokens == 3
        assert "not done after 3 tokens" in str(cut)


def test_chance_depends_on_the_seed_and_the_picture_alone(zoo: Zoo) -> None:
    folder = zoo("llava")
    drawn = {"temperature": 3.0}
    first = texts(ask("llava", folder, [None] * 6, batch_size=6, seed=7, **drawn))
    again = texts(ask("llava", folder, [None] * 6, batch_size=2, seed=7, **drawn))
    other = texts(ask("llava", folder, [None] * 6, batch_size=6, seed=8, **drawn))
    greedy = texts(ask("llava", folder, [None] * 6, batch_size=6))
    assert first == again
    assert first != other
    assert first != greedy


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("blip", ("--system-prompt", "be nice"), "follows no instructions"),
        ("git", ("--language", "German"), "follows no instructions: --language"),
        ("blip", ("--prompt", "short"), "follows no instructions such as the prompt short"),
        ("blip", ("--prompt", "mine=short"), "follows no instructions such as the prompt short"),
        ("florence-2", ("--prompt", "What is it?"), "<MORE_DETAILED_CAPTION>"),
        ("florence-2", ("--prompt", "<CAPTION> and more"), "<MORE_DETAILED_CAPTION>"),
    ],
)
def test_instructions_do_not_become_captions(
    zoo: Zoo, tmp_path: Path, name: str, options: tuple[str, ...], words: str
) -> None:
    """Refused before anything is loaded."""
    photos = folder_of(tmp_path / "photos", 1)
    ran = cutline_here("caption", photos, tmp_path / "out.jsonl", "--model", f"{name}:{zoo(name)}", *options)
    assert ran.returncode == 2, ran.stderr
    assert words in ran.stderr
    assert "loading" not in ran.stderr
    assert ran.stderr.count("\n") == 1


@pytest.mark.parametrize("step", ["describe", "short"])
def test_a_step_may_have_the_name_of_a_prompt(zoo: Zoo, tmp_path: Path, step: str) -> None:
    photos = folder_of(tmp_path / "photos", 1)
    steps = ("--step", f"{step}=git:{zoo('git')}", "--step", "refine=fake")
    ran = cutline_here("caption", photos, tmp_path / "out.jsonl", *steps)
    assert ran.returncode == 0, ran.stderr
    named = (f"{step}=a large house",)
    ran = cutline_here(
        *("caption", photos, tmp_path / "one.jsonl", "--model", f"git:{zoo('git')}", "--prompt", *named)
    )
    assert ran.returncode == 0, ran.stderr


def test_local_models_cost_nothing(zoo: Zoo, tmp_path: Path) -> None:
    """So a budget can be set for a chain in which another step is paid."""
    photos = folder_of(tmp_path / "photos", 2)
    model = f"git:{zoo('git')}"
    ran = cutline_here("caption", photos, tmp_path / "out.jsonl", "--model", model, "--max-cost", 1)
    assert ran.returncode == 0, ran.stderr
    ran = cutline_here("caption", photos, "--model", model, "--estimate")
    assert "price unknown" not in ran.stdout
    asked = f"hf:{zoo('git')}"
    assert price_of(f"interrogator:best,clip=x,caption={asked}") == price_of("fake")
    assert price_of("interrogator:caption=openai:gpt-4o-mini") == price_of("openai:gpt-4o-mini")
    assert price_of("interrogator:caption=endpoint:anything") is None


def test_a_model_is_loaded_only_where_something_is_left_to_ask(zoo: Zoo, tmp_path: Path) -> None:
    photos = folder_of(tmp_path / "photos", 2)
    command = ("caption", photos, tmp_path / "out.jsonl", "--model", f"llava:{zoo('llava')}")
    first = cutline_here(*command)
    assert first.returncode == 0, first.stderr
    assert "loading" in first.stderr
    again = cutline_here(*command)
    assert again.returncode == 0, again.stderr
    assert "nothing to caption" in again.stderr
    assert "loading" not in again.stderr


def test_cut_off_answers_are_told_with_their_cure(zoo: Zoo, tmp_path: Path) -> None:
    """Asking again in the same way would give the same."""
    photos = folder_of(tmp_path / "photos", 2)
    command = ("caption", photos, tmp_path / "out.jsonl", "--model", f"llava:{zoo('llava')}")
    cut = cutline_here(*command, "--max-tokens", "3")
    assert cut.returncode == 1, cut.stderr
    assert "2 failed (2 truncated)" in cut.stderr
    assert "--on-change redo-failed" in cut.stderr
    assert "--retry-failed" not in cut.stderr
    mended = cutline_here(*command, "--max-tokens", "200", "--on-change", "redo-failed")
    assert mended.returncode == 0, mended.stderr


def test_settings_of_generation(zoo: Zoo) -> None:
    folder = zoo("llava")
    beams = texts(ask("llava", folder, [None] * 3, extra={"num_beams": 3}))
    assert beams != texts(ask("llava", folder, [None] * 3))
    for options, words in (
        ({"extra": {"num_baems": 3}}, "num_baems"),
        ({"extra": {"validate": 1}}, "validate"),
        ({"extra": {"num_beams": 3}, "temperature": 1.0}, "--temperature"),
    ):
        (refused,) = ask("llava", folder, [None], **options)
        assert isinstance(refused, ConfigError)
        assert words in str(refused)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"extra": {"max_new_tokens": 9}}, "use --max-tokens"),
        ({"extra": {"max_length": 9}}, "use --max-tokens"),
        ({"extra": {"do_sample": True}}, "use --temperature"),
        ({"extra": {"num_beams": 2, "num_return_sequences": 2}}, "num_return_sequences"),
        ({"extra": {"return_dict_in_generate": True}}, "return_dict_in_generate"),
        ({"extra": {"stop_strings": "dog"}}, "stop_strings"),
        ({"extra": {"num_beams": "two"}}, "--extra.num_beams must be a whole number"),
        ({"extra": {"num_beams": 0}}, "--extra.num_beams must be a whole number from 1 up"),
        ({"extra": {"repetition_penalty": "abc"}}, "--extra.repetition_penalty must be a number"),
        ({"extra": {"top_k": 5}}, "add --temperature"),
        ({"top_p": 0.5}, "--top-p has no effect"),
    ],
)
def test_settings_that_would_be_ignored_or_fail_at_every_picture(
    zoo: Zoo, options: dict[str, Any], words: str
) -> None:
    """Refused before anything is loaded."""
    with pytest.raises(ConfigError, match=words):
        registry.load("captioners", "llava")(str(zoo("llava")), **options)


def test_words_are_drawn_among_the_likeliest_alone(zoo: Zoo) -> None:
    folder, wild = zoo("llava"), {"temperature": 3.0, "seed": 7}
    greedy = texts(ask("llava", folder, [None] * 4))
    assert texts(ask("llava", folder, [None] * 4, **wild)) != greedy
    assert texts(ask("llava", folder, [None] * 4, extra={"top_k": 1}, **wild)) == greedy
    assert texts(ask("llava", folder, [None] * 4, extra={"min_p": 1.0}, **wild)) == greedy
    assert texts(ask("llava", folder, [None] * 4, extra={"top_k": 3}, **wild)) != greedy


def test_another_family_s_folder(zoo: Zoo) -> None:
    with pytest.raises(ConfigError, match=r"is not a blip model \(type llava\): use --model hf:"):
        ask("blip", zoo("llava"), [None])


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision(zoo: Zoo, dtype: str) -> None:
    for name in ("llava", "blip", "qwen2-vl", "kosmos-2"):
        assert len(texts(ask(name, zoo(name), [None] * 3, dtype=dtype, batch_size=3))) == 3
