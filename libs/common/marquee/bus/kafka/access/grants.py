"""Users and access rules on a cluster, set by the admin client as `rights` defines them."""

from collections.abc import Mapping
from typing import Any

import kafka
from kafka.admin import (
    ACL,
    ACLFilter,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    ResourcePattern,
    ResourcePatternFilter,
    ResourceType,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from marquee.bus.kafka.access.rights import AccessRule, Operation, access_rules
from marquee.bus.kafka.connection.cluster import KafkaConnection
from marquee.errors import BusUnavailable

_TYPES = {"topic": ResourceType.TOPIC, "group": ResourceType.GROUP}
_OPERATIONS = {
    Operation.READ: ACLOperation.READ,
    Operation.WRITE: ACLOperation.WRITE,
    Operation.CREATE: ACLOperation.CREATE,
    Operation.DELETE: ACLOperation.DELETE,
    Operation.DESCRIBE: ACLOperation.DESCRIBE,
    Operation.DESCRIBE_CONFIGS: ACLOperation.DESCRIBE_CONFIGS,
}


class KafkaGrants:
    """Sets users and rules on a cluster; connects when made, `close` it.

    Args:
        connection: The connection of an administrator.

    Raises:
        BusUnavailable: The cluster does not answer, or refuses the administrator.
    """

    def __init__(self, connection: KafkaConnection) -> None:
        self._connection = connection
        with connection.translate_errors():
            self._admin: Any = kafka.KafkaAdminClient(**connection.client_options())

    def close(self) -> None:
        """Close the connection."""
        self._admin.close()

    def set_passwords(self, passwords: Mapping[str, str], mechanism: str) -> None:
        """Create users, or change the password that they have for a mechanism.

        Args:
            passwords: Passwords by user.
            mechanism: SCRAM-SHA-256 or SCRAM-SHA-512. A user may have a password for each, so that
                one is exchanged while the other still holds.

        Raises:
            BusUnavailable: The cluster does not take one of them.
        """
        kind = ScramMechanism[mechanism.replace("-", "_")]
        wanted = [
            UserScramCredentialUpsertion(user, kind, password)
            for user, password in passwords.items()
        ]
        with self._connection.translate_errors():
            answers = self._admin.alter_user_scram_credentials(wanted)
        for user, fault in answers.items():
            if fault is not None:
                raise BusUnavailable(f"Kafka: the user {user} is not set: {fault}")

    def set_rules(self, namespace: str) -> tuple[int, int]:
        """Make the rules of a namespace's users those of `access_rules`, and no others.

        Returns:
            The number of rules that are set, and of those that were removed.

        Raises:
            BusUnavailable: The cluster does not take one of them, or takes no rules at all.
        """
        wanted = list(access_rules(namespace))
        with self._connection.translate_errors():
            reply = self._admin.create_acls([_acl(rule) for rule in wanted])
            for error in reply["failed"]:
                raise error("a rule is not set; does the broker have an authorizer?")
            return len(wanted), self._remove_others(wanted)

    def _remove_others(self, wanted: list[AccessRule]) -> int:
        """Remove rules of the same users that are not wanted (any more)."""
        known = {_key(_acl(rule)) for rule in wanted}
        others = [
            acl
            for user in dict.fromkeys(rule.user for rule in wanted)
            for acl in self._rules_of(user)
            if _key(acl) not in known
        ]
        if others:
            self._admin.delete_acls(others)
        return len(others)

    def _rules_of(self, user: str) -> list[Any]:
        pattern = ResourcePatternFilter(ResourceType.ANY, None, ACLResourcePatternType.ANY)
        principal, any_ = f"User:{user}", (ACLOperation.ANY, ACLPermissionType.ANY)
        found, _ = self._admin.describe_acls(ACLFilter(principal, None, *any_, pattern))
        return list(found)


def _acl(rule: AccessRule) -> Any:
    return ACL(
        f"User:{rule.user}",
        "*",
        _OPERATIONS[rule.operation],
        ACLPermissionType.ALLOW,
        ResourcePattern(_TYPES[rule.resource], rule.name),
    )


def _key(acl: Any) -> tuple[Any, ...]:
    pattern = acl.resource_pattern
    return (
        acl.principal, acl.host, acl.operation, acl.permission_type,
        pattern.resource_type, pattern.resource_name, pattern.pattern_type,
    )  # fmt: skip
