"""``cutline filter`` as a user runs it."""

from __future__ import annotations

import json
import re
import shlex
import tarfile
import tomllib
from pathlib import Path

import pytest
from PIL import Image
from program import rows

import cutline as cutline_package
from cutline.imaging import EXTENSIONS
from measured_pictures import blurred, save_photos, scene
from server_process import Server

PICTURES = tuple(f".{ending}" for ending in EXTENSIONS)


@pytest.fixture
def cutline(here):
    return here


@pytest.fixture
def photos(tmp_path):
    """Five sharp pictures, a blurred and a small one, a smaller copy, and a damaged file."""
    folder = save_photos(tmp_path / "photos", sharp=5)
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no picture")
    return folder


def test_the_kept_pictures_are_a_list_that_can_be_captioned(cutline, photos, tmp_path):
    found = cutline(
        "filter", "photos", "kept.txt", "--keep", "side>=256", "--keep", "sharpness>=0.75", "--dedup", "near"
    )
    assert found.code == 1
    assert "5 kept · 3 rejected (1 side>=256, 1 sharpness>=0.75, 1 near duplicate)" in found.err
    assert "1 cannot be opened" in found.err
    assert (tmp_path / "kept.txt").read_text().split() == [f"photos/good{n}.png" for n in range(5)]
    by_key = {row["image_id"]: row for row in rows(tmp_path / "kept.txt.rejected.jsonl")}
    assert by_key["small.png"]["reason"] == "side 70 < 256"
    assert by_key["soft.png"]["reason"].startswith("sharpness 0.")
    assert by_key["soft.png"]["reason"].endswith(" < 0.75")
    assert by_key["copy.png"]["kept"] == "good1.png"
    assert by_key["copy.png"]["distance"] <= 64
    (failure,) = rows(tmp_path / "kept.txt.failures.jsonl")
    assert (failure["key"], failure["kind"]) == ("broken.jpg", "decode")
    captioned = cutline("caption", "kept.txt", "captions.jsonl")
    assert captioned.code == 0
    assert [row["image_id"] for row in rows(tmp_path / "captions.jsonl")] == [
        f"photos/good{n}.png" for n in range(5)
    ]


@pytest.mark.parametrize("ending", ["txt", "csv", "jsonl", "parquet"])
def test_every_kind_of_list_is_an_input(cutline, photos, tmp_path, ending):
    (tmp_path / "lists").mkdir()
    (photos / "broken.jpg").unlink()
    assert cutline("filter", "photos", f"lists/kept.{ending}", "--keep", "side>=256").code == 0
    captioned = cutline("caption", f"lists/kept.{ending}", "out.jsonl", "--image-root", "photos")
    assert captioned.code == 0
    assert len(rows(tmp_path / "out.jsonl")) == 7


def test_the_command_that_captions_pictures_of_this_network_works(cutline, photos, tmp_path):
    with Server("scripted.py", "--folder", str(photos)) as server:
        urls = [f"{server.root}/pictures/{path.name}" for path in sorted(photos.glob("good*"))]
        (tmp_path / "urls.txt").write_text("\n".join(urls))
        found = cutline("filter", "urls.txt", "kept.txt", "--dedup", "exact", "--allow-private-urls")
        (named,) = re.findall(r"^caption them: cutline (.*)", found.err, re.MULTILINE)
        captioned = cutline(*shlex.split(named), "captions.jsonl", "--model", "fake")
        assert captioned.code == 0, captioned.err
        assert len(rows(tmp_path / "captions.jsonl")) == len(urls)


def test_another_limit_opens_no_picture_again(cutline, photos, tmp_path):
    (photos / "broken.jpg").unlink()
    assert cutline("filter", "photos", "kept.txt", "--keep", "side>=256").code == 0
    lines = (tmp_path / "kept.txt.cutline/measures.jsonl").read_bytes()
    again = cutline("filter", "photos", "kept.txt", "--keep", "entropy>=p20", "--dedup", "near")
    assert again.code == 0
    assert "measuring" not in again.err
    assert (tmp_path / "kept.txt.cutline/measures.jsonl").read_bytes() == lines


