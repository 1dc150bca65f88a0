"""Ensemble of RatingPredictors, packed into one predictor whose ratings are the mean of theirs.

A predictor computes, of a user's vector z and a movie's vector q (d numbers each),

    rating = baseline + ⟨z, q⟩ + joint(z, q, z·q, numbers),   joint = output(gelu(hidden(...)))

The packed predictor has the p members side by side. Its vectors are p · d long, z = [z_1 … z_p] and
q = [q_1 … q_p] / p, so that ⟨z, q⟩ is the mean of the members' products. Each of its layers holds
the members' layers as blocks on a diagonal: block k reads the columns of member k alone, and the
columns of numbers (biases, counts, spread), which all members share. The output layer of `joint`
adds the members' outputs, divided by p. As q comes divided by p, the hidden layer of `joint`
multiplies the columns of q and of z·q by p again.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from marquee.arrays import Ints, Matrix
from neural.rating_predictor import NetworkMovieVectors, RatingPredictor, Weights

_EMBEDDINGS = ("viewers.value.weight", "viewers.seen.weight")


def ensemble(predictors: Sequence[RatingPredictor]) -> RatingPredictor:
    """Return one predictor, p times as wide, that rates as p predictors do on average.

    All must have the same mean and scale, and be called with the same biases.
    """
    members, p, d = [member.weights for member in predictors], len(predictors), predictors[0].d
    weights = {
        name: np.concatenate([member[name] for member in members], axis=1) for name in _EMBEDDINGS
    }
    # A row of the user encoder is two bags of embeddings, then numbers.
    user_columns = [_member_columns(k, p, d, vectors=2) for k in range(p)]
    weights["viewers.linear.weight"] = _block_diagonal(
        members, "viewers.linear.weight", user_columns
    )
    weights |= _block_diagonal_layers(members, "viewers.layers", user_columns)
    # All members read the same content.
    content_columns = [np.arange(members[0]["films.new.0.weight"].shape[1])] * p
    weights |= _block_diagonal_layers(members, "films.new", content_columns)
    weights["films.new.3.weight"] = weights["films.new.3.weight"] / p
    weights["films.new.3.bias"] = weights["films.new.3.bias"] / p
    weights |= _averaged_joint_layers(members, d)
    return replace(
        predictors[0], weights={name: w.astype(np.float32) for name, w in weights.items()}
    )


def ensemble_movies(movies: Sequence[NetworkMovieVectors]) -> NetworkMovieVectors:
    """Return the movies as the packed predictor takes them, from those of its p members."""
    p = len(movies)
    vectors: Matrix = np.concatenate([member.vectors / np.float32(p) for member in movies], axis=1)
    corrections: Matrix = np.stack([member.corrections for member in movies]).mean(axis=0)
    return NetworkMovieVectors(vectors, movies[0].biases, corrections, movies[0].log_counts)


def _member_columns(k: int, p: int, d: int, vectors: int) -> Ints:
    """Return the columns of member k in a row of `vectors` packed vectors, each p · d long."""
    return np.concatenate([np.arange(d) + v * p * d + k * d for v in range(vectors)])


def _block_diagonal(members: Sequence[Weights], name: str, columns: Sequence[Ints]) -> Matrix:
    """Return the members' layers of this name below each other.

    Args:
        members: Weights of the p members.
        name: Of a linear layer's weights, outputs × inputs.
        columns: For each member the columns of the packed row that its first inputs read. Inputs
            beyond those are numbers that all members read from the end of the packed row.
    """
    own = len(columns[0])
    shared = members[0][name].shape[1] - own
    # Inputs without shared numbers are content: one row that all members read, not p packed ones.
    width = len(members) * own if shared else own
    blocks = []
    for member, own_columns in zip(members, columns, strict=True):
        block = np.zeros((len(member[name]), width + shared), np.float32)
        block[:, own_columns] = member[name][:, :own]
        block[:, width:] = member[name][:, own:]
        blocks.append(block)
    return np.concatenate(blocks)


def _block_diagonal_layers(
    members: Sequence[Weights], name: str, columns: Sequence[Ints]
) -> dict[str, Matrix]:
    """Return the members' two linear layers, `<name>.0` and `<name>.3`, side by side."""
    widths = [len(member[f"{name}.0.bias"]) for member in members]
    ends = np.cumsum(widths)
    hidden = [np.arange(end - width, end) for width, end in zip(widths, ends, strict=True)]
    blocks = []
    for member, own_hidden in zip(members, hidden, strict=True):
        block = np.zeros((len(member[f"{name}.3.weight"]), int(ends[-1])), np.float32)
        block[:, own_hidden] = member[f"{name}.3.weight"]
        blocks.append(block)
    return {
        f"{name}.0.weight": _block_diagonal(members, f"{name}.0.weight", columns),
        f"{name}.0.bias": np.concatenate([member[f"{name}.0.bias"] for member in members]),
        f"{name}.3.weight": np.concatenate(blocks),
        f"{name}.3.bias": np.concatenate([member[f"{name}.3.bias"] for member in members]),
    }


def _averaged_joint_layers(members: Sequence[Weights], d: int) -> dict[str, Matrix]:
    """Return the members' joint layers, whose output is the mean of theirs."""
    p = len(members)
    columns = [_member_columns(k, p, d, vectors=3) for k in range(p)]
    first = _block_diagonal(members, "joint.0.weight", columns)
    # The row is [z, q, z·q, numbers]: q comes divided by p, alone and in the product.
    first[:, p * d : 3 * p * d] *= p
    outputs = [member["joint.3.weight"] for member in members]
    return {
        "joint.0.weight": first,
        "joint.0.bias": np.concatenate([member["joint.0.bias"] for member in members]),
        "joint.3.weight": np.concatenate(outputs, axis=1) / p,
        "joint.3.bias": np.mean([member["joint.3.bias"] for member in members], axis=0),
    }
