"""Security of connections to Kafka: TLS, and a user with a password."""

import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from marquee.errors import SettingsError
from marquee.settings import PREFIX, Settings

CERTIFICATE = "MARQUEE_KAFKA_CERTIFICATE"
CA = "MARQUEE_KAFKA_CA"


@dataclass(frozen=True)
class KafkaSecurity:
    """How clients connect to brokers; the default is plain text without a user.

    Attributes:
        protocol: PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL, as Kafka names them.
        mechanism: SCRAM-SHA-256 or SCRAM-SHA-512.
        user: name of the user, with SASL.
        password: its password.
        ca: certificates of the authorities that are trusted, in PEM; None: those of the system.
        certificate: the client's certificate in PEM, for brokers that ask for one.
        key: its key; None: it is in the file of the certificate.
        key_password: password of the key.
        check_hostname: whether the broker's certificate must hold for the host that was asked.
    """

    protocol: str = "PLAINTEXT"
    mechanism: str = ""
    user: str = ""
    password: str = field(default="", repr=False)
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    key_password: str = field(default="", repr=False)
    check_hostname: bool = True

    @classmethod
    def of(cls, settings: Settings) -> "KafkaSecurity":
        """Return the security that the settings ask for.

        Raises:
            SettingsError: There is a user without SASL, a file without TLS, or the reverse.
        """
        _check_together(settings)
        password, key_password = settings.kafka_password, settings.kafka_key_password
        return cls(
            protocol=settings.kafka_security_protocol,
            mechanism=settings.kafka_sasl_mechanism,
            user=settings.kafka_user,
            password="" if password is None else password.get_secret_value(),
            ca=settings.kafka_ca,
            certificate=settings.kafka_certificate,
            key=settings.kafka_key,
            key_password="" if key_password is None else key_password.get_secret_value(),
            check_hostname=settings.kafka_check_hostname,
        )

    @property
    def uses_tls(self) -> bool:
        """Whether connections are encrypted."""
        return self.protocol.endswith("SSL")

    @property
    def uses_sasl(self) -> bool:
        """Whether clients log in."""
        return self.protocol.startswith("SASL")

    @property
    def with_tls(self) -> str:
        """The same protocol over TLS."""
        return "SASL_SSL" if self.uses_sasl else "SSL"

    @property
    def without_tls(self) -> str:
        """The same protocol in plain text."""
        return "SASL_PLAINTEXT" if self.uses_sasl else "PLAINTEXT"

    def client_options(self) -> dict[str, Any]:
        """Return the options that each client of kafka-python takes.

        The files are read anew, so that a client made after a renewal has the new certificate.

        Raises:
            SettingsError: A file cannot be read, or is not what it should be.
        """
        options: dict[str, Any] = {"security_protocol": self.protocol}
        if self.uses_tls:
            options["ssl_context"] = self.ssl_context()
        if self.uses_sasl:
            options["sasl_mechanism"] = self.mechanism
            options["sasl_plain_username"] = self.user
            options["sasl_plain_password"] = self.password
        return options

    def ssl_context(self) -> ssl.SSLContext:
        """Return a context of TLS 1.2 or newer that verifies the broker.

        Raises:
            SettingsError: A file cannot be read, or is not what it should be.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.check_hostname = self.check_hostname
        if self.ca is None:
            context.load_default_certs()
        else:
            self._load_authorities(context, self.ca)
        if self.certificate is not None:
            self._load_certificate(context, self.certificate)
        return context

    def _load_authorities(self, context: ssl.SSLContext, ca: Path) -> None:
        try:
            context.load_verify_locations(ca)
        except ssl.SSLError:
            text = "has no certificate; name a file of certificates in PEM"
            raise SettingsError(f"{CA}: {ca} {text}", "kafka_ca") from None
        except OSError as error:
            raise SettingsError(f"{CA}: {ca}: {error.strerror}", "kafka_ca") from None

    def _load_certificate(self, context: ssl.SSLContext, certificate: Path) -> None:
        files = f"{certificate}" if self.key is None else f"{certificate} and {self.key}"
        try:
            context.load_cert_chain(certificate, self.key, lambda: self.key_password)
        except ssl.SSLError as error:
            text = (
                f"{files} are no certificate with its key in PEM ({error.reason}); name the key by"
                " MARQUEE_KAFKA_KEY, and its password by MARQUEE_KAFKA_KEY_PASSWORD"
            )
            raise SettingsError(f"{CERTIFICATE}: {text}", "kafka_certificate") from None
        except OSError as error:
            text = f"{files}: {error.strerror}"
            raise SettingsError(f"{CERTIFICATE}: {text}", "kafka_certificate") from None


def _check_together(settings: Settings) -> None:
    """Raise SettingsError for settings that contradict the protocol; the text names both.

    Not every process of an environment uses Kafka: only those that do need a user.
    """
    protocol = settings.kafka_security_protocol
    said = f"MARQUEE_KAFKA_SECURITY_PROTOCOL={protocol}"
    for name in ("kafka_user", "kafka_password"):
        variable = PREFIX + name.upper()
        if protocol.startswith("SASL") and not getattr(settings, name):
            file = f" or {variable}_FILE" if name == "kafka_password" else ""
            raise SettingsError(f"{said} needs {variable}{file}", name)
        if not protocol.startswith("SASL") and getattr(settings, name):
            raise SettingsError(f"{variable} is set, and {said} logs nobody in", name)
    for name in ("kafka_ca", "kafka_certificate", "kafka_key"):
        if not protocol.endswith("SSL") and getattr(settings, name):
            raise SettingsError(f"{PREFIX}{name.upper()} is set, and {said} has no TLS", name)
    if settings.kafka_key and not settings.kafka_certificate:
        text = f"MARQUEE_KAFKA_KEY is set without {CERTIFICATE}, which it belongs to"
        raise SettingsError(text, "kafka_key")
