"""Open-loop load generator: requests arrive at a rate, whether or not earlier ones are answered.

`python -m marquee_testing.load.open_loop JSON` (the fields of `Plan`) prints a `Result` as JSON at
its end, after `seconds` or at SIGTERM. Latencies count from the moment when a request was due, so
that a stalled server, or a generator that is late, does not hide them. Nothing is sent twice.
"""

import asyncio
import gc
import json
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import uvloop

from marquee_testing.load.requests import Request, requests

PATIENCE_S = 15.0
"""Requests that take longer count as lost."""
MAX_CONNECTIONS = 4000
GOOD, DEGRADED, REFUSED, FAILED = "good", "degraded", "refused", "failed"
_DEGRADED = b'"degraded":true'


@dataclass(frozen=True)
class Plan:
    """The load.

    Attributes:
        url: of the gateway or its proxy.
        per_second: rate of arrival (Poisson).
        seconds: how long, at most.
        users: whose lists are read.
        movies: that are rated.
        writes: share of the requests that are ratings, 0 to 1.
        headers: of every request.
        journal: file for the accepted writes, one JSON object a line; None: none.
        first_writer: id of the first user who rates.
    """

    url: str
    per_second: float
    seconds: float
    users: list[int]
    movies: list[int]
    writes: float = 0.0
    headers: dict[str, str] = field(default_factory=dict)
    journal: str | None = None
    first_writer: int = 1 << 45
    seed: int = 1


@dataclass
class Result:
    """What came of it. Latencies in ms by outcome (`good`, `degraded`, `refused`, `failed`)."""

    seconds: float = 0.0
    sent: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)
    p50_ms: dict[str, float] = field(default_factory=dict)
    p99_ms: dict[str, float] = field(default_factory=dict)
    failures: dict[str, int] = field(default_factory=dict)
    """Reasons of failures and refusals, with their numbers."""
    connections: int = 0
    own_cpu: float = 0.0
    """Share of a core that the generator took."""
    late_p99_ms: float = 0.0
    """How much later than due requests were sent: high, if the generator is the bottleneck."""

    def per_second(self, *outcomes: str) -> float:
        """Return the answers a second of some outcomes."""
        return sum(self.outcomes.get(one, 0) for one in outcomes) / max(self.seconds, 1e-9)


