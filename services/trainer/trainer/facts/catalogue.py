"""The catalogue and the rules, folded from events of the topic `movies`."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from marquee.domain.ids import GivenId, string_of
from marquee.domain.movies import Movie
from marquee.events import (
    AnyEvent,
    MovieAdded,
    MovieBlocked,
    MovieEvent,
    MoviePromoted,
    MovieRemoved,
    MovieUnblocked,
    MovieUnpromoted,
    MovieUpdated,
    RuleEvent,
    decode_kept,
)

PROMOTION, BLOCK = "promotion", "block"


@dataclass(frozen=True, eq=False)
class FoldedCatalogue:
    """The catalogue that the log's events make.

    `rules` maps (movie id, PROMOTION or BLOCK) to the event, as JSON, that made the rule in force.
    `removed` are movies that were removed: models that know them from a training must be told.
    """

    movies: dict[int, Movie] = field(default_factory=dict)
    rules: dict[tuple[int, str], str] = field(default_factory=dict)
    removed: set[int] = field(default_factory=set)

    @property
    def texts(self) -> dict[int, str]:
        """The texts of ids that are strings, by number; `"42"` in the catalogue is one too."""
        texts = {entity: text for entity in self.removed if (text := string_of(entity))}
        ids = [movie.movie_id for movie in self.movies.values()]
        return texts | {entity: entity.text for entity in ids if isinstance(entity, GivenId)}

    def fold(self, texts: Iterable[str]) -> None:
        """Apply events of the topic `movies`, as JSON, in the order of the log.

        An event whose movie has the number of another one in the catalogue is left out, as the
        consumers refuse it.
        """
        for text in texts:
            event = decode_kept(text.encode())
            if not self._is_refused(event):
                self._fold_movie(event)
                self._fold_rule(event, text)

    def _is_refused(self, event: AnyEvent) -> bool:
        if not isinstance(event, MovieEvent) or event.data.movie_id >= 0:
            return False
        known = self.movies.get(event.data.movie_id)
        return known is not None and string_of(known.movie_id) != string_of(event.data.movie_id)

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
        if isinstance(event, RuleEvent) and not event.is_expected(self._made_by(event)):
            return
        match event:
            case MoviePromoted():
                self.rules[event.data.movie_id, PROMOTION] = text
            case MovieUnpromoted():
                self.rules.pop((event.data.movie_id, PROMOTION), None)
            case MovieBlocked():
                self.rules[event.data.movie_id, BLOCK] = text
            case MovieUnblocked():
                self.rules.pop((event.data.movie_id, BLOCK), None)

    def _made_by(self, event: RuleEvent) -> str:
        """Return the id of the event that made the rule which an event changes; empty: none."""
        kind = PROMOTION if isinstance(event, MoviePromoted | MovieUnpromoted) else BLOCK
        text = self.rules.get((event.data.movie_id, kind))
        return "" if text is None else str(decode_kept(text.encode()).id)
