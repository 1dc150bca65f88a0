"""What the confidence is fitted on: held-out ratings, predicted from more and from less."""

import numpy as np

from neural.confidence import Confidence, Reals, fit_confidence
from neural.predictor import FilmVectors, Matrix
from neural.training import Rated, Trained

SHOWN = (1, 3, 5, 10, 20)
"""Sizes to which a viewer's row is cut, beside the whole one."""


def calibrate(rated: Rated, trained: Trained, cold: Matrix, seed: int) -> Confidence:
    """Return the confidence that the ratings held out teach; `cold`: all films as new ones, i × d.

    Each is predicted from the whole row of its viewer, from a few ratings of it, and as that of a
    film which nobody rated.
    """
    rng = np.random.default_rng(seed)
    found = [
        part
        for user in np.flatnonzero(rated.held_out.sizes).tolist()
        for part in _of_viewer(rated, trained, cold, user, rng)
    ]
    if not found:
        return Confidence()
    log_viewer, log_film, errors = np.concatenate(found, axis=1)
    return fit_confidence(log_viewer, log_film, errors)


def _of_viewer(
    rated: Rated, trained: Trained, cold: Matrix, user: int, rng: np.random.Generator
) -> list[Reals]:
    """Return log counts of viewer and film, and errors, 3 × targets, for each size of the row."""
    films, half_stars = rated.shown.of_user(user)
    targets, truth = rated.held_out.of_user(user)
    every, zeros = trained.films, np.zeros(len(targets), np.float32)
    warm = FilmVectors(
        every.vectors[targets], every.biases[targets],
        every.corrections[targets], every.log_counts[targets],
    )  # fmt: skip
    new = FilmVectors(cold[targets], zeros, zeros, zeros)
    order = rng.permutation(len(films))
    found = []
    for n in sorted({min(n, len(films)) for n in (*SHOWN, len(films))} - {0}):
        shown = films[order[:n]]
        stars = (half_stars[order[:n]] / 2).astype(np.float32)
        viewer = trained.predictor.viewer(shown, stars, trained.statistics.biases[shown])
        for table in (warm, new):
            predicted = np.clip(trained.predictor.predict(viewer, table), 0.5, 5)
            log_viewer = np.full(len(targets), viewer.log_count)
            found.append(np.stack([log_viewer, table.log_counts, predicted - truth / 2]))
    return found
