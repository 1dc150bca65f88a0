"""A Valkey of its own whose users are those of the ACL file, and the log of what it refused."""

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from redis import Redis
from redis.exceptions import RedisError

from marquee.store.acl_file import ADMIN, acl_file, acl_users
from marquee.store.rights import user_of
from marquee_local.servers import free_port, valkey_command
from marquee_testing.waiting import until


@dataclass(frozen=True)
class UsersServer:
    """A running server with a user for each kind of process; its password is its name reversed."""

    url: str
    namespace: str

    def variables(self, kind: str) -> dict[str, str]:
        """Return the settings with which a process of a kind connects."""
        user = user_of(kind, self.namespace)
        return {
            "MARQUEE_REDIS_URL": self.url,
            "MARQUEE_REDIS_USER": user,
            "MARQUEE_REDIS_PASSWORD": password_of(user),
            "MARQUEE_NAMESPACE": self.namespace,
        }

    def client(self, user: str, **options: Any) -> "Redis":
        """Return a client as a user of the file."""
        port = urlsplit(self.url).port or 0
        return Redis(port=port, username=user, password=password_of(user), **options)

    def of_kind(self, kind: str, **options: Any) -> "Redis":
        """Return a client with the rights of a kind of process."""
        return self.client(user_of(kind, self.namespace), **options)

    def refused(self) -> list[str]:
        """Return what the server has refused: user, what was missing, and for which object."""
        with closing(self.client(ADMIN, decode_responses=True)) as admin:
            entries: Any = admin.acl_log(count=100)
        return [f"{e['username']} lacks {e['reason']} {e['object']}" for e in entries]

    def forget_refusals(self) -> None:
        """Empty the log of refusals."""
        with closing(self.client(ADMIN)) as admin:
            admin.acl_log_reset()


def password_of(user: str) -> str:
    """Return the password that a user has in tests."""
    return user[::-1]


@contextmanager
def valkey_with_users(
    directory: Path, namespace: str, bus: str, options: Mapping[str, str] | None = None
) -> Iterator[UsersServer]:
    """Run a server with the ACL file of a namespace and a bus.

    Args:
        directory: Where its data and the file are.
        namespace: The namespace.
        bus: `redis` or `kafka`.
        options: More options of the server.
    """
    port = free_port()
    command = valkey_command(directory, port)
    (directory / "users.acl").write_text(
        acl_file(namespace, bus, {user: password_of(user) for user in acl_users(namespace)})
    )
    command += ["--aclfile", str(directory / "users.acl")]
    for name, value in (options or {}).items():
        command += [f"--{name}", value]
    server = UsersServer(f"redis://127.0.0.1:{port}/0", namespace)
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        with closing(server.client(ADMIN)) as admin:
            until(lambda: _answers(admin, process))
        yield server
    finally:
        process.terminate()
        process.wait(60)


def _answers(client: "Redis", process: "subprocess.Popen[bytes]") -> bool:
    assert process.poll() is None, "the server does not take the ACL file"
    try:
        return bool(client.ping())
    except RedisError:
        return False
