"""What every registered filter and check has to keep, whoever wrote it."""

from __future__ import annotations

import dataclasses
import pickle
import re

import pytest

from cutline import registry
from cutline.errors import ConfigError
from cutline.stages import StageSpec


def every(room, cases):
    """The cases of a room; a registered stage without one is an error of the test."""
    assert set(cases) == set(registry.names(room)), f"a row of {room} is missing, or one too many"
    return [pytest.param(room, name, cases[name], id=name) for name in sorted(cases)]


def build(room, name, options):
    return StageSpec.parse(room, f"{name}{options}").build(device="cpu")


def check_options(room, name, options):
    """Options are a frozen record with defaults, that can be sent to another process, and decide the result."""
    stage = build(room, name, options)
    assert stage.name == name
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name)
    record = stage.options
    assert isinstance(record, stage.Options)
    assert type(record)() is not None
    assert pickle.loads(pickle.dumps(record)) == record
    if fields := dataclasses.fields(record):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(record, fields[0].name, None)
    assert isinstance(stage.fingerprint, str)
    assert stage.fingerprint == build(room, name, options).fingerprint
    assert "device" not in stage.fingerprint
    with pytest.raises(ConfigError, match=r"has no option 'nonsense'"):
        build(room, name, f"{options}{',' if ':' in options else ':'}nonsense=1")


def check_summary(room, name, options):
    """A line about no samples, and one about many, neither with a line break."""
    stage = build(room, name, options)
    for counts in ({}, {"skipped": 1234, "failed": 2, "dropped": 12, "dropped captions": 9}):
        line = stage.summary(counts)
        assert isinstance(line, str)
        assert "\n" not in line
        assert not line.startswith(name)  # the engine puts it before
