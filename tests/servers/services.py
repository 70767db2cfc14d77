"""Hosted and self-hosted services, each below a path of its own, that refuse in the words of the real ones.

    python tests/servers/services.py

Prints ``ready PORT``. ``/openai/v1``, ``/gemini/v1beta/openai``, ``/huggingface/v1``, ``/openrouter/api/v1``,
``/together/v1``, ``/ollama/v1``, ``/vllm/v1``, ``/nim/v1`` and ``/nvidia/v1`` take chat completions with the
fields that each documents, a key where it wants one, and pictures as data URLs that hold what they say.
Models: ``sees`` takes pictures, ``blind`` takes none, ``guesses`` overlooks them. ``POST /configure`` takes ``credit``, ``limits`` (so many
requests are told to slow down), ``wait`` (seconds, that they are told), ``largest`` (bytes of a request) and
``breaks`` (so many requests of OpenRouter fail half way). ``GET /state`` tells what happened.
"""

from __future__ import annotations

import asyncio
import base64
import io
import json
import time

from aiohttp import web
from PIL import Image
from ready import on_a_port
from refusing import Refusal, configuring, refusing

KEY = "key-of-a-test"
USUAL = {
    "model",
    "messages",
    "stream",
    "temperature",
    "top_p",
    "seed",
    "stop",
    "frequency_penalty",
    "presence_penalty",
}
FIELDS = {
    "openai": USUAL
    | {"max_completion_tokens", "response_format", "reasoning_effort", "verbosity", "service_tier"},
    "azure": USUAL | {"max_completion_tokens", "response_format", "reasoning_effort"},
    "gemini": USUAL | {"max_tokens", "response_format", "reasoning_effort"},
    "huggingface": USUAL | {"max_tokens", "response_format"},
    "openrouter": USUAL
    | {"max_tokens", "response_format", "top_k", "min_p", "top_a", "repetition_penalty", "reasoning_effort"},
    "together": USUAL | {"max_tokens", "response_format", "top_k", "min_p", "repetition_penalty"},
    "ollama": USUAL | {"max_tokens", "response_format", "reasoning_effort"},
    "anthropic": (USUAL - {"seed", "frequency_penalty", "presence_penalty"}) | {"max_tokens"},
    "mistral": (USUAL - {"seed"}) | {"max_tokens", "random_seed", "response_format"},
    "xai": USUAL | {"max_tokens", "response_format", "reasoning_effort"},
    "groq": (USUAL - {"frequency_penalty", "presence_penalty"}) | {"max_tokens", "response_format"},
    "fireworks": USUAL | {"max_tokens", "response_format", "top_k", "min_p", "repetition_penalty"},
    "lmstudio": USUAL | {"max_tokens", "response_format", "top_k", "repeat_penalty"},
    "vllm": USUAL
    | {"max_tokens", "structured_outputs", "top_k", "min_p", "repetition_penalty"}
    | {"min_tokens", "skip_special_tokens"},
    "sglang": USUAL
    | {"max_tokens", "response_format", "top_k", "min_p", "repetition_penalty"}
    | {"min_tokens", "skip_special_tokens"},
    "llamacpp": USUAL | {"max_tokens", "response_format", "top_k", "min_p", "repeat_penalty"},
    "transformers-serve": (USUAL - {"presence_penalty"}) | {"max_tokens"},
    "nim": USUAL | {"max_tokens", "guided_json"},
    "nvidia": USUAL | {"max_tokens", "guided_json"},
}
KEYLESS = {"ollama", "lmstudio", "vllm", "nim", "sglang", "llamacpp", "transformers-serve"}
WAITING = "Rate limit reached"


class Refused(Refusal):
    def __init__(self, status: int, body: object, headers: dict[str, str] | None = None) -> None:
        super().__init__(status)
        self.response = web.json_response(body, status=status, headers=headers)


