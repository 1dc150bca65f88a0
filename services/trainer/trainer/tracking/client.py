"""Client of MLflow, which is optional and may be unavailable."""

import logging
import os
from typing import Any

from marquee.settings import Settings

_ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    # An unavailable server costs a training seconds, not minutes.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
}


def tracking_uri(settings: Settings) -> str:
    """Return the address of the server in the settings, or of the database in the state folder."""
    if settings.mlflow_uri:
        return settings.mlflow_uri
    folder = (settings.state / "mlflow").resolve()
    folder.mkdir(parents=True, exist_ok=True)
    return f"sqlite:///{folder / 'mlflow.db'}"


def open_client(settings: Settings) -> Any:
    """Return a client of MLflow, with telemetry to its makers off."""
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    from mlflow import MlflowClient

    uri = tracking_uri(settings)
    return MlflowClient(tracking_uri=uri, registry_uri=uri)


def log_data(client: Any, run_id: str, version: str) -> None:
    """Log the version of the data that a run used."""
    from mlflow.entities import Dataset, DatasetInput

    data = Dataset("history", version[:12], "local", f'{{"data_version": "{version}"}}')
    client.log_inputs(run_id, [DatasetInput(data)])


def registered_name(name: str) -> str:
    """Return the name of a model in MLflow's registry."""
    return f"marquee-{name}"


def errors() -> tuple[type[Exception], ...]:
    """Return the exceptions of MLflow if it is unavailable or does not know an object."""
    from mlflow.exceptions import MlflowException

    return MlflowException, OSError, StopIteration
