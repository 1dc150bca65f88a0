"""`make bench-access`: what keys, limits, users of Redis and the services' secret cost.

Two gateways with model services of their own run on the same servers: one open, one with everything
on. They are measured in alternating pairs, so that what the machine does besides meets both.
"""

import argparse
import itertools
import json
import os
import random
import secrets
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import httpx
import redis
import uvloop
from rich.console import Console
from rich.table import Table

from load import load, rendered
from marquee_testing.servers.replicas import Replicas, replicas
from marquee_testing.waiting import until
from replicated import System, kinds_of, prepared, replicated
from users import popular_movies

USERS = range(1, 611)
"""Those of the bundled data."""
WRITES = 0.1
CONNECTIONS = (1, 32)
REDIS_USER = "bench"
RATE = "1000000/s"
"""Above what any gateway answers: the limit is counted, and refuses nothing."""


@dataclass
class Side:
    """One of the two systems: its address, the headers of a caller, and what was measured."""

    name: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    p50_ms: list[float] = field(default_factory=list)
    per_second: list[float] = field(default_factory=list)
    errors: int = 0


def main() -> int:
    """Run what the command line asks for."""
    asked = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # what was started ends too
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 150)
    with prepared(asked.state) as state, ExitStack() as stack:
        kinds = dict.fromkeys(kinds_of(state, trainer=False), 1)
        system = stack.enter_context(replicated(state, "redis", kinds, {}))
        apps = {kind: 1 for kind in kinds if kind.endswith(" app")}
        logs = system.settings.state / "log-on"
        closed = stack.enter_context(replicas(logs, _with_access(system), apps))
        key = _key_of(system)
        sides = (
            Side("off", _url_of(system.replicas)),
            Side("on", _url_of(closed), {"Authorization": f"Bearer {key}"}),
        )
        _measure(sides, asked.pairs, asked.seconds, console)
        console.print(_table(sides))
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench-access", description=__doc__)
    parser.add_argument("--state", type=Path, help="folder for the models; kept, and used again")
    parser.add_argument("--pairs", type=int, default=9, help="at each number of connections")
    parser.add_argument("--seconds", type=float, default=4.0, help="of one measurement")
    return parser.parse_args()


def _with_access(system: System) -> dict[str, str]:
    """Return the settings of the closed system; make its user at Redis."""
    url, password = system.settings.redis_url.get_secret_value(), secrets.token_hex(16)
    with redis.Redis.from_url(url) as client:
        client.acl_setuser(
            REDIS_USER,
            enabled=True,
            passwords=[f"+{password}"],
            keys=[f"{system.settings.namespace}:*"],
            categories=["+@all", "-@admin"],
            reset=True,
        )
        # What a process checks of the server before it starts.
        client.execute_command("ACL", "SETUSER", REDIS_USER, "+config|get", "+info")
    return {
        **system.environ,
        "MARQUEE_AUTH": "keys",
        "MARQUEE_SERVICE_SECRET": secrets.token_hex(32),
        "MARQUEE_REDIS_URL": url.replace("redis://", f"redis://{REDIS_USER}:{password}@"),
    }


def _key_of(system: System) -> str:
    """Create a key with a rate, and return it."""
    command = [str(Path(sys.executable).with_name("marquee")), "keys", "create", "--name", "bench"]
    command += ["--scope", "read,write", "--rate", RATE]
    done = subprocess.run(
        command, env=os.environ | system.environ, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def _url_of(system: Replicas) -> str:
    [gateway] = system.of("gateway app")
    return f"http://127.0.0.1:{gateway.port}"


def _measure(sides: Sequence[Side], pairs: int, seconds: float, console: Console) -> None:
    sets = [_requests(side) for side in sides]
    for side, requests in zip(sides, sets, strict=True):
        uvloop.run(load(side.url, itertools.cycle(requests), 8, seconds))
    for pair in range(pairs):
        for connections in CONNECTIONS:
            order = list(zip(sides, sets, strict=True))
            for side, requests in order if pair % 2 else reversed(order):
                source = itertools.cycle(requests)
                measured = uvloop.run(load(side.url, source, connections, seconds))
                side.errors += measured.errors
                if connections == 1:
                    side.p50_ms.append(measured.quantile_ms(0.5))
                else:
                    side.per_second.append(measured.per_second)
        figures = {side.name: (side.p50_ms[-1], side.per_second[-1]) for side in sides}
        console.print(f"[dim]pair {pair + 1}: {json.dumps(figures)}[/dim]")


def _requests(side: Side) -> list[bytes]:
    """Return reads of known users, and ratings among them, in an order that repeats."""
    with httpx.Client(
        base_url=side.url, headers=dict(side.headers), timeout=30.0, trust_env=False
    ) as client:
        until(lambda: client.get("/v1/genres").status_code == 200)  # a new key is known soon
        movies = popular_movies(client, 200)
    draw = random.Random(5)
    return [_request(side, draw, movies) for _ in range(2000)]


def _request(side: Side, draw: random.Random, movies: Sequence[int]) -> bytes:
    if draw.random() >= WRITES:
        path = f"/v1/users/{draw.choice(USERS)}/recommendations"
        return rendered(side.url, "GET", path, None, side.headers)
    path = f"/v1/users/{(1 << 44) + draw.randrange(500)}/ratings/{draw.choice(movies)}"
    return rendered(side.url, "PUT", path, {"rating": 4.0}, side.headers)


def _table(sides: Sequence[Side]) -> Table:
    off, on = sides
    table = Table(title="Keys, limits, users of Redis, services' secret", title_justify="left")
    for title in ("what", "off", "on", "on : off, median of pairs", "target"):
        table.add_column(title)
    rows = (
        ("p50, 1 connection", off.p50_ms, on.p50_ms, "ms", "at most 1.05"),
        ("requests a second, 32 connections", off.per_second, on.per_second, "/s", "at least .95"),
    )
    for what, before, after, unit, target in rows:
        ratio = median(b / a for a, b in zip(before, after, strict=True))
        figures = (f"{median(values):,.2f} {unit}" for values in (before, after))
        table.add_row(what, *figures, f"{ratio:.3f}", target)
    table.add_row("errors", str(off.errors), str(on.errors), "", "0")
    return table


if __name__ == "__main__":
    sys.exit(main())
