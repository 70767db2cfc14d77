"""The help of every command, as it looks at a hundred columns.

``CUTLINE_SNAPSHOTS=write pytest tests/cli/test_cli_help.py`` writes the snapshots again.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from PIL import Image
from program import clean_environment

import cutline
from cutline.cli import main

SNAPSHOTS = Path(__file__).parent / "snapshots"
COMMANDS = (
    "",
    "caption",
    "caption --help-all",
    "batch",
    "batch submit",
    "batch status",
    "batch collect",
    "batch cancel",
    "compare",
    "run",
    "job",
    "models",
    "models check",
    "prompts",
    "prompts show",
)


def snapshot_of(command: str) -> str:
    return f"{(command or 'cutline').replace(' --', '-').replace(' ', '-')}.txt"


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command or "cutline")
def test_help(command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for name, value in clean_environment().items():
        monkeypatch.setenv(name, value)
    assert main([*command.split(), *([] if "--help-all" in command else ["--help"])]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    shown = "".join(f"{line.rstrip()}\n" for line in said.out.splitlines())
    assert max(map(len, shown.splitlines())) <= 100
    snapshot = SNAPSHOTS / snapshot_of(command)
    if os.environ.get("CUTLINE_SNAPSHOTS") == "write":
        snapshot.parent.mkdir(exist_ok=True)
        snapshot.write_text(shown, "utf-8")
    assert shown == snapshot.read_text("utf-8")


@pytest.mark.parametrize("command", ["caption", "batch collect", "models check"])
def test_help_is_as_wide_as_the_terminal(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def widest(columns: int) -> int:
        monkeypatch.setenv("COLUMNS", str(columns))
        assert main([*command.split(), "--help"]) == 0
        return max(map(len, capsys.readouterr().out.splitlines()))

    assert [widest(60), widest(100), widest(70)] == [60, 100, 70]


def test_no_snapshot_is_left_over() -> None:
    assert {path.name for path in SNAPSHOTS.iterdir()} == set(map(snapshot_of, COMMANDS))


@pytest.mark.parametrize("command", ["caption", "batch submit", "compare", "job"])
def test_the_help_is_short_and_names_the_rest(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*command.split(), "--help"]) == 0
    short = set(re.findall(r"--[a-z][a-z-]+", (shown := capsys.readouterr().out)))
    assert main([*command.split(), "--help-all"]) == 0
    whole = set(re.findall(r"--[a-z][a-z-]+", capsys.readouterr().out))
    assert len(short) <= 36
    assert short - {"--help-all"} < whole
    assert re.fullmatch(rf"\d+ more options: cutline {command} --help-all", shown.splitlines()[-1])


def test_short_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Image.new("RGB", (40, 30), "teal").save(tmp_path / "a.png")
    output = tmp_path / "captions.jsonl"
    assert main(["caption", str(tmp_path / "a.png"), "-o", str(output), "-m", "pixels", "-p", "short"]) == 0
    assert '"prompt_id":"short@' in output.read_text("utf-8")
    assert main(["compare", "-o", str(tmp_path / "report.json"), "-p", "short", f"a={output}", "pixels"]) == 2
    assert "--input-path" in capsys.readouterr().err


def test_nothing_said_shows_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert capsys.readouterr().out.startswith("Usage: cutline COMMAND")


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"{cutline.__version__}\n"


@pytest.mark.parametrize(
    ("command", "cure"),
    [
        (("compare", "-m", "fake"), "models are arguments, as in `cutline compare pixels blip"),
        (("judge", "a.jsonl", "b.jsonl", "--model", "fake"), "--judge names the model that judges"),
        (("judge", "a.jsonl", "b.jsonl", "--references", "r.json"), "`cutline eval` scores by them"),
        (("judge", "a.jsonl", "b.jsonl", "--dedup", "near"), "`cutline filter` takes some before"),
    ],
)
def test_options_of_other_commands_are_refused_with_what_to_give_instead(cutline, command, cure):
    found = cutline(*command)
    assert (found.code, found.err.count("\n")) == (2, 1)
    assert cure in found.err
    assert "Did you mean" not in found.err


@pytest.mark.parametrize(
    ("command", "cure"),
    [
        ("caption --workers 4", "did you mean --max-concurrent-requests?"),
        ("caption --base_url=http://h/v1", "did you mean --endpoint?"),
        ("caption --max-new-tokens 50", "did you mean --max-tokens?"),
        ("caption --overwrite", "did you mean --existing overwrite?"),
        ("caption --skip-existing", "did you mean --existing skip?"),
        ("caption --dry-run", "did you mean --preview 3?"),
        ("caption --resume", "the same command again continues"),
        ("caption --rate-limit 3", "the rate that the endpoint accepts is found while running"),
        ("caption --caption-extension .txt", "did you mean --sidecar-ext?"),
        ("caption --trigger-word ohwx", "did you mean --trigger?"),
        ("batch submit --limit 4", "did you mean --image-limit?"),
        ("compare --max-samples 4", "did you mean --image-limit?"),
        ("export --force", "did you mean --overwrite?"),
        ("edit --replace a b --preview", "did you mean --dry-run?"),
        ("eval --refs r.json", "did you mean --references?"),
        ("cluster --k 4", "did you mean --clusters?"),
        ("studio --bind 0.0.0.0", "did you mean --host?"),
        ("serve --model-path m", "did you mean --model?"),
        ("caption --promt x", "did you mean --prompt?"),
    ],
)
def test_options_of_other_programs_are_refused_with_the_one_to_give_instead(cutline, command, cure):
    found = cutline(*command.split())
    assert (found.code, found.err.count("\n")) == (2, 1)
    assert cure in found.err


@pytest.mark.parametrize("option", ["--foo", "--overwriting-of-everything", "--blue"])
def test_an_option_that_is_like_no_other_gets_no_suggestion(cutline, option):
    assert "did you mean" not in cutline("caption", option).err


@pytest.mark.parametrize(
    ("word", "command"),
    [
        ("zip", "export"),
        ("list", "find"),
        ("score", "eval"),
        ("config", ""),
        ("gui", "studio"),
        ("replace", "edit"),
        ("dedupe", "filter"),
        ("stats", "report"),
        ("tsne", "cluster"),
        ("validate", "lint"),
        ("captoin", "caption"),
    ],
)
def test_words_of_other_programs_lead_to_a_command(cutline, word, command):
    found = cutline(word, "photos")
    assert found.code == 2
    assert (f"did you mean `cutline {command}`?" if command else "the commands are caption") in found.err


def test_serve_takes_its_model_as_caption_does(cutline):
    found = cutline("serve", "-m", "nosuch:model")
    assert (found.code, "nosuch" in found.err) == (2, True)
    assert "Unknown option" not in found.err
