"""`marquee inspect` and `marquee doctor`: views of a movie or user, lists, and checks."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from marquee.counts import counted
from marquee.domain.ids import as_given, id_text
from marquee.errors import NotFound
from trainer.cli.id_argument import Id, IdCommand, id_argument
from trainer.cli.terminal import Session, print_json, print_lines, print_table

app = typer.Typer(
    no_args_is_help=True, help="What each service holds of a film or a viewer; lists."
)

Json = Annotated[bool, typer.Option("--json", help="Write JSON, vectors in full.")]
ItsId = Annotated[Id, id_argument("Its id.")]

_SHOWN = 5


@app.command(cls=IdCommand)
def movie(context: typer.Context, movie_id: ItsId, as_json: Json = False) -> None:
    """Show each service's facts, vector, cluster, version and position of a film."""
    _inspect(context.obj, "movie", movie_id, as_json)


@app.command(cls=IdCommand)
def user(context: typer.Context, user_id: ItsId, as_json: Json = False) -> None:
    """Show each service's facts, code, cluster, version and position of a viewer."""
    _inspect(context.obj, "user", user_id, as_json)


@app.command()
def lists(
    context: typer.Context,
    data: Annotated[Path, typer.Option(help="A MovieLens release.")] = Path(
        "data/ml-latest-small.zip"
    ),
    examples: Annotated[
        Path, typer.Option(help="Films and sessions, with what is expected.")
    ] = Path("tests/quality/lists.yaml"),
    series: Annotated[Path, typer.Option(help="Films of series.")] = Path(
        "tests/quality/series.csv"
    ),
    docs: Annotated[Path | None, typer.Option(help="Write the page to a Markdown file.")] = None,
) -> None:
    """Train, and show the lists of well-known films and short sessions: minutes."""
    from trainer.datasets.reader import read_dataset
    from trainer.evaluation.lists.page import write_page
    from trainer.models.parameters import read_parameters

    session: Session = context.obj
    dataset, _ = read_dataset(data)
    parameters = read_parameters(session.settings.params)
    page = write_page(
        dataset, parameters, session.settings.diversity, examples, series, f"{data.name}"
    )
    if docs is None:
        print_lines([page])
    else:
        docs.write_text(page)
        session.say(f"wrote {docs}")


def doctor(context: typer.Context, as_json: Json = False) -> None:
    """Look for what would keep Marquee from running, and say how to mend it."""
    from trainer.operations.doctor import examine

    session: Session = context.obj
    findings = examine(session.settings)
    if as_json:
        print_json([finding.as_json() for finding in findings])
    else:
        rows = [(f.state, f.subject, f.text, f.remedy) for f in findings]
        print_table(("", "what", "found", "remedy"), rows)
    if any(finding.state == "bad" for finding in findings):
        raise typer.Exit(2)


def _inspect(session: Session, kind: str, entity: int, as_json: bool) -> None:
    from trainer.operations.inspection import Inspection

    inspection = Inspection(session.settings)
    try:
        views = [view.as_json() for view in getattr(inspection, kind)(entity)]
    finally:
        inspection.close()
    if as_json:
        print_json({kind: as_given(entity), "services": views})
    check_known(kind, entity, views)
    if as_json:
        return
    print_lines([f"{kind} {id_text(entity)}"])
    for view in views:
        print_lines(_lines(view))


def check_known(kind: str, entity: int, views: Sequence[Mapping[str, Any]]) -> None:
    """Check that some service holds anything of a movie or user.

    Raises:
        NotFound: None does.
    """
    if all(view["facts"] is None and view["vector"] is None for view in views):
        raise NotFound(
            f"no service holds anything of {kind} {id_text(entity)}: the id is another one, or the"
            " consumers have not come to its events yet"
        )


def _lines(view: dict[str, Any]) -> list[str]:
    lines = [f"{view['service']}  {view['partition']}  position {view['position']}"]
    if view["version"]:
        lines.append(f"  version  {view['version']}")
    for name, value in (view["facts"] or {}).items():
        text = str(value)
        lines.append(f"  {name:<8} {text if len(text) <= 100 else text[:97] + '...'}")
    if view["vector"] is not None:
        numbers = " ".join(f"{value:.3f}" for value in view["vector"][:_SHOWN])
        more = " …" if len(view["vector"]) > _SHOWN else ""
        lines.append(f"  vector   {numbers}{more} ({counted(len(view['vector']), 'number')})")
        lines.append(f"  cluster  {view['cluster']}  from: {view['from']}")
    if view["segment"] is not None:
        lines.append(f"  segment  {view['segment']}")
    return lines
