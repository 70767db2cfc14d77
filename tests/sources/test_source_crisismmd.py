"""CrisisMMD as people have it: tweets of every kind, missing pictures, splits in other places."""

from __future__ import annotations

import pytest

from benchmark_datasets import (
    DAMAGE,
    FINAL,
    HARVEY,
    MEXICO,
    SPLIT,
    TWEETS,
    final_row,
    image_path,
    make_crisismmd,
    outcome,
    split_row,
    tsv,
)
from cutline.errors import ConfigError
from cutline.sources import SourceOptions, open_source

SPLITS = "crisismmd_datasplit_all"


@pytest.fixture
def dataset(tmp_path):
    return make_crisismmd(tmp_path / "CrisisMMD_v2.0")


def samples(path, **options):
    return list(open_source(path, SourceOptions(source_type="crisismmd", **options)).samples())


def kinds(path, **options):
    return [outcome(sample) for sample in samples(path, **options)]


def test_a_split_is_read_row_by_row(dataset):
    found = samples(dataset, split="humanitarian/train")
    assert [sample.key for sample in found] == [
        *(image_path(HARVEY, number) for number in (0, 1, 2, 3)),
        image_path(HARVEY, 1) + "#2",
        image_path(MEXICO, 4),
    ]
    wanted = ["picture", "picture", "picture", "missing", "duplicate", "picture"]
    assert [outcome(sample) for sample in found] == wanted
    assert found[4].problem.skip


def test_every_tweet_comes_as_it_was_written(dataset):
    found = samples(dataset, split="informative")
    tweets = [found[number].metadata["tweet_text"] for number in (0, 1, 2, 3, 5, 6)]
    assert tweets == [tweet.strip() for tweet in TWEETS]


def test_ids_are_text_and_labels_are_the_picture_s(dataset):
    first, second = samples(dataset, split="humanitarian/train")[:2]
    assert first.metadata["tweet_id"] == "905960092822003710"
    assert first.metadata["label"] == first.metadata["label_image"] == "affected_individuals"
    assert first.metadata["row_label"] == first.metadata["label_text"] == "not_humanitarian"
    assert second.metadata["label"] == "vehicle_damage"


def test_files_with_fewer_columns_and_a_mark_at_the_start_are_read(dataset):
    (only,) = samples(dataset, split="damage")
    assert (only.metadata["label"], only.metadata["event_name"]) == ("severe_damage", HARVEY)
    assert "row_label" not in only.metadata
    assert outcome(only) == "picture"


def test_without_a_split_the_annotations_of_all_events_are_read(dataset):
    found = samples(dataset)
    assert [sample.metadata["event_name"] for sample in found] == [HARVEY] * 5 + [MEXICO] * 2
    assert [outcome(sample) for sample in found[:5]] == [*["picture"] * 3, "missing", "duplicate"]
    assert found[1].metadata["label"] == "vehicle_damage"
    assert found[0].metadata["label"] == "informative"
    assert "\r" not in str(
        [sample.metadata for sample in found if sample.metadata["tweet_text"] != TWEETS[5]]
    )


def test_events_are_chosen_one_by_one_or_with_commas(dataset):
    assert len(samples(dataset, event=(MEXICO,))) == 2
    for events in ((f"{HARVEY}, {MEXICO}",), (HARVEY, MEXICO)):
        assert len(samples(dataset, event=events)) == 7
        assert len(samples(dataset, split="humanitarian/train", event=events)) == 6
    assert kinds(dataset, split="humanitarian/train", event=(MEXICO,)) == ["picture"]
    with pytest.raises(ConfigError, match="no event 'harvey'; there are hurricane_harvey, mexico_earthquake"):
        samples(dataset, event=("harvey",))
    with pytest.raises(ConfigError, match=f"no row of {HARVEY}"):
        samples(dataset, split="humanitarian/dev", event=(HARVEY,))


@pytest.mark.parametrize(
    "place", [f"../{SPLITS}", f"{SPLITS}/{SPLITS}", "../crisismmd_datasplit_all_v2", "."]
)
def test_splits_are_found_beside_and_within(place, tmp_path):
    dataset = make_crisismmd(tmp_path / "CrisisMMD_v2.0", splits=place)
    assert kinds(dataset, split="humanitarian/dev") == ["picture"]


def test_the_folder_above_and_the_folder_of_pictures_do_too(dataset, monkeypatch):
    wanted = [sample.key for sample in samples(dataset)]
    for path in (dataset.parent, dataset / "data_image"):
        assert [sample.key for sample in samples(path)] == wanted
    monkeypatch.chdir(dataset)
    assert [sample.key for sample in samples(".")] == wanted
    assert kinds(".", split="humanitarian/dev") == ["picture"]


def test_of_several_folders_of_splits_the_whole_one_is_meant_and_others_can_be_named(dataset):
    agreed = dataset / "crisismmd_datasplit_agreed_label"
    agreed.mkdir()
    name = "task_humanitarian_text_img_agreed_lab_train.tsv"
    (agreed / name).write_bytes(tsv(SPLIT, [split_row(MEXICO, 5)]))
    assert len(samples(dataset, split="humanitarian/train")) == 6
    assert len(samples(dataset, split="crisismmd_datasplit_agreed_label/humanitarian/train")) == 1
    assert len(samples(dataset, split="crisismmd_datasplit_agreed_label/humanitarian")) == 1
    with pytest.raises(ConfigError, match="can be named: crisismmd_datasplit_agreed_label"):
        samples(dataset, split="humanitarian/validation")
    (dataset / SPLITS).rename(dataset / "other_splits")
    with pytest.raises(ConfigError, match="other_splits/humanitarian/train"):
        samples(dataset, split="humanitarian/train")


