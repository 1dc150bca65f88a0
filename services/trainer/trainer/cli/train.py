"""`marquee train`, `stage`, `tidy`, `tune` and `evaluate`: trainings and their measurement."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from marquee.errors import InvalidInput
from trainer.cli.terminal import (
    Session,
    print_json,
    print_lines,
    print_table,
    stage_progress,
    stage_row,
)
from trainer.runs.records import TrainingRecord, TrainingRecords
from trainer.runs.training_lock import TrainingInProgress

if TYPE_CHECKING:
    from trainer.models.parameters import TrainingParameters
    from trainer.report.model import Protocol

PROTOCOLS = ("first", "cut", "random")

Json = Annotated[bool, typer.Option("--json", help="Write the record of the training as JSON.")]

Parameters = Annotated[
    Path | None, typer.Option("--params", help="File with the models' parameters.")
]


def train(
    context: typer.Context,
    only: Annotated[
        str, typer.Option(help="Stages, with commas between: content,hybrid,user-model,neural.")
    ] = "",
    publish: Annotated[bool, typer.Option(help="Let the services take the new versions.")] = True,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait for a training that is under way.")
    ] = False,
    parameters: Parameters = None,
    as_json: Json = False,
) -> None:
    """Train models on the history and publish them.

    marquee train --only content,hybrid,user-model

    Without --only: every model that can be trained here, and the evaluation.
    """
    from trainer.runs.options import TrainingOptions
    from trainer.runs.run import run
    from trainer.runs.stages import STAGES

    session: Session = context.obj
    names = tuple(name.strip() for name in only.split(",") if name.strip())
    options, values = TrainingOptions(names, publish), _parameters(session, parameters)
    if wait:
        _wait_for_others(session)
    with stage_progress(session) as progress:
        record = run(STAGES, session.settings, options, values, progress)
    if as_json:
        print_json(record.model_dump(mode="json"))
    else:
        _print(session, record)


def stage(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="data, a model, evaluate or publish.")],
    work: Annotated[Path, typer.Option(help="Folder that the stages share.")] = Path("pipeline"),
    data: Annotated[
        Path | None, typer.Option(help="A MovieLens release instead of the history.")
    ] = None,
    track: Annotated[
        bool, typer.Option("--track", help="Log to MLflow, under the folder's name.")
    ] = False,
    parameters: Parameters = None,
) -> None:
    """Run one stage of a training in a process of its own, as dvc.yaml and Airflow do.

    marquee stage data --data data/ml-latest-small.zip; marquee stage content
    """
    from trainer.runs.stage_process import StageRun, StageWork
    from trainer.runs.stages import STAGES

    session: Session = context.obj
    run = StageRun(session.settings, _parameters(session, parameters), StageWork(work), data, track)
    print_lines([f"{name}: {run.run(name, STAGES)}"])


def tidy(context: typer.Context) -> None:
    """Remove what is kept no longer: old versions, records, work folders; compact the history.

    Each training ends with it; a scheduler that runs the stages one by one calls it itself.
    """
    from trainer.runs.retention import tidy as sweep

    session: Session = context.obj
    try:
        with TrainingRecords(session.settings.state).locked("tidy", clear=False):
            print_lines(sweep(session.settings).lines() or ["nothing to remove"])
    except TrainingInProgress as error:
        session.say(f"nothing is removed now: {error}, and ends with it")


def tune(
    context: typer.Context,
    only: Annotated[str, typer.Option(help="Models, with commas between.")] = "",
    data: Annotated[
        Path | None, typer.Option(help="A MovieLens release instead of the history.")
    ] = None,
    parameters: Parameters = None,
) -> None:
    """Search for better parameters and write them into the file: hours, and never needed.

    Sizes, strengths and rates of each model are searched by optuna (TPE) and judged on validation
    users. Trials are kept: a search that was stopped goes on where it was.
    """
    from trainer.cli.evaluate import read_data
    from trainer.models.fitting import MODEL_FITS
    from trainer.tuning.tune import tune as find
    from trainer.tuning.tune import write_parameters

    session: Session = context.obj
    models = [name.strip() for name in only.split(",") if name.strip()] or list(MODEL_FITS)
    if unknown := [name for name in models if name not in MODEL_FITS]:
        raise InvalidInput(f"no model {unknown[0]}; there are {', '.join(MODEL_FITS)}", "only")
    dataset, values = read_data(session.settings, data), _parameters(session, parameters)
    found = find(dataset, session.settings, values, models, session.say)
    file = parameters or session.settings.params
    write_parameters(found, file)
    session.say(f"wrote {file}", "marquee train")


def evaluate(  # noqa: PLR0913 (each is an option of the command)
    context: typer.Context,
    folds: Annotated[
        int, typer.Option(min=0, help="Folds of users, of ten; 0: predicted ratings alone.")
    ] = 2,
    quick: Annotated[bool, typer.Option("--quick", help="One fold, fewer sizes.")] = False,
    protocol: Annotated[
        str,
        typer.Option(
            help="Which ratings of a viewer are known: first (in time), cut (all before a cut), "
            "random; with commas between."
        ),
    ] = ",".join(PROTOCOLS),
    data: Annotated[
        Path | None, typer.Option(help="A MovieLens release instead of the history.")
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Processes that share the work.")] = 1,
    ratings: Annotated[
        int, typer.Option(min=0, help="Splits to measure predicted ratings on; 5 in full.")
    ] = 0,
    parameters: Parameters = None,
    as_json: Annotated[bool, typer.Option("--json", help="Write the report as JSON.")] = False,
    docs: Annotated[
        Path | None, typer.Option(help="Write the report, explained, to a Markdown file.")
    ] = None,
) -> None:
    """Measure each route on the viewers that it serves, against popularity and tuned rivals.

    marquee evaluate --folds 1 --protocol first

    What was measured is kept: a run that was stopped goes on where it was.
    """
    from marquee import telemetry
    from trainer.cli.evaluate import EvaluationOptions, main
    from trainer.evaluation.plan import EvaluationPlan

    session: Session = context.obj
    telemetry.log_to_stderr()
    plan = EvaluationPlan.of(folds, quick, ratings, _protocols(protocol))
    options = EvaluationOptions(plan, jobs)
    main(session.settings, options, _parameters(session, parameters), data, docs, as_json)


def _protocols(text: str) -> "tuple[Protocol, ...]":
    from trainer.report.model import Protocol

    names = [name.strip() for name in text.split(",") if name.strip()]
    if unknown := [name for name in names if name not in PROTOCOLS]:
        words = f"no protocol {unknown[0]}; there are {', '.join(PROTOCOLS)}"
        raise InvalidInput(words, "protocol")
    return tuple(map(Protocol, names or PROTOCOLS))


def _parameters(session: Session, file: Path | None) -> "TrainingParameters":
    from trainer.models.parameters import read_parameters

    return read_parameters(file or session.settings.params)


def _wait_for_others(session: Session) -> None:
    """Wait until no training is under way."""
    records, announced = TrainingRecords(session.settings.state), None
    while (running := records.running()) is not None:
        if running != announced:
            session.say(f"waiting for training {running}")
        announced = running
        time.sleep(0.2)


def _print(session: Session, record: TrainingRecord) -> None:
    print_table(
        ("stage", "status", "time", "peak", "result"), [stage_row(s) for s in record.stages]
    )
    print_lines([f"published {name} {version}" for name, version in record.versions.items()])
    print_lines([f"refused {name}: {reason}" for name, reason in record.refused.items()])
    print_lines([f"kept {name} in {path}" for name, path in record.bundles.items()])
    session.say(f"training {record.training_id} is done", "marquee models list")
