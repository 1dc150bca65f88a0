"""Rights and passwords that change while processes run: told in plain words, and taken up again."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from kafka.admin import (
    ACLFilter,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    ResourcePatternFilter,
    ResourceType,
)

from marquee.bus.api import Outgoing
from marquee.bus.kafka.access.rights import user_of
from marquee.bus.kafka.bus import KafkaBus
from marquee.errors import BusUnavailable
from marquee_testing.servers.secure_kafka import MECHANISM, REAUTH_MS, SecureKafka
from marquee_testing.waiting import until

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.timeout(200),
    pytest.mark.filterwarnings("ignore:unclosed <(socket|ssl):ResourceWarning"),
]
READ, WRITE, DESCRIBE = ACLOperation.READ, ACLOperation.WRITE, ACLOperation.DESCRIBE


class Member:
    """A consumer of one service that has read from the first offset on."""

    def __init__(self, bus: KafkaBus, group: str, topic: str) -> None:
        self.subscription = bus.subscribe(group, [topic], lambda _: 0, lambda _: None)
        self.values: list[bytes] = []

    def waits_for(self) -> str:
        """Poll once; return why nothing can be read, "" if it can."""
        try:
            for messages in self.subscription.poll(0.2, 100).values():
                self.values += [message.value for message in messages]
        except BusUnavailable as error:
            return str(error)
        return ""


def told(ask: Callable[[], str], *words: str) -> None:
    """Wait until something is told that has all these words."""
    answers: list[str] = []

    def is_told() -> bool:
        answers.append(ask())
        return all(word in answers[-1] for word in words)

    try:
        until(is_told)
    except AssertionError:
        pytest.fail(f"{words} not in the last of {len(answers)} answers: {answers[-5:]}")


@contextmanager
def open_as(broker: SecureKafka, namespace: str, kind: str, listener: str) -> Iterator[KafkaBus]:
    security = broker.security(user_of(kind, namespace))
    bus = KafkaBus(broker.addresses[listener], namespace, security=security, session_s=6.0)
    yield bus
    bus.close()


def take(
    broker: SecureKafka, user: str, kind: ResourceType, name: str, *what: ACLOperation
) -> None:
    """Take rights from a user."""
    pattern = ResourcePatternFilter(kind, name, ACLResourcePatternType.LITERAL)
    allow = ACLPermissionType.ALLOW
    with broker.admin() as admin:
        admin.delete_acls([ACLFilter(f"User:{user}", "*", one, allow, pattern) for one in what])


def test_a_consumer_says_which_right_it_waits_for_and_goes_on_when_it_has_it(
    secure_kafka: SecureKafka, granted: str
) -> None:
    user, topic = user_of("hybrid-consumer", granted), f"{granted}.movies"
    with (
        open_as(secure_kafka, granted, "hybrid-consumer", "CLIENT") as bus,
        open_as(secure_kafka, granted, "gateway-app", "CLIENT") as writer,
    ):
        member, producer = Member(bus, "hybrid", "movies"), writer.producer()
        until(lambda: member.waits_for() == "" and len(member.subscription.assigned) == 4)
        for kind, name, rights, words in (
            (ResourceType.TOPIC, topic, (READ,), f"may not use the topic {topic}"),
            (ResourceType.GROUP, f"{granted}.hybrid", (READ,), "may not join the group"),
            (ResourceType.TOPIC, topic, (READ, DESCRIBE), f"may not use the topic {topic}"),
        ):
            take(secure_kafka, user, kind, name, *rights)
            before = len(member.values)
            producer.publish([Outgoing("movies", b"1", b"after")])
            told(member.waits_for, words, "marquee kafka acls")
            secure_kafka.grant(granted)
            until(lambda n=before: member.waits_for() == "" and len(member.values) > n)  # type: ignore[misc]
        member.subscription.close()
        producer.close()


def test_a_write_without_the_right_is_unavailable_until_it_is_given(
    secure_kafka: SecureKafka, granted: str
) -> None:
    user, topic = user_of("gateway-app", granted), f"{granted}.ratings"
    with open_as(secure_kafka, granted, "gateway-app", "CLIENT") as bus:
        producer, message = bus.producer(), Outgoing("ratings", b"1", b"x")

        def write() -> str:
            try:
                producer.publish([message])
            except BusUnavailable as error:
                return str(error)
            return ""

        until(lambda: write() == "")
        for rights in ((WRITE,), (WRITE, DESCRIBE)):
            take(secure_kafka, user, ResourceType.TOPIC, topic, *rights)
            told(write, f"may not use the topic {topic}")
            secure_kafka.grant(granted)
            until(lambda: write() == "")
        producer.close()


def test_a_changed_password_is_told_and_the_right_one_is_taken_up(
    secure_kafka: SecureKafka, granted: str
) -> None:
    user = user_of("neural-consumer", granted)
    with (
        open_as(secure_kafka, granted, "neural-consumer", "SHORT") as bus,
        open_as(secure_kafka, granted, "gateway-app", "CLIENT") as writer,
    ):
        member, producer = Member(bus, "neural", "ratings"), writer.producer()
        until(lambda: member.waits_for() == "" and len(member.subscription.assigned) == 4)
        with secure_kafka.grants() as grants:
            grants.set_passwords({user: "another"}, MECHANISM)
        told(member.waits_for, f"refuses the user {user} or the password")
        secure_kafka.grant(granted)
        before = len(member.values)
        producer.publish([Outgoing("ratings", b"1", b"after")])
        until(lambda: member.waits_for() == "" and len(member.values) > before)
        member.subscription.close()
        producer.close()


def test_logging_in_anew_loses_nothing(secure_kafka: SecureKafka, granted: str) -> None:
    with open_as(secure_kafka, granted, "content-consumer", "SHORT") as bus:
        member = Member(bus, "content", "movies")
        with open_as(secure_kafka, granted, "gateway-app", "SHORT") as writer:
            producer, sent = writer.producer(), 0

            def step() -> None:
                nonlocal sent
                producer.publish([Outgoing("movies", b"1", f"anew-{sent}".encode())])
                sent += 1
                assert member.waits_for() == ""

            end = time.monotonic() + 3 * REAUTH_MS / 1000
            until(lambda: time.monotonic() > end, step=step)
            until(lambda: member.waits_for() == "" and f"anew-{sent - 1}".encode() in member.values)
            own = [value for value in member.values if value.startswith(b"anew-")]
            assert own == [f"anew-{n}".encode() for n in range(sent)]
            producer.close()
        member.subscription.close()
