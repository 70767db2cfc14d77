"""What a folder is read as, and what is left over in it."""

from __future__ import annotations

import base64
import gzip
import io
import json
import subprocess
import sys
import tarfile

import pyarrow as pa
import pyarrow.parquet
import pytest

from cutline.errors import ConfigError
from cutline.sources import SourceOptions, detect, open_source


def put(root, name, data):
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data if isinstance(data, bytes) else data.encode())


def put_tar(root, name, members):
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as archive:
        for member, data in members.items():
            info = tarfile.TarInfo(member)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))


def put_parquet(root, name, columns):
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    pa.parquet.write_table(pa.table(columns), path)


def captioned(*arguments):
    command = [sys.executable, "-m", "cutline", "caption", *map(str, arguments), "--model", "fake"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    return done.returncode, done.stderr


def rows(path):
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_tables_beside_a_stray_picture_are_refused_with_both_named_and_the_cure_works(tmp_path, jpeg):
    data = tmp_path / "data"
    put_parquet(
        data, "data/train-0.parquet", {"image": [{"bytes": jpeg(), "path": f"{i}.jpg"} for i in (1, 2)]}
    )
    put(data, "assets/teaser.png", jpeg())
    put(data, "README.md", "x")
    code, said = captioned(data, tmp_path / "out.jsonl")
    assert code == 2
    assert "data/train-0.parquet" in said
    assert "assets/teaser.png" in said
    assert not (tmp_path / "out.jsonl").exists()
    assert captioned(data, tmp_path / "t.jsonl", "--source-type", "table")[0] == 0
    assert captioned(data, tmp_path / "p.jsonl", "--source-type", "local")[0] == 0
    assert captioned(data / "data", tmp_path / "sub.jsonl")[0] == 0
    assert [len(rows(tmp_path / name)) for name in ("t.jsonl", "p.jsonl", "sub.jsonl")] == [2, 1, 2]


@pytest.mark.parametrize("names", [("0.tar", "teaser.png"), ("a/0.tar", "b/x/0.parquet"), ("x.tgz", "y.JPG")])
def test_a_folder_of_two_kinds_is_refused(tmp_path, jpeg, names):
    for name in names:
        if name.endswith("parquet"):
            put_parquet(tmp_path, name, {"image": [jpeg()]})
        else:
            put(tmp_path, name, jpeg())
    with pytest.raises(ConfigError, match="choose what to caption with --source-type") as error:
        open_source(tmp_path)
    assert all(name in str(error.value) for name in names)


@pytest.mark.parametrize(
    ("name", "head", "row"),
    [
        ("lists/urls.csv", "url,caption\n", "http://h/{}.jpg,a\n"),
        ("urls.tsv", "image\tcaption\n", "https://h/{}.jpg\ta\n"),
        ("urls.jsonl", "", '{{"image_url": "http://h/{}.jpg"}}\n'),
    ],
)
def test_a_list_of_more_urls_than_there_are_pictures_is_named(tmp_path, jpeg, name, head, row):
    put(tmp_path, "assets/logo.png", jpeg())
    put(tmp_path, name, head + row.format(1))
    assert detect(str(tmp_path), SourceOptions()) == "local"  # the picture was downloaded from it
    put(tmp_path, name, head + row.format(1) + row.format(2))
    with pytest.raises(ConfigError, match="choose what to caption with --source-type") as error:
        detect(str(tmp_path), SourceOptions())
    assert name in str(error.value)
    assert "assets/logo.png" in str(error.value)


@pytest.mark.parametrize(
    "form", ["data.csv", "base64.csv.gz", "base64.parquet", "stored.jsonl", "second.csv"]
)
def test_a_table_that_lists_pictures_of_elsewhere_is_named_whatever_its_cells_hold(tmp_path, jpeg, form):
    text = base64.b64encode(jpeg()).decode()
    cell = {"data": f"data:image/jpeg;base64,{text}", "stored": "s3://b/1.jpg", "second": "http://h/1.jpg"}
    cell = cell.get(form.partition(".")[0], text)
    put(tmp_path, "assets/logo.png", jpeg())
    put(tmp_path, "first.csv", "path\nassets/logo.png\n")
    if form.endswith("parquet"):
        put_parquet(tmp_path, form, {"image": [cell, cell]})
    elif form.endswith("jsonl"):
        put(tmp_path, form, f"{json.dumps({'image': cell})}\n" * 2)
    else:
        lines = f'image\n"{cell}"\n"{cell}"\n'.encode()
        put(tmp_path, form, gzip.compress(lines) if form.endswith("gz") else lines)
    with pytest.raises(ConfigError, match=f"{form}.*logo.png.*choose what to caption with --source-type"):
        detect(str(tmp_path), SourceOptions())


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("0.tar", "0.parquet", "0_stats.json"), "webdataset"),  # as img2dataset writes
        (("0.tar", "extra.csv", "README.md"), "webdataset"),
        (("a.jpg", "list.csv", "notes.jsonl"), "local"),
        (("a.jpg", "captions.parquet"), "local"),  # an earlier output
        (("part-0.csv", "part-1.csv", "_SUCCESS"), "table"),
        (("one.jsonl",), "table"),
        (("a.jpg", ".cache/0.tar", ".x.parquet"), "local"),
        (("metadata.csv", "a.jpg"), "imagefolder"),
        (("train/metadata.jsonl", "train/a.jpg"), "imagefolder"),
        ((), "local"),
    ],
)
def test_the_type_of_a_folder(tmp_path, jpeg, names, expected):
    for name in names:
        if name.endswith("parquet"):
            put_parquet(tmp_path, name, {"url": ["http://h/1"]} if "0." in name else {"caption": ["x"]})
        elif "metadata" in name:
            put(tmp_path, name, "file_name\na.jpg" if name.endswith("csv") else '{"file_name": "a.jpg"}')
        else:
            put(tmp_path, name, jpeg())
    assert detect(str(tmp_path), SourceOptions()) == expected


