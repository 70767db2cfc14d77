"""What judging in both orders and resampling pictures are worth, on simulated contests whose truth is known.

    make bench-judge

Captions of one captioner differ in quality (standard deviation 1, in log-odds); the judge likes what
stands first (0.5).
"""

from __future__ import annotations

import argparse
import itertools
import time

import numpy as np

from cutline.judgment.bradley_terry import Points, strengths

PLACE, SPREAD = 0.5, 1.0
TWO, FOUR = (0.2, -0.2), (0.6, 0.2, -0.2, -0.6)


def contest(
    random: np.random.Generator, pictures: int, qualities: tuple[float, ...], *, orders: int = 2
) -> list[Points]:
    """The games of captioners; with one order the better one of each pair always stands second."""
    results = []
    for picture in range(pictures):
        captions = np.array(qualities) + random.normal(scale=SPREAD, size=len(qualities))
        for one, other in itertools.combinations(range(len(qualities)), 2):
            for first, second in ((other, one), (one, other))[:orders]:
                odds = captions[first] - captions[second] + PLACE
                won = random.random() < 1 / (1 + np.exp(-odds))
                results.append(Points(picture=picture, first=first, second=second, points=float(won)))
    return results


def by_games(results: list[Points]) -> list[Points]:
    """The same games, each as if about a picture of its own: what resampling games comes to."""
    return [
        Points(picture=number, first=one.first, second=one.second, points=one.points)
        for number, one in enumerate(results)
    ]


def wrong_winner(contests: int, orders: int) -> float:
    """The share of contests about 100 pictures that the worse of two captioners wins by count."""
    wrong = 0
    for seed in range(contests):
        results = contest(np.random.default_rng(seed), 100, TWO, orders=orders)
        better = sum(one.points if one.first == 0 else 1 - one.points for one in results)
        wrong += better < len(results) / 2
    return wrong / contests


def coverage(contests: int, pictures: int, qualities: tuple[float, ...]) -> tuple[float, float]:
    """How often 95 % intervals of the first difference hold the truth: by pictures, and by games."""
    large = contest(np.random.default_rng(1), 60_000, qualities)
    truth = strengths(large, len(qualities), resamplings=2).differences[0, 1].value
    held = np.zeros(2)
    for seed in range(contests):
        results = contest(np.random.default_rng(10_000 + seed), pictures, qualities)
        for place, one in enumerate((results, by_games(results))):
            found = strengths(one, len(qualities), resamplings=300, seed=seed).differences[0, 1]
            held[place] += found.low <= truth <= found.high
    by_picture, by_game = held / contests
    return float(by_picture), float(by_game)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--contests", type=int, default=400)
    contests = parser.parse_args().contests
    one, both = (wrong_winner(contests, orders) for orders in (1, 2))
    print(f"the worse of two captioners wins, of {contests} contests about 100 pictures:")
    print(f"  one order, the better one second: {one:.1%}; both orders: {both:.1%}")
    print("95 % intervals that hold the truth, resampling pictures and games:")
    for qualities, pictures in itertools.product((TWO, FOUR), (25, 100)):
        by_picture, by_game = coverage(contests, pictures, qualities)
        what = f"{len(qualities)} captioners, {pictures} pictures"
        print(f"  {what}: {by_picture:.1%} by pictures, {by_game:.1%} by games")
    results = contest(np.random.default_rng(2), 100, FOUR)
    begun = time.perf_counter()
    strengths(results, 4)
    milliseconds = 1000 * (time.perf_counter() - begun)
    print(f"{len(results):,} games, 1,000 resamplings: {milliseconds:.0f} ms")


if __name__ == "__main__":
    main()
