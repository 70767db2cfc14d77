"""Rules read, checked, and applied to values."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutline.errors import ConfigError
from cutline.filters.rules import Rule, check_rule, parse_rules, shown
from cutline.interfaces import MeasureOptions
from cutline.measures.catalog import make_measure

NUMBERS = st.floats(-1e6, 1e6)
COMPARISONS = st.sampled_from([">=", "<=", ">", "<", "=="])


def test_a_rule_is_read_with_or_without_blanks():
    assert Rule.parse("side >= 256") == Rule.parse("side>=256")
    assert str(Rule.parse(" sharpness >= p2.5 ")) == "sharpness>=p2.5"
    assert Rule.parse("class.no watermark<=0.5").name == "class.no watermark"


@given(NUMBERS, COMPARISONS, NUMBERS)
def test_the_reason_names_a_value_that_breaks_the_rule(limit, comparison, value):
    rule = Rule.parse(f"dark{comparison}{limit!r}")
    assert bool(rule.rejects(np.array([value]))[0]) == (not rule.holds(value))
    if not rule.holds(value):
        name, text, sign, shown_limit = rule.why(value).split()
        assert (name, float(shown_limit)) == ("dark", limit)
        assert not rule.holds(float(text))
        assert sign in {"<", ">", "≤", "≥", "≠"}


@given(
    st.lists(st.floats(0, 1) | st.just(math.nan), max_size=60),
    st.floats(0.5, 99),
    st.sampled_from([">=", "<=", ">", "<"]),
)
def test_a_share_rejects_at_most_so_many_and_the_worst_first(values, percent, comparison):
    column = np.array(values, dtype=np.float64)
    rule = Rule.parse(f"dark{comparison}p{percent:.3f}").with_limit(column)
    rejected = rule.rejects(column)
    known = column[~np.isnan(column)]
    assert rejected.sum() <= len(known) * float(f"{percent:.3f}") / 100 + 1e-6
    assert not rejected[np.isnan(column)].any()
    if rejected.any() and (~rejected & ~np.isnan(column)).any():
        worst, kept = column[rejected], column[~rejected & ~np.isnan(column)]
        assert worst.max() < kept.min() if rule.rejects_low else worst.min() > kept.max()


def test_a_share_of_few_pictures_rejects_none():
    values = np.linspace(0, 1, 49)
    assert not Rule.parse("sharpness>=p2").with_limit(values).rejects(values).any()
    values = np.linspace(0, 1, 50)
    assert Rule.parse("sharpness>=p2").with_limit(values).rejects(values).sum() == 1


def test_equal_values_are_kept_together():
    values = np.array([0.5] * 99 + [1.0])
    assert not Rule.parse("sharpness>=p50").with_limit(values).rejects(values).any()


def test_a_range_is_no_contradiction():
    assert len(parse_rules(["side>=5", "side<=5", "aspect<3", "aspect>1"])) == 4


@pytest.mark.parametrize(
    "rules", [["side>=5", "side>6"], ["side>=p2", "side>=5"], ["side==5", "side==6"], ["side==5", "side>=6"]]
)
def test_rules_that_limit_the_same_or_exclude_each_other_are_refused(rules):
    with pytest.raises(ConfigError, match=r"limit the same|contradict"):
        parse_rules(rules)


@pytest.mark.parametrize("rule", ["aspect>=", "aspect<", "side>==3", "side>=<3"])
def test_a_rule_without_its_number_is_shown_as_it_is(rule):
    with pytest.raises(ConfigError, match=f"takes NAME>=VALUE or NAME<=VALUE, .* not '{rule}'"):
        Rule.parse(rule)


@pytest.mark.parametrize(
    ("rule", "span"),
    [
        ("nsfw<=50", "0 to 1"),
        ("contrast>=-1", "0 to 1"),
        ("text<1.5", "0 to 1"),
        ("aspect>=0.5", "1 to ∞"),
        ("side>=0", "1 to ∞"),
    ],
)
def test_a_limit_beyond_the_range_rejects_nothing_and_is_refused(rule, span):
    parsed = Rule.parse(rule)
    with pytest.raises(ConfigError, match=f"rejects no picture: {parsed.name} is {span}"):
        check_rule(parsed, make_measure(parsed.name, MeasureOptions()))


def test_values_are_shown_short():
    assert [shown(value) for value in (480, 307200.0, 0.0312345, 1.25, math.inf, 1234.5678)] == [
        "480",
        "307200",
        "0.0312",
        "1.25",
        "∞",
        "1235",
    ]
