"""Masking of users erased after the training: they are no longer neighbours of any user."""

from dataclasses import replace

import numpy as np

from marquee.events.erasure import erased_among
from user_model.model import UserModel
from user_model.training_ratings import TrainingRatings


def without(model: UserModel, erased: frozenset[bytes]) -> UserModel:
    """Return the model without the ids, codes and ratings of the erased users.

    The others keep their places, so that clusters remain slices; a code of zeros has no weight as
    a neighbour.

    Args:
        model: The model as trained.
        erased: Digests of the ids of the erased users.
    """
    training = model.training
    is_erased = erased_among(training.user_ids, erased)
    if not is_erased.any():
        return model
    counts = np.diff(training.starts)
    remains = np.repeat(~is_erased, counts)
    masked = TrainingRatings(
        user_ids=np.where(is_erased, 0, training.user_ids),
        starts=np.concatenate([[0], np.cumsum(np.where(is_erased, 0, counts))]),
        movies=training.movies[remains],
        half_stars=training.half_stars[remains],
    )
    codes = np.where(is_erased[:, None], np.float32(0), model.codes)
    return replace(model, training=masked, codes=codes)
