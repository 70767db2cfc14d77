"""Measuring before a run: kept whatever happens, done once, and in the outcomes of the run."""

from __future__ import annotations

import json
import random
import re
import signal
import subprocess
import sys

import pytest
from PIL import Image

import cutline
from cutline import registry
from cutline.engine.measure_store import MeasureStore, PictureMeasures, measure_id
from cutline.filters.selection import PictureRules
from cutline.interfaces import MeasureOptions
from measured_pictures import file_of, save_photos, scene
from processes import rest_of, start_cutline, stop, wait_until

RULES = {"keep": ["side>=256", "sharpness>=0.75"], "dedup": "near"}


def lines(path):
    return path.read_bytes().splitlines()


def captioned(output):
    return sorted(json.loads(line)["image_id"] for line in lines(output))


@pytest.fixture
def photos(tmp_path):
    return save_photos(tmp_path / "photos", sharp=4)


@pytest.fixture
def many(tmp_path):
    """Pictures that take a moment to measure."""
    folder = tmp_path / "many"
    folder.mkdir()
    large = file_of(scene(900, 700))
    for number in range(60):
        (folder / f"{number:03}.png").write_bytes(large + bytes([number]))
    return folder


def test_a_kill_while_measuring_loses_only_what_was_under_way(many, tmp_path):
    measured = tmp_path / "kept.txt.cutline/measures.jsonl"
    arguments = ("filter", str(many), "kept.txt", "--keep", "sharpness>=0.1")
    process = start_cutline(*arguments, cwd=tmp_path)
    wait_until(lambda: measured.exists() and len(lines(measured)) >= 5)
    process.kill()
    process.wait()
    whole = measured.read_bytes().rpartition(b"\n")[0].splitlines()
    assert not (tmp_path / "kept.txt").exists()
    with measured.open("ab") as file:
        file.write(b'{"key": "half a li')
    assert "60 kept" in rest_of(start_cutline(*arguments, cwd=tmp_path))
    keys = [json.loads(line)["key"] for line in lines(measured)]
    assert lines(measured)[: len(whole)] == whole
    assert sorted(keys) == sorted(path.name for path in many.iterdir())


def test_an_interrupt_while_measuring_stops_and_the_same_command_continues(many, tmp_path):
    measured = tmp_path / "kept.txt.cutline/measures.jsonl"
    arguments = ("filter", str(many), "kept.txt", "--keep", "sharpness>=0.1")
    process = start_cutline(*arguments, cwd=tmp_path)
    wait_until(lambda: measured.exists() and len(lines(measured)) >= 5)
    stop(process, signal.SIGINT)
    assert "run the same command again to continue" in rest_of(process)
    assert process.returncode == 130
    assert not (tmp_path / "kept.txt").exists()
    before = len(lines(measured))
    assert before < 60
    again = start_cutline(*arguments, cwd=tmp_path)
    assert "60 kept" in rest_of(again)
    assert len(lines(measured)) == 60


def test_other_rules_open_no_picture_again(photos, tmp_path):
    output = tmp_path / "out.jsonl"
    first = cutline.caption(photos, output, **RULES)
    assert captioned(output) == [f"good{number}.png" for number in range(4)]
    assert first.report.known.reasons == {"side>=256": 1, "sharpness>=0.75": 1, "near duplicate": 1}
    measured = lines(tmp_path / "out.jsonl.cutline/measures.jsonl")
    cutline.caption(photos, output, keep=["side>=64", "contrast>=0.2", "entropy>=p30"])
    assert lines(tmp_path / "out.jsonl.cutline/measures.jsonl") == measured


def test_a_stricter_rule_leaves_captions_out_and_a_looser_one_brings_them_back(photos, tmp_path):
    output = tmp_path / "out.jsonl"
    assert len(cutline.caption(photos, output, keep="side>=64")) == 7
    strict = cutline.caption(photos, output, keep="side>=300")
    assert "small.png" not in captioned(output)
    assert (strict.report.changed, strict.report.left_out) == (0, 0)
    back = cutline.caption(photos, output, keep="side>=64")
    assert len(back) == 7
    assert back.report.fresh.captions == 0
    assert len(cutline.caption(photos, output)) == 7


