"""The studio's settings."""

from __future__ import annotations

import contextlib
import dataclasses
import ipaddress
from pathlib import Path

from pydantic import SecretStr

from cutline.app_dirs import cache_dir
from cutline.credentials import Secret
from cutline.dataset.dataset import Dataset
from cutline.errors import ConfigError
from cutline.files import name_to_text


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
    """Folders below which the page may open datasets; what the command names is open in any case."""
    ending: str = ".txt"
    """Ending of the captions' files."""
    one_a_line: bool = False
    text_encoding: str | None = None
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
        """Raise ConfigError for settings that open the studio to others without a key, or cannot hold."""
        if not self.is_loopback and not self.has_key and not self.insecure:
            raise ConfigError(
                f"--host {self.host} can be reached by others: set --api-key, "
                "or pass --insecure if that is meant"
            )
        if self.service_key is not None:
            Secret(self.service_key.get_secret_value()).check()
        if "*" in self.allowed_origin and not self.has_key:
            raise ConfigError("--allowed-origin '*' lets every site use the studio: set --api-key as well")
        for root in self.roots:
            if not root.is_dir():
                raise ConfigError(f"--root {root} is not a folder")

    def may_open(self, folder: str) -> bool:
        """Whether a page may open a folder: after links are followed, it is a root or below one."""
        try:
            found = Path(folder).resolve()
            return any(found.is_relative_to(root.resolve()) for root in self.roots)
        except (OSError, ValueError, RuntimeError):  # a null character, a loop of links
            return False

    def open(self, folder: str) -> Dataset:
        """Raises ConfigError: it is no folder of pictures, or its history cannot be used."""
        dataset = Dataset(
            folder,
            ending=self.ending,
            one_a_line=self.one_a_line,
            text_encoding=self.text_encoding,
            cache=cache_dir() / "captions",
        )
        if not len(dataset):
            dataset.close()
            raise ConfigError(f"there are no pictures in {name_to_text(folder)}")
        return dataset
