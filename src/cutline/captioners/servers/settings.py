"""What the user says of a model's server on this machine."""

from __future__ import annotations

import dataclasses
import math
import shlex
from typing import Any, ClassVar

from cutline.errors import ConfigError

_OURS = {
    "--port": "the port is given to --port of cutline",
    "--host": "a server that is started listens on this machine alone",
    "--api-key": "others on the machine can see it there; set the variable of the key, see `cutline models`",
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
        """Raises ConfigError for values that cannot be, or that would do nothing."""
        if self.port is not None and not 0 < self.port < 65536:
            raise ConfigError(f"--port must be between 1 and 65535, not {self.port}")
        if not 0 < self.start_timeout < math.inf:
            raise ConfigError(f"--start-timeout must be greater than 0, not {self.start_timeout}")
        if not self.start:
            for name in ("server_args", "start_timeout"):
                if getattr(self, name) != getattr(ServerOptions(), name):
                    raise ConfigError(f"--{name.replace('_', '-')} does nothing alone: add --start")
        words(self.server_args)


def words(server_args: str | None) -> tuple[str, ...]:
    """The single options in the text of --server-args; quotes keep words together as in a shell.

    Raises:
        ConfigError: a quote has no end, or an option is one that has to be given otherwise.
    """
    if "\0" in (server_args or ""):
        raise ConfigError("--server-args cannot hold a null character")
    try:
        found = tuple(shlex.split(server_args or ""))
    except ValueError as error:
        raise ConfigError(f"--server-args cannot be read: {str(error).lower()}") from None
    for word in found:
        name = word.partition("=")[0]
        if name in _OURS:
            raise ConfigError(f"--server-args cannot hold {name}: {_OURS[name]}")
    return found
