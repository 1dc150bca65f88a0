"""Several processes of each kind on this machine, the gateways behind a proxy."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from marquee.child_process import die_with_parent
from marquee.domain.models import MODEL_SPECS
from marquee_local.servers import free_port
from marquee_testing.servers.round_robin import BACKENDS
from marquee_testing.waiting import PATIENCE, until

INTERVAL_S = 0.25
"""Seconds between two health checks, of the proxy and of who waits for a start: a check takes a
millisecond or two of the machine that is measured."""
DRAIN_S = 2.0
START_S, STOP_S = 300.0, 60.0


@dataclass
class Process:
    """One process: what starts it, the port of its health, and the process that runs."""

    name: str
    command: Sequence[str]
    environ: Mapping[str, str]
    port: int
    log: Path
    running: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        """Start it; it is not ready yet."""
        with self.log.open("ab") as output:
            self.running = subprocess.Popen(
                self.command,
                env={**os.environ, **self.environ},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                preexec_fn=die_with_parent,
            )

    def wait_until_ready(self) -> None:
        """Wait until it says that it is ready; its end is an AssertionError with its last words."""
        until(self._is_ready, START_S, lambda: time.sleep(INTERVAL_S))

    def stop(self) -> None:
        """End it by SIGTERM, and wait until it has ended."""
        if self.running is not None and self.running.poll() is None:
            self.running.send_signal(signal.SIGTERM)
            try:
                self.running.wait(STOP_S * PATIENCE)
            except subprocess.TimeoutExpired:
                self.running.kill()
                raise AssertionError(f"{self.name} does not end by SIGTERM") from None

    @property
    def pid(self) -> int:
        """The id of the process that runs."""
        assert self.running is not None
        return self.running.pid

    def _is_ready(self) -> bool:
        assert self.running is not None
        status, words = self.running.poll(), self.log.read_text(errors="replace")[-2000:]
        assert status is None, f"{self.name} ended with {status}: {words}"
        return answers_ready(self.port)


@dataclass
class Replicas:
    """All processes, in the order in which they were started, and the proxy before the gateways."""

    processes: list[Process] = field(default_factory=list)
    proxy: Process | None = None

    @property
    def url(self) -> str:
        """The address of the proxy."""
        assert self.proxy is not None
        return f"http://127.0.0.1:{self.proxy.port}"

    def of(self, *kinds: str) -> list[Process]:
        """Return the processes of kinds such as `gateway app`."""
        return [one for one in self.processes if one.name.rpartition(" ")[0] in kinds]

    def restart(self, process: Process) -> tuple[float, float]:
        """End a process and start it again; wait until it is ready, and the proxy sends to it.

        Returns:
            Seconds until it had ended, and from there until it was ready.
        """
        began = time.monotonic()
        process.stop()
        ended = time.monotonic()
        process.start()
        process.wait_until_ready()
        if process in self.of("gateway app"):
            until(lambda: process.port in self._sent_to(), START_S, lambda: time.sleep(INTERVAL_S))
        return ended - began, time.monotonic() - ended

    def _sent_to(self) -> list[int]:
        """Return the ports of the gateways that the proxy sends to."""
        with urllib.request.urlopen(self.url + BACKENDS, timeout=START_S) as answer:
            return list(json.load(answer))

    def stop(self) -> None:
        """End all."""
        started = [*reversed(self.processes), *([self.proxy] if self.proxy else [])]
        for process in started:
            if process.running is not None and process.running.poll() is None:
                process.running.send_signal(signal.SIGTERM)
        with contextlib.ExitStack() as stack:  # each is ended, whatever becomes of another one
            for process in started:
                stack.callback(process.stop)


@contextlib.contextmanager
def replicas(
    logs: Path, settings: Mapping[str, str], kinds: Mapping[str, int]
) -> Iterator[Replicas]:
    """Run processes of some kinds; yield them once all are ready.

    Args:
        logs: Folder for their output.
        settings: Environment of all (`MARQUEE_…`); apps that are not of the kinds are asked where
            it says.
        kinds: Number of processes of each kind, such as `content app` and `content consumer`.
    """
    logs.mkdir(parents=True, exist_ok=True)
    ports = {kind: [free_port() for _ in range(count)] for kind, count in kinds.items()}
    shared = {"MARQUEE_DRAIN_S": str(DRAIN_S), **settings, **_addresses(ports)}
    system = Replicas(
        [
            _process(kind, number, port, shared, logs)
            for kind, of_kind in ports.items()
            for number, port in enumerate(of_kind)
        ]
    )
    try:
        for process in system.processes:
            process.start()
        for process in system.processes:
            process.wait_until_ready()
        if "gateway app" in ports:
            system.proxy = _proxy(ports["gateway app"], logs)
            system.proxy.start()
            system.proxy.wait_until_ready()
        yield system
    finally:
        system.stop()


def answers_ready(port: int) -> bool:
    """Return whether a process of this machine says that it is ready."""
    address = f"http://127.0.0.1:{port}/health/ready"
    with contextlib.suppress(OSError), urllib.request.urlopen(address, timeout=2) as answer:
        return bool(answer.status == 200)
    return False


def _addresses(ports: Mapping[str, Sequence[int]]) -> dict[str, str]:
    packages = (*(spec.package for spec in MODEL_SPECS.values()), "trainer")
    return {
        f"MARQUEE_{package.upper()}_URL": ",".join(f"http://127.0.0.1:{port}" for port in of_kind)
        for package in packages
        if (of_kind := ports.get(f"{package.replace('_', '-')} app"))
    }


def _process(kind: str, number: int, port: int, shared: Mapping[str, str], logs: Path) -> Process:
    program, role = kind.split()
    name = "CONSUMER" if role == "consumer" else program.replace("-", "_").upper()
    environ = {**shared, f"MARQUEE_{name}_PORT": str(port)}
    if role == "consumer":
        environ["MARQUEE_KAFKA_MEMBER"] = f"replica-{number}"
    command = [str(Path(sys.executable).with_name(program)), role]
    return Process(
        f"{kind} {number + 1}", command, environ, port, logs / f"{kind} {number + 1}.log"
    )


def _proxy(backends: Sequence[int], logs: Path) -> Process:
    port = free_port()
    asked = {"port": port, "backends": list(backends), "interval_s": INTERVAL_S}
    program = "marquee_testing.servers.round_robin"
    command = [sys.executable, "-m", program, json.dumps(asked)]
    return Process("proxy", command, {}, port, logs / "proxy.log")
