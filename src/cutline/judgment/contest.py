"""A contest: captions of the same pictures by several contestants, each the output of an earlier run."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from cutline.engine import assembly
from cutline.engine.picture_ids import Matching, match_ids
from cutline.engine.recorded_captions import Answers, first_of, read_answers, samples_in, unreadable_rows
from cutline.errors import ConfigError, PictureError
from cutline.files import content_digest
from cutline.formatting import plural, printable, stored_key
from cutline.interfaces import Source
from cutline.job import Job
from cutline.prompts import parse_prompt_option
from cutline.records import Sample
from cutline.serialization import valid_unicode
from cutline.sinks.chosen_captions import several_captions, split_choice

OUTPUTS: Final = (".jsonl", ".ndjson", ".json", ".csv", ".parquet")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Contestant:
    """The captions of a contestant by the keys of their pictures, and the ``models`` that wrote them.

    ``digests`` are those of the captioned pictures, if recorded. ``outside`` counts its captions of pictures
    that are not among those judged, ``first_outside`` are the first ones. ``damaged`` names unreadable rows
    of its output. ``matched_by`` tells how its ids were matched with those of the pictures, ``note`` which of
    several captions were read.
    """

    name: str
    captions: Mapping[str, str]
    models: frozenset[str] = frozenset()
    digests: Mapping[str, str] = dataclasses.field(default_factory=dict)
    outside: int = 0
    first_outside: tuple[str, ...] = ()
    damaged: tuple[str, ...] = ()
    matched_by: str = "ids"
    note: str = ""

    @classmethod
    def of(cls, name: str, answers: Answers) -> Contestant:
        """A contestant from an output, without its failures and skips."""
        captions = {key: one.text.strip() for key, one in answers.by_key.items() if not one.problem}
        steps = (step.model for one in answers.by_key.values() for step in one.steps)
        models = {one.model for one in answers.by_key.values()}.union(steps) - {""}
        return cls(
            name=name,
            captions={key: text for key, text in captions.items() if text},
            models=frozenset(models),
            digests={key: one.digest for key, one in answers.by_key.items() if one.digest},
            outside=answers.others,
            first_outside=answers.first_others,
            damaged=answers.damaged,
            matched_by=answers.matched_by,
            note=answers.note,
        )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Contest:
    """At least two contestants, and the ``samples`` of their pictures by stored key, in order.

    ``changed`` counts the captions of another version of their picture, which are excluded. ``is_limited``:
    only the first pictures are judged.
    """

    contestants: tuple[Contestant, ...]
    samples: Mapping[str, Sample]
    changed: int = 0
    is_limited: bool = False

    @property
    def names(self) -> list[str]:
        return [contestant.name for contestant in self.contestants]

    @property
    def models(self) -> dict[str, frozenset[str]]:
        """The models of each contestant, if its output names them."""
        return {contestant.name: contestant.models for contestant in self.contestants}

    @property
    def is_complete(self) -> bool:
        """Whether all that the contestants have could be read, and is about these pictures."""
        return not any(one.damaged or (one.outside and not self.is_limited) for one in self.contestants)

    def notes(self) -> tuple[str, ...]:
        """Notes on how ids were matched unless they were equal, and on ignored captions and rows."""
        lines = [one.note for one in self.contestants if one.note]
        lines += [
            f"{one.name} and the pictures matched by {one.matched_by}"
            for one in self.contestants
            if one.matched_by != "ids"
        ]
        for one in self.contestants:
            if one.damaged:
                lines.append(f"{one.name}: {unreadable_rows(one.damaged)}")
            if one.outside and not self.is_limited:
                names = first_of(one.first_outside, one.outside)
                lines.append(
                    f"{one.name}: {plural(one.outside, 'caption')} of pictures that are not given ({names})"
                )
        return tuple(lines)


def parse_outputs(values: Mapping[str, str] | Sequence[str]) -> dict[str, str]:
    """The outputs by the names of the contestants, parsed from ``output`` and ``name=output``.

    Raises:
        ConfigError: there are fewer than two, one is not an output, or two have the same name.
    """
    outputs: dict[str, str] = {}
    named = values.items() if isinstance(values, Mapping) else map(parse_prompt_option, values)
    for name, output in named:
        path, _ = split_choice(output)
        if Path(path).suffix.lower() not in OUTPUTS:
            raise ConfigError(
                f"{output!r} is not an output of captions, which ends in {', '.join(OUTPUTS)}: caption with "
                "it first, or use `cutline compare … --judge MODEL`, which does both"
            )
        if not Path(path).is_file():
            raise ConfigError(f"{path} does not exist")
        if (name or output) in outputs:
            raise ConfigError(
                f"two contestants are named {name or output!r}: name one of them, as other={output}"
            )
        outputs[name or output] = output
    if len(outputs) < 2:
        only = f"only {next(iter(outputs))} is given: " if outputs else ""
        if outputs and len(names := several_captions(next(iter(outputs.values())))) > 1:
            raise ConfigError(
                f"nothing to judge: {only}it has several captions of each picture, name them: "
                f"`cutline judge {' '.join(names)}`"
            )
        raise ConfigError(
            f"nothing to judge: {only}name at least two outputs, such as "
            "`cutline judge a.jsonl b.jsonl --judge openai:gpt-4o-mini`"
        )
    return outputs


def read_contest(outputs: Mapping[str, str], job: Job, source: Source | None = None) -> Contest:
    """Read the outputs into a contest, with the pictures of ``source`` or of the job's input, if any.

    Without one the pictures are at the paths in the outputs. ``job`` limits their number. Local pictures
    whose digest was recorded are read and compared.

    Raises:
        ConfigError: an output cannot be read, or two have no picture in common.
    """
    limit = assembly.limit_of(job)
    matchings: dict[str, Matching] = {}
    if source is None and job.input_path:
        source = assembly.source_of(job)
    if source is not None:
        samples = list(assembly.samples_of(source, limit))
    else:
        samples, matchings = _pictures_of(list(outputs.values()))
        samples = samples[:limit]
    by_key = {stored_key(valid_unicode(sample.key)): sample for sample in samples}
    answers = {
        name: read_answers(output, by_key.keys(), matchings.get(output)) for name, output in outputs.items()
    }
    contestants = tuple(Contestant.of(name, answers[name]) for name in outputs)
    for contestant in contestants:
        if not contestant.captions:
            given = job.input_path or ("the pictures given" if source is not None else "")
            raise ConfigError(_without_captions(contestant.name, outputs[contestant.name], given, by_key))
    _check_connected(contestants)
    if source is None:
        _check_there(list(by_key.values()))
    return _current(Contest(contestants=contestants, samples=by_key, is_limited=limit is not None))


def _pictures_of(outputs: Sequence[str]) -> tuple[list[Sample], dict[str, Matching]]:
    """The pictures of all outputs, at the path in the first output that has each, and the owners of each."""
    samples: dict[str, Sample] = {}
    matchings: dict[str, Matching] = {}
    for output in outputs:
        own = {stored_key(valid_unicode(sample.key)): sample for sample in samples_in(output, None)}
        known = Matching(pairs={}, by="ids")
        if samples and own and samples.keys().isdisjoint(own):
            with contextlib.suppress(ConfigError):  # no picture in common with those before
                known = match_ids(own, samples, {}, (output, outputs[0]))
        pairs = {key: known.pairs.get(key, key) for key in own}
        matchings[output] = Matching(pairs=pairs, by=known.by)
        for key, sample in own.items():
            samples.setdefault(pairs[key], sample)
    return list(samples.values()), matchings


def _current(contest: Contest) -> Contest:
    """The contest without captions of another version of the picture than the current one, or others'."""
    changed: dict[str, set[str]] = {}
    for key, sample in contest.samples.items():
        recorded = {one.name: one.digests[key] for one in contest.contestants if key in one.digests}
        if recorded:
            digest = _digest(sample) or next(iter(recorded.values()))
            for name in (name for name, other in recorded.items() if other != digest):
                changed.setdefault(name, set()).add(key)
    contestants = (
        dataclasses.replace(
            one,
            captions={
                key: text for key, text in one.captions.items() if key not in changed.get(one.name, ())
            },
        )
        for one in contest.contestants
    )
    return dataclasses.replace(
        contest, contestants=tuple(contestants), changed=sum(map(len, changed.values()))
    )


