"""What processes need of the brokers: a connection, a user who is let in, and its rights."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from marquee.errors import SettingsError
from marquee.requirements.result import AtStart, CheckResult
from marquee.settings import Settings

if TYPE_CHECKING:
    from marquee.bus.kafka.access.look import Allowed
    from marquee.bus.kafka.access.rights import Operations

_AWAY = "start the bus, or choose the other by MARQUEE_BUS; MARQUEE_KAFKA_SERVERS says where it is"


def kafka_server_results(settings: Settings, timeout_s: float = 2.5) -> list[CheckResult]:
    """Look at the brokers and return the result of each requirement; nothing is changed.

    Args:
        settings: The settings; with another bus than Kafka there are no such requirements.
        timeout_s: Limit of each call, in seconds.
    """
    if settings.bus != "kafka":
        return []
    # Imported here: the client costs memory and time, which processes on Redis need not pay.
    from marquee.bus.kafka.access.look import look_at_kafka
    from marquee.bus.kafka.access.rights import rights_of
    from marquee.bus.kafka.connection.cluster import KafkaConnection
    from marquee.bus.kafka.connection.faults import KafkaFault
    from marquee.bus.kafka.connection.security import KafkaSecurity

    try:
        security = KafkaSecurity.of(settings)
        connection = KafkaConnection(settings.kafka_servers, security, timeout_s)
    except SettingsError as error:
        return [CheckResult("bad", "Kafka", str(error), "", "refuse")]
    wanted = rights_of(security.user, settings.namespace)
    # Without a user nobody is logged in, and whatever the broker allows is for everybody.
    found = look_at_kafka(connection, wanted) if security.uses_sasl else connection.fault()
    if isinstance(found, KafkaFault):
        start: AtStart = "" if found.passes else "refuse"  # processes wait for a broker
        return [CheckResult("bad", "Kafka", found.text, found.remedy or _AWAY, start)]
    who = f" for the user {security.user}" if security.uses_sasl else ""
    good = CheckResult("good", "Kafka", f"answers at {settings.kafka_servers}{who}")
    return [good, *judge_rights(found or {}, wanted)]


def judge_rights(found: "Allowed", wanted: "Mapping[str, Operations]") -> Iterator[CheckResult]:
    """Yield what a user lacks; a topic that does not exist cannot be judged.

    Args:
        found: Operations that the cluster allows, by topic.
        wanted: Operations that the user's kind of process needs, by topic.
    """
    for topic, operations in wanted.items():
        lacks = sorted(one for one in operations if topic in found and one.name not in found[topic])
        if lacks:
            text = f"the user may not {', '.join(lacks)} the topic {topic}"
            remedy = "give it the rights of its process (`marquee kafka acls` lists them)"
            # Rights hold as soon as the broker has them: processes wait for them.
            yield CheckResult("bad", "Kafka rights", text, remedy, "warn")
