from __future__ import annotations

import contextlib
import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutline.errors import ReplyError
from cutline.prompts import Prompt, check_caption, clean_reply, load_prompt

GOOD = [
    "A dog.",
    "dog, grass, ball",
    "Sure-footed goats climb a wall.",
    "Sure, the sky is blue over the harbour.",
    "Of course tickets pinned to a board.",
    "Great egret standing in shallow water.",
    "Great, grey clouds hang over the town.",
    "Here is a cat on a mat.",
    "Here are three price tags: 5, 6 and 7 dollars.",
    "Okay sign painted on a door: two hands.",
    "A sign that says: Assistant: How can I help you?",
    "Assistants: two nurses beside a bed.",
    'A stop sign with the words "I cannot see".',
    "Image of a man: tall, thin.",
    "A screenshot of a chat. User: hello. Assistant: hi.",
    "Sorry, a card game, lies open on a table.",
    "I ♥ NY printed on a T-shirt.",
    "A man thinking about <lunch> in a thought bubble.",
    "A thinking man; a statue of reasoning.",
    'A page of HTML with "</s>" in the middle.',
    "Un chien. 一只狗。",
    "No, no, no, no!",
    "A cat. A cat. A cat. Three cats in three frames.",
    "ha ha ha ha ha ha",
    "Line one\nLine two\n\nLine three",
    '"Stop" and "go"',
    "'A dog'",
    "-----",
    "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20",
]


@pytest.mark.parametrize("text", GOOD)
def test_captions_that_look_odd_stay_as_they_are(text):
    assert clean_reply(text) == text
    assert Prompt().extract(f"  {text}\n") == (text, None)


def test_real_captions_pass_unchanged(shared_data):
    lines = (shared_data / "photos-coco" / "captions.jsonl").read_text(encoding="utf-8").splitlines()
    captions = [caption for line in lines for caption in json.loads(line)["captions"]]
    assert len(captions) > 200
    assert [clean_reply(caption) for caption in captions] == [caption.strip() for caption in captions]
    joined = " ".join(caption.strip() for caption in captions)
    assert clean_reply(joined) == joined


@pytest.mark.parametrize(
    "reply",
    [
        "Sure! Here is the caption:\n\n{}",
        "Sure! Here's a short description of the image:\n{}",
        "Certainly! Here is a detailed description of the image you provided: {}",
        "Of course. I'd be happy to describe the image for you. Here is a caption: {}",
        "I\u2019d be glad to help with that! {}",
        "Here are some tags for the image: {}",
        "Below is a list of comma-separated tags:\n{}",
        "**Caption:** {}",
        "Caption: {}",
        "### Caption:\n{}",
        "Alt text: {}",
        "## Image Description\n\n{}",
        "Here\u2019s what I see in the image:\n\n{}",
        "Here is the caption:\n\nCaption: {}",
        'Here is a caption for the image: "{}"',
        "Caption: “{}”",
        "assistant: {}",
        "ASSISTANT: {}",
        "<|im_start|>assistant\n{}<|im_end|>",
        "<|start_header_id|>assistant<|end_header_id|>\n\n{}<|eot_id|>",
        "<start_of_turn>model\n{}<end_of_turn>\n",
        "{}</s>",
        "{}<|im_end|>\n<|endoftext|>",
        "<think>It is a dog. Or is it?</think>\n\n{}",
        "<think>\n</think>\n{}",
        "<THINK>hm</THINK>{}",
        "<thinking>a</thinking><reasoning>b</reasoning> {}",
        "◁think▷hm◁/think▷{}",
        "the template opened the block, the model went on thinking\n</think>\n\n{}",
        "<think>so</think>assistant: Sure! Here is the caption: {}</s>",
    ],
)
def test_what_an_assistant_adds_is_taken_off(reply):
    assert clean_reply(reply.format("A dog runs: fast.")) == "A dog runs: fast."


