"""`marquee keys`: the keys with which callers of the gateway show who they are."""

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated

import typer

from marquee.access.api_keys import ApiKey, create_key, parse_scopes
from marquee.access.key_store import KeyStore, Who
from marquee.access.rates import Rate, parse_duration
from marquee.audit.entries import REASON
from marquee.errors import InvalidInput
from trainer.cli.terminal import Session, print_json, print_lines, print_table

app = typer.Typer(no_args_is_help=True, help="Keys of callers: create, list, rotate, revoke.")

Reason = Annotated[str, typer.Option(help="Why, for the audit (GET /v1/audit).")]
Json = Annotated[bool, typer.Option("--json", help="Write JSON.")]


@app.command()
def create(
    context: typer.Context,
    name: Annotated[str, typer.Option(help="Who uses it, as shop or newsletter.")],
    scope: Annotated[str, typer.Option(help="Of read, write, curate, operate, by commas.")],
    expires: Annotated[
        str | None, typer.Option(help="How long it is valid, as 90d; else until it is revoked.")
    ] = None,
    rate: Annotated[
        str | None, typer.Option(help="Its limit over all gateways, as 200/s or 5000/h.")
    ] = None,
    reason: Reason = "",
) -> None:
    """Create a key and print it, once: only a digest of it is stored.

    marquee keys create --name shop --scope read,write --expires 90d --rate 200/s
    """
    lifetime = None if expires is None else parse_duration(expires)
    limit = None if rate is None else Rate.parse(rate)
    key, text = create_key(name, parse_scopes(scope), lifetime, limit)
    with _store(context, reason) as store:
        store.add(key)
    _show_new(context.obj, key, text)


@app.command("list")
def list_(context: typer.Context, as_json: Json = False) -> None:
    """List the keys, those that are no longer valid too."""
    with _store(context) as store:
        keys = store.all()
    if as_json:
        print_json([key.model_dump(mode="json", exclude={"digest"}) for key in keys])
        return
    now = datetime.now(UTC)
    columns = ("id", "name", "scopes", "rate", "created", "expires", "state")
    print_table(columns, [_row(key, now) for key in keys])
    if not keys:
        context.obj.say("no keys yet", "marquee keys create --name shop --scope read,write")


@app.command()
def rotate(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Whose key.")],
    overlap: Annotated[str, typer.Option(help="How long the one before stays valid.")] = "1d",
    reason: Reason = "",
) -> None:
    """Give a caller a new key of the same scopes; the one before stays valid for a while."""
    duration = parse_duration(overlap)
    with _store(context, reason) as store:
        key, text = store.rotate(name, duration)
    _show_new(context.obj, key, text)
    context.obj.say(f"the key before it is valid for {overlap} from now, at most")


@app.command()
def revoke(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="The name of a caller, or the id of one key.")],
    reason: Reason = "",
) -> None:
    """End all keys of a caller, or one key, on every gateway within a second."""
    with _store(context, reason) as store:
        ended = store.revoke(name)
    context.obj.say(f"revoked: {', '.join(f'{key.name} ({key.id})' for key in ended)}")


@contextmanager
def _store(context: typer.Context, reason: str = "") -> Iterator[KeyStore]:
    session: Session = context.obj
    settings = session.settings
    if reason and not REASON.allows(reason):
        raise InvalidInput(f"reason: {REASON.rule}")
    who = Who(getpass.getuser(), reason, settings.audit_entries)
    store = KeyStore(settings.redis_address, settings.namespace, who)
    try:
        yield store
    finally:
        store.close()


def _show_new(session: Session, key: ApiKey, text: str) -> None:
    until = f"until {key.expires:%Y-%m-%d %H:%M} UTC" if key.expires else "until it is revoked"
    limit = f", {key.rate}" if key.rate else ""
    session.say(f"{key.name}: {', '.join(key.scopes)}{limit}, {until}; it is not shown again")
    print_lines([text])


def _row(key: ApiKey, now: datetime) -> tuple[str, ...]:
    expires = f"{key.expires:%Y-%m-%d %H:%M}" if key.expires else "never"
    return (
        key.id,
        key.name,
        ",".join(key.scopes),
        str(key.rate or "none"),
        f"{key.created:%Y-%m-%d %H:%M}",
        expires,
        key.refusal(now) or "valid",
    )
