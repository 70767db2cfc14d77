"""Opening the outputs of runs, other tables and webdataset shards: read only, edited in the history."""

from __future__ import annotations

import csv
import io
import json
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from cutline import ConfigError, Dataset, EditInfo, Replace, open_dataset
from cutline.cli import main
from cutline.errors import PictureError
from processes import cutline_here

KINDS = ("out.jsonl", "out.json", "out.csv", "out.tsv", "out.parquet", "shards", "shards/00000.tar")
NAMES = ("photos/1.jpg", "photos/2.jpg", "photos/sub/line\nbreak.jpg")


def picture(number: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (16, 12), (80 * number, 40, 90)).save(file, "JPEG")
    return file.getvalue()


def rows() -> list[dict[str, Any]]:
    """As a run writes them, which ran beside the folder of the pictures."""
    return [
        {
            "image_id": name.removeprefix("photos/"),
            "image_path": name,
            "caption": f'a cat, "number {number}"\nand a mat',
            "metadata": {"price": number},
            "model": "blip" if number else "llava:7b",
            "prompt_id": "scene@1",
        }
        for number, name in enumerate(NAMES)
    ]


def write_table(path: Path, found: list[dict[str, Any]]) -> None:
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in found))
    elif path.suffix == ".json":
        path.write_text(json.dumps(found))
    elif path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(found), path)
    else:
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(found[0]), delimiter="\t" if path.suffix == ".tsv" else ",")
            writer.writeheader()
            nested = {"metadata"} & set(found[0])
            writer.writerows({**row, **{name: json.dumps(row[name]) for name in nested}} for row in found)


