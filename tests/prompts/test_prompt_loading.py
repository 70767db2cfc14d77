from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from cutline.errors import ConfigError
from cutline.prompts import (
    Prompt,
    library_prompts,
    load_prompt,
    load_prompts,
    load_schema,
    parse_prompt_option,
)

EXPLANATION = 'A: "Park moments: Dad, baby, and their furry friend":\n\n    Conciseness: The user requested …'
TEMPLATE = {
    "system_prompt": "You are a helpful AI assistant. Wrap your final answer around the <caption> tag.",
    "prompt_prefix": "Describe the following image in detail:",
    "prompt_suffix": "Please provide a detailed caption for the image. \nQ:",
    "cot_prompt": {"image_path": "example_data/cot_image_example.jpg", "explanation": EXPLANATION},
    "regex": "<caption>.*</caption>",
}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "example_data").mkdir()
    Image.effect_noise((2400, 1200), 60).convert("RGB").save(
        tmp_path / "example_data" / "cot_image_example.jpg"
    )
    return tmp_path


def write(path: Path, data) -> str:
    path.write_text(data if isinstance(data, str) else json.dumps(data), encoding="utf-8")
    return str(path)


def test_a_template_is_loaded_as_it_is(folder):
    prompt = load_prompt(write(folder / "park.json", TEMPLATE))
    assert prompt.name == "park"
    assert prompt.system == TEMPLATE["system_prompt"]
    assert [part.kind for part in prompt.parts()] == ["text", "example", "text", "text", "target"]
    assert prompt.parts()[2].text == EXPLANATION
    assert prompt.extract("Q… <caption>A man, a baby and a dog.</caption>")[0] == "A man, a baby and a dog."


def test_the_example_picture_is_made_small_once(folder):
    prompt = load_prompt(write(folder / "park.json", TEMPLATE))
    assert prompt.example is not None
    file = folder / "example_data" / "cot_image_example.jpg"
    assert len(prompt.example.image) < file.stat().st_size / 3
    small = folder / "small.jpg"
    small.write_bytes(prompt.example.image)
    with Image.open(small) as image:
        assert max(image.size) <= 1024
    file.unlink()
    assert prompt.parts()[1].example is prompt.example


def test_the_id_follows_the_example_and_not_its_place(folder, tmp_path_factory):
    first = load_prompt(write(folder / "park.json", TEMPLATE))
    other = tmp_path_factory.mktemp("other")
    shutil.copytree(folder, other, dirs_exist_ok=True)
    assert load_prompt(str(other / "park.json")).id == first.id
    Image.new("RGB", (64, 64), "red").save(other / "example_data" / "cot_image_example.jpg")
    assert load_prompt(str(other / "park.json")).id != first.id


def test_the_example_may_lie_in_the_working_folder(folder, tmp_path_factory, monkeypatch):
    elsewhere = tmp_path_factory.mktemp("prompts")
    monkeypatch.chdir(folder)
    assert load_prompt(write(elsewhere / "park.json", TEMPLATE)).example is not None
    absolute = {
        **TEMPLATE,
        "cot_prompt": {"image_path": str(folder / "example_data" / "cot_image_example.jpg")},
    }
    monkeypatch.chdir(elsewhere)
    assert load_prompt(write(elsewhere / "b.json", absolute)).example is not None


def test_an_explanation_without_a_picture_stays_in_its_place(tmp_path):
    data = {**TEMPLATE, "cot_prompt": {"explanation": "A: think."}}
    prompt = load_prompt(write(tmp_path / "p.json", data))
    assert [part.text for part in prompt.parts() if part.kind == "text"] == [
        "Describe the following image in detail:\n\nA: think.",
        TEMPLATE["prompt_suffix"],
    ]


