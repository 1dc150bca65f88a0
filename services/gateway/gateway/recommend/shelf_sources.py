"""Sources of a viewer's shelves: what each row is of, and the films that it may have."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from itertools import chain, count, islice
from math import log1p

from gateway.catalogue.catalogue import Catalogue, MovieFilter
from gateway.catalogue.popularity import PopularList
from gateway.catalogue.title_index import readable_title
from gateway.upstream.shelf_calls import SegmentMovies
from marquee.domain.genres import genre_key
from marquee.domain.likes import is_like
from marquee.domain.ratings import Ratings
from marquee.domain.recommendation import Reason, Scored

MAX_SEEDS = 3
"""Rows of films like one that the viewer liked or viewed."""
MAX_GENRES = 4
"""Rows of one genre."""
NEW_YEARS = 5
"""Years of films that may count as new, where fewer do not fill a row."""
_RECENT = 30
"""Newest likes among which the rows' films are chosen."""
_TASTE = 200
"""Newest likes, or most popular films, that tell genres."""
_MIN_COUNT = 3
"""Likes in a genre that make a row."""


class ShelfKind(StrEnum):
    """What a row is of."""

    FOR_YOU = "for_you"
    BECAUSE_YOU_LIKED = "because_you_liked"
    BECAUSE_YOU_VIEWED = "because_you_viewed"
    GENRE = "genre"
    NEW = "new"
    SEGMENT = "segment"
    WATCHLIST = "watchlist"
    POPULAR = "popular"


class RememberedMovies(Iterable[Scored]):
    """Films, best first, made when the first reader comes to them; each reader begins anew."""

    def __init__(self, movies: Iterable[Scored]) -> None:
        """Take the films, of which mostly only the first ones are read."""
        self._left, self._made = iter(movies), list[Scored]()

    def __iter__(self) -> Iterator[Scored]:
        made = self._made
        for at in count():
            if at == len(made):
                movie = next(self._left, None)
                if movie is None:
                    return
                made.append(movie)
            yield made[at]


@dataclass(frozen=True)
class ShelfSource:
    """What a row is of.

    Attributes:
        kind: Kind of row.
        title: In plain English.
        movies: Films that it may have, best first.
        movie_id: The film that it rests on.
        genre: The genre that it is of.
        segment: The viewers' segment that it is of.
    """

    kind: ShelfKind
    title: str
    movies: Iterable[Scored]
    movie_id: int | None = None
    genre: str | None = None
    segment: int | None = None


def seeds(facts: Ratings, popular: PopularList) -> list[int]:
    """Return the films that rows rest on: the best liked of the newest likes, then viewed ones.

    Of equally liked ones the best known come first: more is known of what is like them. Those of
    other genres than the ones before them are preferred, so that rows differ.
    """
    catalogue = popular.catalogue
    likes = (i for i, half in reversed(facts.rated.items()) if is_like(half) and i in catalogue)
    liked = sorted(islice(likes, _RECENT), key=lambda i: (-facts.rated[i], popular.key(i)))
    viewed = [i for i in reversed(facts.viewed) if i in catalogue and i not in facts.rated]
    chosen: list[int] = []
    known: list[frozenset[str]] = []
    for movie_id in (*liked, *viewed[:_RECENT]):
        row = catalogue.get(movie_id)
        genres = frozenset(row.genres if row else ())
        if all(len(genres & other) * 2 <= len(genres | other) for other in known):
            chosen.append(movie_id)
            known.append(genres)
        if len(chosen) == MAX_SEEDS:
            break
    others = (i for i in (*liked, *viewed) if i not in chosen)
    return [*chosen, *others][:MAX_SEEDS]


def first_new_year(catalogue: Catalogue, allowed: MovieFilter, k: int) -> int | None:
    """Return the first year of new films: the newest year, or so many as fill rows of k films.

    None where no film that the filter allows has a year.
    """
    years = catalogue.table.years[catalogue.filter_mask(allowed)]
    years = years[years > 0]
    if not len(years):
        return None
    newest = int(years.max())
    spans = (newest - n for n in range(NEW_YEARS))
    return next((year for year in spans if (years >= year).sum() >= 4 * k), newest - NEW_YEARS)


