"""What a message tells the user to do is accepted, and mends the fault."""

from __future__ import annotations

import dataclasses
import json
import os
import tarfile
from pathlib import Path

import pytest
from PIL import Image

from processes import cutline_here
from server_process import Server

RETRY = "run again with --retry-failed"
CHANGED = "with that and --on-change redo-failed"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Case:
    """A fault of some or all pictures, what the message says, and the options that it names."""

    fault: dict[str, float]
    options: tuple[str, ...] = ()
    says: tuple[str, ...]
    cure: tuple[str, ...]
    without: tuple[str, ...] = ()


CASES = {
    "another time": Case(fault={"500": 0.4}, says=(RETRY,), cure=("--retry-failed",)),
    "too large": Case(
        fault={"413": 0.4},
        says=("lower --max-side", CHANGED),
        cure=("--max-side", "64", "--on-change", "redo-failed"),
    ),
    "only reasoned": Case(
        fault={"reasoning": 0.4},
        says=("raise --max-tokens", CHANGED),
        cure=("--max-tokens", "2000", "--on-change", "redo-failed"),
    ),
    "cut": Case(
        fault={"length": 0.4},
        says=("a larger --max-tokens and --on-change redo-failed",),
        cure=("--max-tokens", "2000", "--on-change", "redo-failed"),
    ),
    "cut, and kept": Case(
        fault={"length": 0.4}, says=("--truncated sentence",), cure=("--truncated", "sentence")
    ),
    "refused by the model": Case(fault={"refusal": 0.4}, says=(RETRY,), cure=("--retry-failed",)),
    "all too large": Case(fault={"413": 1.0}, says=("lower --max-side",), cure=("--max-side", "64")),
    "no credit": Case(
        fault={"quota": 1.0}, says=("add credit or raise its limit, then run the same command",), cure=()
    ),
    "a token budget": Case(
        fault={},
        options=("--budget-tokens", "200", "--max-concurrent-requests", "1"),
        says=("raise it and run the same command",),
        cure=("--budget-tokens", "20000"),
        without=("--budget-tokens", "200"),
    ),
}


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    for number in range(8):
        Image.new("RGB", (200, 100), (30 * number, 90, 20)).save(folder / f"{number}.png")
    return folder


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_the_advice_mends_the_fault(case: Case, endpoint: Server, photos: Path, tmp_path: Path) -> None:
    usual = ("caption", photos, tmp_path / "o.jsonl", "--model", "m", "--endpoint", endpoint.url)
    usual = (*usual, "--max-retries", "0", "--prompt", "Say.")
    endpoint.post("/configure", {"fault": case.fault, "seed": 3})
    failed = cutline_here(*usual, *case.options)
    assert failed.returncode in {1, 3}, failed.stderr
    said = " ".join(failed.stderr.split())
    assert [words for words in case.says if words not in said] == [], said
    endpoint.post("/configure", {"fault": {}})
    options = () if case.without else case.options
    mended = cutline_here(*usual, *options, *case.cure)
    assert mended.returncode == 0, mended.stderr
    assert len((tmp_path / "o.jsonl").read_text().splitlines()) == 8


def test_a_changed_option_with_retry_failed_names_what_works(
    endpoint: Server, photos: Path, tmp_path: Path
) -> None:
    usual = ("caption", photos, tmp_path / "o.jsonl", "--model", "m", "--endpoint", endpoint.url)
    endpoint.post("/configure", {"fault": {"400": 0.4}, "seed": 3})
    assert cutline_here(*usual, "--max-retries", "0").returncode == 1
    endpoint.post("/configure", {"fault": {}})
    refused = cutline_here(*usual, "--temperature", "0.5", "--retry-failed")
    assert refused.returncode == 2
    assert "run again with --on-change redo-failed" in refused.stderr
    assert cutline_here(*usual, "--temperature", "0.5", "--on-change", "redo-failed").returncode == 0


