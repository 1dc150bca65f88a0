"""States of a Redis server in which it answers errors, or nothing, to those who use it."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

import redis

from marquee_testing.causes.redis_cluster import alone, asking, cluster, cluster_of_one, moved
from marquee_testing.causes.redis_server import Bench, TroubledRedis
from marquee_testing.causes.services import impostor
from marquee_testing.waiting import until

FILLER = 40_000
"""Keys of the data set that takes long to load."""


@dataclass(frozen=True)
class Cause:
    """A state.

    Attributes:
        name: in tables.
        about: what it is, in a few words.
        enter: brings the server into it for the time of a context.
        loses_reads: whether reads are refused as well, so that the gateway notices it by itself.
        is_silent: whether calls wait until they give up.
        by_link: whether clients reach the server through the link.
        password: of the clients' address; None: none.
    """

    name: str
    about: str
    enter: Callable[[Bench], AbstractContextManager[None]]
    loses_reads: bool = True
    is_silent: bool = False
    by_link: bool = False
    password: str | None = None


def _command(begin: tuple[str, ...], end: tuple[str, ...], cut: bool = False) -> Any:
    """Return a state that one command begins and one ends; `cut`: connections are ended first."""

    @contextmanager
    def enter(bench: Bench) -> Iterator[None]:
        bench.admin.execute_command(*begin)
        if cut:
            bench.admin.execute_command("CLIENT", "KILL", "TYPE", "normal")
        try:
            yield
        finally:
            bench.admin.execute_command(*end)

    return enter


@contextmanager
def _master_down(bench: Bench) -> Iterator[None]:
    bench.admin.config_set("replica-serve-stale-data", "no")
    bench.admin.execute_command("REPLICAOF", "127.0.0.1", "1")
    try:
        yield
    finally:
        bench.admin.execute_command("REPLICAOF", "NO", "ONE")
        bench.admin.config_set("replica-serve-stale-data", "yes")


@contextmanager
def _failing_save(bench: Bench) -> Iterator[None]:
    admin = bench.admin
    admin.config_set("save", "3600 1000000")
    bench.server.limit_files(0)
    admin.bgsave()
    until(lambda: admin.info("persistence")["rdb_last_bgsave_status"] == "err")
    bench.server.limit_files(None)
    try:
        yield
    finally:
        admin.config_set("save", "")


@contextmanager
def _full_disk(bench: Bench) -> Iterator[None]:
    bench.server.limit_files(1)
    until(lambda: _is_refused(bench.admin))
    try:
        yield
    finally:
        bench.server.limit_files(None)
        until(lambda: not _is_refused(bench.admin))


def _is_refused(admin: Any) -> bool:
    try:
        admin.set("probe", 1)
    except redis.ResponseError:
        return True
    return False


@contextmanager
def _paused(bench: Bench) -> Iterator[None]:
    bench.server.signal(signal.SIGSTOP)
    try:
        yield
    finally:
        bench.server.signal(signal.SIGCONT)


@contextmanager
def _refused(bench: Bench) -> Iterator[None]:
    bench.server.stop()
    try:
        yield
    finally:
        bench.server.start()


@contextmanager
def _busy(bench: Bench) -> Iterator[None]:
    admin = bench.admin
    admin.config_set("busy-reply-threshold", 10)
    thread = threading.Thread(target=_run_for_ever, args=(bench.server,))
    thread.start()
    until(lambda: _is_refused(admin))
    try:
        yield
    finally:
        admin.execute_command("SCRIPT", "KILL")
        thread.join()


def _run_for_ever(server: TroubledRedis) -> None:
    with server.client() as client:
        client.connection_pool.connection_kwargs["socket_timeout"] = None
        try:
            client.eval("while true do end", 0)
        except redis.ResponseError:
            return


@contextmanager
def _loading(bench: Bench) -> Iterator[None]:
    """A data set of many keys, and the server's own option that makes each take its time."""
    server, maker = bench.server, TroubledRedis(bench.server.directory / "filler")
    maker.start()
    with maker.client() as client:
        pipe = client.pipeline(transaction=False)
        for key in range(FILLER):
            pipe.set(f"filler-{key}", key)
        pipe.execute()
        client.bgrewriteaof()
        until(lambda: not client.info("persistence")["aof_rewrite_in_progress"])
    maker.stop()
    slow = ("--key-load-delay", "500", "--loading-process-events-interval-bytes", "1024")
    with server.instead(*slow, mode="filler/usual", ready=False):
        yield


