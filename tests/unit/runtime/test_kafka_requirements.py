"""Topics that would lose events, or keep them for another time than the settings say, are named."""

from dataclasses import replace

import pytest

from marquee.bus.kafka.topic_settings import TopicSettings
from marquee.bus.topics import topic_partitions
from marquee.errors import SettingsError
from marquee.requirements.kafka_topics import DAY_MS, judge_topics
from marquee.requirements.result import CheckResult
from marquee.requirements.start import enforce
from marquee.settings import Settings

SETTINGS = Settings(bus="kafka", kafka_retention_days=30)
RIGHT = TopicSettings(
    partitions=4, replicas=3, in_sync=3, retention_ms=30 * DAY_MS, cleanup_policy="delete",
    min_in_sync=2,
)  # fmt: skip


def topics(**changed: TopicSettings) -> dict[str, TopicSettings]:
    found = {name: replace(RIGHT, partitions=count) for name, count in topic_partitions(4).items()}
    found["models"] = replace(found["models"], retention_ms=-1)
    return found | changed


def judged(**changed: TopicSettings) -> list[CheckResult]:
    return [r for r in judge_topics(topics(**changed), SETTINGS) if r.subject != "Kafka clock"]


def test_topics_as_the_settings_say_are_one_good_result() -> None:
    [found] = judged()
    assert (found.state, found.text) == ("good", "6 as set")


@pytest.mark.parametrize(
    ("topic", "change", "state", "words"),
    [
        ("ratings", {"retention_ms": 7 * DAY_MS}, "warning", "for 7 days, the settings say 30"),
        ("ratings", {"retention_ms": 60 * DAY_MS}, "note", "for 60 days"),
        ("models", {"partitions": 1, "retention_ms": DAY_MS}, "bad", "exist nowhere else"),
        ("movies", {"partitions": 6}, "bad", "6 partitions, the settings say 4"),
        ("ratings", {"cleanup_policy": "compact"}, "bad", "cleanup.policy is compact"),
        ("ratings", {"cleanup_policy": "compact,delete"}, "bad", "cleanup.policy is"),
        ("ratings", {"in_sync": 1}, "bad", "writes are refused"),
        ("ratings", {"min_in_sync": 1}, "note", "when one broker has it"),
        ("ratings", {"replicas": 1, "in_sync": 1, "min_in_sync": 1}, "note", "one copy"),
    ],
)
def test_a_topic_that_differs_is_named_with_its_remedy(
    topic: str, change: dict[str, object], state: str, words: str
) -> None:
    [found] = judged(**{topic: replace(RIGHT, **change)})  # type: ignore[arg-type]
    assert (found.state, found.subject) == (state, f"topic {topic}")
    assert words in found.text
    assert found.remedy


def test_messages_kept_for_ever_are_right() -> None:
    assert judged(ratings=replace(RIGHT, retention_ms=-1))[0].state == "good"


def test_settings_that_may_not_be_read_are_a_note() -> None:
    hidden = {"retention_ms": None, "cleanup_policy": None, "min_in_sync": None}
    found = {name: replace(topic, **hidden) for name, topic in topics().items()}  # type: ignore[arg-type]
    states = {result.state for result in judge_topics(found, SETTINGS)}
    assert states == {"note"}


def test_a_consumer_refuses_compacted_topics_and_goes_on_with_others() -> None:
    enforce(judged(ratings=replace(RIGHT, retention_ms=DAY_MS)))
    with pytest.raises(SettingsError, match=r"topic ratings: .*; set cleanup.policy=delete"):
        enforce(judged(ratings=replace(RIGHT, cleanup_policy="compact")))
