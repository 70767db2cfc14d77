"""Embeddings of a dataset: what is computed, what is kept, and what a change or a crash costs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cutline.analysis.embedding_store import EmbeddingStore
from cutline.dataset.embedded_contents import PictureContents
from cutline.dataset.embedding_map import EmbeddingMap
from cutline.dataset.embeddings import Embeddings, EmbedResult, open_embeddings
from cutline.dataset.opener import open_dataset
from cutline.dataset.picture_keys import PictureKeys
from cutline.dataset.records import EditInfo
from cutline.dataset.writer import StopEdit
from cutline.errors import ConfigError

CAPTIONS = ["a red car", "a blue boat", "a red car", "", "两只猫在沙发上", "قطتان على أريكة", "🐈🐈 on a 🛋"]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def folder_of(folder: Path, captions: list[str | None]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for at, caption in enumerate(captions):
        Image.new("RGB", (40, 30), ((at * 37) % 256, (at * 91) % 256, 90)).save(folder / f"{at}.png")
        if caption is not None:
            (folder / f"{at}.txt").write_text(caption, "utf-8")
    return folder


def test_equal_captions_are_computed_once_and_only_what_is_new_later(tmp_path):
    with open_dataset(folder_of(tmp_path / "a", [*CAPTIONS, None])) as dataset:
        embeddings = open_embeddings(dataset, "captions")
        assert embeddings.missing() == 5
        seen: list[int] = []
        result = embeddings.compute(seen.append)
        assert (result.computed, result.reused, result.empty, result.failed) == (6, 0, 2, ())
        assert seen == [0, 5]
        rows, vectors = embeddings.vectors()
        assert rows.tolist() == [0, 1, 2, 4, 5, 6]
        assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
        assert (vectors[0] == vectors[2]).all()
        assert embeddings.store.rows == 5

        old = embeddings.places()
        dataset.set_captions({1: "a green boat", 2: None}, EditInfo(kind="edit", summary="change"))
        assert embeddings.stale().tolist() == [False, True, *[False] * 6]
        assert embeddings.places()[1:3].tolist() == [-1, -1]
        assert embeddings.shown_places()[1:3].tolist() == [old[1], -1]
        result = embeddings.compute()
        assert (result.computed, result.reused, result.empty) == (1, 4, 3)
        assert not embeddings.stale().any()
        assert embeddings.shown_places()[1] == 5
    with open_dataset(folder_of(tmp_path / "b", ["a green boat", "a red car"])) as dataset:
        assert open_embeddings(dataset, "captions").compute() == EmbedResult(reused=2)


def test_pictures_are_known_by_their_content_and_failures_are_named(tmp_path):
    folder = folder_of(tmp_path / "a", [None] * 5)
    (folder / "3.png").write_bytes((folder / "3.png").read_bytes()[:60])
    (folder / "5.png").write_bytes((folder / "0.png").read_bytes())
    with open_dataset(folder) as dataset:
        embeddings = open_embeddings(dataset, "images")
        (folder / "4.png").unlink()
        result = embeddings.compute()
        assert (result.computed, result.stopped) == (4, 0)
        assert [(key, reason.partition(":")[0]) for key, reason in result.failed] == [
            ("3.png", "decode"),
            ("4.png", "missing"),
        ]
        assert embeddings.store.rows == 3
        assert embeddings.missing() == 0
        assert embeddings.places()[0] == embeddings.places()[5]
        Image.new("RGB", (64, 64), "white").save(folder / "1.png")
        result = embeddings.compute()
        assert (result.computed, result.reused, len(result.failed)) == (1, 3, 2)
    (folder / "0.png").rename(folder / "moved.png")
    with open_dataset(folder) as dataset:
        assert open_embeddings(dataset, "images").compute().reused == 4


def test_what_is_stopped_goes_on_where_it_was(tmp_path):
    with open_dataset(folder_of(tmp_path / "a", [None] * 70)) as dataset:
        embeddings = open_embeddings(dataset, "images")

        def stop(done: int) -> None:
            if done:
                raise StopEdit

        result = embeddings.compute(stop)
        assert (result.computed, result.stopped) == (32, 38)
        result = open_embeddings(dataset, "images").compute()
        assert (result.computed, result.reused, result.stopped) == (38, 32, 0)


def unit(count: int, seed: int = 0) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(count, 8)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def keys_of(start: int, stop: int) -> list[bytes]:
    return [at.to_bytes(16, "little") for at in range(start, stop)]


@pytest.mark.parametrize("file", ["vectors.f16", "keys.bin"])
def test_a_store_whose_last_write_was_cut_loses_only_that(tmp_path, file):
    store = EmbeddingStore(tmp_path, "model", "0" * 16, 8)
    store.add(keys_of(0, 10), unit(10))
    cut = store.folder / file
    cut.write_bytes(cut.read_bytes()[:-5])
    again = EmbeddingStore(tmp_path, "model", "0" * 16, 8)
    assert again.rows == 9
    assert again.places(keys_of(0, 10)).tolist() == [*range(9), -1]
    again.add(keys_of(8, 12), unit(4, seed=1))
    assert again.places(keys_of(0, 12)).tolist() == list(range(12))
    assert np.allclose(again.matrix[:9], unit(10)[:9], atol=1e-3)
    assert np.allclose(again.matrix[9:], unit(4, seed=1)[1:], atol=1e-3)
    assert store.places(keys_of(11, 13)).tolist() == [11, -1]


def test_two_processes_add_to_one_store(tmp_path):
    code = (
        "import sys; from pathlib import Path; import numpy as np\n"
        "from cutline.analysis.embedding_store import EmbeddingStore\n"
        "store = EmbeddingStore(Path(sys.argv[1]), 'model', '0' * 16, 8)\n"
        "for start in range(int(sys.argv[2]), int(sys.argv[2]) + 300, 10):\n"
        "    keys = [at.to_bytes(16, 'little') for at in range(start, start + 10)]\n"
        "    store.add(keys, np.eye(8, dtype=np.float32)[[at % 8 for at in range(start, start + 10)]])\n"
    )
    running = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path), str(at)]) for at in (0, 150)]
    assert [process.wait(120) for process in running] == [0, 0]
    store = EmbeddingStore(tmp_path, "model", "0" * 16, 8)
    assert store.rows == 450
    places = store.places(keys_of(0, 450))
    assert sorted(places.tolist()) == list(range(450))
    assert (store.matrix[places].argmax(axis=1) == np.arange(450) % 8).all()


def test_a_store_that_is_broken_or_foreign_names_the_cure(tmp_path):
    store = EmbeddingStore(tmp_path, "model", "0" * 16, 8)
    store.add(keys_of(0, 3), unit(3))
    about = store.folder / "about.json"
    for content in (b"{", about.read_bytes().replace(b"8", b"9")):
        about.write_bytes(content)
        with pytest.raises(ConfigError, match=r"are damaged, .*: delete that folder"):
            EmbeddingStore(tmp_path, "model", "0" * 16, 8)
    about.unlink()
    with pytest.raises(ConfigError, match="delete that folder"):
        EmbeddingStore(tmp_path, "model", "0" * 16, 8)


def test_vectors_that_are_none_are_noticed_and_a_damaged_file_of_keys_is_begun_anew(tmp_path):
    with open_dataset(folder_of(tmp_path / "a", ["a car"])) as dataset:
        embeddings = open_embeddings(dataset, "captions")
        embeddings.compute()
        (embeddings.store.folder / "vectors.f16").write_bytes(bytes(384 * 2))
        with pytest.raises(ConfigError, match="not of unit length: delete that folder"):
            embeddings.vectors()
        (embeddings.store.folder / "vectors.f16").write_bytes(b"\xff\xff" * 384)
        with pytest.raises(ConfigError, match="not of unit length: delete that folder"):
            EmbeddingMap.of_embeddings(embeddings, embeddings.places())
        images = open_embeddings(dataset, "images")
        (images.store.folder.parent / "pictures.sqlite").write_bytes(b"no database " * 500)
        assert images.compute().computed == 1
        assert open_embeddings(dataset, "images").compute().reused == 1


class MeanColor:
    """An encoder that counts what it computes."""

    name, dimensions, fingerprint = "mean-color", 3, "0" * 16

    def __init__(self):
        self.computed = 0

    def load(self, say=None):
        pass

    def decode(self, picture):
        return np.asarray(picture.image(), np.float32).mean((0, 1)) + 1

    def pictures(self, images):
        self.computed += len(images)
        vectors = np.stack(images)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_copies_in_one_run_are_read_but_not_computed(tmp_path):
    folder = folder_of(tmp_path / "a", [None] * 3)
    for at in range(400):
        (folder / f"copy-{at}.png").hardlink_to(folder / f"{at % 3}.png")
    encoder, kept = MeanColor(), PictureKeys(tmp_path / "pictures.sqlite")
    with open_dataset(folder) as dataset:
        contents = PictureContents(dataset, encoder, kept)
        embeddings = Embeddings(dataset, "images", contents, EmbeddingStore(tmp_path, "a", "0" * 16, 3))
        assert embeddings.compute() == EmbedResult(computed=403)
        assert embeddings.store.rows == 3
        assert encoder.computed < 100
        assert set(np.unique(embeddings.places())) == {0, 1, 2}
    kept.close()
