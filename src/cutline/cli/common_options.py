"""Options that several commands share."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Annotated

from cyclopts import Parameter

from cutline.credentials import Secret, given_key
from cutline.errors import ConfigError


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Verbosity:
    """Verbosity."""

    verbose: Annotated[bool, Parameter(alias="-v")] = False
    """Log every picture and request."""
    quiet: Annotated[bool, Parameter(alias="-q")] = False
    """No progress and no summary; errors only."""

    def check(self) -> None:
        """Raise ConfigError for options that exclude each other."""
        if self.verbose and self.quiet:
            raise ConfigError("--verbose and --quiet exclude each other: give one of them")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ServiceKey:
    """The key of the model's service, if it is not in the environment."""

    api_key: str | None = None
    """Key of the service; better set in its environment variable."""
    api_key_file: str | None = None
    """File that holds the key of the service, and nothing else."""

    @property
    def key(self) -> Secret | None:
        return given_key(self.api_key, self.api_key_file)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ActionOptions(Verbosity):
    """Actions instead of running the job."""

    preview: int | None = None
    """Show the captions of the first N pictures and stop; writes nothing."""
    estimate: bool = False
    """Caption a few pictures, print time, tokens and money of the whole run, and stop."""

    def check(self, *, save_job: str | None = None) -> None:
        """Raise ConfigError for actions that exclude each other."""
        Verbosity.check(self)
        actions = (self.preview is not None, self.estimate, save_job is not None)
        given = list(itertools.compress(("--preview", "--estimate", "--save-job"), actions))
        if len(given) > 1:
            raise ConfigError(f"{' and '.join(given)} exclude each other: give one of them")
