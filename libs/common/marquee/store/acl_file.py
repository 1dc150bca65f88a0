"""ACL files of Redis: one user a kind of process, with the rights of `marquee.store.rights`."""

import hashlib
import secrets
from collections.abc import Mapping
from pathlib import Path

from marquee.errors import SettingsError
from marquee.store.rights import KINDS, Grant, Rights, rights_of, user_of

ADMIN = "admin"
"""The user of whoever runs the server; no process of Marquee has it."""


def acl_users(namespace: str) -> tuple[str, ...]:
    """Return the users of an ACL file that have a password, in its order."""
    return (ADMIN, *(user_of(kind, namespace) for kind in KINDS))


def acl_file(namespace: str, bus: str, passwords: Mapping[str, str] | None = None) -> str:
    """Return the text of an ACL file, which Redis 7.2 and newer and Valkey read.

    Args:
        namespace: The namespace of the system.
        bus: The configured bus, `redis` or `kafka`.
        passwords: Password of each of `acl_users`. Without them the file has a word in place of
            each, and no server starts with it.
    """

    def line(user: str, rights: str) -> str:
        shown = f"SHA256-OF-THE-PASSWORD-OF-{user}"
        if passwords is not None:
            shown = hashlib.sha256(passwords[user].encode()).hexdigest()
        return f"user {user} on sanitize-payload #{shown} {rights}"

    lines = [
        "user default off sanitize-payload resetchannels -@all",
        line(ADMIN, "~* &* +@all"),
        *(
            line(user_of(kind, namespace), _rules(rights_of(kind, namespace, bus)))
            for kind in KINDS
        ),
    ]
    return "\n".join(lines) + "\n"


def read_passwords(folder: Path, users: tuple[str, ...]) -> dict[str, str]:
    """Return the password of each user, from files of their names; those that lack one get one.

    Args:
        folder: Where the files are; made where it is missing, for its owner alone.
        users: Names of the users.

    Raises:
        SettingsError: A file is empty, or cannot be read or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return {user: _password(folder / user) for user in users}
    except OSError as error:
        raise SettingsError(f"{error.filename}: {error.strerror}") from None


def _password(path: Path) -> str:
    if not path.exists():
        # Others may read the file, since a container with a user of its own has to: the folder
        # keeps them out.
        path.write_text(secrets.token_hex(32))
    password = path.read_text().strip()
    if not password:
        raise SettingsError(f"{path} is empty: write a password into it, or delete it")
    return password


def _rules(rights: Rights) -> str:
    commands = " ".join(f"+{name}" for name in rights.commands)
    return " ".join(["resetchannels", "-@all", commands, *map(_selector, rights.grants)])


def _selector(grant: Grant) -> str:
    """Return a grant as a selector: its commands are allowed on its keys alone."""
    prefix = "~" if grant.access == "RW" else f"%{grant.access}~"
    keys = (prefix + key for key in grant.keys)
    return f"({' '.join([*keys, *(f'+{name}' for name in grant.commands)])})"
