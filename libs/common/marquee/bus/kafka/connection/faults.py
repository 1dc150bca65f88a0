"""Faults of connections and rights on Kafka in plain words, each with its remedy."""

from dataclasses import dataclass
from typing import Any

from kafka.errors import (
    AuthorizationError,
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    IllegalSaslStateError,
    KafkaError,
    SaslAuthenticationFailedError,
    TopicAuthorizationFailedError,
    UnsupportedSaslMechanismError,
)

from marquee.bus.kafka.connection.security import KafkaSecurity

RIGHTS = "give it the rights of its process (`marquee kafka acls` lists them)"
_LOGIN = "MARQUEE_KAFKA_USER, MARQUEE_KAFKA_PASSWORD (or _FILE) and MARQUEE_KAFKA_SASL_MECHANISM"
_EXPIRED, _NOT_YET_VALID, _OTHER_HOST, _OTHER_ADDRESS = 10, 9, 62, 64
"""Codes of OpenSSL for what is wrong with a certificate."""

REFUSALS = (
    AuthorizationError,
    SaslAuthenticationFailedError,
    UnsupportedSaslMechanismError,
    IllegalSaslStateError,
)
"""Errors that a client of kafka-python keeps: it has to be replaced to try again."""


@dataclass(frozen=True)
class KafkaFault:
    """The reason why a broker cannot be used.

    Attributes:
        text: the fault, in one line.
        remedy: what mends it, or "".
        passes: waiting may mend it: the broker is away, or starts.
    """

    text: str
    remedy: str
    passes: bool

    def __str__(self) -> str:
        return f"{self.text}; {self.remedy}" if self.remedy else self.text


def certificate_fault(server: str, code: int, message: str) -> KafkaFault:
    """Return the fault of a broker's certificate.

    Args:
        server: HOST:PORT of the broker.
        code: OpenSSL's code of the verification.
        message: OpenSSL's words for it.
    """
    of = f"the certificate of {server}"
    if code == _EXPIRED:
        return KafkaFault(f"{of} has expired", "renew it on the broker", passes=False)
    if code == _NOT_YET_VALID:
        remedy = "set the clocks of both machines by NTP"
        return KafkaFault(f"{of} is not valid yet", remedy, passes=False)
    if code in (_OTHER_HOST, _OTHER_ADDRESS):
        remedy = "name the broker in MARQUEE_KAFKA_SERVERS and its advertised.listeners as its"
        text = f"{of} holds for another host"
        return KafkaFault(text, f"{remedy} certificate does", passes=False)
    remedy = "name its authority by MARQUEE_KAFKA_CA=FILE"
    return KafkaFault(f"{of} is not trusted ({message})", remedy, passes=False)


def client_certificate_fault(server: str, security: KafkaSecurity, reason: str) -> KafkaFault:
    """Return the fault of a client's certificate that a broker refuses or misses.

    Args:
        server: HOST:PORT of the broker.
        security: How the client connects.
        reason: OpenSSL's name of the alert, or "".
    """
    if security.certificate is None:
        remedy = "set MARQUEE_KAFKA_CERTIFICATE and MARQUEE_KAFKA_KEY"
        return KafkaFault(f"{server} asks for a client's certificate", remedy, passes=False)
    text = f"{server} refuses the certificate of MARQUEE_KAFKA_CERTIFICATE"
    remedy = "have one made by the authority that the broker trusts, and renew it in time"
    return KafkaFault(f"{text}{f' ({reason})' if reason else ''}", remedy, passes=False)


def login_fault(security: KafkaSecurity) -> KafkaFault:
    """Return the fault of a user or a password that the broker refuses."""
    text = f"the broker refuses the user {security.user} or the password"
    return KafkaFault(text, f"set {_LOGIN} as the broker has them", passes=False)


def refusal(error: KafkaError, security: KafkaSecurity) -> KafkaFault | None:
    """Return the fault behind an error that a broker answers to a user, None for other errors."""
    who = f"the user {security.user}" if security.uses_sasl else "a client without a user"
    what = _named(error)
    if isinstance(error, SaslAuthenticationFailedError):
        return login_fault(security)
    if isinstance(error, UnsupportedSaslMechanismError | IllegalSaslStateError):
        text = f"the broker does not let users log in by {security.mechanism}"
        return KafkaFault(text, "set MARQUEE_KAFKA_SASL_MECHANISM as the broker has it", False)
    if isinstance(error, TopicAuthorizationFailedError):
        return KafkaFault(f"{who} may not use the topic {what}", RIGHTS, passes=True)
    if isinstance(error, GroupAuthorizationFailedError):
        return KafkaFault(f"{who} may not join the group {what}", RIGHTS, passes=True)
    if isinstance(error, ClusterAuthorizationFailedError):
        text = f"{who} may not do this on the cluster, such as write or create topics"
        return KafkaFault(text, RIGHTS, passes=True)
    if isinstance(error, AuthorizationError):
        return KafkaFault(f"{who} may not do this ({type(error).__name__})", RIGHTS, passes=True)
    return None


def _named(error: KafkaError) -> str:
    """Return the topics or the group that an error is about, as the client gives them."""
    about: Any = error.args[0] if error.args else ""
    names = sorted(map(str, about)) if isinstance(about, set | frozenset | list) else [str(about)]
    return ", ".join(name for name in names if name) or "that it needs"
