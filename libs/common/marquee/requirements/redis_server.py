"""What the store and the bus need of the Redis server."""

import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

from marquee.bus.redis.faults import CLUSTER
from marquee.requirements.result import AtStart, CheckResult
from marquee.settings import Settings
from marquee.store.redis_server import RedisFault, RedisServer, look_at_redis
from marquee.store.redis_tls import DEFAULT_PORT

LEAST_VERSION = {"redis": (7, 0), "kafka": (6, 2)}
"""Oldest version for each bus: `XADD 0-*` came with 7.0, ZMSCORE with 6.2."""
_VERSION = re.compile(r"(\d+)\.(\d+)")
FULL = 0.9
"""Share of `maxmemory` from which memory counts as nearly used."""
CLOCK_S = 5.0
"""Greatest difference of clocks that is not worth a word, in seconds."""


def redis_results(settings: Settings, timeout_s: float = 1.0) -> list[CheckResult]:
    """Look at the server and return the result of each requirement; nothing is changed.

    Args:
        settings: The settings, of which the address and the bus count.
        timeout_s: Limit of each call, in seconds.
    """
    server = look_at_redis(settings.redis_address, timeout_s)
    if isinstance(server, RedisFault):
        start: AtStart = "" if server.passes else "refuse"  # processes wait for a server
        return [CheckResult("bad", "Redis", server.text, server.remedy, start)]
    parts = urlsplit(settings.redis_url.get_secret_value())
    place = f"{parts.hostname or 'localhost'}:{parts.port or DEFAULT_PORT}"
    return [CheckResult("good", "Redis", f"answers at {place}"), *judge_redis(server, settings.bus)]


def judge_redis(server: RedisServer, bus: str) -> list[CheckResult]:
    """Return the result of each requirement for a server as it was found.

    Args:
        server: The server's state.
        bus: The configured bus, `redis` or `kafka`.
    """
    results = []
    if not server.info:
        text = "INFO is not allowed: version, role, eviction, memory were not looked at"
        results.append(CheckResult("note", "Redis", text, "look at them where the server is run"))
    for check in _CHECKS:
        results += check(server, bus)
    return results


def _version(server: RedisServer, bus: str) -> Iterator[CheckResult]:
    version = str(server.info.get("redis_version", ""))
    numbers = _VERSION.match(version)
    if numbers is None:
        return
    least = LEAST_VERSION[bus]
    if (int(numbers[1]), int(numbers[2])) >= least:
        yield CheckResult("good", "Redis version", version)
        return
    wanted = ".".join(map(str, least))
    text = f"{version}, and the commands in use need {wanted} with MARQUEE_BUS={bus}"
    remedy = f"run Redis {wanted} or newer, or Valkey"
    yield CheckResult("bad", "Redis version", text, remedy, "refuse")


def _role(server: RedisServer, _: str) -> Iterator[CheckResult]:
    info = server.info
    if info.get("cluster_enabled"):
        yield CheckResult("bad", "Redis role", CLUSTER.text, CLUSTER.remedy, "refuse")
    elif "sentinel" in (info.get("redis_mode"), info.get("server_mode")):
        text, remedy = "the server is a Sentinel, which stores nothing", "name the primary"
        yield CheckResult("bad", "Redis role", text, f"{remedy} in MARQUEE_REDIS_URL", "refuse")
    elif info.get("role", "master") != "master":
        primary = f"{info.get('master_host')}:{info.get('master_port')}"
        text = f"the server is a replica of {primary}: reads lag, and writes are refused or lost"
        remedy = "name the primary in MARQUEE_REDIS_URL"
        yield CheckResult("bad", "Redis role", text, remedy, "refuse")


def _eviction(server: RedisServer, _: str) -> Iterator[CheckResult]:
    policy, limit = server.info.get("maxmemory_policy"), server.info.get("maxmemory", 0)
    if policy is None:
        return
    if policy == "noeviction":
        yield CheckResult("good", "Redis eviction", policy)
        return
    text = f"maxmemory-policy is {policy}: an evicted key is a lost fact"
    remedy = "set maxmemory-policy noeviction"
    # Facts have no time to live: the policies volatile-* leave them, and evict leases and answers
    # of idempotent calls. Without a limit nothing is evicted, until somebody sets one.
    may_lose_facts = str(policy).startswith("allkeys") and limit > 0
    start: AtStart = "refuse" if may_lose_facts else "warn"
    yield CheckResult("bad", "Redis eviction", text, remedy, start)


def _memory(server: RedisServer, _: str) -> Iterator[CheckResult]:
    used, limit = server.info.get("used_memory", 0), server.info.get("maxmemory", 0)
    if limit <= 0 or used < FULL * limit:
        return
    text = f"{used / 2**20:,.0f} of maxmemory {limit / 2**20:,.0f} MiB are used"
    remedy = "raise maxmemory: a full server refuses writes, and consumers wait"
    yield CheckResult("warning", "Redis memory", text, remedy, "warn")


def _persistence(server: RedisServer, bus: str) -> Iterator[CheckResult]:
    append_only, save = server.info.get("aof_enabled"), server.config.get("save")
    if not append_only and save is None:
        text = "CONFIG is not allowed: whether data are saved was not looked at"
        yield CheckResult("note", "Redis persistence", text, "have appendonly yes")
    elif not append_only and not save:
        text = "neither appendonly nor save: a restart loses " + _lost(bus)
        remedy = "set appendonly yes"
        yield CheckResult("warning", "Redis persistence", text, remedy, "warn")
    elif not append_only:
        text = f"save {save} alone: a crash loses what came since the last save"
        yield CheckResult("warning", "Redis persistence", text, "set appendonly yes", "warn")
    elif bus == "redis" and server.config.get("appendfsync") not in ("always", None):
        fsync = server.config["appendfsync"]
        text = f"appendonly, appendfsync {fsync}: a power cut loses the newest events"
        yield CheckResult("note", "Redis persistence", text, "set appendfsync always")
    else:
        yield CheckResult("good", "Redis persistence", "appendonly")


def _lost(bus: str) -> str:
    return "every event and fact" if bus == "redis" else "the facts, until they are rebuilt"


def _last_write(server: RedisServer, _: str) -> Iterator[CheckResult]:
    statuses = ("aof_last_write_status", "rdb_last_bgsave_status")
    failed = [name for name in statuses if server.info.get(name) == "err"]
    if failed:
        text = f"the last write to its disk failed ({', '.join(failed)})"
        remedy = "make room on the server's disk; its log names the error"
        yield CheckResult("warning", "Redis disk", text, remedy, "warn")


def _clock(server: RedisServer, _: str) -> Iterator[CheckResult]:
    ahead = server.clock_ahead_s
    if ahead is not None and abs(ahead) > CLOCK_S:
        side = "ahead of" if ahead > 0 else "behind"
        text = f"the server's clock is {abs(ahead):.0f} s {side} this machine's"
        remedy = "synchronise both by NTP: lag and times of events are measured by them"
        yield CheckResult("warning", "Redis clock", text, remedy, "warn")


_CHECKS: tuple[Callable[[RedisServer, Any], Iterator[CheckResult]], ...] = (
    _version,
    _role,
    _eviction,
    _memory,
    _persistence,
    _last_write,
    _clock,
)
