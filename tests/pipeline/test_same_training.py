"""DVC, Airflow and the trainer run the same stages: the same data gives the same models."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from marquee.domain.models import MODEL_NAMES
from marquee.registry.bundle import verify
from marquee.registry.registry import Registry
from marquee_local import servers
from marquee_testing import Restartable
from marquee_testing.small_fits import QUICK_PARAMS
from trainer.datasets.synthetic import generate

ROOT = Path(__file__).resolve().parents[2]
MODELS = tuple(MODEL_NAMES)
PARAMETERS = QUICK_PARAMS.read_text()
SERVICES = ("content", "hybrid", "user-model", "neural", "gateway", "trainer")


def tool(environment: str, name: str) -> Path:
    """Return a program of an environment; without it the test is skipped, in CI it fails."""
    path = ROOT / environment / "bin" / name
    if not path.exists():
        text = f"{name} is not installed: make {environment.removeprefix('.')}"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(text)
    return path


def run_in(clone: Path, *command: object, **variables: str) -> str:
    """Run a command in a clone, with the code of the clone; return what it wrote."""
    code = [clone / "libs" / "common", *(clone / "services" / name for name in SERVICES)]
    environ = {name: value for name, value in os.environ.items() if not name.startswith("MARQUEE_")}
    environ |= {"PYTHONPATH": os.pathsep.join(map(str, code)), "DVC_NO_ANALYTICS": "1"}
    done = subprocess.run(
        list(map(str, command)),
        cwd=clone,
        env=environ | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    return done.stdout


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A zip of 2,400 generated ratings."""
    folder = tmp_path_factory.mktemp("release")
    generate(50, 100, 2400, 5, folder / "ml-latest-small")
    return Path(shutil.make_archive(str(folder / "release"), "zip", folder, "ml-latest-small"))


@pytest.fixture(scope="module")
def new_clone(tmp_path_factory: pytest.TempPathFactory, release: Path) -> Callable[[], Path]:
    """Return what makes a clean clone of the repository with the small data in it."""

    def make() -> Path:
        clone = tmp_path_factory.mktemp("clone")
        command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        listed = subprocess.check_output(command, cwd=ROOT, text=True)
        for name in filter(None, listed.split("\0")):
            if name.startswith(
                ("libs/", "services/", "deploy/airflow/", ".dvc", "dvc.yaml", ".git")
            ):
                (clone / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(ROOT / name, clone / name)
        (clone / "data").mkdir()
        shutil.copyfile(release, clone / "data" / "ml-latest-small.zip")
        (clone / "params.yaml").write_text(PARAMETERS)
        (clone / ".venv-trainer").symlink_to(ROOT / ".venv-trainer")
        commit(clone)
        return clone

    return make


def commit(clone: Path) -> None:
    """Commit all that git does not ignore."""
    who = ("-c", "user.name=test", "-c", "user.email=test@localhost")
    run_in(clone, "git", "init", "-q")
    run_in(clone, "git", "add", "-A")
    run_in(clone, "git", *who, "commit", "-q", "--allow-empty", "-m", "State")


@pytest.fixture(scope="module")
def dvc() -> Path:
    return tool(".venv-pipeline", "dvc")


@pytest.fixture(scope="module")
def clones(new_clone: Callable[[], Path], dvc: Path) -> list[Path]:
    """Two clones in which `dvc repro` has run, its results committed."""
    tool(".venv-trainer", "python")
    clones = [new_clone(), new_clone()]
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda clone: run_in(clone, dvc, "repro"), clones))
    for clone in clones:
        commit(clone)
    return clones


@pytest.fixture(scope="module")
def clone(clones: list[Path]) -> Path:
    return clones[0]


@pytest.fixture(scope="module")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    directory = tmp_path_factory.mktemp("valkey")
    server = Restartable(lambda port: servers.valkey(directory, port))
    yield server.address
    server.stop()


def digests(folder: Path) -> dict[str, str]:
    return {name: verify(folder / name).digest for name in MODELS}


def metrics(clone: Path) -> dict[str, object]:
    folder = clone / "pipeline" / "metrics"
    return {path.stem: json.loads(path.read_text()) for path in folder.glob("*.json")}


def test_dvc_repro_on_two_clean_clones_gives_the_same_metrics_and_models(
    clones: list[Path],
) -> None:
    clone, again = clones
    assert metrics(again) == metrics(clone)
    assert set(metrics(clone)) == {"data", *MODELS, "evaluate"}
    assert digests(again / "pipeline" / "models") == digests(clone / "pipeline" / "models")


def test_the_trainer_makes_the_models_that_dvc_makes(clone: Path, tmp_path: Path) -> None:
    marquee = (clone / ".venv-trainer" / "bin" / "python", "-m", "trainer.cli")
    state = ("--state", tmp_path)
    run_in(clone, *marquee, *state, "data", "import", "data/ml-latest-small.zip")
    run_in(clone, *marquee, *state, "train", "--no-publish")
    (record,) = (tmp_path / "trainings").glob("*.json")
    bundles = json.loads(record.read_text())["bundles"]
    own = {name: verify(Path(path)) for name, path in bundles.items()}
    assert {name: manifest.digest for name, manifest in own.items()} == digests(
        clone / "pipeline" / "models"
    )
    for name, manifest in own.items():
        assert manifest.metrics == verify(clone / "pipeline" / "evaluated" / name).metrics


def test_airflow_publishes_the_models_that_dvc_makes(
    clone: Path, tmp_path: Path, valkey: str
) -> None:
    airflow = tool(".venv-airflow", "airflow")
    variables = {
        "AIRFLOW_HOME": str(tmp_path / "airflow"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(clone / "deploy" / "airflow"),
        "MARQUEE_STATE": str(tmp_path / "state"),
        "MARQUEE_REDIS_URL": valkey,
        "MARQUEE_NAMESPACE": "airflow",
    }
    run_in(clone, airflow, "db", "migrate", **variables)
    given = json.dumps({"data": "data/ml-latest-small.zip"})
    run_in(clone, airflow, "dags", "test", "marquee_training", "--conf", given, **variables)
    registry = Registry(tmp_path / "state" / "registry")
    found = {}
    for name in MODELS:
        (version,) = registry.versions(name)
        found[name] = registry.manifest(name, version).digest
    assert found == digests(clone / "pipeline" / "models")
    assert not list((tmp_path / "state" / "airflow").iterdir())


def test_dvc_runs_only_what_a_parameter_changes_and_tells_the_difference(
    clone: Path, dvc: Path
) -> None:
    assert "up to date" in run_in(clone, dvc, "repro")
    before = digests(clone / "pipeline" / "models")
    (clone / "params.yaml").write_text(
        (clone / "params.yaml").read_text().replace("hidden: 8", "hidden: 12")
    )
    said = run_in(clone, dvc, "repro")
    assert re.findall(r"Running stage '([^']+)'", said) == ["fit@neural", "evaluate"]
    after = digests(clone / "pipeline" / "models")
    assert [name for name in MODELS if before[name] != after[name]] == ["neural"]
    changed = json.loads(run_in(clone, dvc, "metrics", "diff", "--json"))
    assert "pipeline/metrics/neural.json" in changed
    run_in(clone, dvc, "plots", "diff", "HEAD", "--out", "pages")
    page = (clone / "pages" / "index.html").read_text()
    assert "loss of the neural model" in page
