"""What every sink promises: all is read back, and a kill at any moment leaves no trace."""

from __future__ import annotations

import json
import math
import random
import tempfile
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sink_cases import (
    FORMATS,
    JPEG,
    failures_of,
    fill,
    make,
    output_of,
    pairs,
    published,
    read_rows,
    read_shards,
)
from sink_strategies import datasets

from cutline.interfaces import Sink
from cutline.records import Caption, Failure, Sample, Skip
from cutline.sinks import SinkOptions
from cutline.sinks.rows import COLUMNS, row

quick = settings(
    max_examples=15,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
TABLES = [form for form in FORMATS if form not in {"sidecar", "scienceqa"}]
ALL = [*FORMATS, "failures"]


def expected_rows(data, form: str) -> list[dict]:
    """The rows as plain JSON, as the Python library would carry them."""
    rows = []
    for sample, outcome in data:
        if isinstance(outcome, Caption):
            values = row(sample, outcome, SinkOptions(include_raw=form == "parquet"))
            if form == "json":
                values["metadata"]["caption"] = outcome.text
            rows.append(json.loads(json.dumps(values)))
    return rows


def same(found, expected) -> bool:
    """Whether a value of Parquet is this one of JSON: a missing key is null, a mixed value JSON text."""
    if isinstance(found, str) and not isinstance(expected, str):
        return json.loads(found) == expected
    if isinstance(found, dict) and isinstance(expected, dict):
        return all(same(found.get(key), expected.get(key)) for key in {*found, *expected})
    if isinstance(found, list) and isinstance(expected, list):
        return len(found) == len(expected) and all(map(same, found, expected))
    return found == expected


def empty_as_null(rows: list[dict]) -> list[dict]:
    """CSV cannot tell an empty text from none."""
    return [{name: None if value == "" else value for name, value in row.items()} for row in rows]


@pytest.mark.parametrize("form", TABLES)
@quick
@given(data=datasets())
def test_what_is_written_is_read_back(form, data):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sink = make(folder, form)
        sink.open(None)
        fill(sink, data)
        sink.commit()
        sink.finish()
        expected = expected_rows(data, form)
        if form in {"csv", "tsv"}:
            expected = empty_as_null(expected)
        found = read_rows(folder, form)
        if form == "parquet":
            assert len(found) == len(expected)
            assert [pair for pair in zip(found, expected, strict=True) if not same(*pair)] == []
        else:
            assert found == expected


@quick
@given(data=datasets())
def test_sidecars_are_as_many_as_captions_and_all_inside(data):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sink = make(folder, "sidecar")
        sink.open(None)
        fill(sink, data)
        sink.finish()
        files = published(folder)
        assert all(file.startswith("texts/") and file.endswith(".txt") for file in files)
        texts = sorted(outcome.text.encode() for _, outcome in data if isinstance(outcome, Caption))
        assert sorted(files.values()) == texts


@quick
@given(data=datasets())
def test_captions_by_key_are_read_back(data):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sink = make(folder, "scienceqa")
        sink.open(None)
        fill(sink, data)
        sink.finish()
        found = json.loads(output_of(folder, "scienceqa").read_bytes())
        expected = {row["image_id"]: row["caption"] for row in expected_rows(data, "scienceqa")}
        assert list(found["captions"].items()) == list(expected.items())


@quick
@given(data=datasets())
def test_shards_keep_samples_apart_with_keys_and_pictures(data):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sink = make(folder, "webdataset")
        sink.open(None)
        fill(sink, data)
        sink.finish()
        captioned = [(s, o) for s, o in data if isinstance(o, Caption)]
        found = read_shards(output_of(folder, "webdataset"))
        assert [key for key, _ in found] == [s.key for s, _ in captioned]
        for (sample, outcome), (_, members) in zip(captioned, found, strict=True):
            assert members["jpg"] == JPEG + sample.key.encode()
            assert members["txt"] == outcome.text.encode()


@quick
@given(data=datasets())
def test_failures_are_read_back(data):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sink = make(folder, "failures")
        sink.open(None)
        fill(sink, data)
        sink.finish()
        failed = [(s, o) for s, o in data if isinstance(o, Failure)]
        file = failures_of(output_of(folder, "json"))
        assert file.exists() == bool(failed)
        rows = [json.loads(line) for line in file.read_bytes().split(b"\n")[:-1]] if failed else []
        assert [(r["key"], r["kind"], r["message"], r["attempts"]) for r in rows] == [
            (s.key, o.kind, o.message, o.attempts) for s, o in failed
        ]


@pytest.mark.parametrize("form", ALL)
@quick
@given(data=datasets(max_size=12), seed=st.integers(0, 2**32))
def test_deaths_leave_no_trace(form, data, seed):
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        undisturbed, disturbed = Path(one), Path(other)
        sink = make(undisturbed, form)
        sink.open(None)
        fill(sink, data)
        sink.finish()

        mark, done, position = None, 0, 0
        sink = make(disturbed, form)
        sink.open(None)
        while position < len(data):
            action = chance.choice(["write", "write", "write", "commit", "die", "finish and die"])
            if action == "write":
                fill(sink, [data[position]])
                position += 1
            elif action == "commit":
                mark, done = json.loads(json.dumps(sink.commit())), position
            else:
                if action == "finish and die":
                    sink.finish()
                else:
                    leave_garbage(disturbed, form, chance)
                sink.close()  # and with it all that was not committed
                sink = make(disturbed, form)
                sink.open(mark)
                position = done
        sink.commit()
        sink.finish()
        assert published(disturbed) == published(undisturbed)


def leave_garbage(folder: Path, form: str, chance: random.Random) -> None:
    """What a write that was cut off leaves behind the last commit."""
    places = {
        "jsonl": [output_of(folder, "jsonl")],
        "webdataset": list(folder.glob("*.cutline/*.tar.part")),
        "failures": [failures_of(output_of(folder, "json"))],
        "sidecar": [],
    }
    for place in places.get(form, list(folder.glob("*.cutline/rows.part"))):
        if place.exists():
            with place.open("ab") as file:
                file.write(chance.randbytes(chance.randrange(2000)))
    for leftover in folder.glob("*.cutline"):
        (leftover / "output.part").write_bytes(b"half")


@pytest.mark.parametrize("form", ALL)
def test_only_the_end_makes_a_second_run_do_anything(form, tmp_path):
    data = (
        pairs(7)
        if form != "failures"
        else [(s, Failure(key=s.key, kind="k", message="m")) for s, _ in pairs(7)]
    )
    sink = make(tmp_path, form)
    sink.open(None)
    fill(sink, data)
    mark = sink.commit()
    sink.finish()
    before = published(tmp_path)
    times = {name: (tmp_path / name).stat().st_mtime_ns for name in before}
    again = make(tmp_path, form)
    again.open(mark)
    again.finish()
    assert published(tmp_path) == before
    assert {name: (tmp_path / name).stat().st_mtime_ns for name in before} == times


@pytest.mark.parametrize("form", ALL)
def test_more_can_be_added_after_the_end(form, tmp_path):
    data = (
        pairs(11)
        if form != "failures"
        else [(s, Failure(key=s.key, kind="k", message="m")) for s, _ in pairs(11)]
    )
    sink = make(tmp_path / "a", form)
    sink.open(None)
    fill(sink, data)
    sink.finish()
    mark = None
    for start, end in [(0, 4), (4, 6), (6, 11)]:
        sink = make(tmp_path / "b", form)
        sink.open(mark)
        fill(sink, data[start:end])
        mark = sink.commit()
        sink.finish()
    assert published(tmp_path / "b") == published(tmp_path / "a")


@pytest.mark.parametrize("form", ALL)
def test_starting_anew_replaces_our_own_output(form, tmp_path):
    fail = form == "failures"

    def data(count, text):
        return [(s, Failure(key=s.key, kind="k", message=text) if fail else o) for s, o in pairs(count, text)]

    for count, text in [(10, "first"), (4, "second")]:
        sink = make(tmp_path / "a", form)
        sink.open(None)
        fill(sink, data(count, text))
        sink.finish()
    sink = make(tmp_path / "b", form)
    sink.open(None)
    fill(sink, data(4, "second"))
    sink.finish()
    found, fresh = published(tmp_path / "a"), published(tmp_path / "b")
    if form == "sidecar":  # nobody asked to remove those of the six others
        found = {name: data for name, data in found.items() if name in fresh}
    assert found == fresh


@pytest.mark.parametrize("form", ALL)
def test_starting_anew_after_a_death_before_the_first_commit(form, tmp_path):
    data = (
        pairs(5)
        if form != "failures"
        else [(s, Failure(key=s.key, kind="k", message="m")) for s, _ in pairs(5)]
    )
    sink = make(tmp_path / "a", form)
    sink.open(None)
    fill(sink, data)
    sink.commit()  # reached the file, but its mark reached nobody
    sink.close()
    for folder in ("a", "b"):
        sink = make(tmp_path / folder, form)
        sink.open(None)
        fill(sink, data[:4])
        sink.finish()
    found, fresh = published(tmp_path / "a"), published(tmp_path / "b")
    assert {name: found[name] for name in fresh} == fresh
    assert form == "sidecar" or found == fresh


@pytest.mark.parametrize("form", ALL)
def test_an_empty_run_ends_well(form, tmp_path):
    sink = make(tmp_path, form)
    sink.open(None)
    fill(sink, [(Sample(key="a", location=None), Skip(key="a", reason="small"))])
    sink.finish()
    if form in TABLES:
        assert read_rows(tmp_path, form) == []


@pytest.mark.parametrize("form", ALL)
def test_sinks_keep_to_the_protocol(form, tmp_path):
    sink: Sink = make(tmp_path, form)
    assert isinstance(sink.needs_picture, bool)
    sink.open(None)
    assert json.loads(json.dumps(sink.commit())) == sink.commit()
    sink.close()
    sink.close()


@pytest.mark.parametrize("form", ["json", "jsonl", "csv", "tsv", "parquet"])
def test_pandas_reads_it(form, tmp_path):
    awkward = [
        '=cmd|" /C calc"',
        "line\nbreak\r\nand\rmore",
        '"quoted", comma',
        "😀 漢字",
        "NA",
        "  spaces  ",
        "a\tb",
    ]
    data = [
        (s, Caption(key=s.key, text=text, steps=o.steps))
        for (s, o), text in zip(pairs(7), awkward, strict=True)
    ]
    sink = make(tmp_path, form)
    sink.open(None)
    fill(sink, data)
    sink.finish()
    output = output_of(tmp_path, form)
    frame = {
        "json": lambda: pd.read_json(output),
        "jsonl": lambda: pd.read_json(output, lines=True),
        "csv": lambda: pd.read_csv(output, keep_default_na=False),
        "tsv": lambda: pd.read_csv(output, keep_default_na=False, sep="\t"),
        "parquet": lambda: pd.read_parquet(output),
    }[form]()
    assert tuple(frame.columns)[: len(COLUMNS)] == COLUMNS
    assert list(frame["caption"]) == awkward
    assert list(frame["prompt_tokens"]) == [7] * 7
    assert list(frame["seconds"]) == [0.25] * 7


def test_parquet_has_the_types_and_the_raw_response(tmp_path):
    import pyarrow as pa
    from pyarrow import parquet

    (sample, outcome), *_ = pairs(1)
    step = outcome.steps[0]
    raw = {"id": "x", "choices": [1]}
    import dataclasses

    outcome = dataclasses.replace(
        outcome, steps=(dataclasses.replace(step, reply=dataclasses.replace(step.reply, raw=raw)),)
    )
    sink = make(tmp_path, "parquet")
    sink.open(None)
    fill(sink, [(sample, outcome)])
    sink.finish()
    file = parquet.ParquetFile(output_of(tmp_path, "parquet"))
    types = {field.name: field.type for field in file.schema_arrow}
    assert types["prompt_tokens"] == types["completion_tokens"] == pa.int64()
    assert types["seconds"] == pa.float64()
    assert types["metadata"] == pa.struct({"n": pa.int64()})
    others = set(COLUMNS) - {"prompt_tokens", "completion_tokens", "seconds", "metadata"}
    assert {types[name] for name in others} == {pa.string()}
    assert file.metadata.row_group(0).column(0).compression == "ZSTD"
    assert json.loads(file.read()["llm"][0].as_py()) == raw


def test_the_raw_response_is_an_option_of_the_others(tmp_path):
    for form in ("json", "jsonl", "csv"):
        sink = make(tmp_path / form, form, include_raw=True)
        sink.open(None)
        fill(sink, pairs(2))
        sink.finish()
        assert [list(row) for row in read_rows(tmp_path / form, form)] == [[*COLUMNS, "llm"]] * 2


def test_values_that_json_does_not_know(tmp_path):
    import datetime as dt
    import decimal
    import uuid

    import numpy as np

    metadata = {
        "nan": math.nan,
        "infinite": -math.inf,
        "bytes": b"\xff\x00",
        "day": dt.date(2026, 1, 2),
        "time": dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC),
        "money": decimal.Decimal("1.50"),
        "id": uuid.UUID(int=1),
        "numpy": np.float32(0.5),
        "array": np.array([1, 2]),
        "set": {1},
        "tuple": (1, 2),
        "lone": "\ud800 and \udcff",
        3: "number",
        None: "none",
        "big": 2**64,
    }
    sink = make(tmp_path, "jsonl")
    sink.open(None)
    fill(sink, [(Sample(key="k", location=None, metadata=metadata), Caption(key="k", text="\udce9t\ud83d"))])
    sink.finish()
    (row,) = read_rows(tmp_path, "jsonl")
    assert row["caption"] == "\ufffdE9t\ufffd"
    assert row["metadata"] == {
        "nan": None,
        "infinite": None,
        "bytes": "/wA=",
        "day": "2026-01-02",
        "time": "2026-01-02T03:04:05+00:00",
        "money": "1.50",
        "id": str(uuid.UUID(int=1)),
        "numpy": 0.5,
        "array": [1, 2],
        "set": [1],
        "tuple": [1, 2],
        "lone": "\ufffd and \ufffdFF",
        "3": "number",
        "null": "none",
        "big": 2**64,
    }


