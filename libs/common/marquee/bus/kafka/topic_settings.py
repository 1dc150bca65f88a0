"""A look at topics on a cluster: partitions, replicas, retention, clean-up."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from kafka.admin import ConfigResource, ConfigResourceType


@dataclass(frozen=True)
class TopicSettings:
    """A topic as its cluster has it; None: the cluster does not let this client read it.

    Attributes:
        partitions: their number.
        replicas: copies of the partition that has the fewest.
        in_sync: copies in step, of the partition that has the fewest.
        retention_ms: how long messages are kept, in milliseconds; −1: for ever.
        cleanup_policy: delete, compact, or both.
        min_in_sync: copies that have to be in step for a write.
    """

    partitions: int
    replicas: int
    in_sync: int
    retention_ms: int | None
    cleanup_policy: str | None
    min_in_sync: int | None


def read_topic_settings(admin: Any, names: Iterable[str]) -> dict[str, TopicSettings]:
    """Return the settings of those topics that exist, by their name on the cluster.

    Args:
        admin: The admin client of kafka-python; its errors pass through.
        names: Names on the cluster.
    """
    described = {
        topic["name"]: topic["partitions"]
        for topic in admin.describe_topics(list(names))
        if not topic["error_code"]
    }
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in described]
    # A topic whose settings may not be read has none in the answer.
    configs = admin.describe_configs(resources, config_filter="all").get("topic", {})
    return {name: _of(parts, configs.get(name, {})) for name, parts in described.items()}


def _of(partitions: list[Mapping[str, Any]], configs: Mapping[str, Any]) -> TopicSettings:
    def number(name: str) -> int | None:
        return int(configs[name]["value"]) if name in configs else None

    return TopicSettings(
        partitions=len(partitions),
        replicas=min(len(partition["replica_nodes"]) for partition in partitions),
        in_sync=min(len(partition["isr_nodes"]) for partition in partitions),
        retention_ms=number("retention.ms"),
        cleanup_policy=configs["cleanup.policy"]["value"] if "cleanup.policy" in configs else None,
        min_in_sync=number("min.insync.replicas"),
    )
