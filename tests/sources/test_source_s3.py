"""Inputs on S3, served by a stand-in for it in another process."""

from __future__ import annotations

import io
import tarfile

import pyarrow as pa
import pyarrow.parquet
import pytest

from cutline.errors import ConfigError, PictureError
from cutline.sources import SourceOptions, open_source
from cutline.sources.listed import ListedSource
from s3_server import KEYS, s3_server

pytest.importorskip("s3fs")
pytest.importorskip("moto")


@pytest.fixture(scope="module")
def bucket(jpeg):
    patch = pytest.MonkeyPatch()
    with s3_server() as address:
        for name, value in {**KEYS, "AWS_ENDPOINT_URL": address}.items():
            patch.setenv(name, value)
        _forget_connections()
        _fill(jpeg)
        yield "s3://lot"
    _forget_connections()
    patch.undo()


def _forget_connections():
    """s3fs keeps one object for the whole process, which would ask an earlier test's server."""
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()


def _fill(jpeg):
    import s3fs

    system = s3fs.S3FileSystem()
    system.mkdir("lot")
    shard = io.BytesIO()
    with tarfile.open(fileobj=shard, mode="w") as archive:
        info = tarfile.TarInfo("1.jpg")
        info.size = len(jpeg())
        archive.addfile(info, io.BytesIO(jpeg()))
    table = io.BytesIO()
    pa.parquet.write_table(pa.table({"image": [jpeg()]}), table)
    for name, data in {
        "photos/a/1.JPG": jpeg(), "photos/a/1.txt": b"text", "photos/2.png": jpeg(), "shards/0.tar": shard.getvalue(),
        "shards/1.tar": shard.getvalue(), "lists/u.txt": b"http://h/1.jpg\n", "t/t.csv": b"image\nx/1.jpg\n../photos/2.png\n",
        "t/x/1.jpg": jpeg(), "tables/0.parquet": table.getvalue(), "tables/1.parquet": table.getvalue(),
        "both/0.tar": shard.getvalue(), "both/a/t.png": jpeg(), "pets/a.jpg": jpeg(), "pets/sub/b.jpg": jpeg(),
        "pets/metadata.csv": b"file_name\nsub/b.jpg\na.jpg\n",
    }.items():  # fmt: skip
        system.pipe_file(f"lot/{name}", data)


def test_every_kind_of_input_is_read_from_s3(bucket, jpeg):
    def keys(path):
        return [sample.key for sample in open_source(path).samples()]

    assert keys(f"{bucket}/photos") == keys(f"{bucket}/photos/") == ["2.png", "a/1.JPG"]
    assert keys(f"{bucket}/shards/{{0..1}}.tar") == keys(f"{bucket}/shards/*.tar") == ["0/1", "1/1"]
    assert keys(f"{bucket}/lists/u.txt") == ["http://h/1.jpg"]
    samples = list(open_source(f"{bucket}/t/t.csv").samples())
    assert samples[0].location.read() == jpeg()
    assert samples[1].problem.kind == "blocked-path"
    assert samples[1].problem.message.endswith(f"--image-root {bucket} allows it")
    above = list(open_source(f"{bucket}/t/t.csv", SourceOptions(image_root=str(bucket))).samples())
    assert (above[1].key, above[1].location.read()) == ("photos/2.png", jpeg())
    last = list(open_source(f"{bucket}/photos").samples())[1]
    assert (last.text, last.location.read()) == ("text", jpeg())


def test_folders_on_s3_are_what_they_hold_as_on_a_disk(bucket):
    def keys(path):
        return [sample.key for sample in open_source(path).samples()]

    assert keys(f"{bucket}/shards/") == keys(f"{bucket}/shards") == ["0/1", "1/1"]
    assert len(keys(f"{bucket}/tables/")) == 2
    assert keys(f"{bucket}/pets/") == ["sub/b.jpg", "a.jpg"]
    with pytest.raises(ConfigError, match="--source-type webdataset or --source-type local"):
        open_source(f"{bucket}/both/")


def test_a_replaced_object_has_another_content_id_than_one_that_stayed(bucket):
    import s3fs

    def content_ids():
        _forget_connections()
        return {sample.key: sample.content_id for sample in open_source(f"{bucket}/two").samples()}

    files = s3fs.S3FileSystem()
    files.pipe_file("lot/two/a.jpg", b"1234")
    files.pipe_file("lot/two/b.jpg", b"1234")
    before = content_ids()
    s3fs.S3FileSystem().pipe_file("lot/two/b.jpg", b"4321")
    after = content_ids()
    assert all(before.values())
    assert {key for key in before if before[key] != after[key]} == {"b.jpg"}


def test_an_object_that_is_gone_is_missing(bucket):
    import s3fs

    samples = list(open_source(f"{bucket}/photos").samples())
    s3fs.S3FileSystem().rm_file("lot/photos/2.png")
    with pytest.raises(PictureError) as caught:
        samples[0].location.read()
    assert caught.value.kind == "missing"


@pytest.mark.parametrize(
    "path", ["s3://no-such-bucket/photos", "s3://no-such-bucket/t.csv", "s3://lot/none/*.tar"]
)
def test_what_is_not_there_is_one_clear_line(bucket, path):
    with pytest.raises(ConfigError) as caught:
        list(open_source(path).samples())
    assert path in str(caught.value)
    assert "\n" not in str(caught.value)


def test_patterns_on_s3_cover_what_they_cover_on_a_disk(bucket):
    def keys(path):
        return [sample.key for sample in open_source(path).samples()]

    assert keys(f"{bucket}/pets/*.jpg") == ["a.jpg"]
    assert keys(f"{bucket}/pets/**/*.jpg") == ["a.jpg", "sub/b.jpg"]
    assert len(keys(f"{bucket}/tables/*.parquet")) == len(keys(f"{bucket}/tables/*")) == 2
    with pytest.raises(ConfigError, match="--source-type webdataset or --source-type local"):
        open_source(f"{bucket}/both/*")


def test_objects_in_a_list_of_a_program_are_read(bucket, jpeg):
    items = [f"{bucket}/pets/a.jpg", f"{bucket}/pets/gone.png", f"{bucket}/pets/sub/b.jpg"]
    first, gone, last = ListedSource(items).samples()
    assert [sample.key for sample in (first, gone, last)] == items
    assert first.location.read() == last.location.read() == jpeg()
    assert first.location.content_id(), "a replaced object is noticed by its version"
    with pytest.raises(PictureError, match=r"pets/gone\.png: there is no such object"):
        gone.location.read()
