"""Cleanup of model versions in MLflow that the registry no longer holds.

Runs stay, with parameters, figures, curves, plots and the report: they are small.
"""

import importlib.util
from collections.abc import Collection, Mapping
from typing import Any

from marquee import telemetry
from marquee.settings import Settings
from trainer.tracking.client import errors, open_client, registered_name

BUNDLE = "bundle"


def forget_versions(
    settings: Settings, kept: Mapping[str, Collection[str]], newest: int
) -> list[str]:
    """Delete model versions with their files; return them as `<registered name>/<number>`.

    Args:
        settings: Where MLflow is; without it nothing is deleted.
        kept: Versions in the registry, by model.
        newest: Number of the newest versions of each model that stay; those with an alias stay too.
    """
    tracked = settings.mlflow_uri or (settings.state / "mlflow" / "mlflow.db").exists()
    if not kept or not tracked or importlib.util.find_spec("mlflow") is None:
        return []
    deleted: list[str] = []
    try:
        client = open_client(settings)
        for name, versions in kept.items():
            deleted += _forget(client, registered_name(name), versions, newest)
    except errors() as error:
        telemetry.log.warning("tracked versions were not tidied", reason=str(error))
    return deleted


def _forget(client: Any, model: str, kept: Collection[str], newest: int) -> list[str]:
    if not client.search_registered_models(f"name='{model}'"):
        return []
    aliased = {str(number) for number in client.get_registered_model(model).aliases.values()}
    versions = client.search_model_versions(f"name='{model}'")
    versions = sorted(versions, key=lambda version: -int(version.version))
    deleted = []
    for version in versions[newest:]:
        if version.tags.get("marquee") in kept or str(version.version) in aliased:
            continue
        _delete_files(client, version.run_id)
        client.delete_model_version(model, version.version)
        client.set_tag(version.run_id, BUNDLE, "expired")
        deleted.append(f"{model}/{version.version}")
    return deleted


def _delete_files(client: Any, run_id: str) -> None:
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    if client.list_artifacts(run_id, BUNDLE):
        address = client.get_run(run_id).info.artifact_uri
        files: Any = get_artifact_repository(address, tracking_uri=client.tracking_uri)
        files.delete_artifacts(BUNDLE)
