"""Facts (ratings, marks, movies, rules), and the vectorised fold of events into them."""

from collections import ChainMap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from marquee.arrays import Ints, Mask
from marquee.domain.movies import Movie
from marquee.features.dataset import Dataset, make_dataset, position_in
from marquee.snapshots.id_texts import NO_TEXTS, IdTexts
from trainer.facts.catalogue import FoldedCatalogue

KINDS: tuple[str, ...] = (
    "added",
    "removed",
    "viewed",
    "dismissed",
    "restored",
    "erased",
    "listed",
    "unlisted",
)
"""Kinds of events about a user, in the order of their codes."""
ADDED, REMOVED, VIEWED, DISMISSED, RESTORED, ERASED, LISTED, UNLISTED = range(len(KINDS))

Codes = npt.NDArray[np.uint8]


def _ints() -> Ints:
    return np.zeros(0, np.int64)


def _codes() -> Codes:
    return np.zeros(0, np.uint8)


@dataclass(frozen=True, eq=False)
class PairRows:
    """n rows about (user, movie) pairs, in the order of their changes.

    `codes` (uint8, n) are half stars if the rows are ratings, kinds if they are marks or events.
    """

    user_ids: Ints = field(default_factory=_ints)
    movie_ids: Ints = field(default_factory=_ints)
    codes: Codes = field(default_factory=_codes)
    times: Ints = field(default_factory=_ints)

    def __len__(self) -> int:
        return len(self.user_ids)

    def take(self, rows: Ints | Mask) -> "PairRows":
        """Return the selected rows."""
        return PairRows(
            self.user_ids[rows], self.movie_ids[rows], self.codes[rows], self.times[rows]
        )

    def by_user(self) -> "PairRows":
        """Return the rows ordered by user; those of one user keep their order."""
        return self.take(np.argsort(self.user_ids, kind="stable"))

    @classmethod
    def joined(cls, parts: Iterable["PairRows"]) -> "PairRows":
        """Concatenate the rows of all parts."""
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
        """Return the selected events."""
        return UserEvents(self.rows.take(rows), self.half_stars[rows])


@dataclass(frozen=True, eq=False)
class PartitionFacts:
    """The facts of one partition of a topic at `position`: of movies, or of users.

    `since` is the position of the newest snapshot; `changed` maps movies or users that changed
    after it to the offsets of their last changes. `texts` are those of its users, and of the movies
    that they have rated or marked; the catalogue has its own.
    """

    position: int
    since: int = 0
    changed: dict[int, int] = field(default_factory=dict)
    ratings: PairRows = field(default_factory=PairRows)
    marks: PairRows = field(default_factory=PairRows)
    catalogue: FoldedCatalogue = field(default_factory=FoldedCatalogue)
    erased: Mapping[bytes, int] = field(default_factory=dict)
    texts: IdTexts = NO_TEXTS


@dataclass(frozen=True, eq=False)
class Facts:
    """All facts: ratings, marks (viewed, dismissed, listed), and the catalogue.

    `erased` maps each partition to the digests of erased users' ids, with offsets. `texts` are
    those of ids that are strings: of all users who are known and not erased, whether they have
    facts or not, and of movies.
    """

    ratings: PairRows = field(default_factory=PairRows)
    marks: PairRows = field(default_factory=PairRows)
    catalogue: FoldedCatalogue = field(default_factory=FoldedCatalogue)
    erased: Mapping[int, Mapping[bytes, int]] = field(default_factory=dict)
    texts: IdTexts = NO_TEXTS

    @property
    def movies(self) -> dict[int, Movie]:
        """The movies by id."""
        return self.catalogue.movies

    def dataset(self) -> Dataset:
        """Return the catalogue, and the ratings of its movies, as a data set."""
        rows = self.ratings
        columns = rows.user_ids, rows.movie_ids, rows.codes, rows.times
        return make_dataset(*columns, self.movies.values(), self.texts.users)

    @classmethod
    def of(cls, dataset: Dataset) -> "Facts":
        """Return the facts of a data set."""
        rows = PairRows(dataset.user_ids, dataset.movie_ids, dataset.half_stars, dataset.times)
        catalogue = FoldedCatalogue({movie.movie_id: movie for movie in dataset.movies})
        strings = np.unique(rows.user_ids[rows.user_ids < 0]).tolist()
        users = {n: dataset.user_texts[n] for n in strings if n in dataset.user_texts}
        return cls(rows, catalogue=catalogue, texts=IdTexts(users, catalogue.texts))

    @classmethod
    def joined(cls, catalogue: FoldedCatalogue, parts: Sequence[PartitionFacts]) -> "Facts":
        """Return the facts of the catalogue and of each partition of users, in their order.

        Of two texts of one movie's number the catalogue's counts, then the one of the first user.
        """
        users = ChainMap(*(dict(part.texts.users) for part in parts))
        movies = ChainMap(catalogue.texts, *(dict(part.texts.movies) for part in parts))
        return cls(
            PairRows.joined(part.ratings for part in parts),
            PairRows.joined(part.marks for part in parts),
            catalogue,
            {p: part.erased for p, part in enumerate(parts)},
            IdTexts(dict(users), dict(movies)),
        )


