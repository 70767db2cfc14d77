"""Files that no source expects, and links: read as what they are, or counted and named."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import shutil

import fsspec
import pytest
from test_source_contents import captioned, put, put_tar, rows

from cutline.errors import ConfigError, SampleError
from cutline.sidecars.text_files import SidecarFiles
from cutline.sources import SourceOptions, open_source


def found(path, **options):
    source = open_source(path, SourceOptions(**options))
    keys = [sample.key for sample in source.samples()]
    return keys, {each.kind: (each.count, each.examples) for each in source.left_over}


def test_files_with_unknown_endings_are_pictures_by_their_first_bytes(tmp_path, jpeg):
    for name in ("photo", "x.jpg_large", "y.JPG.bak", "a.jpg"):
        put(tmp_path, name, jpeg())
    put(tmp_path, "z.weird", jpeg(form="PNG"))
    put(tmp_path, "LICENSE", "BM is not a picture")
    put(tmp_path, "P1 notes", "P1 is not a picture")
    assert found(tmp_path)[0] == ["a.jpg", "photo", "x.jpg_large", "y.JPG.bak", "z.weird"]
    assert found(tmp_path / "photo")[0] == ["photo"]


def test_pictures_that_cannot_be_opened_are_counted_and_named(tmp_path, jpeg):
    folder = tmp_path / "photos"
    for name in ("a.jpg", "..jpg", ".hidden.png", "._a.jpg"):
        put(folder, name, jpeg())
    for name in ("b.jxl", "sub/c.TGA", "d.jp2", "e.psd"):
        put(folder, name, b"\0\1")
    put(folder, "drawing", "<svg xmlns='x'></svg>")
    assert found(folder) == (
        ["a.jpg"],
        {
            "hidden": (2, ("..jpg", ".hidden.png")),
            "unsupported-format": (5, ("b.jxl", "d.jp2", "drawing")),
        },
    )
    out = tmp_path / "out.jsonl"
    code, text = captioned(folder, out, "--on-missing", "fail")
    assert code == 1
    assert "left out 5 pictures in formats that cannot be opened (b.jxl, d.jp2, drawing, …)" in text
    report = json.loads((tmp_path / "out.jsonl.cutline" / "report.json").read_text())
    assert report["left_over"]["hidden"]["count"] == 2


def test_lists_of_urls_and_tables_without_endings_are_counted_and_named(tmp_path, jpeg):
    folder = tmp_path / "photos"
    put(folder, "a.jpg", jpeg())
    put(folder, "a.txt", "https://example.com/ is where it was taken")
    put(folder, "b.jpg", jpeg())
    put(folder, "b.txt", "https://example.com/b.jpg\n")  # the caption of b
    put(folder, "notes.txt", "see https://example.com/1.jpg")
    put(folder, "urls.txt", "https://example.com/1.jpg\nhttps://example.com/2.jpg\n")
    put(folder, "sub/more.txt", "\ufeff\nhttp://example.com/3.jpg")
    put(folder, "part-00000", '{"url": "https://example.com/1.jpg"}\n{"url": "https://example.com/2.jpg"}\n')
    put(folder, "table.pq", b"PAR1" + bytes(8))
    put(folder, "README", "Photos, by me")
    put(folder, "run.log", '{"time": 1}\n')
    assert found(folder) == (
        ["a.jpg", "b.jpg"],
        {
            "unnamed-table": (2, ("part-00000", "table.pq")),
            "unread-list": (2, ("sub/more.txt", "urls.txt")),
        },
    )


def test_json_of_a_tar_that_cannot_be_read_is_counted_and_named(tmp_path, jpeg):
    members = {"1.jpg": jpeg(), "1.json": b"{bad", "2.jpg": jpeg(), "2.json": b'{"a": 1}'}
    members |= {"3.a.jpg": jpeg(), "3.b.jpg": jpeg(), "3.json": b"", "4.jpg": jpeg()}
    put_tar(tmp_path, "x.tar", members)
    keys, left_over = found(tmp_path / "x.tar", sample_pictures="each")
    assert keys == ["1", "2", "3.a", "3.b", "4"]
    assert left_over["unread-json"] == (2, (f"{tmp_path}/x.tar/1.json", f"{tmp_path}/x.tar/3.json"))


UNFINISHED = ("a.jpg.part", "b.JPG.crdownload", "c.png.tmp", "sub/d.webp.download", "e.jpeg.partial")


@pytest.mark.parametrize("form", ["folder", "zip", "memory"])
def test_unfinished_downloads_are_counted_and_named(tmp_path, jpeg, form):
    folder = tmp_path / "photos"
    put(folder, "whole.jpg", jpeg())
    for name in UNFINISHED:
        put(folder, name, jpeg()[:300])
    put(folder, "part-00000.part", "of a table")
    place = str(folder)
    if form == "zip":
        place = shutil.make_archive(str(tmp_path / "photos"), "zip", folder)
    elif form == "memory":
        place = "memory://unfinished"
        fsspec.filesystem("memory").put(str(folder), "/unfinished", recursive=True)
    keys, left_over = found(place)
    assert keys == ["whole.jpg"]
    assert left_over["unfinished-download"][0] == len(UNFINISHED)


def test_a_tar_that_a_run_wrote_among_the_pictures_is_not_named_as_input(tmp_path, jpeg):
    put(tmp_path, "a.jpg", jpeg())
    code, text = captioned(tmp_path, tmp_path / "shards", "--output-format", "webdataset")
    assert code == 0, text
    assert list((tmp_path / "shards").glob("*.tar"))
    put_tar(tmp_path, "mine.tar", {"b.jpg": jpeg()})
    assert found(tmp_path, source_type="local") == (["a.jpg"], {"archive": (1, ("mine.tar",))})


def test_a_folder_of_nothing_else_names_them(tmp_path):
    put(tmp_path, "b.jxl", b"\xff\x0a")
    with pytest.raises(ConfigError, match=r"b\.jxl.*convert"):
        list(open_source(tmp_path).samples())
    with pytest.raises(ConfigError, match="JPEG XL"):
        open_source(tmp_path / "b.jxl")


def test_masks_and_thumbnails_of_storage_devices_are_excluded(tmp_path, jpeg):
    for name in (
        "a.jpg",
        "a-masklabel.png",
        "@eaDir/a.jpg/SYNOPHOTO_THUMB_M.jpg",
        "__MACOSX/a.jpg",
        "raw/b.jpg",
    ):
        put(tmp_path, name, jpeg())
    assert found(tmp_path) == (
        ["a.jpg", "raw/b.jpg"],
        {"excluded": (1, ("a-masklabel.png",)), "excluded-folder": (2, ("@eaDir/", "__MACOSX/"))},
    )
    assert found(tmp_path, exclude=("raw/",))[0] == ["a.jpg"]
    assert found(tmp_path, exclude=("raw/*.jpg",))[0] == ["a.jpg"]
    assert found(tmp_path, exclude=("none", "*.jpg"))[0] == ["a-masklabel.png"]


def test_texts_behind_links_out_of_the_folder_are_neither_read_nor_written(tmp_path, jpeg):
    folder, home = tmp_path / "ds", tmp_path / "home"
    put(home, "private.jpg", jpeg())
    put(home, "old.jpg", jpeg())
    put(home, "old.txt", "private words")
    put(tmp_path, "credentials", "token")
    for name in ("a.jpg", "b.jpg"):
        put(folder, name, jpeg())
    (folder / "more").symlink_to("../home")
    (folder / "a.txt").symlink_to("../credentials")
    put(folder, "texts/b", "shared words")
    (folder / "b.txt").symlink_to("texts/b")
    source = open_source(folder)
    assert {sample.key: sample.text for sample in source.samples()} == {
        "a.jpg": None,
        "b.jpg": "shared words",
        "more/old.jpg": None,
        "more/private.jpg": None,
    }
    assert source.left_over[0].count == 2
    code, text = captioned(folder, folder, "--output-format", "sidecar", "--existing", "append")
    assert code == 1
    assert "--follow-links" in text
    assert not (home / "private.txt").exists()
    assert (home / "old.txt").read_text() == "private words"
    assert (folder / "a.txt").is_symlink()
    assert (tmp_path / "credentials").read_text() == "token"
    code, _ = captioned(
        folder,
        folder,
        "--output-format",
        "sidecar",
        "--existing",
        "append",
        "--follow-links",
        "--retry-failed",
    )
    assert code == 0
    assert (home / "private.txt").exists()


@pytest.mark.parametrize("name", ["metadata.jsonl", "metadata.csv"])
def test_metadata_behind_links_out_of_the_folder_is_not_read(name, tmp_path, jpeg):
    folder, home = tmp_path / "ds", tmp_path / "home"
    put(folder, "a.jpg", jpeg())
    put(home, "old.jpg", jpeg())
    row = {
        "metadata.jsonl": '{"file_name": "%s", "text": "private"}\n',
        "metadata.csv": "file_name,text\n%s,private\n",
    }
    put(tmp_path, "rows", row[name] % "a.jpg")
    put(home, name, row[name] % "old.jpg")
    (folder / name).symlink_to("../rows")
    (folder / "more").symlink_to("../home")
    source = open_source(folder)
    assert {sample.key: sample.text for sample in source.samples()} == {"a.jpg": None, "more/old.jpg": None}
    assert [(each.kind, each.count) for each in source.left_over] == [("linked-text", 2)]
    with pytest.raises(ConfigError, match="--follow-links reads it"):
        open_source(folder, SourceOptions(source_type="imagefolder"))
    source = open_source(folder, SourceOptions(follow_links=True))
    assert {sample.key: sample.text for sample in source.samples()} == {
        "a.jpg": "private",
        "more/old.jpg": "private",
    }


def test_tars_and_tables_behind_linked_folders_are_read_once(tmp_path, jpeg):
    put_tar(tmp_path, "big/0.tar", {"a.jpg": jpeg(), "b.jpg": jpeg()})
    put(tmp_path / "rows", "t.jsonl", '{"image": "c.jpg"}\n')
    put(tmp_path / "rows", "c.jpg", jpeg())
    (tmp_path / "big" / "up").symlink_to("..")
    (tmp_path / "big" / "self").symlink_to(".")
    tars = tmp_path / "tars"
    (tars / "run").mkdir(parents=True)
    (tars / "run" / "1.tar").write_bytes((tmp_path / "big" / "0.tar").read_bytes())
    (tars / "latest").symlink_to("run")
    for name in ("one", "two"):
        (tars / name).symlink_to("../big")
    assert [sample.key for sample in open_source(tars).samples()] == [
        "one/0/a",
        "one/0/b",
        "run/1/a",
        "run/1/b",
    ]
    tables = tmp_path / "tables"
    (tables / ".hidden").mkdir(parents=True)
    put(tables / ".hidden", "t.csv", "url\nhttps://example.com/1.jpg\n")
    (tables / "seen").symlink_to(".hidden")
    assert [sample.key for sample in open_source(tables).samples()] == ["https://example.com/1.jpg"]


def test_metadata_within_the_folder_is_read_and_that_behind_a_link_named(tmp_path, jpeg):
    for name in ("a.jpg", "sub/b.jpg", "sub/c.jpg"):
        put(tmp_path / "ds", name, jpeg())
    put(tmp_path / "ds", "tables/rows.jsonl", '{"file_name": "a.jpg", "text": "ours"}\n')
    (tmp_path / "ds" / "metadata.jsonl").symlink_to("tables/rows.jsonl")
    put(tmp_path, "rows", '{"file_name": "b.jpg", "text": "private"}\n')
    (tmp_path / "ds" / "sub" / "metadata.jsonl").symlink_to("../../rows")
    source = open_source(tmp_path / "ds")
    assert {sample.key: sample.text for sample in source.samples()} == {"a.jpg": "ours"}
    assert {each.kind: each.count for each in source.left_over} == {"linked-text": 1, "not-in-metadata": 2}


def test_a_pointer_of_git_lfs_is_named_as_such(tmp_path):
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 12\n"
    put(tmp_path, "a.jpg", pointer)
    put(tmp_path, "t.parquet", pointer)
    put(tmp_path, "0.tar", pointer)
    out = tmp_path / "out" / "o.jsonl"
    code, text = captioned(tmp_path / "a.jpg", out, "--filter", "size=1")
    assert (code, "git lfs pull" in text) == (1, True)
    assert [row["kind"] for row in rows(tmp_path / "out" / "o.jsonl.failures.jsonl")] == ["lfs-pointer"]
    for name in ("t.parquet", "0.tar"):
        with pytest.raises(ConfigError, match="git lfs pull"):
            list(open_source(tmp_path / name).samples())


def test_numbers_after_the_first_dot_are_names_of_pictures_and_not_of_parts(tmp_path, jpeg):
    put_tar(
        tmp_path,
        "0.tar",
        {
            "22.05.png": jpeg(),
            "22.05.txt": b"May",
            "22.06.png": jpeg(),
            "22.06.txt": b"June",
            "23.jpg": jpeg(),
        },
    )
    samples = list(open_source(tmp_path / "0.tar").samples())
    assert [(sample.key, sample.text) for sample in samples] == [
        ("22.05", "May"),
        ("22.06", "June"),
        ("23", None),
    ]
    assert set(samples[0].members) == {"txt"}


def test_further_pictures_of_a_sample_are_counted_or_captioned_each(tmp_path, jpeg):
    members = {"1.jpg": jpeg(), "1.mask.png": jpeg(), "2.left.webp": jpeg(), "2.right.webp": jpeg()}
    put_tar(tmp_path, "0.tar", members)
    tar = tmp_path / "0.tar"
    assert found(tar) == (["1", "2"], {"further-picture": (2, ("1.mask.png", "2.right.webp"))})
    assert found(tar, sample_pictures="each") == (["1.jpg", "1.mask", "2.left", "2.right"], {})
    samples = list(open_source(tar, SourceOptions(image_column="mask.png")).samples())
    assert [(each.key, each.problem and each.problem.kind) for each in samples] == [
        ("1", None),
        ("2", "no-image"),
    ]
    code, text = captioned(tar, tmp_path / "out.jsonl", "--sample-pictures", "each")
    assert (code, len(rows(tmp_path / "out.jsonl"))) == (0, 4)
    assert "left out" not in text


def test_members_that_are_not_adjacent_are_one_sample(tmp_path, jpeg):
    members = {"a.txt": b"A", "b.txt": b"B", "b.jpg": jpeg(), "c.jpg": jpeg(), "a.jpg": jpeg(), "c.txt": b"C"}
    put_tar(tmp_path, "0.tar", members)
    samples = list(open_source(tmp_path / "0.tar").samples())
    assert [(sample.key, sample.text) for sample in samples] == [("a", "A"), ("b", "B"), ("c", "C")]
    assert all(sample.location.read() == jpeg() for sample in samples)
    put(tmp_path, "1.tgz", gzip.compress((tmp_path / "0.tar").read_bytes()))
    keys, left_over = found(tmp_path / "1.tgz")
    assert "scattered-member" in left_over
    assert len(keys) == len(set(keys)) == 5


@pytest.mark.parametrize(
    ("ending", "pack"), [("gz", gzip.compress), ("bz2", bz2.compress), ("xz", lzma.compress)]
)
def test_compressed_pictures_in_a_tar_are_unpacked(tmp_path, jpeg, ending, pack):
    put_tar(tmp_path, "0.tar", {f"1.jpg.{ending}": pack(jpeg()), f"2.jpg.{ending}": pack(jpeg())[:-9]})
    out = tmp_path / "out.jsonl"
    code, _ = captioned(tmp_path / "0.tar", out, "--filter", "size=1")
    assert code == 1
    assert [row["image_id"] for row in rows(out)] == ["1"]
    assert [row["kind"] for row in rows(tmp_path / "out.jsonl.failures.jsonl")] == ["decode"]


def test_members_with_other_endings_are_sniffed_or_fail(tmp_path, jpeg):
    members = {"1": jpeg(), "2.jpg_large": jpeg(), "3.jxl": b"\xff\x0a" + bytes(50), "4.txt": b"no picture"}
    members |= {"5.jpg.zst": b"(\xb5/\xfd" + bytes(50), "6.png.br": bytes(50)}
    put_tar(tmp_path, "0.tar", {**members, "..jpg": jpeg()})
    source = open_source(tmp_path / "0.tar")
    kinds = {sample.key: sample.problem and sample.problem.kind for sample in source.samples()}
    assert kinds == {
        "1": None,
        "2": None,
        "3": "unsupported",
        "4": "no-image",
        "5": "unsupported",
        "6": "unsupported",
    }
    assert [each.kind for each in source.left_over] == ["hidden"]


def test_a_run_of_nothing_but_samples_without_pictures_fails(tmp_path):
    put_tar(tmp_path, "0.tar", {f"{number}.txt": b"x" for number in range(5)})
    assert captioned(tmp_path / "0.tar", tmp_path / "out.jsonl")[0] == 1


def test_a_folder_that_is_swapped_for_a_link_meanwhile_is_neither_read_nor_written(tmp_path, jpeg):
    folder, home = tmp_path / "ds", tmp_path / "home"
    for name in ("a.jpg", "b.jpg"):
        put(folder, f"sub/{name}", jpeg())
        put(folder, f"sub/{name[0]}.txt", "mine")
        put(home, f"{name[0]}.txt", "private")
    samples = open_source(folder).samples()
    assert next(samples).text == "mine"
    (folder / "sub").rename(tmp_path / "moved")
    (folder / "sub").symlink_to(home)
    assert next(samples).text is None

    files = SidecarFiles(folder, part=".part", follow_links=False, overwrites=True)
    with pytest.raises(SampleError, match="link"):
        files.write(folder / "sub" / "a.txt", b"ours")
    assert files.read(folder / "sub" / "a.txt") == b""
    assert sorted((path.name, path.read_text()) for path in home.iterdir()) == [
        ("a.txt", "private"),
        ("b.txt", "private"),
    ]
    (folder / "sub").unlink()
    (tmp_path / "moved").rename(folder / "sub")
    files.write(folder / "sub" / "a.txt", b"ours")
    assert files.read(folder / "sub" / "a.txt") == b"ours"
