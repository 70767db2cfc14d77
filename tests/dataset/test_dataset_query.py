"""Queries find the rows that their words mean, and say where they are wrong."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from cutline.dataset.dataset import Dataset
from cutline.dataset.query import QueryError, parse
from cutline.dataset.records import EditInfo
from cutline.dataset.row_sets import MOST
from cutline.dataset.tag_edits import RemoveTag
from cutline.dataset.tags import tags_of
from cutline.errors import ConfigError

CAPTIONS = {
    "train/1.jpg": "A cat sits on a mat.",
    "train/2.jpg": "red car, night, Wet street",
    "train/3.jpg": "un café près de la gare",
    "val/4.jpg": "a category of cafétéria",
    "val/5.jpg": None,
    "val/6.jpg": "a cat sits ON a mat",
    "val/7.jpg": "a mat on a cat sits",
}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    top = tmp_path_factory.mktemp("queried")
    for key, caption in CAPTIONS.items():
        (top / key).parent.mkdir(exist_ok=True)
        Image.new("RGB", (4, 4)).save(top / key)
        if caption is not None:
            (top / key).with_suffix(".txt").write_text(caption)
    opened = Dataset(os.fspath(top))
    opened.row_sets.put("first", [4, 0, 1, 1])
    opened.row_sets.put(" the cats ", opened.find('"cat"'))
    return opened


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ("", "1234567"),
        ("cat", "1467"),
        ("CAT", "1467"),
        ('"cat"', "167"),
        ('"café"', "3"),
        ('"on a mat"', "16"),
        ("cat mat", "167"),
        ("cat AND mat", "167"),
        ("gare OR night", "23"),
        ("cat -mat", "4"),
        ("NOT cat", "235"),
        ("(gare OR night) -red", "3"),
        ("NOT (cat OR missing:)", "23"),
        ("missing:", "5"),
        ("missing:no", "123467"),
        ("tag:night", "2"),
        ('tag:"wet street"', "2"),
        ("tag:wet", ""),
        ("path:train/", "123"),
        ("path:*/[45].jpg", "45"),
        ("path:*ai*/*2*", "2"),
        ("path:*[z-a]*", ""),
        ("words>5", "1367"),
        ("words:3..4", "4"),
        ("chars<5", "5"),
        ("tokens>=3 words<5", "4"),
        (r"re:/\bcafé\b/", "3"),
        ("re:/wet/i", "2"),
        ("re:/wet/", ""),
        (r"re:/a\/b/", ""),
        ("dup:exact", ""),
        ("dup:near", "167"),
        ('any:"gare,WET street"', "23"),
        ("any:cat,caf*", "13467"),
        ("any:cafe*,zzz", ""),
        ('all:"cat, a mat"', "167"),
        ("all:cat,cat*,mat", "167"),
        ("any:categ*", "4"),
        ('any:"on a ma*"', "16"),
        ("any:ca*", "123467"),
        ("-any:ca*", "5"),
        ('all:cat,mat (any:sits -any:"on a mat") OR all:gare', "37"),
        ('any:",, cat ,"', "167"),
        ("in:first", "125"),
        ('in:"the cats" -in:first', "67"),
        ("cat (in:first OR path:val/4*)", "14"),
        ("mat.", "1"),
        ("http://x", ""),
    ],
)
def test_a_query_finds_the_rows_that_it_means(dataset: Dataset, query: str, rows: str) -> None:
    assert "".join(str(row + 1) for row in dataset.find(query)) == rows


@pytest.mark.parametrize(
    ("query", "at", "message"),
    [
        ("a (cat", "(cat"[:1], "not closed"),
        ("cat)", ")", "has no opening one"),
        ("cat OR", "OR", "both sides"),
        ("AND cat", "AND", "both sides"),
        ("NOT", "NOT", "after it"),
        ('the "cat', '"cat', "not closed"),
        ("tga:x", "tga:", "did you mean tag:"),
        ("wrods>10", "wrods>", 'did you mean words> or the words "wrods>10"?'),
        ("cat token<=77", "token<=", "did you mean tokens<="),
        ("words>", "words>", "needs a number"),
        ("words>many", "words>", "needs a number"),
        ("tokens>77.5", "tokens>77.", "needs a whole number"),
        ("(chars<1e5)", "chars<1e", "needs a whole number"),
        ("words:20..10 cat", "words:20..10", "the smaller number comes first: words:10..20"),
        ("dup:bad", "dup:bad", "exact, near"),
        ("re:/a", "re:/a", "slash"),
        ("re:/(/", "re:/(/", "not valid"),
        ("tag:", "tag:", "needs a value"),
        ("path>3", "path>", "write path:"),
        ("cat words > 40", "words >", "write words>… without blanks"),
        ("tokens <=77", "tokens <=", "without blanks"),
        ("cat any:", "any:", "needs a value"),
        ('all:" , "', 'all:" , "', "needs a value"),
        ("any:cat,*", "any:cat,*", "beginning of a word"),
        ("in:", "in:", "a named set"),
        ("clster:3", "clster:", "did you mean cluster:"),
    ],
)
def test_a_mistake_is_pointed_at(query: str, at: str, message: str) -> None:
    with pytest.raises(QueryError, match=message) as caught:
        parse(query)
    assert query[caught.value.start : caught.value.end] == at


def test_deep_brackets_are_refused_not_a_crash() -> None:
    for query in ("(" * 5000 + "a" + ")" * 5000, "NOT " * 5000 + "a", "-" * 5000 + "a"):
        with pytest.raises(QueryError):
            parse(query)


def test_what_was_found_follows_an_edit(dataset: Dataset) -> None:
    assert dataset.find("words>5").tolist() == [0, 2, 5, 6]
    dataset.set_captions({0: "short"}, EditInfo(kind="save", summary="edit"))
    assert dataset.find("words>5").tolist() == [2, 5, 6]
    dataset.undo()
    assert dataset.find("words>5").tolist() == [0, 2, 5, 6]


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Dataset]:
    top = tmp_path / "own"
    (top / "deep" / "er").mkdir(parents=True)
    for name, content in {"1": b"same", "2": b"same", "3": b"SAME", "deep/4": b"x" * 9000}.items():
        (top / f"{name}.jpg").write_bytes(content)
        (top / f"{name}.txt").write_text('long hair, "red" cat, night' if name == "1" else "long hair, dog")
    (top / "deep" / "er" / "5.jpg").write_bytes(b"x" * 9000)
    (top / "deep" / "6.jpg").write_bytes(b"y" + b"x" * 8999)
    os.link(top / "3.jpg", top / "7.jpg")
    with Dataset(os.fspath(top)) as opened:
        opened.read_texts()
        yield opened


def keys(dataset: Dataset, query: str) -> list[str]:
    return [dataset.entries[row].key for row in dataset.find(query).tolist()]


def test_pictures_of_the_same_bytes_are_found(own: Dataset) -> None:
    same = ["1.jpg", "2.jpg", "3.jpg", "7.jpg", "deep/4.jpg", "deep/er/5.jpg"]
    assert sorted(keys(own, "dup:picture")) == same
    assert keys(own, "-dup:picture") == ["deep/6.jpg"]
    Path(own.folder, "2.jpg").unlink()
    assert "1.jpg" not in keys(own, "dup:picture")


def test_saved_filters_stand_for_their_queries(own: Dataset) -> None:
    words = own.query_words
    words.save_filter("dogs", "dog OR missing:")
    words.save_filter("my pick", "saved:dogs path:deep/")
    assert keys(own, 'saved:"my pick"') == keys(own, "(dog OR missing:) path:deep/")
    assert keys(own, "-saved:dogs") == ["1.jpg"]
    with Dataset(own.folder) as again:
        assert keys(again, "saved:dogs") == keys(own, "saved:dogs")
    for query, message in {
        "saved:cats": "there is no saved filter cats; there are dogs, my pick",
        "saved:": "there are dogs, my pick",
    }.items():
        with pytest.raises(QueryError, match=message) as raised:
            own.find(f"dog {query}")
        assert raised.value.start == 4
    words.save_filter("dogs", "dog")
    with pytest.raises(ConfigError, match="there is no saved filter dogs"):
        words.save_filter("dogs", "saved:dogs")
    for name in ("", "a/b", 'x"', "x" * 61):
        with pytest.raises(ConfigError, match="cannot name a filter"):
            words.save_filter(name, "dog")
    with pytest.raises(QueryError):
        words.save_filter("wrong", "(dog")
    words.save_filter("dogs", None)
    with pytest.raises(QueryError, match="in the saved filter my pick"):
        own.find('saved:"my pick"')
    with pytest.raises(KeyError):
        words.save_filter("dogs", None)


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("st|", ["status:"]),
        ("cat -sta|", ["cat -status:"]),
        ("status:|", ["status:done", "status:flagged", "status:failed", "status:open"]),
        ("(status:o|)", ["(status:open)", "(status:done)"]),
        ("tag:ha|", ['tag:"long hair"']),
        ('tag:"lo| x', ['tag:"long hair" x']),
        ('"a b" ha|', ['"a b" has:', '"a b" tag:"long hair"']),
        ('tag:"lo|ng" x', ['tag:"long hair" x']),
        ("tag:re|", ['tag:"\\"red\\" cat"']),
        ("ha|", ["has:", 'tag:"long hair"']),
        ("path:de|", ["path:deep/", "path:deep/er/"]),
        ("saved:|", ["saved:dogs"]),
        ("do|", ["saved:dogs", "tag:dog"]),
        ("model:|", ["model:blip"]),
        ("dup:pict|", ["dup:picture"]),
        ("words>|", []),
        ("zzz|", []),
        ("cat OR nig|", ["cat OR tag:night"]),
        ("in:las|", ["in:lasso-1"]),
        ('in:"m|', ['in:"my set"']),
        ("cluster:|", []),
        ("re:/a do|", []),
        ("re:/a (do|/", []),
        ("re:/a/ nig|", ["re:/a/ tag:night"]),
    ],
)
def test_fields_and_values_are_completed(own: Dataset, typed: str, completed: list[str]) -> None:
    own.query_words.save_filter("dogs", "dog")
    own.row_sets.put("my set", [0])
    own.row_sets.put("lasso-1", [0, 1])
    own.set_captions({2: "night"}, EditInfo(kind="caption", summary="x", model="blip"))
    place = typed.index("|")
    query = typed.replace("|", "")
    found = own.query_words.complete(query, place)
    texts = [query[: one.start] + one.text + query[one.end :] for one in found]
    assert texts == completed
    for text in texts:
        if text.endswith(":"):
            continue
        parse(text, own.query_words.filters())


def test_a_value_may_hold_quotation_marks(own: Dataset) -> None:
    assert keys(own, 'tag:"\\"red\\" cat"') == ["1.jpg"]
    assert keys(own, '"\\"red\\""') == ["1.jpg"]


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ('"red car"', "a red\tcar"),
        ('"red car"', "a red  car."),
        ('"猫在"', "一只猫在桌子上"),
        ('"été"', "E\u0301TE\u0301 chaud"),
        ('"e\u0301te\u0301"', "un été"),
        ("été", "l'e\u0301te\u0301"),
        ('"(red)"', "a(red)b"),
        ("any:été", "l'e\u0301te\u0301"),
        ('any:"zzz\uff0c猫在"', "一只猫在桌子上"),
        ("all:猫*,桌子", "一只猫在桌子上"),
        ("any:e\u0301t*", "un ÉTÉ"),
        ("any:кош*", "Кошка спит"),
        ("any:قط*", "قطة على سجادة"),
    ],
)
def test_words_are_found_in_every_script_and_spelling(query: str, text: str, tmp_path: Path) -> None:
    for number, caption in enumerate((text, "a red scar, red\ncar", "redcar", "ete")):
        Image.new("RGB", (4, 4)).save(tmp_path / f"{number}.jpg")
        (tmp_path / f"{number}.txt").write_text(caption)
    with Dataset(os.fspath(tmp_path)) as opened:
        assert opened.find(query).tolist() == [0]


@pytest.mark.parametrize(
    "caption",
    [
        "night, Red Car",
        "red car, night.",
        "a dog\nnight\nb",
        "红色的车\uff0c夜晚",
        "赤い車\u3001夜",
        "noir, cafe\u0301",
        "(blue:1.2), score 1.",
        "score 2, x .",
        "c#, [a] (b:1.1), ¿qué?, a.b",
        "one.",
    ],
)
def test_tags_are_found_as_they_are_edited(caption: str, tmp_path: Path) -> None:
    for number, text in enumerate((caption, "knight, nights, Red Cars, blue, score, 夜晚了", "a night, of")):
        Image.new("RGB", (4, 4)).save(tmp_path / f"{number}.jpg")
        (tmp_path / f"{number}.txt").write_text(text)
    with Dataset(os.fspath(tmp_path)) as opened:
        for tag in tags_of(caption):
            for spelling in (tag, tag.upper(), unicodedata.normalize("NFC", tag)):
                quoted = f'tag:"{spelling}"'
                assert opened.find(quoted).tolist() == [0], quoted
                preview = opened.preview(RemoveTag(tags=(spelling,)))
                assert preview.rows.tolist() == [0], quoted


def test_a_set_is_kept_by_its_pictures(own: Dataset) -> None:
    assert own.row_sets.put("lasso-1", [1, 3]) == {"lasso-1": 2}
    Path(own.folder, "0.jpg").write_bytes(b"first of all")
    Path(own.folder, "2.jpg").unlink()
    with Dataset(own.folder) as again:
        assert keys(again, "in:lasso-1") == ["7.jpg"]
        again.row_sets.put("lasso-1", again.find("path:6"))
        assert list(again.row_sets.put("mine", [0])) == ["mine", "lasso-1"]
    assert keys(own, "in:lasso-1") == ["deep/6.jpg"]  # what another process keeps
    for query, message in (
        ("in:laso-1", "there is no set laso-1; did you mean lasso-1?"),
        ("in:zzz", "there is no set zzz; there are lasso-1, mine"),
        ("cluster:3", "there are no clusters yet: run `cutline cluster`, or open the studio's map"),
    ):
        with pytest.raises(QueryError) as caught:
            own.find(f"(a OR -{query})")
        assert str(caught.value) == message
        assert (caught.value.start, caught.value.end) == (7, 7 + len(query))  # what the page marks


def test_the_oldest_lasso_that_no_filter_needs_gives_way(own: Dataset) -> None:
    sets, words = own.row_sets, own.query_words
    for number in range(MOST):
        sets.put(f"lasso-{number}", [number % len(own)])
    words.save_filter("kept", '-cat IN:"lasso-0"')
    assert len(sets.put("lasso-5", [0])) == MOST
    names = sets.put("mine", [2])
    assert len(names) == MOST
    assert "lasso-0" in names
    assert "lasso-1" not in names
    with pytest.raises(ConfigError, match="the saved filter kept needs lasso-0: forget that filter first"):
        sets.remove("lasso-0")
    words.save_filter("kept", None)
    assert "lasso-0" not in sets.remove("lasso-0")
    for number in range(MOST - 1):
        sets.put(f"own {number}", [0])
    with pytest.raises(ConfigError, match="there are 200 sets of rows already: remove one"):
        sets.put("one more", [0])
    for name, rows, message in (("a/b", [0], "cannot name a set"), ("own 1", [], "at least one picture")):
        with pytest.raises(ConfigError, match=message):
            sets.put(name, rows)


def test_tags_that_are_as_frequent_come_before_sentences_with_the_same_letters(tmp_path: Path) -> None:
    captions = ("a bike is parked by the road.", "red car, hat", "hat, red car", "blue car, a cart", "car")
    for number, caption in enumerate(captions):
        Image.new("RGB", (8, 8)).save(tmp_path / f"{number}.png")
        (tmp_path / f"{number}.txt").write_text(caption)
    with Dataset(str(tmp_path)) as dataset:
        dataset.read_texts()
        found = dataset.query_words.tag_counts("ar", 9)
    assert [tag for tag, _ in found] == [
        "red car",
        "car",
        "a cart",
        "blue car",
        "a bike is parked by the road.",
    ]
