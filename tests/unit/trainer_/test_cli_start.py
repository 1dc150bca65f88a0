"""The command before its modules are loaded, in narrow terminals, and with ids of hyphens."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from trainer.cli.main import app

INTERRUPTED = """
import os, signal, sys

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "trainer.cli.main":
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Finder())
from trainer.cli.start import main
main()
"""


def python(*arguments: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        timeout=60,
        check=False,
    )


def test_an_interrupt_while_modules_are_loaded_ends_the_command_without_a_word() -> None:
    result = python("-c", INTERRUPTED)
    assert (result.returncode, result.stdout, result.stderr) == (-signal.SIGINT, b"", b"")


def test_an_interrupt_that_is_not_to_be_heard_is_not() -> None:
    ignoring = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n" + INTERRUPTED
    result = python("-c", ignoring, "--help")
    assert (result.returncode, result.stderr) == (0, b"")


def test_a_terminal_of_ascii_gets_the_numbers_of_other_letters(tmp_path: Path) -> None:
    (tmp_path / "movies.csv").write_text("movieId,title,genres\n1,Сталкер,Драма\n")
    (tmp_path / "ratings.csv").write_text("userId,movieId,rating\n1,1,5\n")
    command = ("-m", "trainer.cli", "data", "check", str(tmp_path))
    result = python(*command, PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert (result.returncode, result.stderr) == (0, b"")
    assert b"1 genres: \\u0414\\u0440" in result.stdout or b"1 genre: \\u0414" in result.stdout
    result = python(*command, "--json", PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert list(json.loads(result.stdout)["genres"]) == ["Драма"]


@pytest.mark.parametrize("command", [("inspect", "movie"), ("inspect", "user"), ("erasure",)])
def test_an_id_that_begins_with_a_hyphen_is_told_how_to_give(command: tuple[str, ...]) -> None:
    result = CliRunner().invoke(app, [*command, "-007"])
    assert result.exit_code == 2
    told = " ".join(result.stderr.replace("│", " ").split())
    assert f"begins with - stands behind --, as root {' '.join(command)} -- -007" in told
    assert "-007 is no option" not in CliRunner().invoke(app, [*command, "--", "-007"]).stderr
    assert "No such option: --jsn" in CliRunner().invoke(app, [*command, "--jsn", "1"]).stderr
