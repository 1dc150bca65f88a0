"""The demo: servers, first training, all services on this machine, and at last torch."""

import json
import os
import secrets
import shlex
import signal
import sys
import threading
import time
from collections.abc import Container, Sequence
from contextlib import ExitStack, nullcontext
from pathlib import Path

from marquee.domain.models import MODEL_SPECS
from marquee.errors import Unavailable
from marquee.files import locked
from marquee.registry.registry import Registry
from marquee.requirements.state_folder import place_fault, state_results
from marquee.settings import STATE_FILE, read
from marquee.snapshots.format import newest_snapshot
from marquee_local import narration
from marquee_local.known_models import unknown_versions
from marquee_local.neural_training import train_neural
from marquee_local.places import BIN, ROOT, TRAINER
from marquee_local.probes import holds_movies, is_ready, largest_genre, last_error, listens
from marquee_local.servers import BROKER, free_port, kafka_lacks, valkey_command
from marquee_local.supervisor import Child, Supervisor, flush

FIRST_MODELS = tuple(spec.name for spec in MODEL_SPECS.values() if not spec.needs_torch)
SERVICES = (*(spec.package for spec in MODEL_SPECS.values()), "trainer")
SCHEDULER = "trainer-app"
PROCESSES = [line.partition(":")[0] for line in (ROOT / "Procfile").read_text().splitlines()]
PROCESSES.remove(SCHEDULER)
STOP_SECONDS = 9.0
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
"""Processes share the cores; threads within one would only wait for each other."""
START_SECONDS = 120.0
STOPPED = 128 + signal.SIGTERM
"""Status of a command that is not run, as the demo is to stop."""
DEFAULT_STATE = ROOT / "var"
NARRATOR = narration.Narrator()
say = NARRATOR.say


