"""What holds for every source: a new one is a row in ``MAKERS``."""

from __future__ import annotations

import csv
import gzip
import io
import json
import pickle
import subprocess
import sys
import tarfile

import fsspec
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest

from benchmark_datasets import make_crisismmd, make_scienceqa
from cutline import registry
from cutline.errors import ConfigError
from cutline.records import Sample
from cutline.sources import SourceOptions, open_source
from cutline.sources.folder import FolderSource
from cutline.sources.listed import ListedSource
from cutline.sources.selection import HostShare, UniqueUrls
from cutline.sources.table import TableSource


def folder(root, jpeg):
    for name in ("a/1.jpg", "b/1.jpg", "b/1.PNG", "c.webp"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(jpeg())
    (root / "c.txt").write_text("text")
    (root / "dead.jpg").symlink_to("nowhere")
    return root


def single(root, jpeg):
    return folder(root, jpeg) / "c.webp"


def url_list(root, jpeg):
    (root / "u.txt").write_text(
        "http://h/1.jpg\nhttp://h/2.jpg\nhttp://h/1.jpg\nhttp://h/1.jpg#2\nbad\n\n# c\n"
    )
    return root / "u.txt"


def url_table(root, jpeg):
    with (root / "u.csv").open("w") as file:
        csv.writer(file).writerows(
            [["url", "n"], ["http://h/1.jpg", 1], ["http://h/1.jpg", 2], ["", 3], ["x", 4, 5]]
        )
    return root / "u.csv"


def _tar(jpeg, copies=2):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in [("1.jpg", jpeg()), ("1.txt", b"t"), ("2.json", b"{}"), ("3#2.jpg", jpeg())] + [
            (name, data) for _ in range(copies) for name, data in (("3.jpg", jpeg()), ("4.jpg", jpeg()))
        ]:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def one_shard(root, jpeg):
    (root / "0.tar").write_bytes(_tar(jpeg))
    return root / "0.tar"


def packed_shard(root, jpeg):
    (root / "0.tgz").write_bytes(gzip.compress(_tar(jpeg)))
    return root / "0.tgz"


def shards(root, jpeg):
    for name, data in (
        ("0.tar", _tar(jpeg)),
        ("1.tar", _tar(jpeg)[:3000]),
        ("2.tgz", gzip.compress(_tar(jpeg))),
    ):
        (root / name).write_bytes(data)
    return root


def bytes_table(root, jpeg):
    images = [
        {"bytes": jpeg(), "path": "1.jpg"},
        {"bytes": jpeg(), "path": "1.jpg"},
        None,
        {"bytes": None, "path": "/x"},
    ]
    pa.parquet.write_table(pa.table({"image": images * 30}), root / "t.parquet")
    return root / "t.parquet"


def path_table(root, jpeg):
    rows = [{"image": name} for name in ("1.jpg", "1.jpg", "1.jpg#2", "../1.jpg", None, "http://h/1.jpg")]
    (root / "t.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\nbroken\n")
    return root / "t.jsonl"


def folder_tables(root, jpeg):
    """Parquet and the stream form of Arrow in one folder, whose keys repeat over files and row groups."""
    for number in range(3):
        images = [{"bytes": jpeg(), "path": f"{place % 7}.jpg"} for place in range(10 + number)]
        pa.parquet.write_table(pa.table({"image": images}), root / f"{number}.parquet", row_group_size=4)
    with pa.ipc.new_stream(root / "4.arrow", (table := pa.table({"image": images})).schema) as stream:
        for batch in table.to_batches(max_chunksize=5):
            stream.write_batch(batch)
    return root


def unnamed_table(root, jpeg):
    pa.feather.write_feather(pa.table({"image": [jpeg(), None, b""] * 20}), root / "t.feather", chunksize=7)
    return root / "t.feather"


def linked_folder(root, jpeg):
    """Links to the same folder, to a parent, and folders whose names sort around a file's."""
    for name in ("a/1.jpg", "a.jpg", "a-b/1.jpg", "b/c/d/1.jpg", "b/c/2.jpg", "z/1.jpg"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(jpeg())
    outside = root.parent / "outside"
    (outside / "deep").mkdir(parents=True)
    for name in ("1.jpg", "deep/2.jpg", "deep/3.jpg"):
        (outside / name).write_bytes(jpeg())
    for link, target in (
        ("b/up", ".."),
        ("c", "../outside"),
        ("y", "../outside"),
        ("b/c/o", "../../../outside"),
    ):
        (root / link).symlink_to(target)
    return root


def crisismmd(root, jpeg):
    return make_crisismmd(root / "CrisisMMD_v2.0")


def scienceqa(root, jpeg):
    return make_scienceqa(root / "ScienceQA")


MAKERS = {
    folder: ("local", 5), single: ("local", 1), url_list: ("urls", 5), url_table: ("urls", 4), one_shard: ("webdataset", 7),
    packed_shard: ("webdataset", 7), shards: ("webdataset", None), bytes_table: ("table", 120), path_table: ("table", 7),
    folder_tables: ("table", 45), unnamed_table: ("table", 60), linked_folder: ("local", 9),
    crisismmd: ("crisismmd", 7), scienceqa: ("scienceqa", 7),
}  # fmt: skip
NAMED = {"crisismmd", "scienceqa"}  # a folder is one of pictures until the user says more


@pytest.fixture(params=MAKERS, ids=lambda make: make.__name__)
def made(request, tmp_path, jpeg):
    (tmp_path / "input").mkdir()
    path = request.param(tmp_path / "input", jpeg)
    return path, *MAKERS[request.param]


def opened(made, **options):
    return open_source(made[0], SourceOptions(source_type=made[1] if made[1] in NAMED else None, **options))


def test_the_type_is_told_by_the_path(made):
    path, name, _ = made
    source = open_source(path)
    assert isinstance(source, registry.load("sources", "local" if name in NAMED else name))
    asked = open_source(path, SourceOptions(source_type=name))
    assert isinstance(asked, registry.load("sources", name))
    if name not in NAMED:
        assert [sample.key for sample in asked.samples()] == [sample.key for sample in source.samples()]


def test_the_same_samples_in_the_same_order_every_time(made):
    source = opened(made)
    first = list(source.samples())
    assert first == list(source.samples()) == list(opened(made).samples())
    assert all(isinstance(sample, Sample) for sample in first)


def test_batches_change_nothing(made):
    small = opened(made, reader_batch_size=1)
    assert list(small.samples()) == list(opened(made).samples())


def test_keys_are_unique_and_valid_unicode(made):
    keys = [sample.key for sample in opened(made).samples()]
    assert len(keys) == len(set(keys))
    assert all(key.encode() for key in keys)


def test_the_count_agrees_or_says_nothing(made):
    source = opened(made)
    number = sum(1 for _ in source.samples())
    assert source.count() in {number, None}
    if made[2] is not None:
        assert number == made[2]


def test_samples_cross_processes_and_hold_a_place_or_a_problem(made):
    for sample in opened(made).samples():
        assert pickle.loads(pickle.dumps(sample)) == sample
        assert (sample.location is None) == (sample.problem is not None)
        json.dumps(dict(sample.metadata), allow_nan=False)


def assert_shards_are_the_whole(source):
    whole = list(source.samples())
    for count in (1, 2, 3, 5, len(whole), 1000):
        shards = source.shards(count)
        assert 1 <= len(shards) <= count
        parts = [list(pickle.loads(pickle.dumps(shard)).samples()) for shard in shards]
        assert all(parts)
        assert [sample for part in parts for sample in part] == whole
        for shard, part in zip(shards, parts, strict=True):
            assert shard.count() in {len(part), None}
    for shard in source.shards(2):
        inner = [sample for one in shard.shards(3) for sample in one.samples()]
        assert inner == list(shard.samples())


def test_shards_are_the_whole_one_after_the_other(made):
    source = opened(made)
    assert_shards_are_the_whole(source)
    assert_shards_are_the_whole(UniqueUrls(source))
    share = HostShare(source, number=0, count=2)
    assert [sample for one in share.shards(3) for sample in one.samples()] == list(share.samples())


def test_shards_of_a_list(jpeg, tmp_path):
    (tmp_path / "a.jpg").write_bytes(jpeg())
    same = tmp_path / "a.jpg"
    items = [
        jpeg(),
        same,
        "http://h/1.jpg",
        str(same),
        "http://h/1.jpg",
        f"{same.as_posix()}#2",
        same,
        jpeg(),
    ]
    assert_shards_are_the_whole(ListedSource(items))


def test_shards_of_a_remote_folder(jpeg):
    storage = fsspec.filesystem("memory")
    for name in ("a/1.jpg", "a/1.txt", "b.jpg", "c/d/2.png"):
        storage.pipe_file(f"/sharded/{name}", jpeg() if not name.endswith("txt") else b"a text")
    assert_shards_are_the_whole(open_source("memory://sharded"))


def test_shards_mean_the_same_in_another_process(tmp_path, jpeg):
    """Where the hash of each string is another."""
    source = opened((folder_tables(tmp_path, jpeg), "table", 45))
    code = (
        "import pickle, sys; shard = pickle.load(sys.stdin.buffer); "
        "pickle.dump([sample.key for sample in shard.samples()], sys.stdout.buffer)"
    )
    keys = []
    for shard in source.shards(3):
        done = subprocess.run(
            [sys.executable, "-c", code], input=pickle.dumps(shard), capture_output=True, check=True
        )
        keys += pickle.loads(done.stdout)
    assert keys == [sample.key for sample in source.samples()]


def test_a_shard_of_a_folder_lists_only_its_own_folders(tmp_path, jpeg):
    for number in range(8):
        (tmp_path / str(number)).mkdir()
        for name in ("a.jpg", "b.jpg"):
            (tmp_path / str(number) / name).write_bytes(jpeg())
    code = """
import json, os, sys
from cutline.sources.folder import FolderSource

listed = []
sys.addaudithook(lambda event, args: event == "os.scandir" and listed.append(os.path.basename(args[0])))
shards = FolderSource(sys.argv[1]).shards(4)
count = len(listed)
listed.clear()
print(json.dumps([count, [sample.key for sample in shards[1].samples()], listed]))
"""
    done = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, check=True)
    count, keys, listed = json.loads(done.stdout)
    assert count == 9
    assert keys == ["2/a.jpg", "2/b.jpg", "3/a.jpg", "3/b.jpg"]
    assert set(listed[1:]) <= {"2", "3", "4"}  # the last one is where the next shard begins


def test_many_pictures_are_split_evenly(tmp_path):
    for number in range(2000):
        (tmp_path / f"{number:04}.jpg").touch()
    sizes = [shard.count() for shard in FolderSource(tmp_path).shards(3)]
    assert sum(sizes) == 2000
    assert max(sizes) - min(sizes) <= 2000 // 3 // 16


def test_row_groups_before_a_shard_are_not_read(tmp_path, jpeg):
    pa.parquet.write_table(
        pa.table({"image": [jpeg()] * 40, "id": range(40)}), tmp_path / "t.parquet", row_group_size=10
    )
    shard = TableSource(str(tmp_path / "t.parquet")).shards(4)[3]
    data = bytearray((tmp_path / "t.parquet").read_bytes())
    data[4:400] = bytes(396)  # of the first row group
    (tmp_path / "t.parquet").write_bytes(data)
    assert [sample.key for sample in shard.samples()] == [str(number) for number in range(30, 40)]


def test_nothing_has_one_shard_that_says_so(tmp_path):
    [shard] = FolderSource(tmp_path).shards(3)
    with pytest.raises(ConfigError, match="holds no pictures"):
        list(shard.samples())


def test_a_source_can_be_left_half_way(made):
    samples = opened(made).samples()
    next(samples)
    samples.close()


def test_a_part_of_a_dataset_is_read_or_refused(made):
    part = {"crisismmd": "humanitarian/dev", "scienceqa": "minival"}.get(made[1])
    if part:
        assert len(list(opened(made, split=part).samples())) == 1
    else:
        with pytest.raises(
            ConfigError, match=r"does not support --split; .* --source-type crisismmd or scienceqa"
        ):
            opened(made, split="train")
    if made[1] != "crisismmd":
        with pytest.raises(ConfigError, match=r"does not support --event; .* --source-type crisismmd$"):
            opened(made, event=("hurricane_harvey",))


COLUMNS = {"table", "imagefolder", "urls"}
TABLES = {*COLUMNS, "zip"}
PARTICULAR = [
    ({"image_column": "nosuch"}, "--image-column", {*COLUMNS, "webdataset"}),
    ({"url_column": "nosuch"}, "--url-column", COLUMNS),
    ({"text_column": "nosuch"}, "--text-column", TABLES),
    ({"delimiter": ";"}, "--delimiter", TABLES),
    ({"header_row": False}, "--no-header", TABLES),
    ({"sample_pictures": "each"}, "--sample-pictures", {"webdataset"}),
    ({"image_root": "nosuch"}, "--image-root", {*COLUMNS, "crisismmd", "scienceqa"}),
]


def test_options_that_a_source_would_ignore_are_refused(made):
    for options, flag, able in PARTICULAR:
        if made[1] not in able:
            with pytest.raises(ConfigError, match=f"{flag}(;|$)") as refused:
                opened(made, **options)
            assert "remove" in str(refused.value)


def test_a_list_of_urls_refuses_what_is_for_tables(tmp_path):
    path = tmp_path / "urls.txt"
    path.write_text("https://example.com/1.jpg")
    for options, flag, _ in PARTICULAR[:-1]:
        with pytest.raises(ConfigError, match=f"remove {flag}$|does not support {flag}; remove it"):
            open_source(str(path), SourceOptions(**options))


def test_a_plug_in_says_which_parts_it_takes():
    class Album:
        takes = frozenset({"split"})

        def __init__(self, path, split):
            self._key = f"{path} {split}"

        @classmethod
        def from_options(cls, path, options):
            return cls(path, options.split)

        def samples(self):
            yield Sample(key=self._key, location=None)

        def count(self):
            return 1

    with registry.scope():
        registry.register("sources", "album", Album)
        source = open_source("x", SourceOptions(source_type="album", split="summer"))
        assert [sample.key for sample in source.samples()] == ["x summer"]
        assert (source.count(), source.shards(3), list(source.warnings)) == (1, [source], [])
        with pytest.raises(ConfigError, match="does not support --event"):
            open_source("x", SourceOptions(source_type="album", event=("birthday",)))


def test_unknown_types_and_inputs_are_told(tmp_path):
    (tmp_path / "x.bin").write_bytes(b"?")
    with pytest.raises(ConfigError, match="--source-type"):
        open_source(tmp_path / "x.bin")
    with pytest.raises(ConfigError, match="webdataset"):
        open_source(tmp_path, SourceOptions(source_type="nonsense"))
    for name in ("no.tar", "no.txt", "no.csv", "no.parquet", "no", "no.jpg", "*.tar", "{a,b}.parquet"):
        with pytest.raises(ConfigError, match=r"does not exist|no file ending"):
            open_source(tmp_path / name)
    with pytest.raises(ConfigError, match="nosuch"):
        open_source("nosuch://bucket/photos")


@pytest.mark.parametrize(("column", "cell"), [("image", "a.jpg"), ("url", "http://127.0.0.1/a.jpg")])
def test_the_types_of_columns_are_kept_where_samples_are_left_out(column, cell, tmp_path):
    boxes = pa.list_(pa.int8())
    table = pa.table({column: [cell], "boxes": pa.array([[1, 2]], boxes)})
    pa.parquet.write_table(table, tmp_path / "rows.parquet")
    source = open_source(str(tmp_path / "rows.parquet"))
    for one in (source, UniqueUrls(source), HostShare(source, number=0, count=2)):
        assert one.column_types["boxes"] == boxes
