"""Damped means of films and viewers: what a rating is before any network looks at it."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from marquee.features.interactions import RatingRows

Matrix = npt.NDArray[np.float32]

FILM_DAMPING, VIEWER_DAMPING = 3.0, 5.0
"""Ratings that a bias of 0 weighs beside those of a film, and of a viewer."""

_ROUNDS = 10


@dataclass(frozen=True, eq=False)
class Statistics:
    """`mean` μ in stars; `biases`, `counts` of i films; `viewer_biases` of u viewers; float32."""

    mean: float
    biases: Matrix
    counts: Matrix
    viewer_biases: Matrix

    def of_viewers(self, viewers: npt.NDArray[np.int64]) -> "Statistics":
        """Return the same with the biases of these viewers (rows) alone."""
        return replace(self, viewer_biases=self.viewer_biases[viewers])


def statistics_of(rows: RatingRows, n_films: int) -> Statistics:
    """Return the biases of a fit of r ≈ μ + b_film + b_viewer, alternated (Koren 2010)."""
    stars = rows.half_stars / 2
    mean = float(stars.mean())
    owners, films = rows.owners, rows.films
    counts = np.bincount(films, minlength=n_films)
    film_biases, viewer_biases = np.zeros(n_films), np.zeros(len(rows))
    for _ in range(_ROUNDS):
        rest = stars - mean - viewer_biases[owners]
        film_biases = np.bincount(films, rest, n_films) / (counts + FILM_DAMPING)
        rest = stars - mean - film_biases[films]
        viewer_biases = np.bincount(owners, rest, len(rows)) / (rows.sizes + VIEWER_DAMPING)
    # The last step is the films', so that bias · (n + damping) is the sum of what is left over.
    rest = stars - mean - viewer_biases[owners]
    film_biases = np.bincount(films, rest, n_films) / (counts + FILM_DAMPING)
    return Statistics(
        mean,
        film_biases.astype(np.float32),
        counts.astype(np.float32),
        viewer_biases.astype(np.float32),
    )
