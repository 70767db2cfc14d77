"""The rate of requests that an endpoint admits, learned from its refusals.

A refusal (429, 503) holds the request that met it and nothing else, as long as refusals are rare: some
services refuse at random. Where they are many, requests are paced at the rate that was admitted, which
grows until a few are refused again. Where nothing is admitted, all requests wait, and
one at a time finds out whether the endpoint is back. See docs/design/concurrency.md.

Pure arithmetic on times that are passed in.
"""

from __future__ import annotations

import math

from cutline.captioners.pace_search import SHORT_WINDOW, START, PaceSearch, Refill, Row, Window

TOLERATED = 0.05  # of the requests may be refused before they are paced
_LATELY = 1.0  # seconds; in a longer time without refusals, requests may have been few
_CLEAR = 0.1  # of the requests, refused: the pace is above the rate
_WINDOW = 0.5  # seconds
_FEWEST = 16  # requests that tell a share
_LATE = 0.005  # seconds by which timers may be late
_IN_A_ROW = 8  # refusals that show a limit, or close the gate
_CAREFUL = 1.25  # times the pace, after the first ones
_EARLY = 64  # requests; among the first ones few refusals show a limit
_SUSPICIOUS = 4  # refusals
_SILENT = 3  # failures in a row after which they do not count as a picture's
_FIRST_CLOSED = 0.1  # seconds, doubled with each probe that is refused
_LONGEST_CLOSED = 30.0
_LONGEST_START = 4.0  # without a Retry-After
_SHORT_CLOSED = 1.0  # seconds; after less, little is known of the rate
_FAST = 5.0  # requests per second; at less, each refusal of a search counts
_ACCEPTED_AFTER = 1.0  # seconds after which a probe that was not refused counts as admitted


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
        self._row = Row()
        self._refill = Refill()
        self._refusal_seconds = 0.0
        self._next = 0.0
        self._window: Window | None = None
        self._settled: Window | None = None  # complete but for refusals under way
        self._search = PaceSearch()
        self._noise = 0.0  # the share that is refused whatever the pace
        self._early: Window | None = None  # from the first request to the first refusal
        self._suspicion = 0.0  # refusals of the first requests, less half of the replies
        self._is_new = True  # no pace was set, and the gate never closed
        self._cycle_start = 0.0
        self._cycle_admitted = 0
        self._pace_before = math.inf
        self._closed_at = self._closed_until = self._probe_at = 0.0
        self._closings = 0
        self.is_limited = False  # the last refusal was for the number of requests

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
            if now - self._probe_at < (_ACCEPTED_AFTER if self.is_limited else max(1.0, 3 * self.latency)):
                return 0.05
            if self.is_limited:
                self._open(now)
            else:
                self._close(now, None)  # it hangs: another one may be answered
                return self._closed_until - now
        return max(0.0, self._next - now) if self.pace < math.inf else 0.0

    def sent(self, now: float) -> Window | None:
        """Note a request that is sent; pass what this returns to ``refused``."""
        if self.is_closed and not self._probe_at:
            self._probe_at = now
        self._cycle_start = self._cycle_start or now
        self._cycle_admitted += 1
        self._outstanding += 1
        self._row.sent()
        self._refill.sent(now)
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
        """Note a reply after ``seconds``; None for an answer that is not a measure, such as a rejection."""
        self._outstanding -= 1
        if seconds is not None:
            self._row.admitted(now - seconds)
            self.latency += (seconds - self.latency) * (0.1 if self.latency else 1.0)
        self._in_a_row = 0
        self._suspicion = max(0.0, self._suspicion - 0.5)
        if self._window is not None and now >= self._window.start:
            self._window.replies += 1
        if self.is_closed and self._probe_at:
            self._open(now)
        self._pace_before = self.pace  # not what the refusals of an outage make of it

    def refused(
        self, now: float, window: Window | None, seconds: float, retry_after: float | None, *, limited: bool
    ) -> None:
        """Note that a request sent in ``window`` was refused after ``seconds``.

        ``limited``: for the number of requests; otherwise the endpoint is away or overloaded.
        """
        self._outstanding -= 1
        self._cycle_admitted -= 1
        self._in_a_row += 1
        self._row.refused(now - seconds)
        self.is_limited = limited
        self._refusal_seconds += (seconds - self._refusal_seconds) * (0.2 if self._refusal_seconds else 1.0)
        if window is not None:
            window.refused += 1
        measured = self._refill.refused(now - seconds)
        looks_limited = self._early_refusal(now, window)
        if self._window is None:
            self._window = Window(now)  # what came before may be a burst that the endpoint allows
        closing = _IN_A_ROW if self.pace > 2 else 3
        if self.is_closed:
            if self._probe_at:
                self._close(now, retry_after)
        elif self._in_a_row >= max(closing, 8 * self._outstanding):
            self._close(now, retry_after)
        elif looks_limited and self._early is not None:
            early = self._early
            self._start(early.admitted, now, searching=True)
            self._early = early
            self._search.factor = _CAREFUL  # a burst that was admitted at first makes it look like more
            self._next = now + 2 * self._refusal_seconds  # others may be refused meanwhile
        elif (
            (self._in_a_row == _IN_A_ROW or self._row.shows_limit)
            and self.pace == math.inf
            and not self._noise
        ):
            # Little's law: those under way were admitted, within the time that one takes.
            self._start(self._outstanding / (self.latency or SHORT_WINDOW), now, searching=True)
        elif measured is not None and window is not None and self._is_clear(window, measured):
            self._adopt(window, measured.admitted, now)
        elif self._in_a_row % _IN_A_ROW == 0 and window is not None and window is self._window:
            self._halve(window, now)
        else:
            self._judge(now)

    def _adopt(self, window: Window, rate: float, now: float) -> None:
        """End the window, and take the pace from the rate that was measured."""
        window.end = now
        self._window, self._settled = Window(now), None
        self._seconds += window.seconds
        self._set_pace(self._search.next(self.pace, window, rate), now)

    def _halve(self, window: Window, now: float) -> None:
        """Take half the pace, or half of what was attempted, and search from there."""
        self._search.searching = True
        # What was attempted in a window that has just begun is not known yet, and looks like little.
        is_known = now - window.start >= SHORT_WINDOW
        attempted = window.attempted_until(now) if is_known else math.inf
        self._set_pace(min(self.pace, attempted) / 2, now)

    def _is_clear(self, window: Window, measured: Window) -> bool:
        """Whether the pace is above the rate that was measured just now, before this window has ended."""
        if window is not self._window or self.pace == math.inf or measured.seconds > _LATELY:
            return False
        may_be_random = self._search.strikes > 0 or self._noise > 0
        return not may_be_random and window.refused >= _SUSPICIOUS and window.is_above(_CLEAR)

    def _early_refusal(self, now: float, window: Window | None) -> bool:
        """Note a refusal if it is one of the first requests; whether they show a limit."""
        early = self._early
        if not self._is_new:
            if early is not None and window is None and not self.is_closed:  # sent before the pace was set
                early.refused += 1
                self._set_pace(min(self.pace, early.admitted), now)
            return False
        if self._cycle_admitted >= _EARLY or self.pace < math.inf:
            return False
        if early is None:
            end = max(now, self._cycle_start + SHORT_WINDOW)
            early = self._early = Window(self._cycle_start, sent=self._cycle_admitted + 1, end=end)
        early.refused += 1
        self._suspicion += 1
        return self._suspicion >= _SUSPICIOUS

    def failed(self, now: float) -> None:
        """Note that a request got no answer, or an error of the server; many in a row close the gate."""
        self._outstanding -= 1
        self._in_a_row += 1
        self.is_limited = False
        if self.is_closed:
            if self._probe_at:
                self._close(now, None)
        elif self._in_a_row >= max(_IN_A_ROW, 2 * self._outstanding):
            self._close(now, None)

    def abandoned(self) -> None:
        """Note that a request was given up before its answer."""
        self._outstanding -= 1
        if self.is_closed:
            self._probe_at = 0.0

    def _close(self, now: float, retry_after: float | None) -> None:
        # Retry-After holds the request that was refused; others may be admitted before.
        longest = _LONGEST_START if retry_after is None else max(_SHORT_CLOSED, retry_after)
        seconds = min(_FIRST_CLOSED * 2 ** min(self._closings, 10), longest, _LONGEST_CLOSED)
        self._closings += 1
        self._is_new = False
        if not self._closed_at:
            self._closed_at = now
        self._closed_until = now + seconds
        self._probe_at = 0.0
        self._window = self._settled = None
        self._refill = Refill()  # while nothing is sent, a bucket fills unseen

    def _open(self, now: float) -> None:
        closed = now - self._closed_at
        self._seconds += closed
        pace = max(1, self._cycle_admitted) / max(now - self._cycle_start, 1e-6) * START
        self._cycle_start, self._cycle_admitted = now, 0
        self._closed_at = self._probe_at = 0.0
        self._in_a_row = self._closings = 0
        if not self.is_limited and closed > _SHORT_CLOSED:
            self._start(self._pace_before, now, searching=False)
        else:
            self._start(pace, now, searching=closed < _SHORT_CLOSED or pace > _FAST)

    def _start(self, pace: float, now: float, *, searching: bool) -> None:
        self._is_new, self._early = False, None
        self._search = PaceSearch(searching=searching)
        self._set_pace(pace, now)
        self._window, self._settled = Window(now + self.latency), None  # when earlier requests are answered

    def _set_pace(self, pace: float, now: float) -> None:
        turn = now + 1 / pace
        self._next = turn if pace < self.pace else min(self._next, turn)
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
        seconds = max(SHORT_WINDOW if short else _WINDOW, self.latency)
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
            self._start(window.admitted * START, now, searching=False)
            self._search.before = window
        elif not window.refused:
            self._window, self._noise = None, 0.0
