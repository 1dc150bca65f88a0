"""Content baselines for unrated movies: predicted popularity, cosine, and both."""

import numpy as np
import numpy.typing as npt

from marquee.arrays import Floating, unit
from marquee.features.dataset import Dataset
from marquee.features.interactions import RatingRows
from marquee.features.movie_vector import MovieVectors
from marquee.scoring.blending import standardise
from marquee.scoring.ridge import fit_ridge
from trainer.evaluation.protocols.cases import EvaluationCase

POPULAR, COSINE, BOTH = "predicted popularity", "content cosine", "cosine + popularity"
NAMES = (POPULAR, COSINE, BOTH)


class ContentBaselines:
    """Cosine to the liked movies, and popularity predicted from content by ridge regression."""

    def __init__(self, train: Dataset) -> None:
        sums = RatingRows.of(train).sums(len(train.movies))
        vectors = MovieVectors.fit(train.movies, sums)
        content = vectors.matrix(train.movies, np.zeros_like(sums))[:, vectors.content]
        target = np.log1p(sums[:, 1])[:, None].astype(np.float32)
        ridge = fit_ridge(content, target, 30.0, (sums[:, 0] > 0).astype(np.float64))
        self._popularity: Floating = ridge.apply(content)[:, 0]
        deviation = content.std(axis=0)
        self._codes = unit((content - content.mean(axis=0)) / np.where(deviation > 0, deviation, 1))

    def scores(self, name: str, case: EvaluationCase, cold: npt.NDArray[np.bool_]) -> Floating:
        """Return the score of each movie, n, by one of `NAMES`; `cold` are the candidates."""
        liked = case.liked
        cosine = self._codes @ self._codes[liked].sum(axis=0) if len(liked) else self._popularity
        if name == COSINE:
            return cosine
        popularity = standardise(self._popularity, cold)
        return popularity if name == POPULAR else popularity + standardise(cosine, cold)
