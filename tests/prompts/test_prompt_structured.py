from __future__ import annotations

import json
import time

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutline.errors import ConfigError, ReplyError
from cutline.prompts import Prompt, load_prompt

SCHEMA = {
    "type": "object",
    "properties": {
        "short": {"type": "string", "maxLength": 40},
        "long": {"type": "string"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "people": {"type": "integer", "minimum": 0},
    },
    "required": ["short", "tags"],
}
PROMPT = Prompt(schema=SCHEMA)
VALUE = {"short": "A dog.", "tags": ["dog"]}
TEXT = json.dumps(VALUE)


@pytest.mark.parametrize(
    "reply",
    [
        TEXT,
        f"\n {TEXT}\n",
        f"```json\n{TEXT}\n```",
        f"```\n{json.dumps(VALUE, indent=2)}\n```\nI hope it helps {{smile}}.",
        f"Sure! As asked in {{short, tags}}:\n\n{TEXT}\n\nAnything else?",
        f'First {{"short": 1}}, no: {TEXT}',
        f'A draft: {{"short": "draft", "tags": ["draft"]}}\n```json\n{TEXT}\n```',
        f"<think>{{}} maybe {TEXT[:9]}</think>{TEXT}",
        f"[{TEXT}]",
        f"{TEXT}{TEXT}",
        '{"short": "A dog.", "tags": ["dog"], "short": "A dog."}',
    ],
)
def test_the_object_is_found(reply):
    assert PROMPT.extract(reply) == ("A dog.", VALUE)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"caption": "c", "long": "l", "description": "d", "short": "s", "a": "a"}, "c"),
        ({"long": "l", "description": "d", "short": "s", "a": "a"}, "l"),
        ({"description": "d", "short": "s", "a": "a"}, "d"),
        ({"short": "s", "a": "a"}, "s"),
        ({"b": "second", "a": "first"}, "first"),  # the schema's order, not the reply's
        ({"n": 1, "z": "only"}, "only"),
        ({"caption": " ", "short": "s"}, "s"),
        ({"caption": 5, "a": "a"}, "a"),
        ({"n": 1, "tags": ["x", "y"]}, "x, y"),
    ],
)
def test_which_field_is_the_caption(value, text):
    prompt = Prompt(schema={"type": "object", "properties": {"a": {}, "b": {}}})
    assert prompt.extract(json.dumps(value)) == (text, value)


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ("A dog.", "no JSON object"),
        ("", "no JSON object"),
        ('["a"]', "no JSON object"),
        ('{"short": "A dog."', "broken"),
        ('{"short": "A dog.", "inner": {"short": "B", "tags": []}, }', "broken"),
        ('{"short": "A dog.", "inner": {"short": "B", "tags": []}', "broken"),
        ("{'short': 'A dog.', 'tags': []}", "broken"),
        ('{"short": "A dog."}', "tags"),
        ('{"short": 5, "tags": []}', r"\$\.short"),
        ('{"short": "A", "tags": ["a", 5]}', r"\$\.tags\[1\]"),
        ('{"short": "A", "tags": [], "people": -1}', r"\$\.people"),
        ('{"short": "A", "short": "B", "tags": []}', "twice"),
        ('{"short": "A", "tags": [], "x": NaN}', "NaN"),
        ('{"short": "A", "tags": [], "x": -Infinity}', "Infinity"),
        ('{"short": "A", "tags": [], "x": 1e999}', "finite"),
        ('{"short": "A", "tags": [], "x": %s}' % ("9" * 30), "64 bits"),
        ('{"short": "A", "tags": [], "x": %s}' % ("9" * 9000), "64 bits"),
        ('{"short": "A", "tags": [], "x": ' + '{"x": ' * 100_000, "deep"),
        ('{"short": "A", "tags": ' + "[" * 100_000 + "]" * 100_000 + "}", "deep"),
        ('{"short": "%s", "tags": []}' % ("A\\nB " * 5000), r"\$\.short"),
    ],
    ids=lambda text: text[:30],
)
def test_a_miss_gives_its_reason_in_one_line(reply, reason):
    with pytest.raises(ReplyError, match=reason) as caught:
        PROMPT.extract(reply)
    assert caught.value.kind == "schema-miss"
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        ('{"short": " ", "tags": []}', "empty"),
        ("<think>{}</think>", "empty"),
        (json.dumps({"short": "A", "long": "A tree and a car. " * 9, "tags": []}), "loop"),
    ],
)
def test_the_caption_in_it_is_checked_too(reply, kind):
    with pytest.raises(ReplyError) as caught:
        PROMPT.extract(reply)
    assert caught.value.kind == kind


def test_line_breaks_within_strings_are_taken():
    assert PROMPT.extract('{"short": "A\ndog.", "tags": []}')[0] == "A\ndog."


def test_what_comes_out_can_be_written():
    reply = r'{"short": "A \ud800 dog", "tags": ["\udfff"], "\ud801": {"a": ["\ud800"]}}'
    text, fields = PROMPT.extract(reply)
    orjson.dumps([text, fields])


