"""Start times of single processes, and the memory that each holds."""

import contextlib
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import redis

from marquee_local.servers import free_port
from system import ROOT, System, is_ready

START_LIMIT_S = 60.0
MIB = 1 << 20


@dataclass(frozen=True)
class Memory:
    """Memory of a process in MiB: resident, and its share where pages are shared."""

    process: str
    rss_mib: float
    pss_mib: float


@dataclass(frozen=True)
class StoreMemory:
    """Memory of the store in MiB, with its numbers of keys and users."""

    used_mib: float
    peak_mib: float
    log_mib: float
    """Of it, the event log (streams), which Kafka would hold otherwise."""
    keys: int
    users: int


@dataclass(frozen=True)
class Start:
    """Seconds from a process's start until it says that it is ready; nan: not in a minute."""

    process: str
    seconds: float


def memory(system: System) -> list[Memory]:
    """Return the memory of every process of a demo, the demo's own among them."""
    rows = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, ValueError):
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            if system.pid in (parent, int(folder.name)):
                words = (folder / "cmdline").read_bytes().decode().split("\0")
                rows.append(Memory(_name(words), *_sizes(folder)))
    return sorted(rows, key=lambda row: row.process)


def _name(words: list[str]) -> str:
    words = [word for word in words if word]
    if "valkey" in words[0]:
        return "valkey"
    if any(word.endswith("broker.py") for word in words) or "java" in words[0]:
        return "kafka"
    if "marquee_local.demo" in words:
        return "supervisor"
    return " ".join(Path(word).name for word in words[-2:])


def _sizes(folder: Path) -> tuple[float, float]:
    sizes = {}
    for line in (folder / "smaps_rollup").read_text().splitlines()[1:]:
        name, _, rest = line.partition(":")
        sizes[name] = int(rest.split()[0]) / 1024
    return sizes["Rss"], sizes["Pss"]


def store_memory(system: System) -> StoreMemory:
    """Return the memory that the demo's store uses."""
    with redis.Redis.from_url(system.settings()["MARQUEE_REDIS_URL"]) as client:
        info = client.info("memory")
        assert isinstance(info, dict)
        logs = [client.memory_usage(key) or 0 for key in client.scan_iter("*log:*", count=1000)]
        users = sum(1 for _ in client.scan_iter("marquee:gateway:*:user:*", count=10_000))
        return StoreMemory(
            info["used_memory"] / MIB,
            info["used_memory_peak"] / MIB,
            sum(map(int, logs)) / MIB,
            int(client.dbsize()),
            users,
        )


def starts(system: System, runs: int) -> list[Start]:
    """Start a second one of each app and consumer in turn; return the medians of their times."""
    rows = []
    for line in (ROOT / "Procfile").read_text().splitlines():
        _, _, command = line.partition(":")
        if not command.split()[0].startswith("trainer"):  # a second one would train
            times = [_start(command.split(), system) for _ in range(runs)]
            rows.append(Start(command.strip(), median(times)))
    return rows


def _start(command: list[str], system: System) -> float:
    """Start a process beside those that run, wait until it is ready, and end it."""
    program, role = command
    name = "CONSUMER" if role == "consumer" else program.replace("-", "_").upper()
    port = free_port()
    environ = os.environ | system.settings() | {f"MARQUEE_{name}_PORT": str(port)}
    began = time.perf_counter()
    process = subprocess.Popen(
        [str(Path(sys.executable).with_name(program)), role],
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while not is_ready(port):
            if time.perf_counter() - began > START_LIMIT_S or process.poll() is not None:
                return float("nan")
            time.sleep(0.01)
        return time.perf_counter() - began
    finally:
        process.terminate()
        process.wait(30)
