"""Several RatingPredictors as one as wide as all, whose ratings are the mean of theirs."""

from collections.abc import Sequence

import numpy as np

from marquee.arrays import Ints, Matrix
from neural.rating_predictor import NetworkMovieVectors, RatingPredictor, Weights

_TABLES = ("viewers.value.weight", "viewers.seen.weight")


def averaged(predictors: Sequence[RatingPredictor]) -> RatingPredictor:
    """Return the predictor whose vectors are those of p predictors side by side.

    All must have the same mean, and be asked with the same biases. A movie's part of the vector is
    a p-th of its own, so that ⟨user, movie⟩ is a mean; the joint layers make up for it.
    """
    parts, p = [one.weights for one in predictors], len(predictors)
    d = predictors[0].d
    weights = {name: np.concatenate([part[name] for part in parts], axis=1) for name in _TABLES}
    rows = [_columns(p, k, d, 2) for k in range(p)]
    weights["viewers.linear.weight"] = _blocks(parts, "viewers.linear.weight", rows)
    weights |= _layers(parts, "viewers.layers", rows)
    every = [np.arange(parts[0]["films.new.0.weight"].shape[1])] * p
    weights |= _layers(parts, "films.new", every)
    weights["films.new.3.weight"] = weights["films.new.3.weight"] / p
    weights["films.new.3.bias"] = weights["films.new.3.bias"] / p
    weights |= _joint(parts, [_columns(p, k, d, 3) for k in range(p)], d)
    return RatingPredictor(
        {name: w.astype(np.float32) for name, w in weights.items()}, predictors[0].mean
    )


def averaged_movies(movies: Sequence[NetworkMovieVectors]) -> NetworkMovieVectors:
    """Return movies as the averaged predictor takes them."""
    p = len(movies)
    vectors: Matrix = np.concatenate([one.vectors / np.float32(p) for one in movies], axis=1)
    corrections: Matrix = np.stack([one.corrections for one in movies]).mean(axis=0)
    return NetworkMovieVectors(vectors, movies[0].biases, corrections, movies[0].log_counts)


def _columns(p: int, k: int, d: int, blocks: int) -> Ints:
    """Return where the k-th predictor's vectors lie in a row of `blocks` vectors of p · d each."""
    return np.concatenate([np.arange(d) + b * p * d + k * d for b in range(blocks)])


def _blocks(parts: Sequence[Weights], name: str, columns: Sequence[Ints]) -> Matrix:
    """Return the layers below each other, each at its columns; numbers that follow are shared."""
    own = [len(some) for some in columns]
    shared = parts[0][name].shape[1] - own[0]
    disjoint = len(parts) * own[0] if shared else own[0]
    rows = []
    for part, some, n in zip(parts, columns, own, strict=True):
        row = np.zeros((len(part[name]), disjoint + shared), np.float32)
        row[:, some] = part[name][:, :n]
        row[:, disjoint:] = part[name][:, n:]
        rows.append(row)
    return np.concatenate(rows)


def _layers(parts: Sequence[Weights], name: str, columns: Sequence[Ints]) -> dict[str, Matrix]:
    hidden = [len(part[f"{name}.0.bias"]) for part in parts]
    ends = np.cumsum(hidden)
    inner = [np.arange(end - n, end) for n, end in zip(hidden, ends, strict=True)]
    outer = []
    for part, some in zip(parts, inner, strict=True):
        row = np.zeros((len(part[f"{name}.3.weight"]), int(ends[-1])), np.float32)
        row[:, some] = part[f"{name}.3.weight"]
        outer.append(row)
    return {
        f"{name}.0.weight": _blocks(parts, f"{name}.0.weight", columns),
        f"{name}.0.bias": np.concatenate([part[f"{name}.0.bias"] for part in parts]),
        f"{name}.3.weight": np.concatenate(outer),
        f"{name}.3.bias": np.concatenate([part[f"{name}.3.bias"] for part in parts]),
    }


def _joint(parts: Sequence[Weights], columns: Sequence[Ints], d: int) -> dict[str, Matrix]:
    p = len(parts)
    first = _blocks(parts, "joint.0.weight", columns)
    # A movie's vector comes divided by p, alone and in the product with the user's.
    first[:, p * d : 3 * p * d] *= p
    return {
        "joint.0.weight": first,
        "joint.0.bias": np.concatenate([part["joint.0.bias"] for part in parts]),
        "joint.3.weight": np.concatenate([part["joint.3.weight"] for part in parts], axis=1) / p,
        "joint.3.bias": np.mean([part["joint.3.bias"] for part in parts], axis=0),
    }
