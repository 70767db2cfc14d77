"""Endpoints as they are: addresses with a query, names of the environment, streams and errors nobody expects."""

from __future__ import annotations

import json

import pytest
from PIL import Image

from cutline.captioners.hosted.presets import PRESETS
from processes import cutline
from server_process import Server

KEY = "sk-hidden-0123456789"


@pytest.fixture(scope="module")
def server():
    with Server("scripted.py", "--folder", ".") as started:
        yield started


@pytest.fixture
def scripted(server):
    server.post("/script", {"content": "A caption."})
    return server


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    for number in range(5):
        Image.new("RGB", (40, 30), (40 * number, 90, 120)).save(folder / f"{number}.png")
    return folder


def caption(photos, tmp_path, *options, model="m", **environment):
    if "--max-concurrent-requests" not in options:
        options = ("--max-concurrent-requests", "1", *options)
    options = ("--max-retries", "1", "--retry-delay", "0.01", *options)
    return cutline("caption", photos, tmp_path / "o.jsonl", "--model", model, *options, env=environment)


def captions(tmp_path):
    return [json.loads(line)["caption"] for line in (tmp_path / "o.jsonl").read_text().splitlines()]


@pytest.mark.parametrize(
    "path",
    [
        "/v1/chat/completions?api-version=2024-10-21",
        "/v1?api-version=2024-10-21",
        "/v1/?api-version=2024-10-21",
    ],
)
def test_the_query_of_an_address_is_sent_with_every_request(path, scripted, photos, tmp_path):
    ran = caption(photos, tmp_path, "--endpoint", scripted.root + path)
    assert ran.returncode == 0, ran.stderr
    last = scripted.get("/last")
    assert last["path"] == "/v1/chat/completions"
    assert last["query"] == "api-version=2024-10-21"
    assert last["body"]["stream"] is False


def test_the_clients_own_variables_name_the_address(scripted, photos, tmp_path):
    for name in ("OPENAI_BASE_URL", "OPENAI_API_BASE"):
        output = tmp_path / name
        output.mkdir()
        ran = caption(photos, output, model="openai:gpt-4o-mini", **{name: scripted.url})
        assert ran.returncode == 0, ran.stderr
        assert captions(output) == ["A caption."] * 5
    host = scripted.root.removeprefix("http://").replace("127.0.0.1", "0.0.0.0")
    ran = caption(photos, tmp_path, model="ollama:llava:7b", OLLAMA_HOST=host)
    assert ran.returncode == 0, ran.stderr


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("", "http://localhost:11434/v1"),
        ("0.0.0.0", "http://localhost:11434/v1"),
        ("0.0.0.0:8080", "http://localhost:8080/v1"),
        (":8080", "http://localhost:8080/v1"),
        ("gpu-box", "http://gpu-box:11434/v1"),
        ("http://gpu-box", "http://gpu-box:80/v1"),
        ("https://ollama.example.com", "https://ollama.example.com:443/v1"),
        ("https://example.com/ollama/", "https://example.com:443/ollama/v1"),
        ("[::]:11434", "http://localhost:11434/v1"),
        ("[fd00::1]", "http://[fd00::1]:11434/v1"),
    ],
)
def test_ollamas_forms_of_its_address(host, address, monkeypatch):
    monkeypatch.setenv("OLLAMA_HOST", host)
    assert PRESETS["ollama"].address == address


@pytest.mark.parametrize("at_once", ["1", "5"])
@pytest.mark.parametrize(("model", "sent"), [("openai:o9", "max_tokens"), ("m", "max_completion_tokens")])
def test_the_other_name_for_the_tokens_is_taken_where_one_is_refused(
    model, sent, at_once, scripted, photos, tmp_path
):
    other = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}[sent]
    message = f"Unsupported parameter: '{other}' is not supported with this model. Use '{sent}' instead."
    body = json.dumps({"error": {"message": message, "param": other, "code": "unsupported_parameter"}})
    scripted.post(
        "/script", {"content": "A caption.", "refused": {"field": other, "status": 400, "body": body}}
    )
    options = ("--endpoint", scripted.url, "--max-concurrent-requests", at_once)
    ran = caption(photos, tmp_path, *options, model=model)
    assert ran.returncode == 0, ran.stderr
    assert captions(tmp_path) == ["A caption."] * 5
    assert scripted.last[sent] == 512
    assert other not in scripted.last
    assert scripted.get("/last")["count"] <= 5 + int(at_once), "those under way are repeated once"


