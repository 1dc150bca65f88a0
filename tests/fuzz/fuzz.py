"""`make fuzz`: generated requests and events at a real system, then a look at what became of it.

A whole system is started on each bus: a gateway that asks for keys, all model services with small
models, their consumers and the trainer. Schemathesis sends requests by the OpenAPI document, a
fuzzer sends events over HTTP and on the bus. In the end no answer was a server error, each refusal
was a problem document, both borders decided alike, consumers are at the end of the log, and the
facts are those of the log. Exit status 1: something of it does not hold.
"""

import argparse
import contextlib
import json
import random
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from api_fuzz import OFF, PROGRAM, ApiFuzz, ApiResult, table_of
from event_calls import EventCalls
from event_fuzz import TOPICS, EventFuzz, EventResult, disagreements
from fuzz_system import System, started
from marquee_local.servers import kafka_lacks
from marquee_testing.servers.raw_producers import RawKafkaProducer, RawProducer, RawRedisProducer
from system_checks import SystemResult, check

REQUESTS = EVENTS = 20_000
SHOWN = 40
"""Findings of a kind that are printed; all are in the file."""


def main() -> int:
    """Run what the command line asks for."""
    # Ended by a signal, it takes the system along.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    asked = _arguments()
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 200)
    buses: tuple[str, ...] = ("redis", "kafka") if asked.bus == "both" else (asked.bus,)
    if "kafka" in buses and (lacks := kafka_lacks()):
        console.print(f"fuzz: Kafka is left out: {lacks}")
        buses = tuple(bus for bus in buses if bus != "kafka")
    seed = asked.seed if asked.seed is not None else random.SystemRandom().randrange(10**6)
    console.print(f"fuzz: seed {seed}")
    clean = bool(buses)
    with _folder(asked.state) as folder:
        for place, bus in enumerate(buses):
            # The API is the same on both; its requests are sent once.
            requests = asked.requests if place == 0 else 0
            run = Run(folder / bus, bus, seed, console, asked.short)
            clean = run.whole(requests, asked.events // len(buses)) and clean
    again = f'make fuzz ARGS="--seed {seed} --requests {asked.requests} --events {asked.events}'
    console.print(f'fuzz: {"clean" if clean else "FINDINGS"}; again: {again} --bus {asked.bus}"')
    return 0 if clean else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("--bus", choices=("redis", "kafka", "both"), default="both")
    parser.add_argument("--requests", type=int, default=REQUESTS, help="to the API, at least")
    parser.add_argument("--events", type=int, default=EVENTS, help="over all buses")
    parser.add_argument("--seed", type=int, help="of all draws; without one, a new one")
    parser.add_argument("--short", action="store_true", help="one model service, two credentials")
    parser.add_argument("--state", type=Path, help="folder to work in; it is kept")
    return parser.parse_args()


@contextlib.contextmanager
def _folder(kept: Path | None) -> Iterator[Path]:
    if kept is not None:
        kept.mkdir(parents=True, exist_ok=True)
        yield kept.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="marquee-fuzz-") as folder:
        yield Path(folder)


class Run:
    """One run on one bus, in a folder of its own."""

    def __init__(self, folder: Path, bus: str, seed: int, console: Console, short: bool) -> None:
        self._folder, self._bus, self._seed, self._console = folder, bus, seed, console
        self._is_short = short
        self._findings: dict[str, Sequence[str]] = {}

    def whole(self, requests: int, events: int) -> bool:
        """Start, fuzz, check and tell; return whether nothing was found."""
        api, sent = ApiResult(), EventResult()
        with started(self._folder, self._bus, self._is_short) as system:
            if requests:
                if not PROGRAM.exists():
                    raise SystemExit("Schemathesis is missing: make .venv-fuzz/READY")
                api = ApiFuzz(system, self._seed, requests).run()
                self._tell_requests(api)
            if events:
                sent = self._events(system, events)
                self._tell_events(sent)
            checked = check(system)
        self._tell_system(checked)
        self._finding("both borders decide alike", disagreements(sent, checked.dead))
        report = {
            "seed": self._seed,
            "bus": self._bus,
            "findings": self._findings,
            "dead_letters": checked.dead,
        }
        (self._folder / "findings.json").write_text(json.dumps(report, indent=1))
        return not any(self._findings.values())

    def _events(self, system: System, events: int) -> EventResult:
        bus = _raw_producer(system)
        key = system.new_key("fuzz-events", "read,write,curate")
        system.wait_for_key(key)
        calls = EventCalls(system.url, key, random.Random(self._seed))
        try:
            return EventFuzz(system, bus, calls, self._seed).run(events)
        finally:
            calls.close()
            bus.close()
            bus.bus.close()

    def _tell_requests(self, api: ApiResult) -> None:
        self._console.print(table_of(api))
        for credential, counts in api.by_credential.items():
            statuses = ", ".join(f"{status}: {n}" for status, n in sorted(counts.items()))
            self._console.print(f"  {credential}: {counts.total():,} ({statuses})")
        for name, why in OFF.items():
            self._console.print(f"  check {name} is off: {why}")
        failures = [f"{n} × {what}: {api.examples[what]}" for what, n in api.failures.most_common()]
        errors = [f"{api.server_errors} requests"] if api.server_errors else []
        self._finding("no request is answered with a server error", errors)
        self._finding("the checks of Schemathesis hold", failures)
        self._finding("Schemathesis ran to its end", api.faults)

    def _tell_events(self, sent: EventResult) -> None:
        table = Table(title=f"{sent.messages:,} events on {self._bus} and over HTTP")
        for column in ("change", "taken", "refused", "no answer"):
            table.add_column(column, justify="left" if column == "change" else "right")
        for change, counts in sorted(sent.verdicts.items()):
            table.add_row(change, *(str(counts[w]) for w in ("taken", "refused", "no answer")))
        self._console.print(table)
        statuses = ", ".join(f"{status}: {n}" for status, n in sorted(sent.statuses.items()))
        self._console.print(f"  answers: {statuses}")
        self._finding("each answer to an event is a right one", sent.faults)

    def _tell_system(self, checked: SystemResult) -> None:
        table = Table(title=f"{len(checked.dead):,} dead letters on {self._bus}")
        table.add_column("n", justify="right")
        table.add_column("reason")
        for reason, n in checked.reasons.most_common():
            table.add_row(str(n), escape(reason))
        self._console.print(table)
        self._console.print(f"  consumers were at the end after {checked.seconds:.1f} s")
        self._finding("each consumer is at the end of the log", checked.stuck)
        self._finding("live, replayed and restored facts are equal", checked.unequal)
        self._finding("no process ended by itself", checked.ended)

    def _finding(self, what: str, against: Sequence[str]) -> None:
        self._findings[what] = list(against)
        self._console.print(f"{self._bus}: {what}: {'NO' if against else 'yes'}")
        for line in against[:SHOWN]:
            self._console.print(f"    {escape(line[:1500])}")
        if len(against) > SHOWN:
            self._console.print(f"    and {len(against) - SHOWN} more, see findings.json")


def _raw_producer(system: System) -> RawProducer:
    settings = system.settings
    if settings.bus == "kafka":
        producer = RawKafkaProducer(settings.kafka_servers, settings.namespace)
        for topic in TOPICS:
            producer.allow_large(topic)
        return producer
    return RawRedisProducer(settings.redis_url.get_secret_value(), settings.namespace)


if __name__ == "__main__":
    sys.exit(main())