def test_rules_of_a_run_are_skips(cutline, photos, tmp_path):
    (photos / "broken.jpg").unlink()
    first = cutline("caption", "photos", "out.jsonl", "--keep", "side>=256", "--keep", "sharpness>=p20")
    assert first.code == 0
    assert "6 captions · 2 skipped" in first.err
    report = json.loads((tmp_path / "out.jsonl.cutline/report.json").read_bytes())
    assert report["skip_reasons"] == {"side>=256": 1, "sharpness>=p20": 1}
    again = cutline("caption", "photos", "out.jsonl", "--keep", "side>=300")
    assert again.code == 0
    assert len(rows(tmp_path / "out.jsonl")) == 6
    assert "copy.png" not in {row["image_id"] for row in rows(tmp_path / "out.jsonl")}


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        (["sharpnes>=1"], "did you mean sharpness?"),
        (["dark"], "--keep takes NAME>=VALUE"),
        (["side=5"], "write side==5"),
        (["sharpness=>0.75"], "sharpness=>0.75: write sharpness>=0.75"),
        (["motion =< p3"], "write motion<=p3"),
        (["side≥256"], "write side>=256"),
        (["side>=nan"], "'nan' is neither a number nor a share"),
        (["side>=p100"], "p must be above 0 and below 100"),
        (["side==p3"], "needs >= or <="),
        (["side>=5", "side>=7"], "limit the same"),
        (["side>=5", "side<3"], "contradict each other"),
        (["side>5", "side<=5"], "contradict each other"),
        (["dark>=3"], "dark is 0 to 1"),
        (["sharpness<=p3"], "write sharpness>=p3"),
        (["sharpness>=3.99"], "no picture is left, 8 by sharpness>=3.99"),
    ],
)
def test_a_mistake_is_a_line_with_its_cure(cutline, photos, rules, message):
    for command in ("filter", "caption"):
        found = cutline(
            command, "photos", "kept.jsonl", *(word for rule in rules for word in ("--keep", rule))
        )
        assert found.code == 2
        assert message in found.err


def test_the_measures_are_listed(cutline):
    found = cutline("filter", "--list")
    assert found.code == 0
    assert re.search(r"^sharpness +0 to 4 +1\.2 +0\.4 ", found.out, re.MULTILINE)
    assert re.search(r"^class\.LABEL ", found.out, re.MULTILINE)


