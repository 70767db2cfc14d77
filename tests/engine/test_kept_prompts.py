"""What a run requests and says when a prompt is added or changed, under `--on-change`."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

import processes

PLUGIN = """
from pathlib import Path
from cutline import register_model

class Counting:
    def infer(self, prompt, image, image_name):
        with Path("calls").open("a") as calls:
            calls.write(f"{prompt.name}\\n")
        return f"A {prompt.name} text by {self.name}."

@register_model("counting")
class First(Counting):
    name = "counting"

@register_model("second")
class Second(Counting):
    name = "second"
"""


@pytest.fixture(autouse=True)
def _photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "photos").mkdir()
    for number in range(4):
        Image.new("RGB", (16, 12), (number * 60, 90, 30)).save(tmp_path / "photos" / f"{number}.png")
    (tmp_path / "plugin.py").write_text(PLUGIN)
    monkeypatch.chdir(tmp_path)


def ran(
    *prompts: str, change: str | None = None, more: tuple[str, ...] = (), code: int = 0
) -> tuple[dict[str, int], str]:
    """Run with these prompts; returns the requests by prompt, and what was printed."""
    Path("calls").write_text("")
    given = [word for prompt in prompts for word in ("--prompt", prompt)]
    given += ["--on-change", change] if change else []
    model = () if "--model" in more else ("--model", "counting")
    options = ("--plugin", "plugin.py", *model, *given, *more)
    done = processes.cutline("caption", "photos", "o.jsonl", *options)
    assert done.returncode == code, done.stderr
    return dict(Counter(Path("calls").read_text().split())), done.stderr


def names() -> set[tuple[str, ...]]:
    rows = (json.loads(line) for line in Path("o.jsonl").read_text("utf-8").splitlines())
    return {tuple(row["captions"] or ()) for row in rows}


def test_keep_counts_the_captions_without_a_prompt_that_was_added():
    ran("short", "detailed")
    for _ in range(2):
        calls, err = ran("short", "detailed", "tags", change="keep")
        assert not calls
        assert (
            "4 captions without tags as it is now; --on-change redo-all adds it and requests nothing else"
            in err
        )
    report = json.loads(Path("o.jsonl.cutline/report.json").read_bytes())
    assert report["captions_without"] == {"tags": 4}


@pytest.mark.parametrize("kept", [False, True])
def test_redo_all_requests_only_the_prompt_that_was_added_also_after_keep(kept):
    ran("short", "detailed")
    if kept:
        ran("short", "detailed", "tags", change="keep")
    assert ran("short", "detailed", "tags", change="redo-all")[0] == {"tags": 4}
    assert names() == {("short", "detailed", "tags")}
    calls, err = ran("short", "detailed", "tags", change="redo-all")
    assert (calls, "without" in err) == ({}, False)
    assert "without" not in ran("short", "detailed", "tags", change="keep")[1]


def test_redo_all_requests_only_the_prompt_that_was_changed():
    ran("a=One.", "b=Two.", "c=Three.")
    assert "4 captions without b as it is now" in ran("a=One.", "b=Another.", "c=Three.", change="keep")[1]
    assert ran("a=One.", "b=Another.", "c=Three.", change="redo-all")[0] == {"b": 4}


@pytest.mark.parametrize("kept", [False, True])
def test_redo_all_requests_only_the_second_prompt_of_captions_by_one(kept):
    ran("short")
    if kept:
        _, err = ran("short", "tags", change="keep")
        assert "--on-change redo-all adds it and requests nothing else of them" in err
    assert ran("short", "tags", change="redo-all")[0] == {"tags": 4}
    assert names() == {("short", "tags")}


def test_captions_of_a_version_that_recorded_no_requests_are_requested_again_and_counted_so():
    ran("short")
    journal = Path("o.jsonl.cutline/journal.jsonl")
    journal.write_text(re.sub(r'"asked":"\w+"', '"asked":""', journal.read_text("utf-8")), "utf-8")
    _, err = ran("short", "tags", change="keep")
    assert "--on-change redo-all adds it and requests 4 captions of an older version again" in err
    assert ran("short", "tags", change="redo-all")[0] == {"short": 4, "tags": 4}


@pytest.mark.parametrize("prompts", [("short",), ("short", "tags")])
@pytest.mark.parametrize("other", [("--model", "second"), ("--max-side", "8")])
def test_redo_all_requests_every_prompt_of_another_model_or_picture_size(prompts, other):
    ran(*prompts)
    assert ran(*prompts, change="redo-all", more=other)[0] == dict.fromkeys(prompts, 4)
    model = other[1] if other[0] == "--model" else "counting"
    rows = [json.loads(line) for line in Path("o.jsonl").read_text("utf-8").splitlines()]
    assert {row["caption"] for row in rows} == {f"A short text by {model}."}


def test_a_check_that_is_added_needs_no_request():
    ran("short")
    assert ran("short", change="redo-all", more=("--check", "words=9..20"), code=1)[0] == {}
    assert not Path("o.jsonl").read_text("utf-8")


def test_a_comparison_says_what_redo_all_requests():
    def compared(prompt: str, *more: str) -> tuple[int, str]:
        arguments = ("--plugin", "plugin.py", "--input-path", "photos", "-p", prompt, "-p", "b=Two.", *more)
        done = processes.cutline("compare", "counting", "fake", *arguments)
        return done.returncode, done.stderr

    assert compared("a=One.")[0] == 0
    code, err = compared("a=Another.")
    assert code == 2
    assert "redo-all requests again only the candidates that have changed" in err
    Path("calls").write_text("")
    assert compared("a=Another.", "--on-change", "redo-all")[0] == 0
    assert Counter(Path("calls").read_text().split()) == {"a": 4}
