"""Outcomes come back from a journal as they were, whatever a model wrote."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutline.engine.outcome_json import outcome_from_json, outcome_or_none, outcome_to_json
from cutline.records import Caption, Failure, Outcome, Reply, Step, Usage
from cutline.serialization import decode_json, encode_json, valid_unicode

TEXTS = st.text(st.characters(exclude_categories=())) | st.sampled_from(
    ["\0\ud83d", "half \udcff", "\ud83d\ude00"]
)


def there_and_back(outcome: Outcome) -> Outcome:
    return outcome_from_json(decode_json(encode_json(outcome_to_json(outcome))))


@given(TEXTS, st.none() | st.dictionaries(TEXTS, st.integers(-(2**80), 2**80) | TEXTS, max_size=3))
def test_replies_with_half_characters_and_any_raw_answer(text: str, raw: dict[str, object] | None) -> None:
    reply = Reply(text=text, model="m", usage=Usage(prompt_tokens=5), raw=raw)
    step = Step(name="s", prompt_id="p@1", text=text, reply=reply)
    whole = valid_unicode(text)
    caption = there_and_back(Caption(key="a.png", text=text, steps=(step,), content_id="c"))
    assert isinstance(caption, Caption)
    assert (caption.text, caption.steps[0].text, caption.steps[0].reply.text) == (whole, whole, whole)
    assert caption.steps[0].reply.usage == reply.usage
    failed = Failure(key="a.png", kind="schema-miss", message="none", reply=reply, content_id="c")
    found = there_and_back(failed)
    assert isinstance(found, Failure)
    assert found.reply == dataclasses.replace(reply, text=whole, raw=found.reply and found.reply.raw)


@pytest.mark.parametrize("reply", ["Reply(text='x')", 3, []])
def test_a_reply_that_is_none_is_no_outcome(reply: object) -> None:
    data = outcome_to_json(Failure(key="a.png", kind="schema-miss", message="none", content_id="c"))
    assert outcome_or_none({**data, "reply": reply}) is None
