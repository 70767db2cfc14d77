"""Where a job runs: the folders that SageMaker gives a container, its hosts, and what it wants to be told."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import orjson

from cutline.errors import ConfigError

ROOT = "CUTLINE_ML_ROOT"
"""The environment variable that names another folder than /opt/ml."""
_LONGEST = 1024  # bytes, of which SageMaker shows no more


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Hosts:
    """Who shares the work: ``number`` counts from 0 in the order of the hosts' names."""

    number: int = 0
    count: int = 1


@dataclasses.dataclass(frozen=True, slots=True)
class Container:
    """The folder /opt/ml, which outside of SageMaker is not there."""

    root: Path
    environment: Mapping[str, str]

    @classmethod
    def here(cls) -> Self:
        return cls(Path(os.environ.get(ROOT) or "/opt/ml"), os.environ)

    @property
    def folders(self) -> Mapping[str, Path]:
        """What takes the place of a variable that is not set."""
        processing = self.root / "processing"
        return {"DATA_PATH": processing / "input", "OUTPUT_PATH": processing / "output"}

    @property
    def input(self) -> str | None:
        """Where SageMaker puts a processing job's input; None where there is no such folder."""
        return _folder(self.folders["DATA_PATH"])

    @property
    def output(self) -> str | None:
        """What SageMaker uploads when a processing job has ended."""
        return _folder(self.folders["OUTPUT_PATH"])

    def hosts(self) -> Hosts:
        """Which of how many hosts this is.

        Raises:
            ConfigError: what is said of the hosts makes no sense.
        """
        names, own = self._hosts_told()
        if not names:
            return Hosts()
        if own not in names:
            raise ConfigError(f"SM_CURRENT_HOST is {own!r}, which is not among the hosts {', '.join(names)}")
        return Hosts(number=sorted(names).index(own), count=len(names))

    def _hosts_told(self) -> tuple[list[str], str]:
        listed = self.environment.get("SM_HOSTS", "")
        if listed:
            try:
                names = orjson.loads(listed)
            except orjson.JSONDecodeError:
                names = None
            if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
                raise ConfigError(
                    f'SM_HOSTS must be a JSON list, such as ["algo-1","algo-2"], not {listed!r}'
                )
            return names, self.environment.get("SM_CURRENT_HOST", "")
        config = self._config("resourceconfig.json")
        return list(config.get("hosts", ())), str(config.get("current_host", ""))

    def is_divided(self, path: str) -> bool:
        """Whether SageMaker gave each host another part of the input that lies at ``path``."""
        for one in self._config("processingjobconfig.json").get("ProcessingInputs", ()):
            told = one.get("S3Input") or {}
            place = Path(told.get("LocalPath") or "/nowhere")
            if told.get("S3DataDistributionType") == "ShardedByS3Key" and Path(path).is_relative_to(place):
                return True
        return False

    def _config(self, name: str) -> dict[str, Any]:
        path = self.root / "config" / name
        try:
            config = orjson.loads(path.read_bytes())
        except FileNotFoundError:
            return {}
        except (OSError, orjson.JSONDecodeError) as error:
            raise ConfigError(f"{path} cannot be read: {error}") from None
        return config if isinstance(config, dict) else {}

    def begin(self) -> None:
        """Take away what an earlier run said of its end."""
        for name in ("failure", "message"):
            with contextlib.suppress(OSError):
                (self.root / "output" / name).unlink(missing_ok=True)

    def tell(self, message: str, *, failed: bool) -> None:
        """Leave the last word where SageMaker looks for it; nothing happens where nobody does."""
        if not self.root.is_dir():
            return
        data = message.encode(errors="replace")[:_LONGEST].decode(errors="ignore").encode()
        with contextlib.suppress(OSError):  # the same words are in the log
            (self.root / "output").mkdir(exist_ok=True)
            for name in ("failure", "message") if failed else ("message",):
                (self.root / "output" / name).write_bytes(data)


def _folder(path: Path) -> str | None:
    return str(path) if path.is_dir() else None
