"""Dead letters on both buses: retried where nothing is later, discarded, forgotten."""

import pytest
from prometheus_client import REGISTRY

from gateway.consumer import HANDLERS, GatewayProjection
from marquee.bus.api import Outgoing, TopicPartition
from marquee.consumer.unit_of_work import Handlers, UnitOfWork
from marquee.dead_letters.gauge import DeadLetterGauge
from marquee.dead_letters.ledger import STATES, DeadLetter
from marquee.dead_letters.queue import DeadLetterQueue
from marquee.dead_letters.retry import DeadLetterRetrier
from marquee.events import MOVIES, RATINGS, MovieAdded, RatingAdded, UserErased
from marquee.events.partitioning import partition_of
from marquee_testing.servers.raw_producers import RawProducer
from marquee_testing.servers.system import PARTITIONS, System
from marquee_testing.waiting import until

pytestmark = pytest.mark.filterwarnings("ignore:unclosed <(socket|ssl):ResourceWarning")

USER = 1
HOME = TopicPartition(RATINGS, partition_of(USER, PARTITIONS))
AWAY = TopicPartition(RATINGS, (HOME.partition + 1) % PARTITIONS)


class Mendable(GatewayProjection):
    """The gateway's facts, with a handler that throws for movie 13 until it is mended."""

    def __init__(self) -> None:
        self.broken = True
        self.handlers: Handlers = {**HANDLERS, RatingAdded: self._rate}

    def _rate(self, unit_of_work: UnitOfWork, event: RatingAdded) -> None:
        if self.broken and event.data.movie_id == 13:
            raise ValueError("unlucky")
        HANDLERS[RatingAdded](unit_of_work, event)


def measured() -> dict[str, float | None]:
    read = REGISTRY.get_sample_value
    labels = [{"topic": RATINGS, "state": state} for state in STATES]
    return {one["state"]: read("marquee_dead_letters_held", one) for one in labels}


def rating(movie_id: int, stars: float = 4.0, user_id: int = USER) -> RatingAdded:
    data = {"user_id": user_id, "movie_id": movie_id, "rating": stars}
    return RatingAdded.model_validate({"data": data})


def all_of(letters: DeadLetterQueue, n: int) -> list[DeadLetter]:
    """Return the letters once there are n of them."""
    found: list[DeadLetter] = []

    def enough() -> bool:
        found[:] = letters.all()
        return len(found) >= n

    until(enough)
    return found


def test_an_event_on_a_wrong_partition_is_applied_once_it_is_retried(
    place: RawProducer, group: System, letters: DeadLetterQueue
) -> None:
    group.start(Mendable())
    place.put(AWAY, b"1", rating(2).encode())
    group.wait(group.publish(rating(3, user_id=2)))
    [letter] = all_of(letters, 1)
    assert "the producer must use murmur2 of the key" in letter.reason
    assert group.ratings(USER).rated == {}
    [outcome] = DeadLetterRetrier(letters, group.bus.partitions, "ann").retry([letter])
    assert outcome.text == f"published at {HOME}:0"
    until(lambda: set(group.ratings(USER).rated) == {2})


def test_an_event_whose_handler_throws_is_applied_once_that_is_mended(
    group: System, letters: DeadLetterQueue
) -> None:
    projection = Mendable()
    group.start(projection)
    group.wait(group.publish(rating(1), rating(13), rating(2, user_id=2)))
    [letter] = all_of(letters, 1)
    assert letter.reason == "handler failed: ValueError: unlucky"
    projection.broken = False
    retries = DeadLetterRetrier(letters, group.bus.partitions, "ann")
    assert [outcome.published for outcome in retries.retry([letter])] == [True]
    until(lambda: set(group.ratings(USER).rated) == {1, 13})
    [settled] = letters.all()
    assert (settled.state, settled.actor) == ("retried", "ann")
    [again] = retries.retry([settled])
    assert again.text == "it is retried already, by ann"


def test_a_letter_that_was_overtaken_is_not_published_again(
    group: System, letters: DeadLetterQueue
) -> None:
    group.start(Mendable())
    dead, later = group.publish(rating(13), rating(13, 2.0).model_copy(update={"id": "later"}))
    group.wait([dead, later])
    first, second = all_of(letters, 2)
    retries = DeadLetterRetrier(letters, group.bus.partitions, "ann")
    [outcome] = retries.retry([first])
    assert outcome.text == f"{second.id} has the same key 1: retry both in one call"
    group.wait(group.publish(rating(5)))
    for outcome in retries.retry([first, second]):
        assert "rating.added at ratings" in outcome.text
        assert "publish what should hold now as a new event" in outcome.text
    assert [one.state for one in letters.all()] == ["open", "open"]


def test_letters_of_one_key_are_retried_together_in_their_order(
    group: System, letters: DeadLetterQueue
) -> None:
    projection = Mendable()
    group.start(projection)
    group.wait(group.publish(rating(13, 5.0), rating(13, 2.0)))
    found = all_of(letters, 2)
    projection.broken = False
    outcomes = list(DeadLetterRetrier(letters, group.bus.partitions, "ann").retry(found[::-1]))
    assert [(one.dead_letter.id, one.published) for one in outcomes] == [
        (found[0].id, True),
        (found[1].id, True),
    ]
    until(lambda: group.ratings(USER).rated == {13: 4})


