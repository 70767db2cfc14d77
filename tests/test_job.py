"""A job is the same as options, as a file and as values."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import tempfile
from pathlib import Path
from typing import Any, get_type_hints

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cutline.engine.fingerprint import Fingerprint
from cutline.errors import ConfigError
from cutline.job import Job
from cutline.options import (
    InputOptions,
    ModelOptions,
    OutputOptions,
    PictureOptions,
    PromptOptions,
    RunOptions,
)

GROUPS = (InputOptions, ModelOptions, PromptOptions, PictureOptions, OutputOptions, RunOptions)
# TOML has all of Unicode but lone surrogates.
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
PATH = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
WHOLE = st.integers(-(2**63), 2**63 - 1)
EXTRA = st.dictionaries(
    TEXT,
    st.booleans() | WHOLE | st.floats(allow_nan=False) | TEXT | st.lists(TEXT, max_size=2),
    max_size=2,
)

# What is read as a job is checked has a form of its own.
OWN = {"parameters": st.none() | st.sampled_from(["max_tokens=5", "seed=1, min_p=0.1"])}


def values(annotation: Any) -> st.SearchStrategy[Any]:
    """Any values of a field; whether they make sense together is not the file's matter."""
    if annotation == dict[str, Any]:
        return EXTRA
    if annotation == tuple[str, ...]:
        return st.lists(TEXT, max_size=3).map(tuple)
    return st.from_type(annotation).filter(lambda value: value == value)


@st.composite
def groups(draw: st.DrawFn, cls: Any) -> Any:
    hints = {name: hint for name, hint in get_type_hints(cls).items() if not name.startswith("_")}
    chosen = draw(st.sets(st.sampled_from(sorted(hints))))
    return cls(**{name: draw(OWN[name] if name in OWN else values(hints[name])) for name in sorted(chosen)})


st.register_type_strategy(str, TEXT)
st.register_type_strategy(int, WHOLE)
JOBS = st.builds(
    Job,
    input_path=PATH,
    output_path=st.none() | PATH,
    input=groups(InputOptions),
    model=groups(ModelOptions),
    prompts=groups(PromptOptions),
    pictures=groups(PictureOptions),
    output=groups(OutputOptions),
    run=groups(RunOptions),
)


@settings(max_examples=40, deadline=None)
@given(JOBS)
def test_what_is_written_is_read_back(job: Job) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "job.toml"
        path.write_text(job.to_toml(), "utf-8", newline="")
        with contextlib.chdir(folder):
            assert Job.from_toml(Path(path.name)) == job


@settings(max_examples=40, deadline=None)
@given(JOBS)
def test_plain_values_and_back(job: Job) -> None:
    assert Job.from_dict(job.to_dict()) == job


def test_a_file_holds_only_what_was_chosen() -> None:
    job = Job(input_path="photos", model=ModelOptions(model="ollama:llava:7b", temperature=0.0))
    assert job.to_toml() == 'input_path = "photos"\n\n[model]\nmodel = "ollama:llava:7b"\ntemperature = 0.0\n'


@pytest.mark.parametrize("paths", [{"input_path": "a\0b"}, {"input_path": "a", "output_path": "b\0"}])
def test_no_path_has_a_null_character(paths: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="null character"):
        Job(**paths).check()


@pytest.mark.parametrize("cls", GROUPS)
def test_defaults_are_fit_to_run(cls: Any) -> None:
    Job(input_path="photos").check()
    for field in dataclasses.fields(cls):
        assert field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING


@pytest.mark.parametrize(
    ("group", "options", "option"),
    [
        ("run", RunOptions(timeout=math.nan), "--timeout"),
        ("run", RunOptions(budget_tokens=2**70), "64-bit"),
        ("model", ModelOptions(extra={"n": 2**70}), "64-bit"),
        ("model", ModelOptions(extra={"n": object()}), "object"),
        ("run", RunOptions(timeout=math.inf), "--timeout"),
        ("run", RunOptions(max_cost=math.nan), "--max-cost"),
        ("run", RunOptions(retry_delay=math.inf), "--retry-delay"),
        ("model", ModelOptions(temperature=math.nan), "--temperature"),
        ("model", ModelOptions(top_p=math.nan), "--top-p"),
        ("model", ModelOptions(top_p=0.0), "--top-p"),
        ("pictures", PictureOptions(jpeg_quality=0), "--jpeg-quality"),
        ("input", InputOptions(image_limit=0), "--image-limit"),
    ],
)
def test_values_out_of_range(group: str, options: Any, option: str) -> None:
    job = dataclasses.replace(Job(input_path="photos"), **{group: options})
    with pytest.raises(ConfigError, match=option):
        job.check()


@settings(max_examples=20, deadline=None)
@given(JOBS, JOBS)
def test_fingerprints_differ_by_what_decides_the_words(one: Job, other: Job) -> None:
    first, second = (Fingerprint.of(job, model=job.model.model, prompt_ids=()) for job in (one, other))
    assert bool(first.differences(orjson.loads(orjson.dumps(second)))) == (first != second)
    place = dataclasses.replace(other.input, shard=one.input.shard)  # of the pictures, as the path is
    same = dataclasses.replace(
        one, run=other.run, input=place, output=other.output, output_path=other.output_path
    )
    assert Fingerprint.of(same, model=one.model.model, prompt_ids=()) == first, (
        "how it is run changes no words"
    )


@pytest.mark.parametrize(
    ("data", "cure"),
    [
        (
            {"input": {"input_path": "p"}},
            "input_path: the job needs `input_path = …` above the first [table]",
        ),
        ({"input": "p"}, "above the first [table]; input is a table of settings"),
        (
            {"input_path": "p", "model": "fake"},
            "model: it is a table of settings; write `model = …` under [model]",
        ),
        ({"input_path": "p", "prompt": "x"}, "prompt: it belongs elsewhere: `prompt = …` under [prompts]"),
        (
            {"input_path": "p", "model": {"timeout": 3}},
            "model.timeout: it belongs elsewhere: `timeout = …` under [run]",
        ),
        ({"input_path": "p", "run": {"concurrency": 4}}, "did you mean max_concurrent_requests?"),
        ({"input_path": "p", "workers": 4}, "did you mean `max_concurrent_requests = …` under [run]?"),
        ({"input_path": "p", "force": True}, 'did you mean `existing = "overwrite"` under [output]?'),
        (
            {"input_path": "p", "output": {"nothing": 1}},
            "output.nothing: there is no such setting; known are",
        ),
    ],
)
def test_a_setting_in_the_wrong_place_is_refused_with_the_right_one(data: dict[str, Any], cure: str) -> None:
    with pytest.raises(ConfigError) as raised:
        Job.from_dict(data)
    assert cure in str(raised.value)
