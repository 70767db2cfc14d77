"""Errors reach another process as they were: workers of a cluster and of local models send them."""

from __future__ import annotations

import inspect
import pickle

import pytest

from cutline import errors
from cutline.errors import CutlineError, MissingExtra, OutputKept, Retryable

PARAMETERS = {"kind": "busy", "message": "come back later", "feature": "--engine ray", "extra": "ray"}


def _made(kind):
    """An error of this type, from its own parameters."""
    names = inspect.signature(kind.__init__).parameters
    given = {name: PARAMETERS[name] for name in names if name in PARAMETERS}
    return kind(**given) if given else kind("a message")


@pytest.mark.parametrize(
    "kind", [one for one in vars(errors).values() if inspect.isclass(one) and issubclass(one, CutlineError)]
)
def test_each_error_is_the_same_in_another_process(kind):
    error = _made(kind)
    error.noted = 7
    received = pickle.loads(pickle.dumps(error))
    assert type(received) is kind
    assert str(received) == str(error)
    assert vars(received) == vars(error)


def test_what_an_error_tells_beside_its_message_is_kept():
    received = pickle.loads(pickle.dumps(Retryable("busy", "later", status=429, retry_after=3.5)))
    assert (received.kind, received.status, received.retry_after) == ("busy", 429, 3.5)
    assert received.is_refusal
    assert pickle.loads(pickle.dumps(OutputKept("edited by hand", "kept"))).kind == "edited by hand"
    assert "pip install" in str(pickle.loads(pickle.dumps(MissingExtra("--engine ray", "ray"))))
