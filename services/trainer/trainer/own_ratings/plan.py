"""Events that bring a person's own ratings in, with ids that follow from what they say."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import blake2b

from marquee.domain.ids import id_text
from marquee.domain.ratings import Ratings
from marquee.events import MovieViewed, Rating, RatingAdded, RatingEvent, UserMovie
from trainer.own_ratings.records import FilmRecord

_FIRST = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Viewer:
    """The person that an import is for.

    Attributes:
        user_id: the id.
        facts: what is known of the person.
        erased_at: offset of the person's last erasure, None if there was none.
    """

    user_id: int
    facts: Ratings = field(default_factory=Ratings)
    erased_at: int | None = None


@dataclass
class Plan:
    """What an import publishes, and what it need not.

    Attributes:
        events: the events, those of the oldest ratings first.
        already_there: films whose rating or viewing is known.
        newer_here: films whose rating here is of another value, and not older.
    """

    events: list[RatingEvent] = field(default_factory=list)
    already_there: int = 0
    newer_here: int = 0


def plan_events(viewer: Viewer, found: Sequence[tuple[int, FilmRecord]], now: datetime) -> Plan:
    """Return the events for records that are not known yet.

    The log's last event wins whatever its time, so a rating that is not newer than the one that is
    there is left out.

    Args:
        viewer: The person.
        found: Records with their movie ids; of two of one movie the newest rating counts.
        now: The time of events whose records tell none.
    """
    plan = Plan()
    newest = dict(sorted(found, key=_order))
    for movie_id, record in sorted(newest.items(), key=_order):
        if _is_there(viewer.facts, movie_id, record):
            plan.already_there += 1
        elif _is_newer_here(viewer.facts, movie_id, record):
            plan.newer_here += 1
        else:
            plan.events.append(_event(viewer, movie_id, record, now))
    return plan


def _order(item: tuple[int, FilmRecord]) -> tuple[bool, datetime, int]:
    """Return the order of records: viewings first, then ratings, each by time."""
    movie_id, record = item
    return record.half_stars is not None, record.time or _FIRST, movie_id


def _is_there(facts: Ratings, movie_id: int, record: FilmRecord) -> bool:
    if record.half_stars is None:
        return movie_id in facts.viewed or movie_id in facts.rated
    return facts.rated.get(movie_id) == record.half_stars


def _is_newer_here(facts: Ratings, movie_id: int, record: FilmRecord) -> bool:
    if movie_id not in facts.rated:
        return False
    at = record.time.timestamp() if record.time else 0
    return int(at) <= facts.times.get(movie_id, 0)


def _event(viewer: Viewer, movie_id: int, record: FilmRecord, now: datetime) -> RatingEvent:
    source, user_id = f"import:{record.kind}", viewer.user_id
    event_id, time = _event_id(viewer, movie_id, record), record.time or now
    if record.half_stars is None:
        view = UserMovie(user_id=user_id, movie_id=movie_id)
        return MovieViewed(id=event_id, source=source, time=time, data=view)
    rating = Rating(user_id=user_id, movie_id=movie_id, rating=record.half_stars / 2)
    return RatingAdded(id=event_id, source=source, time=time, data=rating)


def _event_id(viewer: Viewer, movie_id: int, record: FilmRecord) -> str:
    """Return an id that a repeated import gives again; after an erasure it is another one.

    Otherwise a person who came back could not import the same file: its events would be dropped
    as repeats.
    """
    parts = (
        id_text(viewer.user_id),
        id_text(movie_id),
        record.time.isoformat() if record.time else "",
        "viewed" if record.half_stars is None else str(record.half_stars),
        "" if viewer.erased_at is None else str(viewer.erased_at),
    )
    return blake2b("\0".join(parts).encode(), digest_size=12).hexdigest()
