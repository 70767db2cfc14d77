"""What a user gets wrong is said in one line that names the cure; nothing is touched, nothing is asked."""

from __future__ import annotations

import json
import os
import shlex
from pathlib import Path

import pytest
from PIL import Image
from program import Run, clean_environment

from cutline.cli import main
from processes import cutline_here

NOWHERE = "http://127.0.0.1:9/v1"

# The command line, and words that its one line must hold.
MISTAKES = {
    "a whole number of 5,000 digits": (
        f"caption photos --seed {'9' * 5000}",
        "--seed: must be a whole number",
    ),
    "a batch of 5,000 digits": (f"caption photos --batch-size {'9' * 5000}", "--batch-size"),
    # input
    "missing input": ("caption nowhere out.jsonl", "nowhere does not exist"),
    "misspelt input": ("caption photo/", "photo/ does not exist, did you mean photos/?"),
    "misspelt case": ("caption Photos out.jsonl", "did you mean photos?"),
    "misspelt folder": ("caption note/a.xyz out.jsonl", "did you mean notes/a.xyz?"),
    "misspelt file": ("caption tabel.csv out.jsonl", "did you mean table.csv?"),
    "misspelt folder to see": ("studio photo", "did you mean photos?"),
    "misspelt folder to edit": ("edit photo --trim", "did you mean photos?"),
    "a file to see": ("studio notes/a.xyz", "notes/a.xyz is not a dataset"),
    "no input": ("caption", "needs an input: a folder"),
    "empty folder": ("caption empty out.jsonl", "no pictures"),
    "folder without pictures": ("caption notes out.jsonl", "no pictures"),
    "not a picture": ("caption notes/a.xyz out.jsonl", "--source-type"),
    "one URL": ("caption https://example.com/a.jpg out.jsonl", ".txt"),
    "a command as input": ("caption pipe:ls out.jsonl", "pipe:"),
    "no tars": ("caption photos out.jsonl --source-type webdataset", ".tar"),
    "no column": ("caption table.csv out.jsonl --image-column nope", "nope"),
    "a broken table": ("caption broken.parquet out.jsonl", "broken.parquet"),
    "unknown source type": ("caption photos out.jsonl --source-type folder", "webdataset"),
    "no limit": ("caption photos out.jsonl --image-limit 0", "--image-limit"),
    "negative limit": ("caption photos out.jsonl --image-limit -5", "--image-limit"),
    "no batch": ("caption photos out.jsonl --reader-batch-size 0", "--reader-batch-size"),
    # output
    "no format": ("caption photos out.docx", "--output-format"),
    "a folder as a file": ("caption photos folder.jsonl", "folder"),
    "an output of someone else's": ("caption photos theirs.jsonl", "--existing overwrite"),
    "unknown format": ("caption photos out --output-format xml", "parquet"),
    "no shards": ("caption photos out --output-format webdataset --max-shards 0", "--max-shards"),
    "empty shards": (
        "caption photos out --output-format webdataset --samples-per-shard 0",
        "--samples-per-shard",
    ),
    # model
    "unknown provider": ("caption photos out.jsonl --model opnai:gpt-4o", "openai"),
    "missing model name": ("caption photos out.jsonl --model openrouter", "openrouter:NAME"),
    "missing key": ("caption photos out.jsonl --model openai:gpt-4o-mini", "OPENAI_API_KEY"),
    "missing key of NVIDIA": ("caption photos out.jsonl --use-ngc", "NVIDIA_API_KEY"),
    "bad URL": ("caption photos out.jsonl --model m --endpoint localhost:8000", "http://localhost:8000/v1"),
    "bad NIM URL": ("caption photos out.jsonl --nim-endpoint :8000", "http://host:port/v1"),
    "two models": (
        f"caption photos out.jsonl --model ollama:llava --model-name x --endpoint {NOWHERE}",
        "--model",
    ),
    "negative tokens": ("caption photos out.jsonl --max-tokens -1", "--max-tokens"),
    "negative temperature": ("caption photos out.jsonl --temperature -0.1", "--temperature"),
    "temperature in words": ("caption photos out.jsonl --temperature hot", "hot"),
    "impossible share": ("caption photos out.jsonl --top-p 1.5", "--top-p"),
    "unknown setting": ("caption photos out.jsonl --model fake:speed=1", "latency"),
    "a parameter for pixels": (
        "caption photos out.jsonl --temperature 1.5 --seed 3",
        "--temperature and --seed",
    ),
    "a size for pixels": ("caption photos out.jsonl --max-side 300", "--max-side"),
    "a parameter of our own for pixels": ("caption photos out.jsonl --extra.min_p 0.1", "--extra"),
    "a key for pixels": ("caption photos out.jsonl --api-key k", "--api-key"),
    "instructions for pixels": ("caption photos out.jsonl --system-prompt Rhyme.", "--system-prompt"),
    "text from pixels": ("caption photos out.jsonl --prompt ocr", "use the model pixels:ocr"),
    # prompt
    "empty prompt": ("caption photos out.jsonl --prompt ''", "prompt"),
    "misspelt prompt": ("caption photos out.jsonl --prompt detaled", "detailed"),
    "missing template": ("caption photos out.jsonl --prompt nope.json", "nope.json"),
    "bad regex": ("caption photos out.jsonl --prompt regex.json", "regex"),
    "unknown key in a template": ("caption photos out.jsonl --prompt unknown.json", "prompt_prefix"),
    "two prompts of one name": ("caption photos out.jsonl --prompt a=short --prompt a=describe", "name=…"),
    "unreadable schema": ("caption photos out.jsonl --schema broken.json", "broken.json"),
    "missing schema": ("caption photos out.jsonl --schema nope.json", "nope.json"),
    "no schema": ("caption photos out.jsonl --schema list.json", "list.json"),
    "no language": ("caption photos out.jsonl --model fake --language 123", "German"),
    # pictures
    "impossible quality": ("caption photos out.jsonl --jpeg-quality 101", "--jpeg-quality"),
    "negative side": ("caption photos out.jsonl --max-side -1", "--max-side"),
    "no pixels": ("caption photos out.jsonl --max-pixels 0", "--max-pixels"),
    # run
    "no requests": ("caption photos out.jsonl --max-concurrent-requests 0", "--max-concurrent-requests"),
    "no time": ("caption photos out.jsonl --timeout 0", "--timeout"),
    "time that is not a number": ("caption photos out.jsonl --timeout nan", "--timeout"),
    "negative retries": ("caption photos out.jsonl --max-retries -1", "--max-retries"),
    "negative delay": ("caption photos out.jsonl --retry-delay -1", "--retry-delay"),
    "no budget": ("caption photos out.jsonl --budget-tokens 0", "--budget-tokens"),
    "money without price": (
        "caption photos out.jsonl --model openai:new --api-key k --max-cost 1",
        "--prices",
    ),
    "missing prices": ("caption photos out.jsonl --prices nope.toml", "nope.toml"),
    "unknown policy": ("caption photos out.jsonl --existing replace", "overwrite"),
    "unknown change policy": ("caption photos out.jsonl --on-change redo", "redo-all"),
    # before
    "preview of nothing": ("caption photos --preview 0", "--preview"),
    "preview of less": ("caption photos --preview -3", "--preview"),
    "preview and estimate": ("caption photos --preview 3 --estimate", "--preview"),
    "loud and quiet": ("caption photos out.jsonl --verbose --quiet", "--quiet"),
    "job file is there": ("caption photos --save-job theirs.jsonl", "theirs.jsonl"),
    "job file nowhere": ("caption photos --save-job no/such/folder/job.toml", "job.toml"),
    # job files
    "missing job": ("run nope.toml", "the job file nope.toml does not exist"),
    "misspelt job": (
        "run unknwn.toml",
        "the job file unknwn.toml does not exist, did you mean unknown.toml?",
    ),
    "a folder as job": ("run photos", "write `cutline caption photos`"),
    "no TOML": ("run broken.json", "broken.json"),
    "unknown key in a job": ("run unknown.toml", "modle"),
    "unknown group in a job": ("run group.toml", "sink"),
    "wrong type in a job": ("run type.toml", "image_limit"),
    "job without input": ("run inputless.toml", "input_path"),
    "two wishes before a job": ("run nope.toml --preview 3 --estimate", "--preview and --estimate"),
    "a job loud and quiet": ("run nope.toml --verbose --quiet", "--verbose and --quiet"),
    # the program
    "unknown command": ("captoin photos", "there is no command 'captoin', did you mean `cutline caption`?"),
    "another program's command": ("gui photos", "did you mean `cutline studio`?"),
    "a task as command": ("describe photos", "did you mean `cutline caption`?"),
    "help as command": ("help", "did you mean `cutline --help`?"),
    "unknown command of batches": ("batch submti photos", "did you mean `cutline batch submit`?"),
    "no command at all": ("xyzzy", "there is no command 'xyzzy'; the commands are caption, run,"),
    "an input as command": ("notes/", "for an input write `cutline caption notes/`"),
    "unknown option": ("caption photos out.jsonl --modle x", "--model"),
    "option without value": ("caption photos out.jsonl --model", "--model"),
    "one path too many": ("caption photos out.jsonl more.jsonl", "more.jsonl"),
    "a pattern that the shell expanded": (
        "caption notes empty photos " * 99,
        "a pattern in quotes",
    ),
    "unknown prompt to show": ("prompts show detaled", "detailed"),
    "unknown model to check": ("models check opnai", "openai"),
    "no time to check": ("models check pixels --timeout 0", "--timeout"),
}


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, pictures: Path) -> Path:
    """A working folder with all that the mistakes are made with."""
    folder = tmp_path_factory.mktemp("desk")
    (folder / "photos").symlink_to(pictures, target_is_directory=True)
    for name in ("empty", "notes", "folder.jsonl"):
        (folder / name).mkdir()
    files = {
        "notes/a.xyz": "words",
        "table.csv": "path,name\na.jpg,A\n",
        "broken.parquet": "PAR1 and nothing else",
        "theirs.jsonl": '{"not": "ours"}\n',
        "regex.json": json.dumps({"prompt_prefix": "What?", "regex": "<caption>(.*"}),
        "unknown.json": json.dumps({"prompt": "What?"}),
        "broken.json": '{"type": ',
        "list.json": '["type", "object"]',
        "unknown.toml": 'input_path = "photos"\n[model]\nmodle = "x"\n',
        "group.toml": 'input_path = "photos"\n[sink]\nformat = "x"\n',
        "type.toml": 'input_path = "photos"\n[input]\nimage_limit = "many"\n',
        "inputless.toml": 'output_path = "out.jsonl"\n',
    }
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder


