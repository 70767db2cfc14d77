"""SageMaker's contract with a container: its folders, hosts and result files."""

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
"""Environment variable for another folder than /opt/ml."""
_MAX_MESSAGE = 1024  # bytes; SageMaker shows no more


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Hosts:
    """The hosts that share the work; ``number`` is this host's, from 0, in the order of their names."""

    number: int = 0
    count: int = 1


@dataclasses.dataclass(frozen=True, slots=True)
class Container:
    """The folder /opt/ml, which exists only within SageMaker."""

    root: Path
    environment: Mapping[str, str]

    @classmethod
    def here(cls) -> Self:
        return cls(Path(os.environ.get(ROOT) or "/opt/ml"), os.environ)

    @property
    def folders(self) -> Mapping[str, Path]:
        """Defaults for variables that are not set."""
        processing = self.root / "processing"
        return {"DATA_PATH": processing / "input", "OUTPUT_PATH": processing / "output"}

    def folder(self, variable: str) -> str | None:
        """The default for a variable, SageMaker's folder for input or output; None without that folder."""
        folder = self.folders[variable]
        return str(folder) if folder.is_dir() else None

    def hosts(self) -> Hosts:
        """This host's number and how many there are; raises ConfigError for an invalid description."""
        names, own = self._named_hosts()
        if not names:
            return Hosts()
        if own not in names:
            raise ConfigError(f"SM_CURRENT_HOST is {own!r}, which is not among the hosts {', '.join(names)}")
        return Hosts(number=sorted(names).index(own), count=len(names))

    def _named_hosts(self) -> tuple[list[str], str]:
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
        """Whether SageMaker gave each host its own part of the input at ``path``."""
        for entry in self._config("processingjobconfig.json").get("ProcessingInputs", ()):
            s3_input = entry.get("S3Input") or {}
            is_sharded = s3_input.get("S3DataDistributionType") == "ShardedByS3Key"
            if is_sharded and Path(path).is_relative_to(s3_input.get("LocalPath") or "/nowhere"):
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
        """Remove the result files of an earlier run."""
        for name in ("failure", "message"):
            with contextlib.suppress(OSError):
                (self.root / "output" / name).unlink(missing_ok=True)

    def report(self, message: str, *, failed: bool) -> None:
        """Write the final message where SageMaker reads it; does nothing elsewhere."""
        if not self.root.is_dir():
            return
        data = message.encode(errors="replace")[:_MAX_MESSAGE].decode(errors="ignore").encode()
        with contextlib.suppress(OSError):  # the log has the message too
            (self.root / "output").mkdir(exist_ok=True)
            for name in ("failure", "message") if failed else ("message",):
                (self.root / "output" / name).write_bytes(data)
