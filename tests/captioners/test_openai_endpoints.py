"""Endpoints as they are: addresses with a query, names of the environment, streams and errors nobody expects."""

from __future__ import annotations

import asyncio
import json

import pytest
from PIL import Image

from cutline.captioners.hosted.presets import PRESETS
from cutline.captioners.pool import build_captioner
from cutline.captioners.spec import CaptionerOptions
from cutline.errors import EndpointUnusable
from cutline.imaging import Picture
from cutline.locations.stored import InlineBytes
from cutline.prompts import Prompt
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
@pytest.mark.parametrize("first", ["", ": OPENROUTER PROCESSING", "event: message", "id: 1", "retry: 10"])
@pytest.mark.parametrize("content_type", ["text/event-stream; charset=utf-8", "application/json"])
def test_a_stream_that_was_not_requested_is_read(end, first, content_type, scripted, photos, tmp_path):
    lines = [first, *(f"data: {json.dumps(chunk)}{end}" for chunk in CHUNKS), f"data: [DONE]{end}"]
    body = "".join(line + end for line in lines if line)
    scripted.post("/script", {"status": 200, "body": body, "headers": {"Content-Type": content_type}})
    ran = caption(photos, tmp_path, "--endpoint", scripted.url)
    assert ran.returncode == 0, ran.stderr
    assert captions(tmp_path) == ["A cat on a sofa."] * 5
    assert "130 tokens" in ran.stderr


def test_an_event_of_an_error_is_told_in_its_words(scripted, photos, tmp_path):
    body = f'data: {json.dumps(CHUNKS[1])}\n\nevent: error\ndata: {{"message": "the upstream died"}}\n\n'
    scripted.post("/script", {"status": 200, "body": body, "headers": {"Content-Type": "text/event-stream"}})
    ran = caption(photos, tmp_path, "--endpoint", scripted.url, "--image-limit", "1")
    assert ran.returncode == 1
    assert "the upstream died" in ran.stderr


@pytest.mark.parametrize(
    ("place", "is_azure"),
    [
        ("{root}/openai/deployments/mine/chat/completions?api-version=2024-10-21", True),
        ("{root}/openai/deployments/mine", True),
        ("http://mine.openai.azure.us/v1", True),
        ("http://mine.openai.azure.cn/v1", True),
        ("http://mine.services.ai.azure.com/v1", True),
        ("http://azure.com.example.org/v1", False),
    ],
)
def test_a_key_goes_to_azure_in_the_header_that_azure_reads(
    place, is_azure, scripted, photos, tmp_path, monkeypatch
):
    monkeypatch.setenv("http_proxy", scripted.root)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    options = ("--endpoint", place.format(root=scripted.root), "--api-key", KEY, "--image-limit", "1")
    ran = caption(photos, tmp_path, *options)
    assert ran.returncode == 0, ran.stderr
    headers = {name.lower(): value for name, value in scripted.get("/last")["headers"].items()}
    assert headers.get("api-key") == (KEY if is_azure else None)
    assert headers.get("authorization") == (None if is_azure else f"Bearer {KEY}")


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


OF_EVERY_PICTURE = {
    "a key, by Gemini": (
        400,
        [
            {
                "error": {
                    "code": 400,
                    "message": "API key not valid. Please pass a valid API key.",
                    "status": "INVALID_ARGUMENT",
                    "details": [{"reason": "API_KEY_INVALID"}],
                }
            }
        ],
        "or pass --api-key",
    ),
    "a key, by xAI": (
        400,
        {"code": "Client specified an invalid argument", "error": "Incorrect API key provided: k***."},
        "pass --api-key",
    ),
    "a model that is gone, by DeepSeek": (400, {"error": {"message": "Model Not Exist"}}, "model's name 'm'"),
    "no name of a model, by OpenRouter": (
        400,
        {"error": {"message": "m is not a valid model ID", "code": 400}},
        "model's name 'm'",
    ),
    "no sight, by OpenAI": (
        400,
        {"error": {"message": "Invalid content type. image_url is only supported by certain models."}},
        "takes no pictures: choose one that does",
    ),
    "no sight, by OpenRouter": (
        404,
        {"error": {"message": "No endpoints found that support image input"}},
        "takes no pictures",
    ),
    "no sight, by Ollama": (
        400,
        {"error": {"message": "this model does not support image input (ref: 1)"}},
        "takes no pictures",
    ),
    "no sight, by vLLM": (400, {"object": "error", "message": "m is not a multimodal model"}, "no pictures"),
    "no sight, by llama.cpp": (
        500,
        {
            "error": {
                "code": 500,
                "message": "image input is not supported - hint: you may need to provide the mmproj",
                "type": "server_error",
            }
        },
        "takes no pictures",
    ),
    "no sight, by Groq": (
        400,
        {"error": {"message": "'messages.0.content' : value must be a string"}},
        "takes no pictures",
    ),
    "no system message": (400, {"error": {"message": "System role not supported"}}, "--system-prompt ''"),
    "no credit, by DashScope": (
        400,
        {"error": {"code": "Arrearage", "message": "Access denied"}},
        "no credit",
    ),
    "another method": (405, {"detail": "Method Not Allowed"}, "end in /v1"),
    "nothing of the kind": (501, "Unsupported method ('POST')", "end in /v1"),
    "a network that waits for a sign-in": (511, "<html>", "open a page in a browser"),
}


