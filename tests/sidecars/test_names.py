"""Which text belongs to a picture, as a case-insensitive file system would decide."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutline.sidecars import SidecarIndex
from cutline.sidecars.names import candidates, fold

NFD = unicodedata.normalize("NFD", "café")


@pytest.mark.parametrize(
    ("names", "picture", "found"),
    [
        (["a.txt"], "a.jpg", ["a.txt"]),
        (["a.TXT"], "a.jpg", ["a.TXT"]),
        (["A.Txt"], "a.JPG", ["A.Txt"]),
        (["A.txt", "a.txt"], "a.jpg", ["a.txt"]),
        (["A.txt", "a.txt"], "A.jpg", ["A.txt"]),
        (["A.TXT", "A.txt"], "a.jpg", ["A.TXT"]),
        (["a.txt", "A.JPG.txt"], "a.jpg", ["A.JPG.txt", "a.txt"]),
        ([f"{NFD}.txt"], "café.jpg", [f"{NFD}.txt"]),
        (["strasse.txt"], "straße.jpg", []),
        (["noending.txt"], "noending", ["noending.txt"]),
        ([".jpg.txt", ".txt"], ".jpg", [".jpg.txt"]),
        (["b/A.txt", "a.txt"], "b/a.jpg", ["b/A.txt"]),
        (["B/a.txt"], "b/a.jpg", []),
        (["x.txt"], "x.txt", []),
        (["a.txt.bak", "atxt", "a.jpg"], "a.jpg", []),
    ],
)
def test_the_sidecars_of_a_picture(names, picture, found):
    assert SidecarIndex(names).of(picture) == found


@given(stem=st.text(st.characters(exclude_categories=("Cs",), exclude_characters="/\0"), min_size=1))
def test_a_sidecar_is_found_in_any_case(stem):
    name = f"{stem}.txt"
    assert SidecarIndex([name]).find(name) == name
    assert SidecarIndex([fold(name)]).find(name) == fold(name)


def test_a_picture_is_never_its_own_sidecar():
    assert next(name for name, _ in candidates("x.TXT", "key")) == "x.TXT.txt"
