"""Two predictors as one: its ratings are the mean of theirs."""

import numpy as np
import pytest

from neural.rating_predictor import (
    JOINT_NUMBERS,
    USER_NUMBERS,
    NetworkMovieVectors,
    RatingPredictor,
)
from neural.training.ensembling import ensemble, ensemble_movies

MOVIES, CONTENT, D = 7, 5, 3


def drawn(seed: int, hidden: int) -> RatingPredictor:
    rng = np.random.default_rng(seed)
    row, joint = 2 * D + USER_NUMBERS, 3 * D + JOINT_NUMBERS
    shapes = {
        "viewers.value.weight": (MOVIES, D), "viewers.seen.weight": (MOVIES, D),
        "viewers.linear.weight": (D, row),
        "viewers.layers.0.weight": (hidden, row), "viewers.layers.0.bias": (hidden,),
        "viewers.layers.3.weight": (D, hidden), "viewers.layers.3.bias": (D,),
        "films.new.0.weight": (hidden, CONTENT), "films.new.0.bias": (hidden,),
        "films.new.3.weight": (D, hidden), "films.new.3.bias": (D,),
        "joint.0.weight": (hidden, joint), "joint.0.bias": (hidden,),
        "joint.3.weight": (1, hidden), "joint.3.bias": (1,),
    }  # fmt: skip
    return RatingPredictor(
        {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}, 3.5
    )


@pytest.mark.parametrize("new", [False, True])
def test_the_ratings_of_two_predictors_are_averaged(new: bool) -> None:
    rng = np.random.default_rng(9)
    pair = [drawn(0, 4), drawn(1, 4)]
    biases, logs = rng.normal(size=MOVIES).astype(np.float32), np.ones(MOVIES, np.float32)
    content = rng.normal(size=(MOVIES, CONTENT)).astype(np.float32)
    packed = ensemble(pair)
    if new:
        tables = [
            NetworkMovieVectors(p.movies(content), biases * 0, biases * 0, logs * 0) for p in pair
        ]
        table = NetworkMovieVectors(packed.movies(content), biases * 0, biases * 0, logs * 0)
    else:
        drawn_movies = rng.normal(size=(2, MOVIES, D + 1)).astype(np.float32)
        tables = [
            NetworkMovieVectors(rows[:, :D], biases, rows[:, D], logs) for rows in drawn_movies
        ]
        table = ensemble_movies(tables)
    given, stars = np.array([0, 2, 5]), np.array([4.0, 2.5, 5.0], np.float32)
    ratings = [
        p.predict(p.user(given, stars, biases[given]), movies)
        for p, movies in zip([*pair, packed], [*tables, table], strict=True)
    ]
    assert packed.d == 2 * D
    assert ratings[2] == pytest.approx((ratings[0] + ratings[1]) / 2, rel=1e-4, abs=1e-4)
