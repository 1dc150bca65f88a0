"""State folder with a small data set and its models, from which every run starts."""

import os
import shutil
import subprocess
import threading
from pathlib import Path

from marquee.bus.factory import open_bus
from marquee.consumer.process import prepare_topics
from marquee.settings import Settings
from marquee_local.servers import valkey

ROOT = Path(__file__).resolve().parents[2]
SIZE = ("--users", "300", "--movies", "400", "--ratings", "20000", "--seed", "1")
WITHOUT_TORCH = "content,hybrid,user-model"


def prepared(folder: Path, neural: bool) -> Path:
    """Return `folder` with a history and a registry; existing ones are used again."""
    url_folder = folder.with_name(f"{folder.name}-training")
    folder.mkdir(parents=True, exist_ok=True)
    wanted = {"content": WITHOUT_TORCH} | ({"neural": "neural"} if neural else {})
    missing = [n for name, n in wanted.items() if not (folder / "registry" / name).is_dir()]
    if missing:
        with valkey(url_folder / "valkey") as url:
            settings = Settings.model_validate({"state": folder, "redis_url": url})
            bus = open_bus(settings)
            prepare_topics(bus, settings.partitions, threading.Event())
            bus.close()
            if not (folder / "history").is_dir():
                _marquee(folder, url, "data", "generate", str(url_folder / "data"), *SIZE)
                _marquee(folder, url, "data", "import", str(url_folder / "data"))
            for names in missing:
                _marquee(folder, url, "train", "--only", names)
        shutil.rmtree(url_folder)
    return folder


def _marquee(folder: Path, url: str, *arguments: str) -> None:
    environ = {"MARQUEE_STATE": str(folder), "MARQUEE_REDIS_URL": url}
    place = ROOT / (".venv-trainer" if "neural" in arguments else ".venv")
    command = [str(place / "bin" / "marquee"), "-q", *arguments]
    subprocess.run(command, env=os.environ | environ, check=True)
