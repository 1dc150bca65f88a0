"""The artifacts of real versions: each is there, guarded by its checksum, finite, and used."""

import io
import json
import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytestmark = [pytest.mark.trainer, pytest.mark.filterwarnings("default"), pytest.mark.slow]
torch = pytest.importorskip("torch")

from safetensors.numpy import load_file, save_file  # noqa: E402

from content.model import Content  # noqa: E402
from hybrid.model import Hybrid  # noqa: E402
from marquee.domain.models import MODEL_NAMES  # noqa: E402
from marquee.errors import ArtifactError  # noqa: E402
from marquee.registry.bundle import MANIFEST, Manifest, read_manifest, seal  # noqa: E402
from marquee.registry.registry import Registry  # noqa: E402
from marquee.settings import Settings  # noqa: E402
from neural.model import Neural  # noqa: E402
from trainer.datasets.reader import read_dataset  # noqa: E402
from trainer.datasets.synthetic import generate  # noqa: E402
from trainer.models.artifact_check import NAMED, READ, check_artifacts  # noqa: E402
from trainer.models.fitting import MODEL_FITS  # noqa: E402
from trainer.models.parameters import TrainingParameters  # noqa: E402
from user_model.model import UserModel  # noqa: E402

MODELS: dict[str, Any] = {
    "content": Content,
    "hybrid": Hybrid,
    "user-model": UserModel,
    "neural": Neural,
}
PARAMETERS = TrainingParameters(1, {"neural": {"network": {"epochs": 2}}})


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state folder with a version of each model in its registry."""
    folder = tmp_path_factory.mktemp("state")
    settings = Settings(state=folder)
    generate(30, 60, 900, 3, folder / "release")
    dataset, _ = read_dataset(folder / "release")
    for name in MODEL_NAMES:
        fit, bundle = MODEL_FITS[name](), folder / "bundles" / name
        fit.fit(dataset, PARAMETERS.config(name, fit.config), 1).save(bundle)
        seal(bundle, name, dataset.version)
        Registry(settings.registry).add(bundle)
    return folder


@pytest.fixture(scope="module")
def registry(state: Path) -> Registry:
    return Registry(Settings(state=state).registry)


def manifest_of(registry: Registry, name: str) -> Manifest:
    return registry.manifest(name, registry.versions(name)[-1])


@pytest.fixture
def copy(registry: Registry, tmp_path: Path) -> Callable[[str], tuple[Registry, Manifest, Path]]:
    """Return what copies the version of a model into a registry of its own."""

    def copy(name: str) -> tuple[Registry, Manifest, Path]:
        manifest = manifest_of(registry, name)
        other = Registry(tmp_path / "registry")
        folder = other.path(name, manifest.version)
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(registry.path(name, manifest.version), folder)
        return other, manifest, folder

    return copy


@pytest.mark.parametrize("name", MODEL_NAMES)
def test_each_named_artifact_is_there_and_what_serving_uses(registry: Registry, name: str) -> None:
    found = check_artifacts(registry, manifest_of(registry, name))
    assert [(finding.file, finding.fault) for finding in found] == [
        (file, None) for file in NAMED[name]
    ]
    assert all(len(finding.sha256) == 64 for finding in found)


OPENED = """
    import json, sys
    from importlib import import_module
    from pathlib import Path

    folder, module, name = Path(sys.argv[1]), *sys.argv[2:]
    load, opened = getattr(import_module(module), name).load, set()

    def hook(event, arguments):
        if event == "open" and isinstance(arguments[0], str):
            opened.add(Path(arguments[0]).name)

    sys.addaudithook(hook)
    load(folder)
    print(json.dumps(sorted(opened)))
"""


@pytest.mark.parametrize("name", MODEL_NAMES)
def test_no_file_of_a_bundle_is_dead(registry: Registry, name: str) -> None:
    """Each is opened by the service's load, or is one whose agreement with those is checked."""
    manifest, kind = manifest_of(registry, name), MODELS[name]
    folder = registry.path(name, manifest.version)
    code = "\n".join(line.removeprefix("    ") for line in OPENED.splitlines())
    command = [sys.executable, "-c", code, str(folder), kind.__module__, kind.__name__]
    opened = set(json.loads(subprocess.check_output(command, text=True)))
    compared = {file for file, use in NAMED[name].items() if use != READ}
    # safetensors are read by a library of its own, which tells nobody.
    assert set(manifest.files) - opened - compared <= {"neural_model.safetensors"}
    assert not compared & opened
    assert not [file for file in opened if file.endswith((".pkl", ".pt"))]


@pytest.mark.parametrize("name", MODEL_NAMES)
def test_a_version_whose_artifact_is_deleted_or_altered_does_not_load(
    copy: Callable[[str], tuple[Registry, Manifest, Path]], name: str
) -> None:
    registry, manifest, folder = copy(name)
    address = registry.address(name, manifest.version)
    for file in manifest.files:
        whole = (folder / file).read_bytes()
        altered = whole[:-1] + bytes([whole[-1] ^ 1])
        (folder / file).write_bytes(altered)
        refused(registry, address, manifest, file)
        (folder / file).unlink()
        refused(registry, address, manifest, file)
        (folder / file).write_bytes(whole)
    registry.load(address, manifest.digest, MODELS[name].load)


def refused(registry: Registry, address: str, manifest: Manifest, file: str) -> None:
    with pytest.raises(ArtifactError, match=f"/{file}: missing or not what its checksum says$"):
        registry.load(address, manifest.digest, MODELS[manifest.name].load)


