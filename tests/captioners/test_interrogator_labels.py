"""The labels and their vectors: where they come from, and when they are rebuilt."""

from __future__ import annotations

import logging
import pickle
import shutil
import sys

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra local")
pytest.importorskip("transformers", reason="needs the extra local")

from cutline.captioners.interrogator.labels import read_labels  # noqa: E402
from cutline.captioners.interrogator.vectors import label_vectors  # noqa: E402
from cutline.encoders.clip import Clip  # noqa: E402
from cutline.errors import ConfigError  # noqa: E402
from tiny_clip import save_clip  # noqa: E402

LABELS = [f"label number {number} in the list" for number in range(40)]


@pytest.fixture(scope="module")
def clip_folder(tmp_path_factory):
    return save_clip(tmp_path_factory.mktemp("clip"))


class Counting(Clip):
    """Counts the texts that it encodes."""

    encoded = 0

    def texts(self, texts):
        self.encoded += len(texts)
        return super().texts(texts)


def encoder(folder):
    return Counting(str(folder), device="cpu")


def get(clip, folder, labels=LABELS):
    return label_vectors(clip, labels, lambda line: None, folder=folder)


def test_vectors_are_computed_once(clip_folder, tmp_path):
    first = encoder(clip_folder)
    made = get(first, tmp_path)
    assert first.encoded == 40
    np.testing.assert_allclose(made, first.texts(LABELS), atol=1e-3)
    assert made.dtype == np.float32
    second = encoder(clip_folder)
    np.testing.assert_array_equal(get(second, tmp_path), made)
    assert second.encoded < 10  # only to see whether these are its own
    assert [path.suffix for path in tmp_path.iterdir()] == [".npy"]


class Dying(Counting):
    """Dies when it has encoded so many texts."""

    def texts(self, texts):
        if self.encoded >= 8000:
            raise KeyboardInterrupt
        return super().texts(texts)


def test_what_was_encoded_before_a_death_is_not_encoded_again(clip_folder, tmp_path):
    """It takes the better part of an hour without a GPU."""
    labels = [f"label {number}" for number in range(10_000)]
    with pytest.raises(KeyboardInterrupt):
        get(Dying(str(clip_folder), device="cpu"), tmp_path, labels)
    second = encoder(clip_folder)
    made = get(second, tmp_path, labels)
    assert second.encoded < 3000
    sample = range(0, 10_000, 500)
    fresh = encoder(clip_folder).texts([labels[at] for at in sample])
    np.testing.assert_allclose(made[list(sample)], fresh, atol=1e-3)
    assert [path.name.count(".") for path in tmp_path.iterdir()] == [1], "only the whole file is left"


@pytest.mark.parametrize("kind", ["cut", "noise", "shape", "nan"])
def test_a_damaged_beginning_is_made_again(clip_folder, tmp_path, kind):
    labels = [f"label {number}" for number in range(10_000)]
    with pytest.raises(KeyboardInterrupt):
        get(Dying(str(clip_folder), device="cpu"), tmp_path, labels)
    (path,) = tmp_path.iterdir()
    damage(kind, path)
    second = encoder(clip_folder)
    assert np.all(np.abs(np.linalg.norm(get(second, tmp_path, labels), axis=1) - 1) < 0.01)
    assert second.encoded >= 10_000


def test_other_labels_and_models_have_files_of_their_own(clip_folder, tmp_path):
    get(encoder(clip_folder), tmp_path)
    get(encoder(clip_folder), tmp_path, LABELS[:20])
    get(encoder(clip_folder), tmp_path, LABELS[::-1])
    other = encoder(save_clip(tmp_path / "other", seed=5))
    np.testing.assert_allclose(get(other, tmp_path), other.texts(LABELS), atol=1e-3)
    assert len(list(tmp_path.glob("*.npy"))) == 4


class Evil:
    def __reduce__(self):
        return (pytest.fail, ("a pickle was run",))


def with_nan(vectors):
    vectors[3] = np.nan
    return vectors