@dataclass(frozen=True)
class ShelfSources:
    """The sources of a viewer's rows, from the lists that services gave.

    Attributes:
        facts: What is known of the viewer.
        popular: The gateway's own list.
        allowed: Filter of the request, which holds on each row.
        ranked: The viewer's list, longer than a row, best first.
        similar: Films like each seed.
        segment: The viewer's segment, with films for it.
        new: The viewer's list of new films; empty where it is not asked for.
        new_from: First year of new films; None where there are none.
        is_personal: Whether `ranked` rests on what is known of the viewer.
    """

    facts: Ratings
    popular: PopularList
    allowed: MovieFilter
    ranked: Sequence[Scored]
    similar: Mapping[int, Sequence[Scored]]
    segment: SegmentMovies
    is_personal: bool
    new: Sequence[Scored] = ()
    new_from: int | None = None

    def all(self) -> Iterator[ShelfSource]:
        """Yield the sources of rows; the viewer's own list first."""
        if self.is_personal:
            yield ShelfSource(ShelfKind.FOR_YOU, "Top picks for you", self.ranked)
        yield from self._from_watchlist()
        yield from self._like_seeds()
        yield from self._of_segment()
        yield from self._of_genres()
        yield from self._new()
        popular = RememberedMovies(self._popular())
        yield ShelfSource(ShelfKind.POPULAR, "Popular now", popular)

    def _from_watchlist(self) -> Iterator[ShelfSource]:
        listed = [i for i in reversed(self.facts.watchlist) if i in self.popular.catalogue]
        if not listed:
            return
        places = {item.movie_id: item.score for item in self.ranked}
        ordered = sorted(listed, key=lambda i: -places.get(i, float("-inf")))
        items = [Scored(i, places.get(i, 0.0), Reason.ON_YOUR_WATCHLIST) for i in ordered]
        yield ShelfSource(ShelfKind.WATCHLIST, "From your watchlist", items)

    def _like_seeds(self) -> Iterator[ShelfSource]:
        for movie_id, items in self.similar.items():
            row = self.popular.catalogue.get(movie_id)
            if row is None or not items:
                continue
            is_rated = movie_id in self.facts.rated
            kind = ShelfKind.BECAUSE_YOU_LIKED if is_rated else ShelfKind.BECAUSE_YOU_VIEWED
            reason = Reason.BECAUSE_YOU_LIKED if is_rated else Reason.SIMILAR_TO_VIEWED
            movies = RememberedMovies(_because_of(movie_id, reason, items))
            verb = "liked" if is_rated else "watched"
            title = f"Because you {verb} {readable_title(row.title or 'it')}"
            yield ShelfSource(kind, title, movies, movie_id=movie_id)

    def _of_segment(self) -> Iterator[ShelfSource]:
        if self.segment.segment is not None and self.segment.items:
            items, segment = self.segment.items, self.segment.segment
            yield ShelfSource(ShelfKind.SEGMENT, "Viewers like you enjoyed", items, segment=segment)

    def _of_genres(self) -> Iterator[ShelfSource]:
        for genre in self._genres():
            movies = RememberedMovies(self._ranked_then_popular(genre))
            title = f"{genre} for you" if self.is_personal else f"Popular in {genre}"
            yield ShelfSource(ShelfKind.GENRE, title, movies, genre=genre)

    def _new(self) -> Iterator[ShelfSource]:
        if self.new_from is not None:
            title = "New for you" if self.new else "New films"
            popular = self._popular(MovieFilter(year_from=self.new_from))
            yield ShelfSource(ShelfKind.NEW, title, RememberedMovies(chain(self.new, popular)))

    def _ranked_then_popular(self, genre: str) -> Iterator[Scored]:
        """Yield the films of the viewer's list that are of a genre, then popular ones that are."""
        ranked = self._ranked_by_genre.get(genre_key(genre), ())
        return chain(ranked, self._popular(MovieFilter((genre,))))

    @cached_property
    def _ranked_by_genre(self) -> Mapping[str, Sequence[Scored]]:
        """The films of the viewer's list by `genre_key`."""
        by_genre: defaultdict[str, list[Scored]] = defaultdict(list)
        for item in self.ranked:
            if (row := self.popular.catalogue.get(item.movie_id)) is not None:
                for key in set(map(genre_key, row.genres)):
                    by_genre[key].append(item)
        return by_genre

    def _popular(self, also: MovieFilter | None = None) -> Iterator[Scored]:
        return self.popular.movies(self.allowed, also or MovieFilter())

    def _genres(self) -> list[str]:
        """Return the genres of which the viewer likes more than others do, the most telling first.

        By the share of the viewer's likes that are of a genre, times the log of one plus its ratio
        to the genre's share of the catalogue; for a viewer without likes, of the popular films.
        """
        catalogue = self.popular.catalogue
        likes = [i for i, half in reversed(self.facts.rated.items()) if is_like(half)]
        known = (catalogue.get(i) for i in (*likes, *reversed(self.facts.viewed)))
        rows = list(islice((row for row in known if row is not None), _TASTE))
        if len(rows) < _MIN_COUNT:
            rows = list(islice(self.popular.rows(self.allowed), _TASTE))
        counts, everywhere = Counter[str](), catalogue.genres.counts()
        for name, n in Counter(chain.from_iterable(row.genres for row in rows)).items():
            if spelled := catalogue.genres.spelling(name):
                counts[spelled] += n

        def weight(genre: str) -> float:
            share, usual = counts[genre] / len(rows), everywhere[genre] / len(catalogue)
            return share * log1p(share / usual) if usual else 0.0

        frequent = [genre for genre, n in counts.items() if n >= min(_MIN_COUNT, len(rows))]
        return sorted(frequent, key=lambda genre: (-weight(genre), genre))[:MAX_GENRES]


def _because_of(movie_id: int, reason: Reason, items: Iterable[Scored]) -> Iterator[Scored]:
    """Yield films as recommended because of one film."""
    because = ((movie_id, 1.0),)
    return (Scored(item.movie_id, item.score, reason, because) for item in items)
