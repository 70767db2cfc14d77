"""What clients are told that asked for something wrong: what it is, and what they may have meant."""

from __future__ import annotations

import base64

import httpx
import pytest
from serving import Service, png

from cutline.records import Failure
from cutline.service.results import failure_message
from processes import cutline

KEY = "sesame"
NONE = (
    "there is no field zzz; there are image_path, image_url, image_base64, prompt, system_prompt, language, "
    "schema, max_tokens, temperature, top_p, seed, chain"
)
ONE = "image_path (a path below an image root) or image_url (a URL) or image_base64 (the file as base64)"
PICTURE = {"image_base64": base64.b64encode(png(1)).decode()}


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    with Service("--model", "pixels:no-ocr", cwd=tmp_path_factory.mktemp("service")) as running:
        yield running


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({**PICTURE, "wish": {"promt": "short"}}, "there is no field wish.promt; did you mean wish.prompt?"),
        ({**PICTURE, "promt": "short"}, "there is no field promt; did you mean prompt?"),
        (
            {"image_file": "a.png"},
            f"there is no field image_file; did you mean {ONE}?",
        ),
        ({"url": "http://h/a.png"}, "there is no field url; did you mean image_url?"),
        ({"data": "iVBO"}, "there is no field data; did you mean image_base64?"),
        ({**PICTURE, "max_new_tokens": 5}, "there is no field max_new_tokens; did you mean max_tokens?"),
        ({**PICTURE, "instructions": "x"}, "there is no field instructions; did you mean system_prompt?"),
        (
            {"zzz": 1},
            NONE,
        ),
        (
            {**PICTURE, "wish": {"max_tokens": 0}},
            "wish.max_tokens: must be 1 or more",
        ),
        ({**PICTURE, "max_tokens": 0}, "max_tokens: must be 1 or more"),
    ],
)
def test_a_wrong_field_is_named_with_what_may_have_been_meant(service, body, detail):
    answer = service.client.post("/caption", json=body)
    assert (answer.status_code, answer.json()) == (422, {"detail": detail})


LISTS = "image_paths (paths below an image root) or image_urls (URLs) or images_base64 (the files as base64)"


@pytest.mark.parametrize("path", ["/batch-caption", "/async-batch-caption"])
@pytest.mark.parametrize(
    ("field", "meant"),
    [
        ("images", LISTS),
        ("image", LISTS),
        ("photos", LISTS),
        ("urls", "image_urls"),
        ("image_path", "image_paths"),
        ("image_base64", "images_base64"),
    ],
)
def test_a_wrong_field_of_a_batch_is_told_with_all_that_pictures_may_be(service, path, field, meant):
    answer = service.client.post(path, json={field: ["a.png"]})
    assert (answer.status_code, answer.json()["detail"]) == (
        422, f"there is no field {field}; did you mean {meant}?"
    )  # fmt: skip


def test_a_wrong_field_of_a_form(service):
    for path, field in (
        ("/caption", "image"),
        ("/batch-caption", "images"),
        ("/async-batch-caption", "images"),
    ):
        answer = service.client.post(path, files={field: png(1)}, data={"promt": "short"})
        assert (answer.status_code, answer.json()["detail"]) == (
            422, "there is no field promt; did you mean prompt?"
        )  # fmt: skip


