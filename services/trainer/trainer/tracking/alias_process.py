"""Lets MLflow's alias follow a rollback, in a process of its own: MLflow is no part of the app."""

import json
import sys

from marquee import telemetry
from marquee.settings import Settings
from trainer.tracking.mlflow import mirror_rollback


def main() -> None:
    """Do what the first line of standard input orders."""
    order = json.loads(sys.stdin.readline())
    settings = Settings.model_validate(order["settings"])
    telemetry.configure_logging("trainer mirror", settings.log_level)
    mirror_rollback(settings, order["name"], order["version"])


if __name__ == "__main__":
    main()
