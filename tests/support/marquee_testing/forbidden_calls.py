"""Calls that each kind of process is refused by Redis, and the files made of its rights.

`make redis-users` writes the ACL files of deploy/redis and the page about them; tests compare.
"""

from collections.abc import Iterator
from pathlib import Path

from marquee.store.acl_file import acl_file
from marquee.store.rights import KINDS, Grant, rights_of

Forbidden = tuple[str, str]
"""What it would do, and the call; `NS` stands for the namespace."""

EVERYBODY: tuple[Forbidden, ...] = (
    ("delete everything", "FLUSHALL"),
    ("delete a database", "FLUSHDB"),
    ("list all keys at once", "KEYS *"),
    ("read the server's settings, its passwords among them", "CONFIG GET *"),
    ("change the server's settings", "CONFIG SET maxmemory 1"),
    ("read users and their rights", "ACL LIST"),
    ("give itself rights", "ACL SETUSER default on"),
    ("stop the server", "SHUTDOWN NOSAVE"),
    ("follow what others call", "MONITOR"),
    ("see others' connections", "CLIENT LIST"),
    ("cut others' connections", "CLIENT KILL TYPE normal"),
    ("make the server a replica of another", "REPLICAOF 127.0.0.1 1"),
    ("delete the server's functions", "FUNCTION FLUSH"),
    ("delete loaded scripts", "SCRIPT FLUSH"),
    ("list the server's modules", "MODULE LIST"),
    ("copy all data", "SYNC"),
    ("read keys of another namespace", "GET other:gateway:{ratings:0}:user:1"),
    ("read keys of other programs", "GET session:1"),
    ("send messages to other programs", "PUBLISH channel message"),
)
_KEYS_OF_CALLERS = ("make a key for callers", "HSET NS:access:keys id {}")
_READ_KEYS = ("read the digests of callers' keys", "HGETALL NS:access:keys")
_FORGE = ("put an event on the log beside the API", "XADD NS:log:{ratings:0} 0-* v {}")
_PUBLISH_MODEL = ("publish a model", "XADD NS:log:{models:0} 0-* v {}")
_READ_LOG = ("read the events of all users", "XRANGE NS:log:{ratings:0} - +")
_CUT_LOG = ("cut the log", "XTRIM NS:log:{ratings:0} MAXLEN 0")
_DROP_LOG = ("delete the log", "DEL NS:log:{ratings:0}")
_LEASE = ("take a partition from a consumer", "SET NS:group:gateway:lease:{ratings:0} me")
_PARTITIONS = ("change the number of partitions", "HSET NS:topics ratings 1")
_PROFILE = ("read a user's profile", "GET NS:gateway:{ratings:0}:user:1")
_FACT = ("write a user's ratings", "SET NS:gateway:{ratings:0}:user:1 x")
_RULE = ("block a film beside the API", "HSET NS:gateway:{movies:0}:rules 1 {}")
_MODEL = ("choose the model that serves", "SET NS:content:{models:0}:model {}")
_AUDIT = ("write a false entry into the audit", "ZADD NS:audit:operations 1 x")
_RATE = ("give a caller more calls", "DEL NS:access:rate:shop")
_ANSWERS = ("read answers kept for repeated calls", "GET NS:gateway:{idempotency}:a")

_OWN: dict[str, tuple[Forbidden, ...]] = {
    "gateway-app": (
        *(_FACT, _RULE, _MODEL, _KEYS_OF_CALLERS, _READ_LOG, _CUT_LOG, _DROP_LOG),
        *(_PUBLISH_MODEL, _LEASE, _PARTITIONS),
        ("move its consumer's position", "SET NS:gateway:{ratings:0}:position 0"),
        ("read rows of a model", "HGETALL NS:hybrid:{movies:0}:rows:1"),
        ("delete the audit of rules", "DEL NS:gateway:{movies:0}:audit"),
        ("read dead letters", "XRANGE NS:log:{ratings.dead:0} - +"),
        ("run a script that is not loaded", "EVAL return 0"),
    ),
    "gateway-consumer": (
        *(_KEYS_OF_CALLERS, _READ_KEYS, _RATE, _ANSWERS, _FORGE, _PUBLISH_MODEL, _CUT_LOG),
        *(_DROP_LOG, _MODEL, _AUDIT),
        ("write rows of a model", "HSET NS:content:{movies:0}:films 1 {}"),
        ("take a partition of another service", "SET NS:group:content:lease:{ratings:0} me"),
    ),
    "trainer-app": (
        *(_FACT, _RULE, _MODEL, _KEYS_OF_CALLERS, _READ_KEYS, _RATE, _READ_LOG, _CUT_LOG),
        *(_DROP_LOG, _LEASE, _AUDIT),
        ("change the catalogue", "XADD NS:log:{movies:0} 0-* v {}"),
        ("read rows of a model", "HGETALL NS:neural:{ratings:0}:rows:1"),
        ("remove dead letters", "XTRIM NS:log:{ratings.dead:0} MAXLEN 0"),
    ),
    "trainer-consumer": (
        *(_PROFILE, _FACT, _MODEL, _KEYS_OF_CALLERS, _READ_KEYS, _FORGE, _PUBLISH_MODEL),
        *(_CUT_LOG, _DROP_LOG, _LEASE),
    ),
    "operator": (
        *(_CUT_LOG, _DROP_LOG, _LEASE, _RATE, _ANSWERS),
        ("delete the audit of operations", "DEL NS:audit:operations"),
        ("read the audit beside the API", "ZRANGE NS:audit:operations 0 -1"),
        ("run a script that is not loaded", "EVAL return 0"),
        ("rename a key", "RENAME NS:access:keys NS:topics"),
    ),
    "health": (
        ("read anything", "GET NS:gateway:{ratings:0}:user:1"),
        ("look at the server", "INFO"),
        ("list keys", "SCAN 0"),
    ),
}


