"""A gateway as a process of its own, and raw connections to it."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
from prometheus_client.parser import text_string_to_metric_families

from marquee_testing.waiting import until


@dataclass(frozen=True)
class GatewayProcess:
    """A running gateway.

    Attributes:
        port: Its public port.
        operate_port: That of its operators.
        pid: The process.
    """

    port: int
    operate_port: int
    pid: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def operate_url(self) -> str:
        return f"http://127.0.0.1:{self.operate_port}"

    def connect(self) -> socket.socket:
        """Return a raw connection to the public port."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=60)

    def measure(self, name: str, **labels: str) -> float:
        """Return a measure of the process, added up over what the labels leave open."""
        text = httpx.get(f"{self.operate_url}/metrics").text
        return sum(
            sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )


@contextlib.contextmanager
def gateway_process(
    redis_url: str, namespace: str, ports: tuple[int, int], *, ready: str = "ready", **settings: str
) -> Iterator[GatewayProcess]:
    """Run a gateway until the block ends.

    Args:
        redis_url: Its store and bus.
        namespace: Its namespace.
        ports: The public port and that of the operators, both free.
        ready: The probe to wait for; `live`: there need be no films.
        settings: Settings by their names in lower case.
    """
    port, operate_port = ports
    values = {
        "redis_url": redis_url,
        "namespace": namespace,
        "gateway_port": str(port),
        "operate_port": str(operate_port),
        **settings,
    }
    environ = {name: value for name, value in os.environ.items() if "MARQUEE_" not in name}
    environ |= {f"MARQUEE_{name.upper()}": value for name, value in values.items()}
    command = [sys.executable, "-m", "gateway", "app"]
    with subprocess.Popen(command, env=environ) as process:
        made = GatewayProcess(port, operate_port, process.pid)
        try:
            until(lambda: process.poll() is not None or _is_ready(made, ready))
            yield made
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


def _is_ready(made: GatewayProcess, probe: str) -> bool:
    with contextlib.suppress(httpx.TransportError):
        return httpx.get(f"{made.operate_url}/health/{probe}").status_code == 200
    return False
