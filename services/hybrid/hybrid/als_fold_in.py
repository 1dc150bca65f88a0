"""ALS factors of movies that had no ratings at the training, solved again as users rate them.

A partition of ratings knows its own users only, so each keeps a *part* of a movie: who of them
rated it, and the sums of the normal equations of ALS over them. The apps add the parts up and
solve. Both are derived, in fields of the version's rows: `part:<movie id>` holds the part,
`viewer:<user id>` the new movies that a user counts for, so that a withdrawn rating is taken out.
"""

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from marquee.arrays import Matrix, Reals
from marquee.consumer.unit_of_work import UnitOfWork
from marquee.domain.ids import pack_ids, unpack_ids
from marquee.domain.ratings import Ratings
from marquee.scoring.scorers.als import AlsFactors
from marquee.store.api import ReadRequest

MAX_RATERS = 50
"""Raters of one partition that a movie's factor is solved from; more add little."""

_HEAD = struct.Struct("<HH")


class FoldInModel(Protocol):
    """A model with ALS factors."""

    @property
    def version(self) -> str:
        """The version's name."""
        ...

    @property
    def factors(self) -> AlsFactors:
        """The ALS factors."""
        ...

    def trained(self, movie_ids: Iterable[int]) -> dict[int, int]:
        """Return movie → row of `factors.items` for those that were rated at the training."""
        ...


@dataclass(frozen=True, eq=False)
class RaterEquations:
    """Sums of the normal equations of ALS for one movie over some of its raters.

    Attributes:
        raters: user ids.
        matrix: float64 f × f, Σ c·xxᵀ for confidence c and factor x of each rater.
        right: float64 f, Σ c·p·x with preference p.
    """

    raters: tuple[int, ...]
    matrix: Reals
    right: Reals

    def pack(self) -> bytes:
        """Return the packed part: counts, ids, upper triangle of the matrix, right side.

        Little endian: uint16 n and f, int64 n, float32 f·(f + 1)/2, float32 f.
        """
        f = len(self.right)
        head = _HEAD.pack(len(self.raters), f)
        ids = np.array(self.raters, "<i8").tobytes()
        upper = self.matrix[np.triu_indices(f)].astype("<f4").tobytes()
        return head + ids + upper + self.right.astype("<f4").tobytes()

    @classmethod
    def unpack(cls, data: bytes) -> "RaterEquations":
        """Return the equations of a packed part."""
        n, f = _HEAD.unpack_from(data)
        raters = np.frombuffer(data, "<i8", n, _HEAD.size)
        numbers = np.frombuffer(data, "<f4", offset=_HEAD.size + 8 * n).astype(np.float64)
        matrix = np.zeros((f, f))
        matrix[np.triu_indices(f)] = numbers[:-f] if f else numbers
        matrix += np.triu(matrix, 1).T
        return cls(tuple(raters.tolist()), matrix, numbers[len(numbers) - f :])


def raters_of(data: bytes | None) -> tuple[int, ...]:
    """Return the raters of a packed part, in order; none of an empty one."""
    if not data:
        return ()
    n, _ = _HEAD.unpack_from(data)
    return tuple(np.frombuffer(data, "<i8", n, _HEAD.size).tolist())


def _without_raters(data: bytes) -> bytes:
    """Return a packed part without its raters: apps need the sums alone."""
    if not data:
        return b""
    n, f = _HEAD.unpack_from(data)
    return _HEAD.pack(0, f) + data[_HEAD.size + 8 * n :]


