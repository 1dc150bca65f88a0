"""Search of logs for what no log may hold: secrets, and data of viewers."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

PATTERNS: Mapping[str, re.Pattern[str]] = {
    "key of a caller": re.compile(r"marquee_[0-9a-f]{12}_[A-Za-z0-9_-]{43}"),
    "token of a viewer": re.compile(r"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}"),
    "credential of a request": re.compile(r"(?i)authorization\W{1,6}(bearer|basic)\s+\S{8,}"),
    "password of an address": re.compile(r"\b[a-z][a-z0-9+]*://[^/\s:@]*:[^/\s@*]+@"),
    "id of a viewer": re.compile(r"/v1/users/[^{\s/]|(?i:\buser_id\b)\W{1,5}[\w-]"),
    "rating of a viewer": re.compile(r"(?i:\brating\b)\"?\s*[:=]\s*[0-5](\.[05])?\b"),
    "address of a mailbox": re.compile(r"\b[\w.+-]+@[\w-]+\.[a-z]{2,}\b"),
}
"""What is found by its form: kind → pattern."""


@dataclass(frozen=True)
class Leak:
    """A line of a log that holds what it may not; the text itself is not repeated."""

    path: Path
    line: int
    kind: str

    def __str__(self) -> str:
        return f"{self.path.name}:{self.line}: {self.kind}"


def leaks_in(paths: Iterable[Path], secrets: Mapping[str, str]) -> Iterator[Leak]:
    """Yield the leaks of logs.

    Args:
        paths: The logs.
        secrets: Texts that must not be in them → what they are.
    """
    known = {text: kind for text, kind in secrets.items() if text}
    for path in paths:
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
            kinds = [kind for kind, pattern in PATTERNS.items() if pattern.search(line)]
            kinds += [kind for text, kind in known.items() if text in line]
            for kind in dict.fromkeys(kinds):
                yield Leak(path, number, kind)


def logs_of(folder: Path) -> list[Path]:
    """Return the files to which the processes of a system write, by its state folder.

    The segments of a history or a broker are no logs of this kind, but data.
    """
    named = [folder / "demo.txt", *folder.rglob("*.log"), *(folder / "log").rglob("*")]
    logs = {path for path in named if not path.stem.isdigit()}
    return sorted(path for path in logs if path.is_file())
