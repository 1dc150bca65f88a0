"""What every fitted model keeps."""

from pathlib import Path
from typing import Protocol, Self

import numpy as np
import numpy.typing as npt
import pytest

from marquee.domain.movies import Film, genre_mask
from marquee.domain.recommendation import RecommendRequest, Route, Scored, Viewer
from marquee.features.dataset import Dataset
from marquee.features.movie_table import Films
from marquee.scoring.candidates import candidates
from marquee_testing.datasets import POOR_DATA, checkerboard, sums_of_film


class Recommender(Protocol):
    """A fitted model; it never changes. `films` holds its base rows and those that events put."""

    @property
    def version(self) -> str:
        """The version's name."""
        ...

    def recommend(
        self, viewer: Viewer, films: Films, mask: npt.NDArray[np.bool_], k: int
    ) -> list[Scored]:
        """Return up to k films where `mask` (bool, one a row of `films`) is true, best first."""
        ...


class FittedModel(Recommender, Protocol):
    """A recommender that is fitted, kept on disk and read again."""

    def films(self) -> Films:
        """Return a new table of the rows that the model was fitted with."""
        ...

    def row(self, film: Film, sums: tuple[int, int, int]) -> tuple[npt.NDArray[np.float32], int]:
        """Return the vector and cluster of a film."""
        ...

    def save(self, directory: Path) -> None:
        """Write the artifacts."""
        ...

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Read the artifacts."""
        ...


class RecommenderContract:
    """What every fitted recommender keeps; a test class gives `fit`."""

    @classmethod
    def fit(cls, dataset: Dataset, seed: int = 0) -> FittedModel:
        """Return a model of small size, fitted to a data set."""
        raise NotImplementedError

    @pytest.fixture(scope="class")
    @classmethod
    def model(cls) -> FittedModel:
        """A model of the checkerboard."""
        return cls.fit(checkerboard())

    def ask(
        self, model: FittedModel, viewer: Viewer, k: int = 5, films: Films | None = None
    ) -> list[Scored]:
        """Return the answer for a viewer, from whom the films that he rated or viewed are kept."""
        films = films or model.films()
        request = RecommendRequest(
            route=Route.HYBRID,
            ratings=tuple(
                (int(i), float(s))
                for i, s in zip(viewer.rated.movie_ids, viewer.rated.stars, strict=True)
            ),
            viewed=tuple(viewer.viewed.tolist()),
        )
        return model.recommend(viewer, films, candidates(request, films), k)

    def test_a_viewer_of_one_kind_of_film_gets_that_kind(self, model: FittedModel) -> None:
        for first in (10, 11):
            viewer = Viewer.of([(first, 5.0), (first + 2, 5.0), (first + 4, 4.5)])
            answer = self.ask(model, viewer)
            assert len(answer) == 5
            assert {scored.movie_id % 2 for scored in answer} == {first % 2}

    def test_a_viewer_of_whom_nothing_is_known_gets_an_answer(self, model: FittedModel) -> None:
        answer = self.ask(model, Viewer.of())
        assert len(answer) == 5

    def test_ratings_of_unknown_films_change_nothing(self, model: FittedModel) -> None:
        viewer, more = Viewer.of([(10, 5.0)]), Viewer.of([(10, 5.0), (999, 1.0)])
        assert self.ask(model, viewer) == self.ask(model, more)

    def test_films_outside_the_mask_never_appear(self, model: FittedModel) -> None:
        films = model.films()
        mask = films.years == 1990
        answer = model.recommend(Viewer.of([(11, 5.0)], [13]), films, mask, 50)
        assert {scored.movie_id for scored in answer} == set(films.movie_ids[mask].tolist())

    def test_no_film_within_the_mask_is_an_empty_answer(self, model: FittedModel) -> None:
        films = model.films()
        nothing = np.zeros(len(films), bool)
        assert model.recommend(Viewer.of([(10, 5.0)]), films, nothing, 5) == []

    def test_more_than_there_is_gives_all_there_is_once(self, model: FittedModel) -> None:
        answer = self.ask(model, Viewer.of([(10, 5.0), (11, 1.0)]), k=1000)
        ids = [scored.movie_id for scored in answer]
        assert sorted(ids) == sorted(set(model.films().movie_ids.tolist()) - {10, 11})

    def test_scores_are_finite_and_fall(self, model: FittedModel) -> None:
        answer = self.ask(model, Viewer.of([(10, 5.0), (11, 1.0)]), k=100)
        scores = [scored.score for scored in answer]
        assert np.isfinite(scores).all()
        assert scores == sorted(scores, reverse=True)

    def test_what_was_saved_answers_the_same(self, model: FittedModel, tmp_path: Path) -> None:
        model.save(tmp_path)
        again = type(model).load(tmp_path)
        viewer = Viewer.of([(10, 5.0), (13, 2.0)], [14])
        assert self.ask(again, viewer, 20) == self.ask(model, viewer, 20)

    def test_the_same_seed_gives_the_same_model(self, model: FittedModel) -> None:
        viewer = Viewer.of([(10, 5.0), (13, 2.0)], [14])
        assert self.ask(self.fit(checkerboard()), viewer, 20) == self.ask(model, viewer, 20)

    def test_a_film_put_by_its_row_is_recommended(self, model: FittedModel) -> None:
        films = model.films()
        film = Film(movie_id=500, title="New", year=1990, genres=("Action",), tags={"chase": 0.9})
        films.put(500, genre_mask(film.genres), film.year, *model.row(film, (0, 0, 0)))
        viewer = Viewer.of([(10, 5.0), (12, 5.0), (14, 4.5)])
        answer = [scored.movie_id for scored in self.ask(model, viewer, 100, films)]
        assert 500 in answer
        assert answer.index(500) < len(answer) // 2

    def test_a_base_film_keeps_its_row(self, model: FittedModel) -> None:
        films = model.films()
        film = checkerboard().films[3]
        vector, cluster = model.row(film, sums_of_film(checkerboard(), film.movie_id))
        assert np.allclose(vector, films.vectors[3], atol=1e-5)
        assert cluster == films.clusters[3]

    @pytest.mark.parametrize("dataset", ["one user", "no tags", "constant", "unrated", "one film"])
    def test_poor_data_still_give_finite_answers(self, dataset: str) -> None:
        model = self.fit(POOR_DATA[dataset]())
        answer = self.ask(model, Viewer.of([(10, 5.0), (11, 1.0)]), k=1000)
        assert {scored.movie_id for scored in answer} == set(model.films().movie_ids.tolist()) - {
            10,
            11,
        }
        assert np.isfinite([scored.score for scored in answer]).all()
