"""Process that moves MLflow's alias after a rollback: the app itself does not load MLflow."""

import json
import sys

from marquee import telemetry
from marquee.settings import Settings
from trainer.tracking.mlflow import mirror_rollback


def main() -> None:
    """Move the alias to the version in the request, a JSON object on standard input."""
    request = json.loads(sys.stdin.readline())
    settings = Settings.model_validate(request["settings"])
    telemetry.configure_logging("trainer mirror", settings.log_level)
    mirror_rollback(settings, request["name"], request["version"])


if __name__ == "__main__":
    main()
