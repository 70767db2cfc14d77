"""Each service held against a server that refuses as the real one does, in the same words."""

from __future__ import annotations

import io
import os
import socket
from typing import Any
from urllib.parse import urlsplit

import pytest
from PIL import Image

from cutline.captioners.factory import build_bare_endpoint
from cutline.captioners.hosted.presets import PRESETS
from cutline.captioners.pool import build_captioner
from cutline.captioners.spec import CaptionerOptions
from cutline.cli.model_check import check_model
from cutline.credentials import Secret
from cutline.errors import ConfigError, EndpointUnusable, Rejected, RequestError, Retryable
from cutline.imaging import Picture
from cutline.locations.stored import InlineBytes
from cutline.prompts import Prompt
from cutline.records import Reply
from server_process import Server

KEY = "key-of-a-test"
SERVICES = [name for name in PRESETS if name != "endpoint"]
KEYED = [name for name in SERVICES if PRESETS[name].key_needed]


@pytest.fixture(autouse=True)
def _no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.endswith(("_KEY", "_TOKEN")):
            monkeypatch.delenv(name)


def url_of(server: Server, service: str) -> str:
    """Where the service is here: its own path, on this machine."""
    return f"{server.root}/{service}{urlsplit(PRESETS[service].endpoint).path or '/v1'}"


def asking(server: Server, service: str, *, key: str = KEY, **more: Any) -> CaptionerOptions:
    options = {"retries": 0, "retry_delay": 0.01, "patience": 5.0, "timeout": 20.0, **more}
    sent = Secret(key) if key and service in KEYED else None
    return CaptionerOptions(key=sent, endpoint=url_of(server, service), **options)


def picture() -> Picture:
    buffer = io.BytesIO()
    Image.new("RGB", (64, 48), "red").save(buffer, "PNG")
    return Picture(InlineBytes(buffer.getvalue(), "a picture"))


async def ask(
    server: Server,
    service: str,
    model: str = "sees",
    *,
    bare: bool = False,
    prompt: Prompt | None = None,
    **more: Any,
) -> Reply:
    build = build_bare_endpoint if bare else build_captioner
    captioner = build(f"{service}:{model}", asking(server, service, **more))
    assert captioner is not None
    try:
        return await captioner.caption(picture(), prompt or Prompt())
    finally:
        await captioner.aclose()


@pytest.mark.parametrize("service", SERVICES)
async def test_it_answers(services: Server, service: str) -> None:
    assert (await ask(services, service)).text == "A red disc on white."
    schema = {"type": "object", "properties": {"short": {"type": "string"}}}
    await ask(services, service, prompt=Prompt(schema=schema))


@pytest.mark.parametrize("service", SERVICES)
async def test_it_takes_every_parameter_that_we_let_through(services: Server, service: str) -> None:
    values = {"max_tokens": 9, "seed": 3, "stop": '["END"]', "top_k": 5, "min_tokens": 1}
    values |= {"skip_special_tokens": "true", "temperature": "0.30", "top_p": 0.9}
    words = {
        parameter.name: parameter.words[0] for parameter in PRESETS[service].parameters if parameter.words
    }
    given = {
        parameter.name: {**dict.fromkeys([parameter.name], 0.5), **values, **words}[parameter.name]
        for parameter in PRESETS[service].parameters
    }
    text = ", ".join(f"{name}={value}" for name, value in given.items())
    await ask(services, service, options={"parameters": text})
    sent = set(services.get("/state")["fields"]) - {"model", "messages"}
    names = {"max_tokens": PRESETS[service].tokens, "seed": PRESETS[service].seed}
    renamed = {"stream"} | {names.get(name, name) for name in given}
    assert sent == renamed


@pytest.mark.parametrize("service", KEYED)
@pytest.mark.parametrize("key", ["another", ""])
async def test_a_key_that_is_refused_stops_the_run(services: Server, service: str, key: str) -> None:
    with pytest.raises(EndpointUnusable) as raised:
        await ask(services, service, key=key)
    assert PRESETS[service].key_env[0] in str(raised.value)
    # Keys of the service's own account are not those of another server, which this one is where it has a host.
    names_account = not PRESETS[service].endpoint or (PRESETS[service].forbids_all and bool(key))
    assert (PRESETS[service].account in str(raised.value)) == names_account
    assert "another" not in str(raised.value).replace("set another", "")