def listing(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.mark.parametrize("name", MISTAKES)
def test_mistake(
    name: str, desk: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    line, words = MISTAKES[name]
    monkeypatch.chdir(desk)
    for variable in set(os.environ) - set(clean_environment()):
        monkeypatch.delenv(variable)
    before = listing(desk)
    code = main(shlex.split(line))
    said = capsys.readouterr()
    assert said.err.count("\n") == 1, said.err
    assert said.err.startswith("cutline: ")
    assert words in said.err
    assert (code, said.out) == (2, "")
    assert len(said.err) < 700
    made = [path for path in listing(desk) if path not in before]
    assert [path for path in made if ".cutline" not in path] == [], "only a state folder may be left"


def test_as_a_process(cutline: Run) -> None:
    ran = cutline("caption", "nowhere", "out.jsonl")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == "cutline: nowhere does not exist\n"


@pytest.mark.parametrize("digits", [19, 21, 300])
def test_a_preview_of_any_number_shows_all_pictures(cutline: Run, desk: Path, digits: int) -> None:
    ran = cutline("caption", desk / "photos", "--model", "fake", "--preview", "9" * digits)
    assert ran.code == 0, ran.err
    assert "A picture with checksum" in ran.out


@pytest.mark.parametrize(
    ("output", "form", "cure"),
    [
        ("o.csv", "parquet", "end its name in .parquet, or leave --output-format out"),
        ("o.TSV", "csv", "end its name in .csv, or leave --output-format out"),
        ("o.jsonl", "json", "end its name in .json, or leave --output-format out"),
        ("o.jsonl.gz", "jsonl", "end its name in .jsonl or .ndjson"),
        ("o.xlsx", "csv", "end its name in .csv"),
        ("o.tar", "webdataset", "give a name without an ending"),
        ("o.csv", "sidecar", "give a name without an ending, or leave --output-format out"),
    ],
)
def test_a_name_that_says_another_format_is_refused(output, form, cure, tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    done = cutline_here("caption", tmp_path, tmp_path / output, "--model", "fake", "--output-format", form)
    assert done.returncode == 2
    assert done.stderr.strip().endswith(cure), done.stderr
    assert not (tmp_path / output).exists()


@pytest.mark.parametrize(("output", "form"), [("o.json", "jsonl"), ("o.txt", "csv"), ("v1.2", "sidecar")])
def test_a_name_that_says_nothing_else_is_taken(output, form, tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    done = cutline_here("caption", tmp_path, tmp_path / output, "--model", "fake", "--output-format", form)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("prompts", "shwo", "detailed"), "did you mean `cutline prompts show`?"),
        (("prompts", "detialed"), "did you mean `cutline prompts show detailed`?"),
        (("prompts", "list"), "`cutline prompts` lists the library"),
        (("studio", "--prot", "3"), "did you mean --port?"),
        (("caption", "--filter", "sharpness=3"), "did you mean --keep 'sharpness>=N'?"),
        (("caption", "--check", "size"), "did you mean --filter size?"),
    ],
)
def test_what_was_meant_is_named(arguments, words, tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    if arguments[0] == "caption":
        arguments = ("caption", tmp_path, tmp_path / "o.jsonl", "--model", "fake", *arguments[1:])
    done = cutline_here(*arguments)
    assert done.returncode == 2
    assert words in done.stderr
