"""``--similarity-model``: how like their pictures the captions are, by a tiny CLIP."""

from __future__ import annotations

import csv
import json
import math
import re
from pathlib import Path

import pytest
from PIL import Image

from processes import cutline_here

pytest.importorskip("torch", reason="needs the extra local")
pytest.importorskip("transformers", reason="needs the extra local")

from cutline.encoders.clip import Clip
from tiny_clip import save_clip

CAPTIONS = {"red.png": "A red dog. The grass is long.", "navy.png": "the dog and the street"}


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("similarity")
    save_clip(folder / "clip")
    (folder / "photos").mkdir()
    for name in CAPTIONS:
        Image.new("RGB", (64, 48), name.removesuffix(".png")).save(folder / "photos" / name)
    rows = [{"image_id": name, "caption": text} for name, text in CAPTIONS.items()]
    (folder / "said.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (folder / "some.jsonl").write_text(json.dumps(rows[0]))
    return folder


def compare(folder: Path, output: str, model: str = "clip") -> tuple[int, str]:
    ran = cutline_here(
        *("compare", f"said={folder / 'said.jsonl'}", f"some={folder / 'some.jsonl'}"),
        *("--input-path", folder / "photos", "--output-path", folder / output),
        *("--similarity-model", folder / model, "--device", "cpu"),
    )
    return ran.returncode, ran.stderr


def expected(folder: Path, name: str) -> float:
    """The mean cosine of the caption's sentences, with the library's own words for it."""
    clip = Clip(str(folder / "clip"), device="cpu")
    with Image.open(folder / "photos" / name) as image:
        picture = clip.pictures([image.convert("RGB")])[0]
    sentences = CAPTIONS[name].replace(". ", ".|").split("|")
    return float((clip.texts(sentences) @ picture).mean())


def test_the_scores_are_those_of_the_model(material: Path) -> None:
    code, said = compare(material, "out.csv")
    assert code == 0, said
    with (material / "out.csv").open(newline="", encoding="utf-8") as file:
        rows = {(row["image_id"], row["contestant"]): row["similarity"] for row in csv.DictReader(file)}
    for name in CAPTIONS:
        assert math.isclose(float(rows[name, "said"]), expected(material, name), abs_tol=2e-3)
    assert rows["navy.png", "some"] == ""
    assert compare(material, "out.json")[0] == 0
    first = json.loads((material / "out.json").read_text())["contestants"][0]
    mean = sum(expected(material, name) for name in CAPTIONS) / 2
    assert math.isclose(first["similarity"], mean, abs_tol=2e-3)


def test_they_are_in_the_page(material: Path) -> None:
    assert compare(material, "out.html")[0] == 0
    page = (material / "out.html").read_text("utf-8")
    assert '<th scope="col">Similarity</th>' in page
    shown = [float(value) for value in re.findall(r"similarity (-?[\d.]+)", page)]
    wanted = [expected(material, name) for name in ("navy.png", "red.png", "red.png")]
    assert shown == pytest.approx(wanted, abs=2e-3)


def test_a_model_that_is_not_there_is_said_first(material: Path) -> None:
    code, said = compare(material, "none.html", model="gone")
    assert code == 2
    assert "gone" in said
    assert len(said.splitlines()) == 1
    assert not (material / "none.html").exists()
