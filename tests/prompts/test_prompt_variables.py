from __future__ import annotations

import dataclasses
import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutline.errors import SampleError
from cutline.prompts import Prompt, sample_variables
from cutline.prompts.variables import escape
from cutline.records import Location, Sample

BRACED = st.text(st.sampled_from('{}ab_.: "1-é中\n')) | st.text()


def rendered(prefix, **values):
    return Prompt(prefix=prefix).render(values).prefix


def test_values_replace_variables_everywhere():
    prompt = Prompt(system="For {shop}.", prefix="A {thing} of {shop}?", suffix="{thing}:")
    assert prompt.variables == ("shop", "thing")
    done = prompt.render({"shop": "Meier", "thing": "hat"})
    assert (done.system, done.prefix, done.suffix) == ("For Meier.", "A hat of Meier?", "hat:")


@pytest.mark.parametrize(
    "text",
    [
        '{"caption": "..."}',
        '{"a": {"b": {"c": 1}}}',
        "{}",
        "{ name }",
        "{0}",
        "{name!r}",
        "{name:>10}",
        "{name[0]}",
        "{a..b}",
        "{a.}",
        "\\frac{1}{2}",
        "{1-3} words",
        "a set {x, y}",
    ],
)
def test_braces_around_anything_but_a_name_are_text(text):
    prompt = Prompt(prefix=text)
    assert prompt.variables == ()
    assert prompt.render({"name": "X", "a": "Y", "x": "Z"}) is prompt


def test_doubled_braces_are_literal():
    assert rendered("{{name}} is {name}", name="X") == "{name} is X"
    assert rendered("only {{name}}") == "only {name}"


@given(BRACED)
def test_escaped_text_renders_to_itself(text):
    assert rendered(escape(text)) == text


@given(BRACED, st.dictionaries(st.text(), st.none() | st.integers() | st.text()))
def test_text_without_variables_is_never_touched_nor_refused(text, values):
    prompt = Prompt(prefix=escape(text).replace("{", "{ "))
    assert prompt.render(values) is prompt


@given(st.text(min_size=1).filter(str.strip))
def test_values_are_inserted_as_they_are(value):
    done = Prompt(prefix="<{a}>{b}").render({"a": value, "b": "{a}"})
    assert done.prefix == f"<{value}>{{a}}"
    assert done.render({"a": "again"}) is done


def test_lone_surrogates_in_a_value_can_be_sent():
    rendered("{a}", a="caf\udce9").encode()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("ein Hut", "ein Hut"),
        (0, "0"),
        (2.5, "2.5"),
        (True, "True"),
        (["red", "hat"], "red, hat"),
        ((1, 2), "1, 2"),
        ({"en": "hät"}, '{"en": "hät"}'),
        (dt.date(2024, 5, 1), "2024-05-01"),
    ],
)
def test_values_become_readable_text(value, text):
    assert rendered("{v}", v=value) == text


@pytest.mark.parametrize("values", [{}, {"v": None}, {"v": " "}, {"v": []}, {"V": "x"}, {"v": b"x"}])
def test_a_sample_without_the_value_fails_alone_and_says_which(values):
    with pytest.raises(SampleError, match=r"\{v\}") as caught:
        Prompt(prefix="{v}").render(values)
    assert caught.value.kind == "prompt-variable"


def test_a_column_of_the_table_that_an_output_was_made_of_is_named_where_it_is():
    with pytest.raises(SampleError, match=r"did you mean \{metadata\.context\}\?"):
        Prompt(prefix="{context}").render({"key": "a.jpg", "text": "t", "metadata": {"context": "flood"}})


def test_a_misspelt_variable_is_told_with_what_there_is():
    with pytest.raises(SampleError) as caught:
        Prompt(prefix="{twet_text}").render({"key": "a.jpg", "tweet_text": "help", "event name": "flood"})
    assert "did you mean {tweet_text}?" in str(caught.value)
    assert "key, tweet_text, event_name" in str(caught.value)


def test_dotted_names_look_into_mappings_only():
    class Thing:
        secret = "s3cret"

    assert rendered("{a.b}", **{"a.b": "whole"}) == "whole"
    assert rendered("{a.b}", a={"b": "inner"}) == "inner"
    assert rendered("{step.out.x}", step={"out": {"x": 1}}) == "1"
    for values in ({"a": Thing()}, {"a": "text"}, {"a": ["x"]}):
        for name in ("secret", "__class__", "b"):
            with pytest.raises(SampleError):
                Prompt(prefix=f"{{a.{name}}}").render(values)


def test_columns_with_blanks_have_a_name_without():
    assert rendered("{Product_name}", **{"Product name": "hat"}) == "hat"
    assert rendered("{tweet-text}", **{"tweet-text": "hi"}) == "hi"
    assert rendered("{größe}", größe=3) == "3"


@dataclasses.dataclass(frozen=True)
class At(Location):
    name: str

    @property
    def path(self):
        return self.name

    def read(self):
        return b""


@pytest.mark.parametrize(
    ("path", "folder", "file_name", "stem"),
    [
        ("/data/dogs/beagle/1.jpg", "beagle", "1.jpg", "1"),
        ("photos/x.tar.png", "photos", "x.tar.png", "x.tar"),
        ("https://host.org/cats/tom.jpg?size=2/3", "cats", "tom.jpg", "tom"),
        ("shards/0001.tar/000017.jpg", "0001.tar", "000017.jpg", "000017"),
    ],
)
def test_what_a_prompt_can_say_about_a_sample(path, folder, file_name, stem):
    sample = Sample(key="k", location=At(path), text="old", metadata={"colour": "red"})
    values = sample_variables(sample)
    assert values == {
        "key": "k",
        "path": path,
        "folder": folder,
        "file_name": file_name,
        "stem": stem,
        "text": "old",
        "colour": "red",
    }


def test_a_column_wins_over_a_built_in():
    sample = Sample(key="k", location=At("a/b.jpg"), metadata={"folder": "mine"})
    assert Prompt(prefix="{folder}").render(sample_variables(sample)).prefix == "mine"
