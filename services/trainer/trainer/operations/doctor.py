"""Checks of Marquee's requirements on this machine, each problem with its remedy."""

import os
import shutil
import socket
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from marquee.bus.factory import open_bus
from marquee.domain.models import MODEL_NAMES, MODEL_SPECS
from marquee.errors import MarqueeError
from marquee.registry.registry import Registry
from marquee.settings import Settings
from marquee.store.keys import Keys
from marquee.store.redis import RedisStore

_DISK_GB, _MEMORY_GB = 2.0, 2.0


@dataclass(frozen=True)
class CheckResult:
    """The result of one check, and the remedy if it is not good."""

    state: Literal["good", "note", "bad"]
    subject: str
    text: str
    remedy: str = ""

    def as_json(self) -> dict[str, str]:
        """Return the result as a JSON object."""
        return asdict(self)


def examine(settings: Settings) -> list[CheckResult]:
    """Return the results of all checks; nothing is changed."""
    return [
        _python(),
        _state(settings.state),
        _disk(settings.state),
        _memory(),
        _redis(settings),
        _bus(settings),
        *_ports(settings),
        _data(settings),
        *_models(settings),
    ]


def _python() -> CheckResult:
    return CheckResult("good", "Python", ".".join(map(str, sys.version_info[:3])))


def _state(state: Path) -> CheckResult:
    there = next(path for path in (state.absolute(), *state.absolute().parents) if path.exists())
    if there.is_dir() and os.access(there, os.W_OK):
        return CheckResult("good", "state folder", str(state))
    return CheckResult("bad", "state folder", f"{there} cannot be written", "set STATE= or --state")


def _disk(state: Path) -> CheckResult:
    there = next(path for path in (state.absolute(), *state.absolute().parents) if path.exists())
    free = shutil.disk_usage(there).free / 2**30
    text = f"{free:.1f} GiB free"
    if free >= _DISK_GB:
        return CheckResult("good", "disk", text)
    return CheckResult("bad", "disk", text, f"free {_DISK_GB:.0f} GiB, or set STATE= elsewhere")


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


def _redis(settings: Settings) -> CheckResult:
    store = RedisStore(settings.redis_url.get_secret_value(), timeout=1.0)
    try:
        store.get(Keys(settings.namespace, "gateway", settings.partitions).model)
    except MarqueeError as error:
        return CheckResult("bad", "Redis", str(error), "start it (make demo does), or set its URL")
    finally:
        store.close()
    return CheckResult("good", "Redis", "answers")


def _bus(settings: Settings) -> CheckResult:
    bus = open_bus(settings)
    try:
        partitions = bus.partitions("ratings")
    except MarqueeError as error:
        remedy = "start the services once: their consumers create the topics"
        if error.status == 503:
            remedy = "start the bus, or choose the other by MARQUEE_BUS"
        state: Literal["note", "bad"] = "bad" if error.status == 503 else "note"
        return CheckResult(state, f"bus ({settings.bus})", str(error), remedy)
    finally:
        bus.close()
    if partitions == settings.partitions:
        return CheckResult("good", f"bus ({settings.bus})", f"answers, {partitions} partitions")
    text = f"{partitions} partitions, the settings say {settings.partitions}"
    return CheckResult("bad", f"bus ({settings.bus})", text, f"set MARQUEE_PARTITIONS={partitions}")


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


def _data(settings: Settings) -> CheckResult:
    if any(settings.history.glob("snapshot-*")):
        return CheckResult("good", "data", f"imported into {settings.history}")
    return CheckResult("note", "data", "nothing is imported", "marquee data import SRC")


def _models(settings: Settings) -> Iterator[CheckResult]:
    registry = Registry(settings.registry)
    for name in MODEL_NAMES:
        versions = registry.versions(name)
        if versions:
            yield CheckResult("good", f"model {name}", f"{len(versions)} versions, {versions[-1]}")
        else:
            yield CheckResult("note", f"model {name}", "no version", f"marquee train --only {name}")