def said(service: str, status: int, message: str, code: str = "", **more: object) -> object:
    """The body of a refusal in a service's form."""
    error: dict[str, object] = {"message": message, "code": code or None, "type": "error", **more}
    if service == "gemini":
        return [{"error": {"code": status, "message": message, "status": code, **more}}]
    if service == "openrouter":
        return {"error": {"message": message, "code": status, **more}, "user_id": "user_1"}
    if service in {"nvidia", "nim"}:
        return {"status": status, "title": code or "Error", "detail": message}
    if service == "vllm":
        return {"object": "error", "message": message, "type": code, "param": None, "code": status}
    if service == "huggingface" and not code:
        return {"error": message}
    return {"error": error}


class Services:
    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.settings = {"credit": True, "limits": 0, "wait": 7.0, "largest": 0, "breaks": 0}
        self.state: dict[str, object] = {"requests": 0, "early": 0, "fields": []}
        self.closed_until = 0.0

    async def chat(self, request: web.Request) -> web.Response:
        service = request.match_info["service"]
        raw = await request.read()
        self.state["requests"] = int(self.state["requests"]) + 1
        self.state["early"] = int(self.state["early"]) + (time.monotonic() < self.closed_until)
        self.check_key(service, request.headers.get("Authorization", ""))
        if self.settings["largest"] and len(raw) > self.settings["largest"]:
            raise Refused(413, said(service, 413, "Request Entity Too Large", "request_too_large"))
        if self.settings["limits"]:
            self.settings["limits"] -= 1
            self.closed_until = time.monotonic() + self.settings["wait"] - 0.02
            raise self.slow_down(service)
        if not self.settings["credit"]:
            raise self.spent(service)
        body = json.loads(raw)
        self.check_body(service, body)
        self.state["fields"] = sorted(body)
        if service == "openrouter" and self.settings["breaks"]:
            self.settings["breaks"] -= 1
            return web.json_response(said(service, 502, "Provider returned error"))  # status 200
        return web.json_response(completion(body["model"]))

    def check_key(self, service: str, sent: str) -> None:
        if service in KEYLESS or sent == f"Bearer {KEY}":
            return
        if service == "gemini":
            details = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}]
            text = "API key not valid. Please pass a valid API key."
            raise Refused(400, said(service, 400, text, "INVALID_ARGUMENT", details=details))
        if service == "nvidia":
            raise Refused(403 if sent else 401, said(service, 403, "Authorization failed", "Forbidden"))
        told = {"huggingface": "Invalid username or password.", "openrouter": "No auth credentials found"}
        message = told.get(service, f"Incorrect API key provided: {sent.removeprefix('Bearer ')}")
        raise Refused(401, said(service, 401, message, "" if service in told else "invalid_api_key"))

    def slow_down(self, service: str) -> Refused:
        wait = self.settings["wait"]
        status, headers, more = 429, {}, {}
        if service == "openai":
            headers = {
                "x-ratelimit-limit-requests": "500",
                "x-ratelimit-remaining-requests": "0",
                "x-ratelimit-reset-requests": f"{int(wait * 1000)}ms",
                "x-ratelimit-remaining-tokens": "149000",
                "x-ratelimit-reset-tokens": "6m0s",
            }
        elif service == "gemini":
            info = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": f"{wait}s"}
            more = {"details": [{"@type": "type.googleapis.com/google.rpc.Help"}, info]}
        elif service == "huggingface":
            headers = {
                "RateLimit": f'"api";r=0;t={int(wait)}',
                "RateLimit-Policy": '"fixed window";"api";q=500',
            }
        elif service == "openrouter":
            at = str(int((time.time() + wait) * 1000))
            more = {"metadata": {"headers": {"X-RateLimit-Limit": "20", "X-RateLimit-Reset": at}}}
        elif service == "together":
            headers = {
                "x-ratelimit-limit": "10",
                "x-ratelimit-remaining": "0",
                "x-ratelimit-reset": str(wait),
            }
        elif service == "ollama":
            status = 503
        else:
            headers = {"Retry-After": str(wait)}
        code = "RESOURCE_EXHAUSTED" if service == "gemini" else "rate_limit_exceeded"
        return Refused(status, said(service, status, WAITING, code, **more), headers)

    def spent(self, service: str) -> Refused:
        if service == "openai":
            text = "You exceeded your current quota, please check your plan and billing details."
            return Refused(429, said(service, 429, text, "insufficient_quota"))
        text = {
            "huggingface": "You have exceeded your monthly included credits for Inference Providers.",
            "nvidia": "Account 'Q': Cloud credits expired - Please contact NVIDIA representatives",
        }.get(service, "Insufficient credits.")
        return Refused(402, said(service, 402, text))

    def check_body(self, service: str, body: dict) -> None:
        for name in body:
            if name not in FIELDS[service]:
                raise Refused(400, said(service, 400, f"Unrecognized request argument: {name}", "unknown"))
        if body["model"] not in {"sees", "blind", "guesses"}:
            raise self.unknown(service, body["model"])
        pictures = [
            part["image_url"]["url"]
            for message in body["messages"]
            for part in message["content"]
            if not isinstance(part, str) and part["type"] == "image_url"
        ]
        if pictures and body["model"] == "blind":
            raise self.blind(service)
        for url in pictures:
            head, _, data = url.partition(";base64,")
            try:
                with Image.open(io.BytesIO(base64.b64decode(data, validate=True))) as image:
                    fine = head == f"data:{Image.MIME[image.format]}"
            except (ValueError, OSError):
                fine = False
            if not fine:
                raise Refused(400, said(service, 400, "invalid image input", "invalid_image"))

    def unknown(self, service: str, model: str) -> Refused:
        status, message, code = {
            "openai": (
                404,
                f"The model `{model}` does not exist or you do not have access to it.",
                "model_not_found",
            ),
            "gemini": (404, f"models/{model} is not found for API version v1main", "NOT_FOUND"),
            "huggingface": (400, f"The requested model '{model}' does not exist", "model_not_found"),
            "openrouter": (400, f"{model} is not a valid model ID", ""),
            "together": (404, f"Unable to access model {model}.", "model_not_available"),
            "ollama": (404, f'model "{model}" not found, try pulling it first', ""),
            "vllm": (404, f"The model `{model}` does not exist.", "NotFoundError"),
        }.get(service, (404, f"Function for {model}: Not found for account 'Q'", "Not Found"))
        return Refused(status, said(service, status, message, code))

    def blind(self, service: str) -> Refused:
        status, message = {
            "openai": (400, "Invalid content type. image_url is only supported by certain models."),
            "openrouter": (404, "No endpoints found that support image input"),
            "ollama": (500, "this model is missing data required for image input"),
            "vllm": (400, "blind is not a multimodal model"),
        }.get(service, (400, "This model does not support images."))
        return Refused(status, said(service, status, message))

    async def models(self, request: web.Request) -> web.Response:
        self.check_key(request.match_info["service"], request.headers.get("Authorization", ""))
        return web.json_response({"object": "list", "data": [{"id": name} for name in ("blind", "sees")]})

    async def tell_state(self, _: web.Request) -> web.Response:
        return web.json_response(self.state)


def completion(model: str) -> dict:
    said = "I cannot see any picture." if model == "guesses" else "A red disc on white."
    message = {"role": "assistant", "content": said}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "model": model,
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18},
    }


async def serve() -> None:
    services = Services()
    app = web.Application(client_max_size=64 << 20, middlewares=[refusing])
    app.router.add_post("/{service}/{base:.+}/chat/completions", services.chat)
    app.router.add_get("/{service}/{base:.+}/models", services.models)
    app.router.add_get("/state", services.tell_state)
    app.router.add_post("/configure", configuring(services))
    await on_a_port(app)


if __name__ == "__main__":
    asyncio.run(serve())
