"""What consumers need of the topics on Kafka."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from marquee.bus.api import Bus
from marquee.bus.topics import topic_partitions
from marquee.events import MODELS
from marquee.requirements.result import CheckResult
from marquee.settings import Settings

if TYPE_CHECKING:
    from marquee.bus.kafka.topic_settings import TopicSettings

DAY_MS = 24 * 3600 * 1000
FOR_EVER = -1


def kafka_results(settings: Settings, bus: Bus) -> list[CheckResult]:
    """Look at the topics and return the result of each requirement; nothing is changed.

    Args:
        settings: The settings that the topics should follow.
        bus: The configured bus; another than Kafka has no such requirements.

    Raises:
        BusUnavailable: The cluster does not answer.
    """
    if settings.bus != "kafka":
        return []
    # Imported here: the client costs memory and time, which processes on Redis need not pay.
    from marquee.bus.kafka.bus import KafkaBus

    assert isinstance(bus, KafkaBus)
    found = bus.topic_settings(topic_partitions(settings.partitions))
    return judge_topics(found, settings)


def judge_topics(found: "Mapping[str, TopicSettings]", settings: Settings) -> list[CheckResult]:
    """Return what is wrong with the topics, or one good result.

    Args:
        found: Topics that exist, by their name without the namespace.
        settings: The settings that they should follow.
    """
    results = [
        result
        for name, count in topic_partitions(settings.partitions).items()
        if name in found
        for result in _judge(name, count, found[name], settings)
    ]
    missing = [name for name in topic_partitions(settings.partitions) if name not in found]
    if missing:
        remedy = "start the services once: their consumers create them"
        results.append(CheckResult("note", "topics", f"not there: {', '.join(missing)}", remedy))
    if all(topic.retention_ms is None for topic in found.values()) and found:
        text = "the cluster does not show their settings: retention and clean-up were not looked at"
        results.append(CheckResult("note", "topics", text, "allow DescribeConfigs on them"))
    text = "a broker does not tell its time: clocks were not compared"
    clock = CheckResult("note", "Kafka clock", text, "synchronise by NTP: retention goes by time")
    return [*(results or [CheckResult("good", "topics", f"{len(found)} as set")]), clock]


def _judge(
    name: str, count: int, topic: "TopicSettings", settings: Settings
) -> Iterator[CheckResult]:
    subject = f"topic {name}"
    if topic.partitions != count:
        text = f"{topic.partitions} partitions, the settings say {count}"
        remedy = "set MARQUEE_PARTITIONS to the number of movies and ratings; models has 1"
        # Consumers stop and say so in their health until the numbers agree.
        yield CheckResult("bad", subject, text, remedy)
    if topic.cleanup_policy is not None and "compact" in topic.cleanup_policy:
        text = f"cleanup.policy is {topic.cleanup_policy}: of each user or movie the last event"
        remedy = "set cleanup.policy=delete on the topic"
        yield CheckResult("bad", subject, f"{text} alone is kept", remedy, "refuse")
    yield from _retention(name, topic, settings)
    yield from _copies(subject, topic)


def _retention(name: str, topic: "TopicSettings", settings: Settings) -> Iterator[CheckResult]:
    kept, wanted = topic.retention_ms, settings.kafka_retention_days * DAY_MS
    if kept is None or kept == FOR_EVER:
        return
    if name == MODELS:
        text = f"messages are dropped after {kept / DAY_MS:.4g} days, and exist nowhere else"
        yield CheckResult("bad", f"topic {name}", text, "set retention.ms=-1 on the topic", "warn")
    elif kept != wanted:
        days = settings.kafka_retention_days
        text = f"messages are kept for {kept / DAY_MS:.4g} days, the settings say {days}"
        remedy = f"set retention.ms={wanted} on the topic, or MARQUEE_KAFKA_RETENTION_DAYS"
        state, start = ("warning", "warn") if kept < wanted else ("note", "")
        yield CheckResult(state, f"topic {name}", text, remedy, start)  # type: ignore[arg-type]


def _copies(subject: str, topic: "TopicSettings") -> Iterator[CheckResult]:
    needed = topic.min_in_sync
    if needed is not None and topic.in_sync < needed:
        text = f"{topic.in_sync} copies in step, and min.insync.replicas is {needed}"
        yield CheckResult("bad", subject, f"{text}: writes are refused", "bring the brokers back")
    elif topic.replicas == 1:
        text = "one copy: a lost disk loses its messages"
        yield CheckResult("note", subject, text, "have MARQUEE_KAFKA_REPLICATION=3 for new topics")
    elif needed == 1:
        text = "min.insync.replicas is 1: a write counts when one broker has it"
        yield CheckResult("note", subject, text, "set min.insync.replicas=2 on the topic")
