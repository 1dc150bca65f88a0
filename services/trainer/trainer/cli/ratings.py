"""`marquee ratings`: a person's own ratings, brought in from an export of a film site."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from marquee.counts import counted
from marquee.domain.ids import id_text, parse_id_text
from marquee.errors import InvalidInput
from trainer.cli.terminal import Session, print_json, print_lines, stage_progress

if TYPE_CHECKING:  # the help loads no reader of exports
    from trainer.operations.own_ratings import OwnRatingsImport
    from trainer.own_ratings.report import OwnRatingsReport

app = typer.Typer(no_args_is_help=True, help="A person's own ratings, from an export.")


@app.callback()
def group() -> None:
    """Keep `import` a subcommand, though it is the only one."""


@app.command("import")
def import_(
    context: typer.Context,
    file: Annotated[
        Path | None, typer.Argument(help="An export: a zip, a folder, or one file.")
    ] = None,
    user: Annotated[str | None, typer.Option(metavar="ID", help="Whose ratings they are.")] = None,
    links: Annotated[
        Path | None, typer.Option(help="Table movieId,imdbId,tmdbId, or a zip that has links.csv.")
    ] = None,
    pending: Annotated[bool, typer.Option("--pending", help="Match kept films again now.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Publish and keep nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON that names all.")] = False,
) -> None:
    """Bring in a person's ratings from Letterboxd, IMDb, Trakt or MovieLens.

    marquee ratings import letterboxd.zip --user 42 --dry-run

    Films are matched by ids, else by title and year; what is not sure is named and not taken. What
    the catalogue does not have is kept, and matched again as the catalogue changes, or at once by
    --pending. A second import of the same file changes nothing.
    """
    from trainer.operations.own_ratings import OwnRatingsImport

    if (file is None) is not pending:
        raise InvalidInput("FILE: name an export, or give --pending for films kept from before")
    if user is None and not pending:
        raise InvalidInput("--user: say whose ratings they are, as --user 42")
    session: Session = context.obj
    importer = OwnRatingsImport(session.settings, links)
    try:
        users = importer.users() if user is None else [_user_of(user)]
        reports = [_run(session, importer, file, user_id, dry_run) for user_id in users]
    finally:
        importer.close()
    if as_json:
        print_json([r.as_json() for r in reports] if pending else reports[0].as_json())
    else:
        _show(reports, pending)


def _user_of(text: str) -> int:
    try:
        return parse_id_text(text)
    except ValueError as error:
        raise InvalidInput(f"--user {text!r}: {error}", "user") from None


def _run(
    session: Session, importer: "OwnRatingsImport", file: Path | None, user_id: int, is_dry: bool
) -> "OwnRatingsReport":
    with stage_progress(session) as stages:

        def progress(sent: int, of: int) -> None:
            stages("publish", sent / of, f"{sent:,} of {counted(of, 'event')}")

        if file is None:
            return importer.retry(user_id, is_dry, progress)
        return importer.run(file, user_id, is_dry, progress)


def _show(reports: "list[OwnRatingsReport]", pending: bool) -> None:
    for report in reports:
        if pending:
            print_lines([f"viewer {id_text(report.user_id)}:"])
        print_lines(list(report.lines()))
    if not reports:
        print_lines(["no films are kept"])
