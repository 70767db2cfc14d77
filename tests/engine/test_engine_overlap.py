"""Runs whose output, state or failures file lies over their input, or within it."""

from __future__ import annotations

import json
import os
import shutil
import tarfile
from pathlib import Path

import pytest
from PIL import Image

import cutline
from cutline.errors import ConfigError
from processes import DEFAULTS, cutline_here

COUNT = 3


@pytest.fixture
def place(tmp_path, monkeypatch) -> Path:
    """A folder with the same pictures as files, a table, shards and a Parquet table."""
    import pyarrow as pa
    from pyarrow import parquet

    monkeypatch.chdir(tmp_path)
    photos, shards, tables = (tmp_path / name for name in ("photos", "shards", "tables"))
    for folder in (photos, shards, tables):
        folder.mkdir()
    for number in range(COUNT):
        Image.new("RGB", (48, 32), (40 * number, 90, 120)).save(photos / f"{number}.jpg")
    names = [f"{number}.jpg" for number in range(COUNT)]
    (photos / "t.jsonl").write_text("".join(json.dumps({"image": name}) + "\n" for name in names))
    (photos / "t.csv").write_text("image\n" + "".join(f"{name}\n" for name in names))
    with tarfile.open(shards / "00000.tar", "w") as tar:
        for name in names:
            tar.add(photos / name, name)
    data = [{"bytes": (photos / name).read_bytes(), "path": name} for name in names]
    parquet.write_table(pa.table({"image": data}), tables / "a.parquet")
    return tmp_path


def everything(folder: Path) -> dict[str, bytes | None]:
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


def link(place: Path, name: str, target: str) -> None:
    (place / name).parent.mkdir(exist_ok=True)
    (place / name).symlink_to(place / target)


def hard_link(place: Path, name: str, target: str) -> None:
    (place / name).parent.mkdir(exist_ok=True)
    os.link(place / target, place / name)


OVER = {
    "a table": ("photos/t.jsonl", "photos/t.jsonl", {}),
    "a CSV table": ("photos/t.csv", "photos/t.csv", {}),
    "a Parquet table": ("tables/a.parquet", "tables/a.parquet", {}),
    "a table by another path": ("photos/t.jsonl", "photos/../photos/t.jsonl", {}),
    "a table by its scheme": ("photos/t.csv", "file://{place}/photos/t.csv", {}),
    "a table of a pattern": ("photos/*.jsonl", "photos/t.jsonl", {}),
    "a table of a folder": ("tables", "tables/a.parquet", {}),
    "a link to the table": ("photos/t.jsonl", "linked.jsonl", {}),
    "a table as a link to the output": ("linked.jsonl", "photos/t.jsonl", {}),
    "a hard link to the table": ("photos/t.jsonl", "hard.jsonl", {}),
    "a hard link by its scheme": ("photos/t.jsonl", "file://{place}/hard.jsonl", {}),
    "a hard link to a table of a folder": ("tables", "hard.parquet", {}),
    "a tar as a file": ("shards", "shards/00000.tar", {"output_format": "jsonl"}),
    "shards": ("shards", "shards", {}),
    "shards with a slash": ("shards", "shards/", {}),
    "shards of a pattern": ("shards/*.tar", "shards", {}),
    "shards of braces": ("shards/{00000..00002}.tar", "shards", {}),
    "one shard": ("shards/00000.tar", "shards", {}),
    "shards through a linked folder": ("shards", "linked-shards", {}),
    "shards through a linked shard": ("shards", "of-links", {}),
    "a folder above, of shards below": (".", "shards", {"source_type": "webdataset"}),
    "a picture": ("photos", "photos/1.jpg", {"output_format": "jsonl"}),
    "the picture": ("photos/1.jpg", "photos/1.jpg", {"output_format": "csv"}),
    "a link to a picture": ("photos", "picture.jsonl", {}),
    "a hard link to a picture": ("photos", "hard-picture.parquet", {}),
    "a prompt's file": ("photos", "prompt.txt", {"output_format": "jsonl", "prompt": "./prompt.txt"}),
    "failures over the input": ("out.csv.failures.jsonl", "out.csv", {}),
    "failures over a linked input": ("linked.jsonl", "out.json", {}),
    "failures over a linked file": ("photos", "a.jsonl", {}),
    "failures over a hard-linked file": ("photos", "b.jsonl", {}),
    "failures over a file of the user": ("photos", "c.jsonl", {}),
    "a linked journal": ("photos", "d.jsonl", {}),
    "a hard-linked journal": ("photos", "e.jsonl", {}),
    "state over the input": ("photos", "out.jsonl", {"state": "photos"}),
    "input within the state": ("st/t.csv", "out.jsonl", {"state": "st"}),
    "output within the state": ("photos", "st/journal.jsonl", {"state": "st"}),
}


