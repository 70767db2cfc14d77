"""Whether a node has what a job reads: found out before work begins there, rather than by each picture."""

# Paths stay strings: they may be patterns, and need not be valid.
# ruff: noqa: PTH110, PTH112, PTH202

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from cutline.engine.overlap import files_read
from cutline.files import content_digest
from cutline.imaging import EXTENSIONS
from cutline.job import Job
from cutline.sources.names import extension
from cutline.storage import is_remote, local_path

FOLDER = -1
"""In place of the size of a folder."""


def digests_of(job: Job) -> dict[str, str]:
    """The files that a job names, with the digests of their contents."""
    return {path: _digest(path) for path in files_read(job)}


def inputs_of(job: Job) -> dict[str, int]:
    """What of the input is on this machine, with sizes: the file, or the folder and one picture in it."""
    found: dict[str, int] = {}
    for path in (job.input_path, job.input.image_root):
        if path and not is_remote(path):
            found.update(_sizes(local_path(path)))
    return found


def _sizes(path: str) -> Iterator[tuple[str, int]]:
    with contextlib.suppress(OSError, ValueError):  # a pattern, or what the source refuses
        if not os.path.isdir(path):
            yield path, os.path.getsize(path)
            return
        yield path, FOLDER
        with os.scandir(path) as entries:  # other files may be what this run writes
            first = next((one for one in entries if extension(one.name) in EXTENSIONS), None)
        if first is not None and first.is_file():
            yield first.path, first.stat().st_size


def problem_here(folder: str, files: Mapping[str, str], inputs: Mapping[str, int]) -> str:
    """What this node lacks, as one line; empty for nothing. Makes ``folder`` the working folder."""
    try:
        os.chdir(folder)
    except OSError:
        return f"the folder {folder} is not there; start from one that all nodes share"
    for path, digest in files.items():
        if _digest(path) != digest:
            return f"{path} is missing or another file; put it where all nodes share it"
    for path, size in inputs.items():
        if not os.path.exists(path):
            return f"{path} of the input is not there; put the input where all nodes share it"
        if (FOLDER if os.path.isdir(path) else os.path.getsize(path)) != size:
            return f"{path} of the input is another one; put the input where all nodes share it"
    return ""


def _digest(path: str) -> str:
    try:
        return content_digest(Path(path).read_bytes())
    except OSError:
        return ""
