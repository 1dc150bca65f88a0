"""Advice on the scale of ratings that are no stars."""

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marquee.errors import DataError
from trainer.datasets.files.options import ImportOptions
from trainer.datasets.reader import read_dataset

MOVIES = "".join(["movieId,title\n", *(f"{i},Film {i}\n" for i in range(1, 61))])
RATINGS = [(u, (u * 7 + i * 3) % 60 + 1, (u + i) % 10 + 1) for u in range(1, 41) for i in range(20)]


def read(folder: Path, marks: list[float], **options: str) -> int:
    rows = [f"{u},{m},{mark}\n" for (u, m, _), mark in zip(RATINGS, marks, strict=True)]
    (folder / "ratings.csv").write_text("".join(["userId,movieId,rating\n", *rows]))
    (folder / "movies.csv").write_text(MOVIES)
    return len(read_dataset(folder, ImportOptions.parse(**options))[0])  # type: ignore[arg-type]


@settings(max_examples=25)
@given(highest=st.floats(1, 100).map(lambda number: round(number, 1)), lowest=st.integers(0, 1))
def test_the_scale_that_is_advised_will_do(
    tmp_path_factory: pytest.TempPathFactory, highest: float, lowest: int
) -> None:
    marks = [lowest + (highest - lowest) * (h - 1) / 9 for _, _, h in RATINGS]
    folder = tmp_path_factory.mktemp("scale")
    try:
        read(folder, marks)
    except DataError as error:
        advice = re.search(
            r"the highest that was looked at is (\S+); .*--scale (\S+) if", str(error)
        )
        assert advice is not None
        assert advice[2] == f"{lowest}-{advice[1]}"
        assert read(folder, marks, scale=advice[2]) == len(RATINGS)


@pytest.mark.parametrize(
    ("factor", "scale"), [(0.75, "1-7.5"), (2, "1-20"), (10, "1-100"), (0.25, "0-2.5")]
)
def test_the_ends_that_were_seen_are_advised(tmp_path: Path, factor: float, scale: str) -> None:
    marks = [max(h * factor, float(scale[0])) for _, _, h in RATINGS]
    with pytest.raises(DataError, match=f"--scale {scale} if none can be higher"):
        read(tmp_path, marks)


def test_likes_and_dislikes_have_no_scale(tmp_path: Path) -> None:
    marks = [1.0 if h > 5 else -1.0 for _, _, h in RATINGS]
    with pytest.raises(DataError, match=r"from -1 to 1.*no numbers below 0: add the same number"):
        read(tmp_path, marks)


@pytest.mark.parametrize("scale", ["1-inf", "0-1e400", "nan-5", "1-nan", "5-1", "-1-1", "10"])
def test_a_scale_has_two_finite_ends(scale: str) -> None:
    with pytest.raises(DataError, match="LOWEST-HIGHEST, as 1-10 or 0-100"):
        ImportOptions.parse(scale=scale)
