"""A real broker that asks for users over TLS, with listeners that are wrong in one way each."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import kafka

from marquee.bus.kafka.access.grants import KafkaGrants
from marquee.bus.kafka.access.rights import KAFKA_RIGHTS, user_of
from marquee.bus.kafka.connection.cluster import KafkaConnection
from marquee.bus.kafka.connection.security import KafkaSecurity
from marquee_local.servers import BROKER, free_port
from marquee_local.servers import kafka as run_broker
from marquee_testing.scripts import load_script

ADMIN = "admin"
MECHANISM = "SCRAM-SHA-512"
REAUTH_MS = 1500
LISTENERS = ("CLIENT", "MUTUAL", "EXPIRED", "ELSEWHERE", "SHORT")
"""MUTUAL asks for a client's certificate; the certificate of EXPIRED has expired, that of ELSEWHERE
holds for another host; clients of SHORT log in anew every REAUTH_MS, and by MECHANISM alone."""


@dataclass(frozen=True)
class SecureKafka:
    """The broker: the address of each listener, and the folder with certificates and passwords."""

    addresses: dict[str, str]
    folder: Path

    @classmethod
    def parse(cls, text: str, folder: Path) -> "SecureKafka":
        """Return a broker by what `run_secure_kafka` yields."""
        return cls(dict(zip(LISTENERS, text.split(), strict=True)), folder)

    @property
    def address(self) -> str:
        """The address of the listener for clients."""
        return self.addresses["CLIENT"]

    def password(self, user: str) -> str:
        """Return the password of a user."""
        if user == ADMIN:
            return (self.folder / "admin.password").read_text().strip()
        return f"password-of-{user}"

    def security(self, user: str, **others: object) -> KafkaSecurity:
        """Return the security of a user, with fields of other values."""
        values: dict[str, object] = {
            "protocol": "SASL_SSL",
            "mechanism": MECHANISM,
            "user": user,
            "password": self.password(user),
            "ca": self.folder / "ca.pem",
        }
        return KafkaSecurity(**(values | others))  # type: ignore[arg-type]

    def connection(self, user: str) -> KafkaConnection:
        """Return the connection of a user."""
        return KafkaConnection(self.address, self.security(user))

    def environ(self, user: str, listener: str = "CLIENT") -> dict[str, str]:
        """Return the settings of a user's process, as its environment has them."""
        return {
            "MARQUEE_BUS": "kafka",
            "MARQUEE_KAFKA_SERVERS": self.addresses[listener],
            "MARQUEE_KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
            "MARQUEE_KAFKA_USER": user,
            "MARQUEE_KAFKA_PASSWORD": self.password(user),
            "MARQUEE_KAFKA_CA": str(self.folder / "ca.pem"),
        }

    def grant(self, namespace: str) -> None:
        """Make the users of a namespace, and give them their rights."""
        users = [user_of(kind, namespace) for kind in KAFKA_RIGHTS]
        with self.grants() as grants:
            grants.set_passwords({user: self.password(user) for user in users}, MECHANISM)
            grants.set_rules(namespace)

    @contextmanager
    def grants(self) -> Iterator[KafkaGrants]:
        """Lend what sets users and rights."""
        grants = KafkaGrants(self.connection(ADMIN))
        try:
            yield grants
        finally:
            grants.close()

    @contextmanager
    def admin(self, user: str = ADMIN) -> Iterator[kafka.KafkaAdminClient]:
        """Lend an admin client of a user."""
        admin = kafka.KafkaAdminClient(**self.connection(user).client_options())
        try:
            yield admin
        finally:
            admin.close()


@contextmanager
def run_secure_kafka(folder: Path) -> Iterator[str]:
    """Run the broker; yield the addresses of its listeners, in their order, with spaces between."""
    make_certificates(folder)
    (folder / "admin.password").write_text("password-of-admin\n")
    ports = {name: free_port() for name in LISTENERS}
    own = {
        "listener.name.mutual.ssl.client.auth": "required",
        "listener.name.expired.ssl.keystore.location": str(folder / "expired.pem"),
        "listener.name.elsewhere.ssl.keystore.location": str(folder / "elsewhere.pem"),
        "listener.name.short.connections.max.reauth.ms": str(REAUTH_MS),
        "listener.name.short.sasl.enabled.mechanisms": MECHANISM,
    }
    options = ["--secure", str(folder)]
    for name in LISTENERS[1:]:
        options += ["--also", f"{name}:{ports[name]}"]
    for name, value in own.items():
        options += ["--set", f"{name}={value}"]
    with run_broker(folder / "data", ports["CLIENT"], options):
        yield " ".join(f"127.0.0.1:{port}" for port in ports.values())


def make_certificates(folder: Path) -> None:
    """Make the certificates of the listeners and of clients, and those of a foreign authority."""
    script = load_script(BROKER.with_name("certificates.py"))
    here = ["127.0.0.1", "localhost"]
    script.make_authority(folder)
    script.make_certificate(folder, "broker", "kafka", here, 30)
    script.make_certificate(folder, "expired", "kafka", here, -1)
    script.make_certificate(folder, "elsewhere", "kafka", ["kafka.example"], 30)
    script.make_certificate(folder, "client", "marquee-client", [], 30)
    foreign = folder / "foreign"
    script.make_authority(foreign)
    script.make_certificate(foreign, "client", "marquee-client", [], 30)
