"""When a request has timed out that may wait for others at the endpoint."""

from __future__ import annotations

from cutline.captioners.server_queue import ServerQueue

TIMEOUT = 100.0


def test_a_request_that_waits_for_earlier_ones_has_not_timed_out():
    queue = ServerQueue(TIMEOUT)
    for number in range(16):  # sent together, served one after another
        assert queue.deadline(0.0, TIMEOUT) == 20.0 * number + TIMEOUT
        queue.note(20.0 * (number + 1), 0.0)


def test_a_request_that_later_ones_overtake_has_timed_out():
    queue = ServerQueue(TIMEOUT)
    for number in range(2000):
        queue.note(number * 0.1 + 2.0, number * 0.1)
    sent = 50.0
    assert sent + TIMEOUT <= queue.deadline(sent, TIMEOUT) <= sent + 1.1 * TIMEOUT


def test_a_request_to_an_endpoint_that_is_silent_has_timed_out():
    queue = ServerQueue(TIMEOUT)
    queue.note(10.0, 5.0)
    assert queue.deadline(20.0, TIMEOUT) == 20.0 + TIMEOUT