class Generator:
    """Sends the requests of a plan."""

    def __init__(self, plan: Plan) -> None:
        self.plan, self.result = plan, Result()
        self.stop = asyncio.Event()
        self._latencies: dict[str, list[float]] = {}
        self._late: list[float] = []
        self._idle: list[_Connection] = []
        self._under_way = 0
        self._accepted: list[str] = []

    async def run(self) -> Result:
        """Send until the end of the plan or `stop`; wait for what is under way."""
        parts = urlsplit(self.plan.url)
        self._address = (parts.hostname or "", parts.port or 80)
        plan = self.plan
        began, cpu = time.perf_counter(), time.process_time()
        source = requests(
            parts.netloc, plan.users, plan.movies, plan.writes, plan.headers,
            plan.first_writer, plan.seed,
        )  # fmt: skip
        await self._send_all(source, began + plan.seconds)
        self.result.seconds = time.perf_counter() - began
        self.result.own_cpu = (time.process_time() - cpu) / self.result.seconds
        deadline = time.perf_counter() + PATIENCE_S
        while self._under_way and time.perf_counter() < deadline:
            await asyncio.sleep(0.01)
        if self._under_way:
            self._count(FAILED, PATIENCE_S, "no answer", self._under_way)
        return self._summed_up()

    async def _send_all(self, source: Iterator[Request], until: float) -> None:
        draw, due = random.Random(self.plan.seed), time.perf_counter()
        while due < until and not self.stop.is_set():
            now = time.perf_counter()
            if due > now:
                await asyncio.sleep(due - now)
            while due <= (now := time.perf_counter()) and due < until:
                self._late.append(now - due)
                self._send(next(source), due)
                due += draw.expovariate(self.plan.per_second)
            await asyncio.sleep(0)

    def _send(self, request: Request, due: float) -> None:
        self.result.sent += 1
        self._under_way += 1
        while self._idle:
            connection = self._idle.pop()
            if connection.is_usable:
                connection.send(request, due)
                return
        if self.result.connections >= MAX_CONNECTIONS:
            self._answered(request, due, None, "no connection is left to the generator")
            return
        asyncio.get_running_loop().create_task(self._send_on_new(request, due))

    async def _send_on_new(self, request: Request, due: float) -> None:
        self.result.connections += 1
        try:
            _, connection = await asyncio.get_running_loop().create_connection(
                lambda: _Connection(self._answered, self._freed), *self._address
            )
        except OSError as error:
            self._answered(request, due, None, f"no connection: {error.__class__.__name__}")
            return
        connection.send(request, due)

    def _freed(self, connection: "_Connection") -> None:
        self._idle.append(connection)

    def _answered(self, request: Request, due: float, answer: bytes | None, why: str = "") -> None:
        self._under_way -= 1
        latency = time.perf_counter() - due
        if answer is None:
            self._count(FAILED, latency, why)
            return
        status, body = answer[9:12].decode(), answer.partition(b"\r\n\r\n")[2]
        if status[0] == "2":
            self._count(DEGRADED if _DEGRADED in body else GOOD, latency)
            if request.write is not None and self.plan.journal is not None:
                self._accepted.append(json.dumps(request.write | json.loads(body)) + "\n")
            return
        outcome = REFUSED if status in ("429", "503") and b"problem+json" in answer else FAILED
        self._count(outcome, latency, f"{status} {_code_of(body)}")

    def _count(self, outcome: str, latency: float, why: str = "", n: int = 1) -> None:
        outcomes, failures = self.result.outcomes, self.result.failures
        outcomes[outcome] = outcomes.get(outcome, 0) + n
        self._latencies.setdefault(outcome, []).extend([latency] * n)
        if why:
            failures[why] = failures.get(why, 0) + n

    def _summed_up(self) -> Result:
        for outcome, values in self._latencies.items():
            self.result.p50_ms[outcome] = 1000 * _quantile(values, 0.5)
            self.result.p99_ms[outcome] = 1000 * _quantile(values, 0.99)
        self.result.late_p99_ms = 1000 * _quantile(self._late, 0.99)
        if self.plan.journal is not None:
            Path(self.plan.journal).write_text("".join(self._accepted))
        return self.result


class _Connection(asyncio.Protocol):
    """One connection, with one request under way at a time."""

    def __init__(
        self,
        answered: Callable[..., None],
        freed: Callable[["_Connection"], None],
    ) -> None:
        self._answered, self._freed = answered, freed
        self._transport: asyncio.WriteTransport | None = None
        self._buffer, self._end = b"", 0
        self._request: tuple[Request, float] | None = None

    @property
    def is_usable(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)

    def send(self, request: Request, due: float) -> None:
        assert self._transport is not None
        self._request = request, due
        self._transport.write(request.content)

    def data_received(self, data: bytes) -> None:
        self._buffer = self._buffer + data if self._buffer else data
        if not self._end:
            self._end = _end_of(self._buffer)
        if self._end and len(self._buffer) >= self._end and self._request is not None:
            (request, due), answer = self._request, self._buffer
            self._request, self._buffer, self._end = None, b"", 0
            self._answered(request, due, answer)
            if b"\r\nconnection: close" in answer.partition(b"\r\n\r\n")[0].lower():
                assert self._transport is not None
                self._transport.close()
            else:
                self._freed(self)

    def connection_lost(self, error: Exception | None) -> None:
        if self._request is not None:
            request, due = self._request
            self._request = None
            self._answered(request, due, None, f"connection lost: {error or 'closed'}")


def _end_of(buffer: bytes) -> int:
    """Return where an answer ends by its Content-Length; 0 while its head is not complete."""
    head_end = buffer.find(b"\r\n\r\n")
    if head_end < 0:
        return 0
    at = (head := buffer[:head_end].lower()).find(b"content-length:")
    return head_end + 4 + (int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0)


def _code_of(body: bytes) -> str:
    try:
        return str(json.loads(body)["code"])
    except (ValueError, KeyError, TypeError):
        return body[:80].decode(errors="replace")


def _quantile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


async def main(plan: dict[str, Any]) -> None:
    """Run a plan and print its result."""
    gc.disable()
    generator = Generator(Plan(**plan))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, generator.stop.set)
    result = await generator.run()
    sys.stdout.write(json.dumps(asdict(result)) + "\n")


if __name__ == "__main__":
    uvloop.run(main(json.loads(sys.argv[1])))
