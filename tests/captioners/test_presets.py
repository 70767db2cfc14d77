from __future__ import annotations

import dataclasses
import os

import pytest

from cutline.captioners.endpoint_factory import build_endpoint, find_key
from cutline.captioners.hosted.presets import PRESETS
from cutline.captioners.spec import CaptionerOptions, Spec
from cutline.credentials import Secret
from cutline.errors import ConfigError
from cutline.prompts import Prompt


@dataclasses.dataclass(frozen=True)
class Service:
    """What its documentation says."""

    url: str
    keys: tuple[str, ...] = ()
    tokens: str = "max_tokens"
    needs_name: bool = False


SERVICES = {
    "nim": Service("http://localhost:8000/v1"),
    "nvidia": Service("https://integrate.api.nvidia.com/v1", ("NVIDIA_API_KEY",)),
    "openai": Service("https://api.openai.com/v1", ("OPENAI_API_KEY",), "max_completion_tokens"),
    "azure": Service(
        "https://mine.openai.azure.com/openai/v1",
        ("AZURE_OPENAI_API_KEY",),
        "max_completion_tokens",
        needs_name=True,
    ),
    "gemini": Service(
        "https://generativelanguage.googleapis.com/v1beta/openai", ("GEMINI_API_KEY", "GOOGLE_API_KEY")
    ),
    "anthropic": Service("https://api.anthropic.com/v1", ("ANTHROPIC_API_KEY",), needs_name=True),
    "mistral": Service("https://api.mistral.ai/v1", ("MISTRAL_API_KEY",), needs_name=True),
    "xai": Service("https://api.x.ai/v1", ("XAI_API_KEY",), needs_name=True),
    "groq": Service("https://api.groq.com/openai/v1", ("GROQ_API_KEY",), needs_name=True),
    "fireworks": Service("https://api.fireworks.ai/inference/v1", ("FIREWORKS_API_KEY",), needs_name=True),
    "lmstudio": Service("http://localhost:1234/v1", needs_name=True),
    "ollama": Service("http://localhost:11434/v1"),
    "vllm": Service("http://localhost:8000/v1", needs_name=True),
    "sglang": Service("http://localhost:30000/v1", needs_name=True),
    "llamacpp": Service("http://localhost:8080/v1", needs_name=True),
    "transformers-serve": Service("http://localhost:8000/v1", needs_name=True),
    "huggingface": Service("https://router.huggingface.co/v1", ("HF_TOKEN",)),
    "openrouter": Service("https://openrouter.ai/api/v1", ("OPENROUTER_API_KEY",), needs_name=True),
    "together": Service("https://api.together.xyz/v1", ("TOGETHER_API_KEY",), needs_name=True),
}


@pytest.fixture(autouse=True)
def _no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.endswith(("_KEY", "_TOKEN")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", "https://mine.openai.azure.com/")


def test_every_preset_is_held_against_its_documentation() -> None:
    assert set(PRESETS) == {*SERVICES, "endpoint"}


@pytest.mark.parametrize("name", SERVICES)
def test_url_model_and_parameters(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    service = SERVICES[name]
    for key in service.keys:
        monkeypatch.setenv(key, "k")
    spec = Spec.parse(f"{name}:org/some-vlm:7b", endpoint=None)
    chat = build_endpoint(spec, PRESETS[name], CaptionerOptions(options={"max_tokens": 9}))
    assert chat.name == f"{name}:org/some-vlm:7b"
    assert chat.url == f"{service.url}/chat/completions"
    body = chat.body(Prompt(), "data:image/png;base64,AA==")
    assert body["model"] == "org/some-vlm:7b"
    assert body[service.tokens] == 9
    assert {"max_tokens", "max_completion_tokens"} & body.keys() == {service.tokens}


@pytest.mark.parametrize("name", [name for name, service in SERVICES.items() if service.keys])
def test_keys(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    service, spec = SERVICES[name], Spec.parse(f"{name}:m", endpoint=None)
    with pytest.raises(ConfigError) as raised:
        build_endpoint(spec, PRESETS[name], CaptionerOptions())
    for variable in service.keys:
        assert variable in str(raised.value)
    build_endpoint(spec, PRESETS[name], CaptionerOptions(key=Secret("k")))
    for variable in reversed(service.keys):
        monkeypatch.setenv(variable, f" {variable} ")
        key = find_key(PRESETS[name])
        assert key is not None
        assert key.reveal() == variable, "the first variable that is set, without blanks"


@pytest.mark.parametrize("name", SERVICES)
def test_the_model_of_choice(name: str) -> None:
    spec = Spec.parse(name, endpoint=None)
    asking = CaptionerOptions(key=Secret("k"))
    if SERVICES[name].needs_name:
        with pytest.raises(ConfigError, match=f"--model {name}:NAME"):
            build_endpoint(spec, PRESETS[name], asking)
    else:
        model = build_endpoint(spec, PRESETS[name], asking).body(Prompt(), "x")["model"]
        assert model == PRESETS[name].default_model
