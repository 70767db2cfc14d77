"""Having Ollama download a model. API: https://github.com/ollama/ollama/blob/main/docs/api.md"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import orjson

from cutline.captioners.hosted.endpoint import Endpoint
from cutline.credentials import Secret
from cutline.errors import ConfigError, EndpointUnusable, Retryable
from cutline.formatting import printable
from cutline.weights.hub import human_bytes

_DAY = 86_400.0
_SILENCE = 300.0  # seconds without a word that end a download
_LONGEST = 1_000_000  # bytes of a line
_CURE = "is Ollama running? `ollama serve` starts it, and so does --start"


async def pull(url: str, key: Secret | None, model: str, say: Callable[[str], None]) -> None:
    """Have the Ollama whose OpenAI-compatible side is at ``url`` download a model, unless it has it.

    Raises:
        ConfigError: Ollama cannot be reached, or the model cannot be had.
    """
    endpoint = Endpoint(url.removesuffix("/").removesuffix("/v1"), key=key, timeout=30.0)
    try:
        if not await _has(endpoint, model):
            await _download(endpoint, model, say)
    except (Retryable, EndpointUnusable) as error:
        raise ConfigError(f"{model} cannot be pulled: {error}; {_CURE}") from None
    finally:
        await endpoint.aclose()


async def _has(endpoint: Endpoint, model: str) -> bool:
    answer = await endpoint.send("GET", endpoint.url + "/api/tags")
    if answer.status != 200:
        raise ConfigError(
            f"{endpoint.shown} answered {answer.status} to /api/tags: --pull needs an Ollama there"
        )
    data = endpoint.parsed(answer)
    models = data.get("models") if isinstance(data, dict) else None
    rows = models if isinstance(models, list) else []
    names = {str(row.get("name")) for row in rows if isinstance(row, dict)}
    return model in names or (":" not in model.rpartition("/")[2] and f"{model}:latest" in names)


async def _download(endpoint: Endpoint, model: str, say: Callable[[str], None]) -> None:
    body = orjson.dumps({"model": model, "stream": True})
    sizes: dict[str, tuple[int, int]] = {}
    status = told = ""
    address = endpoint.url + "/api/pull"
    try:
        async with endpoint.exchange("POST", address, body, longer=_DAY) as response:
            async for event in _events(response):
                if event.get("error"):
                    raise ConfigError(_refused(model, str(event["error"])))
                status = str(event.get("status", ""))
                if total := _bytes(event.get("total")):
                    sizes[str(event.get("digest"))] = (_bytes(event.get("completed")), total)
                line = _line(model, status, sizes)
                if line != told:
                    told = line
                    say(printable(line))
    except Retryable as error:
        if not status:
            raise
        raise ConfigError(f"pulling {model} broke off: {error}; the same command goes on with it") from None
    if status != "success":
        raise ConfigError(f"pulling {model} broke off after {status!r}; the same command goes on with it")


def _refused(model: str, said: str) -> str:
    return (
        f"Ollama cannot pull {model}: {printable(' '.join(said.split())[:300])}; is the name right? "
        "https://ollama.com/library has them"
    )


def _bytes(value: object) -> int:
    return value if isinstance(value, int) and value > 0 else 0


def _line(model: str, status: str, sizes: dict[str, tuple[int, int]]) -> str:
    """How far it is; Ollama tells it for each layer by itself."""
    if not status.startswith("pulling ") or not sizes:
        return f"pulling {model}: {status}"
    done, total = (sum(part) for part in zip(*sizes.values(), strict=True))
    if not done:
        return f"pulling {model}: {human_bytes(total)}"
    return f"pulling {model}: {human_bytes(done)} of {human_bytes(total)}, {100 * done // total} %"


async def _events(response: aiohttp.ClientResponse) -> AsyncIterator[dict[str, Any]]:
    """The lines of a stream, each an object; what is none is left out.

    Raises:
        Retryable: nothing came for minutes, or a line has no end.
    """
    rest = b""
    while True:
        try:
            async with asyncio.timeout(_SILENCE):
                chunk = await response.content.readany()
        except TimeoutError:
            raise Retryable("timeout", f"Ollama said nothing for {_SILENCE:g} s") from None
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines if chunk else [rest]:
            with contextlib.suppress(orjson.JSONDecodeError):
                event = orjson.loads(line)
                if isinstance(event, dict):
                    yield event
        if not chunk:
            return
        if len(rest) > _LONGEST:
            raise Retryable("malformed", "Ollama sent a line without end")
