"""The programs that serve models on this machine, and their command lines."""

from __future__ import annotations

import dataclasses
import os
import shutil
import sys
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path

from cutline.captioners.hosted.presets import PRESETS
from cutline.errors import ConfigError

HOST = "127.0.0.1"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """One server.

    ``arguments``: for a model and a port. ``health``: the path that returns 200 once it is ready.
    ``install``: the command that installs it. ``key_env``: the variable with the key that it requires of
    clients. ``module``: the Python module to run where the program is not installed. ``shared``: it serves
    many models at one usual port, so a running one is used.
    """

    name: str
    command: str
    arguments: Callable[[str, int], tuple[str, ...]]
    install: str
    health: str = "/health"
    key_env: str = ""
    module: str = ""
    environment: Callable[[str, int], Mapping[str, str]] = lambda _model, _port: {}
    takes_options: bool = True
    shared: bool = False

    def command_line(self, model: str, port: int) -> tuple[str, ...]:
        """The full command.

        Raises:
            ConfigError: the program is not installed; names the command that installs it.
        """
        if model.startswith("-") or "\0" in model:
            raise ConfigError(
                f"{self.name}:{model!r}: a model's name cannot start with - or contain a null character"
            )
        arguments = self.arguments(model, port)
        beside = str(Path(sys.executable).parent)  # where pip installs it, which may not be on PATH
        found = shutil.which(self.command) or shutil.which(self.command, path=beside)
        if found is not None:
            return (found, *arguments)
        if self.module and find_spec(self.module.partition(".")[0]) is not None:
            return (sys.executable, "-P", "-m", self.module, *arguments[1:])
        raise ConfigError(
            f"--start needs the program {self.command}, which is not installed: {self.install} "
            f"(or start the server yourself, anywhere, and pass its --endpoint)"
        )

    def variables(self, model: str, port: int) -> dict[str, str]:
        """The environment of the server: ours, without the keys of services."""
        keys = {name for preset in PRESETS.values() for name in preset.key_env} - {self.key_env, "HF_TOKEN"}
        kept = {name: value for name, value in os.environ.items() if not name.startswith("CUTLINE_")}
        return {name: kept[name] for name in kept.keys() - keys} | dict(self.environment(model, port))


def _serve(model: str, port: int) -> tuple[str, ...]:
    return ("serve", model, "--host", HOST, "--port", str(port))


def _llamacpp(model: str, port: int) -> tuple[str, ...]:
    """A file is served with the vision projector beside it, if any; otherwise a model of the hub."""
    at = ("--host", HOST, "--port", str(port))
    path = Path(model)
    if path.suffix != ".gguf" and not path.exists():
        return ("-hf", model, *at)
    if not path.is_file():
        raise ConfigError(f"llamacpp:{model}: no such file; name a .gguf file, or OWNER/NAME on the hub")
    projectors = sorted(path.parent.glob("*mmproj*.gguf"))
    return (
        "-m",
        model,
        *(("--mmproj", str(projectors[0])) if len(projectors) == 1 and projectors[0] != path else ()),
        *at,
    )


def _offline_for_folders(model: str, _: int) -> dict[str, str]:
    """A model in a folder needs nothing from the hub, which may be unreachable."""
    return {"HF_HUB_OFFLINE": "1"} if Path(model).is_dir() and "HF_HUB_OFFLINE" not in os.environ else {}


PROGRAMS = {
    program.name: program
    for program in (
        Program(
            name="vllm",
            command="vllm",
            arguments=_serve,
            install="pip install vllm",
            key_env="VLLM_API_KEY",
        ),
        Program(
            name="sglang",
            command="sglang",
            module="sglang.launch_server",
            arguments=lambda model, port: ("serve", "--model-path", *_serve(model, port)[1:]),
            install="pip install 'sglang[all]'",
        ),
        Program(
            name="llamacpp",
            command="llama-server",
            arguments=_llamacpp,
            install="brew install llama.cpp, or see https://github.com/ggml-org/llama.cpp",
            key_env="LLAMA_API_KEY",
        ),
        Program(
            name="transformers-serve",
            command="transformers",
            arguments=_serve,
            install="pip install 'transformers[serving]'",
            environment=_offline_for_folders,
        ),
        Program(
            name="ollama",
            command="ollama",
            arguments=lambda _model, _port: ("serve",),
            install="brew install ollama, or see https://ollama.com/download",
            health="/api/version",
            environment=lambda _, port: {"OLLAMA_HOST": f"{HOST}:{port}"},
            takes_options=False,
            shared=True,
        ),
    )
}
