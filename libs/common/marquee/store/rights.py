"""Rights at Redis: the commands and keys of each kind of process, from which ACL files are made.

A kind is a process of the Procfile, such as `gateway-app`, or who works by hand: `operator` runs
the command `marquee`. Whatever a process calls beyond this is refused by the server, so that a
change of what it calls is a change here too; integration tests run each kind with its rights.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from marquee.bus.api import dead_letter_topic
from marquee.domain.models import CONTENT, MODEL_NAMES
from marquee.events import MODELS, MOVIES, RATINGS, TOPICS

Access = Literal["R", "W", "RW"]

GATEWAY, TRAINER, OPERATOR, HEALTH = "gateway", "trainer", "operator", "health"
APPS = tuple(f"{service}-app" for service in (GATEWAY, *MODEL_NAMES, TRAINER))
CONSUMERS = tuple(f"{service}-consumer" for service in (GATEWAY, *MODEL_NAMES, TRAINER))
KINDS = (*APPS, *CONSUMERS, OPERATOR, HEALTH)
"""All kinds of processes; `health` only asks whether the server answers."""

CONNECTION = ("ping", "select", "client|setinfo", "info", "time")
"""What each process calls without a key, when it connects and when it looks at the server."""
SCRIPTS = ("script|load", "script|exists")
TRANSACTIONS = ("multi", "exec")


@dataclass(frozen=True)
class Grant:
    """Commands that may be called on keys of some patterns.

    Attributes:
        access: R: the keys are read alone; W: written alone; RW: both.
        keys: Patterns of keys, in which * stands for anything.
        commands: Names of commands, those of subcommands as `xgroup|create`.
    """

    access: Access
    keys: tuple[str, ...]
    commands: tuple[str, ...]


@dataclass(frozen=True)
class Rights:
    """The rights of one kind of process; `commands` take no key."""

    commands: tuple[str, ...]
    grants: tuple[Grant, ...] = ()


def user_of(kind: str, namespace: str) -> str:
    """Return the name of the user at Redis of a kind of process."""
    return f"{namespace}-{kind}" if namespace else kind


def rights_of(kind: str, namespace: str, bus: str) -> Rights:
    """Return the rights of a kind of process.

    Args:
        kind: One of `KINDS`.
        namespace: The namespace that leads every key.
        bus: The configured bus, `redis` or `kafka`; on Kafka nobody needs the keys of topics.
    """
    if kind == HEALTH:
        return Rights(("ping",))
    grants = [*_on_store(kind, StoreKeys(namespace))]
    if bus == "redis":
        grants += _on_bus(kind, BusKeys(namespace))
    commands: tuple[str, ...] = CONNECTION
    if any("evalsha" in grant.commands for grant in grants):
        commands += SCRIPTS
    if kind in ("gateway-app", OPERATOR):
        commands += TRANSACTIONS
    return Rights(commands + (("scan",) if kind == OPERATOR else ()), tuple(grants))


def _on_store(kind: str, store: "StoreKeys") -> list[Grant]:
    service, _, role = kind.rpartition("-")
    if kind == OPERATOR:
        return _operator(store)
    if kind == "gateway-app":
        return _gateway_app(store)
    if kind == "trainer-app":
        return _trainer_app(store)
    if role == "app":
        return [_model_app(store, service)]
    return [] if service == TRAINER else [_projection(store, service)]


def _on_bus(kind: str, topics: "BusKeys") -> Iterator[Grant]:
    service, _, role = kind.rpartition("-")
    if kind == OPERATOR:
        yield from _operator_on_bus(topics)
    elif kind == "gateway-app":
        yield from _publish(topics, MOVIES, RATINGS)
    elif kind == "trainer-app":
        yield from _trainer_app_on_bus(topics)
    elif role == "consumer":
        yield from _consumer_on_bus(topics, service)


# --- the store


@dataclass(frozen=True)
class StoreKeys:
    """Patterns of the store's keys; names are those of `marquee.store.keys`."""

    namespace: str

    def rows(self, service: str, topic: str, *names: str) -> tuple[str, ...]:
        """Return the keys of all partitions of a topic, all names where none is given.

        A * at the end alone costs the server the least at each call.
        """
        begin = f"{self.namespace}:{service}:{{{topic}:*"
        return tuple(f"{begin}}}:{name}" for name in names) or (begin,)

    def all(self, service: str) -> tuple[str, ...]:
        """Return all keys of a service's partitions."""
        return tuple(key for topic in _topics_of(service) for key in self.rows(service, topic))

    @property
    def api_keys(self) -> tuple[str, ...]:
        """The keys with which callers of the gateway show who they are."""
        return (f"{self.namespace}:access:keys",)

    @property
    def audit(self) -> tuple[str, ...]:
        """The audit of operations, which have no event."""
        return (f"{self.namespace}:audit:*",)

    @property
    def rates(self) -> tuple[str, ...]:
        """What is left of callers' limits."""
        return (f"{self.namespace}:access:rate:*",)

    @property
    def idempotency(self) -> tuple[str, ...]:
        """Idempotency keys with their responses."""
        return (f"{self.namespace}:gateway:{{idempotency}}:*",)