def test_existing_captions_that_are_skipped(photos: Path, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    Image.new("RGB", (20, 20)).save(folder / "a.png")
    (folder / "a.txt").write_text("Mine.")
    command = ("caption", folder, "--output-format", "sidecar", "--model", "fake")
    skipped = cutline_here(*command)
    assert "--existing overwrite, append or prepend" in skipped.stderr
    assert cutline_here(*command, "--existing", "append").returncode == 0
    assert (folder / "a.txt").read_text().startswith("Mine.")
    assert len((folder / "a.txt").read_text()) > len("Mine.")


def test_the_key_of_a_service_is_named_as_each_command_has_it(photos: Path, monkeypatch, tmp_path) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    ran = cutline_here("caption", photos, tmp_path / "o.jsonl", "--model", "openai:x")
    assert ran.returncode == 2
    assert "set OPENAI_API_KEY, or pass --api-key (--model-key of cutline serve)" in ran.stderr


@pytest.mark.parametrize(
    ("arguments", "cure"),
    [
        (
            ("photos",),
            "requests bring their pictures, and with --image-root photos name those of this folder",
        ),
        (("weights",), "the model is an option: --model weights"),
        (("blip",), "the model is an option: --model blip"),
        (("--model", "photos"), "is a folder, and no model is in it (config.json): `cutline models` lists"),
        (("--model", "weights"), "write --model hf:weights"),
    ],
)
def test_a_service_is_given_its_model_as_an_option(
    tmp_path, monkeypatch, arguments: tuple[str, ...], cure: str
) -> None:
    for name in ("photos", "weights"):
        (tmp_path / name).mkdir()
    (tmp_path / "weights" / "config.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    before = dict(os.environ)
    ran = cutline_here("serve", *arguments)
    assert dict(os.environ) == before
    assert ran.returncode == 2
    assert cure in ran.stderr


FAKE = ("--model", "fake")
PIXELS = ("--model", "pixels:no-ocr")
COMPARE = ("compare", "fake", "pixels:no-ocr", "--input-path", "photos", "-o")
SEVERAL = "several files are one input: their folder, or a pattern in quotes"
COLUMN = "--image-column"


def caption(given: str, output: str, *options: str, model: tuple[str, ...] = FAKE) -> tuple[str, ...]:
    return ("caption", given, *filter(None, [output]), *model, *options)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Advice:
    """A command that is refused, what the message says, and the commands that it names in its place."""

    command: tuple[str, ...]
    says: str
    cures: tuple[tuple[str, ...], ...]
    before: tuple[str, ...] = ()


def refused(
    says: str, command: tuple[str, ...], *cures: tuple[str, ...], before: tuple[str, ...] = ()
) -> Advice:
    return Advice(command=command, says=says, cures=cures, before=before)


def wrong(
    says: str, faulty: tuple[str, ...], *mended: tuple[str, ...], model: tuple[str, ...] = FAKE
) -> Advice:
    """Of options: ``faulty`` ones, and those that the message names."""
    cures = (
        caption("photos", "".join(["o", *faulty]).replace("/", "") + ".jsonl", *options, model=model)
        for options in mended
    )
    return refused(says, caption("photos", "faulty.jsonl", *faulty, model=model), *cures)


def prompts_changed(how: str) -> Advice:
    begun = caption("photos", f"changed-{how}.jsonl", "--prompt")
    says = "choose what to do with its captions: --on-change keep, redo-failed or redo-all"
    return refused(says, (*begun, "B."), (*begun, "B.", "--on-change", how), before=(*begun, "A."))


CHAIN = ("--chain", "chain.toml")
PRICED = ("--max-cost", "1", "--prices")
REFUSED = {
    "an ending": refused(
        "or add --output-format with one of",
        caption("photos", "o.xyz"),
        caption("photos", "o.xyz", "--output-format", "jsonl"),
        caption("photos", "xyz.csv"),
    ),
    "a picture's ending": refused(
        "has the name of a picture: give another", caption("photos", "o.jpeg"), caption("photos", "o.jsonl")
    ),
    "rows a file": refused(
        "remove it, or give an output that ends in .parquet",
        caption("photos", "rows.jsonl", "--rows-per-file", "2"),
        caption("photos", "rows.jsonl"),
        caption("photos", "rows.parquet", "--rows-per-file", "2"),
    ),
    "two prompts": refused(
        "give one --prompt, or write a table or shards instead",
        caption("photos", "", "--output-format", "sidecar", "--prompt", "a=A.", "--prompt", "b=B."),
        caption("photos", "two.csv", "--prompt", "a=A.", "--prompt", "b=B."),
        caption("photos", "two", "--output-format", "webdataset", "--prompt", "a=A.", "--prompt", "b=B."),
    ),
    "an output of others": refused(
        "choose another output, replace it with --existing overwrite",
        caption("photos", "mine.jsonl"),
        caption("photos", "mine-2.jsonl"),
        caption("photos", "mine.jsonl", "--existing", "overwrite"),
    ),
    "a folder": refused(
        "give the name of a file",
        caption("photos", "edited", "--output-format", "jsonl"),
        caption("photos", "edited/o.jsonl", "--output-format", "jsonl"),
    ),
    "a path": refused("did you mean photos?", caption("photo", "p.jsonl"), caption("photos", "p.jsonl")),
    "a column": refused(
        "name it with --image-column",
        caption("odd.csv", "q.jsonl"),
        caption("odd.csv", "q.jsonl", COLUMN, "thing"),
    ),
    "another column": refused(
        "it has 'image', 'name'",
        caption("t.csv", "r.jsonl", COLUMN, "pic"),
        caption("t.csv", "r.jsonl", COLUMN, "image"),
    ),
    "kinds of files": refused(
        "--source-type webdataset or --source-type local, or give the sub-folder or pattern",
        caption("mixed", "mixed.jsonl"),
        caption("mixed", "local.jsonl", "--source-type", "local"),
        caption("mixed", "tars.jsonl", "--source-type", "webdataset"),
        caption("mixed/*.png", "pattern.jsonl"),
    ),
    "an output over a picture": refused(
        "is a picture and would be replaced by the output: write to another output",
        caption("t.csv", "photos/1.png", "--output-format", "jsonl"),
        caption("t.csv", "s.jsonl"),
    ),
    "an output over the input": refused(
        "write to another output, such as t-captions.csv",
        caption("t.csv", "t.csv"),
        caption("t.csv", "t-captions.csv"),
    ),
    "one slash": refused(
        "give s3://b/o.jsonl, or ./s3:/b/o.jsonl for a folder of that name",
        caption("photos", "s3:/b/o.jsonl"),
        caption("photos", "./s3:/b/o.jsonl"),
    ),
    "several pictures": refused(
        SEVERAL, caption("photos/0.png", "photos/1.png"), caption("photos/*.png", "k.jsonl")
    ),
    "several pictures and an output": refused(
        SEVERAL, ("caption", "photos/0.png", "photos/1.png", "l.jsonl", *FAKE), caption("photos", "l.jsonl")
    ),
    "several folders and an output": refused(
        SEVERAL, ("caption", "edited", "photos", "m.jsonl", *FAKE), caption("[ep]*/*.png", "m.jsonl")
    ),
    "a report's ending": refused(
        "a comparison is .html, .json or .csv: change the suffix of b.txt",
        (*COMPARE, "b.txt"),
        (*COMPARE, "b.csv"),
    ),
    "a report of others": refused(
        "choose another --output-path", (*COMPARE, "schema.json"), (*COMPARE, "another.json")
    ),
    "pictures among candidates": refused(
        "give the pictures as --input-path photos",
        ("compare", "fake", "pixels:no-ocr", "photos", "-o", "c.json"),
        (*COMPARE, "c.json"),
    ),
    "a comparison of nothing": refused(
        "give --input-path", ("compare", "fake", "pixels:no-ocr", "-o", "d.json"), (*COMPARE, "d.json")
    ),
    "the state of a run": refused(
        "give --state another folder",
        (*COMPARE, "e.json", "--state", "begun.jsonl.cutline"),
        (*COMPARE, "e.json", "--state", "e-state"),
        before=caption("photos", "begun.jsonl"),
    ),
    "the state of a comparison": refused(
        "give another folder with --state",
        caption("photos", "n.jsonl", "--state", "f.json.cutline"),
        caption("photos", "n.jsonl", "--state", "n-state"),
        before=(*COMPARE, "f.json"),
    ),
    "the format of an export": refused(
        "end its name in .zip, .jsonl, .json, .csv, .tsv, .parquet, or add --format",
        ("export", "photos", "pairs"),
        ("export", "photos", "pairs.zip"),
        ("export", "photos", "pairs", "--format", "zip"),
    ),
    "an export that is there": refused(
        "choose another, or replace it with --overwrite",
        ("export", "photos", "mine.csv"),
        ("export", "photos", "mine-2.csv"),
        ("export", "photos", "mine.csv", "--overwrite"),
        before=("export", "photos", "mine.csv"),
    ),
    "an export over a run": refused(
        "choose another place",
        ("export", "photos", "run.jsonl", "--overwrite"),
        ("export", "photos", "exported.jsonl"),
        before=caption("photos", "run.jsonl"),
    ),
    "half an edit": refused(
        "need --replace OLD NEW: add it",
        ("edit", "edited", "--word"),
        ("edit", "edited", "--word", "--replace", "cat", "dog"),
    ),
    "no edit": refused(
        "no change given: add one, such as --replace OLD NEW or --prefix TEXT",
        ("edit", "edited"),
        ("edit", "edited", "--replace", "old", "new"),
        ("edit", "edited", "--prefix", "x", "--dry-run"),
    ),
    "a proposal of nobody": refused(
        "name a model, such as -m",
        ("propose", "photos", "--dry-run"),
        ("propose", "photos", "--dry-run", "-m", "openai:gpt-4o-mini"),
    ),
    "a file of a proposal's prompt": refused(
        'pass its text, as -p "$(cat prompt.txt)"',
        ("propose", "photos", "--dry-run", *FAKE, "-p", "prompt.txt"),
        ("propose", "photos", "--dry-run", *FAKE, "-p", "Say."),
    ),
    "captions by a person": refused(
        "--by-person goes with --existing overwrite: add it, or remove --by-person",
        ("propose", "photos", "--dry-run", *FAKE, "--by-person"),
        ("propose", "photos", "--dry-run", *FAKE, "--by-person", "--existing", "overwrite"),
        ("propose", "photos", "--dry-run", *FAKE),
    ),
    "accepted and rejected": refused(
        "exclude each other: give one of them",
        ("proposals", "photos", "--accept", "--reject"),
        ("proposals", "photos", "--accept"),
        ("proposals", "photos", "--reject"),
    ),
    "changed proposals": refused(
        "--changed goes with --accept: add it, or remove --changed",
        ("proposals", "photos", "--changed"),
        ("proposals", "photos", "--changed", "--accept"),
        ("proposals", "photos"),
    ),
    "an edit that is not there": refused(
        "`cutline history` lists them", ("undo", "photos", "--to", "7"), ("history", "photos")
    ),
    "a file of words": refused(
        "words are written to .csv or .svg: change the extension",
        ("words", "photos", "-o", "words.txt"),
        ("words", "photos", "-o", "words.csv"),
        ("words", "photos", "-o", "words.svg"),
    ),
    "words that are there": refused(
        "give another output, or --overwrite",
        ("words", "photos", "-o", "mine-words.csv"),
        ("words", "photos", "-o", "mine-words-2.csv"),
        ("words", "photos", "-o", "mine-words.csv", "--overwrite"),
        before=("words", "photos", "-o", "mine-words.csv"),
    ),
    "a table's pictures": refused(
        "name them with --image-column and --text-column",
        ("find", "odd.csv", "cat"),
        ("find", "odd.csv", "cat", COLUMN, "thing"),
    ),
    "an empty export": refused(
        "--empty exports them",
        ("export", "mixed", "m.csv"),
        ("export", "mixed", "m.csv", "--empty"),
    ),
    "a picture's name": refused(
        "did you mean 0.png?",
        ("history", "photos", "--picture", "0.jpg"),
        ("history", "photos", "--picture", "0.png"),
    ),
    "a folder as a job": refused(
        "for pictures in it write `cutline caption photos`",
        ("run", "photos"),
        caption("photos", "of-a-folder.jsonl"),
    ),
    "a job that is there": refused(
        "choose another name for --save-job",
        caption("photos", "j.jsonl", "--save-job", "job.toml"),
        caption("photos", "j.jsonl", "--save-job", "job-2.toml"),
        ("run", "job.toml"),
        before=caption("photos", "j.jsonl", "--save-job", "job.toml"),
    ),
    "a job": refused("did you mean begin.toml?", ("run", "bgin.toml"), ("run", "begin.toml")),
    "an option": wrong("did you mean --max-tokens?", ("--max-tokn", "5"), ("--max-tokens", "5")),
    "a chain's prompt": wrong(
        "write `prompt` into its steps, not --prompt", (*CHAIN, "--prompt", "Hi."), CHAIN, model=()
    ),
    "a chain's model": wrong("remove --model fake", (*CHAIN, *FAKE), CHAIN, model=()),
    "a chain": wrong("did you mean chain.toml?", ("--chain", "chian.toml"), CHAIN, model=()),
    "a model": wrong("did you mean fake?", ("--model", "fakee"), FAKE, model=()),
    "loud and quiet": wrong("give one of them", ("--verbose", "--quiet"), ("--quiet",)),
    "no pictures": wrong("-1 or greater than 0", ("--image-limit", "0"), ("--image-limit", "1")),
    "a quality": wrong("between 1 and 100", ("--jpeg-quality", "0"), ("--jpeg-quality", "1")),
    "a language": wrong("remove --language, or", ("--language", "German"), (), model=PIXELS),
    "a system prompt": wrong("remove --system-prompt", ("--system-prompt", "Hi."), (), model=PIXELS),
    "a parameter": wrong("--temperature; remove it", ("--temperature", "0.5"), (), model=PIXELS),
    "an extra": wrong("remove it", ("--extra.top_k", "5"), (), model=PIXELS),
    "a check": wrong("such as words=5..120", ("--check", "words=1-9"), ("--check", "words=5..120")),
    "a filter": wrong(
        "size:width=640,aspect=3", ("--filter", "size"), ("--filter", "size:width=40,aspect=3")
    ),
    "a policy": wrong("fail", ("--on-missing", "fial"), ("--on-missing", "fail")),
    "prices": wrong("did you mean prices.toml?", (*PRICED, "price.toml"), (*PRICED, "prices.toml")),
    "a prompt": wrong("did you mean 'short'?", ("--prompt", "shrt"), ("--prompt", "short")),
    "a prompt by a usual word": wrong(
        "did you mean 'detailed'?", ("--prompt", "long"), ("--prompt", "detailed")
    ),
    "a file of a prompt": wrong("did you mean prompt.txt?", ("-p", "promt.txt"), ("-p", "prompt.txt")),
    "a schema": wrong("did you mean schema.json?", ("--schema", "schem.json")),
    "a file of a key": wrong("did you mean key.txt?", ("--api-key-file", "ky.txt")),
    **{f"changed, and {how}": prompts_changed(how) for how in ("keep", "redo-failed", "redo-all")},
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a little of everything that can be an input or an option."""
    place = tmp_path_factory.mktemp("place")
    for folder in ("photos", "mixed", "edited"):
        (place / folder).mkdir()
    for number in range(2):
        Image.new("RGB", (60, 40), (90 * number, 90, 20)).save(place / f"photos/{number}.png")
    (place / "photos/0.txt").write_text("A cat.")
    for folder in ("mixed", "edited"):
        (place / folder / "a.png").write_bytes((place / "photos/0.png").read_bytes())
    (place / "edited/a.txt").write_text("A cat.")
    with tarfile.open(place / "mixed/b.tar", "w") as tar:
        tar.add(place / "photos/1.png", "1.png")
    (place / "t.csv").write_text("image,name\nphotos/0.png,a\nphotos/1.png,b\n")
    (place / "odd.csv").write_text("thing,name\nphotos/0.png,a\nphotos/1.png,b\n")
    (place / "chain.toml").write_text('[[step]]\nname = "a"\nmodel = "fake"\nprompt = "Say."\n')
    (place / "begin.toml").write_text('input_path = "photos"\n[model]\nmodel = "fake"\n')
    (place / "prices.toml").write_text('[fake."*"]\ninput = 1\noutput = 1\n')
    (place / "mine.jsonl").write_text("{}\n")
    (place / "schema.json").write_text("{}")
    (place / "prompt.txt").write_text("Say.")
    (place / "key.txt").write_text("secret")
    return place


@pytest.mark.parametrize("name", REFUSED)
def test_what_a_refusal_names_works(name: str, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    case = REFUSED[name]
    if case.before:
        assert cutline_here(*case.before).returncode == 0
    done = cutline_here(*case.command)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert case.says in done.stderr
    for cure in case.cures:
        done = cutline_here(*cure)
        assert done.returncode == 0, done.stderr


def test_a_table_whose_pictures_are_elsewhere_names_the_folder_and_the_option(
    photos: Path, tmp_path: Path
) -> None:
    images = [{"id": number, "file_name": f"{number}.png"} for number in range(3)]
    table, out = tmp_path / "instances.json", tmp_path / "out.jsonl"
    table.write_text(json.dumps({"images": images, "annotations": []}))
    ran = cutline_here("caption", table, out, "--model", "fake")
    assert ran.returncode == 1
    assert f"paths start from {tmp_path}: --image-root names another folder" in ran.stderr
    assert RETRY in ran.stderr
    ran = cutline_here("caption", table, out, "--model", "fake", "--image-root", photos, "--retry-failed")
    assert ran.returncode == 0, ran.stderr
    assert "3 captions" in ran.stderr