def test_a_file_of_someone_else_is_not_replaced(cutline, photos, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    found = cutline("filter", "photos", "notes.txt", "--keep", "side>=1")
    assert found.code == 2
    assert "already exists" in found.err
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_a_page_of_someone_else_is_not_replaced_by_the_report(cutline, photos, tmp_path):
    command = ("filter", "photos", "kept.txt", "--keep", "side>=256", "--report", "page.html")
    (tmp_path / "page.html").write_text("mine")
    found = cutline(*command)
    assert found.code == 2
    assert "page.html already exists, not as `cutline filter` wrote it: choose another --report" in found.err
    assert (tmp_path / "page.html").read_text() == "mine"
    assert not (tmp_path / "kept.txt").exists()
    (tmp_path / "page.html").unlink()
    assert cutline(*command).code == 1
    assert cutline(*command, "--dedup", "near").code == 1  # its own is replaced
    assert "near duplicate" in (tmp_path / "page.html").read_text()
    other = cutline("filter", "photos", "other.txt", "--report", "page.html")
    assert (other.code, "choose another --report" in other.err) == (2, True)


@pytest.mark.parametrize("edited", ["kept.txt", "kept.txt.rejected.jsonl", "kept.txt.failures.jsonl"])
def test_a_list_that_was_edited_is_not_replaced(cutline, photos, tmp_path, edited):
    assert cutline("filter", "photos", "kept.txt", "--keep", "side>=256").code == 1
    with (tmp_path / edited).open("a") as file:
        file.write("a line by hand\n")
    names = ("kept.txt", "kept.txt.rejected.jsonl", "kept.txt.failures.jsonl")
    before = [(tmp_path / name).read_bytes() for name in names]
    found = cutline("filter", "photos", "kept.txt", "--keep", "side>=300")
    assert found.code == 2
    assert f"{edited} already exists, not as `cutline filter` wrote it: choose another name" in found.err
    assert [(tmp_path / name).read_bytes() for name in names] == before
    (tmp_path / edited).rename(tmp_path / "mine")
    assert cutline("filter", "photos", "kept.txt", "--keep", "side>=300").code == 1


def test_a_list_of_another_input_is_not_replaced(cutline, photos, tmp_path):
    (tmp_path / "others").mkdir()
    scene(seed=20).save(tmp_path / "others/one.png")
    assert cutline("filter", "photos", "kept.txt").code == 1
    before = (tmp_path / "kept.txt").read_bytes()
    found = cutline("filter", "others", "kept.txt")
    assert (found.code, "kept.txt already exists, written for another input" in found.err) == (2, True)
    assert (tmp_path / "kept.txt").read_bytes() == before
    (photos / "good0.png").unlink()
    assert cutline("filter", str(photos), "kept.txt").code == 1  # the same folder, by another name
    assert "good0" not in (tmp_path / "kept.txt").read_text()


def test_the_report_loads_nothing_and_shows_what_is_rejected(cutline, photos, tmp_path):
    rules = ("--keep", "side>=256", "--keep", "sharpness>=0.75", "--dedup", "near")
    cutline("filter", "photos", "kept.csv", *rules, "--report", "filter.html")
    page = (tmp_path / "filter.html").read_text()
    assert "6 of 9" not in page
    assert "5 of 9 pictures are kept" in page
    assert "default-src &#39;none&#39;" in page
    assert "<script" not in page
    assert page.count("data:image/jpeg;base64,") == 4  # three rejected ones, and the kept one of the copy
    assert "near duplicate of good1.png" in page
    assert "side 70 &lt; 256" in page
    assert page.count("broken.jpg") == 1, "a picture is named once"
    refused = cutline("filter", "photos", "kept.csv", *rules, "--report", "filter.pdf")
    assert (refused.code, "an .html file" in refused.err) == (2, True)


def test_rejected_pictures_are_moved_and_moved_back(cutline, photos, tmp_path):
    (photos / "soft.txt").write_text("a caption")
    before = {path.name: path.read_bytes() for path in photos.iterdir()}
    found = cutline("filter", "photos", "kept.txt", "--keep", "sharpness>=0.75", "--move-to", "out")
    assert "1 picture and 1 text moved; to move them back: cutline filter --move-back" in found.err
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"soft.png", "soft.txt", "moved.jsonl"}
    back = cutline("filter", "--move-back", "out")
    assert (back.code, back.err) == (0, "1 picture and 1 text moved back\n")
    assert {path.name: path.read_bytes() for path in photos.iterdir()} == before
    refused = cutline("filter", "photos/good1.png", "kept2.txt", "--move-to", "out")
    assert (refused.code, "photos/good1.png is not a local folder" in refused.err) == (2, True)


def test_pictures_that_cannot_be_opened_are_moved_if_it_is_wanted(cutline, photos, tmp_path):
    before = {path.name: path.read_bytes() for path in photos.iterdir()}
    command = ("filter", "photos", "kept.txt", "--keep", "side>=256", "--move-to", "out")
    found = cutline(*command)
    assert "1 picture that cannot be opened left in photos; --move-failed moves these" in found.err
    assert (photos / "broken.jpg").exists()
    found = cutline(*command, "--move-failed")
    assert "left in" not in found.err
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"small.png", "broken.jpg", "moved.jsonl"}
    assert cutline("caption", "photos", "captions.jsonl").code == 0
    assert cutline("filter", "--move-back", "out").err == "2 pictures moved back\n"
    assert {path.name: path.read_bytes() for path in photos.iterdir()} == before
    alone = cutline("filter", "photos", "kept.txt", "--move-failed")
    assert (alone.code, "add --move-to FOLDER" in alone.err) == (2, True)


def test_what_cannot_be_moved_back_is_named_with_its_place(cutline, photos, tmp_path):
    cutline("filter", "photos", "kept.txt", "--keep", "side>=256", "--move-to", "out")
    (photos / "small.png").write_text("another")
    found = cutline("filter", "--move-back", "out")
    assert found.code == 1
    assert "photos/small.png is taken by another file: what was moved stays at out/small.png" in found.err
    (photos / "small.png").unlink()
    assert cutline("filter", "--move-back", "out").code == 0
    again = cutline("filter", "--move-back", "out")
    assert (again.code, "no list of moved pictures at out: all are back already" in again.err) == (2, True)


