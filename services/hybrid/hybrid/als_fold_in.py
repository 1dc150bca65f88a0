"""The factor of a movie that nobody had rated at the training, solved again as users rate it.

A partition of ratings knows its own users only, so each keeps a *part*: who of them rated the
movie, and the sums of the normal equations of ALS over them. The apps add the parts up and solve.
Both are derived, under the version's rows: `part:<movie id>` the part, `user:<user id>` the new
movies that a user is counted in, so that a rating taken back is known to have counted.
"""

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from marquee.arrays import Matrix, Reals
from marquee.consumer.unit_of_work import UnitOfWork
from marquee.domain.ratings import Ratings
from marquee.scoring.als import AlsFactors
from marquee.store.api import ReadRequest

MAX_RATERS = 50
"""Users of one partition that a movie's factor is solved from; later ones add little."""

_HEAD = struct.Struct("<HH")


class FoldInModel(Protocol):
    """What a model knows of factors."""

    @property
    def version(self) -> str:
        """The version's name."""
        ...

    @property
    def factors(self) -> AlsFactors:
        """The factors of movies and the strength of what is folded in."""
        ...

    def trained(self, movie_ids: Iterable[int]) -> dict[int, int]:
        """Return movie → row of `factors.items` for those that were rated at the training."""
        ...


@dataclass(frozen=True, eq=False)
class RaterEquations:
    """What `raters` (user ids) say of a movie: `matrix` f × f is Σ c·xxᵀ, `right` f is Σ c·p·x."""

    raters: tuple[int, ...]
    matrix: Reals
    right: Reals

    def pack(self) -> bytes:
        """Return 4 bytes, 8 a rater, and 4 for each number of the upper triangle and the side."""
        f = len(self.right)
        head = _HEAD.pack(len(self.raters), f)
        ids = np.array(self.raters, "<i8").tobytes()
        upper = self.matrix[np.triu_indices(f)].astype("<f4").tobytes()
        return head + ids + upper + self.right.astype("<f4").tobytes()

    @classmethod
    def unpack(cls, data: bytes) -> "RaterEquations":
        """Return the part that `pack` packed."""
        n, f = _HEAD.unpack_from(data)
        raters = np.frombuffer(data, "<i8", n, _HEAD.size)
        numbers = np.frombuffer(data, "<f4", offset=_HEAD.size + 8 * n).astype(np.float64)
        matrix = np.zeros((f, f))
        matrix[np.triu_indices(f)] = numbers[:-f] if f else numbers
        matrix += np.triu(matrix, 1).T
        return cls(tuple(raters.tolist()), matrix, numbers[len(numbers) - f :])


def raters_of(data: bytes | None) -> tuple[int, ...]:
    """Return who is counted in a packed part."""
    if not data:
        return ()
    n, _ = _HEAD.unpack_from(data)
    return tuple(np.frombuffer(data, "<i8", n, _HEAD.size).tolist())


def _unnamed(data: bytes) -> bytes:
    """Return a packed part without its raters: apps need the sums alone."""
    if not data:
        return b""
    n, f = _HEAD.unpack_from(data)
    return _HEAD.pack(0, f) + data[_HEAD.size + 8 * n :]


def derive_parts(unit_of_work: UnitOfWork, model: FoldInModel) -> None:
    """Put the parts of the new movies that the step's users rate, or rated before."""
    key = unit_of_work.keys.rows(model.version)
    counted = _read(unit_of_work, key, (f"viewer:{user_id}" for user_id in unit_of_work.users))
    joining: dict[int, dict[int, None]] = {}
    leaving: dict[int, set[int]] = {}
    for user_id in unit_of_work.users:
        before = _movies(counted[f"viewer:{user_id}"])
        now = _new_movies(unit_of_work.facts.ratings(user_id), model)
        for movie_id in now:
            joining.setdefault(movie_id, {})[user_id] = None
        for movie_id in before - now.keys():
            leaving.setdefault(movie_id, set()).add(user_id)
        if before != now.keys():
            _put(unit_of_work, key, f"viewer:{user_id}", np.array(list(now), "<u4").tobytes())
    movies = [*joining, *(leaving.keys() - joining.keys())]
    held = _read(unit_of_work, key, (f"part:{movie_id}" for movie_id in movies))
    users = _Users(unit_of_work, model)
    for movie_id in movies:
        raters = dict.fromkeys(raters_of(held[f"part:{movie_id}"])) | joining.get(movie_id, {})
        left = [user_id for user_id in raters if user_id not in leaving.get(movie_id, set())]
        part = users.part(movie_id, left[:MAX_RATERS])
        _put(unit_of_work, key, f"part:{movie_id}", part)
        unit_of_work.announce(f"part:{movie_id}", _unnamed(part))


def refine_factor(model: FoldInModel, factor: Matrix, parts: Sequence[bytes]) -> Matrix:
    """Return a movie's factor, f, in view of the packed parts of its partitions."""
    unpacked = [RaterEquations.unpack(data) for data in parts if data]
    if not unpacked:
        return factor
    matrix = sum((part.matrix for part in unpacked), np.zeros((len(factor), len(factor))))
    right = sum((part.right for part in unpacked), np.zeros(len(factor)))
    return model.factors.refine(factor, matrix, right)


def _new_movies(ratings: Ratings, model: FoldInModel) -> dict[int, None]:
    trained = model.trained(ratings.rated)
    return {movie_id: None for movie_id in ratings.rated if movie_id not in trained}


class _Users:
    """The present factors of users, without the new movies; each is solved once in a step."""

    def __init__(self, unit_of_work: UnitOfWork, model: FoldInModel) -> None:
        self._facts, self._model = unit_of_work.facts, model
        self._solved: dict[int, Matrix] = {}

    def part(self, movie_id: int, raters: Sequence[int]) -> bytes:
        """Return the packed part of a movie, nothing without a rater."""
        if not raters:
            return b""
        self._facts.prefetch_users(raters)
        factors = np.stack([self._factor(user_id) for user_id in raters])
        half_stars = np.array([self._facts.ratings(user_id).rated[movie_id] for user_id in raters])
        equations = self._model.factors.equations(factors, half_stars)
        return RaterEquations(tuple(raters), *equations).pack()

    def _factor(self, user_id: int) -> Matrix:
        if user_id not in self._solved:
            rated = self._facts.ratings(user_id).rated
            trained = self._model.trained(rated)
            half_stars = np.array([rated[movie_id] for movie_id in trained], np.int64)
            factors = self._model.factors
            rows = factors.items[list(trained.values())]
            self._solved[user_id] = factors.fold_in(rows, half_stars)
        return self._solved[user_id]


def _read(unit_of_work: UnitOfWork, key: str, names: Iterable[str]) -> dict[str, bytes | None]:
    wanted = list(names)
    if not wanted:
        return {}
    found = unit_of_work.store.read(ReadRequest((), {key: wanted})).fields
    return {name: found[key, name] for name in wanted}


def _movies(data: bytes | None) -> set[int]:
    return set(np.frombuffer(data or b"", "<u4").tolist())


def _put(unit_of_work: UnitOfWork, key: str, field: str, data: bytes) -> None:
    """Set a field of the version's rows; no bytes: take it away."""
    if data:
        unit_of_work.write("HSET", key, field, data)
    else:
        unit_of_work.write("HDEL", key, field)
