"""What hypothesis makes of keys, metadata and outcomes."""

from __future__ import annotations

import os

from hypothesis import strategies as st
from sink_cases import Place, caption

from cutline.files import name_to_text
from cutline.records import Caption, Failure, Sample, Skip

words = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
names = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30),
    st.binary(min_size=1, max_size=20).map(lambda raw: name_to_text(os.fsdecode(raw))),
    st.sampled_from(
        [
            *("a/1.jpg", "b/1.jpg", "a/same.jpg", "a/same.png", "A/Same.JPG", "a/same.jpg.png", "x.jpg"),
            *("../../x.jpg", "/etc/x.jpg", "//a//b//", "a/../b.jpg", "..", ".", "c:\\x\\y.jpg", "a\0b.jpg"),
            *("nul.jpg", "con", " ", "x.txt", "x.txt/y.jpg", "__meta__/a.jpg", "__x__", "%2E.jpg"),
            *("https://h.example/a/x.jpg?size=2#top", "http://h.example/a/x.jpg?size=2#top"),
            *("new\nline.jpg", 'quo"te,.jpg', "😀.jpg", "é" * 125 + ".jpg", "n" * 251 + ".jpg", "漢" * 84),
        ]
    ),
)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=6,
)
objects = st.dictionaries(words, values, max_size=4)


@st.composite
def outcomes(draw, key: str):
    kind = draw(st.sampled_from(["caption"] * 4 + ["skip", "failure"]))
    if kind == "skip":
        return Skip(key=key, reason="because")
    if kind == "failure":
        return Failure(key=key, kind="fetch", message=draw(words), attempts=3)
    return Caption(
        key=key,
        **caption(
            draw(words),
            steps=draw(st.integers(0, 3)),
            tokens=draw(st.integers(0, 2**62) if draw(st.booleans()) else st.just(5)),
            fields=draw(st.none() | objects),
            raw=draw(st.none() | objects),
        ),
    )


@st.composite
def datasets(draw, max_size: int = 8):
    made = []
    for key in draw(st.lists(names, unique=True, max_size=max_size)):
        sample = Sample(
            key=key,
            location=Place(draw(st.just("") | words) + "/" + key),
            text=draw(st.none() | words),
            metadata=draw(objects),
        )
        made.append((sample, draw(outcomes(key))))
    return made