def write_tar(path: Path, members: list[tuple[str, bytes]]) -> None:
    path.parent.mkdir(exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name, data in members:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number, name in enumerate(NAMES):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(picture(number))
    return tmp_path


def make(folder: Path, kind: str) -> Path:
    path = folder / kind
    if not kind.startswith("shards"):
        write_table(path, rows())
        return path
    members = []
    for number, row in enumerate(rows()):
        stem = f"{number:04}"
        members += [(f"{stem}.jpg", picture(number)), (f"{stem}.txt", row["caption"].encode())]
        members.append((f"{stem}.json", json.dumps(row).encode()))
    write_tar(folder / "shards" / "00000.tar", members)
    return path


def captions(dataset: Dataset) -> list[str | None]:
    dataset.read_texts()
    found: list[str | None] = dataset.captions.array().to_pylist()
    return found


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


@pytest.mark.parametrize("kind", KINDS)
def test_opened_edited_undone_exported(folder: Path, kind: str) -> None:
    path = make(folder, kind)
    before = contents(folder)
    keys = [row["image_id"] for row in rows()]
    with open_dataset(path) as dataset:
        assert [entry.key for entry in dataset.entries] == keys
        assert captions(dataset) == [row["caption"] for row in rows()]
        assert dataset.find("model:blip").tolist() == [1, 2]
        assert [dataset.location(row).read() for row in range(3)] == [picture(row) for row in range(3)]
        assert contents(folder) == before  # looking creates nothing
        result = dataset.apply(dataset.preview(Replace(old="cat", new="dog"), dataset.find("number 1")))
        assert (result.written, result.conflicts, result.unit) == (1, (), "caption")
        assert dataset.find("model:blip").tolist() == [2]
        assert dataset.find("edited:").tolist() == [1]
        dataset.set_mark([2], "done")
    after = contents(folder)
    assert {name: after[name] for name in before} == before  # the input is never written
    with open_dataset(path) as dataset:
        assert dataset.caption(1) == 'a dog, "number 1"\nand a mat'
        assert captions(dataset)[1] == 'a dog, "number 1"\nand a mat'
        assert dataset.find("status:done").tolist() == [2]
        dataset.export(folder / "pairs.zip")
        dataset.export(folder / "again.parquet")
        dataset.undo()
        dataset.undo()
        assert captions(dataset)[1] == rows()[1]["caption"]
    with zipfile.ZipFile(folder / "pairs.zip") as archive:
        pairs = json.loads(archive.read("captions.json"))
        assert [archive.read(pair["image"]) for pair in pairs] == [picture(row) for row in range(3)]
        assert pairs[1]["caption"].startswith("a dog")
    with open_dataset(folder / "again.parquet") as dataset:
        assert [entry.key for entry in dataset.entries] == keys
        assert captions(dataset)[1] == 'a dog, "number 1"\nand a mat'
        assert dataset.find("model:llava:7b").tolist() == [0]


def test_replaced_table_keeps_edits_by_key(folder: Path) -> None:
    path = make(folder, "out.jsonl")
    with open_dataset(path) as dataset:
        info = EditInfo(kind="save", summary="edit")
        dataset.set_captions({0: "mine of 1", 1: "mine of 2", 2: "mine of 3"}, info)
    found = rows()
    found[1]["caption"] = "another run's"
    write_table(path, [found[1], found[0]])  # another order, another text, and one row less
    with open_dataset(path) as dataset:
        assert captions(dataset) == ["another run's", "mine of 1"]
        assert dataset.superseded == ["2.jpg"]
        assert "replaced" in dataset.note(0)
        assert not dataset.note(1)
        assert [version.caption for version in dataset.versions("2.jpg")] == ["mine of 2"]
        assert [version.caption for version in dataset.versions("1.jpg")] == [
            "mine of 1",
            rows()[0]["caption"],
        ]
        assert [version.by for version in dataset.versions("1.jpg")] == ["edit", "as found"]
        dataset.set_captions({0: "mine again"}, EditInfo(kind="save", summary="edit"))
        assert dataset.caption(0) == "mine again"
    write_table(path, rows())
    with open_dataset(path) as dataset:
        assert captions(dataset) == ["mine of 1", rows()[1]["caption"], "mine of 3"]


def test_failures_and_rows_without_pictures_open_all_the_same(folder: Path) -> None:
    path = make(folder, "out.jsonl")
    (folder / "photos/1.jpg").unlink()
    failure = {"image_id": "bad.jpg", "kind": "decode", "message": "cut", "image_path": "photos/bad.jpg"}
    (folder / "out.jsonl.failures.jsonl").write_text(json.dumps(failure) + "\nno json\n")
    path.write_text(path.read_text() + '{"broken\n' + '{"image_id": "", "caption": null}\n')
    with open_dataset(path) as dataset:
        assert [entry.key for entry in dataset.entries][3:] == ["row-00000003", "row-00000004", "bad.jpg"]
        assert captions(dataset)[3:] == [None, None, None]
        assert dataset.note(5) == "failed: decode: cut"
        assert "not valid JSON" in dataset.note(3)
        result = dataset.export(folder / "all.zip")
        assert (result.written, result.missing) == (2, 3)
        assert result.failed[0][0] == "1.jpg"
        assert dataset.export(folder / "all.csv").written == 3  # a table needs no pictures


@pytest.mark.parametrize(
    "outside", ["/etc/passwd", "../secret.jpg", "photos/link.jpg", "http://127.0.0.1/x.jpg", "a\0b", "photos"]
)
def test_pictures_outside_the_root_are_never_read(folder: Path, outside: str) -> None:
    inner = folder / "inner"
    inner.mkdir()
    (folder / "secret.jpg").write_bytes(picture(1))
    (inner / "photos").mkdir()
    (inner / "photos" / "link.jpg").symlink_to(folder / "secret.jpg")
    for columns in ({"image_id": outside, "image_path": outside}, {"image_path": outside}):
        write_table(inner / "out.jsonl", [{**columns, "caption": "a cat"}])
        with open_dataset(inner / "out.jsonl") as dataset:
            with pytest.raises(PictureError):
                dataset.location(0).read()
            result = dataset.export(folder / "table.csv", overwrite=True)
            assert result.written == 1


def test_pictures_behind_links_out_of_a_table_s_folder_are_read_where_that_is_allowed(folder: Path) -> None:
    inner = folder / "inner"
    inner.mkdir()
    (folder / "far.jpg").write_bytes(picture(1))
    (inner / "link.jpg").symlink_to(folder / "far.jpg")
    write_table(inner / "out.jsonl", [{"image_id": "link.jpg", "caption": "a cat"}])
    with (
        open_dataset(inner / "out.jsonl") as dataset,
        pytest.raises(PictureError, match="--follow-links follows"),
    ):
        dataset.location(0)
    with open_dataset(inner / "out.jsonl", follow_links=True) as dataset:
        assert dataset.location(0).read() == picture(1)
    done = cutline_here("edit", inner / "out.jsonl", "--suffix", "!", "--follow-links")
    assert "--follow-links` writes the edited captions" in done.stderr


def test_keys_that_lead_elsewhere_stay_within_an_export(folder: Path) -> None:
    keys = ["/tmp/evil.jpg", "../../evil.jpg", "C:\\evil.jpg", "no ending", "photos/1.jpg", "photos/1.jpg"]
    found = [{"image_id": key, "image_path": "photos/1.jpg", "caption": key} for key in keys]
    write_table(folder / "out.jsonl", found)
    with open_dataset(folder / "out.jsonl") as dataset:
        assert dataset.entries[5].key == "photos/1.jpg#2"
        result = dataset.export(folder / "x" / "copies", format="imagefolder")
        dataset.export(folder / "x.zip", format="zip")
    assert result.written == 6
    evil = [file.relative_to(folder / "x/copies") for file in folder.rglob("evil.jpg")]
    assert evil
    assert not any(".." in file.parts for file in evil)
    lines = (folder / "x/copies/metadata.jsonl").read_text().splitlines()
    files = [json.loads(line)["file_name"] for line in lines]
    assert len(set(files)) == 6
    assert all((folder / "x/copies" / name).read_bytes() == picture(0) for name in files)
    assert files[3] == "no ending.jpg"
    with zipfile.ZipFile(folder / "x.zip") as archive:
        assert len(set(archive.namelist())) == 12


def test_bytes_in_parquet_and_base64(folder: Path) -> None:
    structs = [{"bytes": picture(row), "path": f"{row}.jpg"} for row in range(3)]
    pq.write_table(pa.table({"image": structs, "text": ["a", "b", "c"]}), folder / "hf.parquet")
    pq.write_table(
        pa.table({"image": [picture(row) for row in range(3)], "id": [7, 8, 9], "caption": ["a", "b", "c"]}),
        folder / "plain.parquet",
    )
    for name, keys in (("hf.parquet", ["0.jpg", "1.jpg", "2.jpg"]), ("plain.parquet", ["7", "8", "9"])):
        with open_dataset(folder / name) as dataset:
            assert [entry.key for entry in dataset.entries] == keys
            assert captions(dataset) == ["a", "b", "c"]
            for row in (2, 0, 1):
                assert dataset.location(row).read() == picture(row)
            assert dataset.export(folder / f"{name}.zip").written == 3


def test_objects_with_nothing_but_bytes_are_pictures(tmp_path: Path) -> None:
    values = [{"bytes": picture(number)} for number in range(3)]
    pq.write_table(pa.table({"image": values}), tmp_path / "objects.parquet")
    with open_dataset(tmp_path / "objects.parquet") as dataset:
        assert [dataset.location(row).read() for row in range(3)] == [value["bytes"] for value in values]
    ran = cutline_here("caption", tmp_path / "objects.parquet", tmp_path / "out.jsonl", "--model", "fake")
    assert ran.returncode == 0, ran.stderr
    with open_dataset(tmp_path / "out.jsonl") as dataset:
        assert dataset.export(tmp_path / "copies", format="folder").written == 3


@pytest.mark.parametrize("columns", [("img", "n"), ("img",)])
def test_a_table_of_bytes_without_names_or_texts_opens(tmp_path: Path, columns: tuple[str, ...]) -> None:
    values = {"img": [picture(number) for number in range(3)], "n": [1, 2, 3]}
    pq.write_table(pa.table({name: values[name] for name in columns}), tmp_path / "bytes.parquet")
    with open_dataset(tmp_path / "bytes.parquet") as dataset:
        assert captions(dataset) == [None] * 3
        assert [dataset.location(row).read() for row in range(3)] == values["img"]


def test_image_root_and_columns_are_named(folder: Path) -> None:
    (folder / "tables").mkdir()
    table = folder / "tables" / "list.csv"
    table.write_text("where;words\n1.jpg;a cat\n")
    with pytest.raises(ConfigError, match=r"--image-column and --text-column"):
        open_dataset(table)
    with open_dataset(
        table, image_column="where", text_column="words", image_root=folder / "photos"
    ) as found:
        assert found.location(0).read() == picture(0)
        assert found.caption(0) == "a cat"
    with pytest.raises(ConfigError, match="no column 'nothing'"):
        open_dataset(table, image_column="nothing")
    with pytest.raises(ConfigError, match="is not a folder"):
        open_dataset(table, image_column="where", image_root=folder / "nowhere")
    with pytest.raises(ConfigError, match="--image-root is for tables"):
        open_dataset(folder / "photos", image_root=folder)


def test_a_table_without_paths_opens(folder: Path) -> None:
    (folder / "texts.csv").write_text("caption\na cat\n\na dog\n")
    with open_dataset(folder / "texts.csv") as dataset:
        assert captions(dataset) == ["a cat", "a dog"]
        with pytest.raises(PictureError, match="names no picture"):
            dataset.location(0)
        dataset.set_captions({1: "a fox"}, EditInfo(kind="save", summary="edit"))
    with open_dataset(folder / "texts.csv") as dataset:
        assert captions(dataset) == ["a cat", "a fox"]


def test_damaged_shards_open_as_far_as_they_are_whole(folder: Path) -> None:
    make(folder, "shards")
    tar = folder / "shards" / "00000.tar"
    data = tar.read_bytes()
    tar.write_bytes(data[: len(data) // 2])
    (folder / "shards" / "00001.tar").write_bytes(b"no tar at all" * 100)
    with open_dataset(folder / "shards") as dataset:
        assert captions(dataset)[0] == rows()[0]["caption"]
        notes = [dataset.note(row) for row in range(len(dataset))]
        assert any("lost" in note for note in notes)
        assert dataset.location(0).read() == picture(0)


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("empty.jsonl", "", "no rows"),
        ("empty.csv", "image_path,caption\n", "no pictures"),
        ("list.json", "[]", "list of objects"),
        ("other.jsonl", '{"a": 1}\n', "its columns are a"),
        ("photo.jpg", "x", "give its folder"),
        ("notes.bin", "\0\1", "give a folder, a table or a tar"),
        ("broken.parquet", "PAR1", "not a valid parquet"),
    ],
)
def test_what_cannot_be_opened_is_named(tmp_path: Path, name: str, text: str, reason: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(ConfigError, match=reason):
        open_dataset(tmp_path / name)
    assert [file.name for file in tmp_path.iterdir()] == [name]


def test_other_places_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="copy it to this machine"):
        open_dataset("s3://bucket/captions.parquet")
    with pytest.raises(ConfigError, match="does not exist"):
        open_dataset(tmp_path / "nothing.jsonl")


def test_state_of_a_run_and_history_share_a_folder(folder: Path) -> None:
    """A run that continues leaves the history alone, and the history the run's state."""
    command = ["caption", str(folder / "photos"), str(folder / "out.jsonl"), "--model", "pixels"]
    assert main(command) == 0
    with open_dataset(folder / "out.jsonl") as dataset:
        dataset.set_captions({0: "mine"}, EditInfo(kind="save", summary="edit"))
    (folder / "photos" / "3.jpg").write_bytes(picture(3))
    assert main(command) == 0
    with open_dataset(folder / "out.jsonl") as dataset:
        assert [entry.key for entry in dataset.entries][:3] == ["1.jpg", "2.jpg", "3.jpg"]
        assert captions(dataset)[0] == "mine"
        assert dataset.find("model:pixels").tolist() == [1, 2, 3]


def exported(path: Path) -> list[dict[str, Any]]:
    """The rows of a table, nested values as objects."""
    if path.suffix == ".parquet":
        found = pq.read_table(path).to_pylist()
    elif path.suffix == ".jsonl":
        found = [json.loads(line) for line in path.read_text().splitlines()]
    else:
        with path.open(newline="") as file:
            found = list(csv.DictReader(file))
    for row in found:
        for name in ("metadata", "fields", "steps"):
            row[name] = json.loads(row[name] or "null") if isinstance(row[name], str) else row[name]
    return found


@pytest.mark.parametrize("target", ["again.jsonl", "again.csv", "again.parquet"])
@pytest.mark.parametrize("kind", ["list.csv", "list.jsonl", "list.parquet"])
def test_other_columns_survive_an_export(folder: Path, kind: str, target: str) -> None:
    others = [
        {"price": 7.5, "split": "train"},
        {"price": 8.0, "split": 'no, "test"'},
        {"price": 9.25, "split": "x"},
    ]
    found = [{"file_name": name, "text": "a cat", **more} for name, more in zip(NAMES, others, strict=True)]
    write_table(folder / kind, found)
    with open_dataset(folder / kind) as dataset:
        dataset.set_captions({1: "a dog"}, EditInfo(kind="save", summary="edit"))
        dataset.export(folder / target, dataset.find("path:sub OR dog"))
    rows_out = exported(folder / target)
    assert [row["caption"] for row in rows_out] == ["a dog", "a cat"]
    for row, more in zip(rows_out, others[1:], strict=True):
        assert float(row["metadata"]["price"]) == more["price"]
        assert row["metadata"]["split"] == more["split"]
    with open_dataset(folder / target) as dataset:  # and once more
        dataset.export(folder / f"last-{target}")
    assert [row["metadata"] for row in exported(folder / f"last-{target}")] == [
        row["metadata"] for row in rows_out
    ]


@pytest.mark.parametrize("target", ["again.jsonl", "again.csv", "again.parquet"])
@pytest.mark.parametrize("kind", KINDS)
def test_columns_of_an_output_stay_what_they_are(folder: Path, kind: str, target: str) -> None:
    path = make(folder, kind)
    with open_dataset(path) as dataset:
        dataset.export(folder / target)
    assert [row["metadata"] for row in exported(folder / target)] == [
        {"price": number} for number in range(3)
    ]


def test_other_columns_are_in_an_imagefolder_too(folder: Path) -> None:
    path = folder / "out.jsonl"
    write_table(path, [{**row, "price": number, "text": "x"} for number, row in enumerate(rows())])
    with open_dataset(path) as dataset:
        dataset.export(folder / "copies", format="imagefolder")
    lines = (folder / "copies" / "metadata.jsonl").read_text().splitlines()
    found = [json.loads(line) for line in lines]
    assert [(row["price"], row["text"]) for row in found] == [
        (number, row["caption"]) for number, row in enumerate(rows())
    ]


def test_fields_and_figures_of_a_run_survive_an_export(folder: Path) -> None:
    command = ["caption", str(folder / "photos"), "--step", "look=fake", "--step", "tell=fake"]
    for ending in ("jsonl", "csv", "parquet"):
        assert main([*command, "--output-path", str(folder / f"run.{ending}")]) == 0
        with open_dataset(folder / f"run.{ending}") as dataset:
            dataset.export(folder / "again.jsonl", overwrite=True)
        with open_dataset(folder / "again.jsonl") as dataset:
            dataset.export(folder / f"last.{ending}")
        names = (
            "captions",
            "steps",
            "prompt_tokens",
            "completion_tokens",
            "finish_reason",
            "model",
            "prompt_id",
        )
        before, after = exported(folder / f"run.{ending}"), exported(folder / f"last.{ending}")
        assert [[row[name] for name in names] for row in after] == [
            [row[name] for name in names] for row in before
        ]


def test_a_table_that_was_replaced_while_it_is_open_is_not_mixed_up(folder: Path) -> None:
    path = make(folder, "out.jsonl")
    with open_dataset(path) as dataset:
        write_table(path, list(reversed(rows())) + rows()[:1])
        with pytest.raises(ConfigError, match="replaced since it was opened: open it again"):
            dataset.export(folder / "again.jsonl")
    assert not (folder / "again.jsonl").exists()
