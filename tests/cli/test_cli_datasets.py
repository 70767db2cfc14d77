"""CrisisMMD and ScienceQA through the whole program, as their owners would caption them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from program import Run, rows

from benchmark_datasets import HARVEY, image_path, make_crisismmd, make_scienceqa
from cutline.cli import main
from server_process import Server

CRISIS = ("caption", "--source-type", "crisismmd", "--input-path", "CrisisMMD_v2.0")
SCIENCE = ("caption", "ScienceQA", "--source-type", "scienceqa")


@pytest.fixture
def cutline(here: Run) -> Run:
    return here


@pytest.fixture(autouse=True)
def datasets(tmp_path: Path) -> None:
    make_crisismmd(tmp_path / "CrisisMMD_v2.0")
    make_scienceqa(tmp_path / "ScienceQA")


def texts(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.txt"))


def test_a_split_of_one_event(cutline: Run, tmp_path: Path) -> None:
    chosen = ("--split", "humanitarian/train", "--event", HARVEY)
    ran = cutline(*CRISIS, *chosen, "--output-path", "out.jsonl", "--model", "fake")
    assert ran.code == 1, ran.err
    assert "3 captions · 1 skipped (1 duplicate) · 1 failed (1 missing)" in ran.err
    found = rows(tmp_path / "out.jsonl")
    assert [row["image_id"] for row in found] == [image_path(HARVEY, number) for number in (0, 1, 2)]
    assert found[1]["metadata"]["tweet_text"] == 'A "quote that never ends #harvey'
    (failure,) = rows(tmp_path / "out.jsonl.failures.jsonl")
    assert (failure["key"], failure["kind"]) == (image_path(HARVEY, 3), "missing")


def test_tweets_and_labels_are_asked_with(cutline: Run, tmp_path: Path, scripted: Server) -> None:
    ran = cutline(
        *CRISIS, "--split", "damage", "--output-path", "out.jsonl", "--model", "m", "--endpoint", scripted.url,
        "--prompt", "The tweet says: {tweet_text} The picture shows {label}.",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    asked = str(scripted.last["messages"])
    assert 'The tweet says: A "quote that never ends #harvey The picture shows severe_damage.' in asked


def test_without_a_model_the_embedded_one_tells_what_it_sees(cutline: Run, tmp_path: Path) -> None:
    ran = cutline(*SCIENCE, "out.jsonl", "--split", "val")
    assert ran.code == 0, ran.err
    found = rows(tmp_path / "out.jsonl")
    assert [row["image_id"] for row in found] == ["5", "8"]
    assert found[0]["text"] == "A drawing of a dog."
    assert found[0]["caption"] != found[1]["caption"]


def test_the_same_command_goes_on_and_a_larger_part_asks_the_rest(cutline: Run) -> None:
    asking = ("out.jsonl", "--model", "fake")
    assert cutline(*SCIENCE, *asking, "--split", "minival").code == 0
    again = cutline(*SCIENCE, *asking, "--split", "minival")
    assert "nothing to caption" in again.err
    more = cutline(*SCIENCE, *asking, "--split", "val", "--verbose")
    assert more.code == 0
    assert "captioned key=5" in more.err
    assert "captioned key=8" not in more.err


def test_sidecars_lie_beside_the_pictures(cutline: Run, tmp_path: Path) -> None:
    for command, folder in ((CRISIS, "CrisisMMD_v2.0"), (SCIENCE, "ScienceQA")):
        before = {path: path.read_bytes() for path in (tmp_path / folder).rglob("*") if path.is_file()}
        assert cutline(*command, "--output-format", "sidecar", "--model", "fake").code == 1
        assert all(path.read_bytes() == data for path, data in before.items())
    crisis = [path.removesuffix(".txt") for path in texts(tmp_path / "CrisisMMD_v2.0")]
    assert crisis == sorted(
        path.relative_to(tmp_path / "CrisisMMD_v2.0").with_suffix("").as_posix()
        for path in (tmp_path / "CrisisMMD_v2.0").rglob("*.jpg")
        if not path.name.startswith("._")
    )
    science = [f"images/{place}/image.txt" for place in ("train/1", "train/3", "val/5", "val/8")]
    assert texts(tmp_path / "ScienceQA") == science
    assert len({(tmp_path / "ScienceQA" / name).read_text() for name in science}) == 4


def test_sidecars_in_a_folder_of_their_own_do_not_collide(cutline: Run, tmp_path: Path) -> None:
    cutline(*SCIENCE, "texts", "--output-format", "sidecar", "--model", "fake")
    assert texts(tmp_path / "texts") == ["1.txt", "3.txt", "5.txt", "8.txt"]


def test_captions_json_is_written_anew(cutline: Run, tmp_path: Path) -> None:
    ran = cutline(
        *SCIENCE, "new.json", "--output-format", "scienceqa", "--model", "fake", "--prompt", "short"
    )
    assert ran.code == 1, ran.err
    found = json.loads((tmp_path / "new.json").read_bytes())
    assert list(found) == ["model", "prompt", "captions"]
    assert list(found["captions"]) == ["1", "3", "5", "8"]
    assert found["model"] == "fake"


@pytest.mark.parametrize("existing", ["skip", "overwrite", "append", "prepend"])
def test_the_dataset_s_own_captions_json_obeys(existing: str, cutline: Run, tmp_path: Path) -> None:
    file = tmp_path / "ScienceQA" / "captions.json"
    command = (*SCIENCE, str(file), "--output-format", "scienceqa", "--model", "fake", "--split", "trainval")
    before = file.read_bytes()
    refused = cutline(*command)
    assert (refused.code, refused.err.count("\n")) == (2, 1)
    assert file.read_bytes() == before
    theirs = json.loads(before)["captions"]["5"]
    for _ in range(2):  # the second run must not join with its own words
        ran = cutline(*command, "--existing", existing)
        assert ran.code == 0, ran.err
        found = json.loads(file.read_bytes())
        assert set(found["captions"]) == {"1", "3", "5", "8"}
        assert found["max_length"] == 64
        text = found["captions"]["5"]
        assert text.count(theirs) == (existing != "overwrite")
        assert text.count("checksum") == (existing != "skip")
        assert text.startswith(theirs) == (existing in {"skip", "append"})


def test_several_prompts_have_no_place_there(cutline: Run) -> None:
    ran = cutline(
        *SCIENCE, "x.json", "--output-format", "scienceqa", "--prompt", "a=short", "--prompt", "b=tags"
    )
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert "one --prompt" in ran.err


def test_a_folder_and_a_single_picture_are_read_as_ever(cutline: Run, tmp_path: Path) -> None:
    ran = cutline(
        "caption", "--input-path", "CrisisMMD_v2.0/data_image", "--output-path", "a.jsonl", "--model", "fake"
    )
    assert ran.code == 0, ran.err
    assert len(rows(tmp_path / "a.jsonl")) == 5
    one = tmp_path / "CrisisMMD_v2.0" / image_path(HARVEY, 1)
    assert cutline("caption", str(one), "b.jsonl", "--model", "fake").code == 0
    assert len(rows(tmp_path / "b.jsonl")) == 1


def test_job_files_keep_split_and_events(cutline: Run, tmp_path: Path) -> None:
    chosen = ("--split", "humanitarian", "--event", "mexico_earthquake", "--event", HARVEY)
    assert cutline(*CRISIS, *chosen, "--model", "fake", "--save-job", "job.toml").code == 0
    assert (
        'event = [\n    "mexico_earthquake",\n    "hurricane_harvey",\n]'
        in (tmp_path / "job.toml").read_text()
    )
    assert cutline("run", "job.toml").code == 1
    assert (tmp_path / "captions.jsonl").read_bytes().count(b"\n") == 5


MISTAKES = {
    "a split that is not there": ((*CRISIS, "--split", "humanitarian/val"), "humanitarian/dev"),
    "an event that is not there": ((*CRISIS, "--event", "harvey"), "hurricane_harvey"),
    "no such split of problems": ((*SCIENCE, "--split", "dev"), "minival"),
    "an event of problems": ((*SCIENCE, "--event", HARVEY), "--source-type crisismmd"),
    "a part of a folder": (("caption", "CrisisMMD_v2.0", "--split", "damage"), "--source-type crisismmd or scienceqa"),
    "the wrong dataset": (("caption", "ScienceQA", "--source-type", "crisismmd"), "ScienceQA is not a CrisisMMD"),
    "damaged problems": ((*SCIENCE, "--split", "val"), "problems.json is not valid JSON"),
    "a column too few": ((*CRISIS, "--split", "damage"), "no column 'image'"),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_told_in_one_line(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments, words = MISTAKES[name]
    if name == "damaged problems":
        (tmp_path / "ScienceQA" / "problems.json").write_text('{"1": ')
    if name == "a column too few":
        file = tmp_path / "CrisisMMD_v2.0" / "crisismmd_datasplit_all" / "task_damage_text_img_train.tsv"
        file.write_text("tweet_id\tpicture\n1\ta.jpg\n")
    monkeypatch.chdir(tmp_path)
    code = main([*arguments, "--model", "fake"])
    said = capsys.readouterr()
    assert (code, said.out, said.err.count("\n")) == (2, "", 1), said.err
    assert words in said.err


def test_a_path_out_of_the_dataset_is_never_opened(cutline: Run, tmp_path: Path) -> None:
    shutil.copy(tmp_path / "CrisisMMD_v2.0" / image_path(HARVEY, 0), tmp_path / "secret.jpg")
    file = tmp_path / "CrisisMMD_v2.0" / "crisismmd_datasplit_all" / "task_damage_text_img_train.tsv"
    file.write_text("tweet_id\timage\n1\t../../etc/passwd\n2\t../secret.jpg\n")
    ran = cutline(*CRISIS, "--split", "damage", "--output-path", "out.jsonl", "--model", "fake")
    assert ran.code == 1
    assert "2 failed (2 blocked-path)" in ran.err
