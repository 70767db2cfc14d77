"""What decides the text of a job's captions, to detect changes between runs."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self

import orjson

from cutline.credentials import without_credentials
from cutline.job import Job
from cutline.parameters import parse_unique
from cutline.records import JSON
from cutline.storage import is_url


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprint:
    """What decides captions: a change in any of it makes old ones differ from new ones.

    Trigger word, prefix, suffix and what joins captions with existing texts are not in it: they are applied
    to the replies in the journal whenever the output is written.
    """

    input: str
    """Where the pictures are: equal keys of another place are other pictures."""
    model: str
    endpoint: str
    prompts: tuple[str, ...]
    parameters: str
    pictures: str
    filters: str
    """What decides which samples get a caption: names and fingerprints; empty where nothing does."""
    checks: str
    """What may change captions or refuse them."""
    steps: tuple[str, ...]
    """The steps of a chain, each with its model and parameters; empty where there is none."""
    shard: str = ""
    """The part of the input: pictures of another one leave the output."""

    @classmethod
    def of(
        cls,
        job: Job,
        *,
        model: str,
        prompt_ids: tuple[str, ...],
        steps: tuple[str, ...] = (),
        filters: Iterable[str] = (),
        checks: Iterable[str] = (),
    ) -> Self:
        options = job.model
        parameters = {
            "max_tokens": options.max_tokens,
            "temperature": options.temperature,
            "top_p": options.top_p,
            "seed": options.seed,
            "schema_dialect": options.schema_dialect,
            "dtype": None if job.local.dtype == "auto" else job.local.dtype,
            "quantize": job.local.quantize,
            "large_images": options.large_images if options.large_images == "asset" else None,
            "server_args": job.server.server_args,
            **options.extra,
            **parse_unique(options.parameters, {}),
        }
        return cls(
            input=_place(job.input_path),
            model=model,
            endpoint=without_credentials(options.endpoint or ""),
            prompts=prompt_ids,
            parameters=_canonical({k: v for k, v in parameters.items() if v is not None}),
            pictures=_canonical(dataclasses.asdict(job.pictures)),
            filters="; ".join(filters),
            checks="; ".join(checks),
            steps=steps,
            shard=(job.input.shard or "").strip(),
        )

    def to_json(self) -> JSON:
        """As plain values, which ``differences`` takes as the earlier ones."""
        return {field.name: _plain(getattr(self, field.name)) for field in dataclasses.fields(self)}

    def differences(self, earlier: JSON) -> list[str]:
        """What differs from an earlier run's fingerprint, each as ``name: old → new``."""
        result = []
        for field in dataclasses.fields(self):
            new = _plain(getattr(self, field.name))
            old = earlier.get(field.name, type(new)())  # the journal may be older than the field
            if new != old:
                result.append(f"{field.name.replace('_', ' ')}: {_shown(old, new)} → {_shown(new, old)}")
        return result


def retried_kinds(job: Job) -> frozenset[str]:
    """The kinds of failure that the job's options make obsolete.

    When options begin to do so, pictures that failed in this way are captioned again.
    """
    kinds = {"blocked-address": job.input.allow_private_urls, "truncated": job.model.truncated != "fail"}
    return frozenset(kind for kind, is_obsolete in kinds.items() if is_obsolete)


def _place(path: str) -> str:
    """The input as an address that means the same from everywhere."""
    return without_credentials(path) if not path or is_url(path) else str(Path(path).resolve())


def _shown(value: Any, other: Any) -> str:
    """A value for a message: of a list what the other lacks, or all where only the order differs."""
    if not isinstance(value, list):
        return str(value) or "none"
    items, others = list(map(str, value)), list(map(str, other)) if isinstance(other, list) else []
    own = [item for item in items if item not in others]
    return ", ".join(own if own or set(others) - set(items) else items) or "none"


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _canonical(value: object) -> str:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
