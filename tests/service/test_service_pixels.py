"""A service of the embedded captioner: ready to read text at once, and honest about prompts."""

from __future__ import annotations

import base64
import importlib.util
import io
from pathlib import Path

import pytest
from PIL import Image
from serving import Service, png

QUESTION = "Is there a dog in the picture?"


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    with Service("--model", "pixels:no-ocr", cwd=tmp_path_factory.mktemp("service")) as running:
        yield running


def photo():
    """A picture of which more can be said than one sentence."""
    out = io.BytesIO()
    Image.merge(
        "RGB", [Image.linear_gradient("L"), Image.radial_gradient("L"), Image.new("L", (256, 256))]
    ).save(out, "PNG")
    return out.getvalue()


def asked(service, **options):
    body = {"image_base64": base64.b64encode(photo()).decode(), **options}
    return service.client.post("/caption", json=body)


def test_a_prompt_that_it_can_only_ignore_is_refused(service):
    for prompt in (QUESTION, "chart", "text:describe"):
        for answer in (
            asked(service, prompt=prompt),
            service.client.post("/batch-caption", files={"images": png(5)}, data={"prompt": prompt}),
            service.client.post("/async-batch-caption", files={"images": png(5)}, data={"prompt": prompt}),
        ):
            assert answer.status_code == 422, answer.text
            assert "uses only the form of a prompt: use short, alt-text or tags" in answer.text
            assert "--" not in answer.text


def test_forms_are_given(service):
    usual = asked(service).json()["caption"]
    forms = ("short", "tags", "alt-text", "Five keywords, please", "in one sentence")
    assert usual not in {asked(service, prompt=form).json()["caption"] for form in forms}
    for plain in ("describe", "detailed"):
        assert asked(service, prompt=plain).json()["caption"] == usual
    schema = {"type": "object", "properties": {"tags": {"type": "array", "items": {"type": "string"}}}}
    assert asked(service, prompt=QUESTION, schema=schema).json()["fields"]["tags"]


def test_clients_of_openais_api_always_send_a_text(service):
    url = "data:image/png;base64," + base64.b64encode(photo()).decode()
    parts = [{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": QUESTION}]
    body = {"model": "pixels:no-ocr", "messages": [{"role": "user", "content": parts}]}
    answer = service.client.post("/v1/chat/completions", json=body)
    assert answer.status_code == 200, answer.text
    assert answer.json()["choices"][0]["message"]["content"] == asked(service).json()["caption"]


def test_models_tells_whether_prompts_mean_anything(service):
    (model,) = service.client.get("/models").json()["models"]
    assert model["instructable"] is False
    assert {"short", "tags", "alt-text"} < set(model["prompts"])
    for prompt in model["prompts"]:
        assert asked(service, prompt=prompt).status_code == 200
    assert asked(service, prompt="art").status_code == 422
    assert "art" not in model["prompts"]


@pytest.mark.skipif(importlib.util.find_spec("rapidocr") is None, reason="needs the extra ocr")
def test_what_reads_text_is_loaded_before_it_is_ready(tmp_path):
    with Service("--model", "pixels:ocr", cwd=tmp_path) as service:
        assert service.client.get("/ready").status_code == 200
        maps = Path(f"/proc/{service.process.pid}/maps")
        if not maps.exists():
            pytest.skip("needs /proc")
        assert "onnxruntime" in maps.read_text()
        hint, ready = (
            service.log.index("pixels:ocr reads the text"),
            service.log.index("ready model=pixels:ocr"),
        )
        assert hint < ready
        assert "ocr" in service.client.get("/models").json()["models"][0]["prompts"]


def test_nothing_is_said_of_text_that_is_not_read(service):
    assert "reads the text" not in service.log