@contextmanager
def _reset(bench: Bench) -> Iterator[None]:
    bench.link.refuse()
    try:
        yield
    finally:
        bench.link.heal()


@contextmanager
def _half_open(bench: Bench) -> Iterator[None]:
    bench.link.cut()
    try:
        yield
    finally:
        bench.link.heal()


@contextmanager
def _slow(bench: Bench) -> Iterator[None]:
    bench.link.delay_up = bench.link.delay_down = 0.04
    try:
        yield
    finally:
        bench.link.heal()


@contextmanager
def _no_redis(bench: Bench) -> Iterator[None]:
    bench.server.stop()
    try:
        with impostor(bench.server.port, "http"):
            yield
    finally:
        bench.server.start()


@contextmanager
def _well(_: Bench) -> Iterator[None]:
    yield


_RIGHTS = ("ACL", "SETUSER", "default")
CAUSES: tuple[Cause, ...] = (
    Cause("well", "nothing is wrong", _well, loses_reads=False),
    Cause(
        "NOPERM",
        "the user may do nothing but ping",
        _command((*_RIGHTS, "-@all", "+ping", "+acl", "+auth", "+hello"), (*_RIGHTS, "+@all")),
    ),
    Cause(
        "NOPERM for writes",
        "the user may only read",
        _command((*_RIGHTS, "-@write"), (*_RIGHTS, "+@all")),
        loses_reads=False,
    ),
    Cause(
        "NOAUTH",
        "the server wants a password, the address has none",
        _command(
            ("CONFIG", "SET", "requirepass", "new"), ("CONFIG", "SET", "requirepass", ""), True
        ),
    ),
    Cause(
        "WRONGPASS",
        "the password was changed",
        _command(
            ("CONFIG", "SET", "requirepass", "new"), ("CONFIG", "SET", "requirepass", ""), True
        ),
        password="old",
    ),
    Cause(
        "OOM",
        "memory is full",
        _command(("CONFIG", "SET", "maxmemory", "1"), ("CONFIG", "SET", "maxmemory", "0")),
        loses_reads=False,
    ),
    Cause("MISCONF, save", "a snapshot could not be saved", _failing_save, loses_reads=False),
    Cause("MISCONF, disk", "the disk is full", _full_disk, loses_reads=False),
    Cause(
        "READONLY",
        "the server was made a replica",
        _command(("REPLICAOF", "127.0.0.1", "1"), ("REPLICAOF", "NO", "ONE")),
        loses_reads=False,
    ),
    Cause("MASTERDOWN", "a replica that lost its primary, and gives no old data", _master_down),
    Cause(
        "NOREPLICAS",
        "too few replicas are in step",
        _command(
            ("CONFIG", "SET", "min-replicas-to-write", "1"),
            ("CONFIG", "SET", "min-replicas-to-write", "0"),
        ),
        loses_reads=False,
    ),
    Cause("LOADING", "the server reads its data set after a start", _loading),
    Cause("BUSY", "a script runs and does not end", _busy),
    Cause(
        "max clients",
        "the server takes no more connections",
        _command(
            ("CONFIG", "SET", "maxclients", "1"), ("CONFIG", "SET", "maxclients", "10000"), True
        ),
    ),
    Cause("CLUSTERDOWN", "a node of a cluster whose slots nobody has", cluster(alone)),
    Cause("CROSSSLOT", "the server runs as a cluster of one", cluster_of_one, loses_reads=False),
    Cause("MOVED", "a node whose slots another node has", cluster(moved)),
    Cause("ASK", "a node whose slots are moving to another", cluster(asking)),
    Cause("refused", "nobody listens", _refused),
    Cause("reset", "each connection is reset", _reset, by_link=True),
    Cause("paused", "the process stands (SIGSTOP), connections stay", _paused, is_silent=True),
    Cause(
        "half-open",
        "the network swallows every byte, connections stay",
        _half_open,
        is_silent=True,
        by_link=True,
    ),
    Cause("slow", "each way takes 40 ms", _slow, loses_reads=False, by_link=True),
    Cause("no Redis", "a web server listens at the port", _no_redis),
)
