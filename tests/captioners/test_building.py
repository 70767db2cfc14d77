from __future__ import annotations

import asyncio
import pickle

import pytest

from cutline.captioners.endpoint_factory import build_endpoint
from cutline.captioners.hosted.presets import PRESETS
from cutline.captioners.pool import build_captioner
from cutline.captioners.spec import CaptionerOptions, Spec
from cutline.credentials import Secret
from cutline.errors import ConfigError
from cutline.interfaces import Captioner

URL = "http://127.0.0.1:9/v1"


@pytest.mark.parametrize(
    ("text", "endpoint", "provider", "name"),
    [
        ("openai:gpt-4o", None, "openai", "gpt-4o"),
        ("openai", None, "openai", ""),
        ("ollama:llava:7b", None, "ollama", "llava:7b"),
        ("ollama:llava:7b", URL, "ollama", "llava:7b"),
        ("llava:7b", URL, "endpoint", "llava:7b"),
        ("org/model", URL, "endpoint", "org/model"),
        ("endpoint:org/model", URL, "endpoint", "org/model"),
        ("endpoint", URL, "endpoint", "endpoint"),
        ("pixels", None, "pixels", ""),
    ],
)
def test_names_taken_apart(text: str, endpoint: str | None, provider: str, name: str) -> None:
    assert Spec.parse(text, endpoint=endpoint) == Spec(provider=provider, name=name)


@pytest.mark.parametrize("text", ["opnai:gpt-4o", "", ":", "endpoint:m"])
def test_unknown_providers(text: str) -> None:
    with pytest.raises(ConfigError) as raised:
        Spec.parse(text, endpoint=None)
    assert "openai" in str(raised.value)
    assert "--endpoint" in str(raised.value)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("nvidia:kosmos-2", "nvidia:microsoft/kosmos-2"),
        ("nvidia:vila", "nvidia:nvidia/vila"),
        ("llama-3.2-90b-vision-instruct", "nvidia:meta/llama-3.2-90b-vision-instruct"),
    ],
)
def test_models_of_nvidia_without_their_owner(text: str, meant: str) -> None:
    with pytest.raises(ConfigError, match=f"did you mean --model {meant}"):
        Spec.parse(text, endpoint=None)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("gpt-4o", "openai:gpt-4o"),
        ("GPT-4o-mini", "openai:gpt-4o-mini"),
        ("claude-sonnet-4-5", "anthropic:claude-sonnet-4-5"),
        ("gemini-2.0-flash", "gemini:gemini-2.0-flash"),
        ("pixtral-12b-2409", "mistral:pixtral-12b-2409"),
        ("moondream", "ollama:moondream"),
        ("ollama/llava", "ollama:llava"),
        ("OpenAI/gpt-4o", "openai:gpt-4o"),
        ("http://localhost:8000/v1", "MODEL --endpoint http://localhost:8000/v1"),
    ],
)
def test_models_by_the_names_that_they_have_elsewhere(text: str, meant: str) -> None:
    with pytest.raises(ConfigError, match=rf"did you mean --model {meant}\?$"):
        Spec.parse(text, endpoint=None)


def test_a_name_of_the_hub_is_no_name_of_a_service() -> None:
    with pytest.raises(ConfigError, match="such as hf:Qwen/Qwen2-VL-7B-Instruct to run it here"):
        Spec.parse("Qwen/Qwen2-VL-7B-Instruct", endpoint=None)


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        ("http://h:1/v1", "http://h:1/v1/chat/completions"),
        ("http://h:1/v1/", "http://h:1/v1/chat/completions"),
        ("http://h:1/v1/chat/completions", "http://h:1/v1/chat/completions"),
        ("https://h/api/v1", "https://h/api/v1/chat/completions"),
    ],
)
def test_endpoint_as_people_write_it(given: str, asked: str) -> None:
    spec = Spec.parse("m", endpoint=given)
    assert build_endpoint(spec, PRESETS["endpoint"], CaptionerOptions(endpoint=given)).url == asked


@pytest.mark.parametrize(
    "url",
    ["localhost:8000", "h", "", "ftp://h/v1", "http://", "http:///v1", "http://h:x/v1", "http://[::1/v1"],
)
def test_what_is_no_url(url: str) -> None:
    with pytest.raises(ConfigError, match="--endpoint http://"):
        build_captioner("m", CaptionerOptions(endpoint=url))


@pytest.mark.parametrize(
    ("text", "asking", "slots"),
    [
        ("fake", CaptionerOptions(), 64),
        ("fake:slots=5", CaptionerOptions(), 5),
        ("fake", CaptionerOptions(concurrency=3), 3),
        ("nim", CaptionerOptions(concurrency=3), 3),
        ("nim", CaptionerOptions(concurrency=700), 700),
    ],
)
def test_how_many_are_asked_at_once(text: str, asking: CaptionerOptions, slots: int) -> None:
    captioner = build_captioner(text, asking)
    assert isinstance(captioner, Captioner)
    assert captioner.slots == slots
    asyncio.run(captioner.aclose())


@pytest.mark.parametrize("settings", ["speed=1", "latency=fast", "latency", "error=2", "error=-1", "slots=0"])
def test_settings_of_the_fake(settings: str) -> None:
    with pytest.raises(ConfigError, match=settings.partition("=")[0]):
        build_captioner(f"fake:{settings}", CaptionerOptions())


def test_a_key_is_not_shown() -> None:
    key = Secret("sk-123")
    asking = CaptionerOptions(key=key)
    for text in (repr(key), str(key), f"{key}", f"{key!r}", repr(asking), f"{[key]}", "%s" % key):  # noqa: UP031
        assert "sk-123" not in text
    with pytest.raises(TypeError):
        pickle.dumps(key)
    assert key.reveal() == "sk-123"
    assert key.redact("the key sk-123 is wrong") == "the key … is wrong"
