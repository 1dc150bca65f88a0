"""`marquee data`: import, check, export, generate and download data sets."""

from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.progress import DownloadColumn, Progress, TransferSpeedColumn

from marquee.counts import counted
from marquee.errors import InvalidInput
from marquee.snapshots.format import Snapshot
from trainer.cli.terminal import Session, print_json, print_lines

app = typer.Typer(
    no_args_is_help=True, help="Import, check, export, generate and download data sets."
)

Sources = Annotated[
    list[Path], typer.Argument(help="A folder, a zip, or files: tables of films and of ratings.")
]
MaxLoss = Annotated[
    str, typer.Option(help="Write nothing when a larger share of rows is lost for one cause.")
]
Encoding = Annotated[str | None, typer.Option(help="Of the text, as cp1251; else recognised.")]
Separator = Annotated[
    str | None, typer.Option(help="Of fields, as semicolon or tab; else recognised.")
]
Columns = Annotated[
    str | None, typer.Option(help="Columns by name, as rating=score,user=uid; else recognised.")
]
ScaleOf = Annotated[str | None, typer.Option("--scale", help="Of the ratings, as 1-10 or 0-100.")]
Likes = Annotated[bool, typer.Option("--likes", help="Every row of ratings is a like.")]
DateOrderOf = Annotated[
    str | None,
    typer.Option("--date-order", help="day-first or month-first, as 31.12.2024; else recognised."),
]
Replace = Annotated[bool, typer.Option("--replace", help="In place of all that is there.")]
Append = Annotated[
    bool, typer.Option("--append", help="Beside what is there; of two ratings the newer one wins.")
]
LoseEvents = Annotated[
    bool, typer.Option("--lose-events", help="With --replace: events that were collected may go.")
]
Form = Literal["csv", "parquet"]
Json = Annotated[bool, typer.Option("--json", help="Write JSON.")]


@app.command("import")
def import_(  # noqa: PLR0913 (each is an option of the command)
    context: typer.Context,
    sources: Sources,
    max_loss: MaxLoss = "1%",
    encoding: Encoding = None,
    separator: Separator = None,
    columns: Columns = None,
    scale: ScaleOf = None,
    likes: Likes = False,
    date_order: DateOrderOf = None,
    replace: Replace = False,
    append: Append = False,
    lose_events: LoseEvents = False,
) -> None:
    """Make a data set the base of the history, from which models and profiles are made.

    marquee data import data/ml-latest-small.zip

    marquee data import newer-ratings.csv --append
    """
    from trainer.datasets.files.options import ImportOptions
    from trainer.datasets.reader import read_dataset
    from trainer.history.base_data import check_no_loss
    from trainer.history.history import History

    session: Session = context.obj
    if (replace and append) or (lose_events and not replace):
        raise InvalidInput("--replace or --append: give one; --lose-events goes with --replace")
    options = ImportOptions.parse(max_loss, encoding, separator, columns, scale, likes, date_order)
    history = History(session.settings.history, session.settings.partitions)
    if replace and not lose_events:
        check_no_loss(history.cut())
    dataset, report = read_dataset(sources, options, history.movies() if append else None)
    if not (replace or append):
        snapshot = history.import_dataset(dataset)
        print_lines(report.lines(dataset))
        session.say(f"imported into {snapshot.path}", "marquee train")
        return
    snapshot, erased = (
        history.append_dataset(dataset) if append else history.replace_dataset(dataset, lose_events)
    )
    print_lines(report.lines(dataset, history.dataset()[0] if append else None))
    _tell_changed(session, snapshot, erased)


def _tell_changed(session: Session, snapshot: Snapshot, erased: int) -> None:
    """Tell what the data set is now, and what has to follow."""
    if erased:
        print_lines([f"left out: {counted(erased, 'rating')} of users who were erased"])
    manifest = snapshot.manifest
    size = f"{counted(manifest.ratings, 'rating')} of {counted(manifest.films, 'film')}"
    session.say(
        f"{snapshot.path} has {size}",
        "marquee rebuild --replace if services have run on this state, then marquee train",
    )


@app.command()
def check(  # noqa: PLR0913 (each is an option of the command)
    sources: Sources,
    max_loss: MaxLoss = "1%",
    encoding: Encoding = None,
    separator: Separator = None,
    columns: Columns = None,
    scale: ScaleOf = None,
    likes: Likes = False,
    date_order: DateOrderOf = None,
    as_json: Json = False,
) -> None:
    """Read a data set and report on it as an import would; nothing is written."""
    from trainer.datasets.files.options import ImportOptions
    from trainer.datasets.reader import read_dataset

    options = ImportOptions.parse(max_loss, encoding, separator, columns, scale, likes, date_order)
    dataset, report = read_dataset(sources, options)
    if as_json:
        print_json(report.as_json(dataset))
    else:
        print_lines(report.lines(dataset))


@app.command()
def export(
    context: typer.Context,
    directory: Annotated[Path, typer.Argument(help="Folder to write into: a new or empty one.")],
    form: Annotated[Form, typer.Option("--format", help="Of the tables.")] = "csv",
) -> None:
    """Write ratings and films of the history as tables, which an import takes back as they were.

    marquee data export exported --format parquet
    """
    from trainer.datasets.exports.export import export_dataset, export_lines
    from trainer.history.history import History

    session: Session = context.obj
    dataset, _ = History(session.settings.history, session.settings.partitions).dataset()
    export_dataset(dataset, directory, form)
    print_lines(list(export_lines(dataset, form)))
    session.say(f"exported into {directory}; marquee data import {directory} takes it back")


@app.command()
def generate(
    context: typer.Context,
    directory: Annotated[Path, typer.Argument(help="Folder to write into.")],
    users: Annotated[int, typer.Option(min=1)] = 1000,
    movies: Annotated[int, typer.Option(min=1)] = 2000,
    ratings: Annotated[int, typer.Option(min=1)] = 100_000,
    seed: Annotated[int, typer.Option(min=0)] = 1,
    genome_tags: Annotated[int, typer.Option(min=0, help="Tags of a tag genome.")] = 0,
) -> None:
    """Write a data set with latent structure in the format of MovieLens."""
    from trainer.datasets.synthetic import generate as write

    write(users, movies, ratings, seed, directory, genome_tags)
    session: Session = context.obj
    session.say(f"wrote {counted(ratings, 'rating')}", f"marquee data import {directory}")


@app.command()
def download(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="A release, such as ml-25m.")],
    directory: Annotated[Path, typer.Option("--to", help="Folder to write into.")] = Path("data"),
) -> None:
    """Fetch a MovieLens release from where it is published, and check what arrived."""
    from trainer.datasets.download import download as fetch

    session: Session = context.obj
    columns = (*Progress.get_default_columns(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, disable=session.quiet) as progress:
        task = progress.add_task(name, total=None)
        path = fetch(
            name,
            directory,
            progress=lambda arrived, total: progress.update(task, completed=arrived, total=total),
        )
    print_lines([str(path)])
    session.say("", f"marquee data import {path}")
