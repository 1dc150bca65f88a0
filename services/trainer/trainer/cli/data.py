"""`marquee data`: import, check, generate and download data sets."""

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import DownloadColumn, Progress, TransferSpeedColumn

from trainer.cli.terminal import Session, print_json, print_lines

app = typer.Typer(no_args_is_help=True, help="Import, check, generate and download data sets.")

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
Json = Annotated[bool, typer.Option("--json", help="Write JSON.")]


@app.command("import")
def import_(
    context: typer.Context,
    sources: Sources,
    max_loss: MaxLoss = "1%",
    encoding: Encoding = None,
    separator: Separator = None,
    columns: Columns = None,
    scale: ScaleOf = None,
    likes: Likes = False,
) -> None:
    """Make a data set the base of the history, from which models and profiles are made.

    marquee data import data/ml-latest-small.zip
    """
    from trainer.datasets.options import ImportOptions
    from trainer.datasets.reader import read_dataset
    from trainer.history.history import History

    session: Session = context.obj
    options = ImportOptions.parse(max_loss, encoding, separator, columns, scale, likes)
    dataset, report = read_dataset(sources, options)
    history = History(session.settings.history, session.settings.partitions)
    snapshot = history.import_dataset(dataset)
    print_lines(report.lines(dataset))
    session.say(f"imported into {snapshot.path}; next: marquee train")


@app.command()
def check(
    sources: Sources,
    max_loss: MaxLoss = "1%",
    encoding: Encoding = None,
    separator: Separator = None,
    columns: Columns = None,
    scale: ScaleOf = None,
    likes: Likes = False,
    as_json: Json = False,
) -> None:
    """Read a data set and report on it as an import would; nothing is written."""
    from trainer.datasets.options import ImportOptions
    from trainer.datasets.reader import read_dataset

    options = ImportOptions.parse(max_loss, encoding, separator, columns, scale, likes)
    dataset, report = read_dataset(sources, options)
    if as_json:
        print_json(report.as_json(dataset))
    else:
        print_lines(report.lines(dataset))


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
    session.say(f"wrote {ratings:,} ratings; next: marquee data import {directory}")


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
    session.say(f"next: marquee data import {path}")
