"""Who may call a server: this machine alone, or whoever has its key."""

from __future__ import annotations

import contextlib
import ipaddress
from typing import Protocol

from pydantic import SecretStr

from cutline.credentials import Secret
from cutline.errors import ConfigError


class AccessSettings(Protocol):
    """Where a server listens, and who may call it. ``has_key``: whether every request needs one."""

    @property
    def host(self) -> str: ...
    @property
    def is_loopback(self) -> bool: ...
    @property
    def has_key(self) -> bool: ...
    @property
    def insecure(self) -> bool: ...
    @property
    def service_key(self) -> SecretStr | None: ...
    @property
    def allowed_origin(self) -> tuple[str, ...]: ...


def is_loopback(host: str) -> bool:
    """Whether an address can be reached from this machine only."""
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"


def check_access(settings: AccessSettings, server: str) -> None:
    """Raise ConfigError for settings that open a server to others without a key; ``server`` names it."""
    if not settings.is_loopback and not settings.has_key and not settings.insecure:
        raise ConfigError(
            f"--host {settings.host} can be reached by others: set --api-key, "
            "or pass --insecure if that is intended"
        )
    if settings.service_key is not None:
        Secret(settings.service_key.get_secret_value()).check()
    if "*" in settings.allowed_origin and not settings.has_key:
        raise ConfigError(f"--allowed-origin '*' lets every site use the {server}: set --api-key as well")
