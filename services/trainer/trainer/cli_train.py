"""`marquee train` and `marquee evaluate`."""

from pathlib import Path
from typing import Annotated

import typer

from trainer.parameters import FILE
from trainer.terminal import (
    Session,
    print_json,
    print_lines,
    print_table,
    stage_progress,
    stage_row,
)
from trainer.trainings import TrainingRecord

Json = Annotated[bool, typer.Option("--json", help="Write the record of the training as JSON.")]


def train(
    context: typer.Context,
    only: Annotated[
        str, typer.Option(help="Stages, with commas between: content,hybrid,user-model,neural.")
    ] = "",
    publish: Annotated[bool, typer.Option(help="Let the services take the new versions.")] = True,
    parameters: Annotated[
        Path, typer.Option("--params", help="File with the models' parameters.")
    ] = FILE,
    as_json: Json = False,
) -> None:
    """Train models on the history and publish them.

    marquee train --only content,hybrid,user-model

    Without --only: every model that can be trained here, and the evaluation.
    """
    from trainer.parameters import read_parameters
    from trainer.running import Order, run
    from trainer.stages import STAGES

    session: Session = context.obj
    names = tuple(name.strip() for name in only.split(",") if name.strip())
    values = read_parameters(parameters)
    with stage_progress(session) as progress:
        record = run(STAGES, session.settings, Order(names, publish), values, progress)
    if as_json:
        print_json(record.model_dump(mode="json"))
    else:
        _print(session, record)


def evaluate(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON.")] = False,
) -> None:
    """Measure each route on the viewers that it serves, against popularity, ItemKNN, ALS, EASE."""
    from importlib import import_module

    session: Session = context.obj
    import_module("trainer.evaluate").main(session.settings, as_json)


def _print(session: Session, record: TrainingRecord) -> None:
    print_table(
        ("stage", "status", "time", "peak", "result"), [stage_row(s) for s in record.stages]
    )
    print_lines([f"published {name} {version}" for name, version in record.versions.items()])
    print_lines([f"refused {name}: {reason}" for name, reason in record.refused.items()])
    print_lines([f"kept {name} in {path}" for name, path in record.bundles.items()])
    session.say(f"training {record.training_id} is done; next: marquee models list")
