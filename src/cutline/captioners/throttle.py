"""The rate of requests that an endpoint admits, learned from its refusals.

A refusal (429, 503) holds the request that met it and nothing else, as long as refusals are rare: some
services refuse at random. Where they are many, requests are paced at the rate that was admitted, which
grows until a few are refused again. Where nothing is admitted, all requests wait, and
one at a time finds out whether the endpoint is back. See docs/design/concurrency.md.

Pure arithmetic on times that are passed in.
"""

from __future__ import annotations

import dataclasses
import math

TOLERATED = 0.05  # of the requests may be refused before they are paced
_START = 0.99  # of what was admitted is the first pace
_TOLERATED_PACED = 0.03
_GROWTH = 0.01  # of the pace after a window without a refusal; doubles with each one
_FIRST_GROWTH = 0.08  # until something is refused: the first pace is a guess
_MAX_GROWTH = 0.32
_MAX_REST = 16  # windows between tries, after many that failed
_HELD = 2  # windows with a few refusals, after which the pace shrinks a little
_IDLE = 3  # windows in which something else limits the requests
_WINDOW = 0.5  # seconds
_SHORT_WINDOW = 0.1  # seconds, where most requests are refused
_FEWEST = 16  # requests that tell a share
_LATE = 0.005  # seconds by which timers may be late
_IN_A_ROW = 8  # refusals that show a limit, or close the gate
_SILENT = 3  # failures in a row after which they do not count as a picture's
_FIRST_CLOSED = 0.1  # seconds, doubled with each probe that is refused
_LONGEST_CLOSED = 30.0
_LONGEST_START = 4.0  # without a Retry-After
_SHORT_CLOSED = 1.0  # seconds; after less, little is known of the rate
_FAST = 5.0  # requests per second; at less, each refusal of a search counts
_ACCEPTED_AFTER = 1.0  # seconds after which a probe that was not refused counts as admitted


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
        """Requests per second up to ``now``."""
        return max(1, self.sent) / max(now - self.start, _SHORT_WINDOW)

    def is_above(self, share: float) -> bool:
        """Whether chance alone does not explain that more than this share was refused."""
        expected = share * self.sent
        return self.refused > expected + 2 * math.sqrt(expected)


