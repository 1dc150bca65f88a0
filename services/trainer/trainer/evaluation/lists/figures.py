"""Figures of likeness: siblings of series, neighbours among held-out users, exact copies."""

import csv
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from marquee.arrays import Ints, Mask, Matrix
from marquee.domain.ids import parse_id_text
from marquee.features.dataset import Dataset
from marquee.features.interactions import RatingRows
from marquee.features.movie_vector import MovieVectors
from marquee.scoring.scorers.likeness import CoLikingPredictor
from marquee.training.scorers.likeness import FittedLikeness, LikenessConfig, fit_likeness
from trainer.evaluation.similarity import Siblings, neighbor_quality, siblings

_COPY_STEP = 25
"""Every 25th movie is copied."""


@dataclass(frozen=True)
class LikenessFigures:
    """The figures.

    Attributes:
        siblings: how often the films of series find each other.
        neighbors: NDCG@10 by measure, see `trainer.evaluation.similarity`.
        copies_first: share of movies whose exact copy, added as a new movie, is most like them.
    """

    siblings: Siblings
    neighbors: Mapping[str, float]
    copies_first: float


def measure_likeness(dataset: Dataset, series: Mapping[str, list[int]]) -> LikenessFigures:
    """Return the figures of likeness fitted to a data set; `series` are movie rows by name."""
    ratings = RatingRows.of(dataset)
    fitted = fit_to(dataset, ratings)
    rows = fitted.rows(_unrated(dataset, ratings))
    return LikenessFigures(
        siblings(lambda row: fitted.likeness.to(rows[row], rows), series),
        neighbors(dataset, ratings),
        float(copies_first(fitted, rows).mean()),
    )


def fit_to(dataset: Dataset, ratings: RatingRows) -> FittedLikeness:
    """Return the likeness as the content model fits it."""
    sums = ratings.sums(len(dataset.movies))
    vectors = MovieVectors.fit(dataset.movies, sums)
    matrix = vectors.matrix(dataset.movies, sums)
    return fit_likeness(dataset.movies, vectors, matrix, ratings, LikenessConfig(), seed=0)


def neighbors(
    dataset: Dataset, ratings: RatingRows, only_likes: bool = False
) -> Mapping[str, float]:
    """Return the NDCG@10 of similar movies against neighbours among held-out users, by measure."""

    def fit_half(half: RatingRows) -> Callable[[Ints], Matrix]:
        fitted = fit_to(dataset, half)
        rows = fitted.rows(_unrated(dataset, half))
        return lambda movies: fitted.likeness.between(rows[movies], rows[movies])

    return neighbor_quality(fit_half, ratings, len(dataset.movies), only_likes=only_likes)


def copies_first(fitted: FittedLikeness, rows: Matrix) -> Mask:
    """Return for some movies whether their exact copy is more like them than any other is."""
    likeness, movies = fitted.likeness, np.arange(0, len(rows), _COPY_STEP)
    content, titles = fitted.content[movies], fitted.titles[movies]
    known = np.linalg.norm(fitted.co_liking, axis=1) > 0
    predicted = CoLikingPredictor(likeness, rows[known]).predict(content, titles)
    copies = likeness.rows(predicted, content, titles)
    to_others = likeness.between(rows[movies], rows)
    to_others[np.arange(len(movies)), movies] = -1
    is_first: Mask = likeness.between(rows[movies], copies).diagonal() > to_others.max(axis=1)
    return is_first


def read_series(file: Path, dataset: Dataset) -> dict[str, list[int]]:
    """Return the movie rows of each series of a CSV file (series, movie_id, title)."""
    index = {movie.movie_id: row for row, movie in enumerate(dataset.movies)}
    series: dict[str, list[int]] = {}
    with file.open(newline="") as lines:
        for line in csv.DictReader(lines):
            series.setdefault(line["series"], []).append(index[parse_id_text(line["movie_id"])])
    return series


def _unrated(dataset: Dataset, ratings: RatingRows) -> Mask:
    is_unrated: Mask = ratings.sums(len(dataset.movies))[:, 0] == 0
    return is_unrated
