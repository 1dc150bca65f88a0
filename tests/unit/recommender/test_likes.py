"""The likes rule: which ratings count as likes, in each part that asks."""

from pathlib import Path

import numpy as np
import pytest

from marquee.domain.likes import is_like, like_weights, likes_rule
from marquee.domain.rating_sums import RatingSums
from marquee.domain.ratings import RatedMovies, Ratings
from marquee.features.interactions import RatingRows, draw_fold_ins
from marquee.features.popularity import MovieSums
from marquee.scoring.scorers.als import AlsFactors

ROOT = Path(__file__).parents[3]
HALF_STARS = np.array([1, 7, 8, 10], np.uint8)


def test_more_than_three_and_a_half_stars_are_a_like_by_default() -> None:
    assert likes_rule() == "from-ratings"
    assert is_like(HALF_STARS).tolist() == [False, False, True, True]
    assert like_weights(HALF_STARS[2:]).tolist() == [1, 3]
    assert (is_like(7), is_like(8)) == (False, True)


@pytest.mark.usefixtures("every_rating")
def test_every_rating_is_a_like_where_the_setting_says_so() -> None:
    assert likes_rule() == "every-rating"
    assert is_like(HALF_STARS).all()
    assert is_like(1)
    assert like_weights(HALF_STARS).tolist() == [1, 1, 1, 1]


def rows() -> RatingRows:
    return RatingRows(np.array([0, 4]), np.arange(4), HALF_STARS)


@pytest.mark.usefixtures("every_rating")
def test_facts_rows_and_sums_follow_the_rule() -> None:
    facts = Ratings(dict(enumerate(HALF_STARS.tolist(), 1)))
    assert facts.positive == 4
    assert RatedMovies.of(facts).liked.all()
    assert rows().liked.all()
    assert rows().sums(4)[:, 1].tolist() == [1, 1, 1, 1]
    [fold_in] = draw_fold_ins(rows(), np.array([0]), (3,), 1, 0)
    assert len(fold_in.held_out) == 1


def test_stored_sums_keep_positive_ratings_and_are_read_by_the_rule() -> None:
    sums = MovieSums()
    sums.put(0, 5, RatingSums(10, 4, 60))
    sums.put(1, 5, RatingSums(2, 0, 6))
    assert sums.of(5) == (12, 4, 66)
    assert sums.arrays(np.array([5, 6])).tolist() == [[12, 4, 66], [0, 0, 0]]


@pytest.mark.usefixtures("every_rating")
def test_stored_sums_count_every_rating_where_each_is_a_like() -> None:
    sums = MovieSums()
    sums.put(0, 5, RatingSums(10, 4, 60))
    assert sums.of(5) == (10, 10, 60)
    assert sums.arrays(np.array([5])).tolist() == [[10, 10, 60]]


@pytest.mark.usefixtures("every_rating")
@pytest.mark.parametrize("stars", [1, 10])
def test_a_fold_in_is_the_same_for_any_stars_where_each_is_a_like(stars: int) -> None:
    items = np.eye(3, dtype=np.float32)
    factors = AlsFactors(items, np.eye(3), 4.0, 1.0, np.eye(3))
    folded = factors.fold_in(items[:2], np.array([stars, stars]))
    assert folded == pytest.approx([1, 1, 0])


def test_no_other_module_compares_stars_with_the_bound_of_a_like() -> None:
    """Stored sums count positive ratings by stars; all else asks the rule."""
    sums = {"rating_sums.py", "likes.py"}
    sources = [*ROOT.glob("libs/**/*.py"), *ROOT.glob("services/**/*.py")]
    users = {path.name for path in sources if ">= POSITIVE" in path.read_text()}
    assert users <= sums
