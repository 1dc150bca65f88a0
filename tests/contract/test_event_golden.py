"""Every form of an event that was ever released is read, and gives the same facts."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from gateway.consumer import HANDLERS
from marquee.bus.api import TopicPartition
from marquee.consumer.unit_of_work import UnitOfWork, prefetch
from marquee.domain.ids import parse_id
from marquee.domain.ratings import Ratings
from marquee.errors import UnreadableEvent
from marquee.events import EVENT_TYPES, MODELS, MOVIES, RATINGS, Event, ModelEvent, decode
from marquee.events.partitioning import partition_of
from marquee.store.keys import Keys
from marquee_testing.fakes.store import MemoryStore

GOLDEN = Path(__file__).with_name("golden")
FILES = sorted(GOLDEN.glob("*.json"))
KEYS = Keys("golden", "gateway", 4)


def start(user: object, movie: object) -> tuple[Mapping[str, Any], ...]:
    """Return events before the golden one, about a user, a movie and two more."""
    return (
    {"type": "movie.added", "data": {"movie_id": movie, "title": "One", "year": 2000,
                                     "genres": ["Drama"], "tags": {"prison": 0.5}}},
    {"type": "movie.promoted", "data": {"movie_id": movie, "weight": 2.0}},
    {"type": "movie.blocked", "data": {"movie_id": movie, "reason": "before"}},
    {"type": "rating.added", "data": {"user_id": user, "movie_id": movie, "rating": 3.0}},
    {"type": "movie.viewed", "data": {"user_id": user, "movie_id": 2}},
    {"type": "movie.dismissed", "data": {"user_id": user, "movie_id": 3}},
)  # fmt: skip


def listed(user: object, movie: object) -> tuple[Mapping[str, Any], ...]:
    """Return the events that fill a watchlist, before a golden event of watchlists alone."""
    films = (movie, 4, movie)
    return tuple({"type": "watchlist.added", "data": {"user_id": user, "movie_id": i}}
                 for i in films)  # fmt: skip


def facts_after(message: bytes, user_id: object = 1, movie_id: object = 1) -> dict[str, Any]:
    """Return what a consumer keeps of a movie and a user once it has applied an event."""
    event = decode(message)
    if isinstance(event, ModelEvent):
        return {"model": event.data.model_dump(mode="json")}
    store = MemoryStore()
    fixed = {"id": "start", "time": "2026-01-01T00:00:00Z"}
    of_watchlist = listed(user_id, movie_id) if event.type.startswith("watchlist.") else ()
    for one in (*start(user_id, movie_id), *of_watchlist):
        apply(store, decode(json.dumps({**one, **fixed}).encode()))
    apply(store, event)
    user, movie = parse_id(user_id), parse_id(movie_id)
    users, movies = KEYS.user(user), KEYS.movie(movie)
    rated = Ratings.unpack(store.get(users.user(user)))
    return {
        "film": json.loads(store.scan(movies.movies).get(b"%d" % movie, b"null")),
        "rules": json.loads(store.scan(movies.rules).get(b"%d" % movie, b"{}")),
        "rated": {str(movie): half_stars for movie, half_stars in rated.rated.items()},
        "viewed": list(rated.viewed),
        "dismissed": list(rated.dismissed),
        # Golden files of before there were watchlists do not name them.
        **({"watchlist": list(rated.watchlist)} if of_watchlist or rated.watchlist else {}),
    }


def ids_of(golden: Mapping[str, Any]) -> tuple[object, object]:
    """Return the user and the movie that a golden file is about."""
    return golden.get("user_id", 1), golden.get("movie_id", 1)


def apply(store: MemoryStore, event: Event) -> None:
    keys = KEYS.of(TopicPartition(event.topic, partition_of(event.key, KEYS.partitions)))
    position = store.position(keys)
    unit_of_work = UnitOfWork(keys, store)
    prefetch(unit_of_work, [event])
    HANDLERS[type(event)](unit_of_work, event)
    start = position or 0
    store.write(keys, position, start + 1, unit_of_work.commands(start, start + 1))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_released_form_is_read_and_gives_the_same_facts(path: Path) -> None:
    golden = json.loads(path.read_text())
    message = json.dumps(golden["event"]).encode()
    event = decode(message)
    assert event.type == path.name.rsplit(".v", 1)[0]
    assert facts_after(message, *ids_of(golden)) == golden["facts"]
    assert facts_after(event.encode(), *ids_of(golden)) == golden["facts"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_an_old_consumer_reads_what_a_newer_producer_adds(path: Path) -> None:
    golden = json.loads(path.read_text())
    event = golden["event"]
    added = {"from_a_newer_release": {"a": [1, None]}, "dataschema": "https://example.org/2"}
    newer = {**event, **added, "data": {**event["data"], **added}}
    assert facts_after(json.dumps(newer).encode(), *ids_of(golden)) == golden["facts"]


def test_each_type_of_event_has_golden_files_of_its_full_and_its_least_form() -> None:
    names = {path.name for path in FILES}
    lacking = [
        f"{kind}.v1{form}.json"
        for kind in EVENT_TYPES
        for form in ("", "-least")
        if f"{kind}.v1{form}.json" not in names
    ]
    assert not lacking, f"tests/contract/golden lacks {', '.join(lacking)}"
    known = {name.rsplit(".v", 1)[0] for name in names}
    assert known == set(EVENT_TYPES), "a released type is read for ever: it may not go"


def test_no_golden_file_was_changed_after_its_release() -> None:
    lines = (GOLDEN / "released.txt").read_text().splitlines()
    released = dict(line.split("  ")[::-1] for line in lines)
    digests = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in FILES}
    assert {name: digests.get(name) for name in released} == released, "a new form is a new file"
    new = sorted(set(digests) - set(released))
    assert not new, f"add to released.txt: {'; '.join(f'{digests[n]}  {n}' for n in new)}"


def test_a_type_of_a_newer_release_is_a_dead_letter_and_not_a_fault() -> None:
    newer = {"specversion": "1.0", "id": "a", "source": "s", "type": "movie.renamed",
             "data": {"movie_id": 1}}  # fmt: skip
    with pytest.raises(UnreadableEvent, match="'movie.renamed'"):
        decode(json.dumps(newer).encode())


def test_every_topic_has_golden_events() -> None:
    topics = {EVENT_TYPES[path.name.rsplit(".v", 1)[0]].topic for path in FILES}
    assert topics == {MOVIES, RATINGS, MODELS}
