"""From a job to the parts that run it."""

from __future__ import annotations

from cutline.engine.assembly.inputs import (
    limit_of,
    samples_of,
    source_of,
)
from cutline.engine.assembly.models import (
    asking_of,
    captioner_of,
    chain_of,
    check_prices,
    check_words,
    fingerprint_of,
    given_options,
    prices_for,
    prompts_of,
    stages_of,
)
from cutline.engine.assembly.outputs import (
    form_of,
    keeps_raw,
    output_of,
    sink_of,
)
from cutline.engine.assembly.rules import (
    limits_of_run,
    rules_of,
)

__all__ = [
    "asking_of",
    "captioner_of",
    "chain_of",
    "check_prices",
    "check_words",
    "fingerprint_of",
    "form_of",
    "given_options",
    "keeps_raw",
    "limit_of",
    "limits_of_run",
    "output_of",
    "prices_for",
    "prompts_of",
    "rules_of",
    "samples_of",
    "sink_of",
    "source_of",
    "stages_of",
]
