"""A captioner within one's own Ray Data pipeline: a bad row is a value."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cutline.ray import Captioner
from processes import environment

pytest.importorskip("ray", reason="needs the extra ray")

EXAMPLE = Path(__file__).parents[2] / "examples" / "ray_dataset.py"
PROGRAM = """
import sys
import cutline.ray
import ray

ray.init(address=sys.argv[1], log_to_driver=False, logging_level="ERROR")
pictures = sorted(str(path) for path in __import__("pathlib").Path(sys.argv[2]).glob("*.png"))
rows = [{"image": path, "number": number} for number, path in enumerate([*pictures, "/no/such.png"])]
dataset = ray.data.from_items(rows).map_batches(
    cutline.ray.Captioner,
    fn_constructor_kwargs={"model": "test", "endpoint": sys.argv[3]},
    batch_size=8,
    compute=ray.data.ActorPoolStrategy(size=1),
)
for row in sorted(dataset.take_all(), key=lambda row: row["number"]):
    print(row["number"], row["outcome"], row["kind"] or "-", row["tokens"], bool(row["caption"]))
"""


def test_rows_get_captions_or_the_kind_of_their_failure(endpoint, pictures, tmp_path, cluster):
    folder = pictures(10)
    (folder / "00004.png").write_bytes(b"no picture")
    printed = cluster.python(PROGRAM, folder, endpoint.url)
    rows = [line.split() for line in printed.splitlines() if line[:1].isdigit()]
    assert [row[1:3] for row in rows] == [
        *[["caption", "-"]] * 4,
        ["failure", "unsupported"],
        *[["caption", "-"]] * 5,
        ["failure", "missing"],
    ]
    assert all(int(row[3]) > 0 and row[4] == "True" for row in rows if row[1] == "caption")


LONG = """
import random
from cutline import register_model


@register_model("long")
class Long:
    def __init__(self, **options):
        chance = random.Random(0)
        self.words = " ".join("".join(chance.choices("abcdefghij", k=7)) for _ in range(80_000))

    def infer(self, prompt, image, image_name):
        return self.words if image.getpixel((0, 0))[0] else "a short one"
"""


def test_one_long_caption_does_not_widen_all_of_its_batch(tmp_path):
    plugin = tmp_path / "long.py"
    plugin.write_text(LONG)
    captioner = Captioner("long", plugin=[str(plugin)])
    images = np.zeros((300, 8, 8, 3), np.uint8)
    images[0] = 255
    made = captioner({"image": images})
    assert [len(text) > 500_000 for text in made["caption"]] == [True] + 299 * [False]
    assert sum(made[name].nbytes for name in ("caption", "outcome", "kind", "tokens")) < 100_000


def test_a_batch_without_rows_has_columns_of_the_same_types():
    made = Captioner("pixels")({"image": np.array([], dtype=object)})
    schema = pa.table({name: made[name] for name in ("caption", "outcome", "kind", "tokens")}).schema
    assert [str(field.type) for field in schema] == ["string", "string", "string", "int64"]


def test_the_example_writes_a_row_for_each_picture(pictures, tmp_path, cluster):
    folder, output = pictures(6), tmp_path / "rows"
    (folder / "00002.png").write_bytes(b"no picture")
    done = subprocess.run(
        [sys.executable, EXAMPLE, folder, output],
        env=environment(RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER="0", RAY_ADDRESS=cluster.address),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    rows = {Path(row["path"]).name: row for row in pq.read_table(output).to_pylist()}
    assert [name for name in sorted(rows) if rows[name]["outcome"] == "caption"] == [
        f"{number:05}.png" for number in (0, 1, 3, 4, 5)
    ]
    assert rows["00002.png"]["kind"] == "unsupported"
