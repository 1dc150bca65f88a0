"""What overviews and people of films are worth to films that nobody rated yet.

`python tests/bench/film_texts.py [DRAWS]` makes a catalogue like The Movies Dataset (genres,
overviews and people, no tags of users), holds the ratings of a tenth of the films out, and prints
hr@10 of these films among one another, with their texts and without, with the normal interval of
the paired difference.
"""

import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from marquee.domain.movies import Movie
from marquee.features.dataset import Dataset, make_dataset
from trainer.datasets.reader import read_dataset
from trainer.datasets.synthetic import generate
from trainer.evaluation.cold_start.trials import SLICES, TAGS, ColdStartSplit, ColdStartTrial
from trainer.evaluation.served_models import fit_served_model
from trainer.models.parameters import TrainingParameters

USERS, FILMS, RATINGS = 1500, 3000, 150_000
_PEOPLE, _WORDS, _NOISE = 3, 10, 25
"""Of a film's most telling tags so many are people, so many words; beside them words of chance."""
_VOCABULARY = 1500
_LETTERS = "abcdefghijklmnop"


def catalogue_with_texts(seed: int = 1) -> Dataset:
    """Return a synthetic data set whose films have texts for tags: those with a tag genome."""
    with tempfile.TemporaryDirectory() as folder:
        path = generate(USERS, FILMS, RATINGS, seed, Path(folder) / "data", genome_tags=300)
        dataset, _ = read_dataset(path)
    random = np.random.default_rng(seed)
    described = [movie for movie in dataset.movies if len(movie.tags) >= _PEOPLE + _WORDS]
    movies = [_described(movie, random) for movie in described]
    columns = dataset.user_ids, dataset.movie_ids, dataset.half_stars, dataset.times
    return make_dataset(*columns, movies)


def without_texts(dataset: Dataset) -> Dataset:
    """Return the data set with genres and years alone."""
    absent = {"overview": None, "people": None}
    return replace(dataset, movies=tuple(m.model_copy(update=absent) for m in dataset.movies))


def hits(dataset: Dataset, trial: ColdStartTrial) -> npt.NDArray[np.bool_]:
    """Return for each case of a trial whether a liked cold film is among the first ten."""
    split = ColdStartSplit.of(dataset, trial)
    model = fit_served_model(trial.model, split.train, TrainingParameters())
    cases = split.cases(trial.slice)
    return np.array(
        [
            np.isin(
                model.list_for(case, split.cold)[:10], split.with_targets(case, True).targets
            ).any()
            for case in cases
        ]
    )


def _described(movie: Movie, random: np.random.Generator) -> Movie:
    """Return a film without tags whose overview and people come of them, and of chance."""
    tags = [_word(tag) for tag in movie.tags]
    people = tuple(f"{tag} {random.integers(3)}" for tag in tags[:_PEOPLE])
    chance = random.zipf(1.3, _NOISE) % _VOCABULARY
    words = [*tags[_PEOPLE : _PEOPLE + _WORDS], *(_word(str(n)) for n in chance)]
    overview = " ".join(random.permutation(words))
    return movie.model_copy(update={"tags": {}, "people": people, "overview": overview})


def _word(text: str) -> str:
    return "".join(_LETTERS[byte & 15] + _LETTERS[byte >> 4] for byte in text.encode())


def results(draws: int) -> Iterator[str]:
    """Yield a line a slice: hr@10 with texts, without, the difference, and the number of cases."""
    full = catalogue_with_texts()
    bare = without_texts(full)
    yield f"{len(full.movies):,} films, {len(full):,} ratings"
    for user_slice in SLICES[:2]:
        found: list[npt.NDArray[np.float64]] = []
        for draw in range(draws):
            trial = ColdStartTrial(TAGS, user_slice, draw)
            found.append(np.array([hits(data, trial) for data in (full, bare)], np.float64))
        own, other = np.concatenate(found, axis=1)
        gain = own - other
        error = 1.96 * gain.std(ddof=1) / len(gain) ** 0.5
        yield (
            f"{user_slice.name} ({trial.model}): {own.mean():.3f} with, {other.mean():.3f} without:"
            f" {gain.mean():+.3f} ± {error:.3f} (95 %), {len(gain):,} cases"
        )


if __name__ == "__main__":
    for line in results(int(sys.argv[1]) if len(sys.argv) > 1 else 1):
        print(line, flush=True)  # noqa: T201