def forbidden_calls(kind: str) -> tuple[Forbidden, ...]:
    """Return the calls that a kind of process is refused, besides those of `EVERYBODY`."""
    if kind in _OWN:
        return _OWN[kind]
    service, _, role = kind.rpartition("-")
    other = "hybrid" if service == "content" else "content"
    if role == "app":
        return (
            *(_PROFILE, _READ_KEYS, _KEYS_OF_CALLERS, _READ_LOG, _FORGE, _DROP_LOG, _LEASE),
            ("write its own rows", f"HSET NS:{service}:{{movies:0}}:films 1 {{}}"),
            ("choose its own model", f"SET NS:{service}:{{models:0}}:model {{}}"),
            ("read films of another service", f"HGETALL NS:{other}:{{movies:0}}:films"),
            ("run a script", "EVALSHA 0000 1 NS:topics"),
        )
    return (
        *(_PROFILE, _FACT, _RULE, _READ_KEYS, _KEYS_OF_CALLERS, _FORGE, _PUBLISH_MODEL),
        *(_CUT_LOG, _DROP_LOG, _LEASE, _AUDIT),
        ("write rows of another service", f"HSET NS:{other}:{{movies:0}}:films 1 {{}}"),
        ("read users of another service", f"GET NS:{other}:{{ratings:0}}:user:1"),
    )


ON_KAFKA: tuple[Forbidden, ...] = (
    ("read the topics of a bus on Redis", "HGET NS:topics ratings"),
    ("put an event on such a bus", "XADD NS:log:{ratings:0} 0-* v {}"),
)
"""What is refused to everybody where the bus is Kafka."""


def arguments_of(call: str, namespace: str) -> list[str]:
    """Return the words of a call, with a namespace."""
    words = [
        namespace + word.removeprefix("NS") if word.startswith("NS:") else word
        for word in call.split()
    ]
    return ["EVAL", "return 0", "0"] if words[0] == "EVAL" else words


def page() -> str:
    """Return the page of the documentation about users and what they are refused."""
    return "\n".join([*_head(), *_rights(), *_refused()]) + "\n"


def _head() -> Iterator[str]:
    yield "# Users of Redis\n"
    yield (
        "Each kind of process has a user of its own at Redis, `NAMESPACE-KIND`, with the rights"
        " below; [Deploy](../how-to/deploy.md#users-of-redis) says how they are set up. The rights"
        " are defined in `libs/common/marquee/store/rights.py`, from which `marquee acl` prints the"
        " ACL file. This page is generated from them (`make redis-users`); tests run each process"
        " with its user on a real server and try each refused call.\n"
    )


def _rights() -> Iterator[str]:
    yield "## What each may do\n"
    yield (
        "With Redis Streams as the bus; with Kafka nobody has the keys `topics`, `topic_ids`,"
        " `log:` and `group:`. `*` stands for anything. All but `health` may besides select a"
        " database, name the client's library, and read INFO and TIME.\n"
    )
    yield "| user | keys | commands |"
    yield "| --- | --- | --- |"
    for kind in KINDS:
        rows = rights_of(kind, "NS", "redis").grants
        for grant in rows:
            yield f"| `{kind}` | {_keys(grant)} | {', '.join(grant.commands)} |"
        if not rows:
            yield f"| `{kind}` | none | ping |"
    yield ""


def _keys(grant: Grant) -> str:
    words = {"R": "read", "W": "write", "RW": "read, write"}[grant.access]
    return f"{words}: " + ", ".join(f"`{key.removeprefix('NS:')}`" for key in grant.keys)


def _refused() -> Iterator[str]:
    yield "## What is refused\n"
    yield "Each call is answered with NOPERM and stands in the server's `ACL LOG`.\n"
    yield "| user | it may not | call |"
    yield "| --- | --- | --- |"
    tables = [("everybody", EVERYBODY), *((kind, forbidden_calls(kind)) for kind in KINDS)]
    for kind, calls in [*tables, ("everybody, on Kafka", ON_KAFKA)]:
        for words, call in calls:
            yield f"| `{kind}` | {words} | `{call.replace('NS:', '')}` |"


def files() -> dict[str, str]:
    """Return the generated files by their path from the root of the repository."""
    return {
        "deploy/redis/kafka-bus.acl": acl_file("marquee", "kafka"),
        "deploy/redis/redis-bus.acl": acl_file("marquee", "redis"),
        "docs/reference/redis-users.md": page(),
    }


def main() -> None:
    """Write the generated files into the present folder."""
    for name, text in files().items():
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text(text)


if __name__ == "__main__":
    main()