_FOLLOW = ("get", "mget", "hget", "hmget", "hgetall", "xread", "xrevrange")
"""What an app calls to read rows and follow their updates."""
_STEP_READS = ("get", "mget", "hmget", "hgetall", "zmscore", "zrangebyscore", "type")
_STEP_WRITES = (
    *("evalsha", "set", "del", "unlink", "hset", "hdel", "zadd", "zrem", "zremrangebyrank"),
    *("xadd", "expire", "persist"),
)
"""What a unit of work calls: the script, and the commands within it."""
_AUDIT_READS = ("zrangebyscore", "zrevrangebyscore")
_AUDIT_WRITES = ("zadd", "zrem", "zremrangebyrank")
_LIVE_READS = (
    *("hget", "hkeys", "hscan", "zscan", "zscore", "exists", "xrange", "xrevrange"),
    "zrange",
)


def _topics_of(service: str) -> tuple[str, ...]:
    return (MOVIES, RATINGS) if service in (GATEWAY, TRAINER) else TOPICS


def _sums(store: StoreKeys) -> tuple[str, ...]:
    """Return the keys by which an app follows the sums of ratings, which content keeps."""
    return store.rows(CONTENT.name, RATINGS, "sums", "updates", "position")


def _changes_of_models(store: StoreKeys) -> tuple[str, ...]:
    """Return the keys by which the gateway follows what changes the services' lists."""
    names = "updates", "position"
    return tuple(
        key for name in MODEL_NAMES for topic in TOPICS for key in store.rows(name, topic, *names)
    )


def _gateway_app(store: StoreKeys) -> list[Grant]:
    followed = tuple(
        dict.fromkeys((*store.all(GATEWAY), *_sums(store), *_changes_of_models(store)))
    )
    idempotency = (
        *("evalsha", "get", "set", "del", "zrange", "zadd", "zrem", "decrby", "incrby"),
        *("hget", "hset", "hdel", "hincrby"),
    )
    return [
        Grant("R", followed, (*_FOLLOW, "zmscore", "strlen", *_AUDIT_READS)),
        Grant("R", store.api_keys, ("hgetall",)),
        Grant("RW", store.audit, (*_AUDIT_READS, *_AUDIT_WRITES)),
        Grant("RW", store.idempotency, idempotency),
        Grant("RW", store.rates, ("evalsha", "hmget", "hset", "pexpire")),
    ]


def _model_app(store: StoreKeys, service: str) -> Grant:
    others = () if service == CONTENT.name else _sums(store)
    return Grant("R", (*store.all(service), *others), (*_FOLLOW, "hscan", "zrange"))


def _projection(store: StoreKeys, service: str) -> Grant:
    return Grant("RW", store.all(service), (*_STEP_READS, *_STEP_WRITES))


