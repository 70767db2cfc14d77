"""The captions that a run wrote, read from its output with the failures beside it."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import orjson

from cutline.engine.picture_digests import recorded_digests
from cutline.engine.picture_ids import Matching, match_ids
from cutline.engine.state import failures_file, state_folder
from cutline.errors import ConfigError
from cutline.files import text_to_name
from cutline.formatting import plural, stored_key
from cutline.locations.stored import named_location
from cutline.records import JSON, Sample, Usage
from cutline.serialization import decode_object
from cutline.sinks.chosen_captions import ChosenCaptions, split_choice
from cutline.sinks.reader import numbered_rows

_NAMED: Final = 3


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AnswerStep:
    """One step of a chain, or one of several prompts."""

    name: str
    model: str
    text: str
    usage: Usage
    seconds: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The caption of one picture, or the ``problem`` why there is none.

    ``digest`` is that of the picture's bytes, as the run recorded it; empty if unknown.
    """

    text: str = ""
    problem: str = ""
    model: str = ""
    prompt: str = ""
    usage: Usage = dataclasses.field(default_factory=Usage)
    seconds: float = 0.0
    steps: tuple[AnswerStep, ...] = ()
    digest: str = ""

    def about(self, digest: str) -> Answer:
        """The answer, or the problem that it is about another picture than the one with the digest."""
        return self if not digest or self.digest in {"", digest} else OTHER_PICTURE


OTHER_PICTURE = Answer(problem="changed: captioned from another picture of this name; run it again")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """The answers of a run by the picture's key, with the commonest model and prompt among them.

    ``matched_by`` says how pictures and rows were put together, such as ``ids`` or ``file names``. ``others``
    counts the captions of further pictures, ``first_others`` are the first of those. ``damaged`` names the
    rows that cannot be read, or are none of cutline's. ``note`` tells which of several captions they are.
    """

    by_key: Mapping[str, Answer]
    model: str
    prompt: str
    matched_by: str = "ids"
    others: int = 0
    first_others: tuple[str, ...] = ()
    damaged: tuple[str, ...] = ()
    note: str = ""


def read_answers(path: str, keys: Collection[str], matching: Matching | None = None) -> Answers:
    """The answers in an output and its failures file, for those ``keys`` (as stored) that have one.

    ``path:name`` chooses the captions of a prompt, step or contestant.

    The ids of the output are put to keys by ``matching``; without one they are the keys or, where none is
    among them, are matched as by ``match_ids``.

    Raises:
        ConfigError: there is no such file, or it holds no captions of cutline, or none of the name.
    """
    if matching is not None:
        wanted = frozenset(keys)
        pairs = {own: key for own, key in matching.pairs.items() if key in wanted}
        return dataclasses.replace(_answers(path, pairs), matched_by=matching.by)
    answers = _answers(path, {key: key for key in keys})
    if answers.by_key or not answers.others:
        return answers
    try:
        matched = match_ids(keys, recorded_keys(path), {}, ("these pictures", path))
    except ConfigError:
        return answers
    found = _answers(path, {own: key for key, own in matched.pairs.items()})
    return dataclasses.replace(found, matched_by=matched.by)


def unreadable_rows(damaged: Sequence[str]) -> str:
    """How many rows cannot be read, with the first ones."""
    return f"{plural(len(damaged), 'row')} that cannot be read ({first_of(damaged[:_NAMED], len(damaged))})"


def first_of(names: Sequence[str], count: int) -> str:
    """The first names of ``count``."""
    return ", ".join(names) + ", …" * (count > len(names))


def recorded_keys(path: str) -> list[str]:
    """The keys (as stored) of the pictures that have a caption in an output, each once."""
    return list(dict.fromkeys(stored_key(row["image_id"]) for row in _rows(path)))


def _answers(path: str, keys: Mapping[str, str]) -> Answers:
    """The answers in an output for those of its ids in ``keys``, by the keys there."""
    damaged: list[str] = []
    file, name = split_choice(path)
    chosen = ChosenCaptions(file, name)
    found = {
        key: Answer(problem=f"{row['kind']}: {row['message']}")
        for row in _failures(path, damaged)
        if (key := keys.get(stored_key(row["image_id"]))) is not None
    }
    others, first = 0, []
    for row in _rows(path, damaged, chosen):
        own = stored_key(row["image_id"])
        if own in keys:
            found[keys[own]] = _answer(row)
        else:
            others += 1
            first += [own] if others <= _NAMED else []
    chosen.check()
    digests = recorded_digests(state_folder(file, None), frozenset(keys))
    own_keys = {key: own for own, key in keys.items()}
    found = {
        key: dataclasses.replace(one, digest=digests.get(own_keys[key], "")) for key, one in found.items()
    }
    return Answers(
        by_key=found,
        model=_commonest(answer.model for answer in found.values()),
        prompt=_commonest(answer.prompt for answer in found.values()),
        others=others,
        first_others=tuple(first),
        damaged=tuple(damaged),
        note=chosen.note,
    )


