"""The types of Parquet outputs: those of the table that was read, of the JSON schema, and of the values."""

from __future__ import annotations

import datetime as dt
import decimal
import json

import pyarrow as pa
import pytest
from PIL import Image
from pyarrow import parquet

import cutline
from cutline.records import Caption, Sample
from cutline.sinks import SinkOptions, open_sink
from cutline.sinks.column_types import schema_type

COUNT = 5
DAY = dt.date(2024, 2, 29)
MOMENT = dt.datetime(2024, 1, 2, 3, 4, 5, 600, dt.UTC)
COLUMNS = {
    "id": pa.array(range(COUNT), pa.int64()),
    "small": pa.array([3] * COUNT, pa.int8()),
    "large": pa.array([2**63 + 5] * COUNT, pa.uint64()),
    "price": pa.array([0.5, None, 1e300, -1.0, 2.0]),
    "ok": pa.array([True, False, None, True, False]),
    "day": pa.array([DAY, None, DAY, DAY, DAY]),
    "at": pa.array([MOMENT.replace(tzinfo=None)] * COUNT, pa.timestamp("us")),
    "zoned": pa.array([MOMENT] * COUNT, pa.timestamp("us", tz="Europe/Berlin")),
    "exact": pa.array([decimal.Decimal("1.25")] * COUNT, pa.decimal128(9, 2)),
    "tags": pa.array([["a", "b"], [], None, ["c"], ["d"]]),
    "inner": pa.array([{"a": 1, "b": ["x"]}] * COUNT),
    "text": pa.array(["007", "1", "", None, "x"]),
}


@pytest.fixture
def table(tmp_path):
    names = []
    for number in range(COUNT):
        Image.new("RGB", (30, 20), (number * 40, 90, 120)).save(tmp_path / f"{number}.png")
        names.append(f"{number}.png")
    parquet.write_table(pa.table({"image_path": names, **COLUMNS}), tmp_path / "in.parquet")
    return tmp_path / "in.parquet"


@pytest.mark.parametrize("rows_per_file", [None, 2])
def test_columns_of_a_table_keep_their_types(rows_per_file, table, tmp_path):
    result = cutline.caption(
        table, tmp_path / "o.parquet", model="fake", rows_per_file=rows_per_file, text_column="text"
    )
    assert len(result) == COUNT
    files = sorted(tmp_path.glob("o-*.parquet" if rows_per_file else "o.parquet"))
    assert len(files) == (3 if rows_per_file else 1)
    assert len({parquet.read_schema(file).to_string() for file in files}) == 1
    found = pa.concat_tables([parquet.read_table(file) for file in files])["metadata"].combine_chunks()
    for name, column in COLUMNS.items():
        values = found.field(name)
        assert values.type.equals(column.type) or pa.types.is_list(column.type), name
        assert values.to_pylist() == column.to_pylist(), name


def test_values_of_json_lines_have_their_types_and_mixed_ones_are_json_text(table, tmp_path):
    rows = [
        {"image": f"{number}.png", "n": number, "x": number / 2, "mixed": number if number % 2 else "a"}
        for number in range(COUNT)
    ]
    rows[0]["more"], rows[4]["only"] = {"b": [1, 2.5]}, True
    (tmp_path / "in.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    result = cutline.caption(tmp_path / "in.jsonl", tmp_path / "o.parquet", model="fake", include_raw=False)
    found = parquet.read_table(tmp_path / "o.parquet")
    assert "llm" not in found.schema.names
    types = {field.name: str(field.type) for field in found.schema.field("metadata").type}
    assert types == {
        "image": "string",
        "n": "int64",
        "x": "double",
        "mixed": "string",
        "more": "struct<b: list<element: double>>",
        "only": "bool",
    }
    assert [row["mixed"] for row in found["metadata"].to_pylist()] == ["a", "1", "a", "3", "a"]
    assert [warning for warning in result.report.warnings if "metadata.mixed" in warning]


SCHEMA = {
    "type": "object",
    "properties": {
        "caption": {"type": "string"},
        "count": {"type": "integer"},
        "score": {"type": ["number", "null"]},
        "people": {"type": "array", "items": {"$ref": "#/$defs/person"}},
        "indoors": {"anyOf": [{"type": "boolean"}, {"type": "null"}]},
        "any": {},
    },
    "$defs": {"person": {"type": "object", "properties": {"name": {"type": "string"}}}},
}
FIELDS = [
    {"caption": "a", "count": 1, "score": 2, "people": [{"name": "Ann"}], "indoors": True, "any": [1]},
    {"caption": "b", "count": 2.0, "score": None},
    {"caption": "c", "extra": 7},
]


@pytest.mark.parametrize("rows_per_file", [0, 2])
def test_fields_have_the_types_of_the_schema(rows_per_file, tmp_path):
    options = SinkOptions(fields_schema=SCHEMA, rows_per_file=rows_per_file)
    sink = open_sink(str(tmp_path / "o.parquet"), None, tmp_path, options)
    sink.open(None)
    for number, fields in enumerate(FIELDS):
        sample = Sample(key=str(number), location=None)
        sink.write(sample, Caption(key=sample.key, text=fields["caption"], fields=fields), None)
    sink.finish()
    files = sorted(tmp_path.glob("o*.parquet"))
    schemas = [parquet.read_schema(file) for file in files]
    assert all(schema.equals(schemas[0]) for schema in schemas)
    types = {field.name: str(field.type) for field in schemas[0].field("fields").type}
    expected = {
        "caption": "string",
        "count": "int64",
        "score": "double",
        "people": "list<element: struct<name: string>>",
        "indoors": "bool",
        "any": "string",
    }
    assert types == (expected if rows_per_file else {**expected, "extra": "int64"})
    rows = [row for file in files for row in parquet.read_table(file).to_pylist()]
    assert rows[0]["fields"]["people"] == [{"name": "Ann"}]
    assert (rows[1]["fields"]["count"], rows[1]["fields"]["people"]) == (2, None)
    if rows_per_file:
        assert (rows[2]["fields"], json.loads(rows[2]["fields_json"])) == (None, FIELDS[2])
        assert any("fields_json" in warning for warning in sink.warnings)
    else:
        assert rows[2]["fields"]["extra"] == 7


@pytest.mark.parametrize(
    "value", [2**70, 1e400, "text", [1], {"a": 1}], ids=["large", "inf", "text", "list", "object"]
)
def test_a_value_that_does_not_fit_its_declared_type_is_kept_as_json_text(value, tmp_path):
    options = SinkOptions(column_types={"n": pa.int64(), "at": pa.time64("us")})
    sink = open_sink(str(tmp_path / "o.parquet"), None, tmp_path, options)
    sink.open(None)
    for number, cell in enumerate([1, value]):
        sample = Sample(key=str(number), location=None, metadata={"n": cell, "at": "03:04:05"})
        sink.write(sample, Caption(key=sample.key, text="a"), None)
    sink.finish()
    rows = parquet.read_table(tmp_path / "o.parquet").to_pylist()
    expected = None if value == 1e400 else json.dumps(value, separators=(",", ":"))
    assert rows[0]["metadata"]["at"] == "03:04:05"
    assert rows[1]["metadata"]["n"] == ("text" if value == "text" else expected)


def test_a_schema_that_refers_to_itself_ends_in_json_text():
    schema = {
        "type": "object",
        "properties": {"caption": {"type": "string"}, "inner": {"$ref": "#"}},
    }
    assert "inner" in str(schema_type(schema))
