"""How much a command says while it works."""

from __future__ import annotations

import dataclasses
from typing import Annotated

from cyclopts import Parameter

from cutline.errors import ConfigError


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Saying:
    """How much is said."""

    verbose: Annotated[bool, Parameter(alias="-v")] = False
    """Say what happens to every picture and request."""
    quiet: Annotated[bool, Parameter(alias="-q")] = False
    """No progress and no summary; errors only."""

    def check(self) -> None:
        """Raises ConfigError for wishes that exclude each other."""
        if self.verbose and self.quiet:
            raise ConfigError("--verbose and --quiet exclude each other: give one of them")
