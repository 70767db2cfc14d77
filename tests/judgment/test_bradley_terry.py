"""Strengths: compared with choix, and with simulated contests whose truth is known."""

from __future__ import annotations

import itertools

import choix
import numpy as np
import pytest

from cutline.judgment.bradley_terry import PENALTY, Points, strengths


def win_chance(odds: float) -> float:
    return float(1 / (1 + np.exp(-odds)))


@pytest.mark.parametrize("seed", range(4))
def test_strengths_are_those_of_choix(seed: int) -> None:
    random = np.random.default_rng(seed)
    quality = random.normal(size=5)
    data, results = [], []
    for picture in range(60):
        for one, other in itertools.permutations(range(5), 2):
            won = random.random() < win_chance(quality[one] - quality[other])
            data.append((one, other) if won else (other, one))
            results.append(Points(picture=picture, first=one, second=other, points=float(won), placed=False))
    expected = choix.opt_pairwise(5, data, alpha=PENALTY, method="Newton-CG", tol=1e-12)
    found = [one.value for one in strengths(results, 5, resamplings=2).strengths]
    assert np.abs(np.array(found) - expected).max() < 1e-7


def contest(random: np.random.Generator, pictures: int, *, place: float = 0.5) -> list[Points]:
    """Two contestants, 0.4 apart on average, about pictures of different difficulty; 5 % have no verdict."""
    results = []
    for picture in range(pictures):
        difference = 0.4 + random.normal()
        for first, sign in ((0, 1), (1, -1)):
            if random.random() < 0.05:
                continue
            won = random.random() < win_chance(sign * difference + place)
            results.append(Points(picture=picture, first=first, second=1 - first, points=float(won)))
    return results


def test_intervals_cover_the_truth_of_simulated_contests() -> None:
    large = strengths(contest(np.random.default_rng(0), 100_000), 2, resamplings=2)
    truth, place = large.differences[0, 1].value, large.place.value
    covered = {"difference": 0, "place": 0}
    contests = 200
    for seed in range(contests):
        found = strengths(contest(np.random.default_rng(1 + seed), 60), 2, resamplings=300, seed=seed)
        difference = found.differences[0, 1]
        covered["difference"] += difference.low <= truth <= difference.high
        covered["place"] += found.place.low <= place <= found.place.high
    assert min(covered.values()) >= 0.88 * contests, covered


def test_the_place_does_not_change_who_is_better() -> None:
    """Both orders are played, so that a judge that likes the first place favours nobody."""
    fair = strengths(contest(np.random.default_rng(5), 4000, place=0.0), 2, resamplings=2)
    unfair = strengths(contest(np.random.default_rng(5), 4000, place=2.0), 2, resamplings=2)
    assert fair.place.value == pytest.approx(0, abs=0.1)
    assert unfair.place.value > 1.2
    assert unfair.differences[0, 1].value == pytest.approx(fair.differences[0, 1].value, abs=0.12)


def test_a_contestant_that_wins_every_game_has_a_finite_strength() -> None:
    games = [Points(picture=n, first=n % 2, second=1 - n % 2, points=float(n % 2 == 0)) for n in range(40)]
    found = strengths(games, 2)
    assert 3 < found.differences[0, 1].value < 20
    assert found.differences[0, 1].excludes_zero


def test_a_contestant_without_a_game_has_no_interval() -> None:
    found = strengths([Points(picture=n, first=0, second=2, points=float(n % 5 == 0)) for n in range(40)], 3)
    assert (found.strengths[1].low, found.differences[0, 1].low, found.differences[1, 2].high) == (None,) * 3
    assert found.strengths[0].low is not None
    assert found.differences[0, 2].excludes_zero


def test_one_picture_has_no_interval_and_equal_captions_have_no_place() -> None:
    only = strengths([Points(picture=0, first=0, second=1, points=1.0)], 2)
    assert only.strengths[0].low is None
    assert not only.differences[0, 1].excludes_zero
    equal = [Points(picture=n, first=0, second=1, points=0.5, placed=False) for n in range(30)]
    assert strengths(equal, 2).place is None
    placed = contest(np.random.default_rng(2), 200)
    diluted = strengths([*placed, *equal, *equal], 2)
    assert diluted.place.value == pytest.approx(strengths(placed, 2).place.value, rel=0.15)


def test_the_order_of_games_and_the_names_of_pictures_change_nothing() -> None:
    games = contest(np.random.default_rng(3), 50)
    renamed = [
        Points(picture=1000 - one.picture, first=one.first, second=one.second, points=one.points)
        for one in reversed(games)
    ]
    found, expected = (strengths(one, 2) for one in (games, renamed))
    assert found.place.low == pytest.approx(expected.place.low)
    assert found.strengths[0].high == pytest.approx(expected.strengths[0].high)
