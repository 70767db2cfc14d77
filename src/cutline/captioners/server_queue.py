"""Which requests an endpoint has replied to lately, to tell a request that waits there from one that hangs.

A server with fewer slots than there are requests keeps the others in a queue, mostly in the order in which
they came. While it replies to earlier requests, a later one waits for its turn.

Pure arithmetic on times that are passed in.
"""

from __future__ import annotations

import collections
import dataclasses
import math

_PARTS = 64  # of the time limit, in which replies are counted together
_TOGETHER = 0.05  # of the time limit; requests sent within it may be served in any order


@dataclasses.dataclass(slots=True)
class _Replies:
    """Replies of a short time: their number, the last one's time, and when the earliest request was sent."""

    start: float
    last: float
    earliest: float = math.inf
    count: int = 0


class ServerQueue:
    """Note every reply; ``deadline`` tells until when to wait for the reply to a request.

    ``timeout`` in seconds, about that of the requests.
    """

    def __init__(self, timeout: float) -> None:
        self._part = timeout / _PARTS
        self._replies: collections.deque[_Replies] = collections.deque(maxlen=2 * _PARTS)
        self._latest_sent = -math.inf

    def note(self, now: float, sent: float) -> None:
        """A reply at ``now`` to a request of ``sent``."""
        self._latest_sent = max(self._latest_sent, sent)
        replies = self._replies[-1] if self._replies else None
        if replies is None or now - replies.start > self._part:
            replies = _Replies(now, now)
            self._replies.append(replies)
        replies.last = now
        replies.earliest = min(replies.earliest, sent)
        replies.count += 1

    def deadline(self, sent: float, timeout: float) -> float:
        """When the request of ``sent`` has timed out: ``timeout`` after the last reply to an earlier one."""
        turn = sent
        for replies in reversed(self._replies):
            if replies.last <= sent:
                break
            if replies.earliest <= sent + _TOGETHER * timeout:
                turn = replies.last
                break
        return turn + timeout

    def is_overtaken(self, sent: float) -> bool:
        """Whether a request that was sent after the one of ``sent`` had a reply."""
        return self._latest_sent > sent

    def since(self, time: float) -> int:
        """About how many replies came after ``time``."""
        return sum(replies.count for replies in self._replies if replies.last > time)
