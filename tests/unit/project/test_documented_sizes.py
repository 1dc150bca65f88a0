"""What is said of the room that the environment with torch takes: the same everywhere, and true."""

import os
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
TRAINER = ROOT / ".venv-trainer"
PLACES = (
    "Makefile",
    "CONTRIBUTING.md",
    "deploy/local/marquee_local/neural_training.py",
    "docs/decisions/0006-first-answers-before-torch.md",
    "docs/how-to/train.md",
    "docs/tutorial/first-lists.md",
    "services/trainer/pyproject.toml",
)
SIZE = re.compile(r"(\d+(?:\.\d)?) GB (?:of|on the) disk")


def sizes(place: str) -> set[float]:
    return {float(size) for size in SIZE.findall((ROOT / place).read_text())}


def room(folder: Path) -> float:
    """Return the room of a folder in GiB, as `du` counts it."""
    files = {}
    for path, _, names in os.walk(folder):
        for name in names:
            state = os.lstat(os.path.join(path, name))
            files[state.st_ino] = state.st_blocks * 512
    return sum(files.values()) / 2**30


def test_every_place_names_the_same_size() -> None:
    found = [sizes(place) for place in PLACES]
    assert all(len(size) == 1 for size in found), found
    assert len(set.union(*found)) == 1


@pytest.mark.skipif(
    not (TRAINER / "READY").exists() or not list(TRAINER.glob("lib/*/site-packages/nvidia")),
    reason="make install-trainer, without EXTRA_INDEX: there are smaller builds of torch",
)
def test_the_size_is_what_the_environment_takes() -> None:
    [size] = sizes("Makefile")
    assert room(TRAINER) == pytest.approx(size, rel=0.2)
