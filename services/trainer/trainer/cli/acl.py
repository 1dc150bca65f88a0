"""`marquee acl`: the ACL file of Redis, with a user for each kind of process."""

from pathlib import Path
from typing import Annotated

import typer

from marquee.store.acl_file import acl_file, acl_users, read_passwords
from trainer.cli.terminal import Session, print_lines


def acl(
    context: typer.Context,
    passwords: Annotated[
        Path | None,
        typer.Option(help="Folder with a file for each user's password; missing ones are made."),
    ] = None,
) -> None:
    """Print the ACL file of Redis for the namespace and the bus: a user for each kind of process.

    marquee --bus kafka acl --passwords secrets > users.acl

    Without --passwords a word stands in place of each password's SHA-256.
    """
    session: Session = context.obj
    namespace, bus = session.settings.namespace, session.settings.bus
    words = None if passwords is None else read_passwords(passwords, acl_users(namespace))
    print_lines([acl_file(namespace, bus, words).rstrip("\n")])
    if passwords is not None:
        session.say(f"the password of each user is in a file of its name in {passwords}")
