"""How far a consumer is behind: in messages, seconds of its own clock, and from the log's start."""

import math
import time

from prometheus_client import REGISTRY

from marquee.bus.api import Outgoing, TopicPartition
from marquee.consumer.metrics import MAX_OBSERVATIONS, ConsumerMetrics, LagTracker, PartitionLag
from marquee.events import MODELS, MOVIES, RATINGS, RatingAdded
from marquee.events.partitioning import partition_of
from marquee_testing.fakes.bus import MemoryBus
from marquee_testing.waiting import until

WHERE = TopicPartition(RATINGS, partition_of(1, 2))


def test_a_log_without_news_is_no_lag_however_long_it_is_quiet() -> None:
    lag = LagTracker()
    assert lag.observe(WHERE, (0, 10), 10, 0.0) == PartitionLag(0, 0.0, math.inf)
    assert lag.observe(WHERE, (0, 10), 10, 3600.0) == PartitionLag(0, 0.0, math.inf)
    assert lag.observe(WHERE, (0, 11), 10, 3601.0) == PartitionLag(1, 0.0, math.inf)
    assert lag.observe(WHERE, (0, 11), 10, 3603.0) == PartitionLag(1, 2.0, math.inf)


def test_seconds_are_those_of_the_oldest_message_that_waits() -> None:
    lag = LagTracker()
    for second in range(10):
        lag.observe(WHERE, (0, 100 * (second + 1)), 0, float(second))
    assert lag.observe(WHERE, (0, 1000), 0, 9.0).seconds == 9.0
    assert lag.observe(WHERE, (0, 1000), 350, 9.0) == PartitionLag(650, 6.0, math.inf)
    assert lag.observe(WHERE, (0, 1000), 1000, 9.0) == PartitionLag(0, 0.0, math.inf)


def test_a_consumer_that_keeps_up_is_never_behind_by_more_than_a_look() -> None:
    lag, seconds = LagTracker(), []
    for second in range(0, 100, 2):
        end = 400 * (second + 1)
        seconds.append(lag.observe(WHERE, (0, end), end - 3, float(second)).seconds)
    assert max(seconds) == 0.0


def test_what_is_remembered_of_a_long_wait_is_bounded_and_begins_where_it_began() -> None:
    lag = LagTracker()
    for second in range(10 * MAX_OBSERVATIONS):
        behind = lag.observe(WHERE, (0, second + 1), 0, float(second))
    assert behind.seconds == 10 * MAX_OBSERVATIONS - 1
    assert sum(map(len, lag._observations.values())) <= MAX_OBSERVATIONS + 1


def test_the_margin_is_what_retention_may_still_drop() -> None:
    assert LagTracker().observe(WHERE, (90, 100), 95, 0.0).margin == 5
    assert LagTracker().observe(WHERE, (0, 100), 0, 0.0).margin == math.inf


def value(name: str) -> float | None:
    labels = {"group": "lagging", "topic": RATINGS, "partition": str(WHERE.partition)}
    return REGISTRY.get_sample_value(name, labels)


def test_the_metrics_follow_the_positions_and_end_with_the_partition() -> None:
    bus, metrics = MemoryBus(), ConsumerMetrics("lagging")
    bus.create_topics({RATINGS: 2, MOVIES: 2, MODELS: 1})
    event = RatingAdded.model_validate({"data": {"user_id": 1, "movie_id": 2, "rating": 3.0}})
    bus.producer().publish([Outgoing.of(event)] * 5)
    subscription = bus.subscribe(
        "lagging", [RATINGS], lambda p: 2 if p == WHERE else 0, lambda _: None
    )
    until(lambda: bool(subscription.poll(0.1, 10)))
    metrics.report_lag(subscription, {WHERE: 2})
    assert value("marquee_lag_messages") == 3
    assert value("marquee_lag_seconds") == 0
    assert value("marquee_log_margin_messages") == math.inf
    metrics.report_lag(subscription, {WHERE: 5})  # too soon to look again
    assert value("marquee_lag_messages") == 3
    metrics._reported = time.monotonic() - 10
    metrics.report_lag(subscription, {WHERE: 5})
    assert value("marquee_lag_messages") == 0
    metrics.forget(WHERE)
    assert value("marquee_lag_messages") is None
    subscription.close()