def test_toml_says_the_same(folder):
    text = f"""
system_prompt = {json.dumps(TEMPLATE["system_prompt"])}
prompt_prefix = {json.dumps(TEMPLATE["prompt_prefix"])}
prompt_suffix = {json.dumps(TEMPLATE["prompt_suffix"])}
regex = '<caption>.*</caption>'
[cot_prompt]
image_path = "example_data/cot_image_example.jpg"
explanation = {json.dumps(EXPLANATION)}
"""
    assert load_prompt(write(folder / "park.toml", text)) == load_prompt(
        write(folder / "park.json", TEMPLATE)
    )


def test_a_text_file_and_a_byte_order_mark(tmp_path):
    (tmp_path / "p.txt").write_text("Describe {folder}.\n", encoding="utf-8-sig")
    assert load_prompt(str(tmp_path / "p.txt")) == Prompt(name="p", prefix="Describe {folder}.")
    (tmp_path / "p.json").write_text('{"prompt_prefix": "x"}', encoding="utf-8-sig")
    assert load_prompt(str(tmp_path / "p.json")).prefix == "x"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (
            {**TEMPLATE, "prompt_sufix": "x"},
            r"'prompt_sufix' \(did you mean 'prompt_suffix'\?\); the known ones are cot_prompt, .*prompt_suffix, regex",
        ),
        (
            {**TEMPLATE, "cot_prompt": {"image": "x"}},
            r"'cot_prompt.image' \(did you mean 'image_path'\?\); the known ones are explanation, image_path",
        ),
        ({**TEMPLATE, "cot_prompt": {"image_path": "gone.jpg"}}, "gone.jpg"),
        ({**TEMPLATE, "cot_prompt": {"image_path": "p.json"}}, "cot_prompt.image_path.*p.json"),
        ({**TEMPLATE, "cot_prompt": "x"}, "cot_prompt"),
        ({**TEMPLATE, "regex": "("}, "regex .* is not valid"),
        ({**TEMPLATE, "regex": 5}, "regex: "),
        ({**TEMPLATE, "schema": {"type": "object"}}, "a regex and a schema"),
        ({"prompt_prefix": "x", "schema": {"type": "array"}}, "object"),
        ({"prompt_prefix": "x", "schema": "gone.json"}, "gone.json"),
        ({"prompt_prefix": ["x"]}, "prompt_prefix: "),
        ({}, "has no text"),
        ({"regex": ".*"}, "has no text"),
        ([TEMPLATE], "holds no object"),
        ("{", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("", "is not JSON"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_wrong_file_is_named_with_its_fault(folder, data, reason):
    path = write(folder / "p.json", data)
    with pytest.raises(ConfigError, match=reason) as caught:
        load_prompt(path)
    assert path in str(caught.value)


def test_files_that_cannot_be_prompts(tmp_path):
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9")
    (tmp_path / "dir.json").mkdir()
    write(tmp_path / "bad.toml", "a = ")
    for name, reason in {
        "gone.json": "the prompt file .* does not exist; .*text:",
        "latin.txt": "is not UTF-8: save it in",
        "dir.json": "is a folder: give a file",
        "bad.toml": "is not TOML",
        "p.yaml": "JSON, TOML or plain text",
    }.items():
        with pytest.raises(ConfigError, match=reason):
            load_prompt(str(tmp_path / name))


def test_a_schema_lies_beside_the_prompt(tmp_path):
    schema = {"type": "object", "properties": {"caption": {"type": "string"}}}
    path = write(tmp_path / "schema.json", schema)
    assert load_schema(path) == schema
    prompt = load_prompt(write(tmp_path / "p.json", {"prompt_prefix": "x", "schema": "schema.json"}))
    assert prompt.schema == schema
    assert load_prompt(write(tmp_path / "q.json", {"prompt_prefix": "x", "schema": schema})).schema == schema
    with pytest.raises(ConfigError, match=r"bad\.json: .*object"):
        load_schema(write(tmp_path / "bad.json", {"type": "string"}))
    with pytest.raises(ConfigError, match=r"the schema file .* does not exist"):
        load_schema(tmp_path / "gone.json")


def test_the_library_is_complete():
    prompts = library_prompts()
    expected = {"describe", "short", "detailed", "tags", "alt-text", "training", "ocr", "product", "art"}
    assert expected <= set(prompts)
    variables = {
        "refine": ("previous",),
        "judge": ("mark", "first", "second"),
        "judge-rubric": ("mark", "caption"),
    }
    for name, description in prompts.items():
        prompt = load_prompt(name)
        assert prompt.name == name
        assert prompt.variables == variables.get(name, ())
        assert 20 < len(description) <= 100
        assert "\n" not in description
    assert len({load_prompt(name).id.partition("@")[2] for name in prompts}) == len(prompts)


@pytest.mark.parametrize(
    ("spec", "prompt"),
    [
        ("Describe this.", Prompt(prefix="Describe this.")),
        ("  Describe this.\n", Prompt(prefix="Describe this.")),
        ("text:describe", Prompt(prefix="describe")),
        ("text:a.json", Prompt(prefix="a.json")),
        ("text:", Prompt(prefix="")),
        ("text:text:x", Prompt(prefix="text:x")),
        ("<CAPTION>", Prompt(prefix="<CAPTION>")),
        ("describe it", Prompt(prefix="describe it")),
        ("What is in\na.json", Prompt(prefix="What is in\na.json")),
        ("caption", Prompt(prefix="caption")),
        ("说明这张图片", Prompt(prefix="说明这张图片")),
    ],
)
def test_a_text_is_itself(spec, prompt):
    assert load_prompt(spec) == prompt


@pytest.mark.parametrize(
    ("word", "meant"), [("detialed", "detailed"), ("tag", "tags"), ("alttext", "alt-text")]
)
def test_a_misspelt_name_is_not_sent_as_a_prompt(word, meant):
    with pytest.raises(ConfigError, match=f"'{meant}'.*text:{word}"):
        load_prompt(word)
    assert load_prompt(f"text:{word}").prefix == word


def test_an_empty_prompt_is_refused():
    with pytest.raises(ConfigError, match="empty"):
        load_prompt(" ")


@pytest.mark.parametrize(
    ("value", "name", "spec"),
    [
        ("short=Describe briefly", "short", "Describe briefly"),
        ("short=a=b", "short", "a=b"),
        ("a-b_2=tags", "a-b_2", "tags"),
        ("x=text:y=z", "x", "text:y=z"),
        ("x=", "x", ""),
        ("Describe a = b", None, "Describe a = b"),
        ("text:a=b", None, "text:a=b"),
        ("./a=b.json", None, "./a=b.json"),
        ("=x", None, "=x"),
        ("1=x", None, "1=x"),
        ("short", None, "short"),
        ("long=one\ntwo", "long", "one\ntwo"),
    ],
)
def test_a_name_may_stand_before_the_prompt(value, name, spec):
    assert parse_prompt_option(value) == (name, spec)


@given(st.text())
def test_any_text_can_be_written_as_a_prompt(text):
    name, spec = parse_prompt_option(f"text:{text}")
    assert name is None
    assert load_prompt(spec).prefix == text.strip()


def test_several_prompts_have_different_names():
    prompts = load_prompts(["short", "mine=tags", "What is it?", "q=text:tags"])
    assert [prompt.name for prompt in prompts] == ["short", "mine", "default", "q"]
    assert prompts[1].prefix == load_prompt("tags").prefix
    assert prompts[1].id.startswith("mine@")
    assert prompts[3].prefix == "tags"
    for values in (["What?", "Who?"], ["tags", "tags=x"]):
        with pytest.raises(ConfigError, match="two prompts are named"):
            load_prompts(values)


def test_plain_prompts_load_no_heavy_library():
    code = """
import sys
from cutline.prompts import load_prompt
prompt = load_prompt("Describe {folder} briefly.")
prompt.render({"folder": "x"}).extract("Sure! Here is the caption: a dog")
print([name for name in ("pydantic", "jsonschema", "regex", "numpy") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