def test_a_retry_that_was_killed_before_it_was_noted_publishes_nothing_twice(
    group: System, letters: DeadLetterQueue
) -> None:
    projection = Mendable()
    group.start(projection)
    event = rating(13)
    group.wait(group.publish(event))
    [letter] = all_of(letters, 1)
    projection.broken = False
    group.wait(group.publish(event))  # what the killed retry had got to
    end = letters.log.range(HOME)[1]
    [outcome] = DeadLetterRetrier(letters, group.bus.partitions, "ann").retry([letter])
    assert outcome.text == f"it was published before, at {HOME}:1"
    assert letters.log.range(HOME)[1] == end


def test_a_message_that_two_services_bury_is_one_letter(
    place: RawProducer, group: System, letters: DeadLetterQueue
) -> None:
    group.start(Mendable())
    group.start(GatewayProjection(), "content")
    place.put(HOME, b"1", b"{")
    after = group.publish(rating(3))
    group.wait(after)
    group.wait(after, "content")
    [letter] = all_of(letters, 1)
    assert letter.groups == ("content", "gateway")


def test_what_others_wrote_among_the_letters_is_passed_over(
    place: RawProducer, group: System, letters: DeadLetterQueue
) -> None:
    group.start(GatewayProjection())
    log = TopicPartition("ratings.dead", 0)
    place.put(log, b"1", b"hello")
    place.put(log, b"1", b"{}", **{"marquee-settles": b"ratings-0-0"})
    place.put(log, b"1", b"x", **{"marquee-position": b"nowhere", "marquee-id": b"ratings-0-0"})
    odd = {"marquee-position": b"ratings:0:7", "marquee-time": b"?", "marquee-length": b"long"}
    place.put(log, b"1", b"x", **odd)
    place.put(HOME, b"1", b"{")
    found = {letter.id: letter for letter in all_of(letters, 2)}
    assert set(found) == {"ratings-0-7", f"ratings-{HOME.partition}-0"}
    assert (found["ratings-0-7"].time, found["ratings-0-7"].length) == (None, 1)
    assert letters.remove_user(USER) == 2
    assert letters.all() == []


def test_the_measure_says_how_many_letters_are_open_and_settled(
    place: RawProducer, group: System, letters: DeadLetterQueue
) -> None:
    group.start(GatewayProjection())
    counts = DeadLetterGauge(place.log)
    counts.update()
    place.put(HOME, b"1", b"{")
    place.put(HOME, b"1", b"}")
    first, _ = all_of(letters, 2)
    counts.update()
    assert measured() == {"open": 2, "retried": 0, "discarded": 0}
    letters.discard(first, "ann", "a test")
    counts.update()
    assert measured() == {"open": 1, "retried": 0, "discarded": 1}
    letters.remove_user(USER)
    counts.update()
    assert measured() == {"open": 0, "retried": 0, "discarded": 0}


def test_the_letters_of_a_user_are_forgotten_and_the_others_stay(
    place: RawProducer, group: System, letters: DeadLetterQueue
) -> None:
    group.start(Mendable())
    theirs = TopicPartition(RATINGS, partition_of(11, PARTITIONS))
    place.put(HOME, b"1", b"{")  # the key names the user
    place.put(HOME, b"7", b'{"data": {"user_id": 1, "movie')  # the text does
    place.put(TopicPartition(MOVIES, 0), b"1", rating(2).encode())
    place.put(theirs, b"11", b'{"data": {"user_id": 11, "movie')
    place.put(TopicPartition(MOVIES, 0), b"1", b"{")  # movie 1
    all_of(letters, 5)
    letters.discard(letters.find([f"{theirs.topic}-{theirs.partition}-0"])[0], "ann", "a test")
    assert letters.remove_user(USER) == 3
    assert letters.remove_user(USER) == 0
    left = {(one.partition.topic, one.message.key, one.state) for one in letters.all()}
    assert left == {(RATINGS, b"11", "discarded"), (MOVIES, b"1", "open")}


def test_an_erasure_that_failed_waits_for_its_retry_when_letters_are_forgotten(
    group: System, letters: DeadLetterQueue
) -> None:
    class Failing(GatewayProjection):
        def __init__(self) -> None:
            self.handlers = {**HANDLERS, UserErased: self._fail}

        def _fail(self, _: UnitOfWork, __: UserErased) -> None:
            raise ValueError("not now")

    group.start(Failing())
    group.wait(group.publish(UserErased.model_validate({"data": {"user_id": USER}})))
    all_of(letters, 1)
    assert letters.remove_user(USER) == 0


def test_a_movie_added_with_a_wrong_key_is_there_after_its_retry(
    group: System, letters: DeadLetterQueue
) -> None:
    group.start(Mendable())
    movie = MovieAdded.model_validate({"data": {"movie_id": 5, "title": "Five"}})
    group.send(Outgoing(MOVIES, b"m5", movie.encode()))
    [letter] = all_of(letters, 1)
    assert letter.reason.startswith("key b'm5' is not the event's id 5: the producer must send")
    [outcome] = DeadLetterRetrier(letters, group.bus.partitions, "ann").retry([letter])
    assert outcome.published
    until(lambda: 5 in group.movies())