@pytest.mark.parametrize("case", OVER)
def test_nothing_is_opened_over_what_is_read(place, case):
    given, output, options = OVER[case]
    link(place, "linked.jsonl", "photos/t.jsonl")
    link(place, "linked-shards", "shards")
    link(place, "of-links/00000.tar", "shards/00000.tar")
    link(place, "picture.jsonl", "photos/1.jpg")
    hard_link(place, "hard.jsonl", "photos/t.jsonl")
    hard_link(place, "hard.parquet", "tables/a.parquet")
    hard_link(place, "hard-picture.parquet", "photos/1.jpg")
    (place / "prompt.txt").write_text("Describe the picture.")
    (place / "st").mkdir()
    shutil.copy(place / "photos/t.csv", place / "st/t.csv")
    shutil.copy(place / "photos/t.jsonl", place / "out.csv.failures.jsonl")
    if "linked input" in case:
        hard_link(place, "out.json.failures.jsonl", "photos/t.jsonl")
    link(place, "a.jsonl.failures.jsonl", "st/t.csv")
    hard_link(place, "b.jsonl.failures.jsonl", "st/t.csv")
    (place / "c.jsonl.failures.jsonl").write_text("my notes\n")
    link(place, "d.jsonl.cutline/journal.jsonl", "st/t.csv")
    hard_link(place, "e.jsonl.cutline/journal.jsonl", "st/t.csv")
    form = "webdataset" if not Path(output).suffix else None
    before = everything(place)
    with pytest.raises(ConfigError, match=r"(another|--state)") as refused:
        cutline.caption(
            given,
            output.format(place=place),
            **{"output_format": form, "existing": "overwrite", "image_root": "photos", **options},
        )
    assert "\n" not in str(refused.value)
    assert everything(place) == before


OF_ANOTHER_RUN = {
    "its failures": ("one.jsonl.failures.jsonl", {}),
    "failures of a state elsewhere": ("two.jsonl.failures.jsonl", {}),
    "failures in another format": ("one.jsonl.failures.jsonl", {"output_format": "csv"}),
    "a shard": ("sets/00000.tar", {"output_format": "jsonl"}),
    "a part": ("parts-00000.parquet", {}),
    "a comparison's state": ("three.jsonl", {"state": "page.html.cutline"}),
    "in its state": ("one.jsonl.cutline/more.jsonl", {}),
}