class Throttle:
    """Tells when the next request may be sent.

    Call ``sent`` for each, and then one of ``admitted``, ``refused``, ``failed`` and ``abandoned``.

    ``pace`` in requests per second is infinite while nothing needs to be held back.
    """

    def __init__(self) -> None:
        self.pace = math.inf
        self._seconds = 0.0  # during which requests were held back
        self.latency = 0.0  # mean seconds of replies
        self._outstanding = 0
        self._in_a_row = 0
        self._refusal_seconds = 0.0
        self._next = 0.0
        self._window: Window | None = None
        self._settled: Window | None = None  # complete but for refusals under way
        self._search = _Search()
        self._noise = 0.0  # the share that is refused whatever the pace
        self._cycle_start = 0.0
        self._cycle_admitted = 0
        self._pace_before = math.inf
        self._closed_at = self._closed_until = self._probe_at = 0.0
        self._closings = 0
        self._limited = False

    @property
    def is_closed(self) -> bool:
        """Whether all requests wait until one is admitted."""
        return self._closed_at > 0

    @property
    def is_silent(self) -> bool:
        """Whether nothing was answered lately: then a failure says nothing of its picture."""
        return self.is_closed or self._in_a_row >= _SILENT

    @property
    def is_holding(self) -> bool:
        return self.is_closed or self.pace < math.inf

    def held(self, now: float) -> float:
        """Seconds during which requests were held back."""
        return self._seconds + (now - self._closed_at if self.is_closed else 0.0)

    def wait(self, now: float) -> float:
        """Seconds until the next request may be sent, or until this should be called again."""
        if self.is_closed:
            if not self._probe_at:
                return max(0.0, self._closed_until - now)
            if now - self._probe_at < _ACCEPTED_AFTER:
                return 0.05
            self._open(now)
        return max(0.0, self._next - now) if self.pace < math.inf else 0.0

    def sent(self, now: float) -> Window | None:
        """Note a request that is sent; pass what this returns to ``refused``."""
        if self.is_closed and not self._probe_at:
            self._probe_at = now
        self._cycle_start = self._cycle_start or now
        self._cycle_admitted += 1
        self._outstanding += 1
        if self.pace < math.inf:
            self._next = max(self._next, now - _LATE) + 1 / self.pace
        if self._window is None:
            return None
        self._judge(now)
        window = self._window
        if window is None or now < window.start:
            return None
        window.sent += 1
        return window

    def admitted(self, now: float, seconds: float | None = None) -> None:
        """Note a reply after ``seconds``; None for an answer that is no measure, such as a rejection."""
        self._outstanding -= 1
        if seconds is not None:
            self.latency += (seconds - self.latency) * (0.1 if self.latency else 1.0)
        self._in_a_row = 0
        if self._window is not None and now >= self._window.start:
            self._window.replies += 1
        if self.is_closed and self._probe_at:
            self._open(now)

    def refused(
        self, now: float, window: Window | None, seconds: float, retry_after: float | None, *, limited: bool
    ) -> None:
        """Note that a request sent in ``window`` was refused after ``seconds``.

        ``limited``: for the number of requests; otherwise the endpoint is away or overloaded.
        """
        self._outstanding -= 1
        self._cycle_admitted -= 1
        self._in_a_row += 1
        self._limited = limited
        self._refusal_seconds += (seconds - self._refusal_seconds) * (0.2 if self._refusal_seconds else 1.0)
        if window is not None:
            window.refused += 1
        if self._window is None:
            self._window = Window(now)  # what came before may be a burst that the endpoint allows
        closing = _IN_A_ROW if self.pace > 2 else 3
        if self.is_closed:
            if self._probe_at:
                self._close(now, retry_after)
        elif self._in_a_row >= max(closing, 8 * self._outstanding):
            self._close(now, retry_after)
        elif self._in_a_row == _IN_A_ROW and self.pace == math.inf and not self._noise:
            # Little's law: those under way were admitted, within the time that one takes.
            self._start(self._outstanding / (self.latency or _SHORT_WINDOW), now, searching=True)
        elif self._in_a_row % _IN_A_ROW == 0 and window is not None and window is self._window:
            self._search.searching = True
            self._set_pace(min(self.pace, window.attempted_until(now)) / 2, now)
        else:
            self._judge(now)

    def failed(self, now: float) -> None:
        """Note that a request got no answer, or an error of the server; many in a row close the gate."""
        self._outstanding -= 1
        self._in_a_row += 1
        self._limited = False
        if self.is_closed:
            if self._probe_at:
                self._close(now, None)
        elif self._in_a_row >= max(_IN_A_ROW, 8 * self._outstanding):
            self._close(now, None)

    def abandoned(self) -> None:
        """Note that a request was given up before its answer."""
        self._outstanding -= 1
        if self.is_closed:
            self._probe_at = 0.0

    def _close(self, now: float, retry_after: float | None) -> None:
        # Retry-After holds the request that was refused; others may be admitted before.
        seconds = _FIRST_CLOSED * 2 ** min(self._closings, 10)
        seconds = min(seconds, _LONGEST_START if retry_after is None else min(_LONGEST_CLOSED, retry_after))
        self._closings += 1
        if not self._closed_at:
            self._closed_at, self._pace_before = now, self.pace
        self._closed_until = now + seconds
        self._probe_at = 0.0
        self._window = self._settled = None

    def _open(self, now: float) -> None:
        closed = now - self._closed_at
        self._seconds += closed
        pace = max(1, self._cycle_admitted) / max(now - self._cycle_start, 1e-6) * _START
        self._cycle_start, self._cycle_admitted = now, 0
        self._closed_at = self._probe_at = 0.0
        self._in_a_row = self._closings = 0
        if not self._limited and closed > _SHORT_CLOSED:
            self._start(self._pace_before, now, searching=False)
        else:
            self._start(pace, now, searching=closed < _SHORT_CLOSED or pace > _FAST)

    def _start(self, pace: float, now: float, *, searching: bool) -> None:
        self._search = _Search(searching=searching)
        self._set_pace(pace, now)
        self._window, self._settled = Window(now + self.latency), None  # when earlier requests are answered

    def _set_pace(self, pace: float, now: float) -> None:
        if pace < self.pace:
            self._next = now + 1 / pace
        self.pace = pace

    def _judge(self, now: float) -> None:
        """Look at windows that are complete, and set the pace."""
        settled = self._settled
        if settled is not None and now - settled.end >= 2 * self._refusal_seconds:
            self._settled = None
            self._follow(settled, now)
        window = self._window
        if window is None or self._settled is not None or not self.latency:
            return
        searching = self._search.searching
        short = searching or (window.refused >= _FEWEST and window.share > 0.3)
        fewest = _FEWEST // 2 if searching else _FEWEST
        # Where the number of requests is limited, not their rate, only a whole round trip tells it.
        seconds = max(_SHORT_WINDOW if short else _WINDOW, self.latency)
        if window.sent >= fewest and now - window.start >= seconds:
            window.end = now
            self._settled, self._window = window, Window(now)

    def _follow(self, window: Window, now: float) -> None:
        if self.pace < math.inf:
            self._seconds += window.seconds
            pace = self._search.next(self.pace, window)
            if pace == math.inf and window.refused:
                self._noise = window.share
            self._set_pace(pace, now)
        elif window.is_above(max(TOLERATED, 1.5 * self._noise)):
            self._start(window.admitted * _START, now, searching=False)
            self._search.before = window
        elif not window.refused:
            self._window, self._noise = None, 0.0


