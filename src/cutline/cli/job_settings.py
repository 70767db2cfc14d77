"""The settings of an enrichment job, and the Job made from them."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Sequence
from pathlib import Path

from cutline.cli.job_container import Container, Hosts
from cutline.engine import assembly
from cutline.errors import ConfigError
from cutline.files import not_there
from cutline.imaging import EXTENSIONS
from cutline.job import Job
from cutline.sources import SourceOptions, detect
from cutline.sources.input_files import expand, on_storage
from cutline.sources.names import TABLE_EXTENSIONS, extension, is_tar
from cutline.sources.outputs import OutputFilter
from cutline.sources.table_files import open_table
from cutline.storage import is_remote, open_storage

OUTPUT_NAME = "captions.parquet"
_PARTS = frozenset({"parquet", "arrow"})
"""Tables that one dataset may consist of."""
_ENDINGS = tuple(f".{ending}" for ending in sorted(TABLE_EXTENSIONS))
_PATTERN = re.compile(r"[*?\[{]")
_OTHER_FORMATS = (".json", ".jsonl", ".ndjson", ".csv", ".tsv", ".tar")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class JobSettings:
    """The six settings of an enrichment job."""

    model_name: str | None = None
    """The model: one of your own, or any other. Environment: MODEL_NAME"""
    data_path: str | None = None
    """Folder of pictures or table of URLs, local or on `s3://…`. Environment: DATA_PATH"""
    prompt_path: str | None = None
    """JSON file with the prompt. Environment: PROMPT_PATH"""
    output_path: str | None = None
    """Folder or `.parquet` file, local or on `s3://…`. Environment: OUTPUT_PATH"""
    num_of_threads: int | None = None
    """Maximum number of concurrent requests. Environment: NUM_OF_THREADS [default: measured]"""
    image_target_size: int | None = None
    """Longest side of the pictures in pixels. Environment: IMAGE_TARGET_SIZE [default: 1024]"""


def fill_in(job: Job, settings: JobSettings, container: Container) -> Job:
    """Apply the settings to the job, with SageMaker's folders as defaults; raises ConfigError."""
    threads, size = settings.num_of_threads, settings.image_target_size
    if threads is not None and threads < 1:
        raise ConfigError(f"NUM_OF_THREADS must be greater than 0, not {threads}")
    if size is not None and size < 1:
        raise ConfigError(f"IMAGE_TARGET_SIZE must be greater than 0, not {size}: it is the longest side")
    data = settings.data_path or container.folder("DATA_PATH")
    output = settings.output_path or container.folder("OUTPUT_PATH")
    chained = job.model.chain is not None or job.model.step
    needed = {"MODEL_NAME": settings.model_name or chained, "DATA_PATH": data, "OUTPUT_PATH": output}
    missing = [variable for variable, value in needed.items() if not value]
    if missing or data is None or output is None:
        raise ConfigError(_missing(missing, container))
    data = _data(data)
    model, prompts, pictures, run = job.model, job.prompts, job.pictures, job.run
    if settings.model_name is not None:
        model = dataclasses.replace(model, model=settings.model_name)
    if settings.prompt_path is not None:
        prompts = dataclasses.replace(prompts, prompt=(_prompt(settings.prompt_path),))
    if size is not None:
        pictures = dataclasses.replace(pictures, max_side=size)
    if threads is not None:
        run = dataclasses.replace(run, max_concurrent_requests=threads)
    return dataclasses.replace(
        job,
        input_path=data,
        input=dataclasses.replace(job.input, url_column=_url_column(job, data)),
        output_path=_output(output, container.hosts()),
        output=dataclasses.replace(job.output, output_format="parquet"),
        model=model,
        prompts=prompts,
        pictures=pictures,
        run=run,
    )