def test_nothing_of_another_run_is_replaced(place):
    """By no command, whatever is to be overwritten; what the message names works."""
    (place / "photos/gone.jpg").symlink_to("nowhere")
    cutline.caption("photos", "one.jsonl")
    cutline.caption("photos", "two.jsonl", state="st")
    cutline.caption("photos", "sets", output_format="webdataset")
    cutline.caption("photos", "parts.parquet", rows_per_file=2)
    compare = ("compare", "fake", "one.jsonl", "--input-path", "photos", "-o")
    assert cutline_here(*compare, "page.html").returncode == 1, "of the picture that is gone"
    (place / "photos/0.txt").write_text("Mine.")
    (place / "own.jsonl").write_text("{}")
    before = everything(place)
    for output, options in OF_ANOTHER_RUN.values():
        with pytest.raises(ConfigError, match=r"(another|--state)"):
            cutline.caption("photos", output, **{"existing": "overwrite", **options})
    over = [
        "one.jsonl",
        "one.jsonl.failures.jsonl",
        "two.jsonl.failures.jsonl",
        "parts-00001.parquet",
        "sets",
    ]
    for output in (*over, "st/x.jsonl", "s3:/bucket/x.jsonl"):
        form = "webdataset" if output == "sets" else "jsonl"
        refused = cutline_here("export", "photos", output, "--format", form, "--overwrite")
        assert (refused.returncode, refused.stderr.count("\n")) == (2, 1), refused.stderr
    refused = cutline_here(*compare, "other.html", "--state", "one.jsonl.cutline")
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert "one.jsonl.cutline holds the state of a run" in refused.stderr
    for output in ("s3:/bucket/x.jsonl", "gs:/bucket/x.parquet"):
        with pytest.raises(ConfigError, match=r"has one slash: give (s3|gs)://bucket"):
            cutline.caption("photos", output)
    assert everything(place) == before
    assert cutline_here("export", "photos", "own.jsonl", "--overwrite").returncode == 0
    assert cutline_here(*compare, "other.html").returncode == 1
    assert (place / "other.html").exists()
    assert cutline.caption("photos", f"file:{place}/own2.jsonl").report.counts.captions == COUNT
    assert (place / "own2.jsonl").read_text().count("\n") == COUNT


WITHIN = {
    "JSON lines beside pictures": ("photos", "photos/captions.jsonl", {}),
    "Parquet beside pictures": ("photos", "photos/captions.parquet", {}),
    "shards beside pictures": ("photos", "photos/out", {"output_format": "webdataset"}),
    "state within pictures": ("photos", "out.jsonl", {"state": "photos/state"}),
    "hidden state within pictures": ("photos", "out.jsonl", {"state": "photos/.cutline"}),
    "shards within shards": ("shards", "shards/out", {"output_format": "webdataset"}),
    "shards within a pattern": ("shards/**/*.tar", "shards/out", {"output_format": "webdataset"}),
    "Parquet within tables": ("tables", "tables/out.parquet", {}),
    "JSON lines within tables": ("tables", "tables/out.jsonl", {}),
    "Parquet of a pattern": ("tables/*.parquet", "tables/out.parquet", {}),
    "JSON lines of a pattern": ("photos/*.jsonl", "photos/out.jsonl", {}),
    "state of its own": ("shards", "shards/out", {"output_format": "webdataset", "state": "shards/st"}),
    "Parquet within, state elsewhere": ("tables", "tables/out.parquet", {"state": "st"}),
}


@pytest.mark.parametrize("case", WITHIN)
def test_what_a_run_writes_into_its_input_is_not_read(place, case):
    given, output, options = WITHIN[case]
    for _ in range(3):
        captions = cutline.caption(given, output, **options)
        assert captions.report.counts.captions == COUNT
        assert captions.report.counts.total == COUNT
        assert captions.report.left_out == 0


def test_outputs_of_other_runs_are_not_read_as_a_part_of_the_input(place):
    cutline.caption("shards", "shards/one", output_format="webdataset")
    cutline.caption("tables", "tables/one.parquet")
    shutil.copytree(place / "shards/one.cutline", place / "photos/x.cutline")
    Image.new("RGB", (8, 8)).save(place / "photos/x.cutline/left.png")
    for given, output in (("shards", "two.jsonl"), ("tables", "three.jsonl"), ("photos", "four.jsonl")):
        assert cutline.caption(given, output).report.counts.total == COUNT


@pytest.mark.parametrize("name", ["pipe.jsonl", "pipe.csv", "pipe.parquet"])
def test_a_pipe_as_output_is_refused_and_not_waited_for(place, name):
    os.mkfifo(place / name)
    done = cutline_here("caption", "photos/0.jpg", name, "--model", "fake")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"cutline: {name} is not a regular file: give the name of a file\n"


def test_an_output_is_read_where_it_is_the_input_itself(place):
    cutline.caption("photos", "sets/one", output_format="webdataset")
    assert cutline.caption("sets/one", "again.jsonl").report.counts.captions == COUNT
    assert cutline.caption("sets/one/*.tar", "more.jsonl").report.counts.captions == COUNT
    with pytest.raises(ConfigError, match=r"nothing but outputs of cutline.*sets/one/00000\.tar"):
        cutline.caption("sets", "other.jsonl", source_type="webdataset")


