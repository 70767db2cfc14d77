"""What a service is told when it starts: by options, by the environment, or by a ``.env`` file."""

from __future__ import annotations

import ipaddress
import json
import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, DotEnvSettingsSource, NoDecode, SettingsConfigDict

from cutline.credentials import Secret, given_key
from cutline.errors import ConfigError
from cutline.service.environment import PREFIX, unread
from cutline.service.request_errors import words
from cutline.service.signatures import key_of

LogLevel = Literal["debug", "info", "warning", "error", "critical"]


SECRETS = ("service_key", "model_key", "webhook_secret")
"""Settings that may be in a file too, which ``…_file`` names."""
_OPTIONS = {"service_key": "api_key", "service_key_file": "api_key_file"}
"""Options whose setting has another name: as a variable, CUTLINE_API_KEY is the key of an endpoint."""
_SETTINGS = {option: name for name, option in _OPTIONS.items()}
_WITHOUT_OPTION = ("max_", "keep_", "lease_", "request_")


class Settings(BaseSettings):
    """Every field is an environment variable too: ``CUTLINE_PORT``, ``CUTLINE_MODEL`` and so on.

    ``image_root``: folders below which the paths of requests may lie; none means that paths are refused.
    ``chain``: chain files, or folders of them, that requests may choose by the files' names.
    ``max_*`` bound what one client may ask for: bytes of a request, pictures of a batch, pictures that
    wait in the queue, tokens of an answer. ``max_waiting`` requests, which hold ``max_held`` bytes, are
    worked on at one time, each for ``request_seconds`` at most. ``keep_days``: how long results are kept.
    ``lease_seconds``: after which another takes up the pictures of a worker that gives no sign of life.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_file=".env", extra="ignore", frozen=True)

    host: str = "127.0.0.1"
    port: int = Field(8000, ge=0, le=65535)
    workers: int = Field(1, ge=1, le=64)
    log_level: LogLevel = "info"
    model: str = "pixels"
    endpoint: str | None = None
    model_key: SecretStr | None = None
    model_key_file: Path | None = None
    plugin: Annotated[tuple[str, ...], NoDecode] = ()
    device: str = "auto"
    dtype: str = "auto"
    start: bool = False
    server_args: str | None = None
    start_timeout: float | None = None
    pull: bool = False
    service_key: SecretStr | None = None
    service_key_file: Path | None = None
    insecure: bool = False
    image_root: Annotated[tuple[Path, ...], NoDecode] = ()
    chain: Annotated[tuple[Path, ...], NoDecode] = ()
    allowed_host: Annotated[tuple[str, ...], NoDecode] = ()
    store: str = "sqlite:///cutline-jobs.db"
    max_body: int = Field(64_000_000, ge=1_000)
    max_pictures: int = Field(1_000, ge=1)
    max_queued: int = Field(100_000, ge=1)
    max_tokens: int = Field(1_024, ge=1)
    max_pixels: int = Field(64_000_000, ge=1)
    max_waiting: int = Field(1_000, ge=1)
    max_held: int = Field(512_000_000, ge=1_000)
    keep_days: float = Field(7.0, gt=0)
    lease_seconds: float = Field(20.0, ge=1)
    webhook_secret: SecretStr | None = None
    webhook_secret_file: Path | None = None
    allow_private_webhooks: bool = False
    allow_private_urls: bool = False
    request_seconds: float = Field(300.0, gt=0)

    @field_validator("image_root", "chain", "plugin", "allowed_host", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        """Several in one variable are parted by colons and commas."""
        return tuple(part for part in re.split(r"[,:]", value) if part) if isinstance(value, str) else value

    @field_validator(*SECRETS, *(f"{name}_file" for name in SECRETS), mode="before")
    @classmethod
    def _no_empty_key(cls, value: Any) -> Any:
        """A variable that is set to nothing, as in a compose file, is none: everybody would know that key."""
        return value.strip() or None if isinstance(value, str) else value

    @classmethod
    def read(cls, given: dict[str, Any]) -> Self:
        """The settings from options, environment and ``.env``, with the secrets that are in files.

        Raises:
            ConfigError: one of them cannot be used, or read, or is nearly the name of a setting; names it.
        """
        cls.unread()
        given = {_SETTINGS.get(name, name): value for name, value in given.items()}
        for name in SECRETS:
            if given.get(name) == "":  # a variable of the shell that is not set, and no wish to have none
                raise ConfigError(f"{_option(name)} is empty: give a key, or leave it out")
        try:
            settings = cls(**given)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            name = str(first["loc"][0])
            option = "" if name.startswith(_WITHOUT_OPTION) else f"{_option(name)} or "
            raise ConfigError(f"{option}CUTLINE_{name.upper()}: {words(first)}") from None
        return settings.model_copy(update={name: settings._secret(name, given) for name in SECRETS})

    @classmethod
    def unread(cls) -> list[str]:
        """Variables of the environment and of ``.env`` that are no setting; raises as ``read``."""
        places = {"": os.environ, "in .env": DotEnvSettingsSource(cls).env_vars}
        return unread(cls.model_fields, places)

    def _secret(self, name: str, given: dict[str, Any]) -> SecretStr | None:
        """The secret itself or what its file holds; options go before the environment."""
        said: SecretStr | None = getattr(self, name)
        file: Path | None = getattr(self, f"{name}_file")
        if name in given and f"{name}_file" not in given:
            file = None
        if f"{name}_file" in given and name not in given:
            said = None
        if file is None:
            return said
        key = given_key(said.get_secret_value() if said else None, file, option=_option(name))
        return SecretStr(key.reveal()) if key else None

    def to_json(self) -> str:
        """Everything, secrets too, for a process that this one starts."""
        values = self.model_dump(mode="json")
        for name in SECRETS:
            secret = getattr(self, name)
            values[name] = secret.get_secret_value() if secret else None
            values[f"{name}_file"] = None
        return json.dumps(values)

    def of_the_server(self) -> dict[str, Any]:
        """What is said of the model's own server, by the names of a job's options."""
        names = ("start", "server_args", "start_timeout", "pull")
        return {name: value for name in names if (value := getattr(self, name)) is not None}

    def check(self) -> None:
        """Find what must not be before a socket is opened.

        Raises:
            ConfigError: the service would be open to others without a key, or no client could send it; a
                root is no folder, or the webhooks' secret cannot be read.
        """
        if not self.is_loopback and self.service_key is None and not self.insecure:
            raise ConfigError(
                f"--host {self.host} can be reached by others: set --api-key, "
                "or say --insecure if that is meant"
            )
        if self.service_key is not None:
            Secret(self.service_key.get_secret_value()).check()
        for root in self.image_root:
            if not root.is_dir():
                raise ConfigError(f"--image-root {root} is no folder")
        if self.webhook_secret is not None:
            key_of(self.webhook_secret.get_secret_value())

    @property
    def is_loopback(self) -> bool:
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


def _option(name: str) -> str:
    return f"--{_OPTIONS.get(name, name).replace('_', '-')}"
