"""Rights on Kafka of each kind of process: the one definition of its access rules (ACLs).

The broker's rules, the script of them, the doctor's check and the table in the documentation are
made from it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from marquee.bus.api import dead_letter_topic
from marquee.domain.models import MODEL_SPECS
from marquee.events import MODELS, MOVIES, RATINGS


class Operation(StrEnum):
    """What may be done with a topic or a group, as Kafka's tools name it."""

    READ = "Read"
    WRITE = "Write"
    CREATE = "Create"
    DELETE = "Delete"
    DESCRIBE = "Describe"
    DESCRIBE_CONFIGS = "DescribeConfigs"


Operations = frozenset[Operation]

TOPICS = (MOVIES, RATINGS, MODELS)
DEAD = tuple(dead_letter_topic(topic) for topic in TOPICS)
READ, WRITE, CREATE = Operation.READ, Operation.WRITE, Operation.CREATE
LOOK = frozenset({Operation.DESCRIBE, Operation.DESCRIBE_CONFIGS})
"""A consumer looks at all topics when it starts: partitions, retention, clean-up."""


@dataclass(frozen=True)
class KafkaRights:
    """What a kind of process may do; nothing else.

    Attributes:
        purpose: what it does with the bus, for the table in the documentation.
        topics: operations by topic, without the namespace.
        group: the consumer group that it joins, without the namespace; "": none.
    """

    purpose: str
    topics: Mapping[str, Operations] = field(default_factory=dict)
    group: str = ""


@dataclass(frozen=True, order=True)
class AccessRule:
    """One rule of a broker: a user may do an operation on a topic or a group."""

    user: str
    resource: str
    """`topic` or `group`."""
    name: str
    operation: Operation


def _topics(*parts: tuple[tuple[str, ...], Operations]) -> Mapping[str, Operations]:
    """Return the operations by topic, each topic with those of all parts that name it."""
    merged: dict[str, Operations] = {}
    for topics, operations in parts:
        for topic in topics:
            merged[topic] = merged.get(topic, frozenset()) | operations
    return MappingProxyType(merged)


def _consumer_of_model(service: str) -> KafkaRights:
    return KafkaRights(
        "reads events and models, puts invalid messages aside",
        _topics(((*TOPICS, *DEAD), LOOK), (TOPICS, frozenset({READ})), (DEAD, frozenset({WRITE}))),
        service,
    )


_DESCRIBE = frozenset({Operation.DESCRIBE})
_EVENTS = (MOVIES, RATINGS)
_EVENTS_DEAD = tuple(dead_letter_topic(topic) for topic in _EVENTS)

KAFKA_RIGHTS: Mapping[str, KafkaRights] = MappingProxyType(
    {
        "gateway-app": KafkaRights(
            "publishes ratings, changes of movies, rules and erasures",
            _topics((_EVENTS, frozenset({WRITE}) | _DESCRIBE)),
        ),
        "gateway-consumer": KafkaRights(
            "reads events, puts invalid messages aside, creates topics",
            _topics(
                ((*TOPICS, *DEAD), LOOK | {CREATE}),
                (_EVENTS, frozenset({READ})),
                (_EVENTS_DEAD, frozenset({WRITE})),
            ),
            "gateway",
        ),
        **{f"{spec.name}-consumer": _consumer_of_model(spec.name) for spec in MODEL_SPECS.values()},
        "trainer-app": KafkaRights(
            "publishes models, and ratings of imports whose movies arrive later; counts dead"
            " letters; creates topics",
            _topics(
                ((*TOPICS, *DEAD), LOOK | {CREATE}),
                ((MODELS, RATINGS), frozenset({WRITE})),
                (DEAD, frozenset({READ})),
            ),
        ),
        "trainer-consumer": KafkaRights(
            "reads events into the history, creates topics",
            _topics(((*TOPICS, *DEAD), LOOK | {CREATE}), (_EVENTS, frozenset({READ}))),
            "trainer",
        ),
        "operator": KafkaRights(
            "the command `marquee`: trains, publishes, verifies, rebuilds, decides on dead letters",
            _topics(
                ((*TOPICS, *DEAD), LOOK | {CREATE, READ, WRITE}),
                (DEAD, frozenset({Operation.DELETE})),
            ),
        ),
        "producer": KafkaRights(
            "a back end that sends events to Kafka itself",
            _topics((_EVENTS, frozenset({WRITE}) | _DESCRIBE)),
        ),
    }
)
"""Rights by kind of process; the apps of models and the page do not reach Kafka."""


