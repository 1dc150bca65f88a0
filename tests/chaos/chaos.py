"""`make chaos`: the real system under load and faults, then a check against what was sent.

The whole system runs on each bus in turn, behind a proxy that can cut it apart. A schedule drawn
from the seed kills, stops and cuts; writers and readers go on meanwhile. In the end another program
recomputes every fact from what was sent and accepted. Exit status 1: something was lost, applied
twice, failed or shown that must not be.
"""

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from chaos_state import prepared
from chaos_table import Begun, counted, table
from holdings import Holdings
from marquee_local.servers import free_port, kafka_lacks
from marquee_testing.servers.fault_proxy import FaultProxy, Link, fault_proxy
from schedule import PROCESSES, schedule
from troubles import Hands

HERE = Path(__file__).resolve().parent
MOVIES = 60
"""Movies of the catalogue that the load is about."""
WRITERS = 40
READY_S, ENDING_S = 240.0, 120.0


def main() -> int:
    """Run what the command line asks for."""
    asked = _arguments()
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 170)
    buses: tuple[str, ...] = ("redis", "kafka") if asked.bus == "both" else (asked.bus,)
    if "kafka" in buses and (lacks := kafka_lacks()):
        console.print(f"chaos: Kafka is left out: {lacks}")
        buses = tuple(bus for bus in buses if bus != "kafka")
    seed = asked.seed if asked.seed is not None else random.SystemRandom().randrange(10**6)
    console.print(f"chaos: seed {seed}")
    clean = bool(buses)
    with folder_of(asked.state) as folder:
        models = prepared(folder / "models", neural=not asked.short)
        for bus in buses:
            run = Run(folder / bus, bus, seed, asked.minutes * 60 / len(buses), asked)
            clean = run.whole(models, console) and clean
    again = f'make chaos ARGS="--seed {seed} --minutes {asked.minutes:g} --bus {asked.bus}"'
    console.print(f"chaos: {'clean' if clean else 'VIOLATIONS'}; the same schedule again: {again}")
    return 0 if clean else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--bus", choices=("redis", "kafka", "both"), default="both")
    parser.add_argument("--minutes", type=float, default=11.0, help="of trouble, on all buses")
    parser.add_argument("--seed", type=int, help="of schedule and load; without one, a new one")
    parser.add_argument("--rate", type=float, default=100.0, help="events a second")
    parser.add_argument("--short", action="store_true", help="without torch and 30 s standstills")
    parser.add_argument("--state", type=Path, help="folder to work in; kept, its models used again")
    return parser.parse_args()


@contextlib.contextmanager
def folder_of(kept: Path | None) -> Iterator[Path]:
    if kept is not None:
        kept.mkdir(parents=True, exist_ok=True)
        yield kept.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="marquee-chaos-") as folder:
        yield Path(folder)