TREES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(
    st.text(st.characters(exclude_characters="{`<")),
    st.dictionaries(st.text(st.characters(codec="utf-8")), TREES),
    st.sampled_from(["{}", "```json\n{}\n```", "Here: {} Done."]),
    st.booleans(),
)
def test_any_object_is_read_back(before, value, frame, ascii_only):
    value = {**value, "caption": "A dog."}
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return
    reply = before + frame.replace("{}", json.dumps(value, ensure_ascii=ascii_only))
    assert Prompt(schema={"type": "object"}).extract(reply) == ("A dog.", value)


@given(st.text() | st.text(st.sampled_from('{}[]":,\\ab1`\n ')).map(lambda text: "{" + text))
def test_any_reply_is_an_object_or_a_named_failure(reply):
    kind = ""
    try:
        PROMPT.extract(reply)
    except ReplyError as error:
        kind = error.kind
    assert kind in {"", "schema-miss", "empty"}


@pytest.mark.parametrize(
    "reply",
    [
        "{" * 300_000,
        '{"a":' * 100_000,
        '{"a":1,' * 50_000,
        "```\n" * 50_000,
        "```" + " \n" * 100_000,
        "```json\n{" * 20_000,
        '{"a": "' + "x{" * 100_000,
        "{} " * 100_000,
    ],
    ids=lambda reply: reply[:10],
)
def test_long_nonsense_costs_no_time(reply):
    start = time.perf_counter()
    with pytest.raises(ReplyError):
        PROMPT.extract(reply)
    assert time.perf_counter() - start < 30


OBJECT = {"type": "object"}


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        ({"type": "string"}, "object"),
        ({"properties": {"a": {"type": "string"}}}, '"type": "object"'),
        ({**OBJECT, "properties": {"a": {"type": "text"}}}, "properties.a.type"),
        ({**OBJECT, "required": "a"}, "required"),
        ({**OBJECT, "properties": {"a": {"$ref": "https://example.org/a.json"}}}, "only references within"),
        ({**OBJECT, "properties": {"a": {"$ref": "file:///etc/passwd"}}}, "only references within"),
        ({**OBJECT, "$defs": {"x": {"$ref": "other.json#/a"}}}, "only references within"),
        ({**OBJECT, "allOf": [{"$ref": "#/$defs/none"}]}, "leads nowhere"),
        ({**OBJECT, "allOf": [{"$ref": "#"}]}, "leads nowhere"),
        ({**OBJECT, "patternProperties": {"(a+)+$": {}}}, "patternProperties"),
        ({**OBJECT, "properties": {"a": {"pattern": "("}}}, "not valid"),
        ({**OBJECT, "x": float("nan")}, "not JSON"),
        ({**OBJECT, "x": b"bytes"}, "not JSON"),
        (["object"], "object"),
    ],
)
def test_schemas_that_cannot_judge_a_reply_are_refused(schema, reason):
    with pytest.raises(ConfigError, match=reason):
        Prompt(schema=schema)


def test_fields_may_be_named_like_keywords():
    schema = {
        **OBJECT,
        "properties": {"patternProperties": {"type": "string"}, "$ref": {"const": {"$ref": "x"}}},
    }
    assert Prompt(schema=schema).extract('{"patternProperties": "a"}')[0] == "a"


def test_references_within_the_schema_are_followed():
    schema = {
        **OBJECT,
        "properties": {"caption": {"$ref": "#/$defs/line"}, "more": {"$ref": "#"}},
        "$defs": {"line": {"type": "string", "maxLength": 5}},
    }
    prompt = Prompt(schema=schema)
    assert prompt.extract('{"caption": "A dog", "more": {"caption": "dog"}}')[0] == "A dog"
    with pytest.raises(ReplyError, match=r"more\.caption"):
        prompt.extract('{"caption": "A dog", "more": {"caption": "too long"}}')


def test_a_pattern_of_the_schema_cannot_run_away():
    prompt = Prompt(schema={**OBJECT, "properties": {"caption": {"type": "string", "pattern": "^(x+x+)+y$"}}})
    assert prompt.extract('{"caption": "xxxy"}')[0] == "xxxy"
    start = time.perf_counter()
    with pytest.raises(ReplyError, match="stopped"):
        prompt.extract(json.dumps({"caption": "x" * 50_000}))
    assert time.perf_counter() - start < 30
    with pytest.raises(ReplyError, match="does not match"):
        prompt.extract('{"caption": "dog"}')


def test_the_instruction_holds_the_whole_schema():
    text = PROMPT.schema_instruction()
    assert json.loads(text[text.index("{") :]) == SCHEMA
    assert Prompt().schema_instruction() == ""


def test_the_library_prompt_with_fields():
    reply = {"short": "A dog.", "long": "A dog runs on grass.", "tags": ["dog", "grass"]}
    assert load_prompt("fields").extract(json.dumps(reply)) == ("A dog runs on grass.", reply)
