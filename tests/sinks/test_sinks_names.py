"""Names: of formats, of members of a shard, of sidecars."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import random
import sqlite3
import tarfile
from pathlib import Path
from urllib.parse import unquote

import pytest
from hypothesis import given
from sink_cases import (
    JPEG,
    Place,
    caption,
    fill,
    make,
    output_of,
    pairs,
    published,
    read_shards,
    state_of,
    tar_names,
)
from sink_strategies import names

from cutline import sinks
from cutline.errors import ConfigError, SampleError
from cutline.files import name_to_text
from cutline.records import Caption, Failure, Location, Sample, Skip
from cutline.sinks.tar_names import member_stem


@dataclasses.dataclass(frozen=True)
class File(Location):
    """A picture that lies on this machine."""

    name: str

    @property
    def path(self) -> str:
        return name_to_text(self.name)

    def file(self) -> str:
        return self.name

    def read(self) -> bytes:
        return JPEG


def one(key: str, said: str = "a dog", **values) -> tuple[Sample, Caption]:
    location = values.pop("location", Place(f"/nowhere/{key}"))
    return Sample(key=key, location=location, **values), Caption(key=key, **caption(said))


def written(folder: Path, form: str, items, **options) -> dict[str, bytes]:
    sink = make(folder, form, **options)
    sink.open(None)
    fill(sink, items)
    sink.finish()
    return published(folder)


@pytest.mark.parametrize(
    ("output", "asked", "form"),
    [
        ("a.json", None, "json"),
        ("a.JSONL", None, "jsonl"),
        ("a.ndjson", None, "jsonl"),
        ("s3://bucket/a.parquet", None, "parquet"),
        ("dir.x/a.csv", None, "csv"),
        ("dir.x/a.TSV", None, "tsv"),
        ("shards/", "webdataset", "webdataset"),
        ("a.json", "csv", "csv"),
        (None, "sidecar", "sidecar"),
    ],
)
def test_the_format_follows_the_name_unless_told(output, asked, form):
    assert sinks.format_of(output, asked) == form


@pytest.mark.parametrize(
    ("output", "asked"), [("a.xyz", None), ("shards/", None), (None, None), ("a.json", "xml")]
)
def test_an_unknown_format_names_the_choices(output, asked):
    with pytest.raises(ConfigError, match=r"jsonl.*parquet.*webdataset.*sidecar"):
        sinks.format_of(output, asked)


@pytest.mark.parametrize("options", [{"samples_per_shard": 0}, {"parquet_compression": "rar"}])
def test_options_out_of_range_are_refused(options):
    with pytest.raises(ConfigError):
        sinks.SinkOptions(**options)


# Shards


@given(key=names)
def test_member_names_are_safe_and_reversible(key):
    stem = member_stem(key)
    assert unquote(stem) == key
    assert "." not in stem
    assert "\\" not in stem
    assert all(part for part in stem.split("/"))
    assert all(c.isprintable() for c in stem)


def test_plain_keys_stay_readable():
    assert member_stem("set/000123") == "set/000123"
    assert member_stem("a/1.jpg") == "a/1%2Ejpg"


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"\xff\xd8\xff\xe1", "jpg"),
        (b"\x89PNG\r\n\x1a\n", "png"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "webp"),
        (b"GIF89a", "gif"),
        (b"II*\0", "tif"),
        (b"BM\0\0", "bmp"),
        (b"\0\0\0\x1cftypavif", "avif"),
        (b"\0\0\0\x18ftypheic", "heic"),
        (b"who knows", "jpeg"),
    ],
)
def test_pictures_get_the_extension_of_what_they_are(data, kind, tmp_path):
    sink = make(tmp_path, "webdataset")
    sink.open(None)
    sink.write(*one("x.JPEG"), data)
    sink.finish()
    assert tar_names(output_of(tmp_path, "webdataset"))[0] == f"x%2EJPEG.{kind}"


def test_members_are_carried_and_can_do_no_harm(tmp_path):
    members = {
        "json": b'{"license": "CC0", "n": 1}',
        "txt": b"what it said before\n",
        "seg.png": b"mask",
        "../../etc/passwd": b"climb",
        "/abs": b"root",
        "__url__": b"reserved",
        "pkl": b"cos\nsystem\n(S'touch /tmp/owned'\ntR.",
        "JPG": b"another picture",
        "SEG.PNG": b"other mask",
        "": b"nameless",
    }
    sample, outcome = one("k", "new", members=members, text="what it said before", metadata={"n": 2})
    written(tmp_path, "webdataset", [(sample, outcome)])
    [(key, found)] = read_shards(output_of(tmp_path, "webdataset"))
    assert key == "k"
    row = json.loads(found.pop("json"))
    assert row["metadata"] == {"license": "CC0", "n": 2}
    assert row["text"] == "what it said before"
    assert found == {
        "jpg": JPEG + b"k",
        "txt": b"new",
        "seg.png": b"mask",
        "etc_passwd": b"climb",
        "abs": b"root",
        "url": b"reserved",
        "pkl": members["pkl"],
        "source.jpg": b"another picture",
        "source.seg.png": b"other mask",
        "member": b"nameless",
    }


def test_members_that_are_no_json_object_or_no_caption_are_kept(tmp_path):
    items = [one("k", members={"json": b"not json", "txt": b"other words"}, text="the caption it had")]
    written(tmp_path, "webdataset", items)
    [(_, found)] = read_shards(output_of(tmp_path, "webdataset"))
    assert (found["source.json"], found["source.txt"]) == (b"not json", b"other words")


def test_shards_are_plain_tars_without_times_or_owners(tmp_path):
    written(tmp_path, "webdataset", [*pairs(3), one("漢字" * 60 + ".jpg")], samples_per_shard=2)
    shards = sorted(output_of(tmp_path, "webdataset").iterdir())
    assert [shard.name for shard in shards] == ["00000.tar", "00001.tar"]
    for shard in shards:
        with tarfile.open(shard) as tar:
            for member in tar:
                owner = (member.mtime, member.uid, member.gid, member.uname, member.gname)
                assert owner == (0, 0, 0, "", "")
                assert member.isreg()
                assert member.mode == 0o644


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_the_webdataset_library_decodes_them(tmp_path, shared_data):
    import gc

    import webdataset

    photo = next((shared_data / "photos-coco").rglob("*.jpg"))
    sink = make(tmp_path, "webdataset")
    sink.open(None)
    for item in pairs(4):
        sink.write(*item, photo.read_bytes())
    sink.finish()
    urls = sorted(str(path) for path in output_of(tmp_path, "webdataset").iterdir())
    dataset = webdataset.WebDataset(urls, shardshuffle=False).decode("pil").to_tuple("jpg", "txt", "json")
    found = list(dataset)
    assert [words for _, words, _ in found] == [f"a dog {number}" for number in range(4)]
    assert all(picture.size[0] > 1 for picture, _, _ in found)
    assert [row["image_id"] for _, _, row in found] == [sample.key for sample, _ in pairs(4)]
    gc.collect()  # the library leaves files open


# Sidecars


def sidecars(folder: Path, items, **options) -> dict[str, str]:
    found = written(folder, "sidecar", items, **options)
    return {name.removeprefix("texts/"): data.decode() for name, data in found.items()}


def test_folders_are_mirrored_and_pictures_that_share_a_stem_use_full_names(tmp_path):
    keys = [
        "a/1.jpg",
        "b/1.jpg",
        "a/same.jpg",
        "a/plain.jpg",
        "a/same.png",
        "a/SAME.webp",
        "top.jpg",
        "noending",
    ]
    found = sidecars(tmp_path, [one(key, f"text of {key}") for key in keys])
    assert found == {
        "a/1.txt": "text of a/1.jpg",
        "b/1.txt": "text of b/1.jpg",
        "a/plain.txt": "text of a/plain.jpg",
        "a/same.jpg.txt": "text of a/same.jpg",
        "a/same.png.txt": "text of a/same.png",
        "a/SAME.webp.txt": "text of a/SAME.webp",
        "top.txt": "text of top.jpg",
        "noending.txt": "text of noending",
    }


def test_names_do_not_depend_on_which_samples_fail(tmp_path):
    jpg, png = one("same.jpg")[0], one("same.png")[0]
    for number, failed in enumerate(
        [Failure(key="same.jpg", kind="k", message="m"), Skip(key="same.jpg", reason="r")]
    ):
        items = [(jpg, failed), (png, Caption(key="same.png", text="png"))]
        assert sidecars(tmp_path / str(number), items) == {"same.png.txt": "png"}


def test_who_makes_way_may_lie_in_a_folder_of_another_case(tmp_path):
    """Some systems take ``A/`` and ``a/`` for one folder; the file that makes way is looked for in its own."""
    items = [one("A/same.jpg", "first"), one("a/same.png", "second"), one("A/same.gif", "third")]
    assert written(tmp_path, "sidecar", items) == {
        "texts/A/same.jpg.txt": b"first",
        "texts/a/same.png.txt": b"second",
        "texts/A/same.gif.txt": b"third",
    }


@pytest.mark.parametrize("other", ["A/same.jpg", "same.jpg"])
def test_a_state_folder_of_an_old_version_has_only_names_of_pictures(tmp_path, other):
    """Its owners may lie in a folder whose name differs in case, and have to be found there."""
    first, second = one(other, "first"), one(other.replace("A/", "a/").replace("jpg", "png"), "second")
    state = tmp_path / "state"
    state.mkdir()
    sink = sinks.open_sink(str(tmp_path / "texts"), "sidecar", state, sinks.SinkOptions())
    sink.open(None)
    sink.write(*first, None)
    mark = sink.commit()
    sink.close()
    with contextlib.closing(sqlite3.connect(state / "sidecars.sqlite", isolation_level=None)) as database:
        database.execute("UPDATE owners SET picture = 'same.jpg'")
    sink.open(mark)
    sink.write(*second, None)
    sink.finish()
    texts = {file.name: file.read_text() for file in (tmp_path / "texts").rglob("*.txt")}
    assert texts == {"same.jpg.txt": "first", "same.png.txt": "second"}


def test_names_do_not_depend_on_where_a_run_was_interrupted(tmp_path):
    keys = ["same.jpg.png", "same.jpg", "same.png", "x.jpg", "X.png", "same.jpg.webp", "y.jpg", "y.gif"]
    items = [one(key, f"text of {key}") for key in keys]
    whole = sidecars(tmp_path / "whole", items)
    assert sorted(whole.values()) == sorted(f"text of {key}" for key in keys)
    chance = random.Random(3)
    for number in range(10):
        folder, mark, done = tmp_path / str(number), None, 0
        while done < len(items):
            sink = make(folder, "sidecar")
            sink.open(mark)
            reach = chance.randint(done, len(items))
            fill(sink, items[done:reach])
            mark, done = sink.commit(), reach
            fill(sink, items[reach : chance.randint(reach, len(items))])
            sink.close()
        assert {n.removeprefix("texts/"): d.decode() for n, d in published(folder).items()} == whole


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("../../etc/cron.d/x.jpg", "__/__/etc/cron.d/x.txt"),
        ("/etc/passwd.jpg", "etc/passwd.txt"),
        ("a\\..\\b.jpg", "a_.._b.txt"),
        ("nul.jpg", "_nul.txt"),
        ("a/COM1/x.jpg", "a/_COM1/x.txt"),
        ("a\0b.jpg", "a_b.txt"),
        ("..", "__.txt"),
        ("x.txt/y.jpg", "x.txt_/y.txt"),
        ("https://h.example/p/x.jpg?w=2&h=3", "h.example/p/x.txt"),
        ("https://h.example/..%2f/x:y.jpg", "h.example/..%2f/x_y.txt"),
        ("http://h.example/", "h.example.txt"),
        ("new\nline.jpg", "new\nline.txt"),
        ("shard.tar/000.jpg", "shard.tar/000.txt"),
    ],
)
def test_no_key_leads_outside_the_folder(key, name, tmp_path):
    if os.name == "nt" and "\n" in key:
        pytest.skip("no file of this system can have that name")
    if key == "http://h.example/":
        name = "h.txt"  # what follows the dot is taken for an extension
    assert sidecars(tmp_path, [one(key)]) == {name: "a dog"}


def test_keys_that_come_to_one_name_are_kept_apart(tmp_path):
    keys = ["https://h/x.jpg", "http://h/x.jpg", "h/x.jpg", "/h/x.jpg"]
    found = sidecars(tmp_path, [one(key, key) for key in keys])
    assert sorted(found.values()) == sorted(keys)
    assert "h/x.jpg.txt" in found


@pytest.mark.parametrize("key", ["n" * 251 + ".jpg", "漢" * 83 + ".jpg", "é" * 127, "d" * 300 + "/x.jpg"])
def test_long_names_are_shortened_by_a_hash(key, tmp_path):
    twin = key.replace(".jpg", "") + ("x.jpg" if key.endswith(".jpg") else "x")
    found = sidecars(tmp_path, [one(key, "one"), one(twin, "two")])
    assert sorted(found.values()) == ["one", "two"]
    assert all(len(os.fsencode(part)) <= 255 for name in found for part in name.split("/"))
    again = sidecars(tmp_path / "again", [one(key, "one"), one(twin, "two")])
    assert again == found


@pytest.mark.skipif(os.name == "nt", reason="file names are bytes on POSIX only")
def test_names_that_are_not_utf8_get_sidecars_of_those_bytes(tmp_path):
    written(tmp_path, "sidecar", [one(name_to_text(os.fsdecode(b"caf\xe9/\xff.jpg")))])
    folder = output_of(tmp_path, "sidecar") / os.fsdecode(b"caf\xe9")
    assert [os.fsencode(file.name) for file in folder.iterdir()] == [b"\xff.txt"]


def test_pictures_in_the_output_folder_get_sidecars_beside_them(tmp_path):
    folder = output_of(tmp_path, "sidecar")
    (folder / "a").mkdir(parents=True)
    picture = folder / "a" / "back\\slash.jpg"
    picture.write_bytes(JPEG)
    found = written(tmp_path, "sidecar", [one("a/back\\slash.jpg", location=File(str(picture)))])
    assert found == {"texts/a/back\\slash.jpg": JPEG, "texts/a/back\\slash.txt": b"a dog"}


def test_without_a_folder_sidecars_are_beside_the_pictures(tmp_path):
    state = tmp_path / "state.cutline"
    state.mkdir()
    picture = tmp_path / "photos" / "x.jpg"
    picture.parent.mkdir()
    picture.write_bytes(JPEG)
    sink = sinks.open_sink("", "sidecar", state, sinks.SinkOptions())
    sink.open(None)
    sink.write(*one("x.jpg", location=Place(str(picture))), None)
    sink.write(Sample(key="gone", location=None), Failure(key="gone", kind="k", message="m"), None)
    with pytest.raises(SampleError, match="name an output folder"):
        sink.write(*one("u", location=Place("https://h.example/x.jpg")), None)
    sink.finish()
    assert published(tmp_path) == {"photos/x.jpg": JPEG, "photos/x.txt": b"a dog"}


def test_a_picture_is_never_taken_for_its_sidecar(tmp_path):
    folder = output_of(tmp_path, "sidecar")
    folder.mkdir()
    picture = folder / "x.txt"
    picture.write_bytes(JPEG)
    sidecars_found = written(
        tmp_path, "sidecar", [one("x.txt", location=File(str(picture)))], existing="overwrite"
    )
    assert sidecars_found == {"texts/x.txt": JPEG, "texts/x.txt.txt": b"a dog"}


def test_links_that_lead_outside_are_refused(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    folder = output_of(tmp_path, "sidecar")
    folder.mkdir()
    (folder / "a").symlink_to(outside)
    sink = make(tmp_path, "sidecar")
    sink.open(None)
    with pytest.raises(SampleError, match="leads out"):
        fill(sink, [one("a/x.jpg")])
    sink.close()
    assert list(outside.iterdir()) == []
    (folder / "y.txt").symlink_to(outside / "target.txt")
    (outside / "target.txt").write_text("theirs")
    sink = make(tmp_path, "sidecar", existing="overwrite")
    sink.open(None)
    fill(sink, [one("y.jpg")])
    sink.finish()
    assert (outside / "target.txt").read_text() == "theirs"


@pytest.mark.parametrize("policy", [None, "skip", "overwrite", "append", "prepend"])
def test_sidecars_of_others_are_known_and_kept_unless_told(policy, tmp_path):
    folder = output_of(tmp_path, "sidecar")
    folder.mkdir()
    (folder / "x.txt").write_bytes(b"\xef\xbb\xbftheir words\n")
    (folder / "latin.txt").write_bytes(b"caf\xe9")
    (folder / "empty.txt").write_bytes(b" \n")
    sink = make(tmp_path, "sidecar", existing=policy)
    sink.open(None)
    assert sink.existing_text(one("x.jpg")[0]) == "their words"
    assert sink.existing_text(one("latin.jpg")[0]) == "café"
    assert sink.existing_text(one("empty.jpg")[0]) is None
    assert sink.existing_text(one("none.jpg")[0]) is None
    if policy in {None, "skip"}:
        with pytest.raises(SampleError, match="keeps it"):
            fill(sink, [one("x.jpg", "ours")])
        assert (folder / "x.txt").read_bytes().endswith(b"their words\n")
        sink.close()
        return
    fill(sink, [one("x.jpg", "theirs and ours")])
    sink.finish()
    assert (folder / "x.txt").read_bytes() == b"\xef\xbb\xbftheirs and ours\n"
    sink = make(tmp_path, "sidecar", existing=policy)
    sink.open(None)
    # What stands there now is ours: captioning anew starts from what was theirs.
    assert sink.existing_text(one("x.jpg")[0]) == "their words"
    fill(sink, [one("x.jpg", "anew")])
    assert (folder / "x.txt").read_bytes() == b"\xef\xbb\xbfanew\n"
    # Unless a person has changed it since.
    (folder / "x.txt").write_text("corrected by hand")
    assert sink.existing_text(one("x.jpg")[0]) == "corrected by hand"
    sink.finish()


def test_our_own_sidecars_are_not_existing_text(tmp_path):
    sidecars(tmp_path, [one("x.jpg"), one("same.jpg"), one("same.png")])
    sink = make(tmp_path, "sidecar")
    sink.open(None)
    assert [sink.existing_text(one(key)[0]) for key in ("x.jpg", "same.jpg", "same.png", "same.gif")] == [
        None
    ] * 4
    fill(sink, [one("x.jpg", "anew")])
    sink.finish()
    assert (output_of(tmp_path, "sidecar") / "x.txt").read_text() == "anew"


def test_making_way_gives_back_what_was_there(tmp_path):
    folder = output_of(tmp_path, "sidecar")
    folder.mkdir()
    (folder / "same.txt").write_text("theirs")
    found = sidecars(tmp_path, [one("same.jpg", "jpg"), one("same.png", "png")], existing="overwrite")
    assert found == {"same.txt": "theirs", "same.jpg.txt": "jpg", "same.png.txt": "png"}


def test_a_folder_in_a_sidecars_place_is_named(tmp_path):
    (output_of(tmp_path, "sidecar") / "x.txt").mkdir(parents=True)
    sink = make(tmp_path, "sidecar")
    sink.open(None)
    with pytest.raises(SampleError, match=r"x\.txt.* is a folder"):
        fill(sink, [one("x.jpg")])
    sink.close()


def test_sidecars_on_remote_storage_are_refused(tmp_path):
    state_of(output_of(tmp_path, "sidecar")).mkdir()
    with pytest.raises(ConfigError, match="folder on this machine"):
        sinks.open_sink("s3://bucket/texts", "sidecar", tmp_path, sinks.SinkOptions())
