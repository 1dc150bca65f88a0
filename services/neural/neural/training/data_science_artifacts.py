"""Artifacts for data scientists: id encoders, ratings, codes, raw vectors, torch's state."""

import io
import pickle  # nosec B403  # writes only

import numpy as np
import numpy.typing as npt
import torch

from marquee.arrays import Ints, unit
from marquee.features.dataset import Dataset
from marquee.features.interactions import RatingRows
from marquee.training.scorers.autoencoder import encode
from neural.model import Neural
from neural.training.epochs import TrainedNetwork


def data_science_artifacts(
    dataset: Dataset, rows: RatingRows, model: Neural, trained: TrainedNetwork
) -> dict[str, bytes]:
    """Return the files by name, of which serving reads none; pickles are plain dicts, id → row."""
    user_ids = np.unique(dataset.user_ids)
    codes = encode(model.scorers.network, rows)
    state = io.BytesIO()
    torch.save(trained.state, state)
    return {
        "user_encoder.pkl": _encoder(user_ids),
        "item_encoder.pkl": _encoder(model.base.movie_ids),
        "ratings_csr.npz": _archive(
            user_ids=user_ids,
            starts=rows.starts,
            films=rows.movies.astype(np.int32),
            half_stars=rows.half_stars,
        ),
        "user_content_vector.npz": _archive(
            user_ids=user_ids, codes=codes, clusters=model.kmeans.assign(unit(codes))
        ),
        "model_movies_full_vectors_raw.npz": _archive(
            movie_ids=model.base.movie_ids, vectors=model.movie_rows.raw(dataset.movies)
        ),
        "neural_model_best.pt": state.getvalue(),
    }


def _encoder(ids: Ints) -> bytes:
    return pickle.dumps({int(identity): row for row, identity in enumerate(ids)}, protocol=4)


def _archive(**arrays: npt.NDArray[np.generic]) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, allow_pickle=False, **arrays)
    return file.getvalue()