def test_metadata_beside_pictures_is_read_as_rows(tmp_path, jpeg):
    folder = tmp_path / "pets"
    put(folder, "metadata.csv", "file_name,text,animal\na.jpg,Tom,cat\nsub/b.jpg,,dog\ngone.jpg,,dodo\n")
    put(folder, "more/metadata.jsonl", '{"file_name": "d.jpg", "animal": "cow"}\n')
    for name in ("a.jpg", "sub/b.jpg", "c.jpg", "more/d.jpg"):
        put(folder, name, jpeg())
    out = tmp_path / "out.jsonl"
    code, said = captioned(folder, out, "--prompt", "Describe this {animal}.")
    assert code == 1
    assert "left out 1 picture" in said
    assert "c.jpg" in said
    assert [(row["image_id"], row["text"], row["metadata"]["animal"]) for row in rows(out)] == [
        ("a.jpg", "Tom", "cat"),
        ("sub/b.jpg", None, "dog"),
        ("more/d.jpg", None, "cow"),
    ]
    report = json.loads((tmp_path / "out.jsonl.cutline" / "report.json").read_text())
    assert report["left_over"]["not-in-metadata"]["examples"] == ["c.jpg"]
    assert report["failures"] == 1  # the row whose picture is gone


def test_the_policy_for_what_is_left_over_decides_the_exit_code(tmp_path, jpeg):
    folder = tmp_path / "pets"
    put(folder, "metadata.csv", "file_name\na.jpg\n")
    put(folder, "a.jpg", jpeg())
    put(folder, "c.jpg", jpeg())
    codes = [
        captioned(folder, tmp_path / f"{policy}.jsonl", "--on-missing", policy)[0]
        for policy in ("warn", "fail", "ignore")
    ]
    assert codes == [0, 1, 0]


def test_a_run_of_nothing_but_rows_without_pictures_fails(tmp_path):
    put(tmp_path, "t.csv", "image,x\n,1\n,2\n")
    code, said = captioned(tmp_path / "t.csv", tmp_path / "out.jsonl")
    assert code == 1
    assert "no picture was found" in said
    assert captioned(tmp_path / "t.csv", tmp_path / "two.jsonl", "--on-missing", "ignore")[0] == 0


@pytest.fixture
def mixed(tmp_path, jpeg):
    """A folder with two pictures, another below, a table of pictures, a note and a tar in a folder."""
    put_parquet(tmp_path / "data", "t.parquet", {"image": [jpeg(), jpeg(color=(1, 2, 3))]})
    put_tar(tmp_path / "data" / "tars", "0.tar", {"1.jpg": jpeg()})
    for name in ("a.jpg", "b.PNG", "sub/c.jpg"):
        put(tmp_path / "data", name, jpeg())
    put(tmp_path / "data", "a.txt", "text of a")
    put(tmp_path / "data", "README.md", "x")
    return tmp_path / "data"


@pytest.mark.parametrize(
    ("pattern", "keys"),
    [
        ("*.jpg", ["a.jpg"]),
        ("?.*", ["a.jpg", "b.PNG"]),
        ("*.{jpg,PNG}", ["a.jpg", "b.PNG"]),
        ("{a,b}.jpg", ["a.jpg"]),
        ("[a-b].jpg", ["a.jpg"]),
        ("su*", ["c.jpg"]),
        ("**/*.jpg", ["a.jpg", "sub/c.jpg"]),
        ("*/c*", ["sub/c.jpg"]),
    ],
)
def test_a_pattern_of_pictures_reads_those_alone(mixed, pattern, keys):
    keys = [f"sub/{key}" if pattern == "su*" else key for key in keys]
    if pattern == "?.*":
        (mixed / "t.parquet").unlink()
    samples = list(open_source(f"{mixed}/{pattern}").samples())
    assert [sample.key for sample in samples] == keys
    assert {sample.text for sample in samples if sample.key == "a.jpg"} <= {"text of a"}
    assert sum(len(list(shard.samples())) for shard in open_source(f"{mixed}/{pattern}").shards(2)) == len(
        keys
    )