def _trainer_app(store: StoreKeys) -> list[Grant]:
    """Return serving versions, progress of erasures, and what imports are matched with."""
    models = tuple(key for name in MODEL_NAMES for key in store.rows(name, MODELS, "model"))
    movies = store.rows(GATEWAY, MOVIES, "films", "position")
    users = store.rows(GATEWAY, RATINGS, "user:*", "erased")
    services = (GATEWAY, *MODEL_NAMES)
    positions = tuple(key for name in services for key in store.rows(name, RATINGS, "position"))
    return [
        Grant("R", (*models, *positions), ("get",)),
        Grant("R", (*movies, *users), ("get", "mget", "hgetall", "zmscore")),
    ]


def _operator(store: StoreKeys) -> list[Grant]:
    rows = [store.rows(name, topic) for name in (GATEWAY, *MODEL_NAMES) for topic in TOPICS]
    commands = dict.fromkeys((*_STEP_READS, *_LIVE_READS, *_STEP_WRITES))
    return [
        Grant("RW", tuple(key for keys in rows for key in keys), tuple(commands)),
        Grant("RW", store.api_keys, ("hvals", "hset")),
        Grant("W", store.audit, _AUDIT_WRITES),
    ]


# --- the bus


@dataclass(frozen=True)
class BusKeys:
    """Patterns of the keys of the bus on Redis Streams (`marquee.bus.redis`)."""

    namespace: str

    @property
    def prefix(self) -> str:
        """What leads each key."""
        return f"{self.namespace}:" if self.namespace else ""

    @property
    def registry(self) -> tuple[str, ...]:
        """The topics with their partitions and ids."""
        return f"{self.prefix}topics", f"{self.prefix}topic_ids"

    def logs(self, *topics: str) -> tuple[str, ...]:
        """Return the streams of topics."""
        return tuple(f"{self.prefix}log:{{{topic}:*" for topic in topics)

    def group(self, service: str) -> tuple[str, ...]:
        """Return the keys of a consumer group: members, leases, offsets."""
        return (f"{self.prefix}group:{service}:*",)


def _publish(topics: BusKeys, *names: str) -> Iterator[Grant]:
    yield Grant("R", topics.registry, ("hget",))
    # A script takes its keys to read and write; what it calls has to be allowed besides.
    yield Grant("RW", topics.logs(*names), ("evalsha",))
    yield Grant("W", topics.logs(*names), ("xadd",))


def _create_topics(topics: BusKeys) -> Iterator[Grant]:
    """Yield what makes topics where they are missing; what is in a log stays."""
    yield Grant("RW", topics.registry, ("hget", "hsetnx"))
    every = topics.logs(*TOPICS, *map(dead_letter_topic, TOPICS))
    yield Grant("W", every, ("xgroup|create", "xgroup|destroy"))


def _consumer_on_bus(topics: BusKeys, service: str) -> Iterator[Grant]:
    names = _topics_of(service)
    yield from _create_topics(topics)
    yield Grant("R", topics.logs(*names), ("xread", "xrange", "xinfo|stream"))
    if service != TRAINER:
        yield from _publish(topics, *map(dead_letter_topic, names))
    commands = (
        *("eval", "get", "set", "del", "pexpire", "zadd", "zrem", "zrange", "zremrangebyscore"),
        "hset",
    )
    yield Grant("RW", topics.group(service), commands)


def _trainer_app_on_bus(topics: BusKeys) -> Iterator[Grant]:
    yield from _create_topics(topics)
    yield from _publish(topics, MODELS, RATINGS)
    dead = topics.logs(*map(dead_letter_topic, TOPICS))
    yield Grant("R", dead, ("xrange", "xinfo|stream"))
    yield Grant("R", topics.logs(RATINGS), ("xinfo|stream",))


def _operator_on_bus(topics: BusKeys) -> Iterator[Grant]:
    yield from _create_topics(topics)
    dead = tuple(map(dead_letter_topic, TOPICS))
    yield from _publish(topics, *TOPICS, *dead)
    yield Grant("R", topics.logs(*TOPICS, *dead), ("xrange", "xinfo|stream"))
    yield Grant("W", topics.logs(*dead), ("xtrim",))
