"""The demo's words: each line at once, and a sign of life where a step is silent."""

import io
import os
import re
import shlex
import signal
import sys
import threading
from pathlib import Path

import pytest

from marquee_local.narration import Narrator, ask_line, stop_line
from marquee_testing.waiting import PATIENCE, until


class Terminal(io.StringIO):
    """A text file that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_a_silent_step_says_that_it_goes_on_and_a_talkative_one_does_not() -> None:
    out = io.StringIO()
    narrator = Narrator(out, silence=0.05)
    spoken = threading.Event()

    def spoke() -> bool:
        return out.getvalue().count("… training") >= 2

    with narrator.going_on("training"):
        while not spoke():
            spoken.wait(0.01)
    lines = out.getvalue().splitlines()
    assert all(re.fullmatch(r"  … training: \d+ s", line) for line in lines)


def test_what_a_command_prints_is_passed_on_line_by_line_with_its_status(
    capfd: pytest.CaptureFixture[str],
) -> None:
    out = io.StringIO()
    code = "import sys; print('one'); print('two'); print('wrong', file=sys.stderr); sys.exit(3)"
    status = Narrator(out).run("import", [sys.executable, "-u", "-c", code], os.environ)
    assert status == 3
    assert out.getvalue().splitlines() == ["  one", "  two"]
    assert capfd.readouterr().err == "wrong\n"


@pytest.mark.parametrize("method", ["run", "call"])
def test_a_command_is_ended_when_the_demo_is_told_to_stop(method: str, tmp_path: Path) -> None:
    narrator, begun = Narrator(io.StringIO()), tmp_path / "begun"
    code = f"import pathlib, time; pathlib.Path({str(begun)!r}).touch(); time.sleep(600)"
    command = [sys.executable, "-c", code]
    ended: list[int] = []

    def work() -> None:
        ended.append(
            narrator.run("train", command, os.environ)
            if method == "run"
            else narrator.call(command, os.environ)
        )

    narrator.end_command()  # nothing is running yet
    running = threading.Thread(target=work)
    running.start()
    until(begun.exists)
    narrator.end_command()
    running.join(60 * PATIENCE)
    assert ended == [-signal.SIGTERM]
    narrator.end_command()


def test_an_error_is_not_written_behind_a_sign_of_life(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out, mark = Terminal(), tmp_path / "seen"
    code = (
        "import sys, time, pathlib\n"
        f"while not pathlib.Path({str(mark)!r}).exists(): time.sleep(0.01)\n"
        "print('wrong', file=sys.stderr)"
    )
    running = threading.Thread(
        target=Narrator(out).run, args=("import", [sys.executable, "-c", code], os.environ)
    )
    running.start()
    while "… import" not in out.getvalue():
        threading.Event().wait(0.01)
    mark.touch()
    running.join()
    assert out.getvalue().endswith("\r\x1b[K")
    assert capfd.readouterr().err == "wrong\n"


def test_a_terminal_has_one_line_that_is_rewritten_and_cleared() -> None:
    out = Terminal()
    narrator = Narrator(out)
    with narrator.going_on("start"):
        while "… start" not in out.getvalue():
            threading.Event().wait(0.01)
        narrator.say("ready")
    assert "\n" not in out.getvalue().partition("ready")[0]
    assert "ready\n" in out.getvalue()
    assert not out.getvalue().rstrip("\r\x1b[K").endswith(" s")


@pytest.mark.parametrize(
    ("genre", "query"),
    [
        ("Comedy", "?genre=Comedy"),
        ("Драма", "?genre=%D0%94%D1%80%D0%B0%D0%BC%D0%B0"),
        ("Kid's & more", "?genre=Kid%27s%20%26%20more"),
        (None, ""),
    ],
)
def test_the_line_to_ask_by_can_be_pasted_into_a_shell(genre: str | None, query: str) -> None:
    line = ask_line(8090, genre)
    assert line == f"curl 'http://127.0.0.1:8090/v1/recommendations{query}'"
    assert shlex.split(line)[1].isascii()


def test_the_last_line_says_how_the_same_demo_starts_again() -> None:
    default = Path("/marquee/var")
    assert stop_line(8080, default, default).endswith("by: make demo")
    other = stop_line(8090, Path("/my shop"), default)
    assert other.endswith("by: make demo 'STATE=/my shop' PORT=8090")
