"""What each bulk edit makes of captions, and what it leaves alone."""

from __future__ import annotations

import pyarrow as pa
import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from cutline.dataset import edits, tag_edits
from cutline.dataset.edits import Edit, apply_to_lines
from cutline.errors import ConfigError
from cutline.text.words import whole_words

Replace = edits.Replace


def of(edit: Edit, text: str | None) -> str | None:
    result: str | None = edit.apply(pa.array([text], pa.string()))[0].as_py()
    return result


@given(
    old=st.text("aks_- .\\\n", min_size=1, max_size=3),
    texts=st.lists(st.text("aksAKS_- .\\\né\u0301猫\u017f\u212a", max_size=12) | st.none(), max_size=4),
    ignore_case=st.booleans(),
)
def test_whole_words_are_replaced_as_the_definition_of_words_has_it(
    old: str, texts: list[str | None], ignore_case: bool
) -> None:
    pattern = regex.compile(whole_words(regex.escape(old), old), regex.IGNORECASE if ignore_case else 0)
    edit = Replace(old=old, new="\\1", word=True, ignore_case=ignore_case)
    found = edit.apply(pa.array(texts, pa.string())).to_pylist()
    assert found == [text if text is None else pattern.sub(r"\\1", text) for text in texts]


@pytest.mark.parametrize(
    ("edit", "before", "after"),
    [
        (edits.Prefix(text="photo of"), "a cat", "photo of a cat"),
        (edits.Prefix(text="#"), "cat", "#cat"),
        (edits.Suffix(text=", 4k"), "a cat", "a cat, 4k"),
        (edits.Suffix(text="at night"), "a cat", "a cat at night"),
        (edits.Trigger(text="ohwx"), "a cat", "ohwx, a cat"),
        (edits.Trigger(text="ohwx"), "ohwx, a cat", "ohwx, a cat"),
        (edits.Trigger(text="ohwx"), "ohwxman, a cat", "ohwx, ohwxman, a cat"),
        (tag_edits.DedupeTags(), "..,..", ".."),
        (tag_edits.RenameTag(tags=("cat", "dog"), new="pet"), " Cat , sky,dog.", " pet , sky."),
        (tag_edits.RemoveTag(tags=("ss",)), "a,  ß\n b\uff0css", "a\n b"),
        (tag_edits.SortTags(), "b , Ä,a\n\n c.", "a , b,c\n\n Ä."),
        (edits.SentenceCase(), "“a cat. ...? the\u00a0dog! 1 éa", "“A cat. ...? The\u00a0dog! 1 éa"),
        (edits.Trim(), " a\u00a0\t b \n\n c\n", "a b\n\nc"),
        (Replace(old="cat", new="dog"), "cat category", "dog dogegory"),
        (
            Replace(old="cat", new="dog", word=True),
            "cat, category cat's concat",
            "dog, category dog's concat",
        ),
        (Replace(old="café", new="bar", word=True), "un café, cafés", "un bar, cafés"),
        (Replace(old="café", new="bar", word=True), "un cafe\u0301, cafe\u0301s", "un bar, cafe\u0301s"),
        (Replace(old="cafe\u0301", new="bar"), "un café", "un bar"),
        (Replace(old="猫在", new="犬在", word=True), "一只猫在桌子上", "一只犬在桌子上"),
        (
            Replace(old="cat", new="a\\1", word=True),
            "écat cat, cat猫 cat\u0301 cat_ Cat",
            "écat a\\1, a\\1猫 cat\u0301 cat_ Cat",
        ),
        (Replace(old="is", new="was", word=True, ignore_case=True), "Is i\u017f this", "was was this"),
        (Replace(old="a -", new="b", word=True), "a - xa -", "b xa -"),
        (Replace(old="CAT", new="dog", ignore_case=True), "Cat cat", "dog dog"),
        (Replace(old="a.b", new="x"), "a.b aXb", "x aXb"),
        (Replace(old="a\\b", new="c\\1"), "a\\b", "c\\1"),
        (Replace(old=r"(\w+) cat", new=r"cat, \1", regex=True), "a red cat", "a cat, red"),
        (Replace(old=r"\bcafé\b", new="", regex=True), "café cafés", " cafés"),
        (Replace(old="$", new="!", regex=True), "end", "end!"),
        (tag_edits.AddTag(tag="z"), "a, b", "a, b, z"),
        (tag_edits.AddTag(tag="B"), "a, b", "a, b"),
        (tag_edits.AddTag(tag="z", first=True), "a, b", "z, a, b"),
        (tag_edits.AddTag(tag="z"), "a, b.", "a, b, z."),
        (tag_edits.AddTag(tag="z"), "A cat sits.", "A cat sits. z"),
        (tag_edits.RemoveTag(tags=("b",)), "a, b, c", "a, c"),
        (tag_edits.RemoveTag(tags=("c",)), "a, b, c", "a, b"),
        (tag_edits.RemoveTag(tags=("a",)), "a,b,c", "b,c"),
        (tag_edits.RemoveTag(tags=("A", "c")), "a, b, C.", "b."),
        (tag_edits.RemoveTag(tags=("a",)), "a", ""),
        (tag_edits.RemoveTag(tags=("cat",)), "category, a cat", "category, a cat"),
        (tag_edits.RenameTag(tags=("b",), new="x"), "a, b ,c", "a, x ,c"),
        (tag_edits.RenameTag(tags=("a", "c"), new="x"), "a, b, c", "x, b"),
        (tag_edits.RenameTag(tags=("a",), new="b"), "a, b", "b"),
        (tag_edits.RenameTag(tags=("b",), new=" "), "a, b", "a"),
        (Replace(old="红色的车", new=""), "红色的车\uff0c夜晚\u3002", "夜晚\u3002"),
        (Replace(old="夜晚", new=""), "一\uff0c夜晚\uff0c二\u3001夜晚", "一\uff0c二"),
        (Replace(old="حمراء", new=""), "قطة حمراء\u060c سيارة حمراء", "قطة\u060c سيارة"),
        (tag_edits.SortTags(), "c, a ,b.", "a, b ,c."),
        (tag_edits.SortTags(), "(tag:1.2), a", "(tag:1.2), a"),
        (tag_edits.SortTags(), "c, B, a, b.", "a, B, b, c."),
        (tag_edits.SortTags(), "b, , a", "a, , b"),
        (tag_edits.SortTags(), "c, b\uff0ca", "a, b\uff0cc"),
        (tag_edits.DedupeTags(), "a, b, A, c, b", "a, b, c"),
        (tag_edits.DedupeTags(), "a, b, a.", "a, b."),
        (edits.Trim(), "  a   cat \n on\ta mat ", "a cat\non a mat"),
        (edits.SentenceCase(), "a cat. it sits! éa? (no)", "A cat. It sits! Éa? (No)"),
        (edits.SentenceCase(), "A 3.5 m pole", "A 3.5 m pole"),
        (edits.RemoveOpeners(), "The image shows a cat.", "A cat."),
        (edits.RemoveOpeners(), "In this picture, we can see two dogs", "Two dogs"),
        (edits.RemoveOpeners(), "a photo of a cat", "a cat"),
        (edits.RemoveOpeners(), "A photographer shows a print", "A photographer shows a print"),
        (edits.RemoveOpeners(), "The image shows ", "The image shows "),
    ],
    ids=lambda value: repr(value)[:60] if isinstance(value, str) else type(value).__name__,
)
def test_an_edit_changes_what_it_names_and_nothing_else(edit: Edit, before: str, after: str) -> None:
    assert of(edit, before) == after
    assert of(edit, None) is None


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (Replace(old="(", new="", regex=True), "pattern"),
        (Replace(old="a", new=r"\1", regex=True), "replacement"),
        (Replace(old="", new="x"), "empty"),
    ],
)
def test_what_is_wrong_with_an_edit_is_one_line(edit: Edit, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        of(edit, "a caption")


def test_a_pattern_that_never_ends_is_refused() -> None:
    edit = Replace(old=r"(a|aa)+$", new="", regex=True)
    with pytest.raises(ConfigError, match="too long"):
        edit.apply(pa.array(["a" * 5000 + "b"] * 3))


def test_in_a_file_of_one_caption_a_line_each_line_is_edited() -> None:
    texts = pa.array(["a cat\n\na dog\n ", None, "", "x"])  # what is blank is no caption
    changed = apply_to_lines(edits.Trigger(text="ohwx"), texts).to_pylist()
    assert changed == ["ohwx, a cat\n\nohwx, a dog\n ", None, "", "ohwx, x"]
    for edit in (tag_edits.AddTag(tag="z"), edits.Suffix(text="z"), edits.Prefix(text="z")):
        first, blank, *_ = apply_to_lines(edit, texts).to_pylist()[0].split("\n")
        assert ("z" in first, blank) == (True, "")
    assert apply_to_lines(edits.Trim(), texts)[0].as_py() == "a cat\n\na dog\n"


@pytest.mark.parametrize(
    ("gone", "kept"),
    [
        ("a", "cat\n  b, c\nd\ne"),
        ("cat", "a\n  b, c\nd\ne"),
        ("b", "a, cat\n  c\nd\ne"),
        ("c", "a, cat\n  b\nd\ne"),
        ("d", "a, cat\n  b, c\ne"),
        ("e", "a, cat\n  b, c\nd"),
        ("cat b", "a\n  c\nd\ne"),
        ("b c", "a, cat\nd\ne"),
        ("a cat", "b, c\nd\ne"),
    ],
)
def test_tags_that_go_join_no_lines(gone: str, kept: str) -> None:
    assert of(tag_edits.RemoveTag(tags=tuple(gone.split())), "a, cat\n  b, c\nd\ne") == kept


def test_tags_that_are_there_twice_join_no_lines() -> None:
    assert of(tag_edits.DedupeTags(), "a, b\nc, a\nd, b, e\nb") == "a, b\nc\nd, e"