class Demo:
    """One running system with its state in one folder."""

    def __init__(
        self, port: int, state: Path, data: Path, bus: str, import_options: Sequence[str] = ()
    ) -> None:
        self.port, self.state, self.data, self.bus = port, state, data, bus
        self.import_options = import_options
        self.services: Sequence[str] = SERVICES
        self.first_models: Sequence[str] = FIRST_MODELS
        self.supervisor = Supervisor(state / "log", say)
        self.servers: list[Child] = []
        self.broker_options: list[str] = []
        self.stop = threading.Event()
        self.ports = {name: free_port() for name in ("redis", "kafka", *SERVICES)}
        self.environ = self._environ()

    def _environ(self) -> dict[str, str]:
        settings = {
            "STATE": str(self.state),
            "BUS": self.bus,
            "REDIS_URL": f"redis://127.0.0.1:{self.ports['redis']}/0",
            "KAFKA_SERVERS": f"127.0.0.1:{self.ports['kafka']}",
            "GATEWAY_PORT": str(self.port),
            "DRAIN_S": "0",  # one process of each kind, and no proxy in front of them
            "WEB": str(ROOT / "services" / "web" / "static"),
            "TRAINER_PYTHON": str(TRAINER / "bin" / "python"),
            "SERVICE_SECRET": secrets.token_hex(32),
            "TOKEN_SECRETS": secrets.token_hex(32),
        }
        for name in SERVICES:
            settings[f"{name.upper()}_PORT"] = str(self.ports[name])
            settings[f"{name.upper()}_URL"] = f"http://127.0.0.1:{self.ports[name]}"
        return {f"MARQUEE_{name}": value for name, value in settings.items()}

    # --- before anything is started

    def import_data(self) -> None:
        """Import the data set, unless the state already holds one.

        Positions of one bus mean nothing on another, so a state stays on the bus it began with.
        """
        options_file, options = self.state / "demo.json", {"data": str(self.data), "bus": self.bus}
        if newest_snapshot(self.state / "history") is None:
            say(f"[2/4] Import of {self.data.name}: films and ratings to begin with")
            if self.run_marquee("data", "import", str(self.data), *self.import_options) != 0:
                if not self.stop.is_set():
                    sys.exit(2)
                self.say_stopped()
                sys.exit(0)
            options_file.write_text(json.dumps(options) + "\n")
            return
        former = json.loads(options_file.read_text()) if options_file.exists() else options
        for name in options:
            if former[name] != options[name]:
                narration.refuse(narration.other_state(self.state, name, former[name]))

    def run_marquee(self, *arguments: str) -> int:
        """Run the command `marquee` with the system's settings; return its status."""
        if self.stop.is_set():
            return STOPPED
        command = [str(BIN / "marquee"), "--no-hints", *arguments]
        environ = {**os.environ, **self.environ}
        if arguments[0] == "train" and NARRATOR.on_terminal:
            return NARRATOR.call(command, environ)  # it shows bars of its own
        words = " ".join(word for word in arguments[:2] if not word.startswith("-"))
        return NARRATOR.run(words, command, environ)

    # --- starting

    def start_servers(self) -> None:
        command = valkey_command(self.state / "valkey", self.ports["redis"], "no")
        self.servers.append(self.supervisor.add("valkey", command, {}))
        if self.bus == "kafka":
            port, data = str(self.ports["kafka"]), str(self.state / "kafka")
            command = [sys.executable, str(BROKER), "--port", port, "--data", data]
            self.servers.append(self.supervisor.add("kafka", command + self.broker_options, {}))

    def wait_for_servers(self) -> None:
        """Wait until the servers take connections: a training asks the bus before it begins."""
        names = ("redis", "kafka") if self.bus == "kafka" else ("redis",)
        deadline = time.monotonic() + START_SECONDS
        for name in names:
            while not listens(self.ports[name]) and not self.stop.wait(0.1):
                if time.monotonic() > deadline:
                    raise Unavailable(f"{name} does not start; see {self.state / 'log'}")

    def start_services(self, names: Container[str]) -> None:
        """Start what the Procfile names, each with a port for its health and measures."""
        programs = {"gateway", *(name.replace("_", "-") for name in self.services)}
        for line in (ROOT / "Procfile").read_text().splitlines():
            name, _, command = line.partition(":")
            if name not in names or name.rpartition("-")[0] not in programs:
                continue
            program, *arguments = command.split()
            environ = self.environ_of(name)
            if name.endswith("-consumer"):
                environ["MARQUEE_CONSUMER_PORT"] = str(free_port())
                # Killed and started again, it goes on at once.
                environ["MARQUEE_KAFKA_MEMBER"] = "1"
            self.supervisor.add(name, [str(BIN / program), *arguments], environ)

    def environ_of(self, _name: str) -> dict[str, str]:
        """Return the settings of a process of the Procfile."""
        return dict(self.environ)

    def write_settings(self) -> None:
        """Leave the settings in the state folder, where the command `marquee` finds them."""
        lines = [f"{name}={value}\n" for name, value in self.environ.items()]
        file = self.state / STATE_FILE
        file.touch(0o600)
        file.chmod(0o600)
        file.write_text("".join(lines))

    def first_training(self) -> None:
        """Train what needs no torch, unless versions are there already."""
        registry = Registry(self.state / "registry")
        missing = [name for name in self.first_models if not registry.versions(name)]
        if not missing:
            return
        say(f"[4/4] Training of {', '.join(missing)}; until then the page answers popular films")
        if self.run_marquee("train", "--only", ",".join(missing)) != 0:
            raise Unavailable("the first training failed; see above")

    def announce_models(self) -> None:
        """Publish the newest versions where Redis knows of none: its folder may have been lost."""
        settings = read({**os.environ, **self.environ})
        for name, version in unknown_versions(settings, self.stop).items():
            self.run_marquee("-q", "models", "rollback", name, version, "--yes")

    def wait_until_ready(self) -> None:
        """Wait until the gateway and the services with a model answer that they are ready."""
        names = [
            "gateway",
            *(name for name in self.services if name != "neural" or self.has_neural()),
        ]
        ports = {**self.ports, "gateway": self.port}
        deadline = time.monotonic() + START_SECONDS
        for name in names:
            while not is_ready(ports[name]) and not self.stop.is_set():
                if time.monotonic() > deadline:
                    logs = self.state / "log"
                    reason = last_error(logs, name) or "it says no reason"
                    raise Unavailable(f"{name} is not ready: {reason}; see {logs}")
                self.stop.wait(0.1)

    def wait_for_first_lists(self) -> None:
        """Wait until the gateway holds the movies, so that it answers popular lists."""
        deadline = time.monotonic() + START_SECONDS
        while not holds_movies(self.port) and not self.stop.wait(0.1):
            if time.monotonic() > deadline:
                raise Unavailable(f"the gateway gets no films; see {self.state / 'log'}")
        if not self.stop.is_set():
            say(narration.OPEN.format(port=self.port, ask=self.ask_line()))

    def ask_line(self) -> str:
        return narration.ask_line(self.port, largest_genre(self.port))

    def has_neural(self) -> bool:
        return bool(Registry(self.state / "registry").versions("neural"))

    def join_neural(self) -> None:
        """Train what needs torch, say when its route has joined."""
        started, log = time.monotonic(), self.state / "log" / "neural.log"
        if self.has_neural() or not train_neural(self.environ, log, self.stop, say):
            return
        while not is_ready(self.ports["neural"]) and not self.stop.wait(0.2):
            pass
        if not self.stop.is_set():
            say(f"The neural route has joined after {time.monotonic() - started:.0f} s: "
                "viewers with 20 and more ratings get it.")  # fmt: skip

    # --- the whole

    def run(self) -> int:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        self.import_data()
        watch = threading.Thread(target=self._watch)
        try:
            self.start_servers()
            watch.start()
            threading.Thread(target=self._flush, daemon=True).start()
            self.write_settings()
            say(f"[3/4] Start of Valkey and {len(PROCESSES)} processes; logs: {self.state / 'log'}")
            with NARRATOR.going_on("start"):
                self.start_services(PROCESSES)
                self.wait_for_servers()
                self.wait_for_first_lists()
            self.first_training()
            with NARRATOR.going_on("start"):
                self.announce_models()
                self.start_services((SCHEDULER,))  # it would start a training of its own
                self.wait_until_ready()
            if not self.stop.is_set():
                say(f"Marquee is ready: http://127.0.0.1:{self.port}")
                say(narration.TRY.format(port=self.port, ask=self.ask_line(), state=self.state))
                # On a terminal one line counts the seconds; a log needs no such lines for minutes.
                behind = NARRATOR.going_on("torch and the neural model")
                with behind if NARRATOR.on_terminal else nullcontext():
                    self.join_neural()
            self.stop.wait()
            return 0
        except Unavailable as error:
            if not self.stop.is_set():
                print(f"marquee: {error}", file=sys.stderr)
            return 0 if self.stop.is_set() else 1
        finally:
            asked = self.stop.is_set()
            self.stop.set()
            watch.join()
            self.supervisor.stop(STOP_SECONDS, self.servers)
            if asked:
                self.say_stopped()

    def _on_signal(self, number: int, _: object) -> None:
        """Stop; a command that is running would otherwise be waited for, for minutes."""
        self.stop.set()
        if number == signal.SIGTERM:  # a terminal's Ctrl-C reaches the command by itself
            NARRATOR.end_command()

    def say_stopped(self) -> None:
        say(narration.stop_line(self.port, self.state, DEFAULT_STATE))

    def _flush(self) -> None:
        """Bring to the disk each second what Valkey has written.

        Its own `everysec` would hold writes back while a flush is under way, and answer them.
        """
        while not self.stop.wait(1.0):
            flush(self.state / "valkey" / "appendonlydir")

    def _watch(self) -> None:
        while not self.stop.wait(0.1):
            self.supervisor.turn()


def run(port: int, state: Path, data: Path, bus: str, import_options: Sequence[str]) -> int:
    """Run the demo on a folder that no other one has."""
    with ExitStack() as stack:
        try:
            stack.enter_context(locked(state / "demo.lock", wait=False))
        except BlockingIOError:
            narration.refuse(
                f"another demo runs on {state}: stop it, or choose another folder with STATE="
            )
        return Demo(port, state, data, bus, import_options).run()


def main() -> int:
    for name, value in ONE_THREAD.items():
        os.environ.setdefault(name, value)
    options = dict(argument.split("=", 1) for argument in sys.argv[1:])
    state = Path(options["STATE"])
    if options["BUS"] == "kafka" and (lacks := kafka_lacks()):
        narration.refuse(f"BUS=kafka: {lacks}")
    [folder, *_] = state_results(state)
    if folder.state == "bad":
        narration.refuse(folder.line)
    try:
        data, import_options = Path(options["DATA"]), shlex.split(options["IMPORT"])
        return run(int(options["PORT"]), state, data, options["BUS"], import_options)
    except OSError as error:
        fault = place_fault(error)
        if fault is None:
            raise
        narration.refuse(fault)


if __name__ == "__main__":
    sys.exit(main())
