"""The difference of two model versions, and how a version is named."""

from pathlib import Path

import pytest

from marquee.errors import InvalidInput, NotFound
from marquee.registry.bundle import Manifest, seal
from marquee.registry.registry import Registry
from trainer.models.diff import changes, find_version


def manifest(name: str = "content", **changed: object) -> Manifest:
    values: dict[str, object] = {
        "name": name,
        "version": "20260101T000000-01234567",
        "created": "2026-01-01T00:00:00+00:00",
        "files": {"kmeans.npz": "aa"},
        "data_version": "d",
        "parameters": {"seed": 1, "network": {"epochs": 2}},
        "metrics": {"ndcg@10": 0.25},
    }
    return Manifest.model_validate(values | changed)


def test_equal_versions_have_no_changes() -> None:
    assert changes(manifest(), manifest(version="20260102T000000-01234567")) == []


def test_changes_name_nested_parameters_metrics_data_and_files() -> None:
    after = manifest(
        files={"kmeans.npz": "bb", "scaler.npz": "cc"},
        data_version="e",
        parameters={"seed": 1, "network": {"epochs": 5}},
        metrics={"ndcg@10": 0.5, "loss": 1.0},
    )
    found = {(change.kind, change.key): change for change in changes(manifest(), after)}
    assert set(found) == {
        ("about", "data_version"),
        ("about", "digest"),
        ("parameter", "network.epochs"),
        ("metric", "loss"),
        ("metric", "ndcg@10"),
        ("file", "kmeans.npz"),
        ("file", "scaler.npz"),
    }
    assert found["parameter", "network.epochs"].delta == 3
    assert found["metric", "ndcg@10"].delta == 0.25
    assert (found["metric", "loss"].before, found["metric", "loss"].delta) == (None, None)


def test_two_models_are_not_compared() -> None:
    with pytest.raises(InvalidInput, match="content and hybrid are two models"):
        changes(manifest(), manifest("hybrid"))


def test_a_version_is_found_by_its_name_alone_or_with_its_model(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "registry")
    made = {}
    for name in ("content", "hybrid"):
        bundle = tmp_path / name
        bundle.mkdir()
        (bundle / "weights.txt").write_text(name)
        made[name] = seal(bundle, name, "d")
        registry.add(bundle)
    version = made["hybrid"].version
    assert find_version(registry, version).name == "hybrid"
    assert find_version(registry, f"hybrid/{version}").name == "hybrid"
    with pytest.raises(NotFound, match="no version"):
        find_version(registry, f"content/{version}")
    with pytest.raises(NotFound, match="no model contents"):
        find_version(registry, f"contents/{version}")


@pytest.mark.parametrize("version", ["", ".", "..", "../content", "/", "a/..", "x\\y"])
def test_a_version_is_one_folder_of_its_model(tmp_path: Path, version: str) -> None:
    registry = Registry(tmp_path / "registry")
    bundle = tmp_path / "content"
    bundle.mkdir()
    (bundle / "weights.txt").write_text("w")
    seal(bundle, "content", "d")
    registry.add(bundle)
    with pytest.raises(NotFound, match="no version"):
        registry.manifest("content", version)