CHUNKS = [
    {"id": "1", "model": "m", "choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]},
    {"choices": [{"index": 0, "delta": {"content": "A cat "}}]},
    {"choices": [{"index": 0, "delta": {"content": "on a sofa."}, "finish_reason": "stop"}]},
    {"choices": [], "usage": {"prompt_tokens": 20, "completion_tokens": 6}},
]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("content_type", ["text/event-stream; charset=utf-8", "application/json"])
def test_a_stream_that_was_not_requested_is_read(end, content_type, scripted, photos, tmp_path):
    lines = [": keep-alive", *(f"data: {json.dumps(chunk)}" for chunk in CHUNKS), "data: [DONE]"]
    lines = lines if content_type[0] == "t" else lines[1:]
    body = "".join(line + 2 * end for line in lines)
    scripted.post("/script", {"status": 200, "body": body, "headers": {"Content-Type": content_type}})
    ran = caption(photos, tmp_path, "--endpoint", scripted.url)
    assert ran.returncode == 0, ran.stderr
    assert captions(tmp_path) == ["A cat on a sofa."] * 5
    assert "130 tokens" in ran.stderr


def test_a_stream_that_is_cut_is_requested_again(scripted, photos, tmp_path):
    body = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in CHUNKS[:2])
    scripted.post("/script", {"status": 200, "body": body, "headers": {"Content-Type": "text/event-stream"}})
    ran = caption(photos, tmp_path, "--endpoint", scripted.url, "--image-limit", "1")
    assert ran.returncode == 1
    assert "sent a stream that cannot be read (the stream was cut)" in ran.stderr
    assert scripted.get("/last")["count"] == 2


@pytest.mark.parametrize(
    "body",
    [
        {"error": "the model runner has stopped"},
        {"error": {"message": "the model runner has stopped"}},
        {"object": "error", "message": "the model runner has stopped", "code": 50001},
        {"detail": "the model runner has stopped"},
        {"success": False, "errors": [{"code": 7, "message": "the model runner has stopped"}]},
        {"code": 500, "msg": "the model runner has stopped", "data": None},
    ],
    ids=["text", "object", "flat", "detail", "list", "msg"],
)
def test_an_error_within_a_200_is_shown_in_its_words(body, scripted, photos, tmp_path):
    scripted.post("/script", {"status": 200, "body": json.dumps(body)})
    ran = caption(photos, tmp_path, "--endpoint", scripted.url, "--image-limit", "1")
    assert ran.returncode == 1, ran.stderr
    assert "the model runner has stopped" in ran.stderr
    assert scripted.get("/last")["count"] == 2, "it may pass"


@pytest.mark.parametrize(
    ("option", "parameter", "error", "cure"),
    [
        (("--temperature", "0.5"), "temperature", {"param": "temperature"}, "remove --temperature"),
        (("--seed", "3"), "seed", {}, "remove --seed"),
        (("--extra.top_k", "5"), "top_k", {}, "remove --extra.top_k"),
        (("--schema", '{"type":"object","properties":{"a":{"type":"string"}}}'), "response_format", {}, "--schema-dialect none"),
        (("--max-tokens", "9"), "max_tokens", {"param": "max_tokens"}, "--max-tokens 0"),
    ],
    ids=["temperature", "seed", "extra", "schema", "tokens"],
)  # fmt: skip
def test_a_refused_parameter_stops_the_run_with_the_option(
    option, parameter, error, cure, scripted, photos, tmp_path
):
    message = f"Unsupported value: '{parameter}' is not supported with this model"
    body = json.dumps({"error": {"message": message, "type": "invalid_request_error", **error}})
    scripted.post("/script", {"status": 400, "body": body})
    ran = caption(photos, tmp_path, "--endpoint", scripted.url, *option)
    assert ran.returncode == 3, ran.stderr
    assert f"without the parameter: {cure}" in ran.stderr
    assert scripted.get("/last")["count"] == 3


@pytest.mark.parametrize("streamed", [False, True])
def test_a_key_that_the_endpoint_echoes_is_stored_nowhere(streamed, scripted, photos, tmp_path):
    choice = {"index": 0, "message": {"role": "assistant", "content": f"Key {KEY}."}, "finish_reason": "stop"}
    body = json.dumps({"id": KEY, "model": f"m/{KEY}", "choices": [choice], "debug": {"authorization": KEY}})
    headers = {"Content-Type": "text/event-stream" if streamed else "application/json"}
    scripted.post(
        "/script", {"status": 200, "body": f"data: {body}\n\n" if streamed else body, "headers": headers}
    )
    options = ("--include-raw", "--api-key", KEY, "--verbose", "--endpoint", scripted.url)
    ran = caption(photos, tmp_path, *options)
    assert ran.returncode == 0, ran.stderr
    assert captions(tmp_path) == ["Key …."] * 5
    kept = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(kept) > 3
    assert not any(KEY.encode() in path.read_bytes() for path in kept)
    assert KEY not in ran.stdout + ran.stderr


def test_a_400_about_a_picture_stops_nothing(scripted, photos, tmp_path):
    body = json.dumps({"error": {"message": "the image has an unsupported colour space"}})
    scripted.post("/script", {"status": 400, "body": body})
    ran = caption(photos, tmp_path, "--endpoint", scripted.url, "--temperature", "0.5")
    assert ran.returncode == 1, ran.stderr
    assert scripted.get("/last")["count"] == 5
