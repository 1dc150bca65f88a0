"""Two predictors as one: its ratings are the mean of theirs."""

import numpy as np
import pytest

from neural.rating_predictor import JOINT_NUMBERS, VIEWER_NUMBERS, FilmVectors, Predictor
from neural.training.ensembling import averaged, averaged_films

FILMS, CONTENT, D = 7, 5, 3


def drawn(seed: int, hidden: int) -> Predictor:
    rng = np.random.default_rng(seed)
    row, joint = 2 * D + VIEWER_NUMBERS, 3 * D + JOINT_NUMBERS
    shapes = {
        "viewers.value.weight": (FILMS, D), "viewers.seen.weight": (FILMS, D),
        "viewers.linear.weight": (D, row),
        "viewers.layers.0.weight": (hidden, row), "viewers.layers.0.bias": (hidden,),
        "viewers.layers.3.weight": (D, hidden), "viewers.layers.3.bias": (D,),
        "films.new.0.weight": (hidden, CONTENT), "films.new.0.bias": (hidden,),
        "films.new.3.weight": (D, hidden), "films.new.3.bias": (D,),
        "joint.0.weight": (hidden, joint), "joint.0.bias": (hidden,),
        "joint.3.weight": (1, hidden), "joint.3.bias": (1,),
    }  # fmt: skip
    return Predictor(
        {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}, 3.5
    )


@pytest.mark.parametrize("new", [False, True])
def test_the_ratings_of_two_predictors_are_averaged(new: bool) -> None:
    rng = np.random.default_rng(9)
    pair = [drawn(0, 4), drawn(1, 4)]
    biases, logs = rng.normal(size=FILMS).astype(np.float32), np.ones(FILMS, np.float32)
    content = rng.normal(size=(FILMS, CONTENT)).astype(np.float32)
    one = averaged(pair)
    if new:
        tables = [FilmVectors(p.films(content), biases * 0, biases * 0, logs * 0) for p in pair]
        table = FilmVectors(one.films(content), biases * 0, biases * 0, logs * 0)
    else:
        drawn_films = rng.normal(size=(2, FILMS, D + 1)).astype(np.float32)
        tables = [FilmVectors(rows[:, :D], biases, rows[:, D], logs) for rows in drawn_films]
        table = averaged_films(tables)
    given, stars = np.array([0, 2, 5]), np.array([4.0, 2.5, 5.0], np.float32)
    found = [
        p.predict(p.viewer(given, stars, biases[given]), films)
        for p, films in zip([*pair, one], [*tables, table], strict=True)
    ]
    assert one.d == 2 * D
    assert found[2] == pytest.approx((found[0] + found[1]) / 2, rel=1e-4, abs=1e-4)