def user_of(kind: str, namespace: str) -> str:
    """Return the name of the user of a kind of process: with the namespace as prefix."""
    return f"{namespace}-{kind}" if namespace else kind


def rights_of(user: str, namespace: str) -> dict[str, Operations]:
    """Return what a user should be allowed, by the topic's name on the cluster.

    A user of another name than `user_of` gives has none: its kind is not known.
    """
    prefix = f"{namespace}." if namespace else ""
    kinds = {user_of(kind, namespace): kind for kind in KAFKA_RIGHTS}
    rights = KAFKA_RIGHTS[kinds[user]] if user in kinds else KafkaRights("")
    return {prefix + topic: operations for topic, operations in rights.topics.items()}


def access_rules(namespace: str) -> Iterator[AccessRule]:
    """Yield the rules of all users, for topics and groups of a namespace."""
    prefix = f"{namespace}." if namespace else ""
    for kind, rights in KAFKA_RIGHTS.items():
        user = user_of(kind, namespace)
        for topic, operations in rights.topics.items():
            for operation in sorted(operations):
                yield AccessRule(user, "topic", prefix + topic, operation)
        if rights.group:
            yield AccessRule(user, "group", prefix + rights.group, Operation.READ)


def rules_script(namespace: str) -> str:
    """Return a shell script that adds the rules by kafka-acls.sh, for brokers of others.

    Rules of one user with the same operations go in one call, since each starts a JVM.
    """
    lines = [
        "#!/bin/sh",
        "# Rights on Kafka of each kind of process; printed by `marquee kafka acls --script`.",
        "# ADMIN_CONFIG is a file with the client settings of an administrator.",
        "set -eu",
        'set -- kafka-acls.sh --bootstrap-server "$BOOTSTRAP" --command-config "$ADMIN_CONFIG"',
    ]
    for (user, resource, operations), names in _grouped(namespace).items():
        lines.append("")
        lines.append(f'"$@" --add --allow-principal User:{user} \\')
        lines.append("  " + " ".join(f"--operation {one}" for one in operations) + " \\")
        lines.append("  " + " ".join(f"--{resource} {name}" for name in names))
    return "\n".join(lines) + "\n"


def _grouped(namespace: str) -> dict[tuple[str, str, tuple[Operation, ...]], list[str]]:
    """Return the names of topics or groups by user, kind of resource and operations."""
    operations: dict[tuple[str, str, str], list[Operation]] = {}
    for rule in access_rules(namespace):
        operations.setdefault((rule.user, rule.resource, rule.name), []).append(rule.operation)
    grouped: dict[tuple[str, str, tuple[Operation, ...]], list[str]] = {}
    for (user, resource, name), allowed in operations.items():
        grouped.setdefault((user, resource, tuple(allowed)), []).append(name)
    return grouped


def rights_table() -> str:
    """Return the rights of all kinds as a table in Markdown."""
    rows = ["| kind | does | topics | group |", "| --- | --- | --- | --- |"]
    for kind, rights in KAFKA_RIGHTS.items():
        by_operations: dict[tuple[Operation, ...], list[str]] = {}
        for topic, operations in rights.topics.items():
            by_operations.setdefault(tuple(sorted(operations)), []).append(f"`{topic}`")
        topics = "; ".join(
            f"{', '.join(names)}: {', '.join(operations)}"
            for operations, names in by_operations.items()
        )
        group = f"`{rights.group}`" if rights.group else ""
        rows.append(f"| `{kind}` | {rights.purpose} | {topics} | {group} |")
    return "\n".join(rows) + "\n"
