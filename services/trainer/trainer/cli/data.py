"""`marquee data`: import, check, generate and download data sets."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import DownloadColumn, Progress, TransferSpeedColumn

from trainer.cli.terminal import Session, print_json, print_lines

if TYPE_CHECKING:
    from marquee.features.dataset import Dataset
    from trainer.datasets.movielens import ImportReport

app = typer.Typer(no_args_is_help=True, help="Import, check, generate and download data sets.")

Source = Annotated[Path, typer.Argument(help="A MovieLens release: a folder or a zip.")]
MaxBadShare = Annotated[
    float, typer.Option(min=0, max=1, help="Stop when more of a file's rows are malformed.")
]
Json = Annotated[bool, typer.Option("--json", help="Write JSON.")]


@app.command("import")
def import_(context: typer.Context, source: Source, max_bad_share: MaxBadShare = 0.01) -> None:
    """Make a data set the base of the history, from which models and profiles are made.

    marquee data import data/ml-latest-small.zip
    """
    from trainer.datasets.movielens import read_movielens
    from trainer.history.history import History

    session: Session = context.obj
    dataset, report = read_movielens(source, max_bad_share)
    history = History(session.settings.history, session.settings.partitions)
    snapshot = history.import_dataset(dataset)
    print_lines(_lines(dataset, report))
    session.say(f"imported into {snapshot.path}; next: marquee train")


@app.command()
def check(source: Source, max_bad_share: MaxBadShare = 0.01, as_json: Json = False) -> None:
    """Read a data set and report on it; nothing is written."""
    from trainer.datasets.movielens import read_movielens

    dataset, report = read_movielens(source, max_bad_share)
    if as_json:
        print_json(_as_json(dataset, report))
    else:
        print_lines(_lines(dataset, report))


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


def _lines(dataset: "Dataset", report: "ImportReport") -> list[str]:
    from trainer.datasets.rating_scale import rating_warnings

    lines = [f"{len(dataset):,} ratings of {len(dataset.movies):,} films"]
    lines += [f"warning: {warning}" for warning in rating_warnings(dataset)]
    for tally in report.files:
        words = f"{tally.file}: {tally.rows:,} rows"
        lines.append(words + (f", {tally.malformed:,} malformed" if tally.malformed else ""))
        lines += [f"  {example}" for example in tally.examples]
    left_out = {
        "ratings replaced by a later one": report.replaced,
        "ratings of unknown films": report.ratings_without_movie,
        "tags of unknown films": report.tags_without_movie,
    }
    lines += [f"left out: {count:,} {what}" for what, count in left_out.items() if count]
    lines += [f"unknown genre {name}: {n:,} films" for name, n in report.unknown_genres.items()]
    return lines


def _as_json(dataset: "Dataset", report: "ImportReport") -> dict[str, object]:
    from trainer.datasets.rating_scale import rating_warnings

    return {
        "ratings": len(dataset),
        "films": len(dataset.movies),
        "data_version": dataset.version,
        "warnings": rating_warnings(dataset),
        "replaced": report.replaced,
        "ratings_without_film": report.ratings_without_movie,
        "tags_without_film": report.tags_without_movie,
        "unknown_genres": report.unknown_genres,
        "files": [
            {
                "file": tally.file,
                "rows": tally.rows,
                "malformed": tally.malformed,
                "examples": [str(example) for example in tally.examples],
            }
            for tally in report.files
        ],
    }
