"""Facts: what ratings, marks, movies and rules there are, and how events change them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from marquee.arrays import Ints, Mask
from marquee.domain.movies import Movie
from marquee.events import (
    AnyEvent,
    MovieAdded,
    MovieBlocked,
    MoviePromoted,
    MovieRemoved,
    MovieUnblocked,
    MovieUnpromoted,
    MovieUpdated,
    decode,
)
from marquee.features.dataset import Dataset, make_dataset, position_in

KINDS: tuple[str, ...] = ("added", "removed", "viewed", "dismissed", "restored", "erased")
"""Kinds of events about a user; the order is that of their codes."""
ADDED, REMOVED, VIEWED, DISMISSED, RESTORED, ERASED = range(len(KINDS))

PROMOTION, BLOCK = "promotion", "block"

Codes = npt.NDArray[np.uint8]


def _ints() -> Ints:
    return np.zeros(0, np.int64)


def _codes() -> Codes:
    return np.zeros(0, np.uint8)


@dataclass(frozen=True, eq=False)
class PairRows:
    """n rows about (user, movie) pairs, in the order of their changes.

    `codes` uint8 n: half stars where the rows are ratings, kinds where they are marks or events.
    """

    user_ids: Ints = field(default_factory=_ints)
    movie_ids: Ints = field(default_factory=_ints)
    codes: Codes = field(default_factory=_codes)
    times: Ints = field(default_factory=_ints)

    def __len__(self) -> int:
        return len(self.user_ids)

    def take(self, rows: Ints | Mask) -> "PairRows":
        """Return some of the rows."""
        return PairRows(
            self.user_ids[rows], self.movie_ids[rows], self.codes[rows], self.times[rows]
        )

    def by_user(self) -> "PairRows":
        """Return the rows ordered by user; those of one user keep their order."""
        return self.take(np.argsort(self.user_ids, kind="stable"))

    @classmethod
    def joined(cls, parts: Iterable["PairRows"]) -> "PairRows":
        """Return the rows of all parts, one part after the other."""
        listed = [cls(), *parts]
        return cls(
            np.concatenate([part.user_ids for part in listed]),
            np.concatenate([part.movie_ids for part in listed]),
            np.concatenate([part.codes for part in listed]),
            np.concatenate([part.times for part in listed]),
        )


@dataclass(frozen=True, eq=False)
class UserEvents:
    """n events about users, in the order of the log: `rows.codes` are kinds, `half_stars` uint8."""

    rows: PairRows = field(default_factory=PairRows)
    half_stars: Codes = field(default_factory=_codes)

    def take(self, rows: Ints | Mask) -> "UserEvents":
        """Return some of the events."""
        return UserEvents(self.rows.take(rows), self.half_stars[rows])


@dataclass(frozen=True, eq=False)
class FoldedCatalogue:
    """What the log has said of movies; events change it.

    `rules` maps (movie id, PROMOTION or BLOCK) to the event, as JSON, that made the rule in force.
    `removed` are movies that were taken out: models that know them from a training must be told.
    """

    movies: dict[int, Movie] = field(default_factory=dict)
    rules: dict[tuple[int, str], str] = field(default_factory=dict)
    removed: set[int] = field(default_factory=set)

    def fold(self, texts: Iterable[str]) -> None:
        """Apply events of the topic `movies`, as JSON, in the order of the log."""
        for text in texts:
            event = decode(text.encode())
            self._fold_movie(event)
            self._fold_rule(event, text)

    def _fold_movie(self, event: AnyEvent) -> None:
        movies = self.movies
        match event:
            case MovieAdded(data=movie):
                movies[movie.movie_id] = movie
                self.removed.discard(movie.movie_id)
            case MovieUpdated(data=change) if change.movie_id in movies:
                movies[change.movie_id] = change.apply(movies[change.movie_id])
            case MovieRemoved(data=ref):
                movies.pop(ref.movie_id, None)
                self.removed.add(ref.movie_id)

    def _fold_rule(self, event: AnyEvent, text: str) -> None:
        match event:
            case MoviePromoted():
                self.rules[event.data.movie_id, PROMOTION] = text
            case MovieUnpromoted():
                self.rules.pop((event.data.movie_id, PROMOTION), None)
            case MovieBlocked():
                self.rules[event.data.movie_id, BLOCK] = text
            case MovieUnblocked():
                self.rules.pop((event.data.movie_id, BLOCK), None)


@dataclass(frozen=True, eq=False)
class Facts:
    """All that the log has said: ratings, marks (viewed, dismissed), and the catalogue.

    `erased` holds for each partition the digests of erased users, with offsets.
    """

    ratings: PairRows = field(default_factory=PairRows)
    marks: PairRows = field(default_factory=PairRows)
    catalogue: FoldedCatalogue = field(default_factory=FoldedCatalogue)
    erased: Mapping[int, Mapping[bytes, int]] = field(default_factory=dict)

    @property
    def movies(self) -> dict[int, Movie]:
        """The movies by id."""
        return self.catalogue.movies

    def dataset(self) -> Dataset:
        """Return the ratings of movies that are in the catalogue, and the catalogue."""
        rows = self.ratings
        return make_dataset(
            rows.user_ids, rows.movie_ids, rows.codes, rows.times, self.movies.values()
        )

    @classmethod
    def of(cls, dataset: Dataset) -> "Facts":
        """Return the facts that a data set states."""
        rows = PairRows(dataset.user_ids, dataset.movie_ids, dataset.half_stars, dataset.times)
        return cls(
            rows, catalogue=FoldedCatalogue({movie.movie_id: movie for movie in dataset.movies})
        )


@dataclass(frozen=True, eq=False)
class PartitionFacts:
    """The facts of one partition of a topic at `position`: of movies, or of users.

    `since` is where the newest snapshot stands; `changed` maps what changed after that to the
    offset of its last change.
    """

    position: int
    since: int = 0
    changed: dict[int, int] = field(default_factory=dict)
    ratings: PairRows = field(default_factory=PairRows)
    marks: PairRows = field(default_factory=PairRows)
    catalogue: FoldedCatalogue = field(default_factory=FoldedCatalogue)
    erased: Mapping[bytes, int] = field(default_factory=dict)


def fold_users(ratings: PairRows, marks: PairRows, events: UserEvents) -> tuple[PairRows, PairRows]:
    """Return ratings and marks after the events of the same partition, in the order of the log.

    The last event of a pair wins, whatever its time says; an erasure takes all that came before it.
    """
    ratings, marks, events = _without_erased(ratings, marks, events)
    ratings = _fold_pairs(ratings, events, (ADDED, REMOVED), ADDED)
    viewed = _fold_pairs(marks.take(marks.codes == VIEWED), events, (VIEWED,), VIEWED)
    dismissed = _fold_pairs(
        marks.take(marks.codes == DISMISSED), events, (DISMISSED, RESTORED), DISMISSED
    )
    return ratings, PairRows.joined([viewed, dismissed])


def _without_erased(
    ratings: PairRows, marks: PairRows, events: UserEvents
) -> tuple[PairRows, PairRows, UserEvents]:
    rows = events.rows
    at = np.flatnonzero(rows.codes == ERASED)
    if not len(at):
        return ratings, marks, events
    # The last erasure of each user: unique finds the first of the reversed.
    users, reversed_index = np.unique(rows.user_ids[at][::-1], return_index=True)
    last = at[::-1][reversed_index]
    index, erased = position_in(users, rows.user_ids)
    later = ~erased | (np.arange(len(rows)) > last[index])
    return (
        ratings.take(~position_in(users, ratings.user_ids)[1]),
        marks.take(~position_in(users, marks.user_ids)[1]),
        events.take(later),
    )


def _fold_pairs(
    state: PairRows, events: UserEvents, kinds: tuple[int, ...], present: int
) -> PairRows:
    """Return the state's rows, less the pairs with an event of `kinds`, and the `present` ones."""
    events = events.take(np.isin(events.rows.codes, kinds))
    rows = events.rows
    if not len(rows):
        return state
    users = np.unique(rows.user_ids)
    pairs = _pairs(users, rows)
    touched, reversed_index = np.unique(pairs[::-1], return_index=True)
    last = np.sort(len(pairs) - 1 - reversed_index)
    last = last[rows.codes[last] == present]
    among, known = position_in(users, state.user_ids)
    stays = ~known
    stays[known] = ~np.isin(_pair_keys(among[known], state.movie_ids[known]), touched)
    codes = events.half_stars if present == ADDED else rows.codes
    new = PairRows(rows.user_ids, rows.movie_ids, codes, rows.times).take(last)
    return PairRows.joined([state.take(stays), new]).by_user()


def _pairs(users: Ints, rows: PairRows) -> Ints:
    return _pair_keys(position_in(users, rows.user_ids)[0], rows.movie_ids)


def _pair_keys(user_indexes: Ints, movie_ids: Ints) -> Ints:
    """One integer a pair: a movie id has 31 bits."""
    return (user_indexes << 31) | movie_ids
