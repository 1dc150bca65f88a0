"""Publishing from the event loop."""

import asyncio
import threading
from collections.abc import Sequence

import pytest

from gateway.state.publisher import MAX_BATCH, Publisher
from marquee.bus.api import Outgoing, Published, TopicPartition
from marquee.errors import BusUnavailable, InvalidInput, NotFound
from marquee.events import UserErased, UserRef

PARTITION = TopicPartition("ratings", 0)


class Producer:
    """Keeps what is published; the first publication waits until it is let go."""

    def __init__(self) -> None:
        self.batches: list[list[Outgoing]] = []
        self.go = threading.Event()
        self.error: Exception | None = None
        self.closed = False

    def publish(self, messages: Sequence[Outgoing]) -> list[Published]:
        self.go.wait(5)
        if self.error is not None:
            raise self.error
        start = sum(map(len, self.batches))
        self.batches.append(list(messages))
        return [Published(PARTITION, start + i) for i in range(len(messages))]

    def close(self) -> None:
        self.closed = True


def erased(user_id: int) -> UserErased:
    return UserErased(data=UserRef(user_id=user_id))


async def test_events_that_arrive_during_a_publication_go_out_together_in_order() -> None:
    producer = Producer()
    publisher = Publisher(lambda: producer)
    tasks = [asyncio.create_task(publisher.publish([erased(1)]))]
    await asyncio.sleep(0)
    tasks += [asyncio.create_task(publisher.publish([erased(i), erased(i)])) for i in (2, 3)]
    await asyncio.sleep(0)
    producer.go.set()
    places = await asyncio.gather(*tasks)
    assert [[p.offset for p in group] for group in places] == [[0], [1, 2], [3, 4]]
    keys = [message.key for batch in producer.batches for message in batch]
    assert keys == [b"1", b"2", b"2", b"3", b"3"]
    assert len(producer.batches) == 2
    await publisher.close()
    assert producer.closed


async def test_a_batch_is_bounded_but_a_call_is_never_split() -> None:
    producer = Producer()
    publisher = Publisher(lambda: producer)
    big = [erased(1)] * (MAX_BATCH - 1)
    tasks = [asyncio.create_task(publisher.publish(group)) for group in ([erased(1)], big, big)]
    await asyncio.sleep(0)
    producer.go.set()
    await asyncio.gather(*tasks)
    assert max(map(len, producer.batches)) <= MAX_BATCH
    assert len(producer.batches) == 2
    await publisher.close()


async def test_a_bus_that_is_down_is_told_to_everybody_and_the_next_publication_is_tried() -> None:
    producer = Producer()
    producer.go.set()
    producer.error = BusUnavailable("down")
    publisher = Publisher(lambda: producer)
    errors = await asyncio.gather(
        *(publisher.publish([erased(i)]) for i in (1, 2)), return_exceptions=True
    )
    assert [type(error) for error in errors] == [BusUnavailable, BusUnavailable]
    producer.error = None
    assert await publisher.publish([erased(3)]) == [Published(PARTITION, 0)]
    await publisher.close()


async def test_a_bus_without_topics_is_not_available_yet() -> None:
    producer = Producer()
    producer.go.set()
    producer.error = NotFound("no topic")
    publisher = Publisher(lambda: producer)
    with pytest.raises(BusUnavailable, match="not set up yet"):
        await publisher.publish([erased(1)])
    await publisher.close()


async def test_a_caller_that_goes_away_takes_nothing_back() -> None:
    producer = Producer()
    publisher = Publisher(lambda: producer)
    gone = asyncio.create_task(publisher.publish([erased(1)]))
    stays = asyncio.create_task(publisher.publish([erased(2)]))
    await asyncio.sleep(0)
    gone.cancel()
    producer.go.set()
    assert [p.offset for p in await stays] == [1]
    await publisher.close()


async def test_a_bus_that_is_silent_is_told_within_the_patience() -> None:
    producer = Producer()
    publisher = Publisher(lambda: producer, patience_s=0.05)
    first = asyncio.create_task(publisher.publish([erased(1)]))
    await asyncio.sleep(0.01)
    second = asyncio.create_task(publisher.publish([erased(2)]))
    with pytest.raises(BusUnavailable, match=r"what was sent may still arrive.*Idempotency-Key"):
        await first
    with pytest.raises(BusUnavailable, match="nothing was sent: try again"):
        await second
    producer.go.set()
    assert [p.offset for p in await publisher.publish([erased(3)])] == [1]
    keys = [message.key for batch in producer.batches for message in batch]
    assert keys == [b"1", b"3"]
    await publisher.close()


async def test_the_bus_is_connected_to_at_the_start_and_a_fault_waits_for_the_first_write() -> None:
    producer = Producer()
    producer.go.set()
    made: list[int] = []

    def connect() -> Producer:
        made.append(1)
        if len(made) == 1:
            raise BusUnavailable("down")
        return producer

    publisher = Publisher(connect)
    publisher.start()
    assert [p.offset for p in await publisher.publish([erased(1)])] == [0]
    assert len(made) == 2
    await publisher.close()


async def test_a_message_that_is_refused_for_itself_is_refused_to_its_call_alone() -> None:
    class Picky(Producer):
        def publish(self, messages: Sequence[Outgoing]) -> list[Published]:
            if any(message.key == b"2" for message in messages):
                self.go.wait(5)
                raise InvalidInput("message: too large")
            return super().publish(messages)

    producer = Picky()
    publisher = Publisher(lambda: producer)
    tasks = [asyncio.create_task(publisher.publish([erased(i)])) for i in (1, 2, 3)]
    await asyncio.sleep(0)
    producer.go.set()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(results[1], InvalidInput)
    assert [type(result) for result in (results[0], results[2])] == [list, list]
    assert [m.key for batch in producer.batches for m in batch] == [b"1", b"3"]
    await publisher.close()