@dataclass(frozen=True)
class _RaterChanges:
    """Users who begin (`joining`) or cease (`leaving`) to count for new movies, by movie."""

    joining: dict[int, dict[int, None]] = field(default_factory=dict)
    leaving: dict[int, set[int]] = field(default_factory=dict)

    def add(self, user_id: int, before: set[int], now: dict[int, None]) -> None:
        """Add a user by the movies that the user counted for and those rated now."""
        for movie_id in now:
            self.joining.setdefault(movie_id, {})[user_id] = None
        for movie_id in before - now.keys():
            self.leaving.setdefault(movie_id, set()).add(user_id)

    @property
    def movies(self) -> list[int]:
        """All movies whose raters may have changed."""
        return [*self.joining, *(self.leaving.keys() - self.joining.keys())]

    def apply(self, movie_id: int, raters: Iterable[int]) -> list[int]:
        """Return a movie's raters after the changes, earlier ones first, at most `MAX_RATERS`."""
        candidates = dict.fromkeys(raters) | self.joining.get(movie_id, {})
        leaving = self.leaving.get(movie_id, set())
        return [user_id for user_id in candidates if user_id not in leaving][:MAX_RATERS]


def derive_parts(unit_of_work: UnitOfWork, model: FoldInModel) -> None:
    """Derive the parts of new movies that the users of a unit of work rate, or rated before."""
    fields = _RowFields(unit_of_work, unit_of_work.keys.rows(model.version))
    changes = _RaterChanges()
    counted = fields.read("viewer", unit_of_work.users)
    for user_id in unit_of_work.users:
        before = _unpack_movies(counted[user_id])
        now = _new_movies(unit_of_work.facts.ratings(user_id), model)
        changes.add(user_id, before, now)
        if before != now.keys():
            fields.put("viewer", user_id, pack_ids(now))
    movies = changes.movies
    parts = fields.read("part", movies)
    users = _UserFactors(unit_of_work, model)
    for movie_id in movies:
        part = users.part(movie_id, changes.apply(movie_id, raters_of(parts[movie_id])))
        fields.put("part", movie_id, part)
        unit_of_work.announce(f"part:{movie_id}", _without_raters(part))


def refine_factor(model: FoldInModel, factor: Matrix, parts: Sequence[bytes]) -> Matrix:
    """Return a movie's predicted factor, f, refined by the packed parts of its partitions."""
    unpacked = [RaterEquations.unpack(data) for data in parts if data]
    if not unpacked:
        return factor
    matrix = sum((part.matrix for part in unpacked), np.zeros((len(factor), len(factor))))
    right = sum((part.right for part in unpacked), np.zeros(len(factor)))
    return model.factors.refine(factor, matrix, right)


def _new_movies(ratings: Ratings, model: FoldInModel) -> dict[int, None]:
    """Return the movies that a user rated and the training had no ratings of, in order."""
    trained = model.trained(ratings.rated)
    return {movie_id: None for movie_id in ratings.rated if movie_id not in trained}


class _UserFactors:
    """Present factors of users, without new movies; each is solved once in a unit of work."""

    def __init__(self, unit_of_work: UnitOfWork, model: FoldInModel) -> None:
        self._facts, self._model = unit_of_work.facts, model
        self._solved: dict[int, Matrix] = {}

    def part(self, movie_id: int, raters: Sequence[int]) -> bytes:
        """Return the packed part of a movie, empty without raters."""
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


def _unpack_movies(data: bytes | None) -> set[int]:
    return set(unpack_ids(data or b""))


class _RowFields:
    """Fields `<kind>:<id>` of a version's rows."""

    def __init__(self, unit_of_work: UnitOfWork, key: str) -> None:
        self._unit_of_work, self._key = unit_of_work, key

    def read(self, kind: str, ids: Iterable[int]) -> dict[int, bytes | None]:
        """Return the values of fields by id, None where there is none."""
        names = {identity: f"{kind}:{identity}" for identity in ids}
        if not names:
            return {}
        request = ReadRequest((), {self._key: [*names.values()]})
        fields = self._unit_of_work.store.read(request).fields
        return {identity: fields[self._key, name] for identity, name in names.items()}

    def put(self, kind: str, identity: int, data: bytes) -> None:
        """Set a field; empty bytes delete it."""
        name = f"{kind}:{identity}"
        if data:
            self._unit_of_work.write("HSET", self._key, name, data)
        else:
            self._unit_of_work.write("HDEL", self._key, name)
