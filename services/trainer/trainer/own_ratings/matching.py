"""Matching of exported films with the catalogue: by ids, by title and year, or not at all.

A film is taken only if one film of the catalogue can be meant. A remake, or another film of the
same name, has another year; where the year is one off and two films could be meant, or where two
films of an export would be the same one here, they are named with the candidates instead.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from marquee.domain.movie_fields import MovieLinks
from trainer.datasets.links import Links
from trainer.own_ratings.links import NO_LINKS, SAME_SHARE, LinkIndex
from trainer.own_ratings.records import ExportedFilm
from trainer.own_ratings.titles import title_keys

How = Literal["id", "title", "year±1", "ambiguous", "not found"]
_TAKEN: tuple[How, ...] = ("id", "title", "year±1")
"""Kinds of matches, the surest first."""


@dataclass(frozen=True)
class CatalogueFilm:
    """A film of the catalogue, and its links where they are stored with it."""

    movie_id: int
    title: str
    year: int | None
    links: MovieLinks = NO_LINKS


@dataclass(frozen=True)
class Match:
    """What an exported film is in the catalogue.

    `movie_id` is None if it was not taken; `candidates` are the films that may be meant then.
    """

    film: ExportedFilm
    how: How
    movie_id: int | None = None
    candidates: tuple[CatalogueFilm, ...] = ()


class FilmIndex:
    """The films of a catalogue by id, by their ids elsewhere, and by the keys of titles.

    Links that are stored with films count before those of the table.
    """

    def __init__(self, films: Iterable[CatalogueFilm], table: Links | None = None) -> None:
        self.films = {film.movie_id: film for film in films}
        self._links = LinkIndex()
        self._by_key: dict[str, dict[int, CatalogueFilm]] = defaultdict(dict)
        for film in self.films.values():
            if film.links != NO_LINKS:
                self._links.put(film.movie_id, film.links)
            for key in title_keys(film.title):
                self._by_key[key][film.movie_id] = film
        for movie_id, links in (table or {}).items():
            self._links.put(movie_id, links)

    def match_all(self, films: Sequence[ExportedFilm]) -> list[Match]:
        """Match the films of an export; no film of the catalogue is given to two of them."""
        own_ids = self._has_ids_of_movielens(films)
        return self._without_rivals([self._match(film, own_ids) for film in films])

    def _has_ids_of_movielens(self, films: Sequence[ExportedFilm]) -> bool:
        """Return whether the ids of MovieLens are those of the catalogue, by their titles."""
        known = [film for film in films if film.movielens in self.films]
        same = sum(bool(_keys(f) & title_keys(self.films[f.movielens or 0].title)) for f in known)
        return bool(known) and same >= SAME_SHARE * len(known)

    def _match(self, film: ExportedFilm, own_ids: bool) -> Match:
        if own_ids and film.movielens is not None:
            return Match(film, "id", film.movielens)
        linked = self._links.movies(film.imdb, film.tmdb)
        if len(linked) == 1:
            return Match(film, "id", linked.pop())
        if linked:
            named = (self.films.get(i) or CatalogueFilm(i, "", None) for i in sorted(linked))
            return Match(film, "ambiguous", candidates=tuple(named))
        return self._match_title(film)

    def _match_title(self, film: ExportedFilm) -> Match:
        of_title = self._of_title(film)
        exact = [f for f in of_title if film.year is not None and f.year == film.year]
        near = [f for f in of_title if f.year and film.year and abs(f.year - film.year) == 1]
        undated = [f for f in of_title if f.year is None or film.year is None]
        found = exact or [*near, *undated]
        if not found:
            return Match(film, "not found")
        if len(found) > 1 or undated == found or film.is_doubled:
            return Match(film, "ambiguous", candidates=tuple(found))
        return Match(film, "title" if exact else "year±1", found[0].movie_id)

    def _of_title(self, film: ExportedFilm) -> list[CatalogueFilm]:
        """Return the films of a title, except those that are another one by their links."""
        found: dict[int, CatalogueFilm] = {}
        for key in _keys(film):
            found |= self._by_key.get(key, {})
        return [f for _, f in sorted(found.items()) if not self._contradicts(film, f.movie_id)]

    def _contradicts(self, film: ExportedFilm, movie_id: int) -> bool:
        links = self._links.by_movie.get(movie_id, NO_LINKS)
        pairs = ((film.imdb, links.imdb), (film.tmdb, links.tmdb))
        return any(a is not None and b is not None and a != b for a, b in pairs)

    def _without_rivals(self, matches: list[Match]) -> list[Match]:
        rivals: dict[int, list[Match]] = defaultdict(list)
        for match in matches:
            if match.movie_id is not None:
                rivals[match.movie_id].append(match)
        return [self._or_ambiguous(m, rivals.get(m.movie_id or 0, [])) for m in matches]

    def _or_ambiguous(self, match: Match, rivals: list[Match]) -> Match:
        """Return a match; an ambiguous one where another film of the export has a better claim.

        Two rows with one id are one film; two with one title are not.
        """
        others = [rival for rival in rivals if rival is not match]
        if not others or match.how == "id":
            return match
        if all(_TAKEN.index(match.how) < _TAKEN.index(rival.how) for rival in others):
            return match
        assert match.movie_id is not None
        candidates = (self.films[match.movie_id],)
        return replace(match, how="ambiguous", movie_id=None, candidates=candidates)


def _keys(film: ExportedFilm) -> frozenset[str]:
    titles = [title for title in (film.title, film.other_title) if title]
    return frozenset().union(*(title_keys(title) for title in titles))