def test_openers_before_the_picture():
    assert clean_reply("Sure! The image shows a dog.") == "The image shows a dog."
    assert clean_reply("Certainly! In this picture, a dog runs.") == "In this picture, a dog runs."


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        ("", "empty"),
        (" \n\t\u3000", "empty"),
        ("\x00", "empty"),
        ("<|im_end|>", "empty"),
        ("<think>only this</think>", "empty"),
        ("<think>cut off in the mid", "empty"),
        ("<think>one</think> <think>two", "empty"),
        ("never mind</think> ", "empty"),
        ("A dog.<|im_end|>\n<|im_start|>user\nAnd now?", "role-markers"),
        ("A dog. [INST] next [/INST]", "role-markers"),
        ("A dog.\nUSER: what else?\nASSISTANT: a cat", "role-markers"),
        ("A dog.\n### Human: more", "role-markers"),
        ("I'm sorry, but I can't assist with that.", "refused"),
        ("I\u2019m sorry, I cannot identify people in images.", "refused"),
        ("I'm unable to view images.", "refused"),
        ("Unfortunately, I am not able to describe this content.", "refused"),
        ("I don't see an image in our conversation. Could you share it?", "refused"),
        ("A cat sat on the mat. " * 4, "loop"),
        ("It begins well, with a house. " + "There is a tree. " * 5, "loop"),
        ("A house. " + "There is a tall tree and a car. " * 6 + "There is a tall", "loop"),
        ("red hat\n" + "the sign reads no entry, " * 30, "loop"),
        ("!" * 500, "loop"),
        ("A dog " + "the " * 100, "loop"),
        ("一只狗坐在草地上。" * 40, "loop"),
    ],
)
def test_replies_that_are_no_caption_are_named(reply, kind):
    with pytest.raises(ReplyError) as caught:
        clean_reply(reply)
    assert caught.value.kind == kind
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 250


def test_reasoning_without_an_answer_says_so():
    with pytest.raises(ReplyError, match="reasoning"):
        clean_reply("<think>A dog, I would say.</think>")
    with pytest.raises(ReplyError, match="raise --max-tokens"):
        clean_reply("<think>A dog, I would")


def test_a_refusal_with_a_description_is_a_caption():
    text = "I'm sorry, but I can't identify the people. However, two men stand in front of a red car."
    assert clean_reply(text) == text


def test_a_transcription_keeps_what_it_reads():
    prompt = load_prompt("ocr")
    for text in (
        "Caption: Sure!",
        "Assistant: Here is the caption: x",
        "I'm sorry, but I can't help.",
        "[INST] a [/INST]",
    ):
        assert prompt.extract(text) == (text, None)
    with pytest.raises(ReplyError):
        prompt.extract("a form with a line ____ " * 40)


@given(st.text())
def test_any_reply_is_a_caption_or_a_named_failure(text):
    kind, caption = "", ""
    try:
        caption = clean_reply(text)
    except ReplyError as error:
        kind = error.kind
    assert kind in {"", "empty", "loop", "role-markers", "refused"}
    assert caption == caption.strip()
    assert bool(caption) != bool(kind)
    caption.encode()


@given(
    st.text(st.characters(codec="utf-8", exclude_characters="\x00")),
    st.text("ab c.", min_size=1, max_size=15),
)
def test_a_phrase_said_three_times_is_no_loop(start, phrase):
    text = f"{start} X {phrase}{phrase}{phrase}".strip()
    assert check_caption(text) == text


@pytest.mark.parametrize(
    "reply",
    [
        " " * 200_000 + "a",
        "a" + "\n" * 200_000 + "b",
        "<" * 200_000,
        "<think>" * 30_000 + "x",
        "</s>" * 50_000 + "x",
        "y" + "</s> " * 80_000,
        "<think></think>" * 40_000 + "z",
        "Here is a " + "image " * 40_000,
        "Sure! " * 40_000,
        "ab " * 100_000,
        "Caption: " * 40_000,
        "".join(f"{i} " for i in range(60_000)),
        ("abcdefghijklmnopqrstuvwxyz" * 3 + "!") * 2000 + "abcdefghijklmnopqrstuvwxyz",
    ],
    ids=lambda reply: reply.strip()[:12],
)
def test_long_nonsense_costs_no_time(reply):
    start = time.perf_counter()
    with contextlib.suppress(ReplyError):
        clean_reply(reply)
    assert time.perf_counter() - start < 30
