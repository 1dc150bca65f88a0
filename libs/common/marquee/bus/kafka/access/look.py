"""A look at the cluster as one user: whether it lets the user in, and what it allows on topics."""

from collections.abc import Iterable

import kafka
from kafka.errors import KafkaError, UnknownTopicOrPartitionError

from marquee.bus.kafka.connection.cluster import KafkaConnection
from marquee.bus.kafka.connection.faults import KafkaFault, refusal

Allowed = dict[str, frozenset[str]]
"""Operations that the user may do, by the topic's name on the cluster, such as READ; a topic that
it may not even see has none, and one that does not exist is missing."""


def look_at_kafka(connection: KafkaConnection, topics: Iterable[str]) -> Allowed | KafkaFault:
    """Log in and ask for the user's rights; nothing is changed, and no error is raised.

    Args:
        connection: The connection of the user.
        topics: Names of topics on the cluster.
    """
    fault = connection.fault()
    if fault is not None:
        return fault
    try:
        admin = kafka.KafkaAdminClient(
            **connection.client_options(), request_timeout_ms=connection.timeout_ms
        )
        try:
            described = admin.describe_topics(sorted(topics))
        finally:
            admin.close()
    except KafkaError as error:
        return refusal(error, connection.security) or KafkaFault(str(error), "", passes=True)
    return {
        topic["name"]: frozenset(() if topic["error_code"] else topic["authorized_operations"])
        for topic in described
        if topic["error_code"] != UnknownTopicOrPartitionError.errno
    }
