"""Import of a person's own ratings: matched with the catalogue that is served, and published."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path

import orjson

from marquee.bus.api import Bus, Outgoing
from marquee.bus.factory import open_bus
from marquee.counts import counted
from marquee.domain.ids import kept_id
from marquee.domain.movie_fields import MovieLinks
from marquee.domain.ratings import Ratings
from marquee.errors import BusUnavailable, InvalidInput, NotFound
from marquee.events import MOVIES, RatingEvent
from marquee.events.erasure import digest_of_user
from marquee.settings import Settings
from marquee.store.api import ReadRequest
from marquee.store.keys import Keys
from marquee.store.redis import RedisStore
from trainer.datasets.links import imdb_id, read_links_at
from trainer.own_ratings.links import bundled_links
from trainer.own_ratings.matching import CatalogueFilm, FilmIndex, Match
from trainer.own_ratings.plan import Viewer, plan_events
from trainer.own_ratings.reader import read_export
from trainer.own_ratings.records import FilmRecord
from trainer.own_ratings.report import OwnRatingsReport
from trainer.own_ratings.unmatched import UnmatchedFilms

BATCH = 1000
"""Events that are sent at once."""
SERVICE = "gateway"
"""The service whose facts are read: what it has is what viewers see."""

Progress = Callable[[int, int], None]
"""Told how many events were sent, of how many."""


class OwnRatingsImport:
    """Imports into a running system; `close` it.

    Args:
        settings: Settings of the system.
        links: A table of links; None: that of the bundled release, where the catalogue is it.
    """

    def __init__(self, settings: Settings, links: Path | None = None) -> None:
        self._settings = settings
        self._store = RedisStore(settings.redis_address, timeout=5.0)
        self._keys = Keys(settings.namespace, SERVICE, settings.partitions)
        self._unmatched = UnmatchedFilms(settings.state)
        self._links = links
        self._index: FilmIndex | None = None

    def close(self) -> None:
        """Close the connection to the store."""
        self._store.close()

    def run(self, path: Path, user_id: int, is_dry: bool, progress: Progress) -> OwnRatingsReport:
        """Import an export for a person.

        Args:
            path: The export.
            user_id: The person.
            is_dry: Publish and keep nothing.
            progress: Told how far it is.

        Raises:
            DataError: The export or the links cannot be read.
            InvalidInput: The catalogue is empty.
            StoreUnavailable: Redis does not answer.
            BusUnavailable: The bus did not take all events.
        """
        export = read_export(path)
        report = self._import(self._viewer(user_id), export.records(), is_dry, progress)
        report.export = export
        return report

    def retry(self, user_id: int, is_dry: bool, progress: Progress) -> OwnRatingsReport:
        """Match the kept films of a person with the present catalogue; raises as `run` does."""
        viewer = self._viewer(user_id)
        records = self._unmatched.of(user_id, viewer.erased_at)
        return self._import(viewer, records, is_dry, progress)

    def users(self) -> list[int]:
        """Return the persons of whom films are kept."""
        return self._unmatched.users()

    def catalogue_positions(self) -> list[int | None]:
        """Return positions that change with the catalogue that is served."""
        return [self._store.position(keys) for keys in self._keys.all(MOVIES)]

    def _import(
        self, viewer: Viewer, records: Sequence[FilmRecord], is_dry: bool, progress: Progress
    ) -> OwnRatingsReport:
        index = self._films()
        matched = [pair for _, of_site in _by_site(records) for pair in _matched(index, of_site)]
        found = [(match.movie_id, record) for match, record in matched if match.movie_id]
        report = OwnRatingsReport(
            viewer.user_id,
            [match for match, _ in matched],
            plan_events(viewer, found, datetime.now(UTC)),
            sum(movie_id not in index.films for movie_id, _ in found),
            is_dry=is_dry,
        )
        if not is_dry:
            self._publish(report.plan.events, report.sent, progress)
            keep = [record for match, record in matched if not match.movie_id]
            drop = [record for _, record in found]
            report.kept = self._unmatched.change(viewer.user_id, viewer.erased_at, keep, drop)
        return report

    def _films(self) -> FilmIndex:
        """Return the catalogue that is served, indexed once."""
        if self._index is None:
            rows = (self._store.scan(keys.movies).values() for keys in self._keys.all(MOVIES))
            films = [_film(row) for part in rows for row in part]
            if not films:
                raise InvalidInput(
                    "the catalogue is empty: start the services, import data, and try again"
                )
            titles = {film.movie_id: film.title for film in films}
            table = bundled_links(titles) if self._links is None else read_links_at(self._links)
            self._index = FilmIndex(films, table)
        return self._index

    def _viewer(self, user_id: int) -> Viewer:
        keys = self._keys.user(user_id)
        digest, key = digest_of_user(user_id), keys.user(user_id)
        result = self._store.read(ReadRequest((key,), None, {keys.erased: [digest]}))
        erased_at = result.scores[keys.erased, digest]
        facts = Ratings.unpack(result.strings[key])
        return Viewer(user_id, facts, None if erased_at is None else int(erased_at))

    def _publish(
        self, events: Sequence[RatingEvent], sent: Counter[str], progress: Progress
    ) -> None:
        if not events:
            return
        bus = open_bus(self._settings)
        try:
            publish_all(bus, events, sent, progress)
        finally:
            bus.close()


def publish_all(
    bus: Bus, events: Sequence[RatingEvent], sent: Counter[str], progress: Progress
) -> None:
    """Publish events in batches, in order.

    Args:
        bus: The bus.
        events: The events.
        sent: Counts those that are in the log, by type.
        progress: Told how far it is.

    Raises:
        BusUnavailable: The bus did not take all of them; the text says how many it has.
        NotFound: A topic does not exist.
    """
    producer = bus.producer()
    try:
        for start in range(0, len(events), BATCH):
            batch = events[start : start + BATCH]
            producer.publish([Outgoing.of(event) for event in batch])
            sent.update(event.type for event in batch)
            progress(sent.total(), len(events))
    except BusUnavailable as error:
        raise BusUnavailable(
            f"{sent.total():,} of {counted(len(events), 'event')} were sent, perhaps more:"
            f" {error}; import the file again: each takes effect once"
        ) from error
    except NotFound as error:
        remedy = "start the services once: their consumers create the topics"
        raise NotFound(f"{error}; {remedy}") from error
    finally:
        producer.close()


def _by_site(records: Sequence[FilmRecord]) -> Iterator[tuple[str, list[FilmRecord]]]:
    """Yield the records of each site: films of two sites may well be one here."""
    for kind, group in groupby(sorted(records, key=lambda r: r.kind), lambda r: r.kind):
        yield kind, list(group)


def _matched(index: FilmIndex, records: list[FilmRecord]) -> Iterator[tuple[Match, FilmRecord]]:
    return zip(index.match_all([record.film for record in records]), records, strict=True)


def _film(row: bytes) -> CatalogueFilm:
    movie = orjson.loads(row)
    links = movie.get("links") or {}
    stored = MovieLinks(imdb=imdb_id(links.get("imdb")), tmdb=links.get("tmdb"))
    return CatalogueFilm(kept_id(movie["movie_id"]), movie["title"], movie["year"], stored)
