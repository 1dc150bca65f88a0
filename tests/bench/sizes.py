"""Data sets for measuring a training: the bundled release, and generated ones."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from stage_cost import Cost, Limits, run_command
from system import ROOT


@dataclass(frozen=True)
class Size:
    """Size of a data set; `users` 0: the bundled release."""

    name: str
    words: str
    users: int = 0
    movies: int = 0
    ratings: int = 0
    genome_tags: int = 0


SIZES = {
    size.name: size
    for size in (
        Size("small", "ml-latest-small"),
        Size("1m", "1 M ratings, 6,000 users, 4,000 films", 6_000, 4_000, 1_000_000, 300),
        Size("10k", "1 M ratings, 6,000 users, 10,000 films", 6_000, 10_000, 1_000_000, 300),
        Size("62k", "1 M ratings, 6,000 users, 62,000 films", 6_000, 62_000, 1_000_000, 1_128),
        Size(
            "25m", "25 M ratings, 162,000 users, 62,000 films", 162_000, 62_000, 25_000_000, 1_128
        ),
    )
}


@dataclass(frozen=True)
class Data:
    """A release, and what it cost to generate it, if it was not there."""

    path: Path
    cost: Cost | None = None


def data_of(
    size: Size, folder: Path, limits: Limits, stages: Sequence[str], console: Console
) -> Data:
    """Return the release of a size; it is generated where it is needed and not there yet."""
    folder.mkdir(parents=True, exist_ok=True)
    if not size.users:
        return Data(ROOT / "data" / "ml-latest-small.zip")
    path = folder / "release"
    if path.exists() or "data" not in stages:
        return Data(path)
    console.print(f"[dim]bench: generating {size.words}[/dim]")
    part = folder / ".release.part"
    cost = run_command("generate", [
        "data", "generate", str(part), "--users", str(size.users), "--movies", str(size.movies),
        "--ratings", str(size.ratings), "--genome-tags", str(size.genome_tags),
    ], folder, limits)  # fmt: skip
    part.rename(path)
    return Data(path, cost)
