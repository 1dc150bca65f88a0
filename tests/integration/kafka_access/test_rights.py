"""Every kind of process × topic × operation, tried on a real broker: done, or refused."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import kafka
import pytest
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import (
    AuthorizationError,
    CoordinatorNotAvailableError,
    TopicAlreadyExistsError,
    for_code,
)

from marquee.bus.kafka.access.rights import DEAD, KAFKA_RIGHTS, TOPICS, Operation, user_of
from marquee_testing.servers.secure_kafka import SecureKafka
from marquee_testing.waiting import until

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.filterwarnings("ignore:unclosed <(socket|ssl):ResourceWarning"),
]
ALL = (*TOPICS, *DEAD)
GROUPS = sorted(rights.group for rights in KAFKA_RIGHTS.values() if rights.group)


class Attempts:
    """Operations that a user tries."""

    def __init__(self, broker: SecureKafka, user: str) -> None:
        options = broker.connection(user).client_options()
        self.admin = kafka.KafkaAdminClient(**options)
        self.producer = kafka.KafkaProducer(**options, enable_idempotence=False, retries=0)
        self.consumer = kafka.KafkaConsumer(**options, auto_offset_reset="none")

    def close(self) -> None:
        self.admin.close()
        self.producer.close(0)
        self.consumer.close(autocommit=False)

    def read(self, topic: str) -> None:
        self.describe(topic)  # the client waits without end for a topic that it may not see
        partition = kafka.TopicPartition(topic, 0)
        self.consumer.assign([partition])
        self.consumer.seek(partition, 0)
        while not self.consumer.poll(5000):
            pass

    def write(self, topic: str) -> None:
        self.producer.send(topic, b"x", partition=0).get(10)

    def create(self, topic: str) -> None:
        """Create a topic that is there already, as the broker looks at rights first."""
        reply = self.admin.create_topics({topic: {}}, validate_only=True, raise_errors=False)
        error = for_code(reply["topics"][0]["error_code"])
        if error is not TopicAlreadyExistsError:
            raise error()

    def delete(self, topic: str) -> None:
        self.describe(topic)  # the client takes what it may not see as missing
        self.admin.delete_records({kafka.TopicPartition(topic, 0): 0})

    def describe(self, topic: str) -> None:
        [found] = self.admin.describe_topics([topic])
        if found["error_code"]:
            raise for_code(found["error_code"])()

    def describe_configs(self, topic: str) -> None:
        resource = ConfigResource(ConfigResourceType.TOPIC, topic)
        # The client answers nothing about what it may not see.
        if not self.admin.describe_configs([resource])["topic"][topic]:
            raise AuthorizationError

    def alter_configs(self, topic: str) -> None:
        resource = ConfigResource(ConfigResourceType.TOPIC, topic, {"retention.ms": "1000"})
        # The client looks at the settings before, which it may not, and would ask no broker.
        answer = self.admin.alter_configs([resource], raise_on_unknown=False)["topic"][topic]
        if "AuthorizationFailedError" in answer:
            raise AuthorizationError

    def delete_topic(self, topic: str) -> None:
        self.admin.delete_topics([topic])

    def look_at_group(self, group: str) -> None:
        """Look at a group, which whoever may join it may, and nobody else here."""
        self.admin.describe_groups([group])


Attempt = Callable[[Attempts, str], None]
OPERATIONS: Mapping[Operation, Attempt] = {
    Operation.READ: Attempts.read,
    Operation.WRITE: Attempts.write,
    Operation.CREATE: Attempts.create,
    Operation.DELETE: Attempts.delete,
    Operation.DESCRIBE: Attempts.describe,
    Operation.DESCRIBE_CONFIGS: Attempts.describe_configs,
}
NEVER = (Attempts.alter_configs, Attempts.delete_topic)


def refused(attempt: Attempt, user: Attempts, name: str) -> bool:
    """Return whether the broker refuses an attempt; another error is a fault of the test."""
    try:
        attempt(user, name)
    except AuthorizationError:
        return True
    return False


@contextmanager
def attempts(broker: SecureKafka, user: str) -> Iterator[Attempts]:
    made = Attempts(broker, user)
    try:
        yield made
    finally:
        made.close()


def coordinates(user: Attempts, group: str) -> bool:
    """Return whether the broker has made the topic of groups, which it does when first asked."""
    try:
        user.look_at_group(group)
    except CoordinatorNotAvailableError:
        return False
    return True


@pytest.fixture(scope="module")
def filled(secure_kafka: SecureKafka, granted: str) -> str:
    """The namespace, with a message in every topic."""
    with attempts(secure_kafka, "admin") as admin:
        for topic in ALL:
            admin.write(f"{granted}.{topic}")
        until(lambda: coordinates(admin, f"{granted}.{GROUPS[0]}"))
    return granted


@pytest.mark.parametrize("kind", KAFKA_RIGHTS)
def test_a_kind_of_process_can_do_what_its_rights_say_and_nothing_else(
    secure_kafka: SecureKafka, filled: str, kind: str
) -> None:
    rights = KAFKA_RIGHTS[kind]
    done: set[tuple[str, object]] = set()
    wanted: set[tuple[str, object]] = set()
    with attempts(secure_kafka, user_of(kind, filled)) as user:
        for topic in ALL:
            name = f"{filled}.{topic}"
            wanted |= {(topic, operation) for operation in rights.topics.get(topic, ())}
            done |= {
                (topic, operation)
                for operation, attempt in OPERATIONS.items()
                if not refused(attempt, user, name)
            }
            # Kafka has one right for deleting messages and deleting the topic.
            may_delete = Operation.DELETE in rights.topics.get(topic, ())
            never = NEVER[:1] if may_delete else NEVER
            done |= {(topic, one) for one in never if not refused(one, user, name)}
        for group in GROUPS:
            if not refused(Attempts.look_at_group, user, f"{filled}.{group}"):
                done.add((group, "group"))
    wanted |= {(rights.group, "group")} if rights.group else set()
    assert done == wanted
