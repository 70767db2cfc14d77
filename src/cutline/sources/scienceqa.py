"""ScienceQA (Lu et al., NeurIPS 2022): questions with pictures, from ``problems.json`` and split folders."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import orjson

from cutline.errors import ConfigError
from cutline.files import name_to_text
from cutline.formatting import one_line
from cutline.locations.roots import ImageRoot
from cutline.records import Location, Problem, Sample
from cutline.serialization import decode_json
from cutline.sources.cells import first_text, metadata
from cutline.sources.input_files import dataset_folder, open_binary
from cutline.sources.names import UniqueKeys
from cutline.sources.options import SourceOptions
from cutline.sources.parts import Part, RowSource, copy_with, sample_at

if TYPE_CHECKING:
    from collections.abc import Iterator

_REPEAT = Problem(kind="duplicate", message="it came before", skip=True)
# Where the text part is below a copy of the project, or of its data folder.
_PLACES = ("", "scienceqa", "data/scienceqa", "data")


class ScienceQaSource(RowSource):
    """A sample for each problem; its key is the problem's id, its fields are the metadata.

    Problems without a picture are skips. ``text`` comes from ``captions.json`` where there is one;
    ``answer_text`` is the choice with the index ``answer``.
    """

    takes: ClassVar[frozenset[str]] = frozenset({"split", "image_root", "follow_links"})

    def __init__(self, path: str, options: SourceOptions | None = None) -> None:
        """Raises ConfigError when there is no such dataset or split, or a file of it is damaged."""
        super().__init__(path, options)
        options = self._options
        self._root = _root(path)
        self._problems = _object(self._root / "problems.json")
        splits = self._splits()
        wanted = options.split
        if wanted is not None and wanted not in splits:
            raise ConfigError(f"there is no split {wanted!r}; there are {', '.join(splits) or 'none'}")
        self._pids = list(self._problems) if wanted is None else splits[wanted]
        if not self._pids:
            raise ConfigError(f"{self._root / 'problems.json'} holds no problems to read")
        self._captions = self._captions_there()
        images = self._root / "images"
        root = options.image_root or str(images if images.is_dir() else self._root)
        self._images = ImageRoot(root, follow_links=options.follow_links)

    def _rows(self) -> Iterator[tuple[str]]:
        return zip(map(name_to_text, self._pids), strict=True)

    def shards(self, count: int) -> list[Self]:
        first = self._part.start
        parts = self._part.split(len(self._pids), count, map(name_to_text, self._pids))
        return [self._shard(part, self._pids[part.start - first : part.stop - first]) for part in parts]

    def _shard(self, part: Part, pids: list[str]) -> Self:
        """With its own problems and captions alone."""
        names = {*map(name_to_text, pids)}
        problems = {pid: self._problems[pid] for pid in names if pid in self._problems}
        captions = {pid: self._captions[pid] for pid in names if pid in self._captions}
        return copy_with(self, _part=part, _pids=pids, _problems=problems, _captions=captions)

    def count(self) -> int:
        return len(self._pids)

    def _sample(self, keys: UniqueKeys, *row: str) -> Sample:
        (pid,) = row
        key, problem = keys.unique(pid), self._problems.get(pid)
        if not isinstance(problem, dict):
            message = f"problem {pid} of the split is not in problems.json, or is not a JSON object there"
            return sample_at(key, Problem(kind="bad-row", message=message))
        return sample_at(
            key,
            self._find(pid, problem) if key == pid else _REPEAT,
            text=first_text(self._captions.get(pid)),
            metadata=_with_answer(metadata(problem)),
        )

    def _find(self, pid: str, problem: dict[str, Any]) -> Location | Problem:
        image, split = problem.get("image"), problem.get("split")
        if not image:
            return Problem(kind="no-image", message="the problem has no picture", skip=True)
        if not (isinstance(image, str) and isinstance(split, str)):
            return Problem(kind="bad-row", message=f"problem {pid}: its image or split is not a text")
        return self._images.find(f"{split}/{pid}/{image}", pid)[1]

    def _splits(self) -> dict[str, list[str]]:
        """The ids by split; without ``pid_splits.json`` by what the problems say of themselves."""
        file = self._root / "pid_splits.json"
        if file.exists():
            splits = _object(file)
            wrong = next((name for name, pids in splits.items() if not isinstance(pids, list)), None)
            if wrong is not None:
                raise ConfigError(f"{file}: {wrong!r} is not a list of problems")
            return {name: [str(pid) for pid in pids] for name, pids in splits.items()}
        splits = {}
        for pid, problem in self._problems.items():
            if isinstance(problem, dict) and isinstance(problem.get("split"), str):
                splits.setdefault(problem["split"], []).append(pid)
        return splits

    def _captions_there(self) -> Mapping[str, Any]:
        """The captions that come with the dataset: beside the problems, or beside their folder."""
        beside = [self._root.parent] if self._root.absolute().name == "scienceqa" else []
        for folder in (self._root, *beside):
            file = folder / "captions.json"
            if file.exists():
                data = _loaded(file)
                captions = data.get("captions") if isinstance(data, dict) else None
                if isinstance(captions, dict):
                    return captions
        return {}


def _root(path: str) -> Path:
    folder = dataset_folder(path, "ScienceQA")
    if folder.name == "problems.json":
        return folder.parent
    for place in _PLACES:
        if (folder / place / "problems.json").is_file():
            return folder / place
    raise ConfigError(f"{path} is not a ScienceQA: it holds no problems.json")


def _object(file: Path) -> dict[str, Any]:
    data = _loaded(file)
    if not isinstance(data, dict):
        raise ConfigError(f"{file}: a JSON object is needed, by the problems' ids or the splits' names")
    return data


def _loaded(file: Path) -> Any:
    try:
        with open_binary(str(file)) as stream:
            return decode_json(stream.read())
    except (orjson.JSONDecodeError, OSError) as error:
        raise ConfigError(f"{file} is not valid JSON: {one_line(error)}") from error


def _with_answer(data: dict[str, Any]) -> dict[str, Any]:
    answer, choices = data.get("answer"), data.get("choices")
    if isinstance(answer, int) and isinstance(choices, list) and 0 <= answer < len(choices):
        return {**data, "answer_text": choices[answer]}
    return data
