"""Classes written for the image enrichment job load as its documentation prints them."""

from __future__ import annotations

import json
import textwrap

import pyarrow.parquet as pq
import pytest
from PIL import Image

import cutline
from cutline.errors import ConfigError
from processes import cutline as program

PRINTED = """
from models import register_model
from enrich_image_model import EnrichImageModel
from prompt_template import PromptTemplate
from PIL import Image
from typing import EnrichImageResult

@register_model("my_new_model")
class MyNewModel(EnrichImageModel):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        # Initialize your model here

    def infer(self, prompt: PromptTemplate, image: Image.Image, image_name: str) -> EnrichImageResult:
        # Implement the inference logic
        %s
"""


def write(tmp_path, body, name="my_model.py"):
    path = tmp_path / name
    path.write_text(PRINTED % textwrap.indent(textwrap.dedent(body), " " * 8).strip())
    return path


def test_the_job_runs_the_printed_class_with_its_template(photos, tmp_path):
    Image.new("RGB", (30, 20), "red").save(tmp_path / "park.jpg")
    template = {
        "system_prompt": "You are helpful.",
        "prompt_prefix": "Describe the following image:",
        "prompt_suffix": "Q:",
        "cot_prompt": {"image_path": "park.jpg", "explanation": "A: Park moments"},
        "regex": ".*",
    }
    (tmp_path / "template.json").write_text(json.dumps(template))
    path = write(
        tmp_path,
        """
        words = (prompt.system_prompt, prompt.prompt_prefix, prompt.prompt_suffix, prompt.regex)
        example = prompt.cot_prompt
        caption = " | ".join((*words, example.explanation, str(example.image[:2]), str(image.size)))
        return EnrichImageResult(image_path=image_name, caption=caption, llm_response={"tokens": 3})
        """,
    )
    ran = program(
        *("job", "--plugin", path, "--model-name", "my_new_model", "--data-path", photos(2)),
        *("--prompt-path", tmp_path / "template.json", "--output-path", tmp_path / "out"),
    )
    assert ran.returncode == 0, ran.stderr
    rows = pq.read_table(tmp_path / "out" / "captions.parquet").to_pylist()
    assert [row["caption"] for row in rows] == [
        "You are helpful. | Describe the following image: | Q: | .* | A: Park moments | b'\\xff\\xd8' | (60, 40)"
    ] * 2
    assert [json.loads(row["llm"]) for row in rows] == [{"tokens": 3}] * 2


@pytest.mark.parametrize(
    ("body", "caption"),
    [
        ("return EnrichImageResult(image_name, 'In order.', 'raw')", "In order."),
        (
            "return EnrichImageResult(image_name=image_name, caption='By name.', full_response='x')",
            "By name.",
        ),
        ("return f'Only a text, {prompt.prompt_prefix}'", "Only a text, Look."),
    ],
    ids=["order", "names", "text"],
)
def test_results_in_the_forms_that_such_classes_use(body, caption, photos, tmp_path):
    path = write(tmp_path, body, f"form_{len(caption)}.py")
    (row,) = cutline.caption(photos(1), model="my_new_model", plugin=path, prompt="Look.")
    assert row["caption"] == caption


def test_the_class_as_printed_fails_each_picture_for_its_missing_return(photos, tmp_path):
    path = write(tmp_path, "pass", "printed.py")
    result = cutline.caption(photos(2), model="my_new_model", plugin=path)
    assert list(result) == []
    assert [failure["kind"] for failure in result.failures] == ["captioner"] * 2
    assert "is a `return` missing?" in result.failures[0]["message"]


@pytest.mark.parametrize(
    "imports",
    [
        "from models import register_model, EnrichImageModel, EnrichImageResult, PromptTemplate",
        (
            "from models import register_model\nfrom models.enrich_image_model import EnrichImageModel, EnrichImageResult\n"
            "from models.prompt_template import PromptTemplate, CoTPrompt"
        ),
        "import models\nfrom models import *\nfrom enrich_image_model import *\nregister_model = models.register_model",
    ],
    ids=["one", "modules within", "all"],
)
def test_the_names_are_found_where_such_projects_have_them(imports, photos, tmp_path):
    body = "return EnrichImageResult(image_name, 'A caption.', 'raw')"
    path = write(tmp_path, body, f"where_{len(imports)}.py")
    first, _, rest = path.read_text().partition("@register_model")
    path.write_text(f"{imports}\nfrom PIL import Image\n\n@register_model{rest}")
    assert "import" in first
    (row,) = cutline.caption(photos(1), model="my_new_model", plugin=path)
    assert row["caption"] == "A caption."


@pytest.mark.parametrize(
    ("parameters", "caption"),
    [
        ("self, prompt_template, img, name", "(prompt_template.prompt_prefix, img.size, bool(name))"),
        (
            "self, template, /, picture, name='', extra=None",
            "(template.prompt_prefix, picture.size, bool(name))",
        ),
        ("self, *, prompt, image, image_name", "(prompt.prompt_prefix, image.size, bool(image_name))"),
        ("self, **given", "(given['prompt'].prompt_prefix, given['image'].size, bool(given['image_name']))"),
        ("self, *given", "(given[0].prompt_prefix, given[1].size, bool(given[2]))"),
    ],
)
def test_parameters_of_other_names_and_kinds_get_the_same(parameters, caption, photos, tmp_path):
    path = write(tmp_path, f"return str({caption})", f"parameters_{len(parameters)}.py")
    printed = "self, prompt: PromptTemplate, image: Image.Image, image_name: str"
    text = path.read_text()
    assert printed in text
    path.write_text(text.replace(printed, parameters))
    (row,) = cutline.caption(photos(1), model="my_new_model", plugin=path, prompt="Look.")
    assert row["caption"] == "('Look.', (60, 40), True)"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (("def infer", "async def infer"), "infer of MyNewModel must not be asynchronous"),
        ((", image_name: str", ""), r"must take \(self, prompt, image, image_name\)"),
    ],
)
def test_an_infer_that_cannot_be_called_is_refused_before_any_picture(changes, message, photos, tmp_path):
    path = write(tmp_path, "return 'A caption.'", f"refused_{len(message)}.py")
    path.write_text(path.read_text().replace(*changes))
    with pytest.raises(ConfigError, match=message):
        cutline.caption(photos(1), model="my_new_model", plugin=path)


def test_a_module_of_the_users_own_comes_first(photos, tmp_path):
    (tmp_path / "prompt_template.py").write_text("class PromptTemplate:\n    mine = 'mine'\n")
    path = write(tmp_path, "return PromptTemplate.mine", "beside.py")
    (row,) = cutline.caption(photos(1), model="my_new_model", plugin=path)
    assert row["caption"] == "mine"


def test_the_names_are_found_by_plugins_only():
    with pytest.raises(ImportError):
        from typing import EnrichImageResult  # noqa: F401
    with pytest.raises(ImportError):
        import enrich_image_model  # noqa: F401
