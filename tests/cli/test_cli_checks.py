"""``--min-similarity`` on the command line: what is dropped, where it is noted, and what is refused."""

from __future__ import annotations

import csv
import json
import tomllib
from pathlib import Path

import pyarrow.parquet
import pytest
from PIL import Image
from program import COLOURS, Ran, Run, rows

from server_process import Server

torch = pytest.importorskip("torch", reason="needs the extra local")
pytest.importorskip("transformers", reason="needs the extra local")

from cutline.cli import main  # noqa: E402
from cutline.encoders.clip import Clip  # noqa: E402
from tiny_clip import save_clip  # noqa: E402

SENTENCES = ["A red dog runs.", "The sky is grey.", "Two people read in the grass."]
TEXT = " ".join(SENTENCES)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_clip(tmp_path_factory.mktemp("clip"))


@pytest.fixture(scope="module")
def scores(clip: Path, pictures: Path) -> dict[str, list[float]]:
    """The cosine of every sentence with every picture."""
    encoder = Clip(str(clip), device="cpu")
    names = [f"{colour}.jpg" for colour in COLOURS]
    seen = encoder.pictures([Image.open(pictures / name).convert("RGB") for name in names])
    return dict(zip(names, (seen @ encoder.texts(SENTENCES).T).tolist(), strict=True))


@pytest.fixture(scope="module")
def least(scores: dict[str, list[float]]) -> float:
    """A threshold that some sentences of most pictures are below."""
    every = sorted(score for some in scores.values() for score in some)
    return (every[6] + every[7]) / 2


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the program in this process, where what takes seconds to import is there already."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")

    def run_here(*arguments: str, **_: str) -> Ran:
        code = main(list(arguments))
        return Ran(code, *capsys.readouterr())

    return run_here


def kept(scores: list[float], least: float) -> str:
    texts = [text for text, score in zip(SENTENCES, scores, strict=True) if score >= least]
    return " ".join(texts) or SENTENCES[scores.index(max(scores))]


def test_sentences_unlike_the_picture_are_dropped_and_noted(
    cutline: Run, pictures: Path, scripted: Server, clip: Path, scores: dict, least: float, tmp_path: Path
) -> None:
    scripted.post("/script", {"content": TEXT})
    model = ["--model", "m", "--endpoint", scripted.url]
    check = ["--min-similarity", str(least), "--similarity-model", str(clip)]
    done = cutline("caption", str(pictures), "out.jsonl", *model, *check, "--caption-suffix", "(checked)")
    assert done.code == 0, done.err
    found = {row["image_id"]: row for row in rows(tmp_path / "out.jsonl")}
    assert {name: row["caption"] for name, row in found.items()} == {
        name: f"{kept(some, least)} (checked)" for name, some in scores.items()
    }
    for name, row in found.items():
        assert row["steps"][0]["text"] == TEXT
        note = row["checks"]["similarity"]
        dropped = {item["text"]: item["score"] for item in note["dropped"]}
        every = sorted([*note["kept"], *dropped.values()])
        assert every == pytest.approx(sorted(scores[name]), abs=2e-3)
        assert all(score < least for score in dropped.values())
    total = sum(len(row["checks"]["similarity"]["dropped"]) for row in found.values())
    captions = sum(bool(row["checks"]["similarity"]["dropped"]) for row in found.values())
    assert captions > 1
    assert f"similarity: dropped {total} sentences of {captions} captions" in done.err
    report = json.loads((tmp_path / "out.jsonl.cutline/report.json").read_text())
    assert (report["sentences_dropped"], report["captions_shortened"]) == (total, captions)


def test_going_on_is_free_and_another_threshold_is_noticed(
    here: Run, pictures: Path, clip: Path, tmp_path: Path
) -> None:
    command = ["caption", str(pictures), "out.jsonl", "--model", "pixels:no-ocr"]
    check = ["--similarity-model", str(clip), "--min-similarity"]
    first = here(*command, *check, "0.3")
    assert first.code == 0, first.err
    dropped = next(line for line in first.err.splitlines() if line.startswith("similarity: "))
    assert not dropped.startswith("similarity: dropped 0 ")
    again = here(*command, *check, "0.3")
    assert "nothing to caption" in again.err
    assert dropped in again.err
    other = here(*command, *check, "0.4")
    assert other.code == 2
    assert "checks: similarity 0.3 by" in other.err
    none = here(*command)
    assert none.code == 2
    assert "→ none" in none.err


