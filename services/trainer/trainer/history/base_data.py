"""A data set as the new base of a history that has facts already: in their place, or beside them.

Erasures stay in force: ratings of erased users are left out, as their files may be older.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np

from marquee.counts import counted
from marquee.domain.ids import GivenId, refuse_collision
from marquee.domain.movie_fields import FIELD_NAMES
from marquee.domain.movies import Movie
from marquee.errors import Conflict
from marquee.events.erasure import erased_among
from marquee.features.dataset import Dataset, places_of
from marquee.snapshots.id_texts import IdTexts
from trainer.facts.catalogue import FoldedCatalogue
from trainer.facts.fold import Facts, PairRows

_FIELDS = frozenset(("year", "genres", "tags", *FIELD_NAMES))
"""Fields of a film that a table may lack."""


def check_no_loss(cut: Mapping[str, int]) -> None:
    """Check that no event would be lost with the facts.

    Args:
        cut: The position of each partition of the history.

    Raises:
        Conflict: Events were collected; compacted or not, they are part of the facts.
    """
    events = sum(cut.values())
    if events:
        raise Conflict(
            f"{counted(events, 'event')} (ratings, views, changes of films) since the first import"
            " would be lost: add to them by --append, keep ratings and films by marquee"
            " data export, or lose them by --lose-events"
        )


def without_erased(dataset: Dataset, facts: Facts) -> Dataset:
    """Return a data set without the ratings of users who were erased."""
    digests = frozenset(digest for of in facts.erased.values() for digest in of)
    if not digests:
        return dataset
    users, places = np.unique(dataset.user_ids, return_inverse=True)
    kept = dataset.of_rows(~erased_among(users, digests)[places])
    left = set(np.unique(kept.user_ids).tolist())
    texts = {number: text for number, text in dataset.user_texts.items() if number in left}
    return replace(kept, user_texts=texts)


def replaced(facts: Facts, dataset: Dataset) -> Facts:
    """Return the facts of a data set in place of others, whose erasures stay."""
    new = Facts.of(dataset)
    gone = (set(facts.movies) | facts.catalogue.removed) - set(new.movies)
    return replace(new, catalogue=FoldedCatalogue(new.movies, removed=gone), erased=facts.erased)


def appended(facts: Facts, dataset: Dataset) -> Facts:
    """Return facts with those of a data set beside them.

    Of two ratings of one pair the newer one counts, at equal times that of the data set. A film of
    the data set replaces that of the same id; if it has no tags, those that the film had stay, and
    so does a year, genres or an optional field that no film of the data set has: its tables tell
    nothing of it.

    Raises:
        IdCollision: An id of the data set has the number of another one.
    """
    new = Facts.of(dataset)
    told = _fields_told(new.movies.values(), facts.movies)
    catalogue = FoldedCatalogue(
        facts.movies
        | {i: _completed(movie, facts.movies.get(i), told) for i, movie in new.movies.items()},
        facts.catalogue.rules,
        facts.catalogue.removed - set(new.movies),
    )
    ratings = _newest(PairRows.joined([facts.ratings, new.ratings]))
    texts = IdTexts(
        _joined("user id", facts.texts.users, new.texts.users),
        _joined("movie id", facts.texts.movies, new.texts.movies),
    )
    return replace(facts, ratings=ratings, catalogue=catalogue, texts=texts)


def _joined(what: str, known: Mapping[int, str], new: Mapping[int, str]) -> dict[int, str]:
    for number, text in new.items():
        refuse_collision(what, GivenId(text), known.get(number, ""))
    return {**known, **new}


def _fields_told(movies: Iterable[Movie], former: Mapping[int, Movie]) -> frozenset[str]:
    """Return the fields that any of some films has; what is as before may come of no table."""
    names = _FIELDS.difference(("tags",))
    told: set[str] = set()
    for movie in movies:
        if _without_tags(movie) != _without_tags(former.get(movie.movie_id)):
            told.update(name for name in names - told if getattr(movie, name))
    return frozenset(told)


def _without_tags(movie: Movie | None) -> Movie | None:
    return movie and movie.model_copy(update={"tags": {}})


def _completed(movie: Movie, former: Movie | None, told: frozenset[str]) -> Movie:
    """Return a film with what it was known by where nothing new is told."""
    if former is None:
        return movie
    kept = {
        name: getattr(former, name)
        for name in _FIELDS - told
        if getattr(former, name) and not getattr(movie, name)
    }
    return movie.model_copy(update=kept) if kept else movie


def _newest(rows: PairRows) -> PairRows:
    """Return the newest row of each pair, at equal times the later one, by user and time."""
    users, movies = places_of(rows.user_ids), places_of(rows.movie_ids)
    pairs = users * (1 + int(movies.max(initial=0))) + movies
    order = np.lexsort((rows.times, pairs))
    ordered = pairs[order]
    is_last = np.append(ordered[1:] != ordered[:-1], True)[: len(ordered)]
    newest = rows.take(order[is_last])
    return newest.take(np.lexsort((newest.movie_ids, newest.times, newest.user_ids)))