def places_in(path: str, keys: Collection[str]) -> Iterator[Sample]:
    """The pictures with these keys (as stored) in an output and its failures, at their locations of that run.

    Reads no further than to the last of them. Raises ConfigError as ``read_answers``.
    """
    missing = set(keys)
    for rows in (_failures(path), _rows(path)):
        for row in rows:
            if not missing:
                return
            if (key := stored_key(row["image_id"])) in missing:
                missing.discard(key)
                yield _sample(row, path)


def _sample(row: JSON, path: str) -> Sample:
    place = text_to_name(str(row.get("image_path") or row["image_id"]))
    return Sample(key=row["image_id"], location=named_location(place, str(Path(path).parent)))


def samples_in(path: str, limit: int | None) -> list[Sample]:
    """The pictures in an output, at their locations of that run or below its folder; the failed ones last.

    Raises:
        ConfigError: as ``read_answers``.
    """
    samples: dict[str, Sample] = {}
    for rows in (_rows(path), _failures(path)):
        for row in rows:
            if limit is not None and len(samples) >= limit:
                return list(samples.values())
            samples.setdefault(row["image_id"], _sample(row, path))
    return list(samples.values())


def cost_of_run(path: str) -> float | None:
    """US dollars for a picture, from the report that a run left beside its output; None without one.

    The cost of one of several prompts is not recorded.
    """
    if split_choice(path)[1]:
        return None
    try:
        report = orjson.loads((state_folder(path, None) / "report.json").read_bytes())
        return float(report["cost_usd"]) / int(report["captions"] + report["failures"])
    except (OSError, ValueError, KeyError, TypeError, ZeroDivisionError):
        return None  # no report, or no price in it


def _rows(
    path: str, damaged: list[str] | None = None, chosen: ChosenCaptions | None = None
) -> Iterator[JSON]:
    """The rows of an output of cutline; those that are none are left out, and named in ``damaged``.

    With ``chosen`` the caption is the chosen one, or None where the picture lacks it.

    Raises ConfigError where none is one.
    """
    bad = [] if damaged is None else damaged
    before, is_output = len(bad), False
    path, _ = split_choice(path)
    for number, row in numbered_rows(path, None, damaged=bad):
        if isinstance(row.get("image_id"), str) and isinstance(row.get("caption"), str):
            is_output = True
            if (one := row if chosen is None else chosen.row(row)) is not None:
                yield one
        else:
            bad.append(f"row {number}")
    if not is_output and len(bad) > before:
        raise ConfigError(f"{path} holds no captions of cutline: {bad[before]} lacks image_id or caption")


def _failures(path: str, damaged: list[str] | None = None) -> Iterator[JSON]:
    """The rows of the failures file beside an output, with ``image_id``; none where there is no such file.

    ``damaged``: as in ``_rows``, for lines that are not failures.
    """
    path, _ = split_choice(path)
    file = failures_file(path, state_folder(path, None))
    bad, is_list = [], False
    try:
        with file.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                row = decode_object(line) or {}
                row.setdefault("image_id", row.get("key"))  # the older name, alone in older files
                if isinstance(row["image_id"], str) and {"kind", "message"} <= row.keys():
                    is_list = True
                    yield row
                else:
                    bad.append(f"row {number} of {file.name}")
    except FileNotFoundError:
        return
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror or error}") from None
    if bad and not is_list:
        raise ConfigError(f"{file} is not a list of failures: remove it to compare without it")
    if damaged is not None:
        damaged.extend(bad)


def _answer(row: JSON) -> Answer:
    if row["caption"] is None:
        return Answer(problem=str(row.get("problem") or "missing: the picture has no caption of this name"))
    steps = row.get("steps")
    if isinstance(steps, str) and steps:  # CSV and Parquet hold nested columns as JSON text
        steps = orjson.loads(steps)
    return Answer(
        text=row["caption"],
        prompt=str(row.get("prompt_id") or ""),
        **_request(row),
        steps=tuple(
            AnswerStep(
                name=str(step.get("name") or ""),
                text=str(step.get("text") or ""),
                **_request(step),
            )
            for step in (steps if isinstance(steps, list) else ())
            if isinstance(step, dict)
        ),
    )


def _request(row: JSON) -> JSON:
    """What a row or a step records of its request."""
    sent, received, seconds = map(_number, map(row.get, ("prompt_tokens", "completion_tokens", "seconds")))
    usage = Usage(prompt_tokens=int(sent), completion_tokens=int(received))
    return {"model": str(row.get("model") or ""), "usage": usage, "seconds": seconds}


def _number(value: Any) -> float:
    """A number from a table; 0 where it is missing or invalid. CSV holds it as text."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return 0.0
    return number if 0 <= number < float("inf") else 0.0


def _commonest(values: Iterable[str]) -> str:
    counts = collections.Counter(filter(None, values))
    more = f" + {len(counts) - 1} more" if len(counts) > 1 else ""
    return counts.most_common(1)[0][0] + more if counts else ""
