"""The example of a NeMo Curator stage, on that package where it is installed, else on what it documents."""

from __future__ import annotations

import importlib.util
import pickle
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("cutline.ray.captioner")
HERE = Path(__file__).parent
EXAMPLES = HERE.parents[1] / "examples"


@pytest.fixture
def stage(monkeypatch):
    """The class of the example."""
    monkeypatch.syspath_prepend(EXAMPLES)
    if importlib.util.find_spec("nemo_curator") is None:
        monkeypatch.syspath_prepend(HERE / "stand_in")
    from nemo_curator_stage import CaptionStage

    yield CaptionStage
    for name in [name for name in sys.modules if name.partition(".")[0].startswith("nemo_curator")]:
        del sys.modules[name]


@pytest.fixture
def batch(stage, tmp_path):
    """A path, bytes, pixels, and a file that is not there."""
    from nemo_curator.tasks import ImageBatch, ImageObject

    path = tmp_path / "red.png"
    Image.new("RGB", (48, 32), (200, 30, 30)).save(path)
    pictures = [
        ImageObject(image_path=str(path), image_id="path"),
        ImageObject(image_path="gone.png", image_id="bytes", image_bytes=path.read_bytes()),
        ImageObject(image_id="pixels", image_data=np.full((32, 48, 3), 200, np.uint8)),
        ImageObject(image_path=str(tmp_path / "gone.png"), image_id="gone"),
    ]
    return ImageBatch(dataset_name="photos", data=pictures)


def run(stage, batch):
    """As an executor does it: the stage travels to a worker, which sets it up."""
    at_worker = pickle.loads(pickle.dumps(stage))
    at_worker.setup()
    (made,) = at_worker.process_batch([batch])
    return {image.image_id: image.metadata for image in made.data}


def test_each_picture_has_its_caption_or_the_kind_of_its_failure(stage, batch):
    found = run(stage(model="fake"), batch)
    assert list(found) == ["path", "bytes", "pixels", "gone"]
    for name in ("path", "bytes", "pixels"):
        assert found[name]["caption"]
        assert found[name]["caption_outcome"] == "caption"
    assert found["path"]["caption"] == found["bytes"]["caption"] != found["pixels"]["caption"]
    assert (found["gone"]["caption_outcome"], found["gone"]["caption_kind"]) == ("failure", "missing")


def test_options_and_resources_are_those_of_the_stage(stage, batch):
    made = stage(model="pixels", options={"prompt": "tags"}, gpus=0.5)
    assert (made.resources.gpus, made.name) == (0.5, "cutline_caption")
    renamed = made.with_(name="captions", batch_size=2)
    assert (renamed.name, renamed.batch_size, renamed.resources.gpus) == ("captions", 2, 0.5)
    tags, sentence = (run(one, batch)["path"]["caption"] for one in (renamed, stage()))
    assert sentence.endswith(".")
    assert "," in tags
    assert tags != sentence
