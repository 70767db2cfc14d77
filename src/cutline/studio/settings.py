"""The studio's settings."""

from __future__ import annotations

import contextlib
import dataclasses
import ipaddress
from pathlib import Path

from pydantic import SecretStr

from cutline.errors import ConfigError


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StudioSettings:
    """Where the studio listens, who may call it, and what it may open."""

    host: str = "127.0.0.1"
    port: int = 8642
    service_key: SecretStr | None = None
    service_keys_file: Path | None = None
    insecure: bool = False
    allowed_host: tuple[str, ...] = ()
    allowed_origin: tuple[str, ...] = ()
    roots: tuple[Path, ...] = ()
    """Folders below which the page may open datasets."""
    max_body: int = 64_000_000
    max_pictures: int = 1_000

    @property
    def has_key(self) -> bool:
        return self.service_key is not None or self.service_keys_file is not None

    @property
    def is_loopback(self) -> bool:
        with contextlib.suppress(ValueError):
            return ipaddress.ip_address(self.host).is_loopback
        return self.host == "localhost"

    def check(self) -> None:
        """Raise ConfigError for settings that open the studio to others without a key."""
        if not self.is_loopback and not self.has_key and not self.insecure:
            raise ConfigError(
                f"--host {self.host} can be reached by others: set --api-key, "
                "or pass --insecure if that is meant"
            )
