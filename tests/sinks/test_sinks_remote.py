"""Outputs on remote storage, against a real server of the S3 protocol."""

from __future__ import annotations

import io
import json
import subprocess
import sys

import pytest
from sink_cases import fill, pairs

from cutline import sinks
from cutline.errors import ConfigError, OutputExists, SinkError
from s3_server import Bucket

pytest.importorskip("s3fs")
pytest.importorskip("boto3")
pytest.importorskip("moto.server")


@pytest.fixture
def bucket(bucket, monkeypatch):
    return bucket.reached(monkeypatch)


def make(bucket, key: str, state, form: str | None = None, **options):
    state.mkdir(exist_ok=True)
    options = sinks.SinkOptions(**{"samples_per_shard": 3, **options})
    return sinks.open_sink(f"s3://{bucket.name}/{key}", form, state, options)


def test_tables_are_uploaded_whole_and_continued(bucket, tmp_path):
    from pyarrow import parquet

    sink = make(bucket, "run/captions.parquet", tmp_path / "state")
    sink.open(None)
    fill(sink, pairs(3))
    mark = sink.commit()
    assert bucket.names() == []
    sink.finish()
    assert sink.outputs == [f"s3://{bucket.name}/run/captions.parquet"]
    sink = make(bucket, "run/captions.parquet", tmp_path / "state")
    sink.open(mark)
    fill(sink, pairs(5)[3:])
    sink.finish()
    table = parquet.read_table(io.BytesIO(bucket.read("run/captions.parquet")))
    assert table["caption"].to_pylist() == [f"a dog {number}" for number in range(5)]
    assert bucket.names() == ["run/captions.parquet"]


def test_lines_are_uploaded_at_the_end(bucket, tmp_path):
    sink = make(bucket, "captions.jsonl", tmp_path / "state")
    sink.open(None)
    fill(sink, pairs(3))
    sink.finish()
    lines = bucket.read("captions.jsonl").splitlines()
    assert [json.loads(line)["image_id"] for line in lines] == [sample.key for sample, _ in pairs(3)]


def test_objects_of_others_are_left_alone(bucket, tmp_path):
    bucket.write("captions.json", b"mine")
    with pytest.raises(OutputExists):
        make(bucket, "captions.json", tmp_path / "a").open(None)
    sink = make(bucket, "captions.json", tmp_path / "a", overwrite=True)
    sink.open(None)
    mark = sink.commit()
    sink.finish()
    assert json.loads(bucket.read("captions.json")) == []
    bucket.write("captions.json", b"mine")
    with pytest.raises(OutputExists):
        make(bucket, "captions.json", tmp_path / "a").open(mark)
    assert bucket.read("captions.json") == b"mine"


def test_captions_of_others_stay_in_a_shared_object(bucket, tmp_path):
    bucket.write(
        "captions.json", b'{"max_length": 64, "captions": {"7": "Theirs.", "d/001.jpg": "Theirs too."}}'
    )
    with pytest.raises(OutputExists, match="--existing skip"):
        make(bucket, "captions.json", tmp_path / "state", "scienceqa").open(None)
    sink = make(bucket, "captions.json", tmp_path / "state", "scienceqa", existing="skip")
    sink.open(None)
    fill(sink, pairs(3))
    mark = sink.commit()
    sink.finish()
    wanted = {"7": "Theirs.", "d/001.jpg": "Theirs too.", "d/000.jpg": "a dog 0", "d/002.jpg": "a dog 2"}
    assert json.loads(bucket.read("captions.json"))["captions"] == wanted
    again = make(bucket, "captions.json", tmp_path / "state", "scienceqa", existing="skip")
    again.open(mark)
    again.finish()
    found = json.loads(bucket.read("captions.json"))
    assert (found["captions"], found["max_length"]) == (wanted, 64)


def test_shards_are_uploaded_one_by_one_and_taken_back(bucket, tmp_path):
    whole = make(bucket, "whole", tmp_path / "whole", "webdataset")
    whole.open(None)
    fill(whole, pairs(10))
    whole.finish()

    sink = make(bucket, "parts/", tmp_path / "parts", "webdataset")
    sink.open(None)
    fill(sink, pairs(4))
    mark = sink.commit()
    assert "parts/00000.tar" in bucket.names()
    fill(sink, pairs(8)[4:])  # past the next shard, and then the process dies
    sink.close()
    sink = make(bucket, "parts/", tmp_path / "parts", "webdataset")
    sink.open(mark)
    fill(sink, pairs(8)[4:])
    mark = sink.commit()
    sink.finish()
    assert "parts/00002.tar" in bucket.names()
    sink = make(bucket, "parts/", tmp_path / "parts", "webdataset")
    sink.open(mark)
    fill(sink, pairs(10)[8:])
    sink.finish()
    for number in range(4):
        assert bucket.read(f"parts/0000{number}.tar") == bucket.read(f"whole/0000{number}.tar")
    assert len(bucket.names()) == 8

    sink = make(bucket, "parts/", tmp_path / "parts", "webdataset")
    sink.open(None)
    fill(sink, pairs(2))
    sink.finish()
    assert [key for key in bucket.names() if key.startswith("parts")] == ["parts/00000.tar"]
    with pytest.raises(OutputExists):
        make(bucket, "parts/", tmp_path / "stranger", "webdataset").open(None)


def test_a_missing_bucket_is_a_clear_error_and_going_on_completes(bucket, tmp_path):
    other = Bucket(bucket.client, f"{bucket.name}-later", bucket.environment)
    sink = make(other, "captions.csv", tmp_path / "state")
    with pytest.raises(SinkError, match="cannot use s3://"):
        sink.open(None)
    bucket.client.create_bucket(Bucket=other.name)
    sink.open(None)
    assert other.names() == [], "nothing is left of trying"
    fill(sink, pairs(2))
    mark = sink.commit()
    bucket.client.delete_bucket(Bucket=other.name)
    with pytest.raises(SinkError, match=r"cannot use s3://.*the same command again"):
        sink.finish()
    bucket.client.create_bucket(Bucket=other.name)
    sink = make(other, "captions.csv", tmp_path / "state")
    sink.open(mark)
    sink.finish()
    assert len(other.read("captions.csv").splitlines()) == 3


def test_unknown_storage_is_a_clear_error(tmp_path):
    with pytest.raises(ConfigError, match="nosuch"):
        sinks.open_sink("nosuch://x/captions.json", None, tmp_path, sinks.SinkOptions())


def test_a_missing_package_names_the_extra(tmp_path):
    code = (
        "import sys; sys.modules['s3fs'] = None\n"
        "from pathlib import Path\n"
        "from cutline import sinks, errors\n"
        "try: sinks.open_sink('s3://b/x.parquet', None, Path(sys.argv[1]), sinks.SinkOptions())\n"
        "except errors.MissingExtra as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=True)
    assert "pip install 'cutline[s3]'" in done.stdout
