"""The trend in trainings: likes by period against recounts, and what validation makes of it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marquee.arrays import Ints
from marquee.domain.rating_sums import PERIOD_DAYS, PERIOD_SECONDS
from marquee.features.interactions import FoldIn, RatingRows
from marquee.features.trend import PRIOR_LIKES
from marquee.scoring.evidence_weights import OrderLikelihood
from marquee.scoring.scorers.recent_trend import TREND
from marquee.training.evidence_weights import EvidenceDraw, learn_evidence_weights
from marquee.training.recent_likes import RecentLikes
from marquee.training.recent_trend import (
    HALF_LIVES,
    PastTrends,
    past_trends,
    served_trend,
)
from marquee_testing.datasets import DAY, checkerboard, fashions

N_MOVIES = 4
RATINGS = st.lists(
    st.tuples(
        st.integers(0, N_MOVIES - 1),
        st.integers(1, 10),
        st.one_of(st.just(0), st.integers(1, 12 * PERIOD_SECONDS)),
    ),
    min_size=1,
    max_size=40,
)
"""Movie row, half stars, seconds since 1970; 0: unknown."""
Rated = list[tuple[int, int, int]]
SECONDS = st.integers(0, 14 * PERIOD_SECONDS)


def rows_of(ratings: Rated) -> RatingRows:
    """Return ratings as those of one user."""
    movies, halves, times = np.array(ratings, np.int64).T
    return RatingRows(np.array([0, len(ratings)]), movies, halves.astype(np.uint8), times)


def recent(ratings: Rated) -> RecentLikes:
    likes = RecentLikes.of(rows_of(ratings), N_MOVIES)
    assert likes is not None
    return likes


def recounted(ratings: Rated, half_life: float, now: int) -> list[float]:
    """Return the decayed likes of each movie, by one like after the other."""
    decayed = [0.0] * N_MOVIES
    for movie, half, seconds in ratings:
        period = seconds // PERIOD_SECONDS
        if half >= 8 and 0 < period <= now:
            decayed[movie] += 0.5 ** ((now - period) * PERIOD_DAYS / half_life)
    return decayed


@given(RATINGS, st.sampled_from(HALF_LIVES), st.integers(0, 14))
def test_decayed_likes_are_those_counted_one_by_one(
    ratings: Rated, half_life: float, now: int
) -> None:
    likes, last = recent(ratings), max(seconds for *_, seconds in ratings) // PERIOD_SECONDS
    assert likes.decayed(half_life, now) == pytest.approx(recounted(ratings, half_life, now))
    assert likes.decayed(half_life) == pytest.approx(recounted(ratings, half_life, last))


@given(RATINGS, SECONDS)
def test_no_time_has_a_period_after_the_data(ratings: Rated, time: int) -> None:
    likes, last = recent(ratings), max(seconds for *_, seconds in ratings) // PERIOD_SECONDS
    period = time // PERIOD_SECONDS
    assert likes.period_at(time) == (min(period, last) if period else last)
    assert likes.period_at(0) == last


def test_the_data_end_with_their_last_rating_though_it_is_no_like() -> None:
    likes = recent([(0, 10, 3 * PERIOD_SECONDS), (1, 2, 7 * PERIOD_SECONDS)])
    assert likes.period_at(0) == 7
    assert likes.decayed(PERIOD_DAYS, 7) == pytest.approx([2.0**-4, 0, 0, 0])


@given(RATINGS, RATINGS, SECONDS, st.sampled_from(HALF_LIVES))
def test_the_trend_of_a_time_knows_no_like_after_its_period(
    ratings: Rated, others: Rated, asked: int, half_life: float
) -> None:
    """Other likes after it change nothing, at equal numbers of likes of all time."""
    asked = max(asked, PERIOD_SECONDS)
    period, end = asked // PERIOD_SECONDS, (0, 1, 15 * PERIOD_SECONDS)
    until_then = [row for row in ratings if row[2] // PERIOD_SECONDS <= period]
    later = [row for row in others if row[2] // PERIOD_SECONDS > period]
    likes = np.arange(1, N_MOVIES + 1)
    knowing, unknowing = (
        PastTrends(recent([*known, end]), likes, half_life).at(asked)
        for known in ([*until_then, *later], until_then)
    )
    assert knowing.tolist() == unknowing.tolist()
    shares = likes / likes.sum()
    decayed = np.array(recounted(until_then, half_life, period))
    now = (decayed + PRIOR_LIKES * shares) / (decayed.sum() + PRIOR_LIKES)
    assert knowing == pytest.approx(np.log(now / shares), abs=1e-6)


def test_a_model_is_served_with_the_half_life_learned_and_the_trend_of_all_ratings() -> None:
    rows = RatingRows.of(fashions())
    some = past_trends(rows.of_users(np.arange(60)), 24)
    assert [past.half_life for past in some] == list(HALF_LIVES)
    served = served_trend(some[2], rows, 24)
    assert served is not None
    assert served.half_life == HALF_LIVES[2]
    assert served.base.tolist() == past_trends(rows, 24)[2].at(0).tolist()
    assert np.abs(served.base - some[2].at(0)).max() > 0.01
    assert served_trend(None, rows, 24) is None


def test_without_usable_times_there_is_no_trend() -> None:
    rows = RatingRows.of(checkerboard())
    assert rows.times is None
    assert past_trends(rows, 24) == []
    assert served_trend(past_trends(RatingRows.of(fashions()), 24)[0], rows, 24) is None


MOVIES, VALIDATION_USERS, SHOWN = 40, 150, (2, 4)


def histories(fashion_days: int | None) -> RatingRows:
    """Return ten likes each of 240 users, who come over four years.

    Movies are liked for about so many days before and after a time of their own; None: always.
    """
    generator, years = np.random.default_rng(0), 4 * 365 * DAY
    peaks = generator.permutation(MOVIES) / MOVIES * years
    movies, times = [], []
    for begin in generator.uniform(0, years, 240):
        nearness = np.ones(MOVIES)
        if fashion_days is not None:
            nearness = np.exp(-np.abs(begin - peaks) / (fashion_days * DAY)) + 0.01
        movies.append(generator.choice(MOVIES, 10, replace=False, p=nearness / nearness.sum()))
        times.append(500 * PERIOD_SECONDS + begin + np.arange(10) * 60)
    liked = np.full(2400, 9, np.uint8)
    seconds = np.concatenate(times).astype(np.int64)
    return RatingRows(np.arange(241) * 10, np.concatenate(movies), liked, seconds)


def drawn_from(rows: RatingRows) -> tuple[EvidenceDraw, list[PastTrends]]:
    """Return fold-ins of validation users, and the trends of the others' likes."""
    drawn = EvidenceDraw.draw(rows, np.arange(VALIDATION_USERS), SHOWN, 1, 0)
    others = rows.of_users(np.arange(VALIDATION_USERS, len(rows)))
    return drawn, past_trends(others, MOVIES)