class _Search:
    """The search for the pace that is admitted. ``searching``: double it until something is refused."""

    def __init__(self, *, searching: bool = False) -> None:
        self.searching = searching
        self.before: Window | None = None  # the last one with many refusals
        self._searches = 0
        self._strikes = 0
        self._good = 0.0
        self._growth = _FIRST_GROWTH
        self._rest = 0
        self._failed = 0
        self._held = 0
        self._idle = 0

    def next(self, pace: float, window: Window) -> float:
        """The pace after a ``window`` at ``pace``; infinite where it makes no difference."""
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

    def _after_many(self, pace: float, window: Window) -> float:
        before, self.before = self.before, window
        was_searching, self.searching = self.searching, False
        self._growth, self._held, self._idle = _GROWTH, 0, 0
        if (
            before is not None
            and window.share > 0.6 * before.share
            and window.attempted < 0.95 * before.attempted
        ):
            self._strikes += 1
            if self._strikes >= 2:
                return math.inf  # refusals come at random
        else:
            self._strikes = 0
        if pace > self._good > 0 and not was_searching:
            self._failed = min(2 * self._failed + 1, _MAX_REST)
            self._rest = self._failed
            good, self._good = self._good, 0.0  # unless it proves good again
            return good
        self._good = 0.0
        # A short window may show too little: search once more.
        self.searching = window.admitted < pace / 2 or (was_searching and self._searches < 2)
        self._searches += self.searching
        return window.admitted * _START

    def _after_none(self, pace: float, window: Window) -> float:
        if window.attempted < 0.8 * pace:
            self._idle += 1
            return math.inf if self._idle >= _IDLE else pace
        self._idle = self._held = self._strikes = 0
        self._good = max(self._good, pace)
        if self.searching:
            return 2 * pace
        if self._rest > 0:
            self._rest -= 1
            return pace
        growth, self._growth = self._growth, min(2 * self._growth, _MAX_GROWTH)
        if growth > 4 * _GROWTH:
            self._failed = 0
        return pace * (1 + growth)