# One at a time, each picture waits a few seconds for what others meet.
@pytest.mark.parametrize(
    ("name", "at_once"), [*((name, "5") for name in OF_EVERY_PICTURE), ("no sight, by OpenAI", "1")]
)
def test_a_refusal_of_every_picture_stops_the_run_and_fails_none(name, at_once, scripted, photos, tmp_path):
    status, body, cure = OF_EVERY_PICTURE[name]
    body = body if isinstance(body, str) else json.dumps(body)
    scripted.post("/script", {"status": status, "body": body})
    options = ("--endpoint", scripted.url, "--max-concurrent-requests", at_once)
    ran = caption(photos, tmp_path, *options)
    assert ran.returncode == 3, ran.stderr
    assert cure in ran.stderr
    assert "run the same command again" in ran.stderr or "then run the same command" in ran.stderr
    assert scripted.get("/last")["count"] <= 15
    if at_once == "5":
        assert "failed" not in ran.stderr
    scripted.post("/script", {"content": "A caption."})
    again = caption(photos, tmp_path, "--endpoint", scripted.url, "--retry-failed")
    assert again.returncode == 0, again.stderr
    assert captions(tmp_path) == ["A caption."] * 5


OLLAMA = [
    {"model": "m", "message": {"role": "assistant", "content": "A cat "}, "done": False},
    {"model": "m", "message": {"role": "assistant", "content": "on a sofa."}, "done": False},
    {
        "model": "m",
        "message": {"content": ""},
        "done": True,
        "done_reason": "stop",
        "prompt_eval_count": 7,
        "eval_count": 5,
    },
]


@pytest.mark.parametrize("content_type", ["application/x-ndjson", "application/json", "text/plain"])
@pytest.mark.parametrize("parts", [CHUNKS, OLLAMA], ids=["openai", "ollama"])
def test_json_on_lines_is_read_where_it_comes_unrequested(parts, content_type, scripted, photos, tmp_path):
    lines = "\n".join(map(json.dumps, parts)) + "\n"
    scripted.post("/script", {"status": 200, "body": lines, "headers": {"Content-Type": content_type}})
    ran = caption(photos, tmp_path, "--endpoint", scripted.url)
    assert ran.returncode == 0, ran.stderr
    assert captions(tmp_path) == ["A cat on a sofa."] * 5
    cut = "\n".join(map(json.dumps, parts[:2])) + "\n"
    scripted.post("/script", {"status": 200, "body": cut, "headers": {"Content-Type": content_type}})
    cut_short = caption(
        photos, tmp_path, "--endpoint", scripted.url, "--existing", "overwrite", "--state", tmp_path / "s"
    )
    assert cut_short.returncode != 0
    assert "the stream was cut" in cut_short.stderr


def test_a_reply_that_was_cut_within_its_reasoning_has_nothing_to_keep(scripted, photos, tmp_path):
    message = {"role": "assistant", "content": "", "reasoning_content": "Let me look at"}
    body = {"choices": [{"index": 0, "message": message, "finish_reason": "length"}]}
    scripted.post("/script", {"body": json.dumps(body)})
    ran = caption(photos, tmp_path, "--endpoint", scripted.url)
    assert "run again with a larger --max-tokens" in ran.stderr
    assert "--truncated sentence" not in ran.stderr


@pytest.mark.parametrize("fault", ["429", "503", "502"])
async def test_an_endpoint_that_answers_nobody_ends_the_run_after_the_patience(fault, new_endpoint, photos):
    """Not each of the pictures, one patience after the other."""
    refusing = new_endpoint(fault={fault: 1})
    options = CaptionerOptions(endpoint=refusing.url, retries=1, retry_delay=0.1, patience=2.0)
    captioner = build_captioner("endpoint:m", options)
    pictures = [Picture(InlineBytes(path.read_bytes(), path.name)) for path in sorted(photos.iterdir())[:2]]
    try:
        calls = (captioner.caption(picture, Prompt()) for picture in pictures)
        ends = await asyncio.gather(*calls, return_exceptions=True)
    finally:
        await captioner.aclose()
    assert {type(end) for end in ends} == {EndpointUnusable}, ends
    assert "nothing was answered for 0.0333333 minutes" in str(ends[0])
