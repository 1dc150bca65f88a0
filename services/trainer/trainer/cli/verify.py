"""`marquee verify`, `rebuild` and `erasure`: check, refill and search the stores."""

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from marquee.counts import counted
from marquee.domain.ids import as_given
from marquee.errors import InvalidInput
from trainer.cli.id_argument import Id, id_argument
from trainer.cli.terminal import Session, print_json, print_lines, print_table

if TYPE_CHECKING:  # the help loads no reader of the history
    from trainer.operations.verify import Verdict
    from trainer.operations.verify_derived import RowsVerdict

_SHOWN = 12
_NAMED = 5
_RECEIPT_WIDTH = 100

Services = Annotated[
    list[str] | None, typer.Option("--service", help="Only this one; may be given again.")
]


def verify(
    context: typer.Context,
    service: Services = None,
    rows: Annotated[
        bool, typer.Option("--rows", help="Compare derived rows with the models too.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON, digests in full.")] = False,
) -> None:
    """Compare the facts of each service: live, replayed from the log, restored from a snapshot.

    Reads only, in small pages, at the position that each partition has at that moment: it may run
    beside consumers at work. Exit status 1 where facts differ.
    """
    from trainer.operations.verify import Verification

    session: Session = context.obj
    verification = Verification(session.settings)
    try:
        verdicts = list(verification.run(select_services(service)))
    finally:
        verification.close()
    if as_json:
        print_json([_as_json(verdict) for verdict in verdicts])
    else:
        _print(verdicts)
    good = _print_rows(session, select_services(service)) if rows and not as_json else True
    if not good or not all(verdict.equal for verdict in verdicts):
        raise typer.Exit(1)


def _print_rows(session: Session, services: list[str]) -> bool:
    """Print the verdicts on derived rows; return whether no row is missing or stale."""
    from trainer.operations.verify_derived import verify_rows

    verdicts = list(verify_rows(session.settings, services))
    columns = ("service", "partition", "version", "complete", "checked", "missing", "stale")
    print_table(columns, [_rows_row(verdict) for verdict in verdicts])
    return all(verdict.good for verdict in verdicts)


def _rows_row(verdict: "RowsVerdict") -> tuple[str, ...]:
    complete = "yes" if verdict.complete else "not yet"
    counts = (verdict.checked, verdict.missing, verdict.stale)
    return verdict.service, str(verdict.partition), verdict.version, complete, *map(str, counts)


def rebuild(
    context: typer.Context,
    service: Services = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Also where there are facts already.")
    ] = False,
) -> None:
    """Fill Redis anew by the newest snapshot of the history and the log.

    Consumers may run: they wait for their partitions and go on from there; derived rows follow by
    them. Run it again when it was interrupted.
    """
    from trainer.operations.rebuild import Rebuilder

    session: Session = context.obj
    services = [name for name in select_services(service) if name != "trainer"]
    rebuilder = Rebuilder(session.settings)
    started = time.perf_counter()
    try:
        rebuilt = list(rebuilder.run(services, replace))
    finally:
        rebuilder.close()
    rows = [
        (r.service, str(r.partition), str(r.position), str(r.facts), f"{r.seconds:.2f}")
        for r in rebuilt
    ]
    print_table(("service", "partition", "position", "facts", "seconds"), rows)
    seconds = time.perf_counter() - started
    print_lines([f"{counted(len(rebuilt), 'partition')} rebuilt in {seconds:.1f} s"])


def erasure(
    context: typer.Context,
    user_id: Annotated[Id, id_argument("The user who was erased.")],
    finish: Annotated[
        bool,
        typer.Option("--finish", help="First clean history, kept films and dead letters."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON.")] = False,
) -> None:
    """Show the receipt of an erasure: each store with the date since when it holds nothing.

    Every store is looked through for the viewer each time. Exit status 1 while some are pending.
    """
    from trainer.operations.erasure import ErasureReceipts

    session: Session = context.obj
    receipts = ErasureReceipts(session.settings)
    try:
        if finish:
            receipts.finish(user_id)
        stores = receipts.receipt(user_id)
    finally:
        receipts.close()
    if as_json:
        items = [{"store": s.store, "since": s.since, "left": s.left or None} for s in stores]
        print_json({"user_id": as_given(user_id), "stores": items})
    else:
        rows = [(store.store, store.since or "pending", store.left) for store in stores]
        print_table(("store", "holds nothing since", "what is left"), rows, _RECEIPT_WIDTH)
    if any(store.left for store in stores):
        raise typer.Exit(1)


def select_services(services: list[str] | None) -> list[str]:
    """Return the given services, or all if there are none.

    Raises:
        InvalidInput: A service is unknown.
    """
    from marquee.consumer.handlers.by_service import FACTS_BY_SERVICE

    for name in services or ():
        if name not in FACTS_BY_SERVICE:
            raise InvalidInput(
                f"no service {name!r}; there are: {', '.join(FACTS_BY_SERVICE)}", "service"
            )
    return services or list(FACTS_BY_SERVICE)


def _print(verdicts: "list[Verdict]") -> None:
    columns = ("service", "partition", "position", "lag", "live", "replayed", "restored", "equal")
    print_table(columns, [_row(verdict) for verdict in verdicts])
    for verdict in verdicts:
        where = f"{verdict.service} {verdict.partition}"
        if verdict.differing:
            unnamed = len(verdict.differing) - _NAMED
            more = f" and {unnamed} more" if unnamed > 0 else ""
            print_lines([f"{where}: differs in {', '.join(verdict.differing[:_NAMED])}{more}"])
        if verdict.note:
            print_lines([f"{where}: {verdict.note}"])
    bad = sum(not verdict.equal for verdict in verdicts)
    print_lines([f"{len(verdicts) - bad} of {counted(len(verdicts), 'partition')} equal"])


def _row(verdict: "Verdict") -> tuple[str, ...]:
    position = "" if verdict.position is None else str(verdict.position)
    digests = (verdict.live, verdict.replayed, verdict.restored)
    shown = (digest[:_SHOWN] or "-" for digest in digests)
    equal = "yes" if verdict.equal else "NO"
    return (verdict.service, str(verdict.partition), position, str(verdict.lag), *shown, equal)


def _as_json(verdict: "Verdict") -> dict[str, Any]:
    return {
        "service": verdict.service,
        "partition": str(verdict.partition),
        "position": verdict.position,
        "lag": verdict.lag,
        "live": verdict.live,
        "replayed": verdict.replayed or None,
        "restored": verdict.restored or None,
        "equal": verdict.equal,
        "differing": list(verdict.differing),
        "note": verdict.note or None,
    }
