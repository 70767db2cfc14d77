"""The ``captions.json`` of ScienceQA: one object with the captions by problem.

Layout as in ``tools/generate_caption.py`` of https://github.com/lupantech/ScienceQA: what is known of the
model at the top, then ``captions``. The file may hold captions of others, which stay in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

import orjson

from cutline.errors import ConfigError, OutputExists
from cutline.files import write_atomically, write_errors
from cutline.records import JSON, Caption, Outcome, Sample
from cutline.serialization import decode_object, encode_json, valid_unicode
from cutline.sinks.append_only_file import output_changed
from cutline.sinks.options import SinkOptions
from cutline.sinks.row_stores import StagedStore
from cutline.sinks.rows import RowSink


class MergingStore(StagedStore):
    """Publishes the staged rows together with the content that was in the output before.

    That content is copied into the state folder before the first caption is paid for; from then on the
    output may be replaced, as long as nobody changes it.
    """

    _empty: ClassVar[bytes] = b"{}"
    _useless: ClassVar[str] = "and holds no captions by key"

    def __init__(self, output: str, state: Path, options: SinkOptions) -> None:
        super().__init__(output, state, options, self._merge)
        self._base = state / "before.json"
        self._existing = options.existing
        self.before: JSON = {}

    def check_open(self, mark: JSON | None) -> None:
        """Raises OutputExists for an output that the options do not allow to be added to."""
        if not self._target.exists():
            self._base.unlink(missing_ok=True)
        elif not self._record.covers(self._target):
            self._adopt()
        self.before = self._read_base() if self._base.exists() else {}
        super().check_open(mark)

    def _read_base(self) -> JSON:
        content = self._base.read_bytes() if self._base.is_file() else None
        before = self._parsed(content) if content is not None else None
        if before is None:
            raise ConfigError(
                f"{self._base}, which holds what was in {self._target.name} before, is damaged: restore it, "
                "or write to another output"
            )
        return before

    def _parsed(self, content: bytes) -> JSON | None:
        """What the output held, with its captions by key; None for a file of another kind."""
        return _captions_file(content)

    def captions_before(self) -> dict[str, Any]:
        captions = self.before.get("captions")
        return captions if isinstance(captions, dict) else {}

    def _adopt(self) -> None:
        """Keep a copy of what someone else wrote, and record that this file will be replaced."""
        name, content = self._target.name, self._target.read()
        usable = self._parsed(content) is not None
        if not self._options.overwrite:
            if self._existing is None or not usable:
                why = "and not as this job left it" if usable else self._useless
                cure = "keep its captions with --existing skip, append or prepend" if usable else ""
                choices = ", ".join(filter(None, ["choose another output", cure]))
                raise OutputExists(
                    f"{name} already exists {why}: {choices}, or replace them with --existing overwrite"
                )
            if self._existing != "skip" and ("made_of" in self._record.data or len(self._record.stamps) > 1):
                raise output_changed(name)  # its captions are partly ours: joining would join with ourselves
        with write_errors(self._base):
            write_atomically(self._base, content if usable else self._empty)
        self._options.recorded(self._base.name)
        self._record.save(stamps=[self._target.stamp()])

    def _merge(self, rows: Path, part: Path) -> None:
        """Captions that were there keep their place; the rows are read again, not held in memory."""
        there = self.captions_before()
        keep = {key for key, text in there.items() if text} if self._existing == "skip" else set()
        ours = {row["key"]: row["caption"] for row in _rows(rows) if row["key"] in there}
        merged = {key: text if key in keep else ours.get(key, text) for key, text in there.items()}
        joined = self._existing in {"append", "prepend"}
        remains = any(joined or key in keep or key not in ours for key in there)
        with part.open("wb") as file:
            _write_head(file, self.before, rows, remains=remains)
            separator = b"\n"
            new = ((row["key"], row["caption"]) for row in _rows(rows) if row["key"] not in there)
            for entries in (merged.items(), new):
                for key, text in entries:
                    file.write(separator + b"    " + encode_json(key) + b": " + encode_json(text))
                    separator = b",\n"
            file.write(b"}\n}\n" if separator == b"\n" else b"\n  }\n}\n")


class ScienceQaSink(RowSink):
    """``{"model": …, "prompt": …, "captions": {key: caption}}``, of any source.

    Captions of other pictures that are in the file stay there, as do its other values. With
    ``existing="skip"`` a caption that is there always stays.
    """

    keeps_captions = True
    _store: MergingStore

    def __init__(self, output: str, state: Path, options: SinkOptions) -> None:
        super().__init__(MergingStore(output, state, options), options)

    def existing_text(self, sample: Sample) -> str | None:
        """The caption that was in the file before this job; else, with ``existing``, the sample's own."""
        there = self._store.captions_before().get(valid_unicode(sample.key))
        if isinstance(there, str) and there.strip():
            return there.strip()
        return sample.text if self._options.existing is not None else None

    def record(self, values: JSON) -> bytes:
        return encode_json(values) + b"\n"

    def write(self, sample: Sample, outcome: Outcome, picture: bytes | None) -> None:  # noqa: ARG002
        if isinstance(outcome, Caption):
            step = outcome.source
            made_by = {"model": step.reply.model, "prompt": step.prompt_id} if step else {}
            row = {"key": valid_unicode(sample.key), "caption": outcome.text, **made_by}
            self._store.append(self.record(row))


def _write_head(file: BinaryIO, before: JSON, rows: Path, *, remains: bool) -> None:
    """Everything but the captions; all models are named, those of captions that stay first."""
    head = {name: value for name, value in before.items() if name != "captions"}
    for name in ("model", "prompt"):
        old = [head[name]] if remains and isinstance(head.get(name), str) else []
        names = dict.fromkeys([*old, *(row[name] for row in _rows(rows) if row.get(name))])
        if names:
            head[name] = ", ".join(names)
    lines = [b"  " + encode_json(name) + b": " + _indented(value) for name, value in head.items()]
    file.write(b"{\n" + b"".join(line + b",\n" for line in lines) + b'  "captions": {')


def _indented(value: Any) -> bytes:
    return encode_json(value, indent=True).replace(b"\n", b"\n  ")


def _rows(rows: Path) -> Iterator[JSON]:
    with rows.open("rb") as lines:
        yield from map(orjson.loads, lines)


def _captions_file(content: bytes) -> JSON | None:
    """The file's content; None for a file without captions by key."""
    data = decode_object(content)
    return data if data is not None and (not data or isinstance(data.get("captions"), dict)) else None