def test_json_looks_as_older_tools_expect(tmp_path):
    sink = make(tmp_path, "json")
    sink.open(None)
    fill(sink, pairs(2))
    sink.finish()
    rows = read_rows(tmp_path, "json")
    assert list(rows[0])[:4] == ["image_id", "image_path", "caption", "metadata"]
    assert rows[0]["metadata"] == {"n": 0, "caption": "a dog 0"}
    text = output_of(tmp_path, "json").read_text()
    assert text == json.dumps(rows, indent=2) + "\n"


def test_a_long_table_is_cut_into_row_groups(tmp_path):
    from pyarrow import parquet

    sink = make(tmp_path, "parquet")
    sink.open(None)
    fill(sink, pairs(1) * 25_000)
    sink.finish()
    metadata = parquet.read_metadata(output_of(tmp_path, "parquet"))
    assert [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)] == [10_000, 10_000, 5_000]


def test_lines_can_be_followed_while_they_are_written(tmp_path):
    sink = make(tmp_path, "jsonl")
    sink.open(None)
    data = pairs(4000, "a long caption " * 20)
    for start in range(0, 4000, 500):
        fill(sink, data[start : start + 500])
        content = output_of(tmp_path, "jsonl").read_bytes()
        assert not content or content.endswith(b"\n")
    assert output_of(tmp_path, "jsonl").stat().st_size > 1_000_000
    sink.commit()
    assert len(read_rows(tmp_path, "jsonl")) == 4000
    sink.close()


def test_a_link_is_followed(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    for form in ("json", "jsonl"):
        output = output_of(tmp_path, form)
        output.symlink_to(tmp_path / "elsewhere" / output.name)
        sink = make(tmp_path, form)
        sink.open(None)
        fill(sink, pairs(2))
        sink.finish()
        assert output.is_symlink()
        assert len(read_rows(tmp_path, form)) == 2
