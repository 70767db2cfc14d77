"""The service's settings: from options, the environment, or a file of variables."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, PrivateAttr, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from cutline.credentials import given_key
from cutline.errors import ConfigError
from cutline.service.access import check_access, is_loopback
from cutline.service.env_files import PREFIX, env_file, with_harmless
from cutline.service.errors import value_message
from cutline.service.keys import read_keys, signing_keys
from cutline.service.variables import check_variables

LogLevel = Literal["debug", "info", "warning", "error", "critical"]
LogFormat = Literal["plain", "json"]

SECRETS: Final = ("service_key", "model_key", "webhook_secret")
"""Settings that may also be in a file, which ``…_file`` names."""
OPTIONS: Final = {
    "service_key": "api_key",
    "service_key_file": "api_key_file",
    "service_keys_file": "api_keys_file",
}
"""Options with another name than their setting: the variable CUTLINE_API_KEY is the key of an endpoint."""
_SETTINGS: Final = {option: name for name, option in OPTIONS.items()}
_ORIGIN: Final = re.compile(
    r"[A-Za-z][A-Za-z0-9+.-]*://(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?/?"
)
_PREFIX: Final = re.compile(r"(?:/[A-Za-z0-9._~-]+)+/?")


class Settings(BaseSettings):
    """Every field is a variable, such as ``CUTLINE_PORT``, and an option of the command, ``--port``.

    Its docstring is the option's help. The last fields, which bound what clients may send and for how long
    it is kept, are variables only.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_file=None, extra="ignore", frozen=True, use_attribute_docstrings=True
    )

    env_file: Path | None = None
    """File of variables. A `.env` in the current folder that is not named here may set limits only."""
    model: str = "pixels"
    """The model, as for `cutline caption`."""
    endpoint: str | None = None
    """URL of an OpenAI-compatible server."""
    header: Annotated[tuple[str, ...], NoDecode] = Field((), repr=False)
    """Header of every request to that server, `NAME: VALUE` or 'NAME: $VARIABLE'; several by repetition."""
    query: Annotated[tuple[str, ...], NoDecode] = Field((), repr=False)
    """Query parameter of these requests, `NAME=VALUE` or 'NAME=$VARIABLE'; several by repetition."""
    max_concurrent_requests: int | None = Field(None, ge=1)
    """Maximum number of requests to the model at a time, of each worker process. [default: measured]"""
    model_key: SecretStr | None = None
    """Key of that service; better set in its environment variable."""
    model_key_file: Path | None = None
    """File that holds the key of that service, and nothing else."""
    plugin: Annotated[tuple[str, ...], NoDecode] = ()
    """Python file with models of your own, which is run; several by repetition."""
    device: str = "auto"
    """Device of a local model."""
    dtype: str = "auto"
    """Numeric type of a local model."""
    start: bool = False
    """Start the model's own server (vllm, sglang, llamacpp, transformers-serve, ollama) with the service."""
    server_args: str | None = None
    """Further options for the server that is started, in one text."""
    start_timeout: float = 1800.0
    """Seconds that the started server may take to respond."""
    pull: bool = False
    """Have Ollama download the model, if it is missing."""
    host: str = "127.0.0.1"
    """Address to listen on; any but this machine's own needs --api-key."""
    port: int = Field(8000, ge=0, le=65535)
    """Port to listen on."""
    workers: int = Field(1, ge=1, le=64)
    """Worker processes; each loads the model."""
    log_level: LogLevel = "info"
    """Level of the log."""
    image_root: Annotated[tuple[Path, ...], NoDecode] = ()
    """Folder whose pictures requests may name by path; several by repetition."""
    chain: Annotated[tuple[Path, ...], NoDecode] = ()
    """Chain file that requests may select by name, or a folder of them; several by repetition."""
    check: Annotated[tuple[str, ...], NoDecode] = ()
    """Check of captions, as for `cutline caption`, such as `words=5..120:retry`; several by repetition."""
    check_retries: int | None = None
    """Number of further requests for a caption that a check with `:retry` refuses. [default: 2]"""
    retry_prompt: str | None = None
    """Prompt of these retries."""
    min_similarity: float | None = None
    """Drop sentences of captions whose similarity with the picture, by CLIP, is below this, such as 0.20."""
    similarity_model: str | None = None
    """CLIP or SigLIP for --min-similarity: name or folder."""
    filter: Annotated[tuple[str, ...], NoDecode] = ()
    """Filter of pictures, such as `size=256`; several by repetition."""
    model_alias: Annotated[tuple[str, ...], NoDecode] = ()
    """Name by which clients of OpenAI's API may call the model too, such as gpt-4o; several by repetition."""
    allowed_host: Annotated[tuple[str, ...], NoDecode] = ()
    """Host name that requests may use for this server, in addition to its address."""
    allowed_origin: Annotated[tuple[str, ...], NoDecode] = ()
    """Site whose pages may call this server, such as https://app.example; several by repetition."""
    root_path: str = ""
    """Prefix of all paths behind a proxy, such as /captions."""
    keep_alive: float = Field(75.0, gt=0)
    """Seconds that a connection may stay idle; more than a proxy or client keeps it."""
    access_log: bool = False
    """Log every request, by its route."""
    log_format: LogFormat = "plain"
    """Lines of the log: plain, or JSON objects."""
    service_key: SecretStr | None = None
    """Key that clients must send; better set in CUTLINE_SERVICE_KEY."""
    service_key_file: Path | None = None
    """File that holds the key that clients must send, and nothing else."""
    service_keys_file: Path | None = None
    """File with several keys, one `name: key` a line, which is read again when it changes."""
    insecure: bool = False
    """Allow other addresses than loopback without a key."""
    store: str = "sqlite:///cutline-jobs.db"
    """Database of the queue: `sqlite:///FILE` or `postgresql://…`."""
    webhook_secret: SecretStr | None = None
    """Enables `webhook_url` of jobs and signs its requests; better set in CUTLINE_WEBHOOK_SECRET."""
    webhook_secret_file: Path | None = None
    """File that holds the webhooks' secret, and nothing else."""
    allow_private_webhooks: bool = False
    """Allow webhooks to private addresses, such as those of your own network."""
    allow_private_urls: bool = False
    """Allow downloads from loopback and private addresses, for every client."""
    user_agent: str | None = None
    """User-Agent of downloads of pictures. [default: cutline with its version]"""
    max_body: int = Field(64_000_000, ge=1_000)  # bytes of a request
    max_pictures: int = Field(1_000, ge=1)  # of a batch or a job
    max_queued: int = Field(100_000, ge=1)  # pictures in the queue
    max_tokens: int = Field(1_024, ge=1)  # of a caption
    max_pixels: int = Field(64_000_000, ge=1)
    max_waiting: int = Field(1_000, ge=1)  # requests that are handled at a time
    max_held: int = Field(512_000_000, ge=1_000)  # bytes that those requests hold
    keep_days: float = Field(7.0, gt=0)  # of a job's results
    lease_seconds: float = Field(20.0, ge=1)  # without a sign of life from a worker, until others take over
    request_seconds: float = Field(300.0, gt=0)  # for a picture
    _is_key_found: bool = PrivateAttr(default=False)

    @field_validator("image_root", "chain", "plugin", "allowed_host", "model_alias", mode="before")
    @classmethod
    def _split(cls, value: Any, info: ValidationInfo) -> Any:
        """Several in one variable are separated by colons or commas; names of models have colons."""
        mark = "," if info.field_name == "model_alias" else r"[,:]"
        return tuple(part for part in re.split(mark, value) if part) if isinstance(value, str) else value

    @field_validator("header", "query", "check", "filter", mode="before")
    @classmethod
    def _lines(cls, value: Any) -> Any:
        """Several in one variable are separated by line breaks."""
        parts = value.splitlines() if isinstance(value, str) else value
        return tuple(part.strip() for part in parts if part.strip())

    @field_validator("allowed_origin", mode="before")
    @classmethod
    def _origins(cls, value: Any) -> Any:
        """Several in one variable are separated by commas or blanks."""
        parts = re.split(r"[,\s]+", value) if isinstance(value, str) else value
        for origin in filter(None, parts):
            if origin != "*" and not _ORIGIN.fullmatch(origin):
                raise ValueError(
                    f"{origin} is not an origin: give scheme, host and port, as https://app.example"
                )
        return tuple(filter(None, parts))

    @field_validator("root_path")
    @classmethod
    def _prefix(cls, value: str) -> str:
        if value and not _PREFIX.fullmatch(value):
            raise ValueError("must begin with / and hold letters, digits and -._~ only, as /captions")
        return value.rstrip("/")

    @field_validator(*SECRETS, *(f"{name}_file" for name in SECRETS), mode="before")
    @classmethod
    def _without_empty_key(cls, value: Any) -> Any:
        """An empty variable, as in a compose file, counts as not set."""
        return value.strip() or None if isinstance(value, str) else value

    @classmethod
    def read(cls, given: dict[str, Any]) -> Self:
        """From options, environment, and files of variables and secrets; raises ConfigError."""
        given = {_SETTINGS.get(name, name): value for name, value in given.items()}
        file = env_file(given)
        check_variables(cls.model_fields, file)
        is_key_found = bool(given.pop("is_key_found", False))  # of the process that started this one
        if file is None:
            given, found = with_harmless(given)
            is_key_found = is_key_found or found
        for name in SECRETS:
            if given.get(name) == "":  # an unset variable of the shell, not a request to have no key
                raise ConfigError(f"{_option(name)} is empty: give a key, or remove it")
        try:
            settings = cls(_env_file=file, **given)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            name = str(first["loc"][0])
            option = f"{_option(name)} or " if cls.model_fields[name].description else ""
            raise ConfigError(f"{option}CUTLINE_{name.upper()}: {value_message(first)}") from None
        settings._is_key_found = is_key_found
        return settings.model_copy(update={name: settings._secret(name, given) for name in SECRETS})

    def _secret(self, name: str, given: dict[str, Any]) -> SecretStr | None:
        """The secret itself or what its file holds; options take precedence over the environment."""
        value: SecretStr | None = getattr(self, name)
        file: Path | None = getattr(self, f"{name}_file")
        if (name in given) != (f"{name}_file" in given):
            value, file = (value, None) if name in given else (None, file)
        if file is None:
            return value
        key = given_key(value.get_secret_value() if value else None, file, option=_option(name))
        return SecretStr(key.reveal()) if key else None

    @property
    def has_key(self) -> bool:
        """Whether there is a key. One of a ``.env`` in the current folder opens the service to nobody."""
        has_own = self.service_key is not None and not self._is_key_found
        return has_own or self.service_keys_file is not None

    def to_json(self) -> str:
        """All settings with their secrets, for a process that this one starts."""
        values = self.model_dump(mode="json")
        for name in SECRETS:
            secret = getattr(self, name)
            values[name] = secret.get_secret_value() if secret else None
            values[f"{name}_file"] = None
        return json.dumps(values | {"is_key_found": self._is_key_found})

    def verify(self) -> None:
        """Raise ConfigError for settings that cannot work, or open the service to others without a key."""
        check_access(self, "service")
        if self.service_keys_file is not None:
            read_keys(self.service_keys_file)
        for root in self.image_root:
            if not root.is_dir():
                raise ConfigError(f"--image-root {root} is not a folder")
        _ = self.webhook_keys

    @property
    def webhook_keys(self) -> tuple[bytes, ...]:
        """Keys that sign webhooks; none without a secret. Raises ConfigError."""
        secret = self.webhook_secret
        return () if secret is None else signing_keys(secret.get_secret_value())

    @property
    def is_loopback(self) -> bool:
        return is_loopback(self.host)


def _option(name: str) -> str:
    return f"--{OPTIONS.get(name, name).replace('_', '-')}"