def test_the_example_with_the_fake_captioner(here: Run, pictures: Path, clip: Path, tmp_path: Path) -> None:
    check = ["--min-similarity", "0.9", "--similarity-model", str(clip)]
    done = here("caption", str(pictures), "out.jsonl", "--model", "fake", *check)
    assert done.code == 0, done.err
    assert len(rows(tmp_path / "out.jsonl")) == 5
    for row in rows(tmp_path / "out.jsonl"):
        assert row["caption"] == row["steps"][0]["text"]  # its only sentence stays, whatever its score
        assert row["checks"]["similarity"]["dropped"] == []


@pytest.mark.parametrize("name", ["out.csv", "out.parquet", "out.json"])
def test_every_table_has_the_column_only_when_asked(
    here: Run, pictures: Path, clip: Path, tmp_path: Path, name: str
) -> None:
    def table(path: Path) -> list[dict]:
        if path.suffix == ".csv":
            with path.open(newline="", encoding="utf-8") as file:
                return list(csv.DictReader(file))
        return pyarrow.parquet.read_table(path).to_pylist() if path.suffix == ".parquet" else rows(path)

    check = ["--min-similarity", "0.2", "--similarity-model", str(clip), "--image-limit", "1"]
    assert here("caption", str(pictures), name, "--model", "fake", *check).code == 0
    assert here("caption", str(pictures), f"un{name}", "--model", "fake", "--image-limit", "1").code == 0
    (row,), (plain,) = table(tmp_path / name), table(tmp_path / f"un{name}")
    assert [column for column in row if column != "checks"] == list(plain)
    note = row["checks"] if isinstance(row["checks"], dict) else json.loads(row["checks"])
    assert note["similarity"]["dropped"] == []


def test_texts_within_a_structured_caption_are_checked_too(
    here: Run, pictures: Path, scripted: Server, clip: Path, scores: dict, least: float, tmp_path: Path
) -> None:
    answer = {"long": TEXT, "short": "A dog.", "people": [{"doing": TEXT}], "count": 2}
    scripted.post("/script", {"content": json.dumps(answer)})
    (tmp_path / "schema.json").write_text('{"type": "object", "required": ["long"]}')
    check = ["--min-similarity", str(least), "--similarity-model", str(clip), "--schema", "schema.json"]
    done = here("caption", str(pictures), "out.jsonl", "--model", "m", "--endpoint", scripted.url, *check)
    assert done.code == 0, done.err
    for row in rows(tmp_path / "out.jsonl"):
        expected = kept(scores[row["image_id"]], least)
        assert row["caption"] == expected
        assert row["fields"] == answer | {"long": expected, "people": [{"doing": expected}]}
        inner = row["checks"]["similarity"].get("fields", {})
        assert set(inner) == (set() if expected == TEXT else {"long", "people.0.doing"})


def test_a_job_file_keeps_the_check(here: Run, pictures: Path, clip: Path, tmp_path: Path) -> None:
    check = ["--min-similarity", "0.25", "--similarity-model", str(clip)]
    command = ["caption", str(pictures), "out.jsonl", "--model", "fake", *check]
    assert here(*command, "--save-job", "job.toml").code == 0
    assert tomllib.loads((tmp_path / "job.toml").read_text())["checks"] == {
        "min_similarity": 0.25,
        "similarity_model": str(clip),
    }
    assert here("run", "job.toml").code == 0
    assert "checks" in rows(tmp_path / "out.jsonl")[0]


def test_a_preview_shows_what_would_be_kept(here: Run, pictures: Path, scripted: Server, clip: Path) -> None:
    scripted.post("/script", {"content": TEXT})
    model = [
        "--model",
        "m",
        "--endpoint",
        scripted.url,
        "--min-similarity",
        "1",
        "--similarity-model",
        str(clip),
    ]
    done = here("caption", str(pictures), "--preview", "2", *model)
    assert done.code == 0, done.err
    assert sum(done.out.count(sentence) for sentence in SENTENCES) == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--min-similarity", "1.5"], "--min-similarity must be between -1 and 1, not 1.5"),
        (["--min-similarity", "nan"], "--min-similarity must be between -1 and 1, not nan"),
        (["--similarity-model", "x"], "--similarity-model has no effect alone: add --min-similarity"),
        (
            ["--min-similarity", "0.2", "--similarity-model", "no/such/folder"],
            "no/such/folder does not exist",
        ),
    ],
)
def test_what_cannot_be_checked_is_refused_before_anything_is_asked(
    here: Run, pictures: Path, tmp_path: Path, options: list[str], message: str
) -> None:
    done = here("caption", str(pictures), "out.jsonl", "--model", "fake", *options)
    assert done.code == 2
    assert message in done.err
    assert len(done.err.strip().splitlines()) == 1
    assert not (tmp_path / "out.jsonl").exists()
