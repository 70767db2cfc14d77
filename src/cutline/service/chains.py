"""The chains that requests may choose by name: the operator's chain files."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from cutline.captioners.servers.settings import ServerOptions
from cutline.chain import Chain
from cutline.credentials import Secret
from cutline.engine import assembly
from cutline.engine.chain_builder import build_chain
from cutline.errors import ConfigError
from cutline.interfaces import Captioner
from cutline.job import Job
from cutline.options import LocalOptions, ModelOptions
from cutline.slots import CallersApart, and_preparing

_VARIABLES: Final = ("key", "path", "file_name", "stem", "folder")


@dataclasses.dataclass(frozen=True, slots=True)
class ServedChain:
    """A chain with slots of its own: a slow one does not hold up the others."""

    chain: Chain
    slots: CallersApart


class Chains:
    """Built when the service starts, so that its operator gets the errors in their files."""

    def __init__(
        self, paths: Sequence[Path], job: Job, captioner_for: Callable[[Job, Secret | None], Captioner]
    ) -> None:
        """``job`` gives the limits on pictures; raises ConfigError for a file that is not a usable chain."""
        self._chains: dict[str, ServedChain] = {}
        for path in chain_files(paths):
            model = ModelOptions(chain=str(path), plugin=job.model.plugin)
            own = dataclasses.replace(job, model=model, local=LocalOptions(), server=ServerOptions())
            chain = build_chain(own, None, captioner_for, lambda of, usual: assembly.prompts_of(of, usual)[0])
            try:
                check_variables(chain)
            except ConfigError as error:
                raise ConfigError(f"--chain {path}: {error}") from None
            self._chains[path.stem] = ServedChain(chain, _slots(chain))

    def __getitem__(self, name: str) -> ServedChain:
        """Raises ConfigError, which lists the names."""
        if name in self._chains:
            return self._chains[name]
        if not self._chains:
            raise ConfigError("this service has no chains: leave chain out")
        raise ConfigError(f"there is no chain {name!r}: choose {' or '.join(self._chains)}")

    def __iter__(self) -> Iterator[Chain]:
        return (one.chain for one in self._chains.values())

    @property
    def steps(self) -> dict[str, dict[str, str]]:
        """The names of each chain's steps, with their captioners' names."""
        return {name: one.chain.models for name, one in self._chains.items()}

    @property
    def slots(self) -> list[int]:
        """How many pictures each captions at once."""
        return [one.chain.slots for one in self._chains.values()]

    @property
    def slots_in_use(self) -> int:
        """Pictures that are in a chain."""
        return sum(one.slots.taken for one in self._chains.values())


def check_variables(chain: Chain) -> None:
    """Raises ConfigError for prompt variables that requests do not have: pictures come without metadata."""
    for step in chain.steps:
        for name in step.prompt.variables:
            if name not in _VARIABLES and name not in chain.dependencies[step.name]:
                where = f"step {step.name}: " if len(chain.steps) > 1 else ""
                raise ConfigError(
                    f"{where}the prompt's variable {{{name}}} is not available to requests: they have "
                    f"{', '.join(_VARIABLES)} (write literal braces twice: {{{{{name}}}}})"
                )


def chain_files(paths: Sequence[Path]) -> list[Path]:
    """The chain files among paths and in folders; ConfigError: two have the same name, or there is none."""
    found: list[Path] = []
    for path in paths:
        inside = sorted(path.glob("*.toml")) if path.is_dir() else [path]
        if not inside:
            raise ConfigError(f"--chain {path}: there is no .toml file in this folder")
        found += inside
    names = [path.stem for path in found]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ConfigError(f"--chain: two files are named {twice}: rename one of them")
    return found


def _slots(chain: Chain) -> CallersApart:
    return CallersApart(lambda: and_preparing(chain.slots))
