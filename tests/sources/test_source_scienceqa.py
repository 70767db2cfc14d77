"""ScienceQA: problems with and without pictures, splits, earlier captions, and damaged files."""

from __future__ import annotations

import json

import pytest

from benchmark_datasets import make_scienceqa, outcome
from cutline.errors import ConfigError
from cutline.sources import SourceOptions, open_source


@pytest.fixture
def dataset(tmp_path):
    return make_scienceqa(tmp_path / "ScienceQA")


def samples(path, **options):
    return list(open_source(path, SourceOptions(source_type="scienceqa", **options)).samples())


def change(dataset, name, **values):
    file = dataset / name
    file.write_text(json.dumps({**json.loads(file.read_text()), **values}))


def test_problems_without_a_picture_are_skips_and_missing_pictures_failures(dataset):
    found = {sample.key: outcome(sample) for sample in samples(dataset)}
    assert found == {
        "1": "picture", "2": "no-image", "3": "picture", "5": "picture", "8": "picture",
        "13": "no-image", "21": "missing",
    }  # fmt: skip
    assert all(sample.problem.skip for sample in samples(dataset) if sample.problem)


@pytest.mark.parametrize(
    ("split", "pids"), [("train", "1 2 3"), ("val", "5 8"), ("minival", "8"), ("trainval", "1 2 3 5 8")]
)
def test_splits_are_those_of_pid_splits(split, pids, dataset):
    assert [sample.key for sample in samples(dataset, split=split)] == pids.split()


def test_without_pid_splits_the_problems_tell_theirs(dataset):
    (dataset / "pid_splits.json").unlink()
    assert [sample.key for sample in samples(dataset, split="val")] == ["5", "8"]
    with pytest.raises(ConfigError, match="no split 'minival'; there are train, val, test"):
        samples(dataset, split="minival")


def test_a_wrong_split_names_those_there_are(dataset):
    with pytest.raises(ConfigError, match="no split 'dev'; there are train, val, test, trainval, minival"):
        samples(dataset, split="dev")


def test_the_whole_problem_is_metadata_and_the_caption_text(dataset):
    first, _, third = samples(dataset, split="train")
    assert first.metadata["question"].startswith('Which of these is "number 1"?')
    assert first.metadata["choices"] == ["West Virginia", "Louisiana"]
    assert (first.metadata["answer"], first.metadata["answer_text"]) == (1, "Louisiana")
    assert {"hint", "lecture", "subject", "topic", "skill", "grade", "solution"} <= set(first.metadata)
    assert first.text == "A map of the \N{EARTH GLOBE AMERICAS}."
    assert third.text is None


@pytest.mark.parametrize("place", ["scienceqa", "data/scienceqa"])
def test_a_copy_of_the_whole_project_is_known(place, tmp_path):
    dataset = make_scienceqa(tmp_path / place)
    (dataset / "captions.json").rename(dataset.parent / "captions.json")
    for path in (tmp_path, dataset, dataset / "problems.json"):
        found = samples(path, split="val")
        assert [outcome(sample) for sample in found] == ["picture", "picture"]
        assert found[0].text == "A drawing of a dog."


def test_pictures_are_found_without_the_folder_images_and_elsewhere(dataset, tmp_path):
    (dataset / "images").rename(tmp_path / "pictures")
    assert outcome(samples(dataset, split="minival")[0]) == "missing"
    moved = samples(dataset, split="minival", image_root=str(tmp_path / "pictures"))
    assert outcome(moved[0]) == "picture"
    for folder in (tmp_path / "pictures").iterdir():
        folder.rename(dataset / folder.name)
    assert outcome(samples(dataset, split="minival")[0]) == "picture"


def test_links_that_lead_out_are_followed_where_that_is_allowed(dataset, tmp_path):
    picture = next((dataset / "images").rglob("*.*"))
    picture.parent.rename(tmp_path / "elsewhere")
    picture.parent.symlink_to(tmp_path / "elsewhere")
    pid = picture.parent.name
    for allowed, expected in ((False, "blocked-path"), (True, "picture")):
        found = {each.key: outcome(each) for each in samples(dataset, follow_links=allowed)}
        assert found[pid] == expected


@pytest.mark.parametrize(
    ("image", "wanted"), [("../../../../etc/passwd", "blocked-path"), ("/etc/passwd", "missing")]
)
def test_a_path_that_leads_out_is_blocked(image, wanted, dataset):
    problems = json.loads((dataset / "problems.json").read_text())
    problems["8"]["image"] = image
    problems["5"]["split"] = "../../.."
    change(dataset, "problems.json", **problems)
    found = {sample.key: outcome(sample) for sample in samples(dataset, split="val")}
    assert found == {"5": "blocked-path", "8": wanted}


def test_what_the_split_names_twice_or_wrongly_is_told(dataset):
    change(dataset, "pid_splits.json", odd=["8", 8, "99", "5"])
    change(dataset, "problems.json", **{"5": "no problem"})
    found = {sample.key: outcome(sample) for sample in samples(dataset, split="odd")}
    assert found == {"8": "picture", "8#2": "duplicate", "99": "bad-row", "5": "bad-row"}


def test_an_array_named_captions_json_is_no_caption_file(dataset):
    (dataset / "captions.json").write_text('[{"image_id": "1", "caption": "ours"}]')
    assert samples(dataset)[0].text is None


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("problems.json", '{"1": {"question":', "not valid JSON"),
        ("problems.json", "[]", "a JSON object is needed"),
        ("problems.json", "{}", "no problems"),
        ("pid_splits.json", "{", "not valid JSON"),
        ("pid_splits.json", '{"train": "1"}', "'train' is not a list"),
        ("captions.json", "", "not valid JSON"),
    ],
)
def test_a_damaged_file_is_told_in_one_line(name, content, words, dataset):
    (dataset / name).write_text(content)
    with pytest.raises(ConfigError, match=words) as error:
        samples(dataset)
    assert ("problems.json" if words == "no problems" else name) in str(error.value)
    assert "\n" not in str(error.value)


def test_what_is_no_dataset_is_told(dataset, tmp_path):
    for path, words in (
        (tmp_path / "no", "does not exist"),
        (dataset / "images", "not a ScienceQA"),
        ("s3://b/x", "machine"),
    ):
        with pytest.raises(ConfigError, match=words):
            samples(path)