def _missing(names: Sequence[str], container: Container) -> str:
    """The error for missing settings; names SageMaker's folders within its containers."""
    options = ", ".join("--" + name.lower().replace("_", "-") for name in names)
    listed = " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))
    verb, them = ("is", "it") if len(names) == 1 else ("are", "them")
    message = f"{listed} {verb} missing: set {them} in the environment, or pass {options}"
    folders = " and ".join(str(container.folders[name]) for name in names if name in container.folders)
    if folders and container.root.is_dir():
        message += f"; the default {folders} does not exist"
    return message


def gives_folder(settings: JobSettings) -> bool:
    """Whether the output is a folder, not a file."""
    return not (settings.output_path or "").lower().endswith(".parquet")


def _data(path: str) -> str:
    """The input; for a folder with one table and no picture, that table. Raises ConfigError."""
    if is_remote(path):
        path = path.rstrip("/")
        # Programs write large tables as a folder that is named like one.
        if extension(path) in TABLE_EXTENSIONS and not _PATTERN.search(path):
            system, root = open_storage(path)
            if on_storage(path, lambda: system.isdir(root)):
                return f"{path}/*.{extension(path)}"
        return path
    if not os.path.exists(path):  # noqa: PTH110 - a name may be too long for pathlib
        raise ConfigError(f"DATA_PATH: {not_there(path)}")
    tables = _tables(path) if Path(path).is_dir() else None
    if tables is None or (len(tables) > 1 and all(extension(name) in _PARTS for name in tables)):
        return path
    if not tables:
        raise ConfigError(f"DATA_PATH: {path} holds neither pictures nor a table")
    if len(tables) > 1:
        names = ", ".join(Path(name).name for name in tables[:5])
        raise ConfigError(f"DATA_PATH: {path} holds {len(tables)} tables ({names}): name one of them")
    return tables[0]


def _tables(folder: str) -> list[str] | None:
    """The tables in a folder and below; None if it has pictures or tars."""
    tables = []
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(name for name in names if not name.startswith(".")):
            if extension(name) in EXTENSIONS or is_tar(name):
                return None
            if extension(name) in TABLE_EXTENSIONS:
                tables.append(os.path.join(place, name))  # noqa: PTH118 - stays a string
    return OutputFilter(folder, None).inputs(tables)


def _url_column(job: Job, data: str) -> str | None:
    """The column of URLs: the one given, or ``url`` if a table has it; ConfigError for other data."""
    named = job.input.url_column
    kind = job.input.source_type or detect(data, assembly.source_options(job))
    if kind != "table" and (kind != "urls" or extension(data) not in TABLE_EXTENSIONS):
        if named is not None:
            raise ConfigError(
                f"URL_COLUMN is for a table, and DATA_PATH {data} is not one: remove one of them"
            )
        return None
    if named is not None or job.input.image_column is not None:
        return named
    _, files = expand(data, _ENDINGS)
    return "url" if "url" in open_table(files[0], SourceOptions()).columns else None


def _prompt(path: str) -> str:
    """The prompt file; a misspelt name is refused, not used as the prompt's text."""
    if is_remote(path):
        raise ConfigError(f"PROMPT_PATH must be a file on this machine, not {path}")
    if not Path(path).is_file():
        raise ConfigError(f"PROMPT_PATH: {not_there(path)}")
    if extension(Path(path).name) not in {"json", "toml", "txt"}:
        raise ConfigError(f"PROMPT_PATH must be a .json file, not {path}")
    return f"./{path}" if "=" in path and not path.startswith(("/", ".")) else path


def _output(path: str, hosts: Hosts) -> str:
    """The Parquet file; one for each host."""
    ending = next((ending for ending in _OTHER_FORMATS if path.lower().endswith(ending)), None)
    if ending is not None:
        raise ConfigError(f"OUTPUT_PATH must be a folder or end in .parquet, not in {ending}")
    if not path.lower().endswith(".parquet"):  # see ``gives_folder``
        path = f"{path.rstrip('/')}/{OUTPUT_NAME}"
    if hosts.count > 1:
        stem = path[: -len(".parquet")]
        path = f"{stem}-{hosts.number + 1}-of-{hosts.count}.parquet"
    return path
