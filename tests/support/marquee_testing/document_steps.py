"""Commands of a document, run as a reader would, and what the document says that they print."""

import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)
_END = "--- end of step ---"
_REFUSED = re.compile(r"HTTP/1\.1 [45]")
# A stream has no end: it is read for a moment. Any refusal that is not told beforehand is an error.
_PRELUDE = """
set -uo pipefail
curl() {
  case " $* " in
    *" -N "*) command curl -s --max-time 3 "$@" || [ $? -eq 28 ] ;;
    *) command curl -s --max-time 60 $FAIL "$@" ;;
  esac
}
"""


@dataclass(frozen=True)
class Step:
    """A block of commands.

    Attributes:
        commands: Its text.
        printed: Lines that the document says it prints, among others; `…`: whatever stands there.
    """

    commands: str
    printed: tuple[str, ...] = ()

    @property
    def is_refused(self) -> bool:
        """Whether the document says that a call is refused."""
        return any(_REFUSED.match(line) for line in self.printed)

    def missing(self, output: str) -> list[str]:
        """Return the lines that the document names and the output does not have, in their order."""
        lines = iter(output.replace("\r", "").splitlines())
        return [told for told in self.printed if not any(_matches(told, line) for line in lines)]


def blocks(document: Path, language: str) -> list[str]:
    """Return the blocks of a language."""
    return [text for name, text in _BLOCK.findall(document.read_text()) if name == language]


def steps(document: Path) -> Iterator[Step]:
    """Yield the blocks of commands, each with the text block that follows it at once, if any."""
    found = list(_BLOCK.finditer(document.read_text()))
    for block, following in zip(found, [*found[1:], None], strict=True):
        if block[1] == "sh":
            is_told = (
                following is not None
                and following[1] == "text"
                and not document.read_text()[block.end() : following.start()].strip()
            )
            lines = following[2].splitlines() if following and is_told else ()
            yield Step(block[2], tuple(line for line in lines if line.strip()))


def run_steps(
    document: Path, folder: Path, address: str, variables: Mapping[str, str]
) -> list[tuple[Step, str]]:
    """Run the commands of a document in one shell; return each step with what it printed.

    Args:
        document: Its commands call `http://127.0.0.1:8080`.
        folder: Where they are run.
        address: The gateway that is called instead.
        variables: Of the environment, as the document says that the reader has them.

    Raises:
        AssertionError: A command failed.
    """
    found = list(steps(document))
    script = _PRELUDE
    for step in found:
        script += f"FAIL={'' if step.is_refused else '--fail-with-body'}\nset -e\n"
        script += step.commands.replace("http://127.0.0.1:8080", address)
        script += f"\nset +e\nprintf '\\n%s\\n' '{_END}'\n"
    done = subprocess.run(
        ["bash", "-c", script],
        env={**os.environ, **variables},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
    )
    outputs = done.stdout.split(f"\n{_END}\n")
    assert done.returncode == 0, f"{document.name}: {done.stdout[-3000:]}{done.stderr}"
    return list(zip(found, outputs[:-1], strict=True))


def _matches(told: str, line: str) -> bool:
    pattern = ".*".join(re.escape(part) for part in told.split("…"))
    return re.fullmatch(pattern, line) is not None
