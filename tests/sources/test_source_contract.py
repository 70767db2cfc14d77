"""What holds for every source: a new one is a row in ``MAKERS``."""

from __future__ import annotations

import csv
import gzip
import io
import json
import pickle
import tarfile

import pyarrow as pa
import pyarrow.parquet
import pytest

from benchmark_datasets import make_crisismmd, make_scienceqa
from cutline import registry
from cutline.errors import ConfigError
from cutline.records import Sample
from cutline.sources import SourceOptions, open_source


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


def crisismmd(root, jpeg):
    return make_crisismmd(root / "CrisisMMD_v2.0")


def scienceqa(root, jpeg):
    return make_scienceqa(root / "ScienceQA")


MAKERS = {
    folder: ("local", 5), single: ("local", 1), url_list: ("urls", 5), url_table: ("urls", 4), one_shard: ("webdataset", 7),
    packed_shard: ("webdataset", 7), shards: ("webdataset", None), bytes_table: ("table", 120), path_table: ("table", 7),
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
            ConfigError, match=r"--split means nothing .* --source-type crisismmd or scienceqa"
        ):
            opened(made, split="train")
    if made[1] != "crisismmd":
        with pytest.raises(ConfigError, match=r"--event means nothing .* --source-type crisismmd$"):
            opened(made, event=("hurricane_harvey",))


def test_a_plug_in_says_which_parts_it_takes(monkeypatch, tmp_path):
    class Album:
        takes = frozenset({"split"})

        @classmethod
        def from_options(cls, path, options):
            return path, options.split

    monkeypatch.setitem(registry.BUILT_IN["sources"], "album", "somewhere:Album")
    monkeypatch.setattr("cutline.sources.registry.load", lambda room, name: Album)
    assert open_source("x", SourceOptions(source_type="album", split="summer")) == ("x", "summer")
    with pytest.raises(ConfigError, match="--event means nothing"):
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
