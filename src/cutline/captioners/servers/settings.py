"""Options of a model's server on this machine."""

from __future__ import annotations

import dataclasses
import math
import shlex
from typing import Any, ClassVar

from cutline.errors import ConfigError

_OURS = {
    "--port": "use --port of cutline",
    "--host": "the server listens on this machine only",
    "--api-key": "other users of the machine could see it; set the variable of the key, see `cutline models`",
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ServerOptions:
    """The model's server, where it runs on this machine."""

    __pydantic_config__: ClassVar[Any] = {"extra": "forbid"}

    start: bool = False
    """Start the server (vllm, sglang, llamacpp, transformers-serve, ollama), and stop it at the end."""
    port: int | None = None
    """Port of the server on this machine. [default: the provider's; with --start a free one]"""
    server_args: str | None = None
    """Further options for the server that is started, in one text: "--max-model-len 4096"."""
    start_timeout: float = 1800.0
    """Seconds until a server that is started has to answer; it may have to download its model."""
    pull: bool = False
    """Have Ollama download the model, if it is not there."""

    def check(self) -> None:
        """Raises ConfigError for invalid values, or options without effect."""
        if self.port is not None and not 0 < self.port < 65536:
            raise ConfigError(f"--port must be between 1 and 65535, not {self.port}")
        if not 0 < self.start_timeout < math.inf:
            raise ConfigError(f"--start-timeout must be greater than 0, not {self.start_timeout}")
        if not self.start:
            for name in ("server_args", "start_timeout"):
                if getattr(self, name) != getattr(ServerOptions(), name):
                    raise ConfigError(f"--{name.replace('_', '-')} has no effect alone: add --start")
        split_arguments(self.server_args)


def split_arguments(server_args: str | None) -> tuple[str, ...]:
    """Split --server-args as a shell does.

    Raises:
        ConfigError: a quote is not closed, or an option must be set in another way.
    """
    if "\0" in (server_args or ""):
        raise ConfigError("--server-args cannot contain a null character")
    try:
        found = tuple(shlex.split(server_args or ""))
    except ValueError as error:
        raise ConfigError(f"--server-args is invalid: {str(error).lower()}") from None
    for argument in found:
        name = argument.partition("=")[0]
        if name in _OURS:
            raise ConfigError(f"--server-args cannot contain {name}: {_OURS[name]}")
    return found