def test_the_histograms_name_the_smallest_and_the_largest(cutline, tmp_path):
    (tmp_path / "grey").mkdir()
    for number, side in enumerate([20, *[100] * 260, *[101] * 250, 900]):
        Image.new("L", (side, side), number % 256).save(tmp_path / f"grey/{number:03}.png")
    assert cutline("filter", "grey", "kept.txt", "--report", "page.html").code == 0
    page = (tmp_path / "page.html").read_text()
    for name, value in (("smallest", "20"), ("median", "100"), ("largest", "900")):
        assert f"<dt>{name}</dt><dd>{value}</dd>" in page
    assert 'title="20 to 100: 261"' in page
    assert 'title="101 to 900: 251"' in page


def test_the_short_help_names_what_is_done_besides_the_list(cutline):
    found = cutline("filter", "--help")
    for name in ("--keep", "--dedup", "--report", "--move-to", "--move-failed", "--move-back", "--list"):
        assert name in found.out
    assert "--check " in cutline("caption", "--help").out


@pytest.mark.parametrize(
    ("name", "message"), [("kept.txt", "names no picture"), ("kept.csv", "holds no rows")]
)
def test_a_list_of_no_picture_says_so(cutline, tmp_path, name, message):
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged/one.jpg").write_bytes(b"no picture")
    found = cutline("filter", "damaged", name)
    assert (found.code, "caption them" in found.err) == (1, False)
    refused = cutline("caption", name, "captions.jsonl")
    assert (refused.code, f"{name} {message}" in refused.err) == (2, True)


def test_pictures_in_tars_are_kept_within_a_parquet_list(cutline, photos, tmp_path):
    (photos / "broken.jpg").unlink()
    with tarfile.open(tmp_path / "set.tar", "w") as tar:
        for path in sorted(photos.iterdir()):
            tar.add(path, path.name)
    refused = cutline("filter", "set.tar", "kept.csv", "--keep", "side>=256")
    assert refused.code == 2
    assert "ends in .parquet" in refused.err
    assert not (tmp_path / "kept.csv").exists()
    assert cutline("filter", "set.tar", "kept.parquet", "--keep", "side>=256").code == 0
    assert cutline("caption", "kept.parquet", "out.jsonl").code == 0
    assert len(rows(tmp_path / "out.jsonl")) == 7
    direct = cutline("caption", "set.tar", "direct.jsonl", "--keep", "side>=256", "--dedup", "near")
    assert "6 captions · 2 skipped" in direct.err