@pytest.mark.parametrize(
    "path", ["/caption", "/batch-caption", "/async-batch-caption", "/v1/chat/completions"]
)
def test_a_body_that_is_no_json_is_a_bad_request(service, path):
    answer = service.client.post(
        path, content=b'{"image_path": ', headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 400, answer.text
    assert "JSON" in answer.text


@pytest.mark.parametrize(
    "options",
    [
        {"language": "French"},
        {"system_prompt": "Be brief."},
        {"max_tokens": 5},
        {"schema": {"type": "array"}},
        {"schema": {"type": "object", "properties": {"a": {"type": "string", "pattern": "a"}}}},
        {"chain": "none"},
        {"prompt": "{unclosed", "schema": {"type": "object", "properties": {}}},
        {"prompt": "text:"},
    ],
)
def test_no_option_of_the_command_line_is_told(service, options):
    answer = service.client.post("/caption", json={**PICTURE, **options})
    assert answer.status_code == 422, answer.text
    for words in ("--", "Value error"):
        assert words not in answer.text
    with_webhook = {"images_base64": [PICTURE["image_base64"]], "webhook_url": "https://example.org/"}
    assert "--" not in service.client.post("/async-batch-caption", json=with_webhook).text


def test_a_picture_that_fails_alone_has_its_kind_too(service):
    def told(**sent):
        return service.client.post("/caption", **sent).json()

    assert told(files={"image": b"no picture"}) == {
        "detail": "not a picture of a known format", "kind": "unsupported"
    }  # fmt: skip
    assert told(files={"image": ("a.png", b"")}) == {"detail": "the file is empty", "kind": "decode"}
    assert told(json={"image_url": "http://127.0.0.1/a.png"})["kind"] == "fetch"
    assert told(json={"image_path": "a.png"})["kind"] == "blocked-path"
    assert "kind" not in told(json={"zzz": 1})


def test_a_client_that_asks_for_the_methods_of_a_path_needs_no_key(tmp_path):
    with Service("--model", "fake", cwd=tmp_path, env={"CUTLINE_SERVICE_KEY": KEY}) as service:
        for path, methods in {
            "/caption": "POST, OPTIONS",
            "/v1/chat/completions": "POST, OPTIONS",
            "/v1/models": "GET, OPTIONS",
            "/health": "GET, HEAD, OPTIONS",
            f"/task/{'0' * 32}": "GET, DELETE, OPTIONS",
        }.items():
            answer = httpx.options(service.url + path, trust_env=False)
            assert (answer.status_code, answer.headers["allow"]) == (204, methods)
        assert httpx.options(f"{service.url}/nothing", trust_env=False).status_code == 404
        assert httpx.post(f"{service.url}/caption", trust_env=False).status_code == 401


def test_another_method_or_path(service):
    answer = service.client.get("/caption")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert answer.json() == {"detail": "this path accepts POST only"}
    task = "0" * 32
    for path, near in {
        "/captions": ", did you mean /caption?",
        "/healthz": ", did you mean /health?",
        f"/tasks/{task}/results": ", did you mean /task/{task_id}/results?",
        "/api/v2/describe": ": /docs lists them",
        "/x" * 4000: ": /docs lists them",
    }.items():
        gone = service.client.get(path)
        assert (gone.status_code, gone.json()["detail"]) == (404, f"there is no such path{near}")
    chat = service.client.post("/v1/chat/completion")
    assert chat.json()["error"]["message"] == "there is no such path, did you mean /v1/chat/completions?"


@pytest.mark.parametrize("path", ["/embeddings", "/v1/embeddings", "/v1/images/generations", "/completions"])
def test_other_requests_of_openais_api_are_refused_with_those_there_are(service, path):
    answer = service.client.post(path, json={"model": "pixels", "input": "a"})
    message = (
        "there is no such path; of OpenAI's API there are /v1/chat/completions, /v1/models, /v1/responses"
    )
    assert (answer.status_code, answer.json()["error"]["message"]) == (404, message)


def test_a_wrong_key_is_not_called_a_missing_one(tmp_path):
    with Service("--model", "fake", cwd=tmp_path, env={"CUTLINE_SERVICE_KEY": KEY}) as service:
        for headers, words in (
            ({}, "a key is needed"),
            ({"X-API-Key": "wrong"}, "the key is not accepted"),
            ({"Authorization": "Bearer wrong"}, "the key is not accepted"),
        ):
            answer = httpx.get(f"{service.url}/models", headers=headers, trust_env=False)
            assert answer.status_code == 401
            assert answer.json()["detail"].startswith(words)


def test_what_is_wrong_with_one_picture_names_fields_too():
    message = "900 tokens of prompt are more than fit: shorten the prompt, or lower --max-tokens"
    said = failure_message(Failure(key="a.png", kind="prompt-too-long", message=message))
    assert said == "900 tokens of prompt are more than fit: shorten the prompt, or lower max_tokens"


PYDANTIC = ("Input", "should", "Field", "valid integer", "validation", "unable", "String", "List")


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        ("/batch-caption", {"image_paths": []}, "image_paths: must have 1 or more items"),
        ("/batch-caption", {"image_paths": "a.png"}, "image_paths: must be a list"),
        ("/batch-caption", {"image_paths": [7]}, "image_paths.0: must be a string"),
        ("/batch-caption", [], "the body must be an object with fields"),
        ("/caption", {"image_path": ""}, "image_path: must have 1 or more characters"),
        ("/caption", {"image_path": "a" * 5000}, "image_path: can have at most 4096 characters"),
        ("/caption", {**PICTURE, "wish": 3}, "wish: must be an object with fields"),
        ("/caption", {**PICTURE, "wish": {"max_tokens": "many"}}, "wish.max_tokens: must be a whole number"),
        ("/caption", {**PICTURE, "max_tokens": 1.5}, "max_tokens: must be a whole number"),
        ("/caption", {**PICTURE, "temperature": "hot"}, "temperature: must be a number"),
        ("/caption", {**PICTURE, "temperature": 11}, "temperature: can be at most 2.0"),
        ("/caption", {**PICTURE, "top_p": 0}, "top_p: must be more than 0.0"),
        ("/async-batch-caption", {"webhook_url": ""}, "webhook_url: must have 1 or more characters"),
        ("/v1/chat/completions", {"messages": []}, "model: is missing"),
        ("/v1/chat/completions", {"model": "m", "messages": []}, "messages: must have 1 or more items"),
        ("/v1/chat/completions", {"model": "m", "messages": [{"role": "boss"}]}, "messages.0.role: must be 'system'"),
        ("/v1/chat/completions", {"model": "m", "messages": [{"role": "user"}], "stream": "x"}, "stream: must be true or false"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_told_in_our_own_words(service, path, body, said):
    answer = service.client.post(path, json=body)
    assert answer.status_code in {400, 422}
    told = answer.json()
    assert told.get("detail", told.get("error", {}).get("message", "")).startswith(said)
    for word in PYDANTIC:
        assert word not in answer.text


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("limit=0", "limit: must be 1 or more"),
        ("limit=x", "limit: must be a whole number"),
        ("before=x", "before: has the wrong format"),
    ],
)
def test_a_wrong_query_is_told_in_our_own_words(service, query, said):
    answer = service.client.get(f"/tasks?{query}")
    assert (answer.status_code, answer.json()) == (422, {"detail": said})


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("CUTLINE_MAX_BODY", "3", "must be 1000 or more"),
        ("CUTLINE_WORKERS", "many", "must be a whole number"),
        ("CUTLINE_INSECURE", "perhaps", "must be true or false"),
        ("CUTLINE_LOG_LEVEL", "loud", "must be 'debug', 'info', 'warning', 'error' or 'critical'"),
    ],
)
def test_a_wrong_setting_is_told_in_our_own_words(tmp_path, name, value, said):
    ran = cutline("serve", cwd=tmp_path, env={name: value})
    assert ran.returncode == 2
    assert ran.stderr.endswith(f"{name}: {said}\n")
