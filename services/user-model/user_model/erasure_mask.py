"""The model without users who were erased after its training: nobody is near to them any more."""

from dataclasses import replace

import numpy as np

from marquee.events.erasure import erased_among
from user_model.model import Training, UserModel


def without(model: UserModel, erased: frozenset[bytes]) -> UserModel:
    """Return the model without the ids, codes and ratings of the users of these digests.

    Others keep their places, so clusters stay the slices that they are; a code of zeros is near to
    nobody.
    """
    training = model.training
    gone = erased_among(training.user_ids, erased)
    if not gone.any():
        return model
    counts = np.diff(training.starts)
    stays = np.repeat(~gone, counts)
    starts = np.concatenate([[0], np.cumsum(np.where(gone, 0, counts))])
    user_ids = np.where(gone, 0, training.user_ids)
    left = Training(user_ids, starts, training.movies[stays], training.half_stars[stays])
    codes = np.where(gone[:, None], np.float32(0), model.codes)
    return replace(model, training=left, codes=codes)
