"""Any text file is read, and rewritten in the form it had."""

from __future__ import annotations

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutline.errors import SampleError
from cutline.sidecars import EncodingReport, decode, read, rewrite
from cutline.sidecars.encoding import MAX_BYTES, decode_text

MARKS = {
    "utf-8": codecs.BOM_UTF8,
    "utf-16-le": codecs.BOM_UTF16_LE,
    "utf-16-be": codecs.BOM_UTF16_BE,
    "utf-32-le": codecs.BOM_UTF32_LE,
    "utf-32-be": codecs.BOM_UTF32_BE,
}
captions = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1).map(str.strip).filter(bool)
lines = st.lists(captions, min_size=1, max_size=4)


@given(data=st.binary())
def test_any_bytes_are_read_and_come_back(data):
    text = decode(data)
    assert text.damaged or text.encode() == data
    assert decode_text(data) == text.text
    assert rewrite(data, text.caption) == data


@pytest.mark.parametrize("encoding", [*MARKS, "plain"])
@given(
    old=lines,
    new=lines,
    newline=st.sampled_from(["\n", "\r\n", "\r"]),
    end=st.integers(min_value=0, max_value=3),
)
def test_the_form_is_kept(encoding, old, new, newline, end):
    mark, encoding = MARKS.get(encoding, b""), encoding.replace("plain", "utf-8")
    before = mark + (newline.join(old) + newline * end).encode(encoding)
    after = rewrite(before, "\n".join(new))
    assert after.startswith(mark)
    joined = decode(after).text
    assert joined.encode(encoding) == after[len(mark) :]
    # Where the old text shows no line break, the new text's own stay.
    used = newline if len(old) > 1 or end else "\n"
    assert joined == used.join(new).lstrip("\ufeff") + newline * end
    assert decode(after).caption.splitlines() == used.join(new).lstrip("\ufeff").strip().splitlines()


@given(old=st.text(st.characters(min_codepoint=0xA0, max_codepoint=0xFF), min_size=1), new=captions)
def test_latin_1_stays_latin_1_while_it_can(old, new):
    before = f"{old}\r\n".encode("latin-1")
    text = decode(before)
    if not text.guessed:  # it happened to be valid in another encoding
        return
    after = rewrite(before, new)
    assert decode(after).caption == new.lstrip("\ufeff").strip()
    assert decode(after).text.endswith("\r\n")
    report = EncodingReport()
    report.note_rewritten("a.txt", before, after)
    assert bool(report.lines()) == (not after.isascii() and not decode(after).guessed)


@pytest.mark.parametrize(
    ("before", "caption", "after"),
    [
        (None, "a dog", b"a dog"),
        (b"", "a dog", b"a dog"),
        (b"\n", "a dog", b"a dog\n"),
        (b"caf\xe9\r\n", "caf\xe9, a dog", b"caf\xe9, a dog\r\n"),
        (b"caf\xe9\r\n", "café, 5 €\nnew", "café, 5 €\r\nnew\r\n".encode()),
        (b"caf\xe9", "Ã©", "Ã©".encode()),  # its Latin-1 bytes would be read as UTF-8
        (b"\xe9", "ÿþa", "ÿþa".encode()),  # and these as UTF-16
        (b"\xef\xbb\xbfold", "new", b"\xef\xbb\xbfnew"),
        (b"\xef\xbb\xbfcaf\xe9", "thé", b"\xef\xbb\xbfth\xe9"),
        (b"\xff\xfe", "a", b"\xff\xfea\0"),
        (b"a\r\nb\nc", "d\r\ne\nf", b"d\r\ne\nf"),  # mixed line ends are left as they are
        (b"a\rb\r", "c\nd", b"c\rd\r"),
        (b"one line\n\n\n", "two\nlines", b"two\nlines\n\n\n"),
    ],
)
def test_examples(before, caption, after):
    assert rewrite(before, caption) == after


def test_what_a_user_should_know_is_counted_and_named():
    report = EncodingReport()
    for number in range(5):
        report.note_read(f"{number}.txt", decode(b"caf\xe9"))
    report.note_read("odd.txt", decode(b"\xff\xfea\0b"))
    report.note_read("fine.txt", decode("café".encode()))
    report.note_rewritten("euro.txt", b"caf\xe9", "€".encode())
    report.note_rewritten("same.txt", b"caf\xe9", b"th\xe9")
    guessed, damaged, converted = report.lines()
    assert guessed.startswith("5 text files not in UTF-8, read as Latin-1")
    assert guessed.endswith("0.txt, 1.txt, 2.txt, …")
    assert damaged.startswith("1 text file damaged")
    assert damaged.endswith("odd.txt")
    assert "rewritten as UTF-8" in converted
    assert converted.endswith("euro.txt")
    report.clear()
    assert not report.lines()


def test_reading_a_file(tmp_path):
    (tmp_path / "large.txt").write_bytes(b"a" * (MAX_BYTES + 1))
    (tmp_path / "folder.txt").mkdir()
    (tmp_path / "fine.txt").write_bytes(b"fine")
    assert read(str(tmp_path / "fine.txt")) == b"fine"
    assert read(str(tmp_path / "none.txt")) is None
    for name in ("large.txt", "folder.txt"):
        with pytest.raises(SampleError, match=name) as caught:
            read(str(tmp_path / name))
        assert caught.value.kind == "sidecar"
