"""The ``captions.json`` of ScienceQA: one object with the captions by problem.

Layout as in ``tools/generate_caption.py`` of https://github.com/lupantech/ScienceQA: what is known of the
model at the top, then ``captions``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from cutline.interfaces import Sink
from cutline.records import JSON, Caption, Outcome, Sample
from cutline.serialization import decode_object, encode_json, valid_unicode
from cutline.sinks.merge import Before, MergedStore
from cutline.sinks.options import SinkOptions


class ScienceQaSink(Sink):
    """``{"model": …, "prompt": …, "captions": {key: caption}}``, of any source.

    Captions of other pictures that are in the file stay there, as do its other values. With
    ``existing="skip"`` a caption that is there always stays.
    """

    keeps_captions = True

    def __init__(self, output: str, state: Path, options: SinkOptions) -> None:
        self._existing = options.existing
        self._store = MergedStore(output, state, options, _captions_file, self._convert)

    def open(self, mark: JSON | None) -> None:
        self._store.open(mark)

    def existing_text(self, sample: Sample) -> str | None:
        """The caption that was in the file before this job; else, with ``existing``, the sample's own."""
        there = _captions(self._store.before).get(valid_unicode(sample.key))
        if isinstance(there, str) and there.strip():
            return there.strip()
        return sample.text if self._existing is not None else None

    def write(self, sample: Sample, outcome: Outcome, picture: bytes | None) -> None:  # noqa: ARG002
        if isinstance(outcome, Caption):
            step = outcome.source
            row = {"key": valid_unicode(sample.key), "caption": outcome.text}
            made_by = {"model": step.reply.model, "prompt": step.prompt_id} if step else {}
            self._store.append(encode_json({**row, **made_by}) + b"\n")

    def commit(self) -> JSON:
        return self._store.commit()

    def finish(self) -> None:
        self._store.finish()

    def close(self) -> None:
        self._store.close()

    @property
    def outputs(self) -> list[Path | str]:
        return self._store.outputs

    def _convert(self, before: Before, rows: Path, part: Path) -> None:
        """Those that were there keep their place; the rows are read once more, not held."""
        there = _captions(before)
        keep = {key for key, words in there.items() if words} if self._existing == "skip" else set()
        ours = {row["key"]: row["caption"] for row in _rows(rows) if row["key"] in there}
        merged = {key: words if key in keep else ours.get(key, words) for key, words in there.items()}
        joined = self._existing in {"append", "prepend"}
        remains = any(joined or key in keep or key not in ours for key in there)
        with part.open("wb") as file:
            _write_head(file, before, rows, remains=remains)
            separator = b"\n"
            for key, words in merged.items():
                file.write(separator + _entry(key, words))
                separator = b",\n"
            for row in _rows(rows):
                if row["key"] not in there:
                    file.write(separator + _entry(row["key"], row["caption"]))
                    separator = b",\n"
            file.write(b"}\n}\n" if separator == b"\n" else b"\n  }\n}\n")


def _write_head(file: BinaryIO, before: Before, rows: Path, *, remains: bool) -> None:
    """Everything but the captions; models are named all, those of captions that stay first."""
    head = {name: value for name, value in before.items() if name != "captions"}
    for name in ("model", "prompt"):
        old = [head[name]] if remains and isinstance(head.get(name), str) else []
        names = dict.fromkeys([*old, *(row[name] for row in _rows(rows) if row.get(name))])
        if names:
            head[name] = ", ".join(names)
    lines = [b"  " + encode_json(name) + b": " + _indented(value) for name, value in head.items()]
    file.write(b"{\n" + b"".join(line + b",\n" for line in lines) + b'  "captions": {')


def _entry(key: str, words: Any) -> bytes:
    return b"    " + encode_json(key) + b": " + encode_json(words)


def _indented(value: Any) -> bytes:
    return encode_json(value, indent=True).replace(b"\n", b"\n  ")


def _rows(rows: Path) -> Iterator[JSON]:
    with rows.open("rb") as lines:
        for line in lines:
            yield orjson.loads(line)


def _captions(before: Before) -> dict[str, Any]:
    captions = before.get("captions")
    return captions if isinstance(captions, dict) else {}


def _captions_file(content: bytes) -> Before | None:
    """The file's content, where it has captions by key."""
    data = decode_object(content)
    return data if data is not None and (not data or isinstance(data.get("captions"), dict)) else None
