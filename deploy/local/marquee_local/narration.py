"""Progress of the demo in words: a line a step, and a sign of life while a step is silent."""

import shlex
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn, TextIO
from urllib.parse import quote

SILENCE_SECONDS = 4.0
"""Silence after which a running step says that it goes on."""
_CLEAR = "\r\x1b[K"
OPEN = """\
  The page can be opened: http://127.0.0.1:{port}
  You can ask for lists:  {ask}"""
TRY = """\
  open    http://127.0.0.1:{port}            pick genres, rate, watch the list follow
  ask     {ask}
  API     http://127.0.0.1:{port}/docs       stop with Ctrl-C; all that is kept: {state}"""
DEFAULT_PORT = 8080


def ask_line(port: int, genre: str | None) -> str:
    """Return the command that asks for a list of a genre, of any where the catalogue has none."""
    query = f"?genre={quote(genre, safe='')}" if genre else ""
    return f"curl 'http://127.0.0.1:{port}/v1/recommendations{query}'"


def other_state(state: Path, name: str, former: str) -> str:
    """Return why a state is not for other data or another bus, and what can be done."""
    return (
        f"{state} is on {name} {former}: start it again with {name.upper()}={former}, "
        "or choose another folder with STATE="
    )


def stop_line(port: int, state: Path, default_state: Path) -> str:
    """Return the last line: that the demo has stopped, and the command that starts it again."""
    words = ["make", "demo"]
    if state != default_state:
        words.append(f"STATE={state}")
    if port != DEFAULT_PORT:
        words.append(f"PORT={port}")
    return f"Marquee has stopped. It starts again with what it has learned by: {shlex.join(words)}"


class Narrator:
    """Prints lines; on a terminal signs of life rewrite one line, elsewhere they are lines."""

    def __init__(self, out: TextIO | None = None, silence: float = SILENCE_SECONDS) -> None:
        self._out = sys.stdout if out is None else out
        self._silence = silence
        self._lock = threading.Lock()
        self._last = time.monotonic()
        self._is_status = False
        self._process: subprocess.Popen[Any] | None = None

    @property
    def on_terminal(self) -> bool:
        return self._out.isatty()

    def say(self, line: str) -> None:
        """Print a line."""
        with self._lock:
            self._write(f"{_CLEAR if self._is_status else ''}{line}\n")
            self._is_status = False

    @contextmanager
    def going_on(self, words: str) -> Iterator[None]:
        """Print `words` and the elapsed seconds whenever nothing else was printed for a while."""
        ended = threading.Event()
        thread = threading.Thread(target=self._remind, args=(words, ended), daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
            self._end_status()

    def run(self, words: str, command: Sequence[str], environ: Mapping[str, str]) -> int:
        """Run a command, pass on its lines as they come; return its status. Errors go to stderr."""
        pipe = subprocess.PIPE
        with (
            self.going_on(words),
            subprocess.Popen(command, env=environ, stdout=pipe, stderr=pipe, text=True) as process,
            self._under_way(process),
        ):
            assert process.stdout is not None
            assert process.stderr is not None
            errors = threading.Thread(target=self._pass_errors_on, args=(process.stderr,))
            errors.start()
            for line in process.stdout:
                self.say(f"  {line.rstrip()}")
            errors.join()
        return process.returncode

    def call(self, command: Sequence[str], environ: Mapping[str, str]) -> int:
        """Run a command that writes to the terminal itself; return its status."""
        with subprocess.Popen(command, env=environ) as process, self._under_way(process):
            return process.wait()

    def end_command(self) -> None:
        """End the command that is running, if there is one; safe to call in a signal handler."""
        if (process := self._process) is not None:
            process.terminate()

    @contextmanager
    def _under_way(self, process: subprocess.Popen[Any]) -> Iterator[None]:
        self._process = process
        try:
            yield
        finally:
            self._process = None

    def _pass_errors_on(self, errors: TextIO) -> None:
        """Write lines to stderr, which may be the same terminal: never behind a sign of life."""
        for line in errors:
            self._end_status()
            sys.stderr.write(line)
            sys.stderr.flush()

    def _remind(self, words: str, ended: threading.Event) -> None:
        started = time.monotonic()
        wait = 0.5 if self.on_terminal else self._silence
        while not ended.wait(min(wait, max(0.05, self._last + wait - time.monotonic()))):
            if time.monotonic() - self._last >= wait:
                self._status(f"  … {words}: {time.monotonic() - started:.0f} s")

    def _status(self, line: str) -> None:
        with self._lock:
            self._write(f"{_CLEAR}{line}" if self.on_terminal else f"{line}\n")
            self._is_status = self.on_terminal

    def _end_status(self) -> None:
        with self._lock:
            if self._is_status:
                self._write(_CLEAR)
                self._is_status = False

    def _write(self, text: str) -> None:
        self._out.write(text)
        self._out.flush()
        self._last = time.monotonic()


def refuse(line: str) -> NoReturn:
    """Print why the demo does not start, and end with status 2."""
    print(f"marquee: {line}", file=sys.stderr)
    sys.exit(2)
