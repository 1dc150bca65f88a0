"""`marquee models`: list, show, check and compare versions, and roll back."""

import getpass
import sys
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from marquee.audit.entries import REASON, AuditEntry
from marquee.errors import InvalidInput
from marquee.registry.bundle import Manifest
from marquee.registry.registry import Registry
from marquee.store.audited_command import audited_command
from trainer.cli.terminal import Session, print_json, print_lines, print_table
from trainer.models.artifact_check import check_artifacts
from trainer.models.diff import Change, changes, find_version
from trainer.models.versions import (
    ModelVersions,
    list_models,
    read_model,
    roll_back,
    rollback_target,
)
from trainer.tracking.mlflow import mirror_rollback

app = typer.Typer(no_args_is_help=True, help="Model versions: list, show, compare, roll back.")

Json = Annotated[bool, typer.Option("--json", help="Write JSON.")]
Name = Annotated[str, typer.Argument(help="content, hybrid, user-model or neural.")]
Reason = Annotated[str, typer.Option(help="Why, for the audit (GET /v1/audit).")]
Version = Annotated[str | None, typer.Argument(help="A version.")]


@app.command("list")
def list_(context: typer.Context, as_json: Json = False) -> None:
    """List the versions of every model; `*` marks the one that serves."""
    session: Session = context.obj
    models = list_models(session.settings)
    if as_json:
        print_json([model.as_json() for model in models])
        return
    rows = [_row(model, manifest) for model in models for manifest in reversed(model.versions)]
    print_table(("model", "version", "serves", "created", "data", "code", "metrics"), rows)
    if not rows:
        session.say("no versions yet", "marquee train")


@app.command()
def show(
    context: typer.Context, name: Name, version: Version = None, as_json: Json = False
) -> None:
    """Show what a version says of itself, by default the one that serves, else the newest."""
    session: Session = context.obj
    model = read_model(session.settings, name)
    selected = _selected(model, version)
    manifest = Registry(session.settings.registry).manifest(name, selected)
    if as_json:
        print_json(manifest.model_dump(mode="json") | {"serving": model.serving == selected})
        return
    state = "serves" if model.serving == selected else "does not serve"
    print_lines([f"{name} {selected} ({state})", *_lines(manifest)])


@app.command()
def check(
    context: typer.Context,
    name: Annotated[str | None, typer.Argument(help="A model; without it all of them.")] = None,
    version: Version = None,
    as_json: Json = False,
) -> None:
    """Load versions by their checksums, and see that serving uses each artifact with a name.

    By default those that serve, else the newest. Exit status 2: an artifact is missing or ill.
    """
    session: Session = context.obj
    registry = Registry(session.settings.registry)
    names = [name] if name else [m.name for m in list_models(session.settings) if m.versions]
    manifests = [
        registry.manifest(n, _selected(read_model(session.settings, n), version)) for n in names
    ]
    findings = [
        finding for manifest in manifests for finding in check_artifacts(registry, manifest)
    ]
    if as_json:
        print_json([finding.as_json() for finding in findings])
    else:
        rows = [(f.model, f.file, f.sha256[:12], f.fault or "ok", f.use) for f in findings]
        print_table(("model", "artifact", "sha256", "state", "what serving does with it"), rows)
    if not findings:
        session.say("no versions yet", "marquee train")
    if any(finding.fault for finding in findings):
        raise typer.Exit(2)


@app.command()
def diff(
    context: typer.Context,
    before: Annotated[str, typer.Argument(help="A version, or model/version.")],
    after: Annotated[str, typer.Argument(help="Another version of the same model.")],
    as_json: Json = False,
) -> None:
    """Compare two versions: parameters, metrics, data, code and files."""
    session: Session = context.obj
    registry = Registry(session.settings.registry)
    differences = changes(find_version(registry, before), find_version(registry, after))
    if as_json:
        print_json([change.as_json() for change in differences])
        return
    print_table(("", "what", "before", "after", "change"), [_change_row(c) for c in differences])
    if not differences:
        session.say("the two versions are equal")


@app.command()
def rollback(
    context: typer.Context,
    name: Name,
    version: Version = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    reason: Reason = "",
) -> None:
    """Let an earlier version serve again, by default the one before the serving one."""
    session: Session = context.obj
    if not REASON.allows(reason or "-"):
        raise InvalidInput(f"reason: {REASON.rule}")
    if not yes and sys.stdin.isatty():
        typer.confirm(f"Roll {name} back to {version or 'the version before'}?", abort=True)
    target = rollback_target(session.settings, name, version)
    with _audited(session, name, reason) as outcome:
        data = roll_back(session.settings, name, target)
        outcome["after"] = {"version": data.version}
    mirror_rollback(session.settings, name, data.version)
    print_lines([f"{name} {data.version} serves again"])


def _audited(session: Session, name: str, reason: str) -> AbstractContextManager[dict[str, Any]]:
    entry = AuditEntry(
        at=datetime.now(UTC),
        actor=getpass.getuser(),
        authtype="system",
        action="model.rolled_back",
        subject=name,
        reason=reason,
        before={"version": read_model(session.settings, name).serving},
    )
    settings = session.settings
    return audited_command(
        settings.redis_address, settings.namespace, settings.audit_entries, entry
    )


def _selected(model: ModelVersions, version: str | None) -> str:
    """Return the given version, else the serving one, else the newest."""
    return version or model.serving or (model.versions[-1].version if model.versions else "")


def _change_row(change: Change) -> tuple[str, ...]:
    texts = [_shown(change, value) for value in (change.before, change.after)]
    delta = "" if change.delta is None else f"{change.delta:+.4g}"
    return change.kind, change.key, *texts, delta


def _shown(change: Change, value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.6g}"
    # A few digits of a checksum are enough to tell two apart.
    return str(value)[:12] if change.kind in ("about", "file") else str(value)


def _row(model: ModelVersions, manifest: Manifest) -> tuple[str, ...]:
    return (
        model.name,
        manifest.version,
        "*" if manifest.version == model.serving else "",
        manifest.created[:19],
        manifest.data_version[:8],
        manifest.code_version,
        ", ".join(f"{key} {value:.4g}" for key, value in list(manifest.metrics.items())[:4]),
    )


def _lines(manifest: Manifest) -> list[str]:
    lines = [
        f"created       {manifest.created}",
        f"data version  {manifest.data_version}",
        f"code version  {manifest.code_version}",
        f"digest        {manifest.digest}",
    ]
    lines += [f"parameter     {key}: {value}" for key, value in manifest.parameters.items()]
    lines += [f"metric        {key}: {value:.6g}" for key, value in manifest.metrics.items()]
    lines += [f"cut           {key}: {value}" for key, value in manifest.cut.items()]
    lines += [f"file          {sha256[:12]}  {name}" for name, sha256 in manifest.files.items()]
    return lines
