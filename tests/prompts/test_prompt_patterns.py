"""Extraction by a user's regular expression: the meaning of ``re``, without its endless searches."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutline.errors import ConfigError, ReplyError
from cutline.prompts import Prompt
from cutline.prompts.patterns import compiled


def caption(pattern, reply):
    text, fields = Prompt(regex=pattern).extract(reply)
    assert fields is None
    return text


@pytest.mark.parametrize(
    ("pattern", "reply", "text"),
    [
        (r"<caption>.*</caption>", "Well: <caption>\nA dog\nruns.\n</caption> Done.", "A dog\nruns."),
        (r"<caption>(.*?)</caption>", "<caption>A</caption><caption>B</caption>", "A"),
        (r"(A: )(?P<caption>.*)", "Q: x A: a dog", "a dog"),
        (r"(A): (.*)", "A: a dog", "A"),
        (r".*", "<caption>A dog</caption>", "A dog"),
        (r".*", '<p class="x">A dog</p>', "A dog"),
        (r".*", "A <b>dog</b>", "A <b>dog</b>"),
        (r".*", "<a>A</b>", "<a>A</b>"),
        (r".*", "plain", "plain"),
        (r"<c>(.*?)</c>|^(.+)$", "no tags here", "no tags here"),
        (r"(?P<caption>x)?.*", "a dog", "a dog"),
        (r"(?i)ANSWER: (.*)", "answer: 一只狗", "一只狗"),
        (r"Caption: (.*)", "Sure! Caption: Sure! it is", "Sure! it is"),
    ],
)
def test_what_is_taken(pattern, reply, text):
    assert caption(pattern, reply) == text


@pytest.mark.parametrize(
    ("pattern", "reply", "kind"),
    [
        (r"<caption>(.*?)</caption>", "A dog.", "regex-miss"),
        (r"<caption>(.*?)</caption>", "", "regex-miss"),
        (r"<caption>(.*?)</caption>", "<caption> \n </caption>", "empty"),
        (r".*", "", "empty"),
        (r".*", "<caption></caption>", "empty"),
        (r"<caption>(.*)</caption>", "<caption>" + "A dog and a cat. " * 9 + "</caption>", "loop"),
        (r"<c>(.*?)</c>", "<think><c>draft</c></think> no tags", "regex-miss"),
        (r"<c>(.*?)</c>", "<think><c>draft</c>", "empty"),
    ],
)
def test_misses_have_a_kind_and_one_line(pattern, reply, kind):
    with pytest.raises(ReplyError) as caught:
        caption(pattern, reply)
    assert caught.value.kind == kind
    assert "\n" not in str(caught.value)


def test_reasoning_is_searched_only_by_a_pattern_that_names_it():
    reply = "<think><c>draft</c></think><c>final</c>"
    assert caption("<c>(.*?)</c>", reply) == "final"
    assert caption("<think>.*?<c>(.*?)</c>", reply) == "draft"


@pytest.mark.parametrize(
    ("pattern", "reply"),
    [
        (r"(a|aa)+$", "a" * 5000 + "b"),
        (r"(x+x+)+y", "x" * 100_000),
        (r"(\w+\s?)*:", "word " * 20_000),
        (r"((((a{1,100}){1,100}){1,100}){1,100})b", "a" * 500),
        (r"^(.*?,){30}P", "1," * 200),
    ],
)
def test_a_pattern_that_runs_away_is_stopped(pattern, reply):
    start = time.perf_counter()
    with pytest.raises(ReplyError) as caught:
        caption(pattern, reply)
    assert caught.value.kind in {"regex-timeout", "regex-miss"}
    assert time.perf_counter() - start < 30


def test_a_stopped_search_says_so():
    with pytest.raises(ReplyError, match="backtracking") as caught:
        caption(r"(x+x+)+y", "x" * 100_000)
    assert caught.value.kind == "regex-timeout"


@pytest.mark.parametrize(
    "pattern", ["(", "[a", "a**", "(?P<x", r"\p{L}", r"(?R)", "(?<=a+)b", r"\K", "x{3,2}"]
)
def test_what_python_refuses_is_refused_at_once(pattern):
    with pytest.raises(ConfigError, match="is not valid"):
        Prompt(regex=pattern)


PATTERNS = [
    r"foo{e}",
    r"a{1}b{,2}c{,}",
    r'{"caption": "(.*?)"}',
    r"\{(.*?)\}",
    r"{{(.*)}}",
    r"(?:a{e<=1})",
    r"[a{e}]+",
    r"[]{]x",
    r"[^]{]+",
    r"[\]{]+",
    r"\N{HYPHEN}?x",
    r"x{i}",
    r"(a+|b){0,3}\Z",
    r"\b\w+\b",
    r"(?m)^(.*)$",
    r"(?s:.)(?-s:.)x",
    r"(?<![ab])c(?=\s)",
    r"(?>a+)b",
    r"(?i)straße|ss",
    r"(?x) a \s b  # a [comment",
    r"\\{e}",
    r"(\w)\1",
]


@pytest.mark.parametrize("pattern", PATTERNS)
@given(
    text=st.text(st.sampled_from('abcefoxsS{}[]<=1," \n\\ß-:\u2010'))
    | st.sampled_from(["foo{e}", '{"caption": "x"}'])
)
def test_patterns_mean_what_they_mean_in_python(pattern, text):
    ours, theirs = compiled(pattern).search(text), re.compile(pattern, re.DOTALL).search(text)
    assert (ours and (ours.span(), ours.groups())) == (theirs and (theirs.span(), theirs.groups()))


@pytest.mark.filterwarnings("ignore:Possible nested set:FutureWarning")
def test_a_posix_class_is_the_set_that_python_reads():
    assert caption("[[:alpha:]]+", "xyz h] :]") == "h]"


@given(st.text(), st.text(st.characters(codec="utf-8")))
def test_whatever_stands_between_the_tags_comes_back(before, inner):
    reply = f"{before}<caption>{inner}</caption>"
    kind, text = "", ""
    try:
        text = caption("<caption>(.*)</caption>", reply)
    except ReplyError as error:
        kind = error.kind
    assert kind == "loop" or bool(text) == bool(inner.replace("\x00", "").strip())
    assert text in inner.replace("\x00", "") or "<caption>" in before
