"""The bars of a report: every value is in one of them, and labels say which."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cutline.web.histogram import distribution, histogram

numbers = st.lists(st.floats(-1e6, 1e6) | st.integers(-1000, 1000).map(float), min_size=1, max_size=200)


@given(numbers, st.integers(1, 60))
def test_every_value_is_counted_once(values, bins):
    bars = histogram(values, bins=bins)
    assert sum(bar.count for bar in bars) == len(values)
    assert len(bars) <= bins + 1
    assert max(bar.height for bar in bars) == 100


def test_the_outer_bars_reach_to_the_ends():
    bars = histogram([-50.0, *[number / 1000 for number in range(1000)], 1234.5], bins=10)
    assert bars[0].label.startswith("-50 to ")
    assert bars[-1].label.endswith(" to 1,234")
    assert all(90 <= bar.count <= 110 for bar in bars)


def test_whole_numbers_have_classes_of_whole_numbers():
    assert [(bar.label, bar.count) for bar in histogram([1, 2, 2, 4])] == [
        ("1", 1), ("2", 2), ("3", 0), ("4", 1)
    ]  # fmt: skip
    assert [bar.label for bar in histogram(range(1, 101), bins=10)][:2] == ["1 to 10", "11 to 20"]


def test_classes_beyond_a_limit_are_marked():
    bars = histogram(np.linspace(0, 1, 101), bins=10, marked=lambda middles: middles < 0.35)
    assert [bar.marked for bar in bars] == [True] * 3 + [False] * 7
    bars = histogram(range(1, 101), bins=10, marked=lambda middles: middles < 52)
    assert [bar.marked for bar in bars] == [True] * 5 + [False] * 5


def test_few_values():
    assert histogram([]) == []
    (bar,) = histogram([7.5] * 3)
    assert (bar.label, bar.count, bar.height) == ("7.5", 3, 100)
    assert distribution([1, 2, 2000]) == [("smallest", "1"), ("median", "2"), ("largest", "2,000")]
