"""The data set in the repository is MovieLens latest-small, complete, with its licence."""

import zipfile
from pathlib import Path

import numpy as np

from trainer.datasets.reader import read_dataset

ARCHIVE = Path(__file__).parents[3] / "data" / "ml-latest-small.zip"


def test_the_bundled_release_is_complete() -> None:
    data, report = read_dataset(ARCHIVE)
    users = len(np.unique(data.user_ids))
    assert (len(data), users, len(data.movies)) == (100_836, 610, 9_742)
    assert report.malformed == 0


def test_the_bundled_release_carries_its_licence() -> None:
    with zipfile.ZipFile(ARCHIVE) as archive:
        licence = archive.read("ml-latest-small/README.txt").decode()
    assert "redistribute" in licence
