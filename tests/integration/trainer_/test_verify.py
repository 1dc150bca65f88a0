"""`marquee verify` on a real Valkey: equal where the facts are, and otherwise it names which."""

import threading

import orjson
import pytest
import redis

from marquee.bus.api import Outgoing, TopicPartition
from marquee.bus.redis.bus import RedisBus
from marquee.consumer.handlers.by_service import FACTS_BY_SERVICE
from marquee.domain.ids import GivenId
from marquee.domain.movies import Movie
from marquee.events import RATINGS, Event, MovieAdded, Rating, RatingAdded
from marquee.settings import Settings
from marquee_testing.simulation.facts_system import PARTITIONS, FactsSystem, empty, random_events
from trainer.consumer import HistoryConsumer
from trainer.history.history import History
from trainer.operations.verify import Verdict, Verification

ALL = list(FACTS_BY_SERVICE)


def verdicts(settings: Settings, services: list[str] | None = None) -> list[Verdict]:
    verification = Verification(settings)
    try:
        return list(verification.run(services or ALL))
    finally:
        verification.close()


def settled(system: FactsSystem, history: History, events: list[Event]) -> None:
    """Let every service, and the history, handle events."""
    with system.running(HistoryConsumer(system.bus, history, seconds=0.05).run):
        system.wait(system.publish(*events))


def test_after_a_story_of_every_kind_of_event_all_partitions_are_equal(
    system: FactsSystem, history: History, settings: Settings
) -> None:
    settled(system, history, random_events(1, 1500, strings=True))
    found = verdicts(settings)
    assert len(found) == len(ALL) * 2 * PARTITIONS
    assert [v for v in found if not v.equal] == []
    assert all(v.live and v.replayed for v in found)
    assert all(v.restored for v in found if v.service != "trainer")
    assert len({v.live for v in found if v.service == "gateway"}) == 2 * PARTITIONS


def test_what_producers_leave_out_of_events_is_the_same_for_all_services(
    system: FactsSystem, history: History, settings: Settings
) -> None:
    events = random_events(4, 400)
    with system.running(HistoryConsumer(system.bus, history, seconds=0.05).run):
        system.wait(system.bus.producer().publish([unnamed(event) for event in events]))
        history.compact()
    assert [v for v in verdicts(settings) if not v.equal] == []


def unnamed(event: Event) -> Outgoing:
    """Return an event as from a producer that writes neither its id nor its time."""
    whole = event.model_dump(mode="json", by_alias=True, exclude={"id", "time"})
    return Outgoing(event.topic, event.key.encode(), orjson.dumps(whole))


def test_after_a_compaction_and_more_events_all_partitions_are_equal(
    system: FactsSystem, history: History, settings: Settings
) -> None:
    settled(system, history, random_events(2, 800, strings=True))
    history.compact()
    settled(system, history, random_events(3, 800, strings=True))
    assert [v for v in verdicts(settings) if not v.equal] == []


def test_a_store_that_was_emptied_and_filled_from_the_snapshot_is_equal(
    system: FactsSystem, history: History, settings: Settings
) -> None:
    settled(system, history, random_events(4, 800, strings=True))
    history.compact()
    empty(settings)
    settled(system, history, random_events(5, 300, strings=True))
    assert [v for v in verdicts(settings) if not v.equal] == []


@pytest.mark.parametrize("kind", ["users", "movies", "rules", "sums"])
def test_a_fact_that_was_altered_added_or_lost_is_named(
    system: FactsSystem, history: History, settings: Settings, kind: str
) -> None:
    settled(system, history, random_events(6, 600))
    service = "content" if kind == "sums" else "gateway"
    expected = {alter(system, settings, service, kind, way) for way in ("alter", "add", "lose")}
    bad = [v for v in verdicts(settings) if not v.equal]
    assert {v.service for v in bad} == {service}
    assert {name for v in bad for name in v.differing} == expected


def test_a_fact_is_named_by_the_id_as_it_was_given(
    system: FactsSystem, history: History, settings: Settings
) -> None:
    user, movie = GivenId("id-1"), GivenId("id-3")
    added = MovieAdded(data=Movie(movie_id=movie, title="Three"))
    settled(system, history, [added, RatingAdded(data=Rating(user_id=user, movie_id=1, rating=4))])
    keys = system.keys("gateway")
    with redis.Redis.from_url(settings.redis_url.get_secret_value()) as client:
        assert client.delete(keys.user(user).user(user))
        assert client.hdel(keys.movie(movie).movies, str(movie))
    assert {name for v in verdicts(settings) for name in v.differing} == {"user:id-1", "film:id-3"}


def alter(system: FactsSystem, settings: Settings, service: str, kind: str, way: str) -> str:
    """Change one fact behind the back of the consumers; return its name."""
    keys = system.keys(service)
    with redis.Redis.from_url(settings.redis_url.get_secret_value()) as client:
        if kind == "users":
            user_id = {"alter": 1, "lose": 2, "add": 4711}[way]
            key = keys.user(user_id).user(user_id)
            if way == "lose":
                assert client.delete(key)
            else:
                packed = bytes.fromhex("01010000000000000000000000") + b"\x63\0\0\0\x05"
                client.set(key, packed)
            return f"user:{user_id}"
        of = keys.all(RATINGS)[0] if kind == "sums" else keys.movie(1)
        key = getattr(of, kind)
        fields = sorted(client.hkeys(key))
        field = {"alter": fields[0], "lose": fields[-1], "add": b"4711"}[way]
        other = client.hget(key, fields[1])
        if way == "lose":
            assert client.hdel(key, field)
        else:
            assert client.hset(key, field, other) == (way == "add")
        return f"{'film' if kind == 'movies' else kind}:{field.decode()}"


def test_it_is_right_beside_consumers_at_work(
    system: FactsSystem, history: History, settings: Settings
) -> None:
    settled(system, history, random_events(7, 200))
    done = threading.Event()

    def produce(_: threading.Event) -> None:
        for seed in range(100, 140):
            if done.is_set():
                return
            system.publish(*random_events(seed, 50))

    with system.running(HistoryConsumer(system.bus, history, seconds=0.05).run, produce):
        found = [v for _ in range(2) for v in verdicts(settings)]
        done.set()
    assert [v for v in found if not v.equal and v.position is not None] == []


def test_a_service_that_was_never_loaded_is_not_equal_and_says_so(
    system: FactsSystem, history: History, settings: Settings
) -> None:
    system.services = ("gateway",)
    settled(system, history, random_events(8, 100))
    found = verdicts(settings, ["gateway", "content"])
    assert {v.service for v in found if v.equal} == {"gateway"}
    assert {v.note for v in found if not v.equal} == {"no position: never loaded"}


def test_where_the_log_no_longer_begins_at_0_the_replay_goes_on_from_the_snapshot(
    system: FactsSystem, history: History, settings: Settings
) -> None:
    settled(system, history, random_events(9, 600))
    history.compact()
    assert isinstance(system.bus, RedisBus)
    for p in range(PARTITIONS):
        for topic in ("movies", RATINGS):
            key = f"{settings.namespace}:log:{{{TopicPartition(topic, p)}}}"
            system.bus.client.xtrim(key, maxlen=3, approximate=False)
    found = verdicts(settings)
    assert [v for v in found if not v.equal] == []
    assert all(v.replayed for v in found)