def fold_users(ratings: PairRows, marks: PairRows, events: UserEvents) -> tuple[PairRows, PairRows]:
    """Apply events of a partition to its ratings and marks.

    The last event of a pair in the log wins, whatever its time; an erasure removes everything of
    the user before it.

    Args:
        ratings: Ratings before the events, with half stars as codes.
        marks: Marks before the events, with kinds as codes.
        events: Events in the order of the log.

    Returns:
        Ratings and marks after the events.
    """
    ratings, marks, events = _without_erased(ratings, marks, events)
    ratings = _fold_pairs(ratings, events, (ADDED, REMOVED), ADDED)
    viewed = _fold_pairs(marks.take(marks.codes == VIEWED), events, (VIEWED,), VIEWED)
    dismissed = _fold_pairs(
        marks.take(marks.codes == DISMISSED), events, (DISMISSED, RESTORED), DISMISSED
    )
    listed = _fold_pairs(marks.take(marks.codes == LISTED), events, (LISTED, UNLISTED), LISTED)
    return ratings, PairRows.joined([viewed, dismissed, listed])


def _without_erased(
    ratings: PairRows, marks: PairRows, events: UserEvents
) -> tuple[PairRows, PairRows, UserEvents]:
    rows = events.rows
    erasures = np.flatnonzero(rows.codes == ERASED)
    if not len(erasures):
        return ratings, marks, events
    # The last erasure of each user is the first one in reversed order, which unique returns.
    users, reversed_index = np.unique(rows.user_ids[erasures][::-1], return_index=True)
    last = erasures[::-1][reversed_index]
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
    """Replace the rows of pairs that have an event of `kinds` by their last event, if `present`."""
    events = events.take(np.isin(events.rows.codes, kinds))
    rows = events.rows
    if not len(rows):
        return state
    users, movies = np.unique(rows.user_ids), np.unique(rows.movie_ids)
    pairs, _ = _pair_numbers(users, movies, rows)
    touched, reversed_index = np.unique(pairs[::-1], return_index=True)
    last = np.sort(len(pairs) - 1 - reversed_index)
    last = last[rows.codes[last] == present]
    among, known = _pair_numbers(users, movies, state)
    stays = ~known
    stays[known] = ~np.isin(among[known], touched)
    codes = events.half_stars if present == ADDED else rows.codes
    new = PairRows(rows.user_ids, rows.movie_ids, codes, rows.times).take(last)
    return PairRows.joined([state.take(stays), new]).by_user()


def _pair_numbers(users: Ints, movies: Ints, rows: PairRows) -> tuple[Ints, Mask]:
    """Number the pairs of sorted users and movies; ids themselves may need all bits.

    Returns:
        A number for each of n rows, and a mask, n, of the rows of these users and movies.
    """
    index, known = position_in(users, rows.user_ids)
    movie_index, of_movies = position_in(movies, rows.movie_ids)
    return index * len(movies) + movie_index, known & of_movies
