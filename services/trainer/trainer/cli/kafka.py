"""`marquee kafka`: users and rights of each kind of process on a broker that asks for them."""

import secrets
from pathlib import Path
from typing import Annotated

import typer

from marquee.errors import SettingsError
from trainer.cli.terminal import Session, print_lines, print_table

app = typer.Typer(no_args_is_help=True, help="Users and rights on Kafka: list, make, set.")

ADMIN = "admin"
SUFFIX = ".password"
Folder = Annotated[Path, typer.Argument(help="Folder with a file KIND.password for each user.")]


@app.command()
def acls(
    context: typer.Context,
    script: Annotated[bool, typer.Option(help="Write a shell script for kafka-acls.sh.")] = False,
) -> None:
    """List what each kind of process may do with topics and groups; nothing else is needed."""
    from marquee.bus.kafka.access.rights import access_rules, rules_script

    namespace = context.obj.settings.namespace
    if script:
        print_lines(rules_script(namespace).splitlines())
        return
    rules = [(one.user, one.resource, one.name, one.operation) for one in access_rules(namespace)]
    print_table(("user", "resource", "name", "operation"), rules)


@app.command()
def passwords(context: typer.Context, folder: Folder) -> None:
    """Make a password for each kind of process and for the admin, in files that are not there yet.

    marquee kafka passwords var/kafka
    """
    from marquee.bus.kafka.access.rights import KAFKA_RIGHTS

    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    made = []
    for name in (ADMIN, *KAFKA_RIGHTS):
        file = folder / f"{name}{SUFFIX}"
        if not file.exists():
            file.write_text(secrets.token_urlsafe(32) + "\n")
            made.append(name)
    session: Session = context.obj
    session.say(f"{len(made)} passwords made in {folder}", f"marquee kafka grant {folder}")


@app.command()
def grant(context: typer.Context, folder: Folder) -> None:
    """Set the users' passwords and rights on the broker, as an administrator.

    Users are those of `marquee kafka acls`; rights that they have beyond those are removed. A user
    without a file keeps the password that it has. MARQUEE_KAFKA_USER and its password are those of
    the administrator, MARQUEE_KAFKA_SASL_MECHANISM is the one that passwords are set for.

    marquee kafka grant var/kafka
    """
    from marquee.bus.kafka.access.grants import KafkaGrants
    from marquee.bus.kafka.connection.cluster import KafkaConnection
    from marquee.bus.kafka.connection.security import KafkaSecurity

    session: Session = context.obj
    settings = session.settings
    words = _passwords(folder, settings.namespace)
    security = KafkaSecurity.of(settings)
    grants = KafkaGrants(KafkaConnection(settings.kafka_servers, security))
    try:
        if words:
            grants.set_passwords(words, settings.kafka_sasl_mechanism)
        wanted, removed = grants.set_rules(settings.namespace)
    finally:
        grants.close()
    print_lines([f"{len(words)} users, {wanted} rights; {removed} others removed"])


def _passwords(folder: Path, namespace: str) -> dict[str, str]:
    """Return the passwords of a folder by user.

    Raises:
        SettingsError: The folder has none, or one that Kafka cannot take.
    """
    from marquee.bus.kafka.access.rights import KAFKA_RIGHTS, user_of

    found: dict[str, str] = {}
    for kind in KAFKA_RIGHTS:
        file = folder / f"{kind}{SUFFIX}"
        if file.exists():
            found[user_of(kind, namespace)] = _password(file)
    if not found:
        raise SettingsError(f"{folder} has no file KIND{SUFFIX}; marquee kafka passwords {folder}")
    return found


def _password(file: Path) -> str:
    text = file.read_text().strip()
    # Brokers normalise other characters, which the client does not.
    if not text or not text.isascii() or not text.isprintable():
        raise SettingsError(f"{file}: a password has printable ASCII characters alone")
    return text