def test_a_changed_picture_is_measured_again(photos, tmp_path):
    output = tmp_path / "out.jsonl"
    cutline.caption(photos, output, keep="side>=256")
    scene(400, 400, seed=30).save(photos / "small.png")
    cutline.caption(photos, output, keep="side>=256")
    assert "small.png" in captioned(output)


@pytest.fixture
def server(photos):
    """Serves the photos; returns its address."""
    command = [
        sys.executable,
        "-u",
        "-m",
        "http.server",
        "0",
        "--bind",
        "127.0.0.1",
        "--directory",
        str(photos),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        yield re.search(r"http://[\d.:]+", process.stdout.readline())[0]
        process.kill()


def test_pictures_behind_urls_are_measured_too(photos, tmp_path, server):
    urls = [f"{server}/{path.name}" for path in sorted(photos.iterdir())]
    (tmp_path / "urls.txt").write_text("\n".join(urls))
    captions = cutline.caption(
        tmp_path / "urls.txt", tmp_path / "out.jsonl", allow_private_urls=True, **RULES
    )
    assert (captions.report.counts.captions, captions.report.counts.skips) == (4, 3)


def test_the_order_of_the_pictures_changes_nothing(photos, tmp_path):
    paths = [str(path) for path in photos.iterdir()]
    kept = []
    for seed in range(3):
        random.Random(seed).shuffle(paths)
        out = tmp_path / f"{seed}.jsonl"
        captions = cutline.caption(paths, out, keep=["side>=256", "sharpness>=p20"], dedup="near")
        assert captions.report.counts.total == 7
        kept.append(captioned(out))
    assert kept[0] == kept[1] == kept[2]


def test_no_picture_left_costs_nothing(photos, tmp_path):
    with pytest.raises(cutline.ConfigError, match="no picture is left, 7 by side>=5000: loosen"):
        cutline.caption(photos, tmp_path / "out.jsonl", keep="side>=5000")
    assert not (tmp_path / "out.jsonl").exists()


def test_rules_about_the_size_decode_nothing(photos, tmp_path):
    whole = (photos / "good0.png").read_bytes()
    (photos / "cut.png").write_bytes(whole[: len(whole) // 2])
    captions = cutline.caption(photos, tmp_path / "out.jsonl", keep="side>=256")
    assert captions.report.counts.failures == 1
    assert captions.report.counts.skips == 1
    measured = [json.loads(line) for line in lines(tmp_path / "out.jsonl.cutline/measures.jsonl")]
    sizes = {"side@1", "width@1", "height@1", "pixels@1", "aspect@1"}
    assert all("error" not in row and set(row["values"]) == sizes for row in measured)


def test_a_store_survives_damaged_lines(tmp_path):
    rules = PictureRules.of([], "near", MeasureOptions())
    path = tmp_path / "measures.jsonl"
    store = MeasureStore(path, rules.measures)
    store.load()
    values = {measure_id(measure): 0.5 for measure in rules.measures}
    for key in "abc":
        store.append(
            PictureMeasures(
                key=key, content="1", values=values, digest="00" * 16, hashes=bytes(64), is_hashed=True
            )
        )
    store.append(PictureMeasures(key="bad", content="1", error=("decode", "damaged")))
    store.close()
    damaged = lines(path)
    damaged[1] = b'{"key": 7}'
    path.write_bytes(b"\n".join(damaged) + b"\nnothing\n[]\n")
    again = MeasureStore(path, rules.measures)
    again.load()
    assert again.known("a", "1", decoded=True) == (0, frozenset())
    assert again.known("b", "1", decoded=True)[0] is None
    assert again.known("c", "2", decoded=True)[0] is None
    assert again.known("bad", "1", decoded=True)[0] is None
    assert again.read(again.row("c")).values == values
    again.close()


def test_a_plug_in_measures(photos, tmp_path):
    (tmp_path / "red.py").write_text(
        "import cutline\nfrom cutline import registry\n"
        "class Red(cutline.Measure):\n"
        "    name, meaning, usual, bad = 'red', 'how red it is', 0.3, 0.9\n"
        "    def measure(self, picture):\n"
        "        return picture.image.resize((1, 1)).getpixel((0, 0))[0] / 255\n"
        "registry.register('measures', 'red', Red)\n"
    )
    Image.new("RGB", (300, 300), "red").save(photos / "red.png")
    captions = cutline.caption(
        photos, tmp_path / "out.jsonl", keep="red<=0.9", plugin=str(tmp_path / "red.py")
    )
    assert captions.report.counts.reasons == {"red<=0.9": 1}


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        ("1 / 0", "ZeroDivisionError"),
        ("'much'", "(TypeError|ValueError)"),
        ("sys.exit(0)", "SystemExit"),
        ("os._exit(0)", "PluginExit"),
    ],
)
def test_a_measure_that_breaks_is_named_with_the_picture(photos, tmp_path, result, reason):
    (tmp_path / "odd.py").write_text(
        "import os\nimport sys\n\nimport cutline\n\n\n"
        "@cutline.register_stage\n"
        "class Odd(cutline.Measure):\n"
        "    name, meaning = 'odd', 'breaks for wide pictures'\n\n"
        "    def measure(self, picture):\n"
        f"        return {result} if picture.width == 300 else 0.5\n"
    )
    Image.new("RGB", (300, 200), "red").save(photos / "wide.png")
    with (
        registry.scope(),
        pytest.raises(cutline.ConfigError, match=f"'odd' broke at wide.png: {reason}.*return None"),
    ):
        cutline.caption(photos, tmp_path / "out.jsonl", keep="odd<=0.9", plugin=str(tmp_path / "odd.py"))


@pytest.mark.parametrize("change", ["thumbnail((2, 2))", "paste((0, 0, 0), (0, 0, 999, 999))", "close()"])
def test_what_a_measure_does_to_its_image_changes_nothing_else(tmp_path, change):
    photos = save_photos(tmp_path / "photos", sharp=5)
    for name in ("aaa", "bbb"):
        (tmp_path / f"{name}.py").write_text(
            "import cutline\n\n\n"
            "@cutline.register_stage\n"
            "class Changing(cutline.Measure):\n"
            f"    name, meaning = '{name}', 'changes its image'\n\n"
            "    def measure(self, picture):\n"
            "        colour = picture.image.getpixel((9, 9))[0]\n"
            f"        picture.image.{change}\n"
            "        return colour / 255\n"
        )
    kept = []
    for keep, plugin in ((("aaa<=0.999", "bbb<=0.999"), ("aaa.py", "bbb.py")), ((), ())):
        with registry.scope():
            captions = cutline.caption(
                photos,
                tmp_path / f"out{len(keep)}.jsonl",
                keep=[*keep, "sharpness>=0.75"],
                dedup="near",
                plugin=[str(tmp_path / name) for name in plugin],
            )
        kept.append([row["image_id"] for row in captions])
    assert kept[0] == kept[1]


@pytest.mark.parametrize(
    ("members", "cure"),
    [
        ({"name": "sharpness"}, "the name of one of cutline's own measures"),
        ({"name": "my.red"}, "needs a name of a letter and letters"),
        ({"name": "red2", "meaning": ""}, "needs a meaning"),
        (
            {"name": "red3", "measure": cutline.Measure.measure},
            r"needs a method `def measure\(self, picture\)`",
        ),
    ],
)
def test_a_measure_that_no_rule_could_use_is_refused(members, cure):
    whole = {"meaning": "how red it is", "measure": lambda self, picture: 0.0, **members}
    with pytest.raises(cutline.ConfigError, match=cure):
        cutline.register_stage(type("Red", (cutline.Measure,), whole))
