"""`make demo`: check the arguments, make the environment, then run the system in it.

Only the standard library, and no syntax newer than Python 3.6, so that an old Python is told so.
"""

import json
import os
import socket
import subprocess
import sys
import time
import zipfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TABLES = (
    ".csv", ".tsv", ".tab", ".txt", ".dat", ".gz", ".zip", ".parquet", ".jsonl", ".ndjson",
    "u.data",
)  # fmt: skip
DEFAULTS = {
    "PORT": "8080",
    "STATE": os.path.join(ROOT, "var"),
    "DATA": os.path.join(ROOT, "data", "ml-latest-small.zip"),
    "IMPORT": "",
    "BUS": "redis",
}


def refuse(line: str) -> None:
    """End with one line on what is wrong and how to mend it."""
    sys.stderr.write("marquee: " + line + "\n")
    sys.exit(2)


def made_of(state: str) -> "dict[str, str]":
    """Return the data and the bus that a state was begun with, nothing for a new one."""
    path = os.path.join(state, "demo.json")
    if not os.path.exists(path):
        return {}
    try:
        with open(path, encoding="utf-8") as file:
            former = json.load(file)
        return {"DATA": former["data"], "BUS": former["bus"]}
    except (OSError, ValueError, KeyError) as error:
        refuse("%s cannot be read (%r): give DATA= and another folder with STATE=" % (path, error))
        raise


def chosen(given: "dict[str, str]") -> "dict[str, str]":
    """Return the settings: as given, else as the state was begun with, else the defaults."""
    state = given.get("STATE") or DEFAULTS["STATE"]
    former = made_of(state)
    return {name: given.get(name) or former.get(name) or DEFAULTS[name] for name in DEFAULTS}


def check_python() -> None:
    if sys.version_info < (3, 11):
        refuse(
            "Python 3.11 or newer is needed, this is %d.%d: make demo SYSTEM_PYTHON=python3.11"
            % sys.version_info[:2]
        )


def check_bus(bus: str) -> None:
    if bus not in ("redis", "kafka"):
        refuse("BUS=%s: choose redis or kafka" % bus)


def check_port(text: str) -> None:
    if not text.isdigit() or not 1 <= int(text) <= 65535:
        refuse("PORT=%s: a number from 1 to 65535" % text)
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", int(text)))
        except OSError as error:
            refuse("port %s cannot be used (%s): make demo PORT=8090" % (text, error.strerror))


def check_data(path: str) -> None:
    if not os.path.exists(path):
        refuse("DATA=%s: no such folder or file" % path)
    names = []  # type: list[str]
    try:
        names = file_names(path)
    except (OSError, zipfile.BadZipFile) as error:
        refuse("DATA=%s cannot be read: %s" % (path, error))
    if not any(name.endswith(TABLES) for name in names):
        refuse("DATA=%s holds no tables of films and ratings, as movies.csv and ratings.csv" % path)


def file_names(path: str) -> "list[str]":
    if os.path.isdir(path):
        return [name for _, _, files in os.walk(path) for name in files]
    if not zipfile.is_zipfile(path):
        return [path]
    with zipfile.ZipFile(path) as archive:
        return archive.namelist()


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def make_environment() -> int:
    """Make .venv unless it is up to date; print every few seconds that the work goes on."""
    say("[1/4] Environment .venv: packages are fetched once (about a minute), then found")
    started = told = time.time()
    process = subprocess.Popen(["make", "-s", "-C", ROOT, "install"])
    try:
        while process.poll() is None:
            time.sleep(0.05)
            if time.time() - told >= 4:
                told = time.time()
                say("  ... environment: %d s" % (told - started))
    except KeyboardInterrupt:
        process.wait()
        say("Stopped. make demo goes on with the environment where it was.")
        sys.exit(0)
    return process.returncode


def main() -> None:
    check_python()
    wanted = chosen(dict(os.environ))
    check_bus(wanted["BUS"])
    if os.environ.get("DATA") or not made_of(wanted["STATE"]):
        check_data(wanted["DATA"])
    check_port(wanted["PORT"])
    say("Marquee on this machine, all of it in this folder. Stop it with Ctrl-C.")
    if make_environment() != 0:
        refuse("the environment could not be made; see above")
    python = os.path.join(ROOT, ".venv", "bin", "python")
    wanted["STATE"], wanted["DATA"] = map(os.path.abspath, (wanted["STATE"], wanted["DATA"]))
    arguments = ["%s=%s" % pair for pair in sorted(wanted.items())]
    os.execv(python, [python, "-P", "-m", "marquee_local.demo", *arguments])


if __name__ == "__main__":
    main()
