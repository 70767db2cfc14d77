"""The page about prompts says what the program does."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from cutline.prompts import library_prompts, load_prompt
from cutline.prompts.template import PromptTemplate

PAGE = Path(__file__).resolve().parents[2] / "docs" / "prompts.md"


@pytest.fixture(scope="module")
def page():
    return PAGE.read_text(encoding="utf-8")


def block(page, language):
    return re.search(rf"```{language}\n(.*?)```", page, re.DOTALL)[1]


def test_the_library_is_listed_as_it_is(page):
    section = page.split("## The library")[1].split("\n## ")[0]
    assert dict(re.findall(r"^\| `([^`]+)` \| (.+) \|$", section, re.MULTILINE)) == library_prompts()


def test_every_key_of_a_prompt_file_is_explained(page):
    section = page.split("## Prompt files")[1].split("\n## ")[0]
    for name, field in PromptTemplate.model_fields.items():
        assert f"`{field.alias or name}" in section


def test_the_file_on_the_page_is_a_prompt_file(page, tmp_path):
    data = json.loads(block(page, "json"))
    (tmp_path / "examples").mkdir()
    Image.new("RGB", (32, 32)).save(tmp_path / data["cot_prompt"]["image_path"])
    (tmp_path / "p.json").write_text(json.dumps(data))
    prompt = load_prompt(str(tmp_path / "p.json"))
    assert prompt.extract(data["cot_prompt"]["explanation"])[0] == "Dad, baby and dog in the park."


def test_the_python_on_the_page_prints_what_it_says(page):
    code = block(page, "python")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    said = [line.split("  # ")[1] for line in code.splitlines() if "  # " in line]
    assert len(lines) == len(said) == 4
    assert lines[0].startswith("default@")
    assert lines[1:3] == said[1:3]
    assert said[3].startswith(f"{lines[3]}:")
