"""Tells an endpoint that is away, or a part of it, from a picture that it cannot answer.

A balancer with half of its backends away fails every second request, whatever the picture; a picture that
breaks the endpoint fails each of its own. So failures are the picture's once as many in a row are unlikely
among what others met in the same time. See docs/design/concurrency.md.
"""

from __future__ import annotations

import collections
import dataclasses
import enum

_UNLIKELY = 1e-6  # a chance of a picture's failures in a row, were it like the others
_BEFORE = 64  # requests before a picture's first failure
_REMEMBERED = 256  # pictures that failed


@dataclasses.dataclass(slots=True)
class _Series:
    """Failures in a row of a picture, and how many requests had ended, and failed, before them.

    ``before`` of the last of those failed.
    """

    ended: int
    away: int
    before: int
    failures: int = 0


class Verdict(enum.Enum):
    """What a failure says of its picture: nothing, perhaps something, or that it is the picture's own."""

    OUTAGE = enum.auto()
    UNDECIDED = enum.auto()
    OWN = enum.auto()


class OutageDetector:
    """Takes the end of each request to an endpoint; ``subject`` is the same for all of a picture."""

    def __init__(self) -> None:
        self._latest: collections.deque[int] = collections.deque(maxlen=8)  # subjects that failed
        self._before: collections.deque[bool] = collections.deque(maxlen=_BEFORE)  # whether each failed
        self._ended = self._away = 0
        self._series: collections.OrderedDict[int, _Series] = collections.OrderedDict()

    def answered(self, subject: int) -> None:
        """Note a reply."""
        self._ended += 1
        self._before.append(False)
        self._series.pop(subject, None)

    def failed(self, subject: int, *, is_away: bool, is_silent: bool, others: int) -> Verdict:
        """Note a failed request.

        ``is_away``: it failed as requests do while an endpoint is away. ``is_silent``: none was answered
        lately. ``others`` are in flight: they may meet the same.
        """
        may_be_chance = is_away and self._may_be_chance(subject, others)
        self._ended += 1
        self._away += is_away
        self._before.append(is_away)
        if is_away:
            self._latest.append(subject)
        # A picture that breaks the endpoint each time, among the last ones of a run, is not an outage.
        several = len(set(self._latest)) > 1
        if several and is_silent:
            return Verdict.OUTAGE
        return Verdict.UNDECIDED if may_be_chance else Verdict.OWN

    def _may_be_chance(self, subject: int, others: int) -> bool:
        """Whether others failed so often since the picture's first failure that its own may be chance."""
        series = self._series.get(subject)
        if series is None:
            series = self._series[subject] = _Series(self._ended, self._away, sum(self._before))
        series.failures += 1
        if len(self._series) > _REMEMBERED:
            self._series.popitem(last=False)
        ended = self._ended - series.ended - (series.failures - 1)
        away = self._away - series.away - (series.failures - 1)
        before = series.before / _BEFORE
        if not ended and not others:  # the last picture of a run
            return before**series.failures > _UNLIKELY
        return max(before, (away + 1) / (ended + 2)) ** series.failures > _UNLIKELY  # Laplace's rule
