"""The key that a command's service is asked with."""

from __future__ import annotations

import dataclasses

from cutline.credentials import Secret, given_key


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ServiceKey:
    """A key, where it does not come from the environment."""

    api_key: str | None = None
    """Key of the service; better set in its environment variable."""
    api_key_file: str | None = None
    """File that holds the key of the service, and nothing else."""

    @property
    def key(self) -> Secret | None:
        return given_key(self.api_key, self.api_key_file)
