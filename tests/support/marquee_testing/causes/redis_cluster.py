"""States of a server in cluster mode: alone, or as one node of two."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from marquee_testing.causes.redis_server import Bench, TroubledRedis
from marquee_testing.waiting import until


def cluster(begin: Callable[[TroubledRedis, TroubledRedis], None]) -> Any:
    """Return a state of an empty node of a cluster, with another beside it for `begin`."""

    @contextmanager
    def enter(bench: Bench) -> Iterator[None]:
        """The node is made at another port: clients meet it when it is what it is to be."""
        mode, folder = ("--cluster-enabled", "yes"), f"cluster-{begin.__name__}"
        node = TroubledRedis(bench.server.directory / folder)
        other = TroubledRedis(bench.server.directory / f"{folder}-other")
        with ExitStack() as stack:
            for server in (node, other):
                server.start(*mode)
            stack.callback(other.stop)
            begin(node, other)
            node.stop()
            stack.enter_context(bench.server.instead(*mode, mode=f"{folder}/usual", ready=False))
            with bench.server.client() as client:
                until(lambda: _is_ready(client, begin))
            yield

    return enter


@contextmanager
def cluster_of_one(bench: Bench) -> Iterator[None]:
    """The server itself, with its data, in cluster mode."""
    bench.server.stop()
    bench.server.start("--cluster-enabled", "yes", ready=False)
    _own_all(bench.server)
    try:
        yield
    finally:
        bench.server.stop()
        bench.server.start()


def alone(_: TroubledRedis, __: TroubledRedis) -> None:
    """Have no slots."""


def _is_ready(client: Any, begin: object) -> bool:
    """Return whether a node is up, and knows the other one if it has one."""
    information = _text(client.execute_command("CLUSTER", "INFO"))
    return begin is alone or "cluster_state:ok" in information


def _own_all(server: TroubledRedis) -> None:
    with server.client() as client:
        pipe = client.pipeline(transaction=False)
        for slot in range(16384):
            pipe.execute_command("CLUSTER", "ADDSLOTS", slot)
        pipe.execute(raise_on_error=False)  # a node has the slots of its own data already
        until(lambda: "cluster_state:ok" in _text(client.execute_command("CLUSTER", "INFO")))


def _meet(server: TroubledRedis, other: TroubledRedis) -> str:
    """Let two nodes know each other; return the id of the other one."""
    with server.client() as client, other.client() as peer:
        name = _text(peer.execute_command("CLUSTER", "MYID"))
        client.execute_command("CLUSTER", "MEET", "127.0.0.1", other.port)
        until(lambda: name in _text(client.execute_command("CLUSTER", "NODES")))
    return name


def moved(server: TroubledRedis, other: TroubledRedis) -> None:
    _own_all(other)
    _meet(server, other)
    with server.client() as client:
        until(lambda: "cluster_state:ok" in _text(client.execute_command("CLUSTER", "INFO")))


def asking(server: TroubledRedis, other: TroubledRedis) -> None:
    _own_all(server)
    name = _meet(server, other)
    with server.client() as client:
        pipe = client.pipeline(transaction=False)
        for slot in range(16384):
            pipe.execute_command("CLUSTER", "SETSLOT", slot, "MIGRATING", name)
        pipe.execute()


def _text(reply: Any) -> str:
    return reply.decode() if isinstance(reply, bytes) else str(reply)
