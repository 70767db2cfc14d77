"""Download models with Ollama. API: https://github.com/ollama/ollama/blob/main/docs/api.md"""

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
_IDLE_TIMEOUT = 300.0  # seconds without data
_MAX_LINE = 1_000_000  # bytes
_CURE = "is Ollama running? `ollama serve` starts it, and so does --start"


async def pull(url: str, key: Secret | None, model: str, say: Callable[[str], None]) -> None:
    """Download a model with the Ollama whose OpenAI-compatible API is at ``url``, unless it has it.

    Raises:
        ConfigError: Ollama cannot be reached, or the model cannot be downloaded.
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
    response = await endpoint.send("GET", endpoint.url + "/api/tags")
    if response.status != 200:
        raise ConfigError(
            f"{endpoint.shown} returned {response.status} for /api/tags: --pull needs an Ollama there"
        )
    data = endpoint.parsed(response)
    models = data.get("models") if isinstance(data, dict) else None
    rows = models if isinstance(models, list) else []
    names = {str(row.get("name")) for row in rows if isinstance(row, dict)}
    return model in names or (":" not in model.rpartition("/")[2] and f"{model}:latest" in names)


async def _download(endpoint: Endpoint, model: str, say: Callable[[str], None]) -> None:
    body = orjson.dumps({"model": model, "stream": True})
    sizes: dict[str, tuple[int, int]] = {}
    status = reported = ""
    address = endpoint.url + "/api/pull"
    try:
        async with endpoint.exchange("POST", address, body, longer=_DAY) as response:
            async for event in _events(response):
                if event.get("error"):
                    reason = printable(" ".join(str(event["error"]).split())[:300])
                    raise ConfigError(
                        f"Ollama cannot pull {model}: {reason}; is the name right? "
                        "https://ollama.com/library lists the models"
                    )
                status = str(event.get("status", ""))
                if total := _bytes(event.get("total")):
                    sizes[str(event.get("digest"))] = (_bytes(event.get("completed")), total)
                line = _progress(model, status, sizes)
                if line != reported:
                    reported = line
                    say(printable(line))
    except Retryable as error:
        if not status:
            raise
        raise ConfigError(
            f"pulling {model} was interrupted: {error}; run the same command again to continue"
        ) from None
    if status != "success":
        raise ConfigError(
            f"pulling {model} was interrupted after {status!r}; run the same command again to continue"
        )


def _bytes(value: object) -> int:
    return value if isinstance(value, int) and value > 0 else 0


def _progress(model: str, status: str, sizes: dict[str, tuple[int, int]]) -> str:
    """The sum over layers, which Ollama reports separately."""
    if not status.startswith("pulling ") or not sizes:
        return f"pulling {model}: {status}"
    done, total = (sum(part) for part in zip(*sizes.values(), strict=True))
    if not done:
        return f"pulling {model}: {human_bytes(total)}"
    return f"pulling {model}: {human_bytes(done)} of {human_bytes(total)}, {100 * done // total} %"


async def _events(response: aiohttp.ClientResponse) -> AsyncIterator[dict[str, Any]]:
    """The lines of a stream that are JSON objects.

    Raises:
        Retryable: no data for minutes, or a line is too long.
    """
    rest = b""
    while True:
        try:
            async with asyncio.timeout(_IDLE_TIMEOUT):
                chunk = await response.content.readany()
        except TimeoutError:
            raise Retryable("timeout", f"Ollama sent no data for {_IDLE_TIMEOUT:g} s") from None
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines if chunk else [rest]:
            with contextlib.suppress(orjson.JSONDecodeError):
                event = orjson.loads(line)
                if isinstance(event, dict):
                    yield event
        if not chunk:
            return
        if len(rest) > _MAX_LINE:
            raise Retryable("malformed", "Ollama sent a line of more than a megabyte")
