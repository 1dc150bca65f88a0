"""Poison of every kind on both buses: a dead letter once, the stream goes on, others unhurt."""

from typing import Any

import orjson
import pytest

from gateway.consumer import GatewayProjection
from marquee.bus.api import TopicPartition
from marquee.dead_letters.ledger import DeadLetter
from marquee.dead_letters.publish import MAX_KEPT_BYTES
from marquee.dead_letters.queue import DeadLetterQueue
from marquee.dead_letters.retry import DeadLetterRetrier
from marquee.events import RATINGS, RatingAdded
from marquee.events.partitioning import partition_of
from marquee_testing.servers.raw_producers import RawProducer, RawRedisProducer
from marquee_testing.servers.system import PARTITIONS, System, running
from marquee_testing.waiting import until

pytestmark = pytest.mark.filterwarnings("ignore:unclosed <(socket|ssl):ResourceWarning")

USER = 1
HOME = TopicPartition(RATINGS, partition_of(USER, PARTITIONS))
AWAY = TopicPartition(RATINGS, (HOME.partition + 1) % PARTITIONS)


def rating(movie_id: int, stars: float = 4.0, user_id: int = USER) -> RatingAdded:
    data = {"user_id": user_id, "movie_id": movie_id, "rating": stars}
    return RatingAdded.model_validate({"data": data})


def text_of(**changes: Any) -> bytes:
    """Return the text of a rating with some of its fields replaced."""
    return orjson.dumps(rating(2).model_dump(mode="json") | changes)


POISON = {
    "truncated": (rating(2).encode()[:-9], "Invalid JSON"),
    "empty": (b"", "Invalid JSON"),
    "not UTF-8": (b"\xff\xfe\x00", "Invalid JSON"),
    "deep nesting": (b"[" * 100_000 + b"]" * 100_000, "Invalid JSON: recursion limit exceeded"),
    "nested data": (
        text_of(data=0).replace(b'"data":0', b'"data":' + b'{"a":' * 90 + b"1" + b"}" * 90),
        "data.user_id: Field required",
    ),
    "NaN": (
        rating(2).encode().replace(b'"rating":4.0', b'"rating":NaN'),
        "rating.added.data.rating",
    ),
    "infinity": (rating(2).encode().replace(b"4.0", b"1e999"), "rating.added.data.rating"),
    "unknown type": (text_of(type="rating.guessed"), "does not match any of the expected tags"),
    "no type": (b'{"specversion":"1.0"}', "Unable to extract tag"),
    "a list": (b"[]", "message: Input should be an object"),
    "huge id": (
        rating(2).encode().replace(b'"user_id":1', b'"user_id":1' + b"0" * 30),
        "rating.added.data.user_id",
    ),
}


def all_of(letters: DeadLetterQueue, n: int) -> list[DeadLetter]:
    """Return the letters once there are n of them."""
    found: list[DeadLetter] = []

    def enough() -> bool:
        found[:] = letters.all()
        return len(found) >= n

    until(enough)
    return found


@pytest.mark.parametrize("kind", POISON)
def test_what_cannot_be_read_is_one_letter_with_the_reason_and_hurts_no_other(
    kind: str, place: RawProducer, group: System, letters: DeadLetterQueue
) -> None:
    value, reason = POISON[kind]
    worker = group.start(GatewayProjection())
    group.publish(rating(1))
    place.put(HOME, b"1", value, trace=b"t-1")
    group.wait(group.publish(rating(3)))
    assert set(group.ratings(USER).rated) == {1, 3}
    assert worker.health.ready
    [letter] = all_of(letters, 1)
    assert reason in letter.reason
    assert (letter.id, letter.groups) == (f"{HOME.topic}-{HOME.partition}-1", ("gateway",))
    assert (letter.message.value, letter.message.key) == (value, b"1")
    assert letter.message.headers["trace"] == "t-1"


def test_a_message_of_two_megabytes_is_kept_in_part_and_can_only_be_discarded(
    place: RawProducer, group: System, letters: DeadLetterQueue
) -> None:
    place.allow_large(RATINGS)
    group.start(GatewayProjection())
    value = text_of(comment="x" * 2_000_000)
    place.put(HOME, b"1", value)
    group.wait(group.publish(rating(3)))
    [letter] = all_of(letters, 1)
    assert letter.reason == f"message of {len(value)} bytes, at most 1000000 are read"
    assert (letter.length, letter.message.value) == (len(value), value[:MAX_KEPT_BYTES])
    [outcome] = DeadLetterRetrier(letters, group.bus.partitions, "ann").retry([letter])
    assert not outcome.published
    assert "it still cannot be read: only 900000 of" in outcome.text
    letters.discard(letter, "ann", "a test")
    assert [one.state for one in letters.all()] == ["discarded"]


def test_headers_that_are_no_text_or_too_many_do_not_stop_the_stream(
    place: RawProducer, group: System, letters: DeadLetterQueue
) -> None:
    group.start(GatewayProjection())
    odd = {"odd": b"\xff", "large": b"x" * 100_000, "marquee-settles": b"ratings-0-0"}
    place.put(HOME, b"1", b"{", **odd)
    group.wait(group.publish(rating(3)))
    [letter] = all_of(letters, 1)
    assert letter.state == "open"
    assert "large" not in letter.message.headers


def test_entries_of_a_stream_that_lack_fields_of_ours_are_letters(
    redis_url: str, namespace: str
) -> None:
    place = RawRedisProducer(redis_url, namespace)
    with running(place.bus, redis_url, namespace) as group:
        worker = group.start(GatewayProjection())
        client, name = place.bus.client, place.bus.streams.key(HOME)
        client.xadd(name, {"event": rating(1).encode()}, id="0-*")
        client.xadd(name, {"v": rating(1).encode()}, id="0-*")
        client.xadd(name, {b"\xff": b"\xfe", "k": b"1"}, id="0-*")
        group.wait(group.publish(rating(3)))
        letters = DeadLetterQueue(place.log, place.bus.producer())
        reasons = [letter.reason for letter in all_of(letters, 3)]
        assert reasons[0].startswith("message: Invalid JSON")
        assert reasons[1].startswith("the key is missing: the producer must send data.user_id")
        assert worker.health.ready
