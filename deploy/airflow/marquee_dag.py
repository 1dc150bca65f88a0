"""A training as an Airflow DAG: the stages of the trainer, each run by the trainer's own Python.

Airflow and Marquee need different versions of the same libraries, so a task is a command, and what
the stages share is a folder. A failed task can be cleared: its stage replaces what it left.
"""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, Param

ROOT = Path(__file__).resolve().parents[2]
PYTHON = os.environ.get("MARQUEE_TRAINER_PYTHON") or str(ROOT / ".venv-trainer/bin/python")
STATE = os.environ.get("MARQUEE_STATE") or "var"

MODELS = ("content", "hybrid", "user-model", "neural")

SHARED = {
    "PYTHON": PYTHON,
    "WORK": f"{STATE}/airflow/{{{{ run_id }}}}",
    "RELEASE": "{{ params.data }}",
    "PUBLISH": "{{ params.publish }}",
}
TIDY = 'rm -rf -- "$WORK"\n"$PYTHON" -m trainer.cli --quiet tidy'
STAGE = '"$PYTHON" -m trainer.cli --quiet stage {name} --work "$WORK" --track'


def task(task_id: str, command: str) -> BashOperator:
    """Return a task that runs a command in the repository with the settings of the worker."""
    return BashOperator(
        task_id=task_id, bash_command=command, env=SHARED, append_env=True, cwd=str(ROOT)
    )


def stage(name: str, options: str = "", condition: str = "") -> BashOperator:
    """Return the task of a stage. A `condition` that is not met skips it (exit status 99)."""
    return task(name, f"{condition}{STAGE.format(name=name)}{options}")


with DAG(
    "marquee_training",
    description="Fits, evaluates and publishes the models of all services.",
    schedule=timedelta(days=1),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    max_active_tasks=2,
    params={
        "data": Param("", type="string", description="A release instead of the history."),
        "publish": Param(True, type="boolean", description="Let the services take the versions."),
    },
):
    data = stage("data", '${RELEASE:+ --data "$RELEASE"}')
    models = [stage(name) for name in MODELS]
    evaluate = stage("evaluate")
    publish = stage("publish", condition='[ "$PUBLISH" = True ] || exit 99\n')
    data >> models >> evaluate >> publish >> task("clean", TIDY)
