"""Sidecars of others, read by the source and rewritten by the sink, through the whole program."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cutline import caption, register_model, registry
from cutline.sidecars import decode
from cutline.sources import open_source


class FixedText:
    def __init__(self, text: str) -> None:
        self._text = text

    def infer(self, prompt, image, image_name):
        return self._text


@pytest.fixture(autouse=True)
def _fixed_text() -> Iterator[None]:
    """Names that a test registers are its own."""
    with registry.scope():
        register_model("fixed_text")(FixedText)
        yield


def photos(folder, sidecars: dict[str, bytes]) -> None:
    from PIL import Image

    folder.mkdir()
    for name in {file.split(".")[0].lower() for file in sidecars}:
        Image.new("RGB", (40, 30), (200, 30, 30)).save(folder / f"{name}.jpg")
    for name, data in sidecars.items():
        (folder / name).write_bytes(data)


def texts(folder) -> dict[str, bytes]:
    return {
        file.name: file.read_bytes() for file in sorted(folder.iterdir()) if file.suffix.lower() == ".txt"
    }


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("a.TXT", b"old", b"old, ours"),
        ("A.txt", b"old\n", b"old, ours\n"),
        ("A.JPG.TXT", b"old\n", b"old, ours\n"),
        ("a.txt", b"line\r\nold\r\n", b"line\r\nold, ours\r\n"),
        ("a.txt", b"\xef\xbb\xbfold\r\n", b"\xef\xbb\xbfold, ours\r\n"),
        ("a.txt", "ält\r\n".encode("utf-16"), b"\xff\xfe" + "ält, ours\r\n".encode("utf-16-le")),
        ("a.txt", b"\xfe\xff" + "ält".encode("utf-16-be"), b"\xfe\xff" + "ält, ours".encode("utf-16-be")),
        ("a.txt", b"\xe4lt\n", b"\xe4lt, ours\n"),
        ("a.txt", b"", b"ours"),
        ("a.txt", b" \r\n", b"ours\r\n"),
        ("a.txt", b"\xff\xfe", b"\xff\xfe" + "ours".encode("utf-16-le")),
    ],
)
@pytest.mark.parametrize("existing", ["append", "prepend", "overwrite"])
def test_a_sidecar_keeps_its_name_and_form(existing, name, before, after, tmp_path):
    folder = tmp_path / "photos"
    photos(folder, {name: before})
    caption(str(folder), str(folder), model="fixed_text:ours", output_format="sidecar", existing=existing)
    found = texts(folder)
    assert list(found) == [name]
    if existing == "append":
        assert found[name] == after
    elif existing == "overwrite":
        assert decode(found[name]).caption == "ours"
        assert decode(found[name]).mark == decode(before).mark
    caption(str(folder), str(folder), model="fixed_text:ours", output_format="sidecar", existing=existing)
    assert texts(folder) == found  # again: nothing is added twice


def test_an_empty_sidecar_is_filled_without_an_option(tmp_path):
    folder = tmp_path / "photos"
    photos(folder, {"a.TXT": b"\n", "b.txt": b"theirs"})
    done = caption(str(folder), str(folder), model="fixed_text:ours", output_format="sidecar")
    assert texts(folder) == {"a.TXT": b"ours\n", "b.txt": b"theirs"}
    assert done.report.counts.reasons == {"captioned already": 1}


def test_what_is_not_utf_8_is_reported_once(tmp_path):
    folder = tmp_path / "photos"
    photos(folder, {"a.txt": b"caf\xe9", "b.txt": "ü".encode(), "c.txt": b"caf\xe9 noir"})
    done = caption(
        str(folder), str(folder), model="fixed_text:猫", output_format="sidecar", existing="append"
    )
    assert texts(folder)["a.txt"] == "café, 猫".encode()
    read, rewritten, replaced = done.report.warnings
    assert read.startswith("2 text files not in UTF-8")
    assert "a.txt" in read
    assert "c.txt" in read
    assert rewritten.startswith("2 text files rewritten as UTF-8")
    assert replaced.startswith("3 texts replaced: `cutline undo ")
    assert done.report.to_json()["warnings"] == [read, rewritten, replaced]


def test_a_damaged_one_is_not_extended_and_stops_nothing(tmp_path):
    folder = tmp_path / "photos"
    odd = "café".encode("utf-16") + b"\0"
    photos(folder, {"a.txt": odd, "b.txt": b"fine", "large.txt": b"a" * 2_000_000})
    done = caption(
        str(folder),
        str(folder),
        model="fixed_text:ours",
        output_format="sidecar",
        existing="append",
        allow_failures=2,
    )
    assert texts(folder)["a.txt"] == odd
    assert texts(folder)["b.txt"] == b"fine, ours"
    assert done.report.counts.kinds == {"sidecar": 2}


def test_texts_in_shards_and_remote_folders_are_read_alike(tmp_path):
    import io
    import tarfile

    import fsspec

    files = {"a.jpg": b"picture", "a.txt": "ält".encode("utf-16"), "b.jpg": b"picture", "b.txt": b"\xe4lt"}
    with tarfile.open(tmp_path / "s.tar", "w") as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    for name, data in files.items():
        with fsspec.open(f"memory://encodings/{name.replace('.txt', '.TXT')}", "wb") as file:
            file.write(data)
    for path in (str(tmp_path / "s.tar"), "memory://encodings"):
        source = open_source(path)
        assert [sample.text for sample in source.samples()] == ["ält", "ält"]
        [line] = source.warnings
        assert line.startswith("1 text file not in UTF-8")
        assert [sample.text for sample in source.samples()] == ["ält", "ält"]
        assert list(source.warnings) == [line]
