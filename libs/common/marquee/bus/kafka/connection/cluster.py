"""Connection of every client to the brokers: where they are, how to log in, and what goes wrong."""

import contextlib
from collections.abc import Iterator
from typing import Any

from kafka.errors import KafkaError

from marquee.bus.kafka.connection.faults import KafkaFault, refusal
from marquee.bus.kafka.connection.probe import probe_server
from marquee.bus.kafka.connection.security import KafkaSecurity
from marquee.bus.kafka.faults import SERVERS, describe
from marquee.errors import BusUnavailable, SettingsError

PLAIN = KafkaSecurity()


class KafkaConnection:
    """What each client of a cluster connects with: admin, producer, consumer and log reader.

    Args:
        servers: Addresses of brokers, separated by commas.
        security: How clients connect.
        timeout_s: Limit of each call.

    Raises:
        SettingsError: A file of the security cannot be used.
    """

    def __init__(
        self, servers: str, security: KafkaSecurity = PLAIN, timeout_s: float = 10.0
    ) -> None:
        security.client_options()  # a wrong file is told before anything connects
        self.servers = servers.split(",")
        self.security = security
        self.timeout_ms = int(timeout_s * 1000)

    def client_options(self) -> dict[str, Any]:
        """Return the options of a new client.

        Raises:
            BusUnavailable: No broker can be used: the client would retry in silence, and leave a
                thread.
        """
        fault = self.fault()
        if fault is not None:
            raise BusUnavailable(f"Kafka: {fault}")
        with _as_unavailable():
            return {
                "bootstrap_servers": self.servers,
                "bootstrap_timeout_ms": self.timeout_ms,
                **self.security.client_options(),
            }

    def fault(self) -> KafkaFault | None:
        """Return why no broker can be used, None if one may be."""
        faults = []
        with _as_unavailable():
            for server in self.servers:
                fault = probe_server(server, self.security, self.timeout_ms / 5000)
                if fault is None:
                    return None
                faults.append(fault)
        # What no waiting mends says more than that the others are away.
        lasting = [fault for fault in faults if not fault.passes]
        if lasting:
            return lasting[0]
        text = f"nobody listens at {', '.join(self.servers)}"
        return KafkaFault(text, f"start a broker, or correct {SERVERS}", passes=True)

    @contextlib.contextmanager
    def translate_errors(self) -> Iterator[None]:
        """Raise errors of the client as BusUnavailable, in plain words."""
        try:
            yield
        except KafkaError as error:
            raise self.unavailable(error) from error

    def unavailable(self, error: KafkaError) -> BusUnavailable:
        """Return an error of the client in plain words.

        A client tells a refused connection by a timeout: the broker is looked at.
        """
        fault = refusal(error, self.security)
        if fault is None and self.security != PLAIN:
            with contextlib.suppress(BusUnavailable):
                fault = self.fault()
        return BusUnavailable(f"Kafka: {fault or describe(error)}")


@contextlib.contextmanager
def _as_unavailable() -> Iterator[None]:
    """Raise a fault of a file as BusUnavailable: it was right when the process started."""
    try:
        yield
    except SettingsError as error:
        raise BusUnavailable(f"Kafka: {error}") from error
