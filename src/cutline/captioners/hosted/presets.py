"""Hosted and self-hosted services that speak OpenAI's chat completions, and how each differs."""

from __future__ import annotations

from cutline.captioners.hosted.preset import USUAL, Preset
from cutline.parameters import COMMON, MAX_TOKENS, PENALTIES, STOP, TOP_P, Parameter

_MIN_P = Parameter(name="min_p", least=0, most=1)
_REPETITION = Parameter(name="repetition_penalty", above=0, most=2)


def _effort(*words: str) -> Parameter:
    return Parameter(name="reasoning_effort", kind=str, words=words)


def _sampling(least_top_k: int, penalty: Parameter, *more: Parameter) -> tuple[Parameter, ...]:
    return (*USUAL, Parameter(name="top_k", kind=int, least=least_top_k), _MIN_P, penalty, *more)


_LENGTH = (
    Parameter(name="min_tokens", kind=int, least=0),
    Parameter(name="skip_special_tokens", kind=bool),
)
_VLLM = _sampling(-1, Parameter(name="repetition_penalty", above=0), *_LENGTH)


PRESETS = {
    preset.name: preset
    for preset in (
        Preset(
            name="nim",
            endpoint="http://localhost:8000/v1",
            default_model="nvidia/llama-3.1-nemotron-nano-vl-8b-v1",
            schema="guided_json",
            enforces_schema=True,
            licence="NVIDIA Open Model",
            about="NVIDIA NIM container on this machine",
        ),
        Preset(
            name="nvidia",
            endpoint="https://integrate.api.nvidia.com/v1",
            key_env=("NVIDIA_API_KEY",),
            default_model="nvidia/llama-3.1-nemotron-nano-vl-8b-v1",
            schema="guided_json",
            enforces_schema=True,
            forbids_all=True,
            account="https://build.nvidia.com",
            licence="NVIDIA Open Model",
            without_model="NVIDIA says so too of what an account may not use; your own NIM is nim:NAME.",
            about="NVIDIA's hosted models",
        ),
        Preset(
            name="openai",
            endpoint="https://api.openai.com/v1",
            endpoint_env=("OPENAI_BASE_URL", "OPENAI_API_BASE"),
            key_env=("OPENAI_API_KEY",),
            default_model="gpt-4o-mini",
            enforces_schema=True,
            tokens="max_completion_tokens",
            parameters=(
                *USUAL,
                _effort("none", "minimal", "low", "medium", "high", "xhigh"),
                Parameter(name="verbosity", kind=str, words=("low", "medium", "high")),
                Parameter(name="service_tier", kind=str, words=("auto", "default", "flex", "priority")),
            ),
            account="https://platform.openai.com",
            licence="hosted only",
            about="OpenAI",
        ),
        Preset(
            name="azure",
            endpoint="",
            endpoint_env=("AZURE_OPENAI_ENDPOINT",),
            endpoint_path="/openai/v1",
            key_env=("AZURE_OPENAI_API_KEY",),
            enforces_schema=True,
            tokens="max_completion_tokens",
            parameters=(*USUAL, _effort("none", "minimal", "low", "medium", "high", "xhigh")),
            account="https://portal.azure.com",
            licence="hosted only",
            about="deployments at Azure; AZURE_OPENAI_ENDPOINT names the resource",
        ),
        Preset(
            name="gemini",
            endpoint="https://generativelanguage.googleapis.com/v1beta/openai",
            key_env=("GEMINI_API_KEY", "GOOGLE_API_KEY"),
            default_model="gemini-2.5-flash",
            enforces_schema=True,
            parameters=(*USUAL, _effort("none", "minimal", "low", "medium", "high")),
            account="https://aistudio.google.com",
            licence="hosted only",
            about="Google Gemini",
        ),
        Preset(
            name="anthropic",  # https://platform.claude.com/docs/en/api/openai-sdk
            endpoint="https://api.anthropic.com/v1",
            endpoint_env=("ANTHROPIC_BASE_URL",),
            endpoint_path="/v1",
            key_env=("ANTHROPIC_API_KEY",),
            schema="none",
            parameters=(MAX_TOKENS, Parameter(name="temperature", least=0, most=1), TOP_P, STOP),
            account="https://platform.claude.com",
            about="Anthropic's Claude",
        ),
        Preset(
            name="mistral",  # https://docs.mistral.ai/api
            endpoint="https://api.mistral.ai/v1",
            key_env=("MISTRAL_API_KEY",),
            seed="random_seed",
            account="https://console.mistral.ai",
            about="Mistral AI",
        ),
        Preset(
            name="xai",  # https://docs.x.ai/docs/api-reference
            endpoint="https://api.x.ai/v1",
            key_env=("XAI_API_KEY",),
            parameters=(*USUAL, _effort("none", "low", "medium", "high")),
            account="https://console.x.ai",
            about="xAI's Grok",
        ),
        Preset(
            name="groq",  # https://console.groq.com/docs/openai
            endpoint="https://api.groq.com/openai/v1",
            key_env=("GROQ_API_KEY",),
            parameters=(*COMMON, STOP),
            account="https://console.groq.com",
            about="Groq",
        ),
        Preset(
            name="fireworks",  # https://docs.fireworks.ai/api-reference/post-chatcompletions
            endpoint="https://api.fireworks.ai/inference/v1",
            key_env=("FIREWORKS_API_KEY",),
            parameters=_sampling(0, _REPETITION),
            account="https://app.fireworks.ai",
            about="Fireworks AI",
        ),
        Preset(
            name="lmstudio",  # https://lmstudio.ai/docs/developer/openai-compat/chat-completions
            endpoint="http://localhost:1234/v1",
            enforces_schema=True,
            parameters=(
                *USUAL,
                Parameter(name="top_k", kind=int, least=0),
                Parameter(name="repeat_penalty", above=0),
            ),
            about="LM Studio on this machine",
        ),
        Preset(
            name="ollama",
            endpoint="http://localhost:11434/v1",
            endpoint_env=("OLLAMA_HOST",),
            default_model="llava:7b",
            without_model="Ollama has what was pulled: ollama pull {model}, or add --pull",
            parameters=(*USUAL, _effort("none", "low", "medium", "high")),
            start="ollama serve",
            licence="Llama 2 Community",
            about="Ollama on this machine",
        ),
        Preset(
            name="vllm",
            endpoint="http://localhost:8000/v1",
            key_env=("VLLM_API_KEY",),
            schema="structured_outputs",
            enforces_schema=True,
            parameters=_VLLM,
            start="vllm serve MODEL",
            about="a vLLM server",
        ),
        Preset(
            name="sglang",
            endpoint="http://localhost:30000/v1",
            key_env=("SGLANG_API_KEY",),
            enforces_schema=True,
            parameters=_sampling(-1, _REPETITION, *_LENGTH),
            start="sglang serve --model-path MODEL",
            about="an SGLang server",
        ),
        Preset(
            name="llamacpp",
            endpoint="http://localhost:8080/v1",
            key_env=("LLAMA_API_KEY",),
            enforces_schema=True,
            parameters=_sampling(0, Parameter(name="repeat_penalty", above=0)),
            start="llama-server -hf MODEL",
            about="llama.cpp's llama-server",
        ),
        Preset(
            name="transformers-serve",
            endpoint="http://localhost:8000/v1",
            schema="none",
            parameters=(*COMMON, PENALTIES[0], STOP),
            start="transformers serve MODEL",
            about="the server of transformers",
        ),
        Preset(
            name="huggingface",
            endpoint="https://router.huggingface.co/v1",
            key_env=("HF_TOKEN",),
            default_model="google/gemma-3-12b-it",
            account="https://huggingface.co/settings/tokens",
            licence="Gemma",
            without_model="A provider of it must be switched on at https://huggingface.co/settings/inference-providers",
            about="Hugging Face inference providers",
        ),
        Preset(
            name="openrouter",
            endpoint="https://openrouter.ai/api/v1",
            key_env=("OPENROUTER_API_KEY",),
            parameters=(
                *USUAL,
                Parameter(name="top_k", kind=int, least=0),
                _MIN_P,
                Parameter(name="top_a", least=0, most=1),
                _REPETITION,
                _effort("none", "minimal", "low", "medium", "high", "xhigh"),
            ),
            account="https://openrouter.ai/settings",
            about="OpenRouter",
        ),
        Preset(
            name="together",
            endpoint="https://api.together.xyz/v1",
            key_env=("TOGETHER_API_KEY",),
            parameters=_sampling(-1, _REPETITION),
            account="https://api.together.ai",
            about="Together AI",
        ),
        Preset(
            name="endpoint",
            endpoint="",
            key_env=("CUTLINE_API_KEY",),  # never a known service's key: anyone may be behind the URL
            parameters=_VLLM,
            about="any other compatible server: --endpoint URL",
        ),
    )
}