BYTES = {
    "cut": lambda data: data[: len(data) // 2],
    "empty": lambda data: b"",
    "noise": lambda data: b"\x93NUMPY" + bytes(range(256)),
    "pickle": lambda data: pickle.dumps(Evil()),
}
ARRAYS = {
    "objects": lambda vectors: np.array([{}], dtype=object),
    "zeros": np.zeros_like,
    "nan": with_nan,
    "shape": lambda vectors: vectors[:-1],
    "dtype": lambda vectors: vectors.astype(np.float64),
}


def damage(kind, path):
    if kind in BYTES:
        path.write_bytes(BYTES[kind](path.read_bytes()))
    elif kind in ARRAYS:
        np.save(path, ARRAYS[kind](np.load(path)), allow_pickle=True)
    else:
        path.unlink()
        path.mkdir()


@pytest.mark.parametrize("kind", [*BYTES, *ARRAYS, "folder"])
def test_a_damaged_file_is_made_again(clip_folder, tmp_path, kind):
    made = get(encoder(clip_folder), tmp_path)
    (path,) = tmp_path.glob("*.npy")
    damage(kind, path)
    np.testing.assert_array_equal(get(encoder(clip_folder), tmp_path), made)
    if kind != "folder":  # which is not removed, as it is not ours
        np.testing.assert_array_equal(np.load(path).astype(np.float32), made)


def test_other_weights_in_the_same_folder_are_noticed(tmp_path):
    folder = save_clip(tmp_path / "clip")
    before = get(encoder(folder), tmp_path / "kept")
    shutil.rmtree(folder)
    after = encoder(save_clip(folder, seed=9))
    found = get(after, tmp_path / "kept")
    np.testing.assert_allclose(found, after.texts(LABELS), atol=1e-3)
    assert np.abs(found - before).max() > 0.1


def test_a_place_that_cannot_be_written_is_done_without(clip_folder, tmp_path, caplog):
    (tmp_path / "file").write_text("")
    with caplog.at_level(logging.WARNING):
        assert get(encoder(clip_folder), tmp_path / "file").shape == (40, 24)
    assert "cannot be cached" in caplog.text


def test_what_takes_long_says_how_far_it_is(clip_folder, tmp_path):
    said = []
    many = [f"{number}" for number in range(5000)]
    clip = encoder(clip_folder)
    clip.texts = lambda texts: np.full((len(texts), 24), 24**-0.5)
    label_vectors(clip, many, said.append, folder=tmp_path)
    assert len(said) == 2
    assert said[0].startswith("encoding 5,000 labels with")
    assert said[0].endswith("0 %")


def test_the_cache_follows_the_conventions_of_the_platform(clip_folder, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    label_vectors(encoder(clip_folder), LABELS, print)
    assert len([*(tmp_path / "cutline" / "labels").glob("*.npy")]) == 1


def write(folder, **lists):
    for name in ("artists", "flavors", "mediums", "movements", "negative"):
        (folder / f"{name}.txt").write_text(lists.get(name, "one\ntwo\n"), "utf-8")


def test_labels_of_a_folder_are_read_line_by_line(tmp_path):
    write(tmp_path, artists="Ada Grey\r\n\n Bo Long \n", flavors="soft\nélan\u2028vital\n")
    own = read_labels(str(tmp_path))
    assert own.artists == ("by Ada Grey", "by Bo Long", "inspired by Ada Grey", "inspired by Bo Long")
    assert own.flavors == ("soft", "élan\u2028vital")
    assert len(own.trendings) == 72
    (tmp_path / "trendings.txt").write_text("seen everywhere")
    assert read_labels(str(tmp_path)).trendings == ("seen everywhere",)


@pytest.mark.parametrize("fault", ["no folder", "no file", "no labels"])
def test_labels_that_cannot_be_read_are_said_in_a_line(tmp_path, fault):
    write(tmp_path)
    if fault == "no file":
        (tmp_path / "mediums.txt").unlink()
    elif fault == "no labels":
        (tmp_path / "mediums.txt").write_text(" \n\n")
    place = tmp_path / "gone" if fault == "no folder" else tmp_path
    with pytest.raises(ConfigError) as caught:
        read_labels(str(place))
    assert "gone" in str(caught.value) or "mediums.txt" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_without_the_package_both_cures_are_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "clip_interrogator", None)  # as if it were not installed
    with pytest.raises(
        ConfigError, match=r"pip install --no-deps clip-interrogator.*interrogator:labels=FOLDER"
    ):
        read_labels(None)