def test_the_largest_of_duplicates_is_kept_whatever_the_order(cutline, tmp_path):
    folder = tmp_path / "copies"
    folder.mkdir()
    picture = scene(seed=3)
    for name, side in (("a", 240), ("b", 480), ("c", 320)):
        picture.resize((side, side * 3 // 4)).save(folder / f"{name}.png")
    (folder / "d.png").write_bytes((folder / "b.png").read_bytes())
    blurred(picture, 1).save(folder / "0.png")
    assert cutline("filter", "copies", "kept.txt", "--dedup", "near").code == 0
    assert (tmp_path / "kept.txt").read_text() == "copies/b.png\n"
    kept = {row["image_id"]: (row["rule"], row["kept"]) for row in rows(tmp_path / "kept.txt.rejected.jsonl")}
    assert kept["d.png"] == ("exact duplicate", "b.png")
    assert {kept[name] for name in ("a.png", "c.png", "0.png")} == {("near duplicate", "b.png")}
    assert cutline("filter", "copies", "exact.txt", "--dedup", "exact").code == 0
    assert len((tmp_path / "exact.txt").read_text().split()) == 4


def test_pictures_without_detail_match_only_exactly(cutline, tmp_path):
    folder = tmp_path / "plain"
    folder.mkdir()
    for name, colour in (("black", "black"), ("white", "white"), ("navy", "navy"), ("again", "navy")):
        Image.new("RGB", (300, 200), colour).save(folder / f"{name}.png")
    assert cutline("filter", "plain", "kept.txt", "--dedup", "near").code == 0
    assert len((tmp_path / "kept.txt").read_text().split()) == 3


def test_a_picture_without_a_value_is_kept_and_counted(cutline, tmp_path):
    folder = tmp_path / "plain"
    folder.mkdir()
    scene().save(folder / "scene.png")
    Image.new("RGB", (300, 200), "navy").save(folder / "page.png")
    found = cutline("filter", "plain", "kept.txt", "--keep", "sharpness>=0.75")
    assert found.code == 0
    assert "--keep sharpness>=0.75: 1 picture without sharpness kept" in found.err
    few = cutline("filter", "plain", "kept.txt", "--keep", "entropy>=p2")
    assert "--keep entropy>=p2 rejects nothing: 2 % of 2 pictures is less than one" in few.err


def test_estimates_and_previews_count_what_is_left(cutline, photos, tmp_path):
    rules = ("--keep", "side>=256", "--keep", "sharpness>=0.75", "--dedup", "near")
    (photos / "broken.jpg").unlink()
    found = cutline("caption", "photos", "out.jsonl", "--estimate", *rules)
    assert found.code == 0
    assert "5 pictures" in found.out
    preview = cutline("caption", "photos", "out.jsonl", "--preview", "8", *rules)
    assert "skipped: side 70 < 256" in preview.out
    assert not (tmp_path / "out.jsonl").exists()


def test_rules_are_part_of_job_files_and_of_python(cutline, photos, tmp_path):
    (photos / "broken.jpg").unlink()
    rules = ("--keep", "side>=256", "--dedup", "near")
    assert cutline("caption", "photos", "a.jsonl", *rules, "--save-job", "job.toml").code == 0
    assert tomllib.loads((tmp_path / "job.toml").read_text())["filters"] == {
        "keep": ["side>=256"],
        "dedup": "near",
    }
    assert "6 captions · 2 skipped" in cutline("run", "job.toml").err
    captions = cutline_package.caption(photos, tmp_path / "b.jsonl", keep="side>=256", dedup="near")
    assert (captions.report.counts.captions, captions.report.counts.skips) == (6, 2)


def test_a_model_that_no_rule_uses_is_refused(cutline, photos):
    for option in ("--classifier", "--aesthetic-model", "--aesthetic-head"):
        found = cutline("caption", "photos", "out.jsonl", option, "x/y")
        assert (found.code, f"{option} has no effect alone" in found.err) == (2, True)


def test_odd_and_damaged_pictures_end_as_their_manifest_says(cutline, shared_data, tmp_path):
    data = shared_data / "bad-images"
    manifest = json.loads((data / "manifest.json").read_bytes())["files"]
    found = cutline("filter", str(data), "kept.jsonl", "--keep", "side>=1", "--source-type", "local")
    assert found.code == 1
    assert "bug" not in found.err
    kept = {Path(row["image"]).name for row in rows(tmp_path / "kept.jsonl")}
    failed = {Path(row["image_path"]).name for row in rows(tmp_path / "kept.jsonl.failures.jsonl")}
    assert not kept & failed
    for file in manifest:
        name = Path(file["file"]).name
        if file["expect"].startswith("loads") and name not in kept:
            assert not any(name.lower().endswith(ending) for ending in PICTURES), (name, file["expect"])
        if file["expect"] in {"refuse", "refuse_bomb"}:
            assert name not in kept, (name, file["expect"])
    again = cutline("filter", str(data), "kept.jsonl", "--dedup", "near", "--source-type", "local")
    assert again.code == 1


def test_the_same_share_is_not_moved_twice(cutline, tmp_path):
    (tmp_path / "photos").mkdir()
    for number in range(20):
        blurred(scene(seed=number), 0.2 + number / 10).save(tmp_path / f"photos/{number:02}.png")
    command = ("filter", "photos", "kept.txt", "--keep", "sharpness>=p10", "--move-to", "out")
    assert "2 pictures moved" in cutline(*command).err
    again = cutline(*command)
    assert "18 kept \N{MIDDLE DOT} 0 rejected" in again.err
    assert "sharpness>=p10: a share of the input with the 2 pictures moved before" in again.err
    assert len(list((tmp_path / "photos").iterdir())) == 18
    for number in range(20, 30):
        blurred(scene(seed=number), 1.3 + number / 50).save(tmp_path / f"photos/{number}.png")
    assert "1 picture moved" in cutline(*command).err, "the worst tenth of 30 are three"
    assert cutline("filter", "--move-back", "out").err == "3 pictures moved back\n"


def test_the_name_of_a_measure_in_another_case_is_suggested(cutline, photos):
    assert "did you mean side?" in cutline("filter", "photos", "kept.txt", "--keep", "SIDE>=256").err
