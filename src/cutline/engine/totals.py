"""Times, latencies and retries of a run, and of all runs of an output together."""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import math
import time
from collections.abc import Mapping
from typing import Any, Self

from cutline.records import JSON
from cutline.serialization import checked

_SHORTEST = 0.001  # seconds; what is faster counts as that
_BUCKETS_PER_DOUBLING = 16  # neighbours differ by 4.4 %
_BUCKETS = 20 * _BUCKETS_PER_DOUBLING  # up to 17 minutes
_SHARES = {"p50": 0.5, "p90": 0.9, "p99": 0.99}


class Latencies:
    """A histogram of seconds with logarithmic buckets, of fixed size however many are added."""

    def __init__(self, counts: Mapping[int, int] | None = None) -> None:
        self._counts = collections.Counter(counts or {})

    def add(self, seconds: float) -> None:
        doublings = math.log2(max(seconds, _SHORTEST) / _SHORTEST)
        self._counts[min(round(doublings * _BUCKETS_PER_DOUBLING), _BUCKETS)] += 1

    def __add__(self, other: Latencies) -> Latencies:
        return Latencies(self._counts + other._counts)

    def percentile(self, share: float) -> float | None:
        """Seconds within which this share of the requests were answered, to about 2 %; None without any."""
        wanted, seen = math.ceil(share * self._counts.total()), 0
        for bucket in sorted(self._counts):
            seen += self._counts[bucket]
            if seen >= wanted:
                return float(f"{_SHORTEST * 2 ** (bucket / _BUCKETS_PER_DOUBLING):.3g}")
        return None

    def summary(self) -> JSON:
        """The number of requests and the percentiles in seconds."""
        percentiles = {name: self.percentile(share) for name, share in _SHARES.items()}
        return {"requests": self._counts.total(), **percentiles}

    def to_json(self) -> JSON:
        return {str(bucket): count for bucket, count in self._counts.items()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        return cls({int(bucket): checked(count, int) for bucket, count in data.items()})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """Sums of ``runs``, which began at ``start`` (UTC, ISO 8601) and took ``seconds`` together.

    ``pictures`` were captioned or failed, ``captions`` are of the former. ``latencies`` are of the requests
    that succeeded, ``retries`` are requests that were sent again, by cause.
    """

    runs: int = 0
    start: str = ""
    seconds: float = 0.0
    pictures: int = 0
    captions: int = 0
    latencies: Latencies = dataclasses.field(default_factory=Latencies)
    retries: Mapping[str, int] = dataclasses.field(default_factory=dict)

    def __add__(self, other: Totals) -> Totals:
        return Totals(
            runs=self.runs + other.runs,
            start=self.start or other.start,
            seconds=self.seconds + other.seconds,
            pictures=self.pictures + other.pictures,
            captions=self.captions + other.captions,
            latencies=self.latencies + other.latencies,
            retries=dict(collections.Counter(self.retries) + collections.Counter(other.retries)),
        )

    def summary(self) -> JSON:
        """The sums for the report, seconds to the millisecond."""
        rate = self.pictures / self.seconds if self.seconds > 0 else 0.0
        return {
            "wall_seconds": round(self.seconds, 3),
            "pictures_per_second": round(rate, 3),
            "latency_seconds": self.latencies.summary(),
            "retries": dict(self.retries),
        }

    def to_json(self) -> JSON:
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {**values, "latencies": self.latencies.to_json(), "retries": dict(self.retries)}

    @classmethod
    def from_json(cls, data: JSON | None) -> Self:
        """As ``to_json`` wrote it; of a damaged file, or none, the sums begin again."""
        try:
            values = data or {}
            retries = checked(values["retries"], dict)
            return cls(
                runs=checked(values["runs"], int),
                start=checked(values["start"], str),
                seconds=float(values["seconds"]),
                pictures=checked(values["pictures"], int),
                captions=checked(values.get("captions", values["pictures"]), int),
                latencies=Latencies.from_json(values["latencies"]),
                retries={str(cause): checked(count, int) for cause, count in retries.items()},
            )
        except (KeyError, TypeError, ValueError, AttributeError):
            return cls()


@dataclasses.dataclass(slots=True)
class RunClock:
    """The start of a run, as a time of day and for measuring."""

    at: dt.datetime = dataclasses.field(default_factory=lambda: dt.datetime.now(dt.UTC))
    began: float = dataclasses.field(default_factory=time.monotonic)

    @property
    def start(self) -> str:
        return self.at.isoformat(timespec="milliseconds")

    @property
    def seconds(self) -> float:
        """Seconds since."""
        return time.monotonic() - self.began

    @property
    def end(self) -> str:
        """The present time, never before the start, even where the system's clock was set back."""
        return (self.at + dt.timedelta(seconds=self.seconds)).isoformat(timespec="milliseconds")
