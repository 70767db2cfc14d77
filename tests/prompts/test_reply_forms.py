"""What models put around their answers: every line of the table, and forms that no line shows."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
import regex

from cutline.errors import ReplyError
from cutline.prompts import Prompt, clean_reply
from cutline.prompts.refusals import USUAL_STARTS
from cutline.prompts.replies import first_sentences
from cutline.prompts.reply_forms import finish_kind, table

FORMS = table()
PUBLIC = tomllib.loads(Path(__file__).with_name("public_replies.toml").read_text("utf-8"))
SCHEMA = {"type": "object", "properties": {"caption": {"type": "string"}}, "required": ["caption"]}
CASES = tomllib.loads(Path(__file__).with_name("reply_cases.toml").read_text("utf-8"))


@pytest.mark.parametrize("form", FORMS["reasoning"], ids=lambda form: form["name"])
def test_each_form_of_reasoning_is_taken_off(form):
    assert clean_reply(form["example"]) == "A dog."
    assert clean_reply("<|im_start|>assistant\n" + form["example"]) == "A dog."


@pytest.mark.parametrize("end", ["", "!"])
@pytest.mark.parametrize("form", FORMS["reasoning"], ids=lambda form: form["name"])
def test_it_is_taken_off_whatever_the_answer_ends_in(form, end):
    assert clean_reply(form["example"].replace("A dog.", f"A dog{end}")) == f"A dog{end}"


@pytest.mark.parametrize(
    "reply",
    [
        "<thought>hm</thought>\nA dog.",
        "<seed:think>hm</seed:think>A dog.",
        "hm, so\n[/THINK]A dog.",
        "hm◁/think▷A dog.",
        "it may be</thought>\n\nA dog.",
        "thinking<|channel|>final<|message|>A dog.<|return|>",
        "<|channel|>analysis It may be a dog.<|channel|>final<|message|>A dog.",
        "<|channel|>analysis<|message|>a<|end|><|start|>assistant<|channel|>commentary<|message|>b<|end|>A dog.",
        "<s><think>hm</think>A dog.</s>",
        "<think>hm</think><answer>A dog.</answer>",
        "<think>hm <answer>A dog.</answer>",
        "<think>a <think>b</think> c</think>A dog.",
        "<think/>A dog.",
        "<reasoning_content>hm</reasoning_content>A dog.",
        "<think_never_used_51bce0c7></think_never_used_51bce0c7>A dog.",
        "<start_of_thought>hm<end_of_thought>A dog.",
        "analysis\nhm\n\nfinal\nA dog.",
        "<think>hm</think><ans>A dog.</ans>",
        "<think>a</think> <think>b</think><|begin_of_box|>A dog.<|end_of_box|>",
        "<|START_THINKING|>hm<|END_THINKING|><|START_RESPONSE|>A dog.<|END_RESPONSE|>",
    ],
)
def test_reasoning_in_other_forms(reply):
    assert clean_reply(reply) == "A dog."


@pytest.mark.parametrize(
    "reply",
    [
        "[THINK]so it",
        "◁think▷so",
        "<|channel|>analysis<|message|>so",
        "<seed:think>x",
        "<|begin_of_thought|>x",
        "x[/THINK]",
    ],
)
def test_reasoning_without_an_answer_is_empty(reply):
    with pytest.raises(ReplyError, match="reasoning") as caught:
        clean_reply(reply)
    assert caught.value.kind == "empty"


@pytest.mark.parametrize(
    "reply",
    [
        "<|begin_of_box|>A dog.<|end_of_box|>",
        "\\boxed{A dog.}",
        "$\\boxed{\\text{A dog.}}$",
        "The final answer is: $\\boxed{A dog.}$",
        "<answer>A dog.</answer>",
        "<answer>\nA dog.",
        "[ANSWER]A dog.[/ANSWER]",
        "[Final Answer]: A dog.",
        "It has four legs. [ANSWER] A dog. [/ANSWER]",
        "A dog.[/CAPTION]",
        "[OUTPUT]\nA dog.\n[/OUTPUT]\n",
        "[BEGIN CAPTION]A dog.[END CAPTION]",
        "<START_OF_CAPTION>\nA dog.\n<END_OF_CAPTION>",
        "--- BEGIN DESCRIPTION ---\nA dog.\n--- END DESCRIPTION ---",
        "【答案】A dog.",
        "<回答>A dog.</回答>",
        "\\[\\boxed{\\text{A dog.}}\\]",
        "\\(\\boxed{A dog.}\\)",
        "It has four legs, so: <answer>A dog.</answer>",
        "<caption>A dog.</caption>",
        "<SUMMARY>I look.</SUMMARY><CAPTION>four legs</CAPTION><CONCLUSION>A dog.</CONCLUSION>",
        "```\nA dog.\n```",
        "```markdown\nA dog.\n```",
        "Here is the caption:\n```text\nA dog.\n```",
        "[/INST] A dog.",
        "<|assistant|>\nA dog.<|user|>",
        "<start_of_turn>model\nA dog.<end_of_turn>",
        *CASES["turns"],
        "<|header_start|>assistant<|header_end|>\n\nA dog.<|eot|>",
        "<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>A dog.<|END_OF_TURN_TOKEN|>",
        "<bos>A dog.<eos><pad><pad>",
        "A dog.<end_of_utterance>",
        "assistant\n\nA dog.",
        "model\nA dog.",
        "### Response:\nA dog.",
    ],
)
def test_marks_and_wrappers_are_taken_off(reply):
    assert clean_reply(reply) == "A dog."


def test_marks_are_taken_off_transcriptions_and_words_are_not():
    prompt = Prompt(verbatim=True)
    assert prompt.extract("<|begin_of_box|>STOP<|end_of_box|>") == ("STOP", None)
    assert prompt.extract("```\nSTOP\n```") == ("STOP", None)
    assert prompt.extract("Assistant: <answer>x</answer>") == ("Assistant: <answer>x</answer>", None)
    numbers = "\n".join(f"item number {n} costs 5" for n in range(40))
    assert prompt.extract(numbers) == (numbers, None)


@pytest.mark.parametrize(
    "reply",
    [
        "A dog. USER: And now? ASSISTANT: A cat.",
        "A dog. HUMAN: And now?",
        "A dog.\nUser: And now?\nAssistant: A cat.",
        "A dog.<|user|>And now?",
        "A dog.<|turn>user\nAnd now?",
        *CASES["next_turns"],
        "A dog. ### User: And now?",
        "A dog.</s><s>[INST] And now? [/INST] A cat.",
    ],
)
def test_the_next_turn_is_named(reply):
    with pytest.raises(ReplyError) as caught:
        clean_reply(reply)
    assert caught.value.kind == "role-markers"


@pytest.mark.parametrize("form", FORMS["refusal"], ids=lambda form: form["language"])
def test_refusals_of_each_language(form):
    for text in form["examples"]:
        with pytest.raises(ReplyError) as caught:
            clean_reply(text)
        assert caught.value.kind == "refused", text


@pytest.mark.parametrize("text", CASES["refusals"], ids=lambda text: text[:24])
def test_more_refusals(text):
    with pytest.raises(ReplyError) as caught:
        clean_reply(text)
    assert caught.value.kind == "refused"


@pytest.mark.parametrize("text", FORMS["captions"]["examples"])
def test_captions_that_resemble_refusals(text):
    assert clean_reply(text) == text


@pytest.mark.parametrize("text", CASES["declining_captions"], ids=lambda text: text[:24])
def test_what_declines_and_describes_is_a_caption(text):
    assert clean_reply(text) == text


@pytest.mark.parametrize("reply", CASES["refusals_of_any_prompt"])
@pytest.mark.parametrize(
    "prompt", [Prompt(schema=SCHEMA), Prompt(regex="<tag>(.*)</tag>")], ids=["schema", "regex"]
)
def test_a_refusal_is_one_whatever_the_prompt_wants(prompt, reply):
    for text in (reply, f"<think>no</think>{reply}", f'{{"caption": "{reply}"}}' if prompt.schema else reply):
        with pytest.raises(ReplyError) as caught:
            prompt.extract(text)
        assert caught.value.kind == "refused"


@pytest.mark.parametrize(
    "reply",
    [
        *CASES["loops"],
        "A street. " + " ".join(f"There is a tree number {n} by the road." for n in range(30)),
        "\n".join(f"{n}. A man in a hat" for n in range(1, 40)),
        " ".join(f"The man is wearing a {n} hat." for n in ("red", "blue", "green", "black") * 8),
        ", ".join(
            f"a man with a {n} in his hand"
            for n in ["cup", "hat", "bag", "map", "key", "pen", "fan", "can", "rod", "axe", "saw", "bat"] * 2
        ),
    ],
    ids=lambda reply: reply[:16],
)
def test_loops_without_blanks_and_loops_that_drift(reply):
    with pytest.raises(ReplyError) as caught:
        clean_reply(reply)
    assert caught.value.kind == "loop"


@pytest.mark.parametrize(
    "caption",
    [
        ", ".join(
            f"{colour} {thing}"
            for colour in ("red", "blue", "green")
            for thing in ("hat", "car", "dog", "cup", "bag")
        ),
        "A calendar of one month: " + ", ".join(map(str, range(1, 32))) + ".",
        *CASES["lists"],
        "Four panels. In panel 1 a man walks. In panel 2 a man runs. In panel 3 a man sits. In panel 4 a man sleeps.",
    ],
    ids=lambda caption: caption[:16],
)
def test_lists_are_no_loops(caption):
    assert clean_reply(caption) == caption


def result(reply):
    try:
        return clean_reply(reply)
    except ReplyError as error:
        return error.kind


def test_replies_of_public_models():
    """In one test, so that hundreds of them take no time of their own."""
    held = {reply: result(reply) for reply in PUBLIC["dogs"]}
    assert {reply: found for reply, found in held.items() if found != "A dog runs on the beach."} == {}
    declined = {reply: result(reply) for reply in PUBLIC["refusals"]}
    assert {reply: found for reply, found in declined.items() if found != "refused"} == {}
    kept = {reply: result(reply) for reply in PUBLIC["captions"]}
    assert {reply: found for reply, found in kept.items() if found != reply} == {}


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("max_tokens_reached", "truncated"),
        ("exceededContextWindow", "truncated"),
        ("content_policy_violation", "refused"),
        ("GUARDRAIL_INTERVENTION", "refused"),
        ("upstream_error", "broken"),
        ("MALFORMED_RESPONSE", "broken"),
        ("client_disconnect", "broken"),
        *((reason, kind) for kind in ("truncated", "refused", "broken") for reason in FORMS["finish"][kind]),
        ("MAX_TOKENS", "truncated"),
        ("FINISH_REASON_MAX_TOKENS", "truncated"),
        ("FinishReason.MAX_TOKENS", "truncated"),
        ("maxTokens", "truncated"),
        ("Length", "truncated"),
        ("max-tokens", "truncated"),
        ("SAFETY", "refused"),
        ("contentFilter", "refused"),
        ("RECITATION", "refused"),
        ("ABORT", "broken"),
        *(
            (reason, "")
            for reason in (
                "stop",
                "STOP",
                "end_turn",
                "eos",
                "eos_token",
                "stop_sequence",
                "tool_calls",
                "1",
                "",
            )
        ),
    ],
)
def test_finish_reasons_in_any_form(reason, kind):
    assert finish_kind(reason) == kind


def test_the_whole_sentences_of_a_text_that_was_cut():
    assert first_sentences("A dog runs. A cat sits on the") == "A dog runs."
    assert first_sentences('It says "Stop." and so') == 'It says "Stop."'
    assert first_sentences("一只狗。一只猫坐在") == "一只狗。"
    assert first_sentences("A dog of 2.5 kg runs over") == ""


@pytest.mark.parametrize("form", FORMS["refusal"], ids=lambda form: form["language"])
def test_no_refusal_begins_as_most_captions_do(form):
    """Such replies are not compared with the forms at all."""
    if form["language"] in {"Turkish", "Korean"}:  # the words that decline stand within the sentence
        return
    unable = [form["unable"]] if isinstance(form["unable"], str) else form["unable"]
    for pattern in (form["apology"], form["assistant"], *unable):
        for start in USUAL_STARTS:
            assert regex.match(pattern, start, partial=True) is None, pattern
