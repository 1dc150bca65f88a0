"""Systems of several processes of each kind behind a proxy, on prepared models."""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from marquee.bus.factory import open_bus
from marquee.consumer.process import prepare_topics
from marquee.domain.models import MODEL_NAMES, MODEL_SPECS
from marquee.registry.registry import Registry
from marquee.settings import Settings, read
from marquee_local.demo import ONE_THREAD
from marquee_local.servers import kafka, valkey
from marquee_testing.servers.replicas import Replicas, replicas
from system import ROOT

DATA = ROOT / "data" / "ml-latest-small.zip"
WITHOUT_TORCH = [spec.name for spec in MODEL_SPECS.values() if not spec.needs_torch]


@dataclass(frozen=True)
class System:
    """What runs: its settings, also as an environment, and its processes."""

    settings: Settings
    environ: dict[str, str]
    replicas: Replicas


@contextlib.contextmanager
def prepared(kept: Path | None) -> Iterator[Path]:
    """Yield a folder with the bundled data and its models; those of a kept folder are used again.

    The neural model is among them where the environment that trains it is installed.
    """
    with contextlib.ExitStack() as stack:
        temporary = tempfile.TemporaryDirectory(prefix="marquee-bench-")
        folder = kept.resolve() if kept else Path(stack.enter_context(temporary))
        folder.mkdir(parents=True, exist_ok=True)
        wanted = dict.fromkeys(WITHOUT_TORCH, ".venv")
        if (ROOT / ".venv-trainer" / "READY").exists():
            wanted["neural"] = ".venv-trainer"
        missing = [name for name in wanted if not Registry(folder / "registry").versions(name)]
        if missing:
            _train(folder, {name: wanted[name] for name in missing})
        yield folder


def kinds_of(state: Path, trainer: bool = True) -> list[str]:
    """Return the kinds of processes that the models of a folder make possible."""
    trained = [name for name in MODEL_NAMES if Registry(state / "registry").versions(name)]
    names = ["gateway", *trained, *(["trainer"] if trainer else [])]
    return [f"{name} {role}" for role in ("consumer", "app") for name in names]


@contextlib.contextmanager
def replicated(
    state: Path, bus: str, kinds: Mapping[str, int], more: Mapping[str, str]
) -> Iterator[System]:
    """Run processes of some kinds on servers of their own; yield them once all are ready.

    Args:
        state: A prepared folder; it is copied.
        bus: `redis` or `kafka`.
        kinds: Number of processes of each kind, such as `content app`.
        more: Further settings (`MARQUEE_…`).
    """
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="marquee-replicas-")))
        for name in ("history", "registry"):
            shutil.copytree(state / name, folder / name)
        environ = {
            **ONE_THREAD,
            "MARQUEE_STATE": str(folder),
            "MARQUEE_BUS": bus,
            "MARQUEE_REDIS_URL": stack.enter_context(valkey(folder / "valkey", appendfsync="no")),
            # No training begins behind the measurement.
            "MARQUEE_TRAIN_EVERY_S": "0",
            "MARQUEE_TRAIN_AFTER_RATINGS": "0",
            **more,
        }
        if bus == "kafka":
            environ["MARQUEE_KAFKA_SERVERS"] = stack.enter_context(kafka(folder / "kafka"))
        settings = read({name: value for name, value in environ.items() if "MARQUEE" in name})
        _publish(folder, settings, environ)
        yield System(
            settings, environ, stack.enter_context(replicas(folder / "log", environ, kinds))
        )


def _train(folder: Path, missing: Mapping[str, str]) -> None:
    with valkey(folder / "training") as url:
        settings = Settings.model_validate({"state": folder, "redis_url": url})
        _prepare_topics(settings)
        environ = {"MARQUEE_STATE": str(folder), "MARQUEE_REDIS_URL": url}
        if not (folder / "history").is_dir():
            _marquee(environ, ".venv", "data", "import", str(DATA))
        for place in dict.fromkeys(missing.values()):
            names = ",".join(name for name, where in missing.items() if where == place)
            _marquee(environ, place, "train", "--only", names)
    shutil.rmtree(folder / "training")


def _publish(folder: Path, settings: Settings, environ: Mapping[str, str]) -> None:
    """Publish the newest versions on a bus that knows of none."""
    _prepare_topics(settings)
    for name in MODEL_NAMES:
        if versions := Registry(folder / "registry").versions(name):
            _marquee(environ, ".venv", "models", "rollback", name, versions[-1], "--yes")


def _prepare_topics(settings: Settings) -> None:
    bus = open_bus(settings)
    prepare_topics(bus, settings.partitions, threading.Event())
    bus.close()


def _marquee(environ: Mapping[str, str], place: str, *arguments: str) -> None:
    program = ROOT / place / "bin" / "marquee"
    command = [str(program if program.exists() else Path(sys.executable).with_name("marquee"))]
    subprocess.run([*command, "-q", *arguments], env=os.environ | environ, check=True)
