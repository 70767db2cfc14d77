"""The protocols that parts of cutline, and plug-ins, implement."""

from __future__ import annotations

from cutline.interfaces.captioner import Captioner, Profile
from cutline.interfaces.measure import Measure, MeasureOptions
from cutline.interfaces.members import check_members
from cutline.interfaces.messages import Say, silent
from cutline.interfaces.metric import CorpusMetric, Metric, Need
from cutline.interfaces.sink import Sink
from cutline.interfaces.source import Source
from cutline.interfaces.stage import (
    Action,
    Check,
    CheckResult,
    Draft,
    Filter,
    NoOptions,
    Rejection,
    Stage,
    Violation,
)

__all__ = [
    "Action",
    "Captioner",
    "Check",
    "CheckResult",
    "CorpusMetric",
    "Draft",
    "Filter",
    "Measure",
    "MeasureOptions",
    "Metric",
    "Need",
    "NoOptions",
    "Profile",
    "Rejection",
    "Say",
    "Sink",
    "Source",
    "Stage",
    "Violation",
    "check_members",
    "silent",
]