@pytest.mark.parametrize("split", ["humanitarian/trian", "human", "", "a/b/c/d", "../../etc"])
def test_a_wrong_split_names_those_there_are(split, dataset):
    with pytest.raises(ConfigError, match="humanitarian/train, humanitarian/dev, humanitarian/test") as error:
        samples(dataset, split=split)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "name",
    ["../../etc/passwd", "/etc/passwd", "data_image/../../secret.jpg", "link/secret.jpg", "a\0b.jpg"],
)
def test_a_path_that_leads_out_is_blocked(name, dataset, tmp_path):
    (tmp_path / "secret.jpg").write_bytes(b"secret")
    (dataset / "link").symlink_to(tmp_path)
    (dataset / SPLITS / "task_humanitarian_text_img_train.tsv").write_bytes(
        tsv(SPLIT, [split_row(HARVEY, 1, image=name), split_row(HARVEY, 2)])
    )
    assert kinds(dataset, split="humanitarian/train") == ["blocked-path", "picture"]


def test_links_that_lead_out_are_followed_where_that_is_allowed(dataset, tmp_path):
    (dataset / "data_image").rename(tmp_path / "disk")
    (dataset / "data_image").symlink_to(tmp_path / "disk")
    assert set(kinds(dataset, split="humanitarian/dev")) == {"blocked-path"}
    assert set(kinds(dataset, split="humanitarian/dev", follow_links=True)) == {"picture"}


def test_pictures_can_lie_in_another_folder(dataset, tmp_path):
    (tmp_path / "disk").mkdir()
    (dataset / "data_image").rename(tmp_path / "disk" / "data_image")
    assert kinds(dataset, event=(MEXICO,)) == ["missing", "missing"]
    assert kinds(dataset, event=(MEXICO,), image_root=str(tmp_path / "disk")) == ["picture", "picture"]


def test_paths_that_begin_below_data_image_are_found(dataset):
    short = image_path(HARVEY, 1).removeprefix("data_image/")
    file = dataset / SPLITS / "task_damage_text_img_train.tsv"
    file.write_bytes(tsv(DAMAGE, [split_row(HARVEY, 1, image=short), split_row(HARVEY, 1)]))
    found = samples(dataset, split="damage/train")
    assert found[0].key == image_path(HARVEY, 1)
    assert [outcome(sample) for sample in found] == ["picture", "duplicate"]


def test_rows_that_cannot_be_read_are_failures_with_their_number(dataset):
    file = dataset / SPLITS / "task_humanitarian_text_img_dev.tsv"
    whole = tsv(SPLIT, [split_row(HARVEY, 1)])
    broken = b"hurricane_harvey\t1\t1_0\tA tweet that was cut\n and went on\tdata_image/x.jpg\n\n"
    file.write_bytes(whole + broken + tsv(SPLIT, [split_row(HARVEY, 2), split_row(HARVEY, 0, image="")])[98:])
    found = samples(dataset, split="humanitarian/dev")
    assert outcome(found[0]) == "picture"
    bad = [sample for sample in found if outcome(sample) == "bad-row"]
    assert len(bad) >= 2
    assert "row 3: 4 fields where the header has 9" in bad[0].problem.message
    assert outcome(found[-1]) == "no-image"


def test_bytes_that_are_not_utf_8_do_not_matter(dataset):
    file = dataset / "annotations" / f"{MEXICO}_final_data.tsv"
    file.write_bytes(tsv(FINAL, [final_row(MEXICO, 4)]).replace(b"it's", b"caf\xe9"))
    sample = samples(dataset, event=(MEXICO,))[0]
    assert outcome(sample) == "picture"
    sample.metadata["tweet_text"].encode()


MISTAKES = {
    "no folder": (lambda path: path / "nowhere", "does not exist"),
    "a file": (lambda path: path / "annotations" / f"{MEXICO}_final_data.tsv", "give the folder"),
    "another folder": (lambda path: path / "json", "not a CrisisMMD"),
    "remote": (lambda path: "s3://bucket/CrisisMMD_v2.0", "folder on this machine"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_what_is_no_dataset_is_told_in_one_line(name, dataset):
    (dataset / "json").mkdir()
    make, words = MISTAKES[name]
    with pytest.raises(ConfigError, match=words) as error:
        samples(make(dataset))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "first line must name the columns"),
        (b"not a table\nat all\n", "first line must name the columns"),
        (
            b"event_name\ttweet_id\tpicture\nx\t1\ta.jpg\n",
            "no column 'image'.* it has 'event_name', 'tweet_id'",
        ),
        (b"event_name\timage\n", "hold no row"),
    ],
)
def test_a_malformed_file_is_told_in_one_line(content, words, dataset):
    (dataset / SPLITS / "task_damage_text_img_train.tsv").write_bytes(content)
    with pytest.raises(ConfigError, match=words) as error:
        samples(dataset, split="damage")
    assert "task_damage_text_img_train.tsv" in str(error.value)
    assert "\n" not in str(error.value)


def test_without_annotations_the_splits_are_named(dataset):
    for file in (dataset / "annotations").iterdir():
        file.unlink()
    with pytest.raises(ConfigError, match="name a --split: damage/train, humanitarian/train"):
        samples(dataset)