@pytest.mark.parametrize("service", ["openai", "huggingface", "openrouter", "together", "nvidia"])
async def test_spent_credit_stops_the_run(services: Server, service: str) -> None:
    services.post("/configure", {"credit": False})
    with pytest.raises(EndpointUnusable, match="no credit left; add credit"):
        await ask(services, service)
    assert services.get("/state")["requests"] == 1, "it is not asked again"


@pytest.mark.parametrize("service", SERVICES)
async def test_an_unknown_model(services: Server, service: str) -> None:
    with pytest.raises(Rejected) as raised:
        await ask(services, service, "seas")
    message = str(raised.value)
    if service != "openrouter":  # which answers 400 and no code
        assert "'seas'" in message
        assert raised.value.status == 404, "so that a run of it stops"
    if service == "ollama":
        assert "ollama pull seas" in message


@pytest.mark.parametrize("service", SERVICES)
def test_the_check_of_an_unknown_model_names_the_one_that_was_meant(services: Server, service: str) -> None:
    checked = check_model(f"{service}:seas", asking(services, service))
    assert not checked.works
    assert "Did you mean sees?" in checked.line
    assert "\n" not in checked.line


@pytest.mark.parametrize("service", SERVICES)
def test_the_check_of_a_model_that_takes_no_pictures(services: Server, service: str) -> None:
    checked = check_model(f"{service}:blind", asking(services, service))
    assert not checked.works
    assert "choose a model that does" in checked.line


def test_the_check_of_a_model_that_overlooks_the_picture(services: Server) -> None:
    guessed = check_model("ollama:guesses", asking(services, "ollama"))
    seen = check_model("ollama:sees", asking(services, "ollama"))
    assert guessed.works
    assert "does this model take pictures?" in guessed.line
    assert "does this model take pictures?" not in seen.line


def test_the_check_of_a_server_that_does_not_run() -> None:
    with socket.socket() as client:
        if client.connect_ex(("127.0.0.1", 11434)) == 0:
            pytest.skip("a server runs at the port of Ollama")
    checked = check_model("ollama", CaptionerOptions(retries=0))
    assert (checked.works, checked.unreachable) == (False, True)
    assert checked.line.endswith(
        "is the server running? Start it with `ollama serve`, or for the time of a run with --start"
    )


@pytest.mark.parametrize("service", SERVICES)
async def test_too_large_a_request(services: Server, service: str) -> None:
    services.post("/configure", {"largest": 300})
    with pytest.raises(Rejected, match="--max-side or set --max-bytes"):
        await ask(services, service)


# Rate limits, in each service's own words


@pytest.mark.parametrize("service", SERVICES)
async def test_the_wait_that_is_asked_for_is_understood(services: Server, service: str) -> None:
    services.post("/configure", {"limits": 1, "wait": 7})
    with pytest.raises(Retryable) as raised:
        await ask(services, service, bare=True)
    if service == "ollama":  # it is busy and does not say for how long
        assert (raised.value.status, raised.value.retry_after) == (503, None)
        return
    assert raised.value.kind == "rate-limit"
    assert 3 < raised.value.retry_after <= 7.01, "the time runs where it was told as one of the clock"


@pytest.mark.parametrize("service", ["openai", "gemini", "together", "vllm"])
async def test_the_wait_that_is_asked_for_is_kept(services: Server, service: str) -> None:
    services.post("/configure", {"limits": 1, "wait": 0.3})
    reply = await ask(services, service)
    state = services.get("/state")
    assert (reply.attempts, state["requests"], state["early"]) == (2, 2, 0)


async def test_an_error_that_comes_as_success_is_asked_again(services: Server) -> None:
    services.post("/configure", {"breaks": 2})
    assert (await ask(services, "openrouter", retries=2)).attempts == 3
    services.post("/configure", {"breaks": 1})
    with pytest.raises(RequestError, match="Provider returned error"):
        await ask(services, "openrouter")


def test_a_seed_that_a_service_ignores_is_refused() -> None:
    with pytest.raises(ConfigError, match="anthropic does not support --seed; remove it"):
        build_captioner("anthropic:m", CaptionerOptions(key=Secret(KEY), options={"seed": 3}))
    captioner = build_captioner("anthropic:m", CaptionerOptions(key=Secret(KEY)))
    with pytest.raises(ConfigError, match="anthropic:m does not support seed"):
        captioner.adjusted({"seed": 3})
