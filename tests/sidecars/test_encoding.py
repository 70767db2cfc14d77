"""Any text file is read, and rewritten in the form it had."""

from __future__ import annotations

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutline.errors import SampleError
from cutline.sidecars import EncodingReport, TextDecoder, decode, read
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


def rewrite(before, caption):
    return TextDecoder().rewrite(before, caption)


@given(data=st.binary())
def test_any_bytes_are_read_and_come_back(data):
    assert decode_text(data) == decode(data).text
    text = TextDecoder().decode(data)
    assert text.damaged or text.encode() == data
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
def test_what_is_not_utf_8_reads_back_as_it_was_written(old, new):
    before = f"{old}\r\n".encode("latin-1")
    decoder = TextDecoder()
    text = decoder.decode(before)
    if not text.detected:
        return
    assert text.encode() == before
    after = decoder.rewrite(before, new)
    encoding = text.encoding if decode(after).unsure else decode(after).encoding
    assert after.removeprefix(b"\xef\xbb\xbf").decode(encoding).rstrip("\r\n") == new.lstrip("\ufeff").rstrip(
        "\r\n"
    )


@pytest.mark.parametrize(
    ("before", "caption", "after"),
    [
        (None, "a dog", b"a dog"),
        (b"", "a dog", b"a dog"),
        (b"\n", "a dog", b"a dog\n"),
        (b"caf\xe9\r\n", "caf\xe9, a dog", b"caf\xe9, a dog\r\n"),
        (b"caf\xe9\r\n", "café, 5 €\nnew", b"caf\xe9, 5 \x80\r\nnew\r\n"),
        (b"caf\xe9\r\n", "café, 猫\nnew", "café, 猫\r\nnew\r\n".encode()),
        (b"caf\xe9", "Ã©", "Ã©".encode()),  # its Latin-1 bytes would be read as UTF-8
        (b"caf\xe9", "ÿþa", "ÿþa".encode()),  # and these as UTF-16
        (b"\xef\xbb\xbfold", "new", b"\xef\xbb\xbfnew"),
        (b"\xef\xbb\xbfcaf\xe9", "thé", b"\xef\xbb\xbfth\xc3\xa9"),
        (b"a\0 \0c\0a\0t\0\r\0\n\0", "é", b"\xe9\0\r\0\n\0"),  # UTF-16 without a mark
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
        assert report.read(f"{number}.txt", b"caf\xe9") == ("café", "")
    text, problem = report.read("unsure.txt", b"\x94\x4c")
    assert text is None
    assert "unsure.txt" in problem
    assert "--text-encoding" in problem
    report.read("odd.txt", b"\xff\xfea\0b")
    report.read("fine.txt", "café".encode())
    before = report.decoder.decode(b"caf\xe9")
    report.note_rewritten("hanzi.txt", before, "猫".encode())
    report.note_rewritten("same.txt", before, b"th\xe9")
    detected, unsure, damaged, converted = report.lines()
    assert detected.startswith(
        "5 text files not in UTF-8, read as cp1252 (name another with --text-encoding)"
    )
    assert detected.endswith("0.txt, 1.txt, 2.txt, …")
    assert unsure.startswith("1 text file in an unknown encoding")
    assert damaged.startswith("1 text file damaged")
    assert damaged.endswith("odd.txt")
    assert "rewritten as UTF-8" in converted
    assert converted.endswith("hanzi.txt")
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
