"""One endpoint with several models, chains asked of it, and what came of that."""

from __future__ import annotations

import collections

from engine_outputs import report
from processes import cutline_here

TOKENS = 110  # of every answer
STEPS = ("--step", "describe=a", "--step", "refine=b", "--step", "finish=c")
FILE = """
caption = "merge"

[[step]]
name = "objects"
model = "a"
prompt = "List the objects."
max_tokens = 40
temperature = 0.5

[[step]]
name = "place"
model = "b"
prompt = "ask/place.json"

[[step]]
name = "merge"
model = "c"
prompt = "From {objects} and {place}, one text; {{objects}} stays. File {stem}."
seed = 7

[[step]]
name = "tags"
model = "a"
prompt = "Tags for {previous}"
"""
OPTIONAL = """
[[step]]
name = "describe"
model = "a"
[[step]]
name = "tags"
model = "t"
prompt = "Tags"
[[step]]
name = "refine"
model = "b"
prompt = "More than {describe}"
optional = true
"""


def ask(experts, folder, output, *arguments, **options):
    """One run of the command line at the endpoint."""
    chosen = {"endpoint": experts.url, "retry_delay": 0.02, "max_retries": 0, **options}
    words = [word for name, value in chosen.items() for word in (f"--{name.replace('_', '-')}", value)]
    return cutline_here("caption", folder, output, *arguments, *words)


def asked(experts, model=None):
    """What was asked, or what one model was asked, in the order of arrival."""
    return [entry for entry in experts.get("/asked") if model in {None, entry["model"]}]


def models(experts):
    return collections.Counter(entry["model"] for entry in asked(experts))


def answered(experts):
    return sum(entry["answered"] for entry in asked(experts))


def spent(output):
    told = report(output)
    return told["prompt_tokens"] + told["completion_tokens"]