def ndcg(past: PastTrends, fold_in: FoldIn) -> float:
    """Return the mean of NDCG@10 and NDCG@100 of the movies by their trend."""
    order = np.argsort(-past.at(fold_in.asked_at), kind="stable")
    ranked = order[~np.isin(order, fold_in.inputs)]
    gains = np.isin(ranked, fold_in.held_out) / np.log2(np.arange(2, len(ranked) + 2))
    ideal = 1 / np.log2(np.arange(2, len(fold_in.held_out) + 2))
    return float(gains[:10].sum() / ideal[:10].sum() + gains.sum() / ideal.sum()) / 2


@pytest.mark.parametrize(
    ("fashion_days", "expected"), [(100, 30.0), (600, 90.0), (1000, 365.0), (5, 365.0)]
)
def test_another_half_life_than_the_default_is_taken_where_it_ranks_better_beyond_noise(
    fashion_days: int, expected: float
) -> None:
    drawn, trends = drawn_from(histories(fashion_days))
    initial, order = {"noise": 0.0, TREND: 1.0}, OrderLikelihood(unknown=0.5)
    learned = learn_evidence_weights(
        drawn, noise, np.arange(MOVIES), (initial, initial), {}, order, trends
    )
    best, ranked = 0, [np.array([ndcg(past, f) for f in drawn.fold_ins]) for past in trends]
    for i, values in enumerate(ranked):
        gains = values - ranked[best]
        if gains.mean() > 2.5 * gains.std(ddof=1) / np.sqrt(len(gains)) + 1e-6:
            best = i
    assert learned.trend is trends[best]
    assert learned.trend.half_life == expected


def noise(fold_in: FoldIn) -> dict[str, np.ndarray]:
    return {"noise": np.random.default_rng(fold_in.inputs).normal(size=MOVIES)}


def taste(fold_in: FoldIn) -> dict[str, np.ndarray]:
    """Return a signal that knows something of what is liked."""
    scores = noise(fold_in)["noise"]
    scores[fold_in.held_out] += 1
    return {"taste": scores}


def trend_weights(fashion_days: int | None, candidates: Ints) -> list[float]:
    """Return the weights of a trend that begins without one, in both orders."""
    drawn, trends = drawn_from(histories(fashion_days))
    initial, order = {"taste": 0.5, TREND: 0.0}, OrderLikelihood(unknown=0.5)
    learned = learn_evidence_weights(
        drawn, taste, candidates, (initial, initial), {TREND: 0.0}, order, trends[1:2]
    )
    weights = learned.weights
    return [w[TREND] for w in (*weights.at_random.values(), *weights.in_time.values())]


def test_the_trend_has_a_weight_where_recency_decides_and_none_where_it_does_not() -> None:
    fashionable, level = (trend_weights(days, np.arange(MOVIES)) for days in (100, None))
    assert len(fashionable) == len(level) == 2 * len(SHOWN)
    assert min(fashionable) > 0
    assert set(level) == {0.0}
