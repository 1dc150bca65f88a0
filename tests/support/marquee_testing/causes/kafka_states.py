"""States of a Kafka broker in which it takes no messages, or answers nobody."""

import contextlib
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import KafkaError

from marquee_local import servers
from marquee_testing.servers.fault_proxy import FaultProxy, Link
from marquee_testing.waiting import until


class TroubledKafka:
    """A broker behind a network link: clients reach it by the link alone."""

    def __init__(self, directory: Path, proxy: FaultProxy) -> None:
        self.directory, self.port = directory, servers.free_port()
        self.link: Link = proxy.link(f"127.0.0.1:{self.port}")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Process id of the broker itself, which the script runs."""
        assert self._process is not None
        script = self._process.pid
        children = Path(f"/proc/{script}/task/{script}/children").read_text().split()
        return int(children[0])

    def start(self) -> None:
        """Start the broker, and wait until it answers."""
        command = [sys.executable, str(servers.BROKER), "--port", str(self.port)]
        command += ["--advertised", str(self.link.port), "--data", str(self.directory)]
        log = self.directory / "broker.log"
        with log.open("w") as output:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
        until(lambda: "is ready" in log.read_text())

    def stop(self) -> None:
        """End the broker; its data stay."""
        assert self._process is not None
        self._process.terminate()
        self._process.wait(60)

    def wait_for_end(self) -> None:
        """Wait until the broker has ended by itself."""
        assert self._process is not None
        until(lambda: self._process is None or self._process.poll() is not None)

    def limit_files(self, size: int) -> None:
        """Let no file of the broker grow beyond a size in bytes, as on a full disk."""
        hard = resource.prlimit(self.pid, resource.RLIMIT_FSIZE)[1]
        resource.prlimit(self.pid, resource.RLIMIT_FSIZE, (size, hard))

    def signal(self, number: int) -> None:
        """Send a signal to the broker."""
        os.kill(self.pid, number)

    @contextmanager
    def admin(self) -> Iterator[Any]:
        """Lend an admin client."""
        client = KafkaAdminClient(bootstrap_servers=self.link.address)
        try:
            yield client
        finally:
            client.close()

    def configure(self, topics: list[str], **values: str) -> None:
        """Set configurations of topics."""
        names = {name.replace("_", "."): value for name, value in values.items()}
        with self.admin() as admin:
            admin.alter_configs(
                [ConfigResource(ConfigResourceType.TOPIC, topic, names) for topic in topics]
            )


@dataclass
class KafkaBench:
    """What a cause works on: the broker, and the topics that the gateway writes."""

    server: TroubledKafka
    topics: list[str]


@dataclass(frozen=True)
class KafkaCause:
    """A state; see `marquee_testing.causes.redis_states.Cause`.

    Attributes:
        name: in tables.
        about: what it is, in a few words.
        enter: brings the broker into it for the time of a context.
        is_silent: whether calls wait until they give up.
        passes: whether consumers go on by themselves afterwards.
    """

    name: str
    about: str
    enter: Callable[[KafkaBench], AbstractContextManager[None]]
    is_silent: bool = True
    passes: bool = True


@contextmanager
def _well(_: KafkaBench) -> Iterator[None]:
    yield


@contextmanager
def _paused(bench: KafkaBench) -> Iterator[None]:
    bench.server.signal(signal.SIGSTOP)
    try:
        yield
    finally:
        bench.server.signal(signal.SIGCONT)


def _by_link(begin: Callable[[Link], None]) -> Any:
    @contextmanager
    def enter(bench: KafkaBench) -> Iterator[None]:
        begin(bench.server.link)
        try:
            yield
        finally:
            bench.server.link.heal()

    return enter


def _slow(link: Link) -> None:
    link.delay_up = link.delay_down = 0.04


def _configured(begin: dict[str, str], end: dict[str, str]) -> Any:
    @contextmanager
    def enter(bench: KafkaBench) -> Iterator[None]:
        bench.server.configure(bench.topics, **begin)
        try:
            yield
        finally:
            bench.server.configure(bench.topics, **end)

    return enter


@contextmanager
def _full_disk(bench: KafkaBench) -> Iterator[None]:
    """A broker whose disk is full ends by itself; it is started again once there is room."""
    bench.server.limit_files(1)
    with bench.server.admin() as admin, contextlib.suppress(KafkaError):
        admin.create_topics({"filler": {"num_partitions": 1, "replication_factor": 1}})
    bench.server.wait_for_end()
    try:
        yield
    finally:
        bench.server.start()


@contextmanager
def _no_topics(bench: KafkaBench) -> Iterator[None]:
    with bench.server.admin() as admin:
        admin.delete_topics(bench.topics)
    yield


CAUSES: tuple[KafkaCause, ...] = (
    KafkaCause("well", "nothing is wrong", _well, is_silent=False),
    KafkaCause("slow", "each way takes 40 ms", _by_link(_slow), is_silent=False),
    KafkaCause(
        "too few replicas",
        "fewer copies are in step than `min.insync.replicas`",
        _configured({"min_insync_replicas": "2"}, {"min_insync_replicas": "1"}),
    ),
    KafkaCause(
        "too large",
        "`max.message.bytes` of the topics is below the size of an event",
        _configured({"max_message_bytes": "60"}, {"max_message_bytes": "1048588"}),
    ),
    KafkaCause("reset", "each connection is reset", _by_link(Link.refuse)),
    KafkaCause("half-open", "the network swallows every byte", _by_link(Link.cut)),
    KafkaCause("paused", "the broker stands (SIGSTOP), connections stay", _paused),
    KafkaCause("full disk", "the broker cannot write, and has ended for it", _full_disk),
    KafkaCause("no topics", "the topics were deleted", _no_topics, passes=False),
)
