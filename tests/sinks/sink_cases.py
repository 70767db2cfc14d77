"""Outcomes as they come in life, and readers that know nothing of cutline."""

from __future__ import annotations

import csv
import dataclasses
import json
import sys
import tarfile
from pathlib import Path
from urllib.parse import unquote

from cutline import sinks
from cutline.records import Caption, Location, Reply, Sample, Step, Usage
from cutline.sinks.failures import FailuresSink

FORMATS = ["json", "jsonl", "csv", "tsv", "parquet", "webdataset", "sidecar", "scienceqa"]
NESTED = {"metadata", "captions", "fields", "steps", "llm"}
JPEG = b"\xff\xd8\xff\xe0 the rest of a picture"
csv.field_size_limit(sys.maxsize)


@dataclasses.dataclass(frozen=True)
class Place(Location):
    name: str

    @property
    def path(self) -> str:
        return self.name

    def read(self) -> bytes:
        return JPEG


def output_of(folder: Path, form: str) -> Path:
    return folder / {
        "webdataset": "shards",
        "sidecar": "texts",
        "scienceqa": "captions.json",
    }.get(form, f"captions.{form}")


def state_of(output: Path) -> Path:
    return output.with_name(output.name + ".cutline")


def failures_of(output):
    return Path(f"{output}.failures.jsonl")


def make(folder: Path, form: str, **options: object):
    """The sink under test, as the engine makes it."""
    output = output_of(folder, "json" if form == "failures" else form)
    state_of(output).mkdir(parents=True, exist_ok=True)
    options = sinks.SinkOptions(**{"samples_per_shard": 3, **options})
    if form == "failures":
        return FailuresSink(failures_of(output), state_of(output), options)
    return sinks.open_sink(str(output), form, state_of(output), options)


def published(folder: Path) -> dict[str, bytes]:
    """Every file under ``folder`` but the state's, by name."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not any(part.endswith(".cutline") for part in path.parts)
    }


def read_rows(folder: Path, form: str) -> list[dict]:
    """The rows of an output, nested values decoded, as another program finds them."""
    output = output_of(folder, form)
    if form == "json":
        return json.loads(output.read_bytes())
    if form == "scienceqa":
        captions = json.loads(output.read_bytes())["captions"]
        return [{"image_id": key, "caption": text} for key, text in captions.items()]
    if form == "jsonl":
        return [json.loads(line) for line in output.read_bytes().split(b"\n")[:-1]]
    if form in {"csv", "tsv"}:
        with output.open(newline="", encoding="utf-8") as file:
            return [_typed(row) for row in csv.DictReader(file, delimiter="," if form == "csv" else "\t")]
    if form == "parquet":
        from pyarrow import parquet

        rows = parquet.read_table(output).to_pylist()
        return [
            {k: json.loads(v) if k in NESTED and isinstance(v, str) else v for k, v in r.items()}
            for r in rows
        ]
    if form == "webdataset":
        return [json.loads(members["json"]) for _, members in read_shards(output)]
    raise AssertionError(form)


def _typed(row: dict[str, str]) -> dict:
    """CSV has only text: what each column is meant to hold."""
    numbers = {"prompt_tokens": int, "completion_tokens": int, "seconds": float}
    return {
        name: json.loads(value)
        if name in NESTED and value
        else numbers.get(name, str)(value)
        if value
        else None
        for name, value in row.items()
    }


def read_shards(output: Path) -> list[tuple[str, dict[str, bytes]]]:
    """Samples of all shards, split and grouped by the webdataset library, with the true keys."""
    from webdataset.tariterators import group_by_keys, tar_file_iterator

    found = []
    for shard in sorted(output.glob("*.tar")):
        with shard.open("rb") as file:
            members = ({**member, "__url__": str(shard)} for member in tar_file_iterator(file))
            for sample in group_by_keys(members):
                kinds = {kind: data for kind, data in sample.items() if not kind.startswith("__")}
                found.append((unquote(sample["__key__"]), kinds))
    return found


def tar_names(output: Path) -> list[str]:
    names = []
    for shard in sorted(output.glob("*.tar")):
        with tarfile.open(shard) as tar:
            names += tar.getnames()
    return names


def caption(text: str, *, steps: int = 1, tokens: int = 7, fields=None, raw=None) -> dict:
    made = tuple(
        Step(
            name=f"step{number}",
            prompt_id=f"p@{number}",
            text=text,
            reply=Reply(
                text=text,
                model="m",
                usage=Usage(prompt_tokens=tokens, completion_tokens=2),
                finish_reason="stop",
                seconds=0.25,
                raw=raw,
            ),
        )
        for number in range(steps)
    )
    return {"text": text, "steps": made, "fields": fields}


def pairs(count: int, text: str = "a dog") -> list[tuple[Sample, Caption]]:
    """Plain samples, captioned: ``d/000.jpg`` and so on."""
    made = []
    for number in range(count):
        key = f"d/{number:03}.jpg"
        sample = Sample(key=key, location=Place(f"/data/{key}"), metadata={"n": number})
        made.append((sample, Caption(key=key, **caption(f"{text} {number}"))))
    return made


def fill(sink, items) -> None:
    for sample, outcome in items:
        sink.write(sample, outcome, JPEG + sample.key.encode() if sink.needs_picture else None)
