"""The studio's settings."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from pydantic import SecretStr

from cutline.app_dirs import cache_dir
from cutline.dataset.dataset import Dataset
from cutline.dataset.input_options import TableOptions
from cutline.dataset.inputs import Listed
from cutline.errors import ConfigError
from cutline.files import name_to_text
from cutline.service.access import check_access, is_loopback
from cutline.service.chains import chain_files
from cutline.studio.folders import is_below


class NoPictures(ConfigError):
    """The folder has no pictures."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StudioSettings:
    """Address, access and folders of the studio."""

    host: str = "127.0.0.1"
    port: int = 8642
    service_key: SecretStr | None = None
    service_keys_file: Path | None = None
    insecure: bool = False
    allowed_host: tuple[str, ...] = ()
    allowed_origin: tuple[str, ...] = ()
    roots: tuple[Path, ...] = ()
    """Folders that the page may open, with their sub-folders."""
    ending: str = ".txt"
    """Ending of the captions' files."""
    one_a_line: bool = False
    text_encoding: str | None = None
    endpoint: tuple[str, ...] = ()
    """Servers that pages may request captions from, if other machines can call the studio."""
    chain: tuple[Path, ...] = ()
    """Chain files, or folders of them, that pages may choose by name."""
    plugin: tuple[str, ...] = ()
    """Python files with captioners."""
    tables: TableOptions = dataclasses.field(default_factory=TableOptions)
    max_body: int = 64_000_000
    max_pictures: int = 10_000_000
    """Row numbers in a request; limited only by ``max_body``."""

    @property
    def has_key(self) -> bool:
        return self.service_key is not None or self.service_keys_file is not None

    @property
    def is_loopback(self) -> bool:
        return is_loopback(self.host)

    @property
    def chains(self) -> dict[str, Path]:
        """The chain files by name without extension."""
        return {path.stem: path for path in chain_files(self.chain)}

    def check(self) -> None:
        """Raise ConfigError for settings that are invalid, or open the studio to others without a key."""
        check_access(self, "studio")
        for path in self.chain:
            if not path.exists():
                raise ConfigError(f"--chain {path}: there is no such file or folder")
        for plugin in self.plugin:
            if not Path(plugin).is_file():
                raise ConfigError(f"--plugin {plugin}: there is no such file")
        self.chains  # noqa: B018 - raises where a name is not clear
        for root in self.roots:
            if not root.is_dir():
                raise ConfigError(f"--root {root} is not a folder")

    def may_open(self, folder: str) -> bool:
        """Whether a page may open a folder: its real path is a root or below one."""
        return is_below(folder, self.roots)

    def open(self, folder: str, listed: Listed | None = None) -> Dataset:
        """Open a folder; ``listed`` is called with the number of pictures so far.

        Raises:
            NoPictures: there are none.
            ConfigError: it cannot be opened, or its history cannot be used.
        """
        # What the page opens stays below the roots; who starts the studio may name any other output.
        roots = tuple(map(str, self.roots)) if self.may_open(folder) else None
        dataset = Dataset(
            folder,
            ending=self.ending,
            one_a_line=self.one_a_line,
            text_encoding=self.text_encoding,
            cache=cache_dir() / "captions",
            tables=dataclasses.replace(self.tables, input_roots=roots),
            listed=listed,
        )
        if not len(dataset):
            dataset.close()
            raise NoPictures(f"there are no pictures in {name_to_text(folder)}")
        return dataset