@pytest.mark.parametrize("pattern", ["*", "**", "*.*", "{*.parquet,*.jpg}", "../data/*"])
def test_a_pattern_of_pictures_and_tables_is_refused_and_the_cures_work(mixed, tmp_path, pattern):
    code, said = captioned(f"{mixed}/{pattern}", tmp_path / "out.jsonl")
    assert code == 2
    assert "t.parquet" in said
    assert "a.jpg" in said
    code, said = captioned(f"{mixed}/{pattern}", tmp_path / "t.jsonl", "--source-type", "table")
    assert code == 0
    assert "left out" in said
    assert "a.jpg" in said
    assert len(rows(tmp_path / "t.jsonl")) == 2


def test_pictures_beside_tars_or_tables_that_were_chosen_are_counted_and_named(mixed):
    names = ("a.jpg", "b.PNG", "sub/c.jpg")
    keys, left_over = found(mixed, source_type="webdataset")
    assert keys == ["0/1"]
    assert left_over == {"unread-picture": (3, names), "unread-table": (1, ("t.parquet",))}
    keys, left_over = found(mixed, source_type="table")
    assert left_over == {"unread-picture": (3, names), "unread-shard": (1, ("tars/0.tar",))}
    put(mixed, "list/l.csv", "image\n../a.jpg\n../sub/c.jpg\n")
    assert found(mixed / "list", source_type="table", image_root=str(mixed))[1] == {}


def test_pictures_that_rows_of_a_folder_name_are_not_left_over(tmp_path, jpeg):
    for name in ("x/a.jpg", "x/b.jpg", "c.jpg"):
        put(tmp_path, name, jpeg())
    put(tmp_path, "l.csv", "image\nx/a.jpg\nc.jpg\n")
    put(tmp_path, "m.csv", "image\nc.jpg\n")
    keys, left_over = found(f"{tmp_path}/./", source_type="table")
    assert keys == ["x/a.jpg", "c.jpg", "c.jpg#2"]
    assert left_over == {"unread-picture": (1, ("x/b.jpg",))}


def test_a_pattern_that_covers_nothing_is_one_line(tmp_path):
    for pattern in ("*", "*.jpg", "x/{a,b}.png", "*.txt"):
        with pytest.raises(ConfigError, match=r"no pictures|no file matches|does not exist"):
            list(open_source(f"{tmp_path}/{pattern}").samples())


def found(path, **options):
    source = open_source(path, SourceOptions(**options))
    keys = [sample.key for sample in source.samples()]
    return keys, {each.kind: (each.count, each.examples) for each in source.left_over}


POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'a' * 64}\nsize 12345\n"


@pytest.mark.parametrize(
    ("form", "first"),
    [("parquet", ""), ("parquet", "<html>429</html>"), ("parquet", POINTER), ("csv", ""), ("csv", POINTER)],
)
def test_a_damaged_first_table_costs_only_itself(tmp_path, jpeg, form, first):
    if form == "parquet":
        put_parquet(tmp_path, "1.parquet", {"image": [jpeg()]})
    else:
        put(tmp_path, "sub/a.jpg", jpeg())
        put(tmp_path, "1.csv", "image\nsub/a.jpg\n")
    put(tmp_path, f"0.{form}", first)
    source = open_source(tmp_path, SourceOptions(source_type="table"))
    problems = [sample.problem and sample.problem.kind for sample in source.samples()]
    assert problems == ["damaged-shard", None]


def test_a_metadata_table_that_is_not_there_yet_is_named(tmp_path, jpeg):
    put(tmp_path, "a.jpg", jpeg())
    put(tmp_path, "metadata.csv", POINTER)
    source = open_source(tmp_path)
    assert len(list(source.samples())) == 1
    assert [(each.kind, each.count) for each in source.left_over] == [("unread-metadata", 1)]


@pytest.mark.parametrize("policy", ["append", "prepend"])
def test_a_text_that_git_lfs_has_not_downloaded_is_no_caption(tmp_path, jpeg, policy):
    put(tmp_path, "a.jpg", jpeg())
    put(tmp_path, "a.txt", POINTER)
    sidecars = (tmp_path, tmp_path, "--output-format", "txt")
    code, said = captioned(*sidecars, "--existing", policy)
    assert code == 1
    assert "a.txt is a Git LFS pointer instead of the text; get the files with `git lfs pull`" in said
    code, said = captioned(tmp_path, tmp_path / "out.jsonl", "--prompt", "Improve: {text}")
    assert code == 1
    assert "git lfs pull" in said
    assert (tmp_path / "a.txt").read_text() == POINTER
