"""Data that leave little to learn: a whole training works with them, or says in a line why not."""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytestmark = [pytest.mark.trainer, pytest.mark.filterwarnings("default"), pytest.mark.slow]
torch = pytest.importorskip("torch")

from safetensors.numpy import load_file  # noqa: E402

from content.model import Content  # noqa: E402
from hybrid.model import Hybrid  # noqa: E402
from marquee.domain.recommendation import UserHistory  # noqa: E402
from marquee.errors import MarqueeError  # noqa: E402
from marquee.registry.bundle import verify  # noqa: E402
from marquee.settings import Settings  # noqa: E402
from marquee_testing.small_fits import QUICK_PARAMS  # noqa: E402
from neural.model import Neural  # noqa: E402
from trainer.datasets.reader import read_dataset  # noqa: E402
from trainer.datasets.synthetic import generate  # noqa: E402
from trainer.history.history import History  # noqa: E402
from trainer.models.parameters import read_parameters  # noqa: E402
from trainer.runs.options import TrainingOptions  # noqa: E402
from trainer.runs.run import run  # noqa: E402
from trainer.runs.stages import STAGES  # noqa: E402
from user_model.model import UserModel  # noqa: E402

PARAMETERS = read_parameters(QUICK_PARAMS)
MODELS: dict[str, Any] = {
    "content": Content,
    "hybrid": Hybrid,
    "user-model": UserModel,
    "neural": Neural,
}
GENRES = ("Action|Drama", "Comedy", "Drama|War", "Comedy|Romance", "(no genres listed)")

Rows = list[tuple[int, int, float]]
"""Of user, movie, stars."""


def tastes(users: int, movies: int, share: float = 0.5) -> Rows:
    """Return ratings by users of two tastes, in the order of users."""
    random = np.random.default_rng(7)
    return [
        (user, movie, (4.5 if (user + movie) % 2 else 1.5) + 0.5 * int(random.integers(0, 2)))
        for user in range(1, users + 1)
        for movie in range(1, movies + 1)
        if random.random() < share
    ]


def write(folder: Path, rows: Rows, movies: int, tags: bool = True) -> None:
    """Write a release with the given number of movies, rated or not."""
    folder.mkdir()
    lines = [f"{user},{movie},{stars},{1000 + n}" for n, (user, movie, stars) in enumerate(rows)]
    _write(folder / "ratings.csv", "userId,movieId,rating,timestamp", lines)
    lines = [f"{n},Film {n} ({1960 + n % 60}),{GENRES[n % 5]}" for n in range(1, movies + 1)]
    _write(folder / "movies.csv", "movieId,title,genres", lines)
    if tags:
        lines = [f"1,{n},{'slow' if n % 2 else 'loud'},{n}" for n in range(1, movies + 1)]
        _write(folder / "tags.csv", "userId,movieId,tag,timestamp", lines)


def _write(path: Path, header: str, lines: Sequence[str]) -> None:
    path.write_text("\n".join([header, *lines]) + "\n")


def with_stars(rows: Rows, stars: float) -> Rows:
    return [(user, movie, stars) for user, movie, _ in rows]


def grumbling(rows: Rows, users: int) -> Rows:
    """Return the rows with those of the first users all negative."""
    return [(u, movie, min(stars, 2.5) if u <= users else stars) for u, movie, stars in rows]


CASES: dict[str, Callable[[Path], object]] = {
    "no tags": lambda path: write(path, tastes(24, 30), 30, tags=False),
    "no genome": lambda path: write(path, tastes(24, 30), 30),
    "a genome": lambda path: generate(24, 60, 600, 3, path, genome_tags=12),
    "one user": lambda path: write(path, tastes(1, 30), 30),
    "one rating": lambda path: write(path, [(1, 3, 4.0)], 30),
    "one rating, a low one": lambda path: write(path, [(1, 3, 1.0)], 30),
    "one film": lambda path: write(path, tastes(20, 1, 1.0), 1),
    "constant ratings": lambda path: write(path, with_stars(tastes(24, 30), 3.0), 30),
    "constant best ratings": lambda path: write(path, with_stars(tastes(24, 30), 5.0), 30),
    "duplicate ratings": lambda path: write(
        path, [*with_stars(tastes(24, 30), 2.0), *tastes(24, 30), *tastes(24, 30)], 30
    ),
    "films nobody rated": lambda path: write(path, tastes(24, 20), 200),
    "some users of only negative ratings": lambda path: write(
        path, grumbling(tastes(24, 30), 12), 30
    ),
    "all users of only negative ratings": lambda path: write(
        path, grumbling(tastes(24, 30), 24), 30
    ),
    "ten times more films than users": lambda path: write(path, tastes(12, 120, 0.3), 120),
}


