"""Checks of Marquee's requirements on this machine, each problem with its remedy."""

import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from marquee.addresses import is_loopback
from marquee.bus.factory import open_bus
from marquee.counts import counted
from marquee.domain.models import MODEL_NAMES, MODEL_SPECS
from marquee.errors import MarqueeError
from marquee.registry.registry import Registry
from marquee.requirements.kafka_server import kafka_server_results
from marquee.requirements.kafka_topics import kafka_results
from marquee.requirements.redis_rights import rights_results
from marquee.requirements.redis_server import redis_results
from marquee.requirements.result import CheckResult
from marquee.requirements.state_folder import state_results
from marquee.settings import APPS, Settings
from marquee.store.rights import OPERATOR

_MEMORY_GB = 2.0


def examine(settings: Settings) -> list[CheckResult]:
    """Return the results of all checks; nothing is changed."""
    redis = redis_results(settings)
    # A server that cannot be used as a store cannot be used as the bus either.
    bus_answers = settings.bus == "kafka" or redis[0].state != "bad"
    return [
        _python(),
        *state_results(settings.state),
        _memory(),
        *redis,
        *(rights_results(settings, OPERATOR) if redis[0].state != "bad" else ()),
        *(_bus(settings) if bus_answers else ()),
        *_ports(settings),
        *_addresses(settings),
        _data(settings),
        *_models(settings),
    ]


def _python() -> CheckResult:
    return CheckResult("good", "Python", ".".join(map(str, sys.version_info[:3])))


def _memory() -> CheckResult:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        available = next(int(li.split()[1]) for li in lines if li.startswith("MemAvailable"))
    except (OSError, StopIteration):
        return CheckResult("note", "memory", "unknown on this system")
    text = f"{available / 2**20:.1f} GiB available"
    if available / 2**20 >= _MEMORY_GB:
        return CheckResult("good", "memory", text)
    return CheckResult("bad", "memory", text, f"a training needs {_MEMORY_GB:.0f} GiB or more")


def _bus(settings: Settings) -> Iterator[CheckResult]:
    brokers = kafka_server_results(settings)
    yield from brokers
    if not any(result.state == "bad" and result.subject == "Kafka" for result in brokers):
        yield from _topics(settings)


def _topics(settings: Settings) -> Iterator[CheckResult]:
    bus, subject = open_bus(settings), f"bus ({settings.bus})"
    try:
        partitions = bus.partitions("ratings")
        yield _partitions(subject, partitions, settings)
        yield from kafka_results(settings, bus)
    except MarqueeError as error:
        remedy = "start the services once: their consumers create the topics"
        if error.status == 503:
            remedy = "start the bus, or choose the other by MARQUEE_BUS"
        state: Literal["note", "bad"] = "bad" if error.status == 503 else "note"
        yield CheckResult(state, subject, str(error), remedy)
    finally:
        bus.close()


def _partitions(subject: str, partitions: int, settings: Settings) -> CheckResult:
    if partitions == settings.partitions:
        return CheckResult("good", subject, f"answers, {counted(partitions, 'partition')}")
    text = f"{counted(partitions, 'partition')}, the settings say {settings.partitions}"
    return CheckResult("bad", subject, text, f"set MARQUEE_PARTITIONS={partitions}")


def _ports(settings: Settings) -> Iterator[CheckResult]:
    for name in ("gateway", *(spec.package for spec in MODEL_SPECS.values()), "trainer"):
        port = settings.port_of(name)
        with socket.socket() as probe:
            probe.settimeout(0.5)
            answers = probe.connect_ex((settings.host, port)) == 0
        if answers:
            remedy = f"if it is not Marquee's {name}: MARQUEE_{name.upper()}_PORT="
            yield CheckResult("note", f"port {port}", "somebody listens", remedy)
        else:
            yield CheckResult("good", f"port {port}", f"free for {name}")


def _addresses(settings: Settings) -> Iterator[CheckResult]:
    """Yield a note for each app of this machine whose address has another port than the app.

    A proxy may stand between, so that this is no mistake by itself.
    """
    for app in APPS[1:]:
        addresses, port = map(urlsplit, settings.urls_of(app)), settings.port_of(app)
        ports = [address.port for address in addresses if is_loopback(address.hostname)]
        if ports and port not in ports:
            asked = ", ".join(map(str, ports))
            text = f"the gateway asks port {asked} for it, and it listens on {port}"
            remedy = f"set MARQUEE_{app.upper()}_URL to the port of MARQUEE_{app.upper()}_PORT"
            yield CheckResult("note", app.replace("_", "-"), text, remedy)


def _data(settings: Settings) -> CheckResult:
    if any(settings.history.glob("snapshot-*")):
        return CheckResult("good", "data", f"imported into {settings.history}")
    return CheckResult("note", "data", "nothing is imported", "marquee data import SRC")


def _models(settings: Settings) -> Iterator[CheckResult]:
    registry = Registry(settings.registry)
    for name in MODEL_NAMES:
        versions = registry.versions(name)
        if versions:
            yield CheckResult(
                "good", f"model {name}", f"{counted(len(versions), 'version')}, {versions[-1]}"
            )
        else:
            yield CheckResult("note", f"model {name}", "no version", f"marquee train --only {name}")
