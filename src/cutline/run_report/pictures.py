"""The thumbnails of the page's pictures, found by their keys."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final

from cutline.dataset.held_pictures import RecordedInput
from cutline.engine.recorded_captions import places_in
from cutline.errors import CutlineError, PictureError
from cutline.files import text_to_name
from cutline.formatting import stored_key
from cutline.imaging import Picture
from cutline.imaging.thumbnails import Thumbnail, thumbnail
from cutline.locations.loader import PictureLoader
from cutline.locations.stored import LocalFile
from cutline.records import Sample
from cutline.run_report.recorded_run import RecordedRun
from cutline.storage import is_remote

SIDE: Final = 220
"""Pixels of a thumbnail."""
MOST_BYTES: Final = 12_000_000
"""Maximum size of all thumbnails together; further ones are omitted."""


async def thumbnails_of(run: RecordedRun, *, allow_private: bool = False) -> dict[str, Thumbnail]:
    """The thumbnails of the page's pictures by key, without unreadable ones."""
    found: dict[str, Thumbnail] = {}
    size = 0
    loader = PictureLoader(allow_private=allow_private)
    try:
        for key, sample in (await asyncio.to_thread(locate, run)).items():
            if size > MOST_BYTES:
                break
            with contextlib.suppress(PictureError, MemoryError):
                picture = Picture(await loader.locate(sample))
                found[key] = await asyncio.to_thread(thumbnail, picture, SIDE)
                size += len(found[key].url)
    finally:
        await loader.aclose()
    return found


def locate(run: RecordedRun) -> dict[str, Sample]:
    """The locations of the pictures: from the output and the list of failures, else from the run's input."""
    wanted, recorded = run.keys, RecordedInput.of(run.settings)
    found: dict[str, Sample] = {}
    for sample in itertools.chain(_recorded(run.output, wanted), _beside(recorded.path, wanted)):
        key = stored_key(sample.key)
        if key not in found and _is_there(sample):
            found[key] = sample
    return found | _listed(recorded, wanted - found.keys())


def _recorded(output: str, wanted: Collection[str]) -> Iterator[Sample]:
    if not is_remote(output):
        with contextlib.suppress(CutlineError, OSError, ValueError, KeyError):  # sidecars, or no output yet
            yield from places_in(output, wanted)


def _beside(place: str, wanted: Collection[str]) -> Iterator[Sample]:
    """Keys as paths below the input, if that is a folder."""
    if place and not is_remote(place) and Path(place).is_dir():
        for key in wanted:
            if ".." not in key.split("/"):
                yield Sample(key=key, location=LocalFile(str(Path(place) / text_to_name(key))))


def _is_there(sample: Sample) -> bool:
    location = sample.location
    if location is None:
        return False
    file = location.file()
    return file is None or Path(file).is_file()


def _listed(recorded: RecordedInput, wanted: Collection[str]) -> dict[str, Sample]:
    """The samples with these keys in the run's input, which is listed until all are found."""
    found: dict[str, Sample] = {}
    if not recorded.path or not wanted:
        return found
    with contextlib.suppress(CutlineError, OSError, ValueError):
        for name, location in recorded.pictures():
            if (key := stored_key(name)) in wanted:
                found[key] = Sample(key=name, location=location)
                if len(found) == len(wanted):
                    break
    return found