@pytest.mark.parametrize("case", CASES)
def test_a_training_on_poor_data_gives_finite_models_that_answer(case: str, tmp_path: Path) -> None:
    CASES[case](tmp_path / "release")
    bundles = train(tmp_path)
    assert set(bundles) == set(MODELS)
    for name, bundle in bundles.items():
        found = list(numbers(bundle))
        assert found
        bad = {where for where, values in found if not np.isfinite(values).all()}
        assert bad == set()
        model = MODELS[name].load(bundle)
        movies = model.movies()
        user = UserHistory.of([(int(movies.movie_ids[0]), 4.5)])
        answer = model.recommend(user, movies, movies.alive, 5)
        assert np.isfinite([scored.score for scored in answer]).all()
        assert len(movies.movie_ids) < 2 or answer


@pytest.mark.usefixtures("every_rating")
def test_a_shop_without_stars_learns_tastes_from_what_was_chosen(tmp_path: Path) -> None:
    """All ratings are one star; users chose movies of even ids, or of odd ones."""
    rows = with_stars([row for row in tastes(60, 40, 0.6) if row[2] >= 4.5], 1.0)
    write(tmp_path / "release", rows, 40)
    bundles = train(tmp_path)
    for name, bundle in bundles.items():
        assert verify(bundle).parameters["likes"] == "every-rating"
        model = MODELS[name].load(bundle)
        movies = model.movies()
        chosen = [2, 4, 6, 8, 10, 12]
        user = UserHistory.of([(movie_id, 1.0) for movie_id in chosen])
        mask = movies.alive & ~np.isin(movies.movie_ids, chosen)
        answer = model.recommend(user, movies, mask, 8)
        if name != "content":  # which has no users to learn from
            assert sum(scored.movie_id % 2 == 0 for scored in answer) >= 7, name
        assert any(scored.because for scored in answer), name


def test_a_training_on_no_ratings_says_why_it_cannot_be(tmp_path: Path) -> None:
    write(tmp_path / "release", [], 30)
    with pytest.raises(MarqueeError, match="there is nothing to train on") as error:
        train(tmp_path)
    assert "\n" not in str(error.value)


def train(folder: Path) -> dict[str, Path]:
    """Train on the release in a folder; return the bundles."""
    settings = Settings(state=folder / "state")
    dataset, _ = read_dataset(folder / "release")
    History(settings.history, settings.partitions).import_dataset(dataset)
    record = run(STAGES, settings, TrainingOptions(publish=False), PARAMETERS)
    return {name: Path(path) for name, path in record.bundles.items()}


def numbers(bundle: Path) -> Iterator[tuple[str, Any]]:
    """Yield all numbers that a bundle holds, with where they are."""
    for name in (*verify(bundle).files, "manifest.json"):
        path = bundle / name
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as file:
                arrays = {key: file[key] for key in file.files}
        elif path.suffix == ".safetensors":
            arrays = dict(load_file(path))
        elif path.suffix == ".pt":
            arrays = {k: v.numpy() for k, v in tensors(torch.load(path, weights_only=True))}
        elif path.suffix == ".json":
            arrays = {"": np.array([*in_json(json.loads(path.read_text()))] or [0.0])}
        else:
            continue
        for key, array in arrays.items():
            if array.dtype.kind == "f":
                yield f"{name} {key}", array


def tensors(value: Any, where: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the tensors in what torch saved."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from tensors(inner, f"{where}.{key}")
    elif isinstance(value, torch.Tensor):
        yield where, value


def in_json(value: Any) -> Iterator[float]:
    """Yield the numbers in a JSON value."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from in_json(inner)
    elif isinstance(value, float):
        yield value
