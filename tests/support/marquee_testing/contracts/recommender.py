"""Contract of every fitted model."""

from pathlib import Path
from typing import Protocol, Self

import numpy as np
import numpy.typing as npt
import pytest

from marquee.domain.movies import Movie
from marquee.domain.recommendation import RecommendRequest, Route, Scored, UserHistory
from marquee.features.dataset import Dataset
from marquee.features.movie_table import MovieTable
from marquee.scoring.candidates import candidates
from marquee_testing.datasets import POOR_DATA, checkerboard, sums_of_movie, with_string_ids


class Recommender(Protocol):
    """A fitted model; it never changes. `movies` holds its base rows and those that events put."""

    @property
    def version(self) -> str:
        """The version's name."""
        ...

    def recommend(
        self, user: UserHistory, movies: MovieTable, mask: npt.NDArray[np.bool_], k: int
    ) -> list[Scored]:
        """Return up to k movies where `mask` (bool, one a row of `movies`) is true, best first."""
        ...


class FittedModel(Recommender, Protocol):
    """A recommender that is fitted, kept on disk and read again."""

    def movies(self) -> MovieTable:
        """Return a new table of the rows that the model was fitted with."""
        ...

    def row(self, movie: Movie, sums: tuple[int, int, int]) -> tuple[npt.NDArray[np.float32], int]:
        """Return the vector and cluster of a movie."""
        ...

    def save(self, directory: Path) -> None:
        """Write the artifacts."""
        ...

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Read the artifacts."""
        ...


class RecommenderContract:
    """Contract of every fitted recommender; a test class gives `fit`."""

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
        self, model: FittedModel, user: UserHistory, k: int = 5, movies: MovieTable | None = None
    ) -> list[Scored]:
        """Return the answer for a user, without movies that the user rated or viewed."""
        movies = movies or model.movies()
        request = RecommendRequest(
            route=Route.HYBRID,
            ratings=tuple(
                (int(i), float(s))
                for i, s in zip(user.rated.movie_ids, user.rated.stars, strict=True)
            ),
            viewed=tuple(user.viewed.tolist()),
        )
        return model.recommend(user, movies, candidates(request, movies), k)

    def test_a_user_of_one_kind_of_movie_gets_that_kind(self, model: FittedModel) -> None:
        for first in (10, 11):
            user = UserHistory.of([(first, 5.0), (first + 2, 5.0), (first + 4, 4.5)])
            answer = self.ask(model, user)
            assert len(answer) == 5
            assert {scored.movie_id % 2 for scored in answer} == {first % 2}

    def test_a_user_of_whom_nothing_is_known_gets_an_answer(self, model: FittedModel) -> None:
        answer = self.ask(model, UserHistory.of())
        assert len(answer) == 5

    def test_ratings_of_unknown_movies_change_nothing(self, model: FittedModel) -> None:
        user, more = UserHistory.of([(10, 5.0)]), UserHistory.of([(10, 5.0), (999, 1.0)])
        assert self.ask(model, user) == self.ask(model, more)

    def test_movies_outside_the_mask_never_appear(self, model: FittedModel) -> None:
        movies = model.movies()
        mask = movies.years == 1990
        answer = model.recommend(UserHistory.of([(11, 5.0)], [13]), movies, mask, 50)
        assert {scored.movie_id for scored in answer} == set(movies.movie_ids[mask].tolist())

    def test_no_movie_within_the_mask_is_an_empty_answer(self, model: FittedModel) -> None:
        movies = model.movies()
        nothing = np.zeros(len(movies), bool)
        assert model.recommend(UserHistory.of([(10, 5.0)]), movies, nothing, 5) == []

    def test_more_than_there_is_gives_all_there_is_once(self, model: FittedModel) -> None:
        answer = self.ask(model, UserHistory.of([(10, 5.0), (11, 1.0)]), k=1000)
        ids = [scored.movie_id for scored in answer]
        assert sorted(ids) == sorted(set(model.movies().movie_ids.tolist()) - {10, 11})

    def test_scores_are_finite_and_fall(self, model: FittedModel) -> None:
        answer = self.ask(model, UserHistory.of([(10, 5.0), (11, 1.0)]), k=100)
        scores = [scored.score for scored in answer]
        assert np.isfinite(scores).all()
        assert scores == sorted(scores, reverse=True)

    def test_what_was_saved_answers_the_same(self, model: FittedModel, tmp_path: Path) -> None:
        model.save(tmp_path)
        again = type(model).load(tmp_path)
        user = UserHistory.of([(10, 5.0), (13, 2.0)], [14])
        assert self.ask(again, user, 20) == self.ask(model, user, 20)

    def test_the_same_seed_gives_the_same_model(self, model: FittedModel) -> None:
        user = UserHistory.of([(10, 5.0), (13, 2.0)], [14])
        assert self.ask(self.fit(checkerboard()), user, 20) == self.ask(model, user, 20)

    def test_the_form_of_the_ids_changes_no_list(self, model: FittedModel, tmp_path: Path) -> None:
        dataset, ids = with_string_ids(checkerboard())
        self.fit(dataset).save(tmp_path)
        renamed = type(model).load(tmp_path)
        ratings, viewed = [(10, 5.0), (13, 2.0)], [14]
        expected = self.ask(model, UserHistory.of(ratings, viewed), 20)
        user = UserHistory.of([(ids[i], s) for i, s in ratings], [ids[i] for i in viewed])
        answer = self.ask(renamed, user, 20)
        assert [scored.movie_id for scored in answer] == [ids[s.movie_id] for s in expected]
        assert [s.score for s in answer] == pytest.approx([s.score for s in expected])
        assert [[ids[i] for i, _ in s.because] for s in expected] == [
            [i for i, _ in s.because] for s in answer
        ]

    def test_a_movie_put_by_its_row_is_recommended(self, model: FittedModel) -> None:
        movies = model.movies()
        movie = Movie(movie_id=500, title="New", year=1990, genres=("Action",), tags={"chase": 0.9})
        movies.put(500, movie.genres, movie.year, *model.row(movie, (0, 0, 0)))
        user = UserHistory.of([(10, 5.0), (12, 5.0), (14, 4.5)])
        answer = [scored.movie_id for scored in self.ask(model, user, 100, movies)]
        assert 500 in answer
        assert answer.index(500) < len(answer) // 2

    def test_a_base_movie_keeps_its_row(self, model: FittedModel) -> None:
        movies = model.movies()
        movie = checkerboard().movies[3]
        vector, cluster = model.row(movie, sums_of_movie(checkerboard(), movie.movie_id))
        assert np.allclose(vector, movies.vectors[3], atol=1e-5)
        assert cluster == movies.clusters[3]

    @pytest.mark.parametrize("dataset", ["one user", "no tags", "constant", "unrated", "one film"])
    def test_poor_data_still_give_finite_answers(self, dataset: str) -> None:
        model = self.fit(POOR_DATA[dataset]())
        answer = self.ask(model, UserHistory.of([(10, 5.0), (11, 1.0)]), k=1000)
        assert {scored.movie_id for scored in answer} == set(model.movies().movie_ids.tolist()) - {
            10,
            11,
        }
        assert np.isfinite([scored.score for scored in answer]).all()
