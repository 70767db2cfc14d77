"""A service with a batch API, and the commands that use it."""

from __future__ import annotations

import json

from engine_outputs import captions, journal
from processes import cutline_here
from server_process import Server


class BatchService(Server):
    """The test service's process; settings as in ``servers/batch_service.py``."""

    def __init__(self, **settings):
        super().__init__("batch_service.py")
        self.configure(**settings)

    def configure(self, **settings):
        self.post("/configure", settings)

    def advance(self, to, share=1.0, batches=()):
        self.post("/advance", {"to": to, "share": share, "batches": list(batches)})

    def answer_all(self, **settings):
        self.configure(**settings)
        self.advance("in_progress")
        self.advance("completed")

    @property
    def stats(self):
        return self.get("/stats")

    def arguments(self, model="test"):
        return ("--endpoint", self.url, "--model", model, "--retry-delay", 0.01)

    def submit(self, folder, output, *more, model="test"):
        return cutline_here("batch", "submit", folder, output, *self.arguments(model), *more)

    def caption(self, folder, output, *more):
        return cutline_here("caption", folder, output, *self.arguments(), *more)


def collect(output, *more):
    return cutline_here("batch", "collect", output, *more)


def state_of(output):
    return output.with_name(output.name + ".cutline")


def outcomes(output):
    """The outcomes in the journal by key; each must be there once."""
    lines = [json.loads(line) for line in (state_of(output) / "journal.jsonl").read_text().splitlines()]
    keys = [line["key"] for line in lines if not {"run", "step", "content"} & line.keys()]
    assert len(keys) == len(set(keys)), "a picture has two outcomes"
    return journal(state_of(output))


def keys(output):
    return [key for key, _ in captions("jsonl", output)]