@pytest.mark.parametrize("name", MODEL_NAMES)
def test_a_number_that_is_not_finite_is_refused_at_publication_and_at_load(
    copy: Callable[[str], tuple[Registry, Manifest, Path]], name: str, tmp_path: Path
) -> None:
    registry, manifest, folder = copy(name)
    seen = set()
    for file in manifest.files:
        whole = (folder / file).read_bytes()
        for array, spoil in SPOILERS[Path(file).suffix](folder / file):
            spoil()
            seal(folder, name, "d")
            ill = read_manifest(folder)
            pattern = rf"^{file}: {array}.* has a value that is not a finite number$"
            with pytest.raises(ArtifactError, match=pattern):
                Registry(tmp_path / "other").add(folder)
            address = registry.address(name, manifest.version)
            with pytest.raises(ArtifactError, match=pattern):
                registry.load(address, ill.digest, MODELS[name].load)
            (folder / file).write_bytes(whole)
            seen.add(Path(file).suffix)
    expected = {".npz", ".json"} | ({".safetensors", ".pt", ".pkl"} if name == "neural" else set())
    assert seen == expected
    assert Registry(tmp_path / "other").versions(name) == []


Spoilers = Iterator[tuple[str, Callable[[], object]]]
"""Each array of floating numbers of a file, with what puts a NaN into it."""


def in_npz(path: Path) -> Spoilers:
    with np.load(path) as file:
        arrays = {key: file[key] for key in file.files}
    for key, values in arrays.items():
        if values.dtype.kind == "f" and values.size:
            yield key, partial(np.savez, path, **(arrays | {key: spoiled(values)}))


def in_safetensors(path: Path) -> Spoilers:
    tensors = load_file(path)
    for key, values in tensors.items():
        yield key, partial(save_file, tensors | {key: spoiled(values)}, path)


def in_torch(path: Path) -> Spoilers:
    state = torch.load(path, weights_only=True)
    for key, values in state.items():
        if values.is_floating_point():
            ill = torch.from_numpy(spoiled(values.numpy()))
            yield key, partial(torch.save, state | {key: ill}, path)


def in_pickle(path: Path) -> Spoilers:
    rows = pickle.loads(path.read_bytes())
    ill = rows | {next(iter(rows)): float("nan")}
    yield "", partial(path.write_bytes, pickle.dumps(ill, protocol=4))


def in_json(path: Path) -> Spoilers:
    value = {"spoiled": [json.loads(path.read_text()), float("nan")]}
    yield r"spoiled\[1\]", partial(path.write_text, json.dumps(value))


SPOILERS: dict[str, Callable[[Path], Spoilers]] = {
    ".npz": in_npz,
    ".safetensors": in_safetensors,
    ".pt": in_torch,
    ".pkl": in_pickle,
    ".json": in_json,
}


def spoiled(values: Any) -> Any:
    values = np.array(values)
    values.flat[values.size // 2] = np.nan
    return values


def other_weights(path: Path) -> bytes:
    state, file = torch.load(path, weights_only=True), io.BytesIO()
    torch.save({key: values + 1 for key, values in state.items()}, file)
    return file.getvalue()


def other_rows(path: Path) -> bytes:
    return pickle.dumps({key: row + 1 for key, row in pickle.loads(path.read_bytes()).items()})


def other_array(name: str) -> Callable[[Path], bytes]:
    def change(path: Path) -> bytes:
        with np.load(path) as file:
            arrays = {key: file[key] for key in file.files}
        changed = io.BytesIO()
        np.savez(changed, **(arrays | {name: arrays[name][::-1]}))
        return changed.getvalue()

    return change


CHANGES: dict[str, Callable[[Path], bytes]] = {
    "user_encoder.pkl": other_rows,
    "item_encoder.pkl": other_rows,
    "ratings_csr.npz": other_array("half_stars"),
    "user_content_vector.npz": other_array("codes"),
    "model_movies_full_vectors_raw.npz": other_array("vectors"),
    "neural_model_best.pt": other_weights,
}


@pytest.mark.parametrize("file", CHANGES)
def test_an_artifact_that_says_other_than_what_serves_is_told(
    copy: Callable[[str], tuple[Registry, Manifest, Path]], file: str
) -> None:
    registry, manifest, folder = copy("neural")
    (folder / file).write_bytes(CHANGES[file](folder / file))
    resealed = seal(folder, "neural", "d").model_copy(update={"version": manifest.version})
    (folder / MANIFEST).write_text(resealed.model_dump_json())
    faults = {found.file for found in check_artifacts(registry, resealed) if found.fault}
    assert file in faults
    assert faults <= {file, "user_content_vector.npz"}  # codes follow from the ratings


def test_the_command_lists_them_and_fails_on_a_fault(state: Path, registry: Registry) -> None:
    environ = os.environ | {"MARQUEE_STATE": str(state), "MARQUEE_REDIS_URL": "redis://127.0.0.1:1"}
    command = [sys.executable, "-m", "trainer.cli", "models", "check"]
    said = subprocess.run(command, env=environ, capture_output=True, text=True)
    assert said.returncode == 0, said.stderr
    for name in MODEL_NAMES:
        manifest = manifest_of(registry, name)
        for file in NAMED[name]:
            assert file in said.stdout
            assert manifest.files[file][:12] in said.stdout
    shown = subprocess.check_output([*command[:-1], "show", "neural"], env=environ, text=True)
    for file, sha256 in manifest_of(registry, "neural").files.items():
        assert f"{sha256[:12]}  {file}" in shown
