"""The search for the pace that an endpoint admits, from windows of requests.

Pure arithmetic on times that are passed in. See docs/design/concurrency.md.
"""

from __future__ import annotations

import collections
import dataclasses
import math

START = 0.99  # of what was admitted is the first pace
SHORT_WINDOW = 0.1  # seconds, where most requests are refused
_TOLERATED_PACED = 0.03
_GROWTH = 0.01  # of the pace after a window without a refusal; doubles with each one
_FIRST_GROWTH = 0.08  # until something is refused: the first pace is a guess
_MAX_GROWTH = 0.32
_MAX_REST = 16  # windows between tries, after many that failed
_HELD = 2  # windows with a few refusals, after which the pace shrinks a little
_ROW = 12  # refusals
_MEASURED = 16  # admitted requests that tell the rate of a refill
_UNDECIDED = 1024  # requests
_IDLE = 20  # windows in which something else limits the requests; after a few, each pause would bring a flood


@dataclasses.dataclass(slots=True, eq=False)
class Window:
    """Requests sent within a short time; ``refused`` of these. ``end`` is set when no more are added."""

    start: float
    sent: int = 0
    refused: int = 0
    end: float = 0.0
    replies: int = 0  # meanwhile

    @property
    def seconds(self) -> float:
        return max(self.end - self.start, 1e-6)

    @property
    def share(self) -> float:
        return self.refused / self.sent if self.sent else 0.0

    @property
    def attempted(self) -> float:
        """Requests per second."""
        return self.sent / self.seconds

    @property
    def admitted(self) -> float:
        """Requests per second that were not refused.

        After a change of the pace those sent before may fill the endpoint: then replies tell more.
        """
        return max(1, self.sent - self.refused, self.replies) / self.seconds

    def attempted_until(self, now: float) -> float:
        """Requests per second up to ``now``, which is after the start."""
        return max(1, self.sent) / (now - self.start)

    def is_above(self, share: float) -> bool:
        """Whether chance alone does not explain that more than this share was refused."""
        expected = share * self.sent
        return self.refused > expected + 2 * math.sqrt(expected)


@dataclasses.dataclass(slots=True, eq=False)
class Row:
    """Refusals since the last reply to a request that was sent after the first of them.

    Replies to earlier requests, of a burst that was admitted, tell nothing of what is admitted now.
    """

    _start: float = 0.0  # when the first of them was sent
    _sent: int = 0
    _refused: int = 0

    def sent(self) -> None:
        self._sent += 1

    def refused(self, sent_at: float) -> None:
        if not self._refused:
            self._start, self._sent = sent_at, 1
        self._refused += 1

    def admitted(self, sent_at: float) -> None:
        """Note a reply to a request that was sent then."""
        if sent_at > self._start:
            self._refused = 0

    @property
    def shows_limit(self) -> bool:
        return self._refused >= _ROW and 2 * self._refused > self._sent


class Refill:
    """What a bucket of tokens gets back in a second: what it admitted between two moments when it was empty.

    It is empty whenever it refuses. Whatever it had saved before, and however fast requests came in between,
    makes no difference; any other window tells less, as savings look like the rate.
    """

    def __init__(self) -> None:
        self._undecided: collections.deque[float] = collections.deque()
        self._since: Window | None = None  # it was empty

    def sent(self, now: float) -> None:
        self._undecided.append(now)
        if len(self._undecided) > _UNDECIDED:
            self._decide(self._undecided[0])

    def refused(self, sent_at: float) -> Window | None:
        """Note the refusal of a request that was sent then; the window since it was empty, where it tells."""
        window = self._since
        if window is None:
            self._begin(sent_at)
            return None
        if sent_at <= window.start:
            return None
        window.refused += 1
        self._decide(sent_at)
        if window.sent - window.refused < _MEASURED:
            return None
        window.end = sent_at
        self._begin(sent_at)
        return window

    def _decide(self, until: float) -> None:
        """Count the requests sent until then: each took a token unless it was refused, also if it failed."""
        while self._undecided and self._undecided[0] <= until:
            self._undecided.popleft()
            if self._since is not None:
                self._since.sent += 1

    def _begin(self, empty_at: float) -> None:
        self._since = None
        self._decide(empty_at)
        self._since = Window(empty_at)


class PaceSearch:
    """The search for the pace that is admitted.

    ``searching``: multiply it by ``factor`` until something is refused.
    """

    def __init__(self, *, searching: bool = False) -> None:
        self.searching = searching
        self.factor = 2.0
        self.before: Window | None = None  # the last one with many refusals
        self._searches = 0
        self.strikes = 0
        self._good = 0.0
        self._growth = _FIRST_GROWTH
        self._rest = 0
        self._failed = 0
        self._held = 0
        self._idle = 0

    def next(self, pace: float, window: Window, rate: float | None = None) -> float:
        """The pace after a ``window`` at ``pace``; infinite where it makes no difference.

        ``rate``: what a bucket got back in a second, where many were refused and that was measured.
        """
        if rate is not None:
            return self._after_many(pace, window, rate)
        if window.is_above(_TOLERATED_PACED) or (self.searching and window.refused > 1):
            return self._after_many(pace, window)
        if window.refused:
            self.searching = False
            self._growth = _GROWTH
            self._held += 1
            if self._held >= _HELD:
                self._held = 0
                return pace * (1 - _GROWTH / 2)
            return pace
        return self._after_none(pace, window)

    def _after_many(self, pace: float, window: Window, rate: float | None = None) -> float:
        before, self.before = self.before, window
        was_searching, self.searching = self.searching, False
        self._growth, self._held, self._idle = _GROWTH, 0, 0
        if (
            before is not None
            and window.share > 0.6 * before.share
            and window.attempted < 0.95 * before.attempted
        ):
            self.strikes += 1
            if self.strikes >= 2:
                return math.inf  # refusals come at random
        else:
            self.strikes = 0
        if pace > self._good > 0 and not was_searching:
            self._failed = min(2 * self._failed + 1, _MAX_REST)
            self._rest = self._failed
            good, self._good = self._good, 0.0  # unless it proves good again
            return good if rate is None else min(good, rate * START)
        self._good = 0.0
        if rate is None:  # a short window may show too little: search once more
            self.searching = window.admitted < pace / 2 or (was_searching and self._searches < 2)
            self._searches += self.searching
        return (window.admitted if rate is None else rate) * START

    def _after_none(self, pace: float, window: Window) -> float:
        if window.attempted < 0.8 * pace:
            self._idle += 1
            return math.inf if self._idle >= _IDLE else pace
        self._idle = self._held = self.strikes = 0
        self.before = None
        self._good = max(self._good, pace)
        if self.searching:
            return self.factor * pace
        if self._rest > 0:
            self._rest -= 1
            return pace
        growth, self._growth = self._growth, min(2 * self._growth, _MAX_GROWTH)
        if growth > 4 * _GROWTH:
            self._failed = 0
        return pace * (1 + growth)
