"""Clusters of a dataset: named in queries, kept for the next start."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cutline.analysis.clusters import NONE
from cutline.dataset.dataset import Dataset
from cutline.dataset.dataset_clusters import Clustering
from cutline.dataset.embedding_map import EmbeddingMap, summarize
from cutline.dataset.words import DatasetWords
from cutline.errors import ConfigError

TEXTS = ("a red cat sleeps on a mat", "a big dog runs over the grass", "a slow bus waits in the street")


@pytest.fixture
def dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Dataset:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    folder = tmp_path / "photos"
    folder.mkdir()
    for row in range(12):
        Image.new("RGB", (8, 8), (row, row, row)).save(folder / f"{row:02}.jpg")
        if row != 11:
            (folder / f"{row:02}.txt").write_text(f"{TEXTS[row % 3]}, number {row}")
    opened = Dataset(str(folder))
    opened.read_texts()
    return opened


def example_map() -> EmbeddingMap:
    """Three groups by the row's number; row 10 has no vector."""
    rng = np.random.default_rng(1)
    middles = rng.normal(size=(3, 40))
    vectors = np.stack([middles[row % 3] + 0.1 * row * rng.normal(size=40) / 3 for row in range(12)])
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    places = np.arange(12, dtype=np.int32)
    places[10] = -1
    return EmbeddingMap(vectors.astype(np.float16), places, of="captions", model="made")


def test_clusters_are_named_by_their_terms_and_found_by_name_and_number(dataset: Dataset) -> None:
    made = example_map().cluster(3, DatasetWords(dataset))
    assert made.labels[10] == NONE
    of_dogs = int(made.labels[1])
    assert set(made.terms[of_dogs]) <= {"big", "dog", "runs", "over", "grass", "the"}
    dataset.clusters.keep(made)
    name = made.name(of_dogs)
    dogs = [1, 4, 7]
    assert dataset.find(f'cluster:"{name.upper()}"').tolist() == dogs
    assert dataset.find(f"cluster:{of_dogs + 1}").tolist() == dogs
    assert dataset.find(f"-cluster:{of_dogs + 1} path:0 red").tolist() == [0, 3, 6, 9]
    completed = {one.text for one in dataset.query_words.complete("cluster:", 8)}
    assert f'cluster:"{name}"' in completed
    for value, message in (
        ("dgo", "there is no cluster dgo"),
        ("9", "there is no cluster 9; there are 1 to 3"),
        ("0", "there is no cluster 0; there are 1 to 3"),
        (name[:-1], f'there is no cluster {name[:-1]}; did you mean cluster:"{name}"?'),
        (f"{name.split(',')[0]},", f'; did you mean cluster:"{name}"?'),
    ):
        with pytest.raises(ConfigError) as caught:
            dataset.find(f'cluster:"{value}"')
        assert message in str(caught.value)


def test_clusters_are_there_at_the_next_start_by_their_pictures(dataset: Dataset) -> None:
    made = example_map().cluster(3, DatasetWords(dataset))
    dataset.clusters.keep(made.named(int(made.labels[1]), "  dogs  outside "))
    assert not Path(f"{dataset.folder}.cutline").exists()
    Path(dataset.folder, "00-new.jpg").write_bytes(b"shifts the rows")
    Path(dataset.folder, "04.jpg").unlink()
    with Dataset(dataset.folder) as again:
        found = again.find('cluster:"dogs outside"')
        assert [again.entries[row].key for row in found] == ["01.jpg", "07.jpg"]
        latest = again.clusters.latest()
        assert latest is not None
        assert latest.labels[again.row("00-new.jpg")] == NONE
        again.clusters.keep(latest.named(int(made.labels[1]), ""))
    assert dataset.clusters.latest().given == {}  # type: ignore[union-attr]  # what another process keeps


@pytest.mark.parametrize("content", [b"", b"not a file of clusters", b"PK\x03\x04 broken"])
def test_a_damaged_file_counts_as_none(dataset: Dataset, tmp_path: Path, content: bytes) -> None:
    dataset.clusters.keep(example_map().cluster(2))
    (file,) = tmp_path.glob("state/cutline/clusters/*.npz")
    file.write_bytes(content)
    with Dataset(dataset.folder) as again, pytest.raises(ConfigError, match="there are no clusters yet"):
        again.find("cluster:1")


def test_names_stay_with_the_cluster_most_alike(dataset: Dataset) -> None:
    shown = example_map()
    words = DatasetWords(dataset)
    three = shown.cluster(3, words)
    number = int(three.labels[1])
    three = three.named(number, "dogs")
    two = shown.cluster(2, words, three)
    four = shown.cluster(4, words, three)
    again = shown.cluster(3, words, four)
    assert (again.labels == three.labels).all()
    assert again.name(number) == "dogs"
    assert four.name(int(four.labels[1])) == "dogs"
    assert len(two.numbers) == 2
    with pytest.raises(ConfigError, match="another cluster is called Dogs: choose another name"):
        three.named((number + 1) % 3, "Dogs")
    with pytest.raises(ConfigError, match="at most 80 characters"):
        three.named(number, "x" * 81)
    with pytest.raises(ConfigError, match="there is no cluster 8"):
        three.named(7, "none")


def test_a_summary_tells_size_missing_captions_middle_and_edge(dataset: Dataset) -> None:
    made = example_map().cluster(3, DatasetWords(dataset))
    has_caption = np.arange(12) != 11
    summaries = summarize(made, has_caption)
    assert sum(each.size for each in summaries) == 11
    assert sum(each.share for each in summaries) == pytest.approx(1)
    buses = next(each for each in summaries if each.number == made.labels[2])
    assert (buses.size, buses.missing) == (4, pytest.approx(0.25))
    order = sorted((2, 5, 8, 11), key=lambda row: made.distances[row])
    assert list(buses.middle) == order
    empty = Clustering(
        of="captions",
        model="made",
        labels=np.full(3, NONE, np.uint8),
        distances=np.full(3, np.nan, np.float32),
    )
    assert summarize(empty, np.ones(3, bool)) == []


@pytest.mark.parametrize("seed", range(20))
def test_lassos_clusters_and_words_together_are_set_operations(dataset: Dataset, seed: int) -> None:
    rng = np.random.default_rng(seed)
    made = example_map().cluster(3, DatasetWords(dataset))
    dataset.clusters.keep(made)
    first, second = (set(rng.permutation(12)[: rng.integers(1, 9)].tolist()) for _ in range(2))
    dataset.row_sets.put("lasso-1", first)
    dataset.row_sets.put("lasso-2", second)
    label = int(rng.integers(0, 3))
    cluster = set(np.flatnonzero(made.labels == label).tolist())
    cats = set(range(0, 11, 3))
    everything = set(range(12))
    for query, expected in (
        (f"in:lasso-1 cluster:{label + 1}", first & cluster),
        (f"in:lasso-1 -cluster:{label + 1}", first - cluster),
        ("(in:lasso-1 OR in:lasso-2)", first | second),
        ("in:lasso-1 -in:lasso-2", first - second),
        (f"cat (in:lasso-1 OR cluster:{label + 1}) -in:lasso-2", cats & (first | cluster) - second),
        (f"-(cat OR in:lasso-2) -cluster:{label + 1}", everything - (cats | second) - cluster),
    ):
        assert set(dataset.find(query).tolist()) == expected, query
