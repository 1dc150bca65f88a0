"""The command `marquee`: its groups of subcommands, and the options of the root."""

import os
import signal
import sys
import traceback
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn

import typer
from typer.core import TyperGroup

from marquee.domain.likes import use_likes
from marquee.errors import MarqueeError, SettingsError
from marquee.requirements.state_folder import place_fault, state_results
from marquee.settings import read, with_state_file
from trainer.cli import (
    acl,
    data,
    dead_letters,
    inspect,
    kafka,
    keys,
    models,
    publish,
    ratings,
    schemas,
    train,
    verify,
)
from trainer.cli.id_argument import IdCommand
from trainer.cli.terminal import Session, log_to_stderr, print_error


class RootGroup(TyperGroup):
    """The root of the command: what a user can mend is one line on stderr and exit status 2."""

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]
        try:
            return super().invoke(ctx)
        except (MarqueeError, OSError) as error:
            line = str(error) if isinstance(error, MarqueeError) else place_fault(error)
            if line is None:
                raise
            if ctx.params.get("debug"):
                traceback.print_exc()
            print_error(f"marquee: {' '.join(line.split()).rstrip('.')}")
            raise typer.Exit(2) from None


app = typer.Typer(
    cls=RootGroup, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode="rich"
)
app.add_typer(data.app, name="data")
app.add_typer(ratings.app, name="ratings")
app.add_typer(models.app, name="models")
app.add_typer(inspect.app, name="inspect")
app.add_typer(keys.app, name="keys")
app.add_typer(kafka.app, name="kafka")
app.add_typer(dead_letters.app, name="dead")
app.command("acl")(acl.acl)
app.command("publish")(publish.publish)
app.command("train")(train.train)
app.command("stage")(train.stage)
app.command("tidy")(train.tidy)
app.command("tune")(train.tune)
app.command("evaluate")(train.evaluate)
app.command("verify")(verify.verify)
app.command("rebuild")(verify.rebuild)
app.command("erasure", cls=IdCommand)(verify.erasure)
app.command("schemas")(schemas.schemas)
app.command("doctor")(inspect.doctor)


@app.callback()
def root(
    context: typer.Context,
    state: Annotated[
        Path | None, typer.Option(help="Folder for all that Marquee keeps [MARQUEE_STATE, var].")
    ] = None,
    bus: Annotated[
        Literal["redis", "kafka"] | None, typer.Option(help="Event bus [MARQUEE_BUS, redis].")
    ] = None,
    namespace: Annotated[
        str | None, typer.Option(help="Leads every key and topic [MARQUEE_NAMESPACE, marquee].")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No messages, no progress.")] = False,
    hints: Annotated[
        bool, typer.Option("--hints/--no-hints", help="Say which command may be next.")
    ] = True,
    debug: Annotated[bool, typer.Option(help="Log all, and show where an error arose.")] = False,
) -> None:
    """Data, trainings and model versions of Marquee.

    marquee data import data/ml-latest-small.zip

    marquee train --only content,hybrid,user-model

    marquee models list

    marquee inspect movie 1

    Every setting is also an environment variable MARQUEE_…; a flag wins. Exit status: 0 done, 1 a
    fault of ours, 2 something that you can mend, said in one line.
    """
    log_to_stderr("debug" if debug else "warning")
    settings = read(with_state_file(os.environ, state), state=state, bus=bus, namespace=namespace)
    use_likes(settings.likes)
    # The doctor reports on the folder itself.
    [folder, *_] = state_results(settings.state)
    if folder.at_start == "refuse" and context.invoked_subcommand != "doctor":
        raise SettingsError(folder.line, "state")
    context.obj = Session(settings, quiet, hints)


def _end(number: int, _frame: object) -> NoReturn:
    """End as Ctrl-C does: temporary files are deleted, and processes ended, on the way out."""
    signal.signal(number, signal.SIG_IGN)
    sys.exit(128 + number)


def main() -> None:
    """Run the command; an unexpected error is one line on stderr and exit status 1."""
    signal.signal(signal.SIGTERM, _end)
    try:
        app(prog_name="marquee")
    except Exception as error:
        if "--debug" in sys.argv:
            raise
        print_error(f"marquee: unexpected {type(error).__name__}: {error} (--debug shows where)")
        sys.exit(1)
