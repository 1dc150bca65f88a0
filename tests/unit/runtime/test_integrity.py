"""A number that is not finite is found in every kind of artifact, and named by file and array."""

import pickle
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from marquee.arrays import save_arrays, save_json
from marquee.errors import ArtifactError
from marquee.registry.bundle import add_metrics, seal
from marquee.registry.integrity import check_bundle, check_file
from marquee.registry.registry import Registry

NAN, INF = float("nan"), float("inf")
ILL = [NAN, INF, -INF]


def npz(path: Path, value: float) -> None:
    np.savez(path, fine=np.ones(3), ids=np.arange(4), vectors=np.array([[1, value]], np.float32))


def compressed(path: Path, value: float) -> None:
    vectors = np.zeros((300, 10_000), np.float32)  # more than is looked at at once
    vectors[-1, -1] = value
    np.savez_compressed(path, fine=np.ones(3), vectors=vectors)


def safetensors(path: Path, value: float) -> None:
    save_file({"fine": np.ones(3), "vectors": np.array([value], np.float16)}, path)


def in_json(path: Path, value: float) -> None:
    text = {NAN: "NaN", INF: "1e999", -INF: "-Infinity"}
    path.write_text(f'{{"fine": 1, "vectors": [0.5, {text.get(value, value)}]}}')


def in_pickle(path: Path, value: float) -> None:
    path.write_bytes(pickle.dumps({"fine": 1.5, 7: 3, "vectors": value}, protocol=4))


def torch(path: Path, value: float) -> None:
    """Write what torch 2 writes of {"fine": ones, "ids": integers, "vectors": [1, value]}."""

    def tensor(name: bytes, kind: bytes, key: bytes) -> bytes:
        stored = b"(X\x07\x00\x00\x00storagectorch\n" + kind + b"\nX\x01\x00\x00\x00" + key
        name = b"X" + struct.pack("<I", len(name)) + name
        return name + b"ctorch._utils\n_rebuild_tensor_v2\n(" + stored + (
            b"X\x03\x00\x00\x00cpuK\x02tQK\x00K\x02\x85K\x01\x85\x89ccollections\nOrderedDict\n)RtR"
        )  # fmt: skip

    tensors = [
        tensor(b"fine", b"FloatStorage", b"0"),
        tensor(b"ids", b"LongStorage", b"1"),
        tensor(b"vectors", b"DoubleStorage", b"2"),
    ]
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("model/data.pkl", b"\x80\x02}(" + b"".join(tensors) + b"u.")
        file.writestr("model/data/0", np.ones(2, "<f4").tobytes())
        file.writestr("model/data/1", np.full(2, -1, "<i8").tobytes())
        file.writestr("model/data/2", np.array([1, value], "<f8").tobytes())


KINDS: dict[str, Any] = {
    "a.npz": npz,
    "b.npz": compressed,
    "c.safetensors": safetensors,
    "d.json": in_json,
    "e.pkl": in_pickle,
    "f.pt": torch,
}


@pytest.mark.parametrize("name", KINDS)
def test_finite_numbers_pass(name: str, tmp_path: Path) -> None:
    KINDS[name](tmp_path / name, 2.5)
    check_file(tmp_path / name)


@pytest.mark.parametrize("value", ILL)
@pytest.mark.parametrize("name", KINDS)
def test_others_are_named_with_their_file_and_array(
    name: str, value: float, tmp_path: Path
) -> None:
    KINDS[name](tmp_path / name, value)
    with pytest.raises(ArtifactError, match=rf"^{name}: vectors.* not a finite number$") as error:
        check_file(tmp_path / name)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", KINDS)
def test_the_registry_neither_takes_nor_gives_such_a_bundle(name: str, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    KINDS[name](bundle / name, NAN)
    manifest = seal(bundle, "content", "d")
    registry = Registry(tmp_path / "registry")
    with pytest.raises(ArtifactError, match=name):
        registry.add(bundle)
    assert registry.versions("content") == []
    registry.path("content", "").mkdir(parents=True)
    bundle.rename(registry.path("content", "v"))  # as if one without the check had put it there
    with pytest.raises(ArtifactError, match=name):
        registry.load("content/v", manifest.digest, lambda _: "loaded")


class Evil:
    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return exec, ("raise SystemExit",)


@pytest.mark.parametrize("protocol", range(6))
def test_a_pickle_that_names_anything_is_refused_and_not_executed(
    protocol: int, tmp_path: Path
) -> None:
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(Evil(), protocol))
    with pytest.raises(ArtifactError, match="allow-list"):
        check_file(tmp_path / "a.pkl")


def test_a_torch_file_that_names_anything_but_tensors_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.pt", "w") as file:
        file.writestr("model/data.pkl", pickle.dumps(Evil(), 2))
    with pytest.raises(ArtifactError, match="builtin.* exec, not on the allow-list"):
        check_file(tmp_path / "a.pt")


@pytest.mark.parametrize("name", ["a.npz", "a.pt", "a.safetensors", "a.pkl", "a.json"])
def test_a_file_that_is_not_what_its_name_says_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"\x80\x04not this")
    with pytest.raises(ArtifactError, match=f"^{name}: "):
        check_file(tmp_path / name)


def test_an_array_of_objects_and_a_file_of_an_unknown_kind_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", allow_pickle=True, evil=np.array([Evil()], object))
    with pytest.raises(ArtifactError, match="pickle"):
        check_file(tmp_path / "a.npz")
    (tmp_path / "a.h5").write_bytes(b"")
    with pytest.raises(ArtifactError, match=r"no artifact is of the kind \.h5"):
        check_file(tmp_path / "a.h5")


@pytest.mark.parametrize("value", ILL)
def test_a_manifest_takes_no_such_figure_or_parameter(value: float, tmp_path: Path) -> None:
    save_json(tmp_path / "a.json", {})
    with pytest.raises(ArtifactError, match="metrics.rmse"):
        seal(tmp_path, "content", "d", metrics={"rmse": value})
    with pytest.raises(ArtifactError, match=r"parameters.mix.weights\[1\]"):
        seal(tmp_path, "content", "d", parameters={"mix": {"weights": [1.0, value]}})
    manifest = seal(tmp_path, "content", "d")
    with pytest.raises(ArtifactError, match="metrics.rmse"):
        add_metrics(tmp_path, {"rmse": value})
    with pytest.raises(ArtifactError, match="metrics.rmse"):
        check_bundle(tmp_path, manifest.model_copy(update={"metrics": {"rmse": value}}))
    check_bundle(tmp_path, add_metrics(tmp_path, {"rmse": 0.8}))


def test_nothing_of_the_kind_is_written_by_the_models_own_means(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"a\.npz: x has"):
        save_arrays(tmp_path / "a.npz", x=np.array([NAN]))
    with pytest.raises(ValueError, match="not JSON compliant"):
        save_json(tmp_path / "a.json", {"x": NAN})