def test_metadata_beside_pictures_is_read_and_not_replaced(place):
    for name in ("metadata.csv", "metadata.jsonl"):
        mine = place / "photos" / name
        mine.write_text(
            "file_name,year\n1.jpg,1990\n" if name.endswith("csv") else '{"file_name": "1.jpg"}\n'
        )
        with pytest.raises(ConfigError, match="belongs to the input"):
            cutline.caption(
                "photos", f"photos/{name}", output_format=name.rpartition(".")[2], existing="overwrite"
            )
        assert "1.jpg" in mine.read_text()
        mine.unlink()
    for _ in range(2):  # its own one is continued
        assert cutline.caption("photos", "photos/metadata.csv", output_format="csv").report.outputs


def test_an_output_beside_its_input_stays_usual(place):
    """Neither links nor names that only look alike are refused."""
    hard_link(place, "copies/own.jsonl", "photos/t.jsonl")
    link(place, "to.jsonl", "elsewhere.jsonl")
    for output in ("photos/t-captions.jsonl", "to.jsonl", "photos/t.jsonl.csv", "photos/shards.parquet"):
        assert cutline.caption("photos/t.jsonl", output).report.counts.captions == COUNT
    assert (place / "elsewhere.jsonl").read_text().count("\n") == COUNT


def test_every_face_refuses_before_anything_is_written_or_requested(place, servers):
    endpoint = servers("endpoint.py")
    endpoint.post("/configure", DEFAULTS)
    before = endpoint.get("/stats")["requests"]
    model = ("--model", "test", "--endpoint", endpoint.url)
    over = ("photos/t.jsonl", "photos/t.jsonl", *model, "--existing", "overwrite")
    (place / "job.toml").write_text(
        f'input_path = "shards"\noutput_path = "shards"\n[model]\nmodel = "test"\nendpoint = "{endpoint.url}"\n'
        '[output]\noutput_format = "webdataset"\nexisting = "overwrite"\n'
    )
    (place / "old.json").write_text('[{"image_id": "0.jpg", "caption": "Old."}]')
    files = everything(place)
    for command in (
        ("caption", *over),
        ("batch", "submit", *over),
        ("run", "job.toml"),
        ("compare", "old.json", "test", "--input-path", "photos", "--output-path", "old.json", *model[2:]),
    ):
        done = cutline_here(*command)
        assert done.returncode == 2, done.stderr
        assert "another" in done.stderr
        assert everything(place) == files
    assert endpoint.get("/stats")["requests"] == before


def test_a_job_goes_on_with_one_folder_for_input_and_output(place):
    folder = place / "both"
    folder.mkdir()
    shutil.copytree(place / "photos", folder / "pictures", ignore=shutil.ignore_patterns("t.*"))
    shutil.copy(place / "tables/a.parquet", place / "one.parquet")
    tables = place / "only-tables"
    tables.mkdir()
    (place / "one.parquet").rename(tables / "data.parquet")
    for data in (folder, tables):
        for _ in range(2):
            done = cutline_here(
                "job", "--model-name", "pixels:no-ocr", "--data-path", data, "--output-path", data
            )
            assert done.returncode == 0, done.stderr
            assert f"{COUNT} captions" in done.stderr


@pytest.mark.parametrize("name", ["journal.jsonl", "sub/own.jsonl"])
@pytest.mark.parametrize("command", ["caption", "export"])
def test_the_state_of_another_run_is_never_replaced(command, name, pictures, tmp_path):
    folder, good = pictures(3), tmp_path / "good.jsonl"
    assert cutline_here("caption", folder, good, "--model", "fake").returncode == 0
    state = tmp_path / "good.jsonl.cutline"
    before = {file: file.read_bytes() for file in state.iterdir() if file.is_file()}
    overwrite = ("--overwrite",) if command == "export" else ("--model", "fake", "--existing", "overwrite")
    refused = cutline_here(command, folder, state / name, *overwrite)
    assert refused.returncode == 2
    assert "state" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    assert {file: file.read_bytes() for file in state.iterdir() if file.is_file()} == before