@dataclass
class Run:
    """One run on one bus, in a folder of its own."""

    folder: Path
    bus: str
    seed: int
    seconds: float
    asked: argparse.Namespace
    begun: list[Begun] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.port, self.redis, self.kafka = free_port(), free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.journal, self.verdict = self.folder / "journal.jsonl", self.folder / "verdict.json"

    def whole(self, models: Path, console: Console) -> bool:
        """Start, trouble, check and tell; return whether nothing was found."""
        with self.system(models) as hands:
            self._checker("before")
            with self.traffic():
                self._rounds(hands, console)
            status = self._checker("after")
            verified = self._verify(console)
        console.print(table(self.bus, self.begun, self.journal, self.verdict))
        console.print(f"{self.bus}: {json.dumps(counted(self.verdict))}")
        return status == 0 and verified

    @contextlib.contextmanager
    def system(self, models: Path) -> Iterator[Hands]:
        """Run the whole system from a fresh copy of what was prepared."""
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.copytree(models, self.folder)
        with fault_proxy() as proxy, self._stack(self._links(proxy)) as hands:
            yield hands

    def _links(self, proxy: FaultProxy) -> dict[str, Link]:
        links = {name: proxy.link(f"127.0.0.1:{self.redis}") for name in PROCESSES}
        return links | {
            "load": proxy.link(f"127.0.0.1:{self.redis}"),
            "bus": proxy.link(f"127.0.0.1:{self.kafka}"),
        }

    @contextlib.contextmanager
    def _stack(self, links: dict[str, Link]) -> Iterator[Hands]:
        """Run the whole system; yield what reaches its processes once it is ready."""
        self._ports = {name: link.port for name, link in links.items()}
        settings = {
            "port": self.port, "redis": self.redis, "kafka": self.kafka, "bus": self.bus,
            "state": str(self.folder), "data": "chaos", "links": self._ports,
        }  # fmt: skip
        output = self.folder / "stack.txt"
        with _program(output, "stack.py", json.dumps(settings)) as process:
            deadline = time.monotonic() + READY_S
            while "is ready" not in (said := output.read_text(errors="replace")):
                if process.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit(f"the system does not start: {said[-2000:]}")
                time.sleep(0.1)
            yield Hands(process.pid, links)

    @contextlib.contextmanager
    def traffic(self) -> Iterator[None]:
        """Let writers and readers go on for the time of the block, and end what is under way."""
        url = f"redis://127.0.0.1:{self._ports['load']}/0"
        servers = f"127.0.0.1:{self._ports['bus']}"
        asked = {
            "url": self.url, "journal": str(self.journal), "rate": self.asked.rate,
            "seed": self.seed, "writers": WRITERS, "films": self._movies(),
            "settings": {"bus": self.bus, "redis_url": url, "kafka_servers": servers},
        }  # fmt: skip
        with _program(self.folder / "traffic.txt", "traffic.py", json.dumps(asked)) as process:
            yield
            process.send_signal(signal.SIGTERM)
            if process.wait(ENDING_S):
                raise SystemExit(f"the load failed, see {self.folder / 'traffic.txt'}")

    def _rounds(self, hands: Hands, console: Console) -> None:
        plan = schedule(self.seed, self.bus, self.seconds, long=not self.asked.short)
        started = time.monotonic()
        for one in plan:
            time.sleep(max(0.0, started + one.at - time.monotonic()))
            self.begun.append(Begun(one, time.monotonic()))
            whom = f"{len(one.targets)} links" if len(one.targets) > 4 else ", ".join(one.targets)
            at = f"{time.monotonic() - started:6.1f} s"
            console.print(f"[dim]{at}  {one.number:3}  {one.trouble}: {whom}[/dim]")
            with hands.trouble(one):
                time.sleep(one.seconds)
        time.sleep(max(0.0, started + self.seconds - time.monotonic()))

    def _movies(self) -> list[int]:
        """Return movies of the catalogue, chosen by the seed."""
        movies = sorted(Holdings(f"redis://127.0.0.1:{self.redis}/0").movies("gateway"))
        return random.Random(self.seed).sample(movies, MOVIES)

    def _checker(self, when: str) -> int:
        asked: dict[str, Any] = {
            "bus": self.bus, "redis_url": f"redis://127.0.0.1:{self.redis}/0",
            "kafka": f"127.0.0.1:{self._ports['bus']}", "url": self.url, "films": self._movies(),
            "before": str(self.folder / "before.json"), "journal": str(self.journal),
            "verdict": str(self.verdict),
        }  # fmt: skip
        command = [sys.executable, str(HERE / "checker.py"), when, json.dumps(asked)]
        return subprocess.run(command, check=when == "before").returncode

    def _verify(self, console: Console) -> bool:
        """Compare the digests of live, replayed and restored state."""
        command = [str(Path(sys.executable).with_name("marquee")), "verify"]
        environ = os.environ | {"MARQUEE_STATE": str(self.folder)}
        done = subprocess.run(command, env=environ, capture_output=True, text=True)
        said = (done.stdout + done.stderr).strip().splitlines()
        console.print("marquee verify: " + "\n".join(said if done.returncode else said[-1:]))
        return done.returncode == 0 or "No such command" in done.stderr


@contextlib.contextmanager
def _program(output: Path, name: str, argument: str) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a program of this folder with its output in a file; it is ended with the block."""
    with output.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, str(HERE / name), argument],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
        )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(ENDING_S)


if __name__ == "__main__":
    sys.exit(main())