def _digest(sample: Sample) -> str:
    """The digest of the picture's bytes; empty if they are remote or unreadable."""
    if sample.location is None or sample.location.url() is not None:
        return ""
    try:
        return content_digest(sample.location.read())
    except PictureError:
        return ""


def _without_captions(name: str, output: str, given: str, samples: Mapping[str, Sample]) -> str:
    """Why a contestant has no caption of the pictures; ``given``: where these come from, unless its own."""
    own = samples_in(output, 1)
    if not own:
        return f"{printable(name)} has no captions: its run is incomplete, or all failed"
    if given and samples and own[0].key not in samples:
        return (
            f"{printable(name)} has none of the {plural(len(samples), 'picture')} of {given}: it "
            f"has {printable(own[0].key)!r} …, these are {printable(next(iter(samples)))!r} …"
        )
    return f"{printable(name)} has no caption of these pictures: all failed, or --image-limit excludes them"


def _check_there(samples: Sequence[Sample]) -> None:
    """Raise ConfigError if none of the pictures exists at its path in the outputs."""
    files = [sample.location.file() for sample in samples if sample.location is not None]
    if files and not any(file is None or Path(file).exists() for file in files):
        raise ConfigError(
            f"the pictures in the outputs do not exist, such as {printable(files[0] or '')}: give their "
            "folder or table as --images"
        )


def _check_connected(contestants: Sequence[Contestant]) -> None:
    """Raise ConfigError if contestants have no pictures in common, even indirectly."""
    reached, left = {contestants[0].name}, list(contestants[1:])
    keys = set(contestants[0].captions)
    while near := [one for one in left if not keys.isdisjoint(one.captions)]:
        for one in near:
            reached.add(one.name)
            keys.update(one.captions)
            left.remove(one)
    if left:
        mine, other = next(iter(contestants[0].captions)), next(iter(left[0].captions))
        raise ConfigError(
            f"{printable(contestants[0].name)} and {printable(left[0].name)} have no picture in common: "
            f"the first has {printable(mine)!r} …, the other {printable(other)!r} …; caption the same input "
            "with both"
        )
