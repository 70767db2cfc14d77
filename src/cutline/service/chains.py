"""The chains that requests may choose by name: those of the files that the operator named."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from cutline.captioners.servers.settings import ServerOptions
from cutline.chain import Chain
from cutline.credentials import Secret
from cutline.engine import assembly
from cutline.engine.chain_builder import build_chain
from cutline.errors import ConfigError
from cutline.interfaces import Captioner
from cutline.job import Job, LocalOptions, ModelOptions
from cutline.slots import Slots, and_preparing

_VARIABLES: Final = ("key", "path", "file_name", "stem", "folder")


@dataclasses.dataclass(frozen=True, slots=True)
class Offered:
    """A chain and the line of those who wait for it."""

    chain: Chain
    places: Slots


class Chains:
    """Built when the service starts, so that what is wrong with a file is said then, and to its operator."""

    def __init__(
        self, paths: Sequence[Path], job: Job, captioner_of: Callable[[Job, Secret | None], Captioner]
    ) -> None:
        """``job`` gives the limits on pictures; what models are asked is the files' matter alone.

        Raises:
            ConfigError: a file holds no chain that can be asked, or two have the same name.
        """
        self._offered: dict[str, Offered] = {}
        for path in _files(paths):
            if path.stem in self._offered:
                raise ConfigError(f"--chain: two files are named {path.stem}: rename one of them")
            model = ModelOptions(chain=str(path), plugin=job.model.plugin)
            own = dataclasses.replace(job, model=model, local=LocalOptions(), server=ServerOptions())
            chain = build_chain(own, None, captioner_of, lambda of, usual: assembly.prompts_of(of, usual)[0])
            try:
                check_variables(chain)
            except ConfigError as error:
                raise ConfigError(f"--chain {path}: {error}") from None
            self._offered[path.stem] = Offered(chain, _places(chain))

    def __getitem__(self, name: str) -> Offered:
        """Raises ConfigError, with the names that there are."""
        if name in self._offered:
            return self._offered[name]
        if not self._offered:
            raise ConfigError("there are no chains here: leave chain out")
        raise ConfigError(f"there is no chain {name!r} here: choose {' or '.join(self._offered)}")

    @property
    def steps(self) -> dict[str, dict[str, str]]:
        """For each chain the name of its steps' captioners."""
        return {name: one.chain.models for name, one in self._offered.items()}

    @property
    def slots(self) -> list[int]:
        """How many pictures each takes at once."""
        return [one.chain.slots for one in self._offered.values()]

    @property
    def asked(self) -> int:
        """Pictures that are on their way through one."""
        return sum(one.places.taken for one in self._offered.values())


def check_variables(chain: Chain) -> None:
    """Raises ConfigError for a prompt's variable that no request has: pictures come without metadata."""
    for step in chain.steps:
        for name in step.prompt.variables:
            if name not in _VARIABLES and name not in chain.taken[step.name]:
                where = f"step {step.name}: " if len(chain.steps) > 1 else ""
                raise ConfigError(
                    f"{where}the prompt's variable {{{name}}} is unknown to requests: they have "
                    f"{', '.join(_VARIABLES)} (braces that are meant as text are doubled: {{{{{name}}}}})"
                )


def _files(paths: Sequence[Path]) -> list[Path]:
    found: list[Path] = []
    for path in paths:
        inside = sorted(path.glob("*.toml")) if path.is_dir() else [path]
        if not inside:
            raise ConfigError(f"--chain {path}: there is no .toml file in this folder")
        found += inside
    return found


def _places(chain: Chain) -> Slots:
    return Slots(lambda: and_preparing(chain.slots))
